package wait

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

const (
	// startPatience is how long an API server may be unreachable that has not
	// answered yet: more likely a wrong address than a restart.
	startPatience = 5 * time.Second
	// outagePatience outlasts a restart of the API server.
	outagePatience = 30 * time.Second
	// callTimeout bounds a list, and the time until a watch begins.
	callTimeout = 10 * time.Second
	// minTries lets a login that a credential plugin asks of the user take
	// longer than one call.
	minTries = 2
	// watchSeconds makes the server end a watch, so that the list that follows
	// finds what a broken watch did not tell.
	watchSeconds int64 = 300
)

// update is what a follower has learnt: exactly one field besides name is set.
type update struct {
	name  string
	task  *v1alpha1.CloudTask
	lost  error // the API server does not answer and is asked again
	final error // nothing more will come
}

// follower tells of every state of one object, from a list and the watch that
// continues it, again and again. A tools/watch.RetryWatcher would hide for how
// long the server has not answered.
type follower struct {
	cluster *cluster
	name    string
	once    bool // one look, no watch
	updates chan<- update

	uid     types.UID // of the object first seen
	watched bool      // a watch has begun once
	failing time.Time // when the calls began to fail; zero after a good list
	tries   int       // calls failed since then
}

// follow returns after a final update, a single look, or when ctx is done.
func (f *follower) follow(ctx context.Context) {
	pause := pauses()
	f.failing = time.Now()
	for {
		began := time.Now()
		err := f.look(ctx)
		if ctx.Err() != nil || (err == nil && f.once) {
			return
		}
		if final := (*waitError)(nil); errors.As(err, &final) {
			f.tell(ctx, update{final: final})
			return
		}
		if err != nil {
			f.tell(ctx, update{lost: err})
		}
		if time.Since(began) > callTimeout {
			pause = pauses()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause.Step()):
		}
	}
}

// pauses are 0.5, 1, 2 and then always 4 s, each up to half as long again.
func pauses() wait.Backoff {
	return wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 4, Cap: 4 * time.Second}
}

// look lists the object and watches it until the watch ends, which is no error.
// A *waitError is final.
func (f *follower) look(ctx context.Context) error {
	objects := f.cluster.tasks(f.name)
	task, version, err := f.list(ctx, objects)
	if err != nil {
		return f.giveUp(err)
	}
	f.failing, f.tries = time.Time{}, 0
	if task == nil {
		return f.absent()
	}
	if err := f.saw(ctx, task); err != nil || f.once {
		return err
	}
	return f.watch(ctx, objects, version)
}

func (f *follower) list(ctx context.Context, objects cache.ListerWithContext) (*v1alpha1.CloudTask, string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := objects.ListWithContext(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, "", err
	}
	tasks, ok := list.(*v1alpha1.CloudTaskList)
	if !ok {
		return nil, "", fmt.Errorf("the API server answered with a %T", list)
	}
	for i := range tasks.Items {
		if tasks.Items[i].Name == f.name {
			return &tasks.Items[i], tasks.ResourceVersion, nil
		}
	}
	return nil, tasks.ResourceVersion, nil
}

func (f *follower) watch(ctx context.Context, objects cache.WatcherWithContext, version string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timeout := watchSeconds
	patience := time.AfterFunc(callTimeout, cancel)
	w, err := objects.WatchWithContext(ctx, metav1.ListOptions{ResourceVersion: version, TimeoutSeconds: &timeout})
	patience.Stop()
	if err != nil {
		return f.refusal("watch", err) // of other faults the next list tells
	}
	defer w.Stop()
	f.watched = true
	for event := range w.ResultChan() {
		task, ok := event.Object.(*v1alpha1.CloudTask)
		switch {
		case !ok || event.Type == watch.Error:
			return nil // most often 410 Gone: list again
		case event.Type == watch.Deleted:
			return f.absent()
		}
		if err := f.saw(ctx, task); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) saw(ctx context.Context, task *v1alpha1.CloudTask) error {
	if f.uid != "" && task.UID != f.uid {
		return newError(codeOther, fmt.Sprintf("CloudTask %s was deleted and created anew while waiting: this is another task", f.name))
	}
	f.uid = task.UID
	f.tell(ctx, update{task: task})
	return nil
}

func (f *follower) absent() error {
	if f.uid != "" {
		return newError(codeOther, fmt.Sprintf("CloudTask %s was deleted while waiting", f.name))
	}
	return newError(codeOther, fmt.Sprintf("CloudTask %s does not exist in %s", f.name, f.cluster),
		"To see those that do: kubectl get cloudtasks"+f.cluster.flags)
}

func (f *follower) tell(ctx context.Context, u update) {
	u.name = f.name
	select {
	case f.updates <- u:
	case <-ctx.Done():
	}
}

// giveUp makes the error of a list final if asking again will not help.
func (f *follower) giveUp(err error) error {
	if refusal := f.refusal("list", err); refusal != nil {
		return refusal
	}
	patience := outagePatience
	if !f.watched {
		patience = startPatience
	}
	if f.failing.IsZero() {
		f.failing = time.Now()
	}
	f.tries++
	if f.tries >= minTries && time.Since(f.failing) >= patience {
		return f.unreachable(err)
	}
	return err
}

// refusal is nil for an error that may pass. Once a watch has begun that is any:
// an API server that restarts may refuse what it allows a second later.
func (f *follower) refusal(verb string, err error) error {
	switch {
	case f.watched:
		return nil
	case apierrors.IsForbidden(err):
		return newError(codeOther, fmt.Sprintf("not allowed to %s cloudtasks in namespace %s: %v", verb, f.cluster.namespace, err),
			fmt.Sprintf("It takes the verbs list and watch on cloudtasks in API group %s; a Role may name the object (resourceNames).", v1alpha1.GroupVersion.Group))
	case apierrors.IsUnauthorized(err):
		return newError(codeOther, fmt.Sprintf("the API server %s does not accept the credentials: %v", f.cluster.server, err))
	case apierrors.IsNotFound(err):
		return newError(codeOther, fmt.Sprintf("the API server %s knows no cloudtasks of %s", f.cluster.server, v1alpha1.GroupVersion),
			"Is CloudTask installed in this cluster? To see: kubectl get crd cloudtasks."+v1alpha1.GroupVersion.Group)
	}
	return nil
}

func (f *follower) unreachable(err error) error {
	return newError(codeOther, fmt.Sprintf("the API server %s cannot be reached: %v", f.cluster.server, plain(err)))
}

// plain drops the long URL that an error of net/http begins with.
func plain(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}
