package controllers_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/controllers"
	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
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
	namespace string
	cloud     *fakecloud.Cloud
	url       string
	stop      func()
}

var key = fakecloud.Key{SecretID: "AKIDtestAAAAAAAAAAAA", SecretKey: "secretKeyAAAAAAAAAAAAA"}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	check(t, clientgoscheme.AddToScheme(scheme))
	check(t, v1alpha1.AddToScheme(scheme))
	c, err := client.NewWithWatch(env.Config, client.Options{Scheme: scheme})
	check(t, err)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "w-"}}
	check(t, c.Create(t.Context(), ns))
	w := &world{T: t, WithWatch: c, namespace: ns.Name}
	w.cloud = fakecloud.New(fakecloud.Options{Accounts: []fakecloud.Account{{Name: "main", Keys: []fakecloud.Key{key}}}})
	w.url, err = w.cloud.Listen("127.0.0.1:0")
	check(t, err)
	t.Cleanup(w.cloud.Close)
	return w
}

// operate runs an operator until the test ends, or stop is called.
func (w *world) operate() {
	w.Helper()
	mgr, err := ctrl.NewManager(env.Config, ctrl.Options{
		Scheme: w.Scheme(), Metrics: server.Options{BindAddress: "0"},
		Controller: controllerOptions(),
		Cache:      cacheFor(w.namespace),
		Client:     client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	check(w.T, err)
	cloud, err := tencent.NewClient(tencent.Config{Endpoint: w.url})
	check(w.T, err)
	own, err := tencent.NewOperatorCredentials(tencent.Config{Endpoint: w.url}, func(string) string { return "" })
	check(w.T, err)
	setup := controllers.Setup{
		Cloud: cloud, Operator: own, SecretNames: []string{"tencent-credentials", "other-credentials"}, Namespaces: []string{w.namespace},
		Polling: poll.Options{MinInterval: 200 * time.Millisecond, MaxInterval: time.Second, Rate: func(api string) float64 { return tencent.API(api).DefaultRate() }},
	}
	check(w.T, setup.AddToManager(mgr))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	stopped := false
	w.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			check(w.T, <-done)
		}
	}
	w.Cleanup(w.stop)
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

func (w *world) redis(name string, id int64, change ...func(*v1alpha1.CloudTaskSpec)) *v1alpha1.CloudTask {
	w.Helper()
	return w.task(name, v1alpha1.CloudTaskSpec{Region: "ap-guangzhou", Redis: &v1alpha1.RedisTask{TaskID: &id}}, change...)
}

func (w *world) task(name string, spec v1alpha1.CloudTaskSpec, change ...func(*v1alpha1.CloudTaskSpec)) *v1alpha1.CloudTask {
	w.Helper()
	for _, c := range change {
		c(&spec)
	}
	task := &v1alpha1.CloudTask{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Spec: spec}
	check(w.T, w.Create(w.Context(), task))
	return task
}

// until watches an object until it is as wanted, and returns it with every
// status it had on the way.
func (w *world) until(name string, wanted func(v1alpha1.CloudTaskStatus) bool) (last v1alpha1.CloudTask, seen []v1alpha1.CloudTaskStatus) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	watcher, err := w.Watch(ctx, &v1alpha1.CloudTaskList{}, client.InNamespace(w.namespace), client.MatchingFields{"metadata.name": name})
	check(w.T, err)
	defer watcher.Stop()
	for e := range watcher.ResultChan() {
		task, ok := e.Object.(*v1alpha1.CloudTask)
		if !ok || e.Type == watch.Deleted {
			continue
		}
		last = *task
		seen = append(seen, task.Status)
		if wanted(task.Status) {
			return last, seen
		}
	}
	w.Fatalf("%s did not become as wanted; the last status was %+v", name, last.Status)
	return last, seen
}

func (w *world) untilFinished(name string) (v1alpha1.CloudTask, []v1alpha1.CloudTaskStatus) {
	w.Helper()
	return w.until(name, func(s v1alpha1.CloudTaskStatus) bool {
		return s.Phase == v1alpha1.PhaseSucceeded || s.Phase == v1alpha1.PhaseFailed
	})
}

func (w *world) untilReason(name, reason string) (v1alpha1.CloudTask, []v1alpha1.CloudTaskStatus) {
	w.Helper()
	return w.until(name, func(s v1alpha1.CloudTaskStatus) bool {
		return len(s.Conditions) > 0 && s.Conditions[0].Reason == reason
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// states sums up conditions as TYPE=STATUS, in their order.
func states(s v1alpha1.CloudTaskStatus) string {
	var out []string
	for _, c := range s.Conditions {
		out = append(out, c.Type+"="+string(c.Status))
	}
	return strings.Join(out, " ")
}
