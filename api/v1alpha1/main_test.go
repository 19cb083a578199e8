package v1alpha1_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/testenv"
)

// env is the control plane that the tests of this package share, admin its
// administrator's client.
var (
	env   *testenv.Env
	admin client.Client
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		return 0, err
	}
	if env, err = testenv.Start(context.Background()); err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := env.Stop(); stopErr != nil {
			err = stopErr
		}
	}()
	if admin, err = client.New(env.Config, client.Options{}); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// newTask is an object as a person writes it: untyped, with a spec in YAML.
func newTask(tb testing.TB, spec string) *unstructured.Unstructured {
	tb.Helper()
	var fields map[string]any
	if err := yaml.Unmarshal([]byte(spec), &fields); err != nil {
		tb.Fatalf("spec %s: %v", spec, err)
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": fields}}
	obj.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("CloudTask"))
	obj.SetNamespace("default")
	obj.SetGenerateName("task-")
	return obj
}

// createTask stores an object with this spec for the time of the test.
func createTask(t *testing.T, spec string) *unstructured.Unstructured {
	t.Helper()
	obj := newTask(t, spec)
	if err := admin.Create(t.Context(), obj); err != nil {
		t.Fatalf("create a CloudTask with spec %s: %v", spec, err)
	}
	deleteAfter(t, obj)
	return obj
}

func deleteAfter(t *testing.T, obj client.Object) {
	t.Helper()
	t.Cleanup(func() {
		if err := admin.Delete(context.Background(), obj); err != nil {
			t.Error(err)
		}
	})
}
