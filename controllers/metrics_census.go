package controllers

import (
	"sync"
	"unique"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

var (
	tasksDesc = prometheus.NewDesc("cloudtask_tasks", "CloudTasks that the operator looks after, by service and phase.", []string{"service", "phase"}, nil)
	stallDesc = prometheus.NewDesc("cloudtask_tasks_stalled", "CloudTasks that have not ended and wait for a person, by reason.", []string{"reason"}, nil)
)

// census knows how many objects there are of each kind. It follows the cache's
// events: a list of all objects at each scrape would copy every one of them.
type census struct {
	mu      sync.Mutex
	objects map[types.UID]unique.Handle[kind] // a word for each object
}

// kind is what the census tells of an object; stalled is the reason, if it is.
type kind struct {
	service string
	phase   v1alpha1.Phase
	stalled string
}

func kindOf(task *v1alpha1.CloudTask) kind {
	k := kind{service: serviceOf(task), phase: task.Status.Phase}
	if c := succeededCondition(task.Status); c != nil && stalled(task.Status) && !finished(task.Status) {
		k.stalled = c.Reason
	}
	return k
}

// handler takes the events of the cache's informer.
func (c *census) handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { c.count(nil, obj) },
		// A deletion and a new creation can arrive as one update.
		UpdateFunc: func(before, after any) { c.count(before, after) },
		DeleteFunc: func(obj any) {
			if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = last.Obj
			}
			c.count(obj, nil)
		},
	}
}

// count notes that an object has become another; nil is none.
func (c *census) count(before, after any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if task, ok := before.(*v1alpha1.CloudTask); ok {
		delete(c.objects, task.UID)
	}
	if task, ok := after.(*v1alpha1.CloudTask); ok {
		if c.objects == nil {
			c.objects = map[types.UID]unique.Handle[kind]{}
		}
		c.objects[task.UID] = unique.Make(kindOf(task))
	}
}

// Describe is for the registry.
func (*census) Describe(ch chan<- *prometheus.Desc) {
	ch <- tasksDesc
	ch <- stallDesc
}

// Collect is for the registry.
func (c *census) Collect(ch chan<- prometheus.Metric) {
	byKind, byReason := c.sum()
	for _, service := range services {
		for _, phase := range phases {
			n := byKind[kind{service: service, phase: phase}]
			ch <- prometheus.MustNewConstMetric(tasksDesc, prometheus.GaugeValue, float64(n), service, string(phase))
		}
	}
	for _, reason := range stallReasons {
		ch <- prometheus.MustNewConstMetric(stallDesc, prometheus.GaugeValue, float64(byReason[reason]), reason)
	}
}

func (c *census) sum() (byKind map[kind]int, byReason map[string]int) {
	byKind, byReason = map[kind]int{}, map[string]int{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, handle := range c.objects {
		k := handle.Value()
		byReason[k.stalled]++
		k.stalled = ""
		byKind[k]++
	}
	return byKind, byReason
}
