//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// waitJob is the recipe of docs/waiting.md, for a namespace that admits only what
// is restricted.
const waitJob = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: wait-%[1]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: wait-%[1]s}
rules:
- apiGroups: [tencent.cloudtask.dev]
  resources: [cloudtasks]
  resourceNames: [%[1]s]
  verbs: [list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: wait-%[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: wait-%[1]s}
subjects: [{kind: ServiceAccount, name: wait-%[1]s, namespace: %[2]s}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: wait-%[1]s}
spec:
  backoffLimit: 0
  template:
    spec:
      serviceAccountName: wait-%[1]s
      restartPolicy: Never
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: wait
        image: ` + image + `
        imagePullPolicy: Never
        args: [wait, ct/%[1]s, --timeout=3m]
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
`

// testWait runs cloudtask wait in Jobs: one for a task that succeeds, one for a
// task that fails.
func testWait(t *testing.T, n *node, _ *granted) {
	const namespace = "waiting"
	r := n.newRelease(t, "HELM4", system, "")
	defer n.leave(t, r, namespace)
	r.install(t)
	n.awaitReady(t, system, 1)
	n.makeNamespace(t, namespace)
	n.feed(t, tenantSecret, "kubectl", "-n", namespace, "apply", "-f", "-")
	good, bad := redisTask(tenantAccount, namespace, 10*time.Second, false), clbTask(tenantAccount, namespace, 10*time.Second, true)
	n.begin(t, good, bad)
	for k, want := range map[string]string{good.name: "Complete", bad.name: "Failed"} {
		n.feed(t, fmt.Sprintf(waitJob, k, namespace), "kubectl", "-n", namespace, "apply", "-f", "-")
		n.run(t, "kubectl", "-n", namespace, "wait", "--for=condition="+want, "job/wait-"+k, "--timeout=3m")
	}
	logs := n.run(t, "kubectl", "-n", namespace, "logs", "job/wait-"+bad.name)
	if !strings.Contains(logs, bad.cloud.Message) {
		t.Errorf("the Job does not say why the task failed: %s", logs)
	}
	code := n.run(t, "kubectl", "-n", namespace, "get", "pod", "-l", "job-name=wait-"+bad.name,
		"-o", "jsonpath={.items[0].status.containerStatuses[0].state.terminated.exitCode}")
	if code != "1" {
		t.Errorf("exit code %s for a failed task, want 1", code)
	}
	for _, k := range []task{good, bad} {
		for _, e := range n.audit(t, "system:serviceaccount:"+namespace+":wait-"+k.name) {
			if e.forbidden() {
				t.Errorf("cloudtask wait asked for more than its Role gives: %s %s", e.Verb, e.RequestURI)
			}
		}
	}
}
