package controllers_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// TestLeastAccess runs the operator with the rights that its role names, and
// with fewer: a watch that is forbidden must not keep it from its work.
func TestLeastAccess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		verbs   []string // on the Secrets
		watched bool
	}{
		"as the role says": {[]string{"get", "list", "watch"}, true},
		"without a watch":  {[]string{"get"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			user := w.userWith(test.verbs...)
			var mu sync.Mutex
			var complaints []string
			log := funcr.New(func(_, line string) {
				mu.Lock()
				defer mu.Unlock()
				if strings.Contains(line, "cannot watch") {
					complaints = append(complaints, line)
				}
			}, funcr.Options{})
			w.operate(func(o *operator) { o.config, o.options.Logger = user, log })
			w.secret("tencent-credentials", mainKey)
			w.cloud.Add(fakecloud.Task{ID: "1", Duration: 5 * time.Second})
			w.redis("task", 1)
			w.untilFinished("task")
			w.checkEvents("task", "Normal Running", "Normal TaskSucceeded")
			mu.Lock()
			defer mu.Unlock()
			if n := len(complaints); test.watched && n != 0 || !test.watched && n != 2 {
				t.Errorf("%d complaints: %v", n, complaints)
			}
		})
	}
}

// userWith makes a user with the operator's role and some verbs on its Secrets.
func (w *world) userWith(verbs ...string) *rest.Config {
	w.Helper()
	user, err := w.env.AddUser(w.namespace)
	check(w.T, err)
	check(w.T, w.Create(w.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"tencent.cloudtask.dev"}, Resources: []string{"cloudtasks"}, Verbs: []string{"get", "list", "watch", "delete"}},
			{APIGroups: []string{"tencent.cloudtask.dev"}, Resources: []string{"cloudtasks/status"}, Verbs: []string{"patch"}},
			{APIGroups: []string{"events.k8s.io"}, Resources: []string{"events"}, Verbs: []string{"create"}},
			{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"tencent-credentials", "other-credentials"}, Verbs: verbs},
		},
	}))
	check(w.T, w.Create(w.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: w.namespace},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: w.namespace}},
	}))
	return user.Config
}

func TestLeaderElection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	candidate := func(k fakecloud.Key) (stop func()) {
		return w.operate(withOwnKey(k, "*"), func(o *operator) {
			o.options.LeaderElection, o.options.LeaderElectionReleaseOnCancel = true, true
			o.options.LeaderElectionID, o.options.LeaderElectionNamespace = "cloudtask", w.namespace
			o.options.RetryPeriod = new(200 * time.Millisecond)
		})
	}
	for _, account := range []string{"main", "other"} {
		w.cloud.Add(fakecloud.Task{ID: "1", Account: account, Duration: -1})
	}
	stop := candidate(mainKey)
	w.redis("task", 1)
	w.untilReason("task", "Running")
	candidate(otherKey)
	w.cloud.Add(fakecloud.Task{ID: "2"})
	w.redis("while-the-first-leads", 2)
	w.untilFinished("while-the-first-leads")
	if n := w.calls("other"); n > 0 {
		t.Errorf("the second asked %d times", n)
	}
	stop()
	w.eventually("the second asks", func() bool { return w.calls("other") > 0 })
	w.cloud.Finish("redis", "1", true, "")
	w.untilFinished("task")
}
