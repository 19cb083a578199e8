package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

const samples = "../../config/samples"

// read decodes one sample, and refuses a field that does not exist.
func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(samples, file))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// kustomized returns the files that kubectl apply -k applies.
func kustomized(t *testing.T) []string {
	var k struct {
		APIVersion, Kind string
		Resources        []string
	}
	read(t, "kustomization.yaml", &k)
	return k.Resources
}

func TestSamplesAreComplete(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(samples, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	apart := []string{"kustomization.yaml", "secret.yaml"}
	for _, file := range files {
		name := filepath.Base(file)
		if slices.Contains(kustomized(t), name) == slices.Contains(apart, name) {
			t.Errorf("%s: kustomization.yaml must name every sample, and not the Secret with its placeholders", name)
		}
	}
}

func TestSamplesMatchTheirRoles(t *testing.T) {
	cast := roles(time.Now())
	if got := len(kustomized(t)); got != len(cast) {
		t.Errorf("%d samples and %d roles", got, len(cast))
	}
	for _, file := range kustomized(t) {
		var task v1alpha1.CloudTask
		read(t, file, &task)
		i := slices.IndexFunc(cast, func(r role) bool { return r.object == task.Name })
		if i < 0 {
			t.Errorf("%s: no task in the demo", file)
			continue
		}
		if want := asked(task); want != cast[i].task.ID && want != cast[i].task.InstanceID {
			t.Errorf("%s asks about %s, and the demo's task is %+v", file, want, cast[i].task)
		}
	}
}

// A name that carries the ID is what makes the next task a new object.
func TestSamplesAreNamedByTheirTask(t *testing.T) {
	for _, file := range kustomized(t) {
		var task v1alpha1.CloudTask
		read(t, file, &task)
		if task.Spec.Redis != nil && task.Spec.Redis.Latest != nil {
			continue
		}
		if !strings.HasSuffix(task.Name, "-"+asked(task)) {
			t.Errorf("%s: the name %s does not end with the task's ID %s", file, task.Name, asked(task))
		}
	}
}

// asked is what an object asks the cloud about.
func asked(task v1alpha1.CloudTask) string {
	switch {
	case task.Spec.CLB != nil:
		return *task.Spec.CLB.RequestID
	case task.Spec.Redis.Latest != nil:
		return task.Spec.Redis.Latest.InstanceID
	default:
		return strconv.FormatInt(*task.Spec.Redis.TaskID, 10)
	}
}
