package charttest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

var (
	tasks  = rule("tencent.cloudtask.dev", "cloudtasks", "list watch delete")
	status = rule("tencent.cloudtask.dev", "cloudtasks/status", "patch")
	events = rule("events.k8s.io", "events", "create")
	tokens = rule("authentication.k8s.io", "tokenreviews", "create")
	access = rule("authorization.k8s.io", "subjectaccessreviews", "create")
)

func rule(group, resource, verbs string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: names, Verbs: strings.Fields(verbs)}
}

func secrets(names ...string) rbacv1.PolicyRule {
	return rule("", "secrets", "get list watch", names...)
}

// TestRBAC: what exists in each mode, and what the operator may do.
func TestRBAC(t *testing.T) {
	worker := []rbacv1.PolicyRule{tasks, status, events, secrets("tencent-credentials")}
	cluster := []string{"ClusterRole cloudtask", "ClusterRoleBinding cloudtask", "ServiceAccount cloudtask-system/cloudtask"}
	aggregated := []string{"ClusterRole cloudtask-edit", "ClusterRole cloudtask-view"}
	election := []string{"Role cloudtask-system/cloudtask-leader-election", "RoleBinding cloudtask-system/cloudtask-leader-election"}
	two := []string{
		"Role a/cloudtask", "Role b/cloudtask", "RoleBinding a/cloudtask", "RoleBinding b/cloudtask",
		"ServiceAccount cloudtask-system/cloudtask",
	}
	cases := map[string]struct {
		reason  string
		values  string
		objects []string
		rules   map[string][]rbacv1.PolicyRule // of some of them
	}{
		"Cluster": {
			reason:  "the default",
			objects: slices.Concat(cluster, aggregated, []string{"ClusterRole cloudtask-metrics-reader"}),
			rules: map[string][]rbacv1.PolicyRule{
				"ClusterRole cloudtask":                append(slices.Clone(worker), tokens, access),
				"ClusterRole cloudtask-metrics-reader": {{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
			},
		},
		"NoMetrics": {
			reason: "who does not serve metrics reviews no tokens", values: "metrics: {enabled: false}\nrbac: {aggregateClusterRoles: false}",
			objects: cluster, rules: map[string][]rbacv1.PolicyRule{"ClusterRole cloudtask": worker},
		},
		"PlainMetrics": {
			reason: "nor who serves them to anyone", values: "metrics: {secure: false}\nrbac: {aggregateClusterRoles: false}",
			objects: cluster, rules: map[string][]rbacv1.PolicyRule{"ClusterRole cloudtask": worker},
		},
		"NoSecrets": {
			reason: "a rule without names would be for all Secrets", values: "credentials: {secretNames: []}\nmetrics: {enabled: false}",
			objects: slices.Concat(cluster, aggregated),
			rules:   map[string][]rbacv1.PolicyRule{"ClusterRole cloudtask": {tasks, status, events}},
		},
		"Namespaces": {
			reason: "Roles in these, and no ClusterRole at all", values: "watchNamespaces: [a, b]\ncredentials: {secretNames: [x, z]}",
			objects: two,
			rules: map[string][]rbacv1.PolicyRule{
				"Role a/cloudtask": {tasks, status, events, secrets("x", "z")},
				"Role b/cloudtask": {tasks, status, events, secrets("x", "z")},
			},
		},
		"NamespacesAuthDelegator": {
			reason: "one binding to a role that is there anyway", values: "watchNamespaces: [a, b]\nmetrics: {authDelegator: true}",
			objects: append(slices.Clone(two), "ClusterRoleBinding cloudtask-auth-delegator"),
		},
		"NamespacesElection": {
			reason: "the lease is in the operator's own namespace", values: "watchNamespaces: [a, b]\nleaderElection: {enabled: true}",
			objects: slices.Concat(two, election),
			rules:   map[string][]rbacv1.PolicyRule{election[0]: leaseRules("a,b", "")},
		},
		"Replicas": {
			reason: "two replicas elect, asked or not", values: "replicaCount: 2\nrbac: {aggregateClusterRoles: false}\nmetrics: {enabled: false}\nwatchLabelSelector: shard=1",
			objects: slices.Concat(cluster, election),
			rules:   map[string][]rbacv1.PolicyRule{election[0]: leaseRules("", "shard=1")},
		},
		"None": {
			reason: "the administrator grants", values: "rbac: {create: false}\nreplicaCount: 2\nmetrics: {authDelegator: true}",
			objects: []string{"ServiceAccount cloudtask-system/cloudtask"},
		},
		"NoneAtAll": {
			reason: "nor a service account", values: "rbac: {create: false}\nserviceAccount: {create: false, name: mine}",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			rendered := render(t, tc.values+"\ntest: {enabled: false}")
			var got []string
			for name := range rendered {
				if kind, _, _ := strings.Cut(name, " "); strings.Contains(kind, "Role") || kind == "ServiceAccount" {
					got = append(got, name)
				}
			}
			if diff := cmp.Diff(tc.objects, got, cmpopts.SortSlices(strings.Compare), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			for name, rules := range tc.rules {
				if diff := cmp.Diff(rules, rulesOf(t, rendered, name)); diff != "" {
					t.Errorf("%s: %s: -want +got\n%s", tc.reason, name, diff)
				}
			}
			checkGrants(t, rendered)
		})
	}
}

// leaseRules know the lease's name as the operator makes it up (manager.go).
func leaseRules(namespaces, selector string) []rbacv1.PolicyRule {
	sum := sha256.Sum256([]byte(namespaces + "/" + selector))
	return []rbacv1.PolicyRule{
		rule("coordination.k8s.io", "leases", "create"),
		rule("coordination.k8s.io", "leases", "get update", fmt.Sprintf("cloudtask-%x", sum[:4])),
		events,
	}
}

func rulesOf(t *testing.T, rendered objects, name string) []rbacv1.PolicyRule {
	t.Helper()
	if strings.HasPrefix(name, "ClusterRole ") {
		return get[rbacv1.ClusterRole](t, rendered, name).Rules
	}
	return get[rbacv1.Role](t, rendered, name).Rules
}

// checkGrants holds for every mode: no wildcard, Secrets by name alone, bindings
// of the operator's account to roles that exist.
func checkGrants(t *testing.T, rendered objects) {
	t.Helper()
	for name := range rendered {
		kind, at, _ := strings.Cut(name, " ")
		switch kind {
		case "Role", "ClusterRole":
			for _, r := range rulesOf(t, rendered, name) {
				if slices.Contains(slices.Concat(r.APIGroups, r.Resources, r.Verbs, r.NonResourceURLs), "*") {
					t.Errorf("%s has a wildcard: %v", name, r)
				}
				if slices.Contains(r.Resources, "secrets") && len(r.ResourceNames) == 0 {
					t.Errorf("%s is for every Secret: %v", name, r)
				}
			}
		case "RoleBinding":
			checkBinding(t, rendered, name, get[rbacv1.RoleBinding](t, rendered, name).RoleRef, "Role "+at)
		case "ClusterRoleBinding":
			b := get[rbacv1.ClusterRoleBinding](t, rendered, name)
			if b.RoleRef.Name != "system:auth-delegator" {
				checkBinding(t, rendered, name, b.RoleRef, "ClusterRole "+at)
			}
			want := []rbacv1.Subject{{Kind: "ServiceAccount", Name: "cloudtask", Namespace: "cloudtask-system"}}
			if diff := cmp.Diff(want, b.Subjects); diff != "" {
				t.Errorf("%s: -want +got\n%s", name, diff)
			}
		}
	}
}

func checkBinding(t *testing.T, rendered objects, binding string, ref rbacv1.RoleRef, role string) {
	t.Helper()
	if ref.Kind+" "+ref.Name != role && !strings.HasSuffix(role, "/"+ref.Name) || rendered[role] == nil {
		t.Errorf("%s binds %s %s, of which there is none", binding, ref.Kind, ref.Name)
	}
}

// TestAggregatedRoles: view reads, edit writes, and neither may touch a status.
func TestAggregatedRoles(t *testing.T) {
	const to = "rbac.authorization.k8s.io/aggregate-to-"
	rendered := render(t, "")
	cases := map[string]struct {
		reason string
		to     []string
		rules  []rbacv1.PolicyRule
	}{
		"view": {"whoever may look may see tasks", []string{"view", "edit", "admin"}, []rbacv1.PolicyRule{rule("tencent.cloudtask.dev", "cloudtasks", "get list watch")}},
		"edit": {"whoever may edit may wait", []string{"edit", "admin"}, []rbacv1.PolicyRule{rule("tencent.cloudtask.dev", "cloudtasks", "create update patch delete deletecollection")}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			role := get[rbacv1.ClusterRole](t, rendered, "ClusterRole cloudtask-"+name)
			if diff := cmp.Diff(tc.rules, role.Rules); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			var got []string
			for label := range role.Labels {
				if aggregate, ok := strings.CutPrefix(label, to); ok && role.Labels[label] == "true" {
					got = append(got, aggregate)
				}
			}
			if diff := cmp.Diff(tc.to, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// TestWaitJob: the sample of a Job that waits may list and watch CloudTasks, and
// runs the image of the chart.
func TestWaitJob(t *testing.T) {
	sample := parse(t, read(t, "charts/cloudtask/examples/wait-job.yaml"))
	want := []rbacv1.PolicyRule{rule("tencent.cloudtask.dev", "cloudtasks", "list watch")}
	if diff := cmp.Diff(want, rulesOf(t, sample, "Role wait-for-flush")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if image := manager(t, render(t, "")).Image; !strings.Contains(read(t, "charts/cloudtask/examples/wait-job.yaml"), "image: "+image+"\n") {
		t.Errorf("the sample does not run %s", image)
	}
}

// TestHelmTest: the test runs where the operator works, with the least it needs.
func TestHelmTest(t *testing.T) {
	cases := map[string]struct {
		reason    string
		values    string
		namespace string
	}{
		"Cluster":    {"its own namespace will do", "", "cloudtask-system"},
		"Namespaces": {"the operator does not look elsewhere", "watchNamespaces: [b, a]", "b"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			rendered := render(t, tc.values)
			own := rendered["CloudTask "+tc.namespace+"/cloudtask-test"]
			pod := get[corev1.Pod](t, rendered, "Pod cloudtask-system/cloudtask-test")
			if own == nil || !slices.Contains(pod.Spec.Containers[0].Args, "--namespace="+tc.namespace) {
				t.Errorf("%s: %v waits for %v", tc.reason, pod.Spec.Containers[0].Args, own)
			}
			want := []rbacv1.PolicyRule{rule("tencent.cloudtask.dev", "cloudtasks", "list watch", "cloudtask-test")}
			if diff := cmp.Diff(want, rulesOf(t, rendered, "Role "+tc.namespace+"/cloudtask-test")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			selector := deployment(t, rendered).Spec.Selector.MatchLabels
			if maps.Equal(selector, pod.Labels) || pod.Labels["app.kubernetes.io/component"] == selector["app.kubernetes.io/component"] {
				t.Error("the operator's Service would find the pod of the test")
			}
			for _, name := range []string{"CloudTask " + tc.namespace, "ServiceAccount cloudtask-system", "Role " + tc.namespace, "RoleBinding " + tc.namespace, "Pod cloudtask-system"} {
				if o := rendered[name+"/cloudtask-test"]; o == nil || o.GetAnnotations()["helm.sh/hook"] != "test" {
					t.Errorf("%s is no hook: %v", name, o)
				}
			}
		})
	}
}
