//go:build observability

package observability

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

const (
	shop    = "shop"    // has a good key
	nokey   = "nokey"   // has none
	refused = "refused" // has one that the cloud refuses
)

// world is a cluster with three namespaces, and a cloud.
type world struct {
	*testing.T
	client.Client
	cloud  *fakecloud.Cloud
	url    string
	random *rand.Rand
	last   int // ID of a task
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	check(t, clientgoscheme.AddToScheme(scheme))
	check(t, v1alpha1.AddToScheme(scheme))
	c, err := client.New(env.Config, client.Options{Scheme: scheme})
	check(t, err)
	key := fakecloud.Key{SecretID: "AKIDobservability", SecretKey: "observabilitySecretKey"}
	w := &world{T: t, Client: c, random: rand.New(rand.NewPCG(1, 2)), cloud: fakecloud.New(fakecloud.Options{
		Accounts: []fakecloud.Account{{Name: "main", Keys: []fakecloud.Key{key}}}, Latency: latency, Seed: 1,
	})}
	w.url, err = w.cloud.Listen("127.0.0.1:0")
	check(t, err)
	t.Cleanup(w.cloud.Close)
	for _, name := range []string{shop, nokey, refused} {
		check(t, w.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	w.secret(shop, key)
	w.secret(refused, fakecloud.Key{SecretID: key.SecretID, SecretKey: "another"})
	return w
}

func latency(api string) time.Duration {
	if api == fakecloud.RedisTaskList {
		return 120 * time.Millisecond
	}
	return 60 * time.Millisecond
}

func (w *world) secret(namespace string, k fakecloud.Key) {
	w.Helper()
	check(w.T, w.Create(w.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tencent-credentials"},
		StringData: map[string]string{"secretId": k.SecretID, "secretKey": k.SecretKey},
	}))
}

// object is a CloudTask for the next task: mostly Redis, some CLB, some by API 2.0.
func (w *world) object(namespace string) *v1alpha1.CloudTask {
	w.last++
	task := &v1alpha1.CloudTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("task-%d", w.last)},
		Spec:       v1alpha1.CloudTaskSpec{Region: "ap-guangzhou"},
	}
	switch w.last % 10 {
	case 1, 4, 7:
		task.Spec.CLB = &v1alpha1.CLBTask{RequestID: new(task.Name)}
	case 5:
		task.Spec.Redis = &v1alpha1.RedisTask{TaskID: new(int64(w.last)), API: "2.0"}
	default:
		task.Spec.Redis = &v1alpha1.RedisTask{TaskID: new(int64(w.last))}
	}
	return task
}

// taskOf is the object's task in the cloud; every eighth fails.
func (w *world) taskOf(object *v1alpha1.CloudTask, lasts time.Duration) fakecloud.Task {
	task := fakecloud.Task{
		ID: fmt.Sprint(w.last), Prepare: time.Second, Duration: lasts, Fails: w.last%8 == 0, Message: "the instance is locked",
	}
	if object.Spec.CLB != nil {
		task.Service, task.ID = "clb", object.Name
	}
	return task
}

// begin begins a task in the cloud and creates its object.
func (w *world) begin(ctx context.Context, lasts time.Duration) error {
	object := w.object(shop)
	w.cloud.Add(w.taskOf(object, lasts))
	return w.Create(ctx, object)
}

// settle makes a hundred objects that go through all that can happen.
func (w *world) settle() {
	w.Helper()
	undo := w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.BadGateway, Count: 20})
	throttle := w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.Throttle, Count: 20})
	w.Cleanup(undo)
	w.Cleanup(throttle)
	for range 90 {
		check(w.T, w.begin(w.Context(), 2*time.Second+time.Duration(w.random.IntN(8000))*time.Millisecond))
	}
	for _, namespace := range []string{nokey, refused} {
		for range 3 {
			check(w.T, w.Create(w.Context(), w.object(namespace)))
		}
	}
	for range 2 { // of which the cloud knows nothing
		object := w.object(shop)
		object.Spec.NotFoundGracePeriod = new(v1alpha1.Duration("1s"))
		check(w.T, w.Create(w.Context(), object))
	}
	for range 2 { // which end too late
		object := w.object(shop)
		object.Spec.Timeout = new(v1alpha1.Duration("5s"))
		w.cloud.Add(w.taskOf(object, -1))
		check(w.T, w.Create(w.Context(), object))
	}
}

// crowd creates suspended objects, several at once, until there are so many.
func (w *world) crowd(ctx context.Context, n int) error {
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(16)
	for i := range n {
		calls.Go(func() error {
			return w.Create(ctx, &v1alpha1.CloudTask{
				ObjectMeta: metav1.ObjectMeta{Namespace: shop, Name: fmt.Sprintf("crowd-%d", i)},
				Spec: v1alpha1.CloudTaskSpec{
					Region: "ap-guangzhou", Suspend: true, Redis: &v1alpha1.RedisTask{TaskID: new(int64(1_000_000 + i))},
				},
			})
		})
	}
	return calls.Wait()
}

// traffic begins tasks for so long: in its second third others use the quota too,
// in its last third the cloud fails now and then.
func (w *world) traffic(ctx context.Context, lasts time.Duration) error {
	over := time.NewTimer(lasts)
	defer over.Stop()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	var noise func()
	for {
		switch third := int(3 * time.Since(began) / lasts); {
		case third == 1:
			w.cloud.Steal(fakecloud.CLBTaskStatus, 14)
			w.cloud.Steal(fakecloud.RedisTaskInfo, 14)
		case third == 2 && noise == nil:
			w.cloud.Steal(fakecloud.CLBTaskStatus, 0)
			w.cloud.Steal(fakecloud.RedisTaskInfo, 0)
			noise = w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.BadGateway, Probability: 0.3})
			defer noise()
		}
		select {
		case <-over.C:
			return nil
		case <-tick.C:
			if err := w.begin(ctx, 3*time.Second+time.Duration(w.random.ExpFloat64()*float64(10*time.Second))); err != nil {
				return err
			}
		}
	}
}
