package controllers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

// SecretWatch tells when one of the allowed Secrets changes. It watches each by
// its name, so that RBAC can name them, and sees metadata only. A watch that is
// forbidden is logged and tried again; nothing waits for it.
type SecretWatch struct {
	Client metadata.Interface
	// Names of the Secrets, and the namespaces to watch; empty: all.
	Names, Namespaces []string
	Log               logr.Logger
	// Changed is told of a Secret that was created, changed or deleted.
	Changed func(types.NamespacedName)
}

// NeedLeaderElection makes the watch run on the leader only.
func (*SecretWatch) NeedLeaderElection() bool { return true }

// Start watches until the context ends.
func (w *SecretWatch) Start(ctx context.Context) error {
	namespaces := w.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	var running sync.WaitGroup
	defer running.Wait()
	for _, name := range w.Names {
		for _, ns := range namespaces {
			informer, err := w.informer(ns, name)
			if err != nil {
				return fmt.Errorf("watch secret %s: %w", name, err)
			}
			running.Go(func() { informer.RunWithContext(ctx) })
		}
	}
	<-ctx.Done()
	return nil
}

func (w *SecretWatch) informer(namespace, name string) (cache.SharedIndexInformer, error) {
	informer := metadatainformer.NewFilteredMetadataInformer(w.Client, corev1.SchemeGroupVersion.WithResource("secrets"),
		namespace, 0*time.Second, cache.Indexers{}, func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
		}).Informer()
	if err := informer.SetWatchErrorHandlerWithContext(w.complain(namespace, name)); err != nil {
		return nil, err
	}
	if err := informer.SetTransform(identity); err != nil {
		return nil, err
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: w.tell,
		UpdateFunc: func(before, after any) {
			if resourceVersion(before) != resourceVersion(after) {
				w.tell(after)
			}
		},
		DeleteFunc: w.tell,
	})
	return informer, err
}

// identity is all that is kept of a Secret: kubectl leaves a copy of the whole in
// an annotation.
func identity(obj any) (any, error) {
	m, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return obj, nil
	}
	return &metav1.PartialObjectMetadata{TypeMeta: m.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion,
	}}, nil
}

// complain logs why a watch fails, but not at every try, nor that a watch ended
// as watches do.
func (w *SecretWatch) complain(namespace, name string) cache.WatchErrorHandlerWithContext {
	var said string
	var at time.Time
	return func(_ context.Context, _ *cache.Reflector, err error) {
		if watchEnded(err) || err.Error() == said && time.Since(at) < time.Hour {
			return
		}
		said, at = err.Error(), time.Now()
		w.Log.Info("cannot watch a Secret; it is read once a minute meanwhile", "secret", name, "namespace", namespace, "error", said)
	}
}

// watchEnded reports whether a watch ended as watches do.
func watchEnded(err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (w *SecretWatch) tell(obj any) {
	if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = last.Obj
	}
	if m, ok := obj.(*metav1.PartialObjectMetadata); ok {
		w.Changed(types.NamespacedName{Namespace: m.Namespace, Name: m.Name})
	}
}

func resourceVersion(obj any) string {
	if m, ok := obj.(*metav1.PartialObjectMetadata); ok {
		return m.ResourceVersion
	}
	return ""
}
