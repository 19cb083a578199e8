package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// obstacle is what a person must put right.
type obstacle struct {
	reason, code string
	words        string // the message must have
	set          func()
	mend         func()
}

func TestPersonMustAct(t *testing.T) {
	t.Parallel()
	names := []string{"missing", "incomplete", "wrong-key", "unknown-id", "no-permission", "wrong-region"}
	denied := canaryKey("denied")
	w := newWorld(t, fakecloud.Options{Accounts: []fakecloud.Account{
		{Name: "main", Keys: []fakecloud.Key{mainKey}}, {Name: "denied", Keys: []fakecloud.Key{denied}},
	}})
	var permit, open func()
	obstacles := map[string]obstacle{
		"missing": {
			reason: v1alpha1.ReasonCredentialsNotFound, code: v1alpha1.ReasonCredentialsNotFound, words: "no Secret missing in namespace " + w.namespace,
			set:  func() {},
			mend: func() { w.secret("missing", mainKey) },
		},
		"incomplete": {
			reason: v1alpha1.ReasonCredentialsNotFound, code: v1alpha1.ReasonCredentialsNotFound, words: "secretKey",
			set:  func() { w.secret("incomplete", fakecloud.Key{SecretID: mainKey.SecretID}) },
			mend: func() { w.secret("incomplete", mainKey) },
		},
		"wrong-key": {
			reason: v1alpha1.ReasonAccessDenied, code: "AuthFailure.SignatureFailure", words: "AuthFailure.SignatureFailure",
			set: func() {
				w.secret("wrong-key", fakecloud.Key{SecretID: mainKey.SecretID, SecretKey: mainKey.SecretKey + "x", Token: mainKey.Token})
			},
			mend: func() { w.secret("wrong-key", mainKey) },
		},
		"unknown-id": {
			reason: v1alpha1.ReasonAccessDenied, code: "AuthFailure.SecretIdNotFound", words: "AuthFailure.SecretIdNotFound",
			set:  func() { w.secret("unknown-id", canaryKey("nobody")) },
			mend: func() { w.secret("unknown-id", mainKey) },
		},
		"no-permission": {
			reason: v1alpha1.ReasonAccessDenied, code: "UnauthorizedOperation", words: "You are not authorized",
			set: func() {
				w.secret("no-permission", denied)
				permit = w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.Error, Account: "denied", Code: "UnauthorizedOperation", Message: "You are not authorized to perform DescribeTaskInfo."})
			},
			mend: func() { permit() },
		},
		"wrong-region": {
			reason: v1alpha1.ReasonInvalidRequest, code: "UnsupportedRegion", words: "UnsupportedRegion",
			set: func() {
				w.secret("wrong-region", mainKey)
				open = w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.Error, TaskID: "105", Code: "UnsupportedRegion", Message: "The region is not supported."})
			},
			mend: func() { open() },
		},
	}
	w.operate(options{flags: []string{"--credential-secret-names=" + strings.Join(names, ",")}}).await("Starting workers")
	want := map[string]expectation{}
	created := map[string]time.Time{}
	for i, name := range names {
		obstacles[name].set()
		id := int64(100 + i)
		account := "main"
		if name == "no-permission" {
			account = "denied"
		}
		w.cloud.Add(fakecloud.Task{Account: account, ID: fmt.Sprint(id), Duration: 20 * time.Second})
		created[name] = time.Now()
		w.create(name, redis(id), with(name))
		want[name] = expectation{service: "redis", id: fmt.Sprint(id), succeeds: true}
	}
	for _, name := range names {
		w.history.untilOne(name, "is Stalled", func(s v1alpha1.CloudTaskStatus) bool { return strings.Contains(shape(s), "Stalled") })
		w.checkObstacle(name, obstacles[name], created[name])
	}
	for _, name := range names {
		mended := time.Now()
		obstacles[name].mend()
		after := w.history.untilOne(name, "recovers", func(s v1alpha1.CloudTaskStatus) bool {
			return s.LastPollError == nil && !strings.Contains(shape(s), "Stalled")
		})
		t.Logf("%s: recovered after %s", name, after.at.Sub(mended).Round(time.Millisecond))
	}
	w.finish(want)
}

// checkObstacle checks that the reason was told first, and Stalled later.
func (w *world) checkObstacle(name string, o obstacle, created time.Time) {
	w.Helper()
	all := w.history.of(name)
	first := slices.IndexFunc(all, func(s sight) bool { return reasonOf(s.task.Status) == o.reason })
	stalled := slices.IndexFunc(all, func(s sight) bool { return strings.Contains(shape(s.task.Status), "Stalled") })
	if first < 0 || stalled <= first || !strings.Contains(shape(all[first].task.Status), "Reconciling=True") {
		w.Errorf("%s: the reason must come with Reconciling, and only then Stalled", name)
		return
	}
	s := all[stalled].task.Status
	if reasonOf(s) != o.reason || s.LastPollError == nil || s.LastPollError.Code != o.code || !strings.Contains(s.Message, o.words) {
		w.Errorf("%s: want %s with code %s and %q, got %s", name, o.reason, o.code, o.words, describe(s))
	}
	w.Logf("%s: reason after %s, Stalled after %s", name,
		all[first].at.Sub(created).Round(time.Millisecond), all[stalled].at.Sub(created).Round(time.Millisecond))
}

// TestOneProbeServesAWrongKey counts the calls with a key that is refused: those
// that were under way when that became known, and then one each 45 seconds,
// whichever API and however many objects.
func TestOneProbeServesAWrongKey(t *testing.T) {
	t.Parallel()
	calls := make(chan fakecloud.Request, 1000)
	w := newWorld(t, fakecloud.Options{OnRequest: func(r fakecloud.Request) { calls <- r }})
	w.secret("tencent-credentials", fakecloud.Key{SecretID: mainKey.SecretID, SecretKey: mainKey.SecretKey + "x"})
	w.operate(options{})
	want := map[string]expectation{}
	for i := range 10 {
		w.follow("redis", fakecloud.Task{ID: fmt.Sprint(100 + i), Duration: 45 * time.Second}, want)
		w.follow("clb", fakecloud.Task{ID: fmt.Sprint(200 + i), Duration: 45 * time.Second, Fails: true}, want)
	}
	for name := range want {
		w.history.untilReason(name, v1alpha1.ReasonAccessDenied)
	}
	burst := len(calls)
	var last fakecloud.Request
	for range burst {
		last = <-calls
	}
	probe := <-calls
	if gap := probe.Time.Sub(last.Time); gap < 44*time.Second {
		t.Errorf("the probe came %s after the calls before it", gap)
	}
	w.history.until("all are Stalled", func(last map[string]sight) bool {
		for name := range want {
			if !strings.Contains(shape(last[name].task.Status), "Stalled") {
				return false
			}
		}
		return true
	})
	if extra := len(calls); extra > 0 {
		t.Errorf("%d calls beside the probe", extra)
	}
	w.secret("tencent-credentials", mainKey)
	w.finish(want)
	t.Logf("%d calls at first, one probe %s later", burst, probe.Time.Sub(last.Time).Round(time.Millisecond))
}

// TestDeletedSecretLeavesNoOpening: the operator's own key, of another account
// in which the same task IDs are others' tasks, never stands in for a Secret
// that has gone.
func TestDeletedSecretLeavesNoOpening(t *testing.T) {
	t.Parallel()
	own := canaryKey("own")
	w := newWorld(t, fakecloud.Options{Accounts: []fakecloud.Account{
		{Name: "main", Keys: []fakecloud.Key{mainKey}}, {Name: "own", Keys: []fakecloud.Key{own}},
	}})
	w.cloud.Add(
		fakecloud.Task{Account: "main", ID: "100", Duration: -1}, fakecloud.Task{Account: "own", ID: "100"},
		fakecloud.Task{Account: "main", ID: "101", Duration: -1}, fakecloud.Task{Account: "own", ID: "101"},
	)
	w.secret("tencent-credentials", mainKey)
	op := w.operate(options{env: operatorEnv(own), flags: []string{"--operator-credentials-namespaces=" + w.namespace}})
	w.create("default", redis(100))
	w.create("named", redis(101), with("tencent-credentials"))
	for _, name := range []string{"default", "named"} {
		w.history.untilReason(name, v1alpha1.ReasonRunning)
	}
	check(t, w.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "tencent-credentials"}}))
	for _, name := range []string{"default", "named"} {
		w.history.untilReason(name, v1alpha1.ReasonCredentialsNotFound)
	}
	op.stop(syscall.SIGTERM)
	w.operate(options{env: operatorEnv(own), flags: []string{"--operator-credentials-namespaces=*"}})
	for _, name := range []string{"default", "named"} {
		w.history.untilOne(name, "is Stalled", func(s v1alpha1.CloudTaskStatus) bool { return strings.Contains(shape(s), "Stalled") })
	}
	w.secret("tencent-credentials", mainKey)
	for _, name := range []string{"default", "named"} {
		w.history.untilReason(name, v1alpha1.ReasonRunning)
	}
	if calls := w.cloud.Stats().Accounts["own"]; len(calls) > 0 {
		t.Errorf("the operator's own account was asked: %+v", calls)
	}
}

func TestOperatorsOwnKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakecloud.Options{})
	w.cloud.Add(fakecloud.Task{ID: "100"}, fakecloud.Task{Service: "clb", ID: "request-1"})
	op := w.operate(options{env: operatorEnv(mainKey), flags: []string{"--operator-credentials-namespaces=kube-system"}})
	w.create("redis", redis(100))
	w.create("clb", clb("request-1"))
	w.create("named", redis(100), with("tencent-credentials"))
	for _, name := range []string{"redis", "clb", "named"} {
		w.history.untilOne(name, "is Stalled", func(s v1alpha1.CloudTaskStatus) bool { return strings.Contains(shape(s), "Stalled") })
		w.history.untilReason(name, v1alpha1.ReasonCredentialsNotFound)
	}
	if calls := w.cloud.Stats().APIs; len(calls) > 0 {
		t.Errorf("the cloud was asked: %+v", calls)
	}
	op.stop(syscall.SIGTERM)
	w.operate(options{env: operatorEnv(mainKey), flags: []string{"--operator-credentials-namespaces=kube-system," + w.namespace}})
	for _, name := range []string{"redis", "clb"} {
		s := w.history.untilOne(name, "succeeds", finished).task.Status
		if s.Phase != v1alpha1.PhaseSucceeded || s.Credentials != "operator/env" {
			t.Errorf("%s: %s, by %q", name, describe(s), s.Credentials)
		}
	}
	w.history.untilReason("named", v1alpha1.ReasonCredentialsNotFound)
}

// TestSecretOfAnotherAccount: a Secret that was created anew with the key of an
// account in which the same task ID is another's task gives no outcome.
func TestSecretOfAnotherAccount(t *testing.T) {
	t.Parallel()
	other := canaryKey("other")
	w := newWorld(t, fakecloud.Options{Accounts: []fakecloud.Account{
		{Name: "main", Keys: []fakecloud.Key{mainKey}}, {Name: "other", Keys: []fakecloud.Key{other}},
	}})
	w.cloud.Add(
		fakecloud.Task{Account: "main", ID: "100", InstanceID: "crs-ours", Duration: -1},
		fakecloud.Task{Account: "other", ID: "100", InstanceID: "crs-theirs", Fails: true},
	)
	w.secret("tencent-credentials", mainKey)
	op := w.operate(options{})
	w.create("redis", redis(100))
	w.history.untilOne("redis", "knows its instance", func(s v1alpha1.CloudTaskStatus) bool { return len(s.ResourceIDs) > 0 })
	check(t, w.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "tencent-credentials"}}))
	w.secret("tencent-credentials", other)
	s := w.history.untilOne("redis", "tells of the other key, or of no Secret for long", func(s v1alpha1.CloudTaskStatus) bool {
		return finished(s) || reasonOf(s) == v1alpha1.ReasonCredentialsNotFound && strings.Contains(s.Message, "account")
	}).task.Status
	if finished(s) {
		t.Fatalf("the outcome of another account's task was taken: %s", describe(s))
	}
	op.kill()
	w.operate(options{}).await("Starting workers")
	w.secret("tencent-credentials", mainKey)
	w.history.untilReason("redis", v1alpha1.ReasonRunning)
	w.cloud.Add(fakecloud.Task{Account: "main", ID: "100", InstanceID: "crs-ours"})
	if s := w.history.untilOne("redis", "finishes", finished).task.Status; s.Phase != v1alpha1.PhaseSucceeded {
		t.Errorf("want success, got %s", describe(s))
	}
}

// TestTwoSecretsWithOneKey: they share a quota and its sweeps, and yet each
// object keeps to its own, also where a sweep is the first to tell of its task.
func TestTwoSecretsWithOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakecloud.Options{})
	secrets := []string{"one", "other"}
	for _, name := range secrets {
		w.secret(name, mainKey)
	}
	remove := w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.Hang, API: fakecloud.RedisTaskInfo})
	op := w.operate(options{flags: []string{"--credential-secret-names=" + strings.Join(secrets, ",")}})
	want := map[string]expectation{}
	for i := range 20 {
		id := int64(100 + i)
		name := fmt.Sprintf("redis-%d", id)
		w.cloud.Add(fakecloud.Task{ID: fmt.Sprint(id), Duration: 15 * time.Second})
		w.create(name, redis(id), with(secrets[i%2]))
		want[name] = expectation{service: "redis", id: fmt.Sprint(id), succeeds: true}
	}
	for name := range want {
		task := w.history.untilReason(name, v1alpha1.ReasonRunning).task
		if own := "secret/" + task.Spec.Credentials.SecretName; task.Status.Credentials != own {
			t.Errorf("%s: its key came from %s, the status says %s", name, own, task.Status.Credentials)
		}
	}
	remove()
	op.kill() // what stands in the status decides from now on
	w.operate(options{flags: []string{"--credential-secret-names=" + strings.Join(secrets, ",")}})
	if !t.Failed() {
		w.finish(want)
	}
}
