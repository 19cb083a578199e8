//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// lastID makes every task of a run another one.
var lastID atomic.Int64

func init() { lastID.Store(20000) }

// endless is a task that runs until the test ends it.
const endless = -1 * time.Second

// task is one of the cloud's with the object that waits for it.
type task struct {
	cloud     fakecloud.Task
	namespace string
	name      string
	spec      func(*v1alpha1.CloudTaskSpec) // further wishes; may be nil
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// redisTask makes a task of the account in memory; begin makes it true.
func redisTask(account fakecloud.Account, namespace string, duration time.Duration, fails bool) task {
	id := strconv.FormatInt(lastID.Add(1), 10)
	cloud := fakecloud.Task{Account: account.Name, Service: "redis", ID: id, InstanceID: "crs-e2e", Duration: duration, Fails: fails}
	if fails {
		cloud.Message = "the instance is locked"
	}
	return task{cloud: cloud, namespace: namespace, name: "redis-" + id}
}

// clbTask makes a task of a load balancer.
func clbTask(account fakecloud.Account, namespace string, duration time.Duration, fails bool) task {
	id := fmt.Sprintf("55c85074-3e7f-4c6d-864f-%012d", lastID.Add(1))
	cloud := fakecloud.Task{Account: account.Name, Service: "clb", ID: id, InstanceID: "lb-e2e", Duration: duration, Fails: fails}
	return task{cloud: cloud, namespace: namespace, name: "clb-" + id}
}

func (k task) object() *v1alpha1.CloudTask {
	object := &v1alpha1.CloudTask{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: k.name}}
	object.Spec.Region = "ap-guangzhou"
	if k.cloud.Service == "clb" {
		object.Spec.CLB = &v1alpha1.CLBTask{RequestID: &k.cloud.ID}
	} else {
		id, _ := strconv.ParseInt(k.cloud.ID, 10, 64)
		object.Spec.Redis = &v1alpha1.RedisTask{TaskID: &id}
	}
	if k.spec != nil {
		k.spec(&object.Spec)
	}
	return object
}

// wanted is the phase in which the task ends.
func (k task) wanted() v1alpha1.Phase {
	if k.cloud.Fails {
		return v1alpha1.PhaseFailed
	}
	return v1alpha1.PhaseSucceeded
}

// begin begins the tasks in the cloud and makes their objects, some at a time.
func (n *node) begin(t *testing.T, tasks ...task) {
	t.Helper()
	clouds := make([]fakecloud.Task, len(tasks))
	for i, k := range tasks {
		clouds[i] = k.cloud
	}
	n.cloud.add(t, clouds...)
	work := make(chan task)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for k := range work {
				if err := n.Create(t.Context(), k.object()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, k := range tasks {
		work <- k
	}
	close(work)
	workers.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func (n *node) get(t *testing.T, k task) *v1alpha1.CloudTask {
	t.Helper()
	var object v1alpha1.CloudTask
	if err := n.Get(t.Context(), client.ObjectKey{Namespace: k.namespace, Name: k.name}, &object); err != nil {
		t.Fatal(err)
	}
	return &object
}

// awaitPhase waits for the phase, and fails at once if the object ends otherwise.
func (n *node) awaitPhase(t *testing.T, k task, phase v1alpha1.Phase) *v1alpha1.CloudTask {
	t.Helper()
	var object *v1alpha1.CloudTask
	n.await(t, fmt.Sprintf("%s/%s is %s", k.namespace, k.name, phase), func() error {
		object = n.get(t, k)
		if object.Status.Phase == phase {
			return nil
		}
		if ended(object) {
			t.Fatalf("%s ended with %s: %s", k.name, object.Status.Phase, object.Status.Message)
		}
		return fmt.Errorf("it is %s: %s", object.Status.Phase, object.Status.Message)
	})
	return object
}

// awaitOutcomes waits until all have ended as they should.
func (n *node) awaitOutcomes(t *testing.T, tasks []task) {
	t.Helper()
	wanted := map[string]v1alpha1.Phase{}
	for _, k := range tasks {
		wanted[k.name] = k.wanted()
	}
	n.await(t, "every outcome", func() error {
		var list v1alpha1.CloudTaskList
		if err := n.List(t.Context(), &list, client.InNamespace(tasks[0].namespace)); err != nil {
			return err
		}
		running, found := "", 0
		for i := range list.Items {
			object := &list.Items[i]
			phase, ours := wanted[object.Name]
			switch {
			case !ours:
				continue
			case !ended(object):
				running = fmt.Sprintf("%s is %s: %s", object.Name, object.Status.Phase, object.Status.Message)
			case object.Status.Phase != phase:
				t.Fatalf("%s ended with %s, want %s: %s", object.Name, object.Status.Phase, phase, object.Status.Message)
			}
			found++
		}
		if found < len(tasks) {
			t.Fatalf("%d of %d objects are there", found, len(tasks))
		}
		if running != "" {
			return errors.New(running)
		}
		return nil
	})
}

func ended(object *v1alpha1.CloudTask) bool {
	return object.Status.Phase == v1alpha1.PhaseSucceeded || object.Status.Phase == v1alpha1.PhaseFailed
}

// history watches a namespace for what must never happen: an end that is taken
// back.
type history struct {
	mu     sync.Mutex // guards faults
	faults []string
}

// watchHistory begins a history, which is judged when the test ends.
func (n *node) watchHistory(t *testing.T, namespace string) {
	t.Helper()
	h := &history{}
	ctx, stop := context.WithCancel(t.Context())
	informer := toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list := &v1alpha1.CloudTaskList{}
			return list, n.List(ctx, list, &client.ListOptions{Namespace: namespace, Raw: &o})
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return n.Watch(ctx, &v1alpha1.CloudTaskList{}, &client.ListOptions{Namespace: namespace, Raw: &o})
		},
	}, &v1alpha1.CloudTask{}, 0, nil)
	if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{UpdateFunc: h.update}); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { informer.RunWithContext(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		for _, fault := range h.faults {
			t.Error(fault)
		}
	})
}

func (h *history) update(before, after any) {
	old, isOld := before.(*v1alpha1.CloudTask)
	changed, isNew := after.(*v1alpha1.CloudTask)
	if !isOld || !isNew || old.UID != changed.UID || !ended(old) || old.Status.Phase == changed.Status.Phase {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, fmt.Sprintf("%s had ended with %s, then became %s", old.Name, old.Status.Phase, changed.Status.Phase))
}
