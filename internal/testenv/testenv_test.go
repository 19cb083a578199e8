package testenv_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/testenv"
)

func TestStartWithoutAssets(t *testing.T) {
	t.Setenv("KUBEBUILDER_ASSETS", "")
	_, err := testenv.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "run make test") {
		t.Errorf("Start without KUBEBUILDER_ASSETS: %v; it must say what to do", err)
	}
}

func TestStartWithIncompleteAssets(t *testing.T) {
	t.Setenv("KUBEBUILDER_ASSETS", t.TempDir())
	_, err := testenv.Start(t.Context())
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "kube-apiserver") {
		t.Errorf("Start with an empty KUBEBUILDER_ASSETS: %v; it must name what is missing", err)
	}
}

func TestControlPlane(t *testing.T) {
	env, err := testenv.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(env.Kubeconfig); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the control plane's directory is still there after Stop: %v", err)
		}
	})

	t.Run("kubectl", func(t *testing.T) {
		out, err := env.Kubectl(t.Context(), "version").CombinedOutput()
		if err != nil || strings.Count(string(out), "v1.37.1") != 2 {
			t.Errorf("kubectl version: %v\n%s\nwant client and server v1.37.1", err, out)
		}
	})
	t.Run("RBAC", func(t *testing.T) { testRBAC(t, env) })
	t.Run("pause", func(t *testing.T) { testPause(t, env) })
}

// testRBAC checks that a user may nothing before a role says so.
func testRBAC(t *testing.T, env *testenv.Env) {
	user, err := env.AddUser("reader", "readers")
	if err != nil {
		t.Fatal(err)
	}
	list := func() error {
		var tasks v1alpha1.CloudTaskList
		return newClient(t, user).List(t.Context(), &tasks, client.InNamespace("default"))
	}
	if err := list(); !apierrors.IsForbidden(err) {
		t.Errorf("list without a role: %v, want Forbidden", err)
	}

	admin := newClient(t, env.User)
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"cloudtasks"}, Verbs: []string{"list"},
		}},
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "reader"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "readers"}},
	}
	for _, obj := range []client.Object{role, binding} {
		if err := admin.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
	if err := eventually(t.Context(), list); err != nil {
		t.Errorf("list with a role: %v", err)
	}
	if out, err := env.Kubectl(t.Context(), "--kubeconfig="+user.Kubeconfig, "get", "ct").CombinedOutput(); err != nil {
		t.Errorf("kubectl get ct as reader: %v\n%s", err, out)
	}
}

// testPause checks that a paused API server does not answer, and later does.
func testPause(t *testing.T, env *testenv.Env) {
	admin := newClient(t, env.User)
	list := func(ctx context.Context) error {
		return admin.List(ctx, &v1alpha1.CloudTaskList{})
	}
	if err := list(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := env.PauseAPIServer(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := list(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a paused API server answers: %v", err)
	}
	if err := env.ResumeAPIServer(); err != nil {
		t.Fatal(err)
	}
	if err := list(t.Context()); err != nil {
		t.Errorf("a resumed API server does not answer: %v", err)
	}
}

// eventually tries until it works, for as long as the test may run: RBAC reaches
// the authorizer by a watch.
func eventually(ctx context.Context, try func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func newClient(t *testing.T, user testenv.User) client.Client {
	t.Helper()
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(user.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
