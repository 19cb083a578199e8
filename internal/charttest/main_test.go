// Package charttest tests the Helm chart and what is generated from it, with the
// real Helm.
package charttest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	ctrl "sigs.k8s.io/controller-runtime"
)

const (
	root  = "../.."
	chart = root + "/charts/cloudtask"
	all   = "testdata/all.yaml"
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // envtest's
	os.Exit(m.Run())
}

// helm4 is what renders; helm3 is asked as well where the two may differ.
func helm4(t *testing.T) string { return tool(t, "HELM4") }
func helm3(t *testing.T) string { return tool(t, "HELM3") }

// tool returns the path of a program that make builds.
func tool(t *testing.T, name string) string {
	t.Helper()
	path := os.Getenv(name)
	if path == "" {
		t.Fatalf("%s is not set: run make test", name)
	}
	return path
}

// run returns what a command prints, and its error with what it complains of.
func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	home := t.TempDir() // not the user's own plugins and repositories
	cmd.Env = append(os.Environ(), "HELM_CONFIG_HOME="+home, "HELM_CACHE_HOME="+home, "HELM_DATA_HOME="+home, "KUBECONFIG="+os.DevNull)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s%s", err, out.String(), complaints.String())
	}
	return out.String(), nil
}

// values are the text of a values file, or the path of one.
func values(t *testing.T, text string) string {
	t.Helper()
	if strings.HasSuffix(text, ".yaml") {
		return text
	}
	path := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func template(t *testing.T, helm, text string, more ...string) (string, error) {
	t.Helper()
	args := []string{"template", "cloudtask", chart, "--namespace", "cloudtask-system", "--values", values(t, text)}
	return run(t, helm, append(args, more...)...)
}

// objects are rendered objects by their kind, namespace and name, for example
// "Role shop/cloudtask" or "ClusterRole cloudtask".
type objects map[string]*unstructured.Unstructured

func render(t *testing.T, text string) objects {
	t.Helper()
	rendered, err := template(t, helm4(t), text)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, rendered)
}

func parse(t *testing.T, text string) objects {
	t.Helper()
	found := objects{}
	for decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096); ; {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if len(o.Object) == 0 {
			continue
		}
		name := o.GetKind() + " " + strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "/")
		if found[name] != nil {
			t.Errorf("%s is rendered twice", name)
		}
		found[name] = o
	}
}

// get decodes an object, which must be there.
func get[T any](t *testing.T, all objects, name string) *T {
	t.Helper()
	o := all[name]
	if o == nil {
		t.Fatalf("there is no %s", name)
	}
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, typed, true); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return typed
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
