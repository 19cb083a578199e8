package v1alpha1_test

import (
	"bytes"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return output(t, env.Kubectl(t.Context(), args...))
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	return string(out)
}

func TestPrinterColumns(t *testing.T) {
	obj := createTask(t, `{region: ap-guangzhou, redis: {taskID: 18215}}`)
	checkColumns(t, kubectl(t, "get", "ct", obj.GetName()),
		[]string{"NAME", "SERVICE", "TASK", "PHASE", "PROGRESS", "REASON", "AGE"},
		[]string{obj.GetName(), "", "", "Pending", "", "Pending"})

	var task v1alpha1.CloudTask
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(obj), &task); err != nil {
		t.Fatal(err)
	}
	progress := int32(40)
	task.Status.Service, task.Status.TaskID, task.Status.Phase = "redis", "18215", v1alpha1.PhaseRunning
	task.Status.Progress, task.Status.Message = &progress, "Running"
	task.Status.Conditions[0].Reason = v1alpha1.ReasonRunning
	if err := admin.Status().Update(t.Context(), &task); err != nil {
		t.Fatal(err)
	}
	checkColumns(t, kubectl(t, "get", "tencentcloud", "-o", "wide", "--field-selector=metadata.name="+obj.GetName()),
		[]string{"NAME", "SERVICE", "TASK", "PHASE", "PROGRESS", "REASON", "AGE", "REGION", "MESSAGE"},
		[]string{obj.GetName(), "redis", "18215", "Running", "40", "Running", "", "ap-guangzhou", "Running"})
}

// checkColumns compares the head and the only row of a table, cell by cell; an
// empty cell in want is not compared.
func checkColumns(t *testing.T, table string, head, want []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != 2 || !slices.Equal(strings.Fields(lines[0]), head) {
		t.Fatalf("kubectl get:\n%s\nwant one row under %v", table, head)
	}
	for i, text := range want {
		start := strings.Index(lines[0], head[i])
		cell := strings.Fields(lines[1][start:] + " -")[0]
		if text != "" && cell != text {
			t.Errorf("column %s = %q, want %q:\n%s", head[i], cell, text, table)
		}
	}
}

// TestExplain: every field of spec and status says what it is.
func TestExplain(t *testing.T) {
	fields := map[string][]string{
		"ct.spec":                 {"region", "redis", "clb", "credentials", "timeout", "notFoundGracePeriod", "ttlSecondsAfterFinished", "suspend"},
		"ct.spec.redis":           {"taskID", "latest", "api"},
		"ct.spec.redis.latest":    {"instanceID", "taskTypes", "startedAfter"},
		"ct.spec.clb":             {"requestID", "dealName"},
		"ct.spec.credentials":     {"secretName"},
		"ct.status":               {"observedGeneration", "phase", "conditions", "service", "taskID", "credentials", "cloudStatus", "taskType", "resourceIDs", "progress", "startTime", "completionTime", "message", "error", "lastPollError"},
		"ct.status.error":         {"code", "message", "requestID"},
		"ct.status.lastPollError": {"code", "message"},
		"ct.status.conditions":    {"type", "status", "reason", "message", "lastTransitionTime", "observedGeneration"},
	}
	for path, names := range fields {
		t.Run(path, func(t *testing.T) {
			described := explain(t, path)
			for _, name := range names {
				if described[name] == "" {
					t.Errorf("kubectl explain %s describes no field %s: %v", path, name, described)
				}
				delete(described, name)
			}
			if len(described) > 0 {
				t.Errorf("kubectl explain %s has further fields: %v", path, described)
			}
		})
	}
}

var explainedField = regexp.MustCompile(`(?m)^  (\w+)\t<.*$`)

// explain returns the fields that kubectl explain lists, each with its
// description.
func explain(t *testing.T, path string) map[string]string {
	t.Helper()
	out := kubectl(t, "explain", path)
	described := map[string]string{}
	at := explainedField.FindAllStringSubmatchIndex(out, -1)
	for i, m := range at {
		end := len(out)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		text := strings.Join(strings.Fields(out[m[1]:end]), " ")
		described[out[m[2]:m[3]]] = strings.TrimPrefix(text, "<no description>")
	}
	return described
}

func TestExplainRecursive(t *testing.T) {
	out := kubectl(t, "explain", "ct.spec", "--recursive")
	for _, name := range []string{"region", "taskID", "instanceID", "startedAfter", "requestID", "secretName", "ttlSecondsAfterFinished"} {
		if !strings.Contains(out, name+"\t<") {
			t.Errorf("kubectl explain ct.spec --recursive lacks %s:\n%s", name, out)
		}
	}
}

// TestKubectlRefusesUnknownFields: kubectl validates strictly by default.
func TestKubectlRefusesUnknownFields(t *testing.T) {
	cmd := env.Kubectl(t.Context(), "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(`{apiVersion: tencent.cloudtask.dev/v1alpha1, kind: CloudTask,
		metadata: {name: flush-cache-18215}, spec: {region: ap-guangzhou, redis: {taskID: 18215}, timeOut: 30m}}`)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), `unknown field "spec.timeOut"`) {
		t.Errorf("kubectl apply with an unknown field: %v\n%s", err, out)
	}
}

func TestKraneAnnotation(t *testing.T) {
	out := kubectl(t, "get", "crd", "cloudtasks.tencent.cloudtask.dev",
		"-o", `jsonpath={.metadata.annotations.krane\.shopify\.io/instance-rollout-conditions}`)
	if out != "true" {
		t.Errorf("annotation krane.shopify.io/instance-rollout-conditions = %q, want true", out)
	}
}
