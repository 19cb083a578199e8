package controllers

import (
	"context"
	"fmt"
	"time"
	"unique"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// pageSize is how many objects are read at a time at the start: some 10 MB.
// Smaller pages cost the API server a third more. Tests make it small.
var pageSize int64 = 4000

// NewInformer returns an informer that reads what there is at the start in pages.
// As a stream of events, each object would be decoded twice; in one piece, all of
// them would be in memory thrice.
func NewInformer(lw cache.ListerWatcher, kind runtime.Object, resync time.Duration, indexers cache.Indexers) cache.SharedIndexInformer {
	source := cache.ToListerWatcherWithContext(lw)
	// A pager of its own: the reflector's takes what it is given for the whole list
	// when a page's token has expired.
	pages := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		page, err := source.ListWithContext(ctx, o)
		if err != nil {
			return nil, err //nolint:wrapcheck // the reflector asks what it is
		}
		return page, slimAll(page)
	})
	return cache.NewSharedIndexInformer(inPages{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.Limit = pageSize
			o.ResourceVersion = "" // the newest: of any other, the API server gives no pages
			list, _, err := pages.ListWithAlloc(ctx, o)
			return list, err
		},
		WatchFuncWithContext: source.WatchWithContext,
	}}, kind, resync, indexers)
}

// inPages keeps the reflector from asking for a stream.
type inPages struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is for the reflector.
func (inPages) IsWatchListSemanticsUnSupported() bool { return true }

// slimAll slims a page at once, not only when all are there, as the cache would.
func slimAll(page runtime.Object) error {
	err := meta.EachListItem(page, func(o runtime.Object) error {
		_, err := Slim(o)
		return err
	})
	if err != nil {
		return fmt.Errorf("read a page: %w", err)
	}
	return nil
}

// Slim drops from an object on its way into the cache what the operator does not
// read, which is more than half of it, and lets those that say the same share
// their words.
func Slim(o any) (any, error) {
	task, ok := o.(*v1alpha1.CloudTask)
	if !ok {
		return o, nil
	}
	task.ManagedFields, task.Labels, task.Annotations = nil, nil, nil
	s := &task.Status
	share(&task.APIVersion, &task.Kind, &task.Namespace, &task.Spec.Region, (*string)(&s.Phase), &s.Service, &s.Credentials, &s.CloudStatus, &s.TaskType)
	for i := range s.Conditions {
		c := &s.Conditions[i]
		share(&c.Type, (*string)(&c.Status), &c.Reason)
		if c.Message == s.Message {
			c.Message = s.Message
		}
	}
	return o, nil
}

func share(words ...*string) {
	for _, w := range words {
		*w = unique.Make(*w).Value()
	}
}
