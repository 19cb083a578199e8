package charttest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"cloudtask.dev/cloudtask/internal/testenv"
)

// TestOneSource: kustomize, install.yaml and the chart give the same objects.
func TestOneSource(t *testing.T) {
	kubectl := filepath.Join(tool(t, "KUBEBUILDER_ASSETS"), "kubectl")
	kustomized, err := run(t, kubectl, "kustomize", filepath.Join(root, "config/default"))
	if err != nil {
		t.Fatal(err)
	}
	want := render(t, "test: {enabled: false}")
	const namespace = "Namespace cloudtask-system" // Helm makes it by --create-namespace.
	want[namespace] = parse(t, read(t, "config/default/namespace.yaml"))[namespace]
	for name, o := range want {
		withoutHelm(o.Object, strings.HasPrefix(name, "CustomResourceDefinition "))
	}
	if diff := cmp.Diff(want, parse(t, kustomized)); diff != "" {
		t.Errorf("config/default: -chart +kustomize\n%s", diff)
	}
	if diff := cmp.Diff(want, parse(t, read(t, "dist/install.yaml"))); diff != "" {
		t.Errorf("dist/install.yaml: -chart +install.yaml\n%s", diff)
	}
}

// withoutHelm takes away what only Helm reads. The CRD of config/crd has no labels
// at all.
func withoutHelm(o map[string]any, crd bool) {
	metadata := object(o["metadata"])
	set := object(metadata["labels"])
	delete(set, "helm.sh/chart")
	delete(set, "app.kubernetes.io/managed-by")
	if crd {
		delete(metadata, "labels")
		delete(object(metadata["annotations"]), "helm.sh/resource-policy")
	}
}

// TestAPIServer lets a real API server judge: it takes all objects, knows every
// field of them, and admits the pods to a namespace that enforces the Pod
// Security Standard restricted.
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
	apply := func(t *testing.T, path string) {
		t.Helper()
		out, err := env.Kubectl(t.Context(), "apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", path).CombinedOutput()
		if err != nil || strings.Contains(string(out), "Warning") {
			t.Fatalf("%v: %s", err, out)
		}
	}
	apply(t, root+"/dist/install.yaml") // with the namespace
	for name, values := range map[string]string{
		"Default": "", "All": all,
		"Namespaces": "watchNamespaces: [default, cloudtask-system]\nmetrics: {authDelegator: true}\nreplicaCount: 2",
	} {
		t.Run(name, func(t *testing.T) {
			rendered := render(t, values)
			var known []any
			for name, o := range rendered {
				if !strings.HasPrefix(o.GetAPIVersion(), "monitoring.coreos.com/") && !strings.HasPrefix(name, "Pod ") {
					known = append(known, o.Object)
				}
			}
			apply(t, list(t, known...))
			for i, pod := range podsOf(t, rendered) {
				pod.Name = fmt.Sprintf("%s-%d", strings.ToLower(name), i)
				apply(t, list(t, pod))
			}
		})
	}
}

// list writes objects to a file for kubectl.
func list(t *testing.T, items ...any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "objects.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// podsOf are the pod that the Deployment would make, and that of the test.
func podsOf(t *testing.T, rendered objects) []*corev1.Pod {
	t.Helper()
	d := deployment(t, rendered)
	made := &corev1.Pod{Spec: d.Spec.Template.Spec}
	made.APIVersion, made.Kind, made.Namespace = "v1", "Pod", d.Namespace
	pods := []*corev1.Pod{made}
	for name := range rendered {
		if strings.HasPrefix(name, "Pod ") {
			pods = append(pods, get[corev1.Pod](t, rendered, name))
		}
	}
	if len(pods) != 2 {
		t.Errorf("%d pods, want the operator's and the test's", len(pods))
	}
	return pods
}
