package controllers

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

const (
	// workers is how many objects are reconciled at once: enough to write the
	// ends of a burst of tasks faster than the cloud can tell of them.
	workers = 10
	// firstRetry and lastRetry bound the delay after an error, most often of
	// the API server.
	firstRetry = time.Second
	lastRetry  = time.Minute
	// reconcileTimeout bounds the calls to the API server for one object.
	reconcileTimeout = 30 * time.Second
)

// Setup is what the controller needs to know.
type Setup struct {
	Cloud *tencent.Client
	// Operator is the operator's own key.
	Operator OperatorKey
	// OperatorNamespaces may use it; "*" among them is every namespace.
	OperatorNamespaces []string
	// SecretNames may be read, and are watched in Namespaces; none: in all.
	SecretNames, Namespaces []string
	Polling                 poll.Options
	// Metrics tell of the controller's work; nil: nobody asks for them.
	Metrics *Metrics
}

// AddToManager runs the controller under a manager.
func (s Setup) AddToManager(mgr ctrl.Manager) error {
	log := mgr.GetLogger().WithName("cloudtask")
	if s.Metrics == nil {
		s.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	s.Polling.Panicked = func(value any, stack []byte) {
		s.Metrics.panics.Inc()
		log.Error(fmt.Errorf("panic: %v", value), "a task's answer could not be handled", "stack", string(stack))
	}
	var queue wakeQueue
	engine := poll.NewEngine[finding](s.Polling)
	r := &CloudTaskReconciler{
		Client: mgr.GetClient(),
		Credentials: &Credentials{
			Reader: mgr.GetAPIReader(), SecretNames: s.SecretNames,
			Operator: s.Operator, OperatorNamespaces: s.OperatorNamespaces,
		},
		Tracker:  &Tracker{Cloud: s.Cloud, Engine: engine, Wake: queue.add, Paged: s.Metrics.pages.Inc},
		Recorder: mgr.GetEventRecorder("cloudtask"),
		Metrics:  s.Metrics,
		Progress: rate.NewLimiter(progressWrites, progressWrites),
	}
	if err := s.watchSecrets(mgr, r); err != nil {
		return err
	}
	if err := s.Metrics.follow(mgr.GetCache(), engine.Loads, s.Polling.Rate); err != nil {
		return err
	}
	if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done()
		engine.Close()
		return nil
	})); err != nil {
		return fmt.Errorf("add poll engine: %w", err)
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("cloudtask").
		Watches(&v1alpha1.CloudTask{}, r.handler()).
		WatchesRawSource(source.Func(queue.start)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			EnableWarmup:            new(true),
			ReconciliationTimeout:   reconcileTimeout,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(r)
}

// handler wakes the reconciler for what concerns it: a new object, a changed
// spec, a deletion, but not its own writes. A delete and a re-creation under the
// same name can arrive as one update.
func (r *CloudTaskReconciler) handler() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	add := func(q queue, o client.Object) {
		request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)}
		task, ok := o.(*v1alpha1.CloudTask)
		if byPriority, has := q.(priorityqueue.PriorityQueue[reconcile.Request]); has && ok && !finished(task.Status) {
			// Also of the initial list, whose priority is low: until it was looked
			// at, nobody asks about its task.
			byPriority.AddWithOpts(priorityqueue.AddOpts{Priority: new(int)}, request)
			return
		}
		q.Add(request)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { add(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			before, after := e.ObjectOld, e.ObjectNew
			if before.GetUID() != after.GetUID() || before.GetGeneration() != after.GetGeneration() {
				add(q, after)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { add(q, e.Object) },
	}
}

// watchSecrets makes a changed Secret act at once on the objects that may use it.
func (s Setup) watchSecrets(mgr ctrl.Manager, r *CloudTaskReconciler) error {
	metadataClient, err := metadata.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("client for secrets: %w", err)
	}
	watch := &SecretWatch{
		Client: metadataClient, Names: s.SecretNames, Namespaces: s.Namespaces, Log: mgr.GetLogger().WithName("secrets"),
		Changed: func(name types.NamespacedName) {
			r.Credentials.Forget(name)
			r.Tracker.wakeUsers(name)
		},
	}
	if err := mgr.Add(watch); err != nil {
		return fmt.Errorf("add watch on secrets: %w", err)
	}
	return nil
}

// wakeQueue hands news of tasks to the controller's queue, once it runs.
type wakeQueue struct {
	queue atomic.Pointer[workqueue.TypedRateLimitingInterface[reconcile.Request]]
}

func (w *wakeQueue) start(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.queue.Store(&q)
	return nil
}

func (w *wakeQueue) add(name types.NamespacedName) {
	if q := w.queue.Load(); q != nil {
		(*q).Add(reconcile.Request{NamespacedName: name})
	}
}
