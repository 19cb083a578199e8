package controllers_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

func TestMissingCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate(withOwnKey(otherKey, "elsewhere"))
	w.cloud.Add(fakecloud.Task{ID: "1", Duration: -1})
	w.redis("no-secret", 1)
	task := w.untilReason("no-secret", "CredentialsNotFound")
	if condition(task.Status, "Reconciling") != "True" || !strings.Contains(task.Status.Message, "--operator-credentials-namespaces="+w.namespace) {
		t.Errorf("%+v", task.Status)
	}
	w.untilStalled("no-secret")
	if n := w.calls("main") + w.calls("other"); n != 0 {
		t.Errorf("the cloud was asked %d times", n)
	}
	w.secret("tencent-credentials", mainKey)
	w.untilReason("no-secret", "Running")
	w.cloud.Finish("redis", "1", true, "")
	w.untilFinished("no-secret")
	if diff := cmp.Diff([]string{"Pending", "CredentialsNotFound", "CredentialsNotFound+", "Running", "TaskSucceeded"}, w.story("no-secret")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if n := w.writes("no-secret"); n != 4 {
		t.Errorf("%d status writes", n)
	}
	w.checkEvents("no-secret", "Warning CredentialsNotFound", "Normal Running", "Normal TaskSucceeded")
}

func (w *world) untilStalled(name string) {
	w.Helper()
	w.until(name, "stalled", func(task v1alpha1.CloudTask) bool { return condition(task.Status, "Stalled") == "True" })
}

// TestPutRight breaks what a person must mend in every way, and mends it.
func TestPutRight(t *testing.T) {
	t.Parallel()
	temporary := fakecloud.Key{SecretID: "AKIDtemporaryAAAAAAA", SecretKey: "secretKeyTemporaryAAA", Token: "token-of-temporary-key"}
	wrong := func(k fakecloud.Key, change func(*fakecloud.Key)) fakecloud.Key { change(&k); return k }
	fault := func(code string) *fakecloud.Fault { return &fakecloud.Fault{Kind: fakecloud.Error, Code: code} }
	for name, test := range map[string]struct {
		key    fakecloud.Key
		right  fakecloud.Key
		fault  *fakecloud.Fault
		reason string
	}{
		"unknown key":   {wrong(mainKey, func(k *fakecloud.Key) { k.SecretID = "AKIDnobodyAAAAAAAAAA" }), mainKey, nil, "AccessDenied"},
		"wrong key":     {wrong(mainKey, func(k *fakecloud.Key) { k.SecretKey = "wrongAAAAAAAAAAAAAAAA" }), mainKey, nil, "AccessDenied"},
		"wrong token":   {wrong(temporary, func(k *fakecloud.Key) { k.Token = "stale" }), temporary, nil, "AccessDenied"},
		"half a key":    {wrong(mainKey, func(k *fakecloud.Key) { k.SecretKey = " " }), mainKey, nil, "CredentialsNotFound"},
		"no permission": {otherKey, mainKey, fault("UnauthorizedOperation"), "AccessDenied"},
		"wrong region":  {otherKey, mainKey, fault("UnsupportedRegion"), "InvalidRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.cloud.SetAccount(fakecloud.Account{Name: "main", Keys: []fakecloud.Key{mainKey, temporary}})
			if test.fault != nil {
				test.fault.Account = "other"
				w.cloud.Inject(*test.fault)
			}
			w.operate()
			secret := w.secret("tencent-credentials", test.key)
			w.cloud.Add(fakecloud.Task{ID: "1", Duration: -1})
			w.redis("task", 1)
			w.untilReason("task", test.reason)
			w.putRight(secret, test.right)
			w.untilReason("task", "Running")
			w.cloud.Finish("redis", "1", true, "")
			w.untilFinished("task")
			if diff := cmp.Diff([]string{"Pending", test.reason, "Running", "TaskSucceeded"}, w.story("task")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, task := range w.versions("task") {
				for _, secret := range []string{test.key.SecretKey, test.right.SecretKey, test.right.Token} {
					if len(secret) > 3 && strings.Contains(task.Status.Message, secret) {
						t.Errorf("the message holds a key: %s", task.Status.Message)
					}
				}
			}
		})
	}
}

// TestOtherAccount: the same small ID is another task in another account.
func TestOtherAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate(withOwnKey(otherKey, "*"))
	secret := w.secret("tencent-credentials", mainKey)
	w.cloud.Add(
		fakecloud.Task{ID: "1", InstanceID: "crs-mine", Duration: -1},
		fakecloud.Task{ID: "2", InstanceID: "crs-mine", Duration: -1},
		fakecloud.Task{ID: "1", InstanceID: "crs-foreign", Account: "other", Duration: time.Second, Fails: true},
		fakecloud.Task{ID: "2", InstanceID: "crs-foreign", Account: "other", Duration: -1})
	w.redis("mine", 1)
	w.redis("too", 2)
	w.untilReason("mine", "Running")
	w.untilReason("too", "Running")
	w.remove(secret)
	w.untilReason("mine", "CredentialsNotFound")
	if n := w.calls("other"); n != 0 {
		t.Errorf("the operator's own key was used %d times", n)
	}
	secret = w.secret("tencent-credentials", otherKey)
	foreign := func(task v1alpha1.CloudTask) bool {
		return strings.Contains(task.Status.Message, "crs-foreign") && task.Status.Conditions[0].Reason == "CredentialsNotFound"
	}
	w.until("mine", "told of the foreign task", foreign)
	w.until("too", "told of the foreign task", foreign)
	w.putRight(secret, mainKey)
	for _, name := range []string{"mine", "too"} {
		w.untilReason(name, "Running")
	}
	w.cloud.Finish("redis", "2", true, "")
	w.cloud.Finish("redis", "1", true, "")
	for _, name := range []string{"mine", "too"} {
		if task := w.untilFinished(name); task.Status.Phase != v1alpha1.PhaseSucceeded || !slices.Equal(task.Status.ResourceIDs, []string{"crs-mine"}) {
			t.Errorf("%s: %+v", name, task.Status)
		}
	}
}

func TestKeyIsRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.secret("tencent-credentials", mainKey)
	w.operate()
	w.cloud.Add(fakecloud.Task{ID: "1", Duration: -1}, fakecloud.Task{ID: "2", Service: "clb", Duration: -1})
	w.redis("redis", 1)
	w.task("clb", clbSpec(v1alpha1.CLBTask{RequestID: new("2")}))
	w.untilReason("redis", "Running")
	w.untilReason("clb", "Running")
	fresh := fakecloud.Key{SecretID: "AKIDfreshAAAAAAAAAAA", SecretKey: "secretKeyFreshAAAAAAA"}
	w.cloud.SetAccount(fakecloud.Account{Name: "main", Keys: []fakecloud.Key{mainKey, fresh}})
	w.putRight(secret, fresh)
	w.eventually("the fresh key is in use for both", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.used[fresh.SecretID] >= 4
	})
	w.cloud.SetAccount(fakecloud.Account{Name: "main", Keys: []fakecloud.Key{fresh}})
	w.cloud.Finish("redis", "1", true, "")
	w.cloud.Finish("clb", "2", true, "")
	for _, name := range []string{"redis", "clb"} {
		w.untilFinished(name)
		if diff := cmp.Diff([]string{"Pending", "Running", "TaskSucceeded"}, w.story(name)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestWhoseKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.operate(withOwnKey(otherKey, "*"))
	w.secret("other-credentials", mainKey)
	w.cloud.Add(fakecloud.Task{ID: "1"}, fakecloud.Task{ID: "2", Account: "other"})
	named := func(name string) change {
		return func(s *v1alpha1.CloudTaskSpec) { s.Credentials = &v1alpha1.Credentials{SecretName: name} }
	}
	w.redis("named", 1, named("other-credentials"))
	w.redis("own", 2)
	w.redis("not-allowed", 1, named("root-credentials"))
	w.redis("missing", 1, named("tencent-credentials"))
	for name, source := range map[string]string{"named": "secret/other-credentials", "own": "operator/env"} {
		if task := w.untilFinished(name); task.Status.Phase != v1alpha1.PhaseSucceeded || task.Status.Credentials != source {
			t.Errorf("%s: %+v", name, task.Status)
		}
	}
	for name, says := range map[string]string{"not-allowed": "--credential-secret-names=tencent-credentials,other-credentials,root-credentials", "missing": "there is no Secret tencent-credentials"} {
		if task := w.untilReason(name, "CredentialsNotFound"); !strings.Contains(task.Status.Message, says) {
			t.Errorf("%s: %s", name, task.Status.Message)
		}
	}
}

// TestFaultyCloud has everything go wrong at once: no verdict may come of it.
func TestFaultyCloud(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	for _, f := range []fakecloud.Fault{
		{Kind: fakecloud.BadGateway},
		{Kind: fakecloud.Drop},
		{Kind: fakecloud.DropMidBody},
		{Kind: fakecloud.Garbage},
		{Kind: fakecloud.EmptyResponse},
		{Kind: fakecloud.NullStatus},
		{Kind: fakecloud.Throttle},
		{Kind: fakecloud.Error, Code: "InternalError"},
		{Kind: fakecloud.Status, Status: []byte(`"paused"`)},
		{Kind: fakecloud.WrongType},
	} {
		f.Probability = 0.08
		w.cloud.Inject(f)
	}
	specs := map[string]v1alpha1.CloudTaskSpec{
		"redis-ok": redisSpec(1, ""), "redis-bad": redisSpec(2, ""), "redis2-ok": redisSpec(3, "2.0"), "redis2-bad": redisSpec(4, "2.0"),
		"latest-ok": latestSpec("crs-5"), "clb-ok": clbSpec(v1alpha1.CLBTask{RequestID: new("6")}), "clb-bad": clbSpec(v1alpha1.CLBTask{RequestID: new("7")}),
	}
	for id, task := range map[string]fakecloud.Task{"1": {}, "2": {Fails: true}, "3": {}, "4": {Error: true}, "5": {}, "6": {Service: "clb"}, "7": {Service: "clb", Fails: true}} {
		task.ID, task.Duration = id, 3*time.Second
		w.cloud.Add(task)
	}
	for name, spec := range specs {
		w.task(name, spec)
	}
	for name := range specs {
		task := w.untilFinished(name)
		end, _ := w.cloud.End(task.Status.Service, task.Status.TaskID)
		if (task.Status.Phase == v1alpha1.PhaseFailed) != strings.HasSuffix(name, "-bad") || task.Status.CompletionTime.Add(time.Second).Before(end) {
			t.Errorf("%s: %v at %s, which ended at %s", name, w.story(name), task.Status.CompletionTime, end)
		}
	}
}

func TestDeletedSecretIsNoCallMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.secret("tencent-credentials", mainKey)
	w.operate()
	w.cloud.Add(fakecloud.Task{ID: "1", Duration: -1})
	w.redis("task", 1)
	w.untilReason("task", "Running")
	w.remove(&corev1.Secret{ObjectMeta: secret.ObjectMeta})
	w.untilReason("task", "CredentialsNotFound")
	asked := w.calls("main")
	w.untilStalled("task")
	if n := w.calls("main"); n > asked+1 { // one may have been under way
		t.Errorf("asked %d times more", n-asked)
	}
}
