//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// grant is one verb on one resource, as widely as it was granted.
type grant struct {
	account   string // namespace/name of the service account
	namespace string // "" is everywhere
	group     string
	resource  string
	names     string // comma-separated; "" is any
	verb      string
}

func (g grant) String() string {
	where := g.namespace
	if where == "" {
		where = "everywhere"
	}
	resource := strings.TrimPrefix(g.group+"/"+g.resource, "/")
	return strings.TrimSpace(fmt.Sprintf("%-28s %-8s %s %s in %s", g.account, g.verb, resource, g.names, where))
}

// covers says whether the grant allowed what was done.
func (g grant) covers(e auditEvent) bool {
	resource := e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		resource += "/" + e.ObjectRef.Subresource
	}
	verb := e.Verb
	if strings.Contains(e.RequestURI, "sendInitialEvents=true") && g.verb == "list" {
		verb = "list" // API servers before 1.34 are asked for a list and a watch instead
	}
	return g.verb == verb && g.group == e.ObjectRef.APIGroup && g.resource == resource &&
		(g.namespace == "" || g.namespace == e.ObjectRef.Namespace) &&
		(g.names == "" || slices.Contains(strings.Split(g.names, ","), e.ObjectRef.Name))
}

// granted is what the installations of the whole run have granted.
type granted struct{ all map[grant]bool }

// note reads what the operator in a namespace has been granted.
func (g *granted) note(t *testing.T, n *node, namespace string) {
	t.Helper()
	if g.all == nil {
		g.all = map[grant]bool{}
	}
	account := n.pods(t, namespace)[0].Spec.ServiceAccountName
	subject := rbacv1.Subject{Kind: "ServiceAccount", Name: account, Namespace: namespace}
	var everywhere rbacv1.ClusterRoleBindingList
	var within rbacv1.RoleBindingList
	for _, list := range []client.ObjectList{&everywhere, &within} {
		if err := n.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	for _, binding := range everywhere.Items {
		if slices.Contains(binding.Subjects, subject) {
			g.add(namespace+"/"+account, "", n.rules(t, binding.RoleRef, ""))
		}
	}
	for _, binding := range within.Items {
		if slices.Contains(binding.Subjects, subject) {
			g.add(namespace+"/"+account, binding.Namespace, n.rules(t, binding.RoleRef, binding.Namespace))
		}
	}
}

func (n *node) rules(t *testing.T, ref rbacv1.RoleRef, namespace string) []rbacv1.PolicyRule {
	t.Helper()
	var role rbacv1.Role
	if ref.Kind == "Role" {
		if err := n.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: ref.Name}, &role); err != nil {
			t.Fatal(err)
		}
		return role.Rules
	}
	var clusterRole rbacv1.ClusterRole
	if err := n.Get(t.Context(), client.ObjectKey{Name: ref.Name}, &clusterRole); err != nil {
		t.Fatal(err)
	}
	return clusterRole.Rules
}

func (g *granted) add(account, namespace string, rules []rbacv1.PolicyRule) {
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					g.all[grant{account, namespace, group, resource, strings.Join(rule.ResourceNames, ","), verb}] = true
				}
			}
		}
	}
}

// judge compares what was granted with what was done, by the audit log: nothing
// was refused, and nothing was granted in vain.
func (g *granted) judge(t *testing.T, n *node) {
	var report strings.Builder
	for _, account := range g.accounts() {
		uses := map[grant]int{}
		for _, e := range n.unrefused(t, account) {
			for one := range g.all {
				if one.account == account && one.covers(e) {
					uses[one]++
				}
			}
		}
		for _, one := range g.of(account) {
			fmt.Fprintf(&report, "%6d  %s\n", uses[one], one)
			if uses[one] == 0 {
				t.Errorf("granted and never used: %s", one)
			}
		}
	}
	t.Logf("uses of what was granted:\n%s", report.String())
	if err := os.WriteFile(filepath.Join(os.Getenv("E2E_REPORT"), "rbac.txt"), []byte(report.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// unrefused is all that an account did; it is an error if it was refused any of it.
func (n *node) unrefused(t *testing.T, account string) []auditEvent {
	t.Helper()
	events := n.audit(t, "system:serviceaccount:"+strings.ReplaceAll(account, "/", ":"))
	if len(events) == 0 {
		t.Errorf("%s did nothing", account)
	}
	for _, e := range events {
		if e.forbidden() && !n.uninstalled(account, e.StageTimestamp) {
			t.Errorf("%s was refused at %s: %s %s", account, e.StageTimestamp, e.Verb, e.RequestURI)
		}
	}
	return events
}

// uninstalled says whether the roles of an account might have been gone at a time,
// and its pod not yet.
func (n *node) uninstalled(account string, at time.Time) bool {
	namespace, _, _ := strings.Cut(account, "/")
	return slices.ContainsFunc(n.uninstalls[namespace], func(i interval) bool { return at.After(i.begin) && at.Before(i.end) })
}

func (g *granted) accounts() []string {
	accounts := map[string]bool{}
	for one := range g.all {
		accounts[one.account] = true
	}
	return slices.Sorted(maps.Keys(accounts))
}

func (g *granted) of(account string) []grant {
	var all []grant
	for one := range g.all {
		if one.account == account {
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b grant) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// testNamespaces installs for two namespaces, without any ClusterRole but that of
// the metrics' authentication.
func testNamespaces(t *testing.T, n *node, g *granted) {
	const home = "cloudtask-scoped"
	n.makeNamespace(t, "scoped-a")
	n.makeNamespace(t, "scoped-b")
	n.makeNamespace(t, "outside")
	r := n.newRelease(t, "HELM4", home, "watchNamespaces: [scoped-a, scoped-b]\nmetrics: {authDelegator: true}\nleaderElection: {enabled: true}\n")
	defer n.leave(t, r, "scoped-a", "scoped-b", "outside", home)
	r.install(t)
	n.awaitReady(t, home, 1)
	g.note(t, n, home)
	roles := n.run(t, "kubectl", "get", "clusterrole", "-l", "app.kubernetes.io/name=cloudtask", "-o", "name")
	if roles != "" {
		t.Errorf("there are ClusterRoles: %s", roles)
	}
	for _, namespace := range []string{"scoped-a", "scoped-b"} {
		useAll(t, n, namespace)
	}
	outside := redisTask(operatorAccount, "outside", time.Second, false)
	n.begin(t, outside)
	scrape(t, n, home)
	if phase := n.get(t, outside).Status.Phase; phase != v1alpha1.PhasePending {
		t.Errorf("the operator works in a namespace that is not its own: %s", phase)
	}
}

// testOwnRoles installs without the chart's roles, for one namespace: the user's
// own grant what the chart's README lists, and no more is needed.
func testOwnRoles(t *testing.T, n *node, g *granted) {
	const home, namespace = "cloudtask-own-roles", "own-roles"
	n.makeNamespace(t, namespace)
	r := n.newRelease(t, "HELM4", home, "rbac: {create: false}\nwatchNamespaces: ["+namespace+"]\nmetrics: {authDelegator: true}\nleaderElection: {enabled: true}\n")
	defer n.leave(t, r, namespace, home)
	n.apply(t, fmt.Sprintf(ownRoles, home, namespace))
	defer n.run(t, "kubectl", "delete", "clusterrolebinding", home)
	r.install(t)
	account := n.awaitReady(t, home, 1)[0].Spec.ServiceAccountName
	made := n.run(t, "kubectl", "get", "role,rolebinding,clusterrole,clusterrolebinding", "-A", "-l", "app.kubernetes.io/name=cloudtask", "-o", "name")
	if made != "" {
		t.Errorf("the chart made roles: %s", made)
	}
	if account != "cloudtask" {
		t.Fatalf("the roles are bound to another account than %s", account)
	}
	g.note(t, n, home)
	useAll(t, n, namespace)
	scrape(t, n, home)
}

// ownRoles are what a user grants who wants no roles of the chart.
const ownRoles = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: own, namespace: %[2]s}
rules:
- {apiGroups: [tencent.cloudtask.dev], resources: [cloudtasks], verbs: [list, watch, delete]}
- {apiGroups: [tencent.cloudtask.dev], resources: [cloudtasks/status], verbs: [patch]}
- {apiGroups: [""], resources: [secrets], resourceNames: [tencent-credentials], verbs: [get, list, watch]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: own, namespace: %[2]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: own}
subjects: [{kind: ServiceAccount, name: cloudtask, namespace: %[1]s}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: own, namespace: %[1]s}
rules:
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, update]}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: own, namespace: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: own}
subjects: [{kind: ServiceAccount, name: cloudtask, namespace: %[1]s}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:auth-delegator"}
subjects: [{kind: ServiceAccount, name: cloudtask, namespace: %[1]s}]
`

// useAll makes the operator do all that it can do in a namespace.
func useAll(t *testing.T, n *node, namespace string) {
	t.Helper()
	n.feed(t, tenantSecret, "kubectl", "-n", namespace, "apply", "-f", "-")
	gone := redisTask(tenantAccount, namespace, time.Second, false)
	gone.spec = func(s *v1alpha1.CloudTaskSpec) { s.TTLSecondsAfterFinished = new(int64) }
	paused := redisTask(tenantAccount, namespace, endless, false)
	n.begin(t, gone, paused)
	n.await(t, gone.name+" is deleted", func() error {
		err := n.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: gone.name}, &v1alpha1.CloudTask{})
		if err == nil {
			return errors.New("it is there")
		}
		return client.IgnoreNotFound(err)
	})
	n.awaitPhase(t, paused, v1alpha1.PhaseRunning)
	for range 2 { // the second time, the event is one more of a series
		n.suspend(t, paused, true)
		n.suspend(t, paused, false)
	}
	n.cloud.finish(t, paused.cloud, true)
	n.awaitPhase(t, paused, v1alpha1.PhaseSucceeded)
}

func (n *node) suspend(t *testing.T, k task, suspend bool) {
	t.Helper()
	n.run(t, "kubectl", "-n", k.namespace, "patch", "ct", k.name, "--type=merge", "-p", fmt.Sprintf(`{"spec":{"suspend":%v}}`, suspend))
	n.await(t, fmt.Sprintf("%s: suspend is %v", k.name, suspend), func() error {
		reason := n.get(t, k).Status.Conditions[0].Reason
		if (reason == "Suspended") != suspend {
			return fmt.Errorf("the reason is %s", reason)
		}
		return nil
	})
}

// testPermissions asks the API server what people and the operator may do.
func testPermissions(t *testing.T, n *node, g *granted) {
	r := n.newRelease(t, "HELM4", system, "leaderElection: {enabled: true}\n")
	defer n.leave(t, r, "people")
	r.install(t)
	account := n.awaitReady(t, system, 1)[0].Spec.ServiceAccountName
	g.note(t, n, system)
	n.makeNamespace(t, "people")
	useAll(t, n, "people")
	for _, role := range []string{"view", "edit", "admin"} {
		n.run(t, "kubectl", "-n", "people", "create", "rolebinding", role, "--clusterrole="+role, "--user="+role)
	}
	n.await(t, "the aggregated roles", func() error { return n.canI(t, "people", "view", "yes", "list", "cloudtasks") })
	for _, c := range []struct{ user, want, verbs, resource string }{
		{"view", "yes", "get list watch", "cloudtasks"},
		{"view", "no", "create update patch delete deletecollection", "cloudtasks"},
		{"edit", "yes", "get list watch create update patch delete deletecollection", "cloudtasks"},
		{"view", "no", "get update patch", "cloudtasks/status"},
		{"edit", "no", "update patch", "cloudtasks/status"},
		{"admin", "no", "update patch", "cloudtasks/status"},
		{"system:serviceaccount:" + system + ":" + account, "yes", "get list watch", "secrets/tencent-credentials"},
		{"system:serviceaccount:" + system + ":" + account, "no", "get list watch update patch delete", "secrets/another"},
		{"system:serviceaccount:" + system + ":" + account, "no", "get list watch create update patch delete", "secrets"},
		{"system:serviceaccount:" + system + ":" + account, "no", "create update patch", "cloudtasks"},
		{"system:serviceaccount:" + system + ":" + account, "no", "*", "*"},
	} {
		for verb := range strings.FieldsSeq(c.verbs) {
			if err := n.canI(t, "people", c.user, c.want, verb, c.resource); err != nil {
				t.Error(err)
			}
		}
	}
}

// canI asks whether a user may do something, and wants an answer.
func (n *node) canI(t *testing.T, namespace, user, want, verb, resource string) error {
	t.Helper()
	args := []string{"-n", namespace, "auth", "can-i", "--as=" + user, verb, strings.TrimSuffix(resource, "/status")}
	if strings.HasSuffix(resource, "/status") {
		args = append(args, "--subresource=status")
	}
	out, err := n.try(t, "", "kubectl", args...) // an error when the answer is no
	if lines := strings.Split(out, "\n"); !strings.HasPrefix(lines[len(lines)-1], want) || (err == nil) != (want == "yes") {
		return fmt.Errorf("may %s %s %s? %s, want %s", user, verb, resource, out, want)
	}
	return nil
}
