package controllers_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	var err error
	if env, err = testenv.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := env.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// world is a namespace of its own, a cloud, and an operator between them.
type world struct {
	*testing.T
	client.WithWatch
	env       *testenv.Env
	namespace string
	cloud     *fakecloud.Cloud
	url       string

	mu     sync.Mutex
	news   *sync.Cond
	seen   map[string][]*unstructured.Unstructured // by the object's name
	gone   map[string]bool
	cursor map[string]int
	used   map[string]int       // calls, by SecretID
	first  map[string]time.Time // call, by task
}

var (
	mainKey  = fakecloud.Key{SecretID: "AKIDmainAAAAAAAAAAAA", SecretKey: "secretKeyMainAAAAAAAA"}
	otherKey = fakecloud.Key{SecretID: "AKIDotherAAAAAAAAAAA", SecretKey: "secretKeyOtherAAAAAAA"}
)

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldIn(t, env)
}

func newWorldIn(t *testing.T, env *testenv.Env) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	check(t, clientgoscheme.AddToScheme(scheme))
	check(t, v1alpha1.AddToScheme(scheme))
	c, err := client.NewWithWatch(env.Config, client.Options{Scheme: scheme})
	check(t, err)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "w-"}}
	check(t, c.Create(t.Context(), ns))
	w := &world{
		T: t, WithWatch: c, env: env, namespace: ns.Name,
		seen: map[string][]*unstructured.Unstructured{}, gone: map[string]bool{}, cursor: map[string]int{}, used: map[string]int{}, first: map[string]time.Time{},
	}
	w.cloud = fakecloud.New(fakecloud.Options{
		Accounts:  []fakecloud.Account{{Name: "main", Keys: []fakecloud.Key{mainKey}}, {Name: "other", Keys: []fakecloud.Key{otherKey}}},
		OnRequest: w.note,
	})
	w.news = sync.NewCond(&w.mu)
	w.url, err = w.cloud.Listen("127.0.0.1:0")
	check(t, err)
	t.Cleanup(w.cloud.Close)
	w.record()
	return w
}

// record keeps every version of every object, as a client's watch sees it, and
// has kstatus judge each.
func (w *world) record() {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("CloudTaskList"))
	watcher, err := w.Watch(context.Background(), list, client.InNamespace(w.namespace))
	check(w.T, err)
	var done sync.WaitGroup
	stopped := make(chan struct{})
	w.Cleanup(func() {
		close(stopped)
		watcher.Stop()
		done.Wait()
	})
	done.Go(func() {
		for e := range watcher.ResultChan() {
			task, ok := e.Object.(*unstructured.Unstructured)
			select {
			case <-stopped:
				return
			default:
			}
			if !ok {
				w.Errorf("the watch failed: %+v", e.Object)
				return
			}
			w.mu.Lock()
			if w.gone[task.GetName()] = e.Type == watch.Deleted; e.Type != watch.Deleted {
				w.judge(task)
				w.seen[task.GetName()] = append(w.seen[task.GetName()], task)
			}
			w.news.Broadcast()
			w.mu.Unlock()
		}
	})
}

// judge compares what kstatus makes of an object with what is meant.
func (w *world) judge(task *unstructured.Unstructured) {
	result, err := status.Compute(task)
	if err != nil {
		w.Errorf("kstatus: %v", err)
		return
	}
	typed := typed(task)
	s, want := typed.Status, status.InProgressStatus
	switch {
	case s.ObservedGeneration != typed.Generation:
	case s.Phase == v1alpha1.PhaseSucceeded:
		want = status.CurrentStatus
	case s.Phase == v1alpha1.PhaseFailed, condition(s, "Stalled") == "True":
		want = status.FailedStatus
	}
	if result.Status != want {
		w.Errorf("kstatus says %s and not %s (%s) of %+v", result.Status, want, result.Message, s)
	}
}

func typed(u *unstructured.Unstructured) v1alpha1.CloudTask {
	var task v1alpha1.CloudTask
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &task); err != nil {
		panic(err)
	}
	return task
}

// until waits for an object to be as wanted, and returns it. It goes on from
// what the last call for the same name returned, and misses no version.
func (w *world) until(name, what string, wanted func(v1alpha1.CloudTask) bool) v1alpha1.CloudTask {
	w.Helper()
	deadline := time.AfterFunc(time.Minute, w.news.Broadcast)
	defer deadline.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for started := time.Now(); ; w.news.Wait() {
		for ; w.cursor[name] < len(w.seen[name]); w.cursor[name]++ {
			if task := typed(w.seen[name][w.cursor[name]]); wanted(task) {
				return task
			}
		}
		if time.Since(started) >= time.Minute {
			w.mu.Unlock()
			defer w.mu.Lock() // Fatal runs the deferred calls
			w.Fatalf("%s did not become %s: %s", name, what, w.story(name))
		}
	}
}

func (w *world) untilFinished(name string) v1alpha1.CloudTask {
	w.Helper()
	return w.until(name, "finished", func(task v1alpha1.CloudTask) bool {
		return task.Status.Phase == v1alpha1.PhaseSucceeded || task.Status.Phase == v1alpha1.PhaseFailed
	})
}

func (w *world) untilReason(name, reason string) v1alpha1.CloudTask {
	w.Helper()
	return w.until(name, reason, func(task v1alpha1.CloudTask) bool {
		return task.Status.Conditions[0].Reason == reason && task.Status.ObservedGeneration == task.Generation
	})
}

func (w *world) untilGone(name string) {
	w.Helper()
	w.eventually(name+" is gone", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.gone[name]
	})
}

// eventually waits for what no watch tells.
func (w *world) eventually(what string, is func() bool) {
	w.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for started := time.Now(); !is(); <-tick.C {
		if time.Since(started) > time.Minute {
			w.Fatalf("not true: %s", what)
		}
	}
}

// versions are all the versions of an object so far.
func (w *world) versions(name string) []v1alpha1.CloudTask {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []v1alpha1.CloudTask
	for _, u := range w.seen[name] {
		out = append(out, typed(u))
	}
	return out
}

// story sums the statuses of an object up: each reason in turn, with + while
// Stalled. Changes that keep both are left out.
func (w *world) story(name string) []string {
	var out []string
	for _, task := range w.versions(name) {
		word := task.Status.Conditions[0].Reason
		if condition(task.Status, "Stalled") == "True" && task.Status.Phase != v1alpha1.PhaseFailed {
			word += "+"
		}
		out = append(out, word)
	}
	return slices.Compact(out)
}

// writes counts the status writes, those of progress alone aside.
func (w *world) writes(name string) int {
	var before v1alpha1.CloudTaskStatus
	n := -1 // the object's creation is none
	for _, task := range w.versions(name) {
		s := *task.Status.DeepCopy()
		s.Progress = nil
		if !equality.Semantic.DeepEqual(s, before) {
			n++
		}
		before = s
	}
	return n
}

func (w *world) note(r fakecloud.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.used[r.SecretID]++
	if w.first[r.TaskID].IsZero() {
		w.first[r.TaskID] = r.Time
	}
}

// calls is how often the cloud was asked with the keys of an account.
func (w *world) calls(account string) int {
	n := 0
	for counts := range maps.Values(w.cloud.Stats().Accounts[account]) {
		n += counts.Calls
	}
	return n
}

func (w *world) secret(name string, k fakecloud.Key) *corev1.Secret {
	w.Helper()
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		StringData: map[string]string{"secretId": k.SecretID, "secretKey": k.SecretKey, "token": k.Token},
	}
	check(w.T, w.Create(w.Context(), s))
	return s
}

// putRight gives a Secret another key.
func (w *world) putRight(s *corev1.Secret, k fakecloud.Key) {
	w.Helper()
	s.StringData = map[string]string{"secretId": k.SecretID, "secretKey": k.SecretKey, "token": k.Token}
	check(w.T, w.Update(w.Context(), s))
}

type change = func(*v1alpha1.CloudTaskSpec)

func (w *world) redis(name string, id int64, changes ...change) {
	w.Helper()
	w.task(name, v1alpha1.CloudTaskSpec{Region: "ap-guangzhou", Redis: &v1alpha1.RedisTask{TaskID: &id}}, changes...)
}

func (w *world) task(name string, spec v1alpha1.CloudTaskSpec, changes ...change) {
	w.Helper()
	for _, c := range changes {
		c(&spec)
	}
	check(w.T, w.Create(w.Context(), &v1alpha1.CloudTask{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Spec: spec}))
}

// patch changes an object by a JSON merge patch.
func (w *world) patch(name, patch string) {
	w.Helper()
	task := &v1alpha1.CloudTask{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	check(w.T, w.Patch(w.Context(), task, client.RawPatch("application/merge-patch+json", []byte(patch))))
}

func (w *world) remove(obj client.Object) {
	w.Helper()
	obj.SetNamespace(w.namespace)
	check(w.T, w.Delete(w.Context(), obj))
}

func condition(s v1alpha1.CloudTaskStatus, kind string) metav1.ConditionStatus {
	for _, c := range s.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return ""
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
