package wait

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/testenv"
)

// shop is the namespace of a real API server, and a user there who may list and
// watch the CloudTask x alone.
type shop struct {
	env   *testenv.Env
	admin client.Client
	user  testenv.User
}

func TestAPIServer(t *testing.T) {
	env, err := testenv.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := openShop(t, env)
	const pending = "x: Pending: Waiting for the operator\n"

	cases := map[string]struct {
		reason string
		absent bool
		start  func(string) state // nil: as the CRD's defaults have it
		args   []string
		during func(t *testing.T) // once the first state is printed
		code   int
		out    string // after the first line
		err    string
	}{
		"Succeeds": {
			reason: "the whole life of a task",
			during: func(t *testing.T) {
				s.report(t, running("x").progress(45))
				s.report(t, done("x"))
			},
			out: pending + "x: Running, 45 %: redis task 18215 is running\nx: Succeeded after 3m12s\n",
		},
		"SucceededBefore": {reason: "nothing to wait for", start: done, out: "x: Succeeded after 3m12s\n"},
		"Fails": {
			reason: "the first failure ends it",
			during: func(t *testing.T) { s.report(t, broken("x")) },
			code:   1, out: pending + "x: Failed after 3m12s (TaskFailed)\n",
			err: "  code: TaskFailed\n  message: disk full\n  request ID: req-1\nTo see more: kubectl describe cloudtask/x -n shop --kubeconfig ",
		},
		"Absent": {reason: "at once", absent: true, code: 3, err: "Error: CloudTask x does not exist in namespace shop ("},
		"Deleted": {
			reason: "kubectl would hang",
			during: func(t *testing.T) { s.remove(t) },
			code:   3, err: "Error: CloudTask x was deleted while waiting\n",
		},
		"Recreated": {
			reason: "another task",
			during: func(t *testing.T) { s.remove(t); s.create(t); s.report(t, done("x")) },
			code:   3, err: "Error: CloudTask x was deleted while waiting\n",
		},
		"Stalled":      {reason: "a person must act", start: stalled, args: []string{"--stalled-after=0"}, code: 3, err: "Error: CloudTask x is stalled: AccessDenied: the key may not ask\n"},
		"LookOnce":     {reason: "a timeout of 0 looks once", start: running, args: []string{"--timeout=0"}, code: 2, err: "Error: not finished: x\n"},
		"TimesOut":     {reason: "a second passes", start: running, args: []string{"--timeout=3s"}, code: 2, err: "Error: timed out after 3s\n"},
		"Forbidden":    {reason: "the role names x alone", start: done, args: []string{"y"}, code: 3, err: `Error: not allowed to list cloudtasks in namespace shop: cloudtasks.tencent.cloudtask.dev "y" is forbidden: User "waiter" cannot list resource`},
		"OtherContext": {reason: "wrong usage of the kubeconfig", args: []string{"--context=nope"}, code: 3, err: `context "nope" does not exist`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if !tc.absent {
				s.create(t)
				t.Cleanup(func() { s.remove(t) })
			}
			if tc.start != nil {
				s.report(t, tc.start("x"))
			}
			got := s.run(t, append([]string{"ct/x"}, tc.args...), tc.during)
			if got.code != tc.code {
				t.Errorf("%s: status %d, want %d: %s", tc.reason, got.code, tc.code, got.err)
			}
			if _, rest, _ := strings.Cut(got.out, "\n"); tc.out != "" && rest != tc.out {
				t.Errorf("%s: output\n%s\nwant\n%s", tc.reason, rest, tc.out)
			}
			if !strings.Contains(got.err, tc.err) {
				t.Errorf("%s: error\n%s\nwant\n%s", tc.reason, got.err, tc.err)
			}
		})
	}
	t.Run("AsKubectl", s.testAsKubectl)
	t.Run("NoCRD", s.testNoCRD)
}

// testAsKubectl compares with the real kubectl how a spec changed after the end
// is judged.
func (s *shop) testAsKubectl(t *testing.T) {
	s.create(t)
	t.Cleanup(func() { s.remove(t) })
	both := func(want bool) {
		t.Helper()
		got := s.run(t, []string{"x", "--timeout=0"}, nil).code == 0
		err := s.kubectl(t, "wait", "--for=condition=Succeeded", "ct/x", "--timeout=0").Run()
		if got != want || (err == nil) != want {
			t.Errorf("succeeded: %t, kubectl: %v; want %t", got, err, want)
		}
	}
	both(false)
	s.report(t, done("x"))
	both(true)
	task := s.get(t)
	task.Spec.Suspend = true
	if err := s.admin.Update(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	both(false)
	s.report(t, newState("x", "").generation(2).copyConditions(done("x").task))
	both(true)
}

// testNoCRD comes last, since it removes the CRD.
func (s *shop) testNoCRD(t *testing.T) {
	if out, err := s.kubectl(t, "delete", "crd", "cloudtasks.tencent.cloudtask.dev").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, func() bool {
		return apierrors.IsNotFound(s.admin.List(t.Context(), &v1alpha1.CloudTaskList{}))
	})
	got := s.run(t, []string{"x"}, nil)
	if got.code != 3 || !strings.Contains(got.err, "knows no cloudtasks") {
		t.Errorf("without the CRD: %+v", got)
	}
}

func (s state) copyConditions(from *v1alpha1.CloudTask) state {
	s.task.Status.Phase = from.Status.Phase
	for _, c := range from.Status.Conditions {
		s = s.condition(c.Type, c.Status, c.Reason)
	}
	s.task.Status.ObservedGeneration = s.task.Generation
	return s
}

func openShop(t *testing.T, env *testenv.Env) *shop {
	t.Helper()
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(env.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	user, err := env.AddUser("waiter")
	if err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{Name: "wait", Namespace: "shop"}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"cloudtasks"},
			ResourceNames: []string{"x"}, Verbs: []string{"list", "watch"},
		}}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "wait"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "waiter"}},
		},
	} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	s := &shop{env: env, admin: admin, user: user}
	eventually(t, func() bool { // RBAC reaches the authorizer by a watch
		return strings.Contains(s.run(t, []string{"x", "--timeout=0"}, nil).err, "does not exist") &&
			s.kubectl(t, "auth", "can-i", "watch", "cloudtasks.tencent.cloudtask.dev/x", "--as=waiter").Run() == nil
	})
	return s
}

func (s *shop) create(t *testing.T) {
	t.Helper()
	id := int64(18215)
	task := &v1alpha1.CloudTask{}
	task.Name, task.Namespace = "x", "shop"
	task.Spec = v1alpha1.CloudTaskSpec{Region: "ap-guangzhou", Redis: &v1alpha1.RedisTask{TaskID: &id}}
	if err := s.admin.Create(t.Context(), task); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) get(t *testing.T) *v1alpha1.CloudTask {
	t.Helper()
	task := &v1alpha1.CloudTask{}
	if err := s.admin.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "x"}, task); err != nil {
		t.Fatal(err)
	}
	return task
}

// report writes a status as the operator would.
func (s *shop) report(t *testing.T, st state) {
	t.Helper()
	task := s.get(t)
	task.Status = st.task.Status
	for i := range task.Status.Conditions {
		task.Status.Conditions[i].LastTransitionTime = metav1.Now()
	}
	if e := task.Status.Error; e != nil {
		e.Message = "disk full"
	}
	if err := s.admin.Status().Update(t.Context(), task); err != nil {
		t.Fatal(err)
	}
}

// remove outlives the test's own context, since it cleans up, too.
func (s *shop) remove(t *testing.T) {
	t.Helper()
	task := &v1alpha1.CloudTask{}
	task.Name, task.Namespace = "x", "shop"
	if err := s.admin.Delete(context.WithoutCancel(t.Context()), task); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
}

func (s *shop) kubectl(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return s.env.Kubectl(t.Context(), append([]string{"-n", "shop"}, args...)...)
}

// run runs the command as the user, and during once it has printed a state.
func (s *shop) run(t *testing.T, args []string, during func(*testing.T)) end {
	t.Helper()
	out := &screen{twoLines: make(chan struct{})}
	var errs bytes.Buffer
	cmd := NewCommand()
	cmd.SetOut(out)
	cmd.SetErr(&errs)
	cmd.SetArgs(append([]string{"--kubeconfig", s.user.Kubeconfig, "-n", "shop"}, args...))
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(t.Context()) }()
	if during != nil {
		select {
		case <-out.twoLines:
			during(t)
		case err := <-ended:
			t.Fatalf("ended before it printed a state: %v", err)
		}
	}
	err := <-ended
	return end{code: ExitCode(err), out: out.String(), err: errs.String()}
}

// screen tells when the second line, the first state, is printed.
type screen struct {
	mu       sync.Mutex
	text     bytes.Buffer
	twoLines chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := bytes.Count(s.text.Bytes(), []byte("\n"))
	n, err := s.text.Write(p)
	if before < 2 && bytes.Count(s.text.Bytes(), []byte("\n")) >= 2 {
		close(s.twoLines)
	}
	return n, err
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-t.Context().Done():
			t.Fatal("it never happened")
		case <-tick.C:
		}
	}
}
