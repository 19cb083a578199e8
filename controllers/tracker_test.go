package controllers

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// newTracker returns a tracker whose cloud cannot be reached, and the names that
// it wakes.
func newTracker(t *testing.T) (*Tracker, *[]string) {
	t.Helper()
	cloud, err := tencent.NewClient(tencent.Config{Endpoint: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	engine := poll.NewEngine[finding](poll.Options{MinInterval: time.Hour, MaxInterval: time.Hour, Rate: func(string) float64 { return 1 }})
	t.Cleanup(engine.Close)
	woken := &[]string{}
	return &Tracker{Cloud: cloud, Engine: engine, Wake: func(name types.NamespacedName) { *woken = append(*woken, name.Name) }}, woken
}

func deadKey() key {
	return key{source: "secret/x", digest: "x", current: func(ctx context.Context) (tencent.Credential, error) {
		<-ctx.Done()
		return tencent.Credential{}, ctx.Err()
	}}
}

func (t *Tracker) tracks(uid types.UID) bool {
	_, ok := t.Engine.Sighting(string(uid))
	return ok
}

func TestAnotherObjectOfTheSameName(t *testing.T) {
	tracker, _ := newTracker(t)
	first := redisObject()
	tracker.track(first, "18215", deadKey())
	tracker.troubled(first, "CredentialsNotFound", after(0))
	tracker.conclude(first)
	second := redisObject(func(task *v1alpha1.CloudTask) { task.UID = "uid-2" })
	if tracker.concluded(second) {
		t.Error("a new object is taken for the one before")
	}
	if since := tracker.troubled(second, "CredentialsNotFound", after(time.Minute)); !since.Equal(after(time.Minute)) {
		t.Errorf("its trouble began at %s", since)
	}
	first = redisObject(func(task *v1alpha1.CloudTask) { task.UID = "uid-3" })
	tracker.track(first, "18215", deadKey())
	if !tracker.tracks("uid-3") {
		t.Error("not tracked")
	}
	tracker.concluded(second)
	if tracker.tracks("uid-3") {
		t.Error("the task of the object before is still asked about")
	}
}

func TestForgottenObjectsLeaveNothing(t *testing.T) {
	tracker, _ := newTracker(t)
	task := redisObject()
	tracker.track(task, "18215", deadKey())
	tracker.troubled(task, "CredentialsNotFound", after(0))
	tracker.forget(types.NamespacedName{Namespace: "shop", Name: "flush-18215"})
	if tracker.tracks("uid-1") || len(tracker.objects) > 0 {
		t.Errorf("%v", tracker.objects)
	}
}

func TestWakeUsersOfSecret(t *testing.T) {
	tracker, woken := newTracker(t)
	for name, change := range map[string]func(*v1alpha1.CloudTask){
		"default": func(*v1alpha1.CloudTask) {},
		"named":   func(task *v1alpha1.CloudTask) { task.Spec.Credentials = &v1alpha1.Credentials{SecretName: "team-key"} },
		"pinned":  func(task *v1alpha1.CloudTask) { task.Status.Credentials = "secret/team-key" },
		"foreign": func(task *v1alpha1.CloudTask) { task.Namespace = "elsewhere" },
		"ended":   func(task *v1alpha1.CloudTask) { task.Status.Credentials = "secret/team-key" },
	} {
		task := redisObject(func(task *v1alpha1.CloudTask) { task.Name, task.UID = name, types.UID(name) }, change)
		tracker.troubled(task, "CredentialsNotFound", after(0))
		if name == "ended" {
			tracker.conclude(task)
		}
	}
	tracker.wakeUsers(types.NamespacedName{Namespace: "shop", Name: DefaultSecretName})
	if !slices.Equal(*woken, []string{"default"}) {
		t.Errorf("%v", *woken)
	}
	*woken = nil
	tracker.wakeUsers(types.NamespacedName{Namespace: "shop", Name: "team-key"})
	if slices.Sort(*woken); !slices.Equal(*woken, []string{"named", "pinned"}) {
		t.Errorf("%v", *woken)
	}
}

func TestAgeCountsFrom(t *testing.T) {
	now := after(time.Hour)
	resumed := redisObject(suspended, withStatus(unasked(after(time.Minute)).resting(nil)))
	resumed.Spec.Suspend = false
	for name, test := range map[string]struct {
		task *v1alpha1.CloudTask
		want time.Time
	}{
		"creation":           {redisObject(), created},
		"the start":          {redisObject(withStatus(told(after(seconds(9)), found(tencent.Running)))), after(seconds(-1))},
		"resume":             {resumed, now},
		"resume, then fault": {redisObject(func(task *v1alpha1.CloudTask) { task.Status = resumed.Status }, withStatus(unasked(after(time.Minute)))), after(time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ageSince(test.task, now); !got.Equal(test.want) {
				t.Errorf("from %s, not %s", got, test.want)
			}
		})
	}
}

func TestRememberedAfterRestart(t *testing.T) {
	if f := remembered(redisObject()); f != nil {
		t.Errorf("%+v of an object that was never answered of", f)
	}
	f := found(tencent.Running, func(f *finding) { f.Progress = 45 })
	task := redisObject(withStatus(told(after(seconds(1)), f)))
	got := remembered(task)
	if !got.Equal(f) {
		t.Errorf("%+v, not %+v", got, f)
	}
	if written := play(t, task, told(after(seconds(60)), *got)); len(written) > 0 {
		t.Errorf("what is remembered is written again: %+v", written)
	}
}

func TestWhatWakes(t *testing.T) {
	object := func(uid types.UID, generation int64, label string) *v1alpha1.CloudTask {
		return redisObject(func(task *v1alpha1.CloudTask) {
			task.UID, task.Generation, task.Labels = uid, generation, map[string]string{"a": label}
		})
	}
	h := (&CloudTaskReconciler{}).handler()
	for name, test := range map[string]struct {
		before, after *v1alpha1.CloudTask
		want          int
	}{
		"a changed spec":               {object("1", 1, ""), object("1", 2, ""), 1},
		"a label, or its own write":    {object("1", 1, ""), object("1", 1, "b"), 0},
		"deleted and made in one step": {object("1", 1, ""), object("2", 1, ""), 1},
		"created":                      {nil, object("1", 1, ""), 1},
		"deleted":                      {object("1", 1, ""), nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
			defer q.ShutDown()
			switch {
			case test.before == nil:
				h.Create(t.Context(), event.CreateEvent{Object: test.after}, q)
			case test.after == nil:
				h.Delete(t.Context(), event.DeleteEvent{Object: test.before}, q)
			default:
				h.Update(t.Context(), event.UpdateEvent{ObjectOld: test.before, ObjectNew: test.after}, q)
			}
			if q.Len() != test.want {
				t.Errorf("%d in the queue", q.Len())
			}
		})
	}
}

func TestSecretWatchComplainsOnce(t *testing.T) {
	lines := 0
	w := &SecretWatch{Log: funcr.New(func(string, string) { lines++ }, funcr.Options{})}
	complain := w.complain("shop", "tencent-credentials")
	forbidden := apierrors.NewForbidden(corev1.Resource("secrets"), "", errors.New("RBAC"))
	for _, err := range []error{io.EOF, apierrors.NewResourceExpired("old"), forbidden, forbidden, io.EOF, forbidden} {
		complain(t.Context(), nil, err)
	}
	if lines != 1 {
		t.Errorf("%d lines", lines)
	}
	complain(t.Context(), nil, errors.New("another cause"))
	if lines != 2 {
		t.Errorf("%d lines", lines)
	}
}

func TestSecretWatchKeepsNoSecret(t *testing.T) {
	got, err := identity(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "x", ResourceVersion: "7", Annotations: map[string]string{corev1.LastAppliedConfigAnnotation: "secretKey"},
	}})
	m, ok := got.(*metav1.PartialObjectMetadata)
	if err != nil || !ok || m.Annotations != nil || m.Namespace != "shop" || m.Name != "x" || m.ResourceVersion != "7" {
		t.Errorf("%+v, %v", got, err)
	}
}
