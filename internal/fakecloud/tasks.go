package fakecloud

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Task is an asynchronous task. Its state follows from the clock alone.
type Task struct {
	// Account is the owner's name; "" is the first account.
	Account string `json:"account,omitempty"`
	// Region is ap-guangzhou by default.
	Region string `json:"region,omitempty"`
	// Service is redis (the default) or clb.
	Service string `json:"service,omitempty"`
	// ID is a Redis task ID, decimal, or the request ID of a CLB call.
	ID string `json:"id"`
	// DealName is another name for a CLB task.
	DealName string `json:"dealName,omitempty"`
	// InstanceID is crs-… (by default with the task's ID) or lb-….
	InstanceID string `json:"instanceID,omitempty"`
	// TypeCode and TypeName say what a Redis task does, to DescribeTaskList
	// and to DescribeTaskInfo; 004, "Redis cache purge process" by default.
	TypeCode string `json:"typeCode,omitempty"`
	TypeName string `json:"typeName,omitempty"`
	// Start is when the task begins to exist; zero is when it is added.
	Start time.Time `json:"start,omitzero"`
	// Prepare is how long after Start it waits before it runs (Redis).
	Prepare time.Duration `json:"prepare,omitempty"`
	// Duration is from Start to the end; negative never ends.
	Duration time.Duration `json:"duration,omitempty"`
	// Fails and Error end it badly: with failed, and with Redis' other word,
	// error.
	Fails bool `json:"fails,omitempty"`
	Error bool `json:"error,omitempty"`
	// Message is the failure text.
	Message string `json:"message,omitempty"`
	// HiddenFor is how long after Start nothing knows of it.
	HiddenFor time.Duration `json:"hiddenFor,omitempty"`
}

type taskState int

const (
	hidden taskState = iota
	waiting
	running
	succeeded
	failed
	errored
)

func (s taskState) ended() bool { return s >= succeeded }

// record is a task with its moments as Unix nanoseconds, first in memory,
// since lists look at very many of them.
type record struct {
	start, visible, runs, end int64
	number                    int64 // ID of a Redis task
	Task
}

func (r *record) stateAt(now int64) taskState {
	switch {
	case now < r.visible:
		return hidden
	case now >= r.end && r.Error:
		return errored
	case now >= r.end && r.Fails:
		return failed
	case now >= r.end:
		return succeeded
	case now < r.runs:
		return waiting
	}
	return running
}

// progressAt is 0 to 1, in hundredths; a task without an end makes none.
func (r *record) progressAt(now int64) float64 {
	if now >= r.end {
		return 1
	}
	if r.Duration < 0 || now < r.runs {
		return 0
	}
	return math.Floor(100*float64(now-r.start)/float64(r.end-r.start)) / 100
}

// text is the task's message as DescribeTaskInfo shows it.
func (r *record) text(s taskState) string {
	switch s {
	case succeeded:
		return "ok"
	case failed, errored:
		return r.Message
	}
	return ""
}

// tasks holds every task, findable by ID and, for Redis, listable.
type tasks struct {
	byID    map[taskID][]*record
	shelves map[place]*shelf
}

type taskID struct{ service, id string }

// dealName is the service under which deal names are found.
const dealName = "clb deal"

type place struct{ account, region string }

func newTasks() *tasks {
	return &tasks{byID: map[taskID][]*record{}, shelves: map[place]*shelf{}}
}

// find is the task of that ID in an account and region, unless it is hidden.
func (t *tasks) find(service, id string, call *call, now time.Time) *record {
	for _, r := range t.byID[taskID{service, id}] {
		if r.Account == call.account && r.Region == call.region && r.stateAt(now.UnixNano()) != hidden {
			return r
		}
	}
	return nil
}

func (t *tasks) add(r *record) {
	same := func(o *record) bool { return o.Account == r.Account && o.Region == r.Region }
	id := taskID{r.Service, r.ID}
	if i := slices.IndexFunc(t.byID[id], same); i >= 0 {
		t.remove(t.byID[id][i])
	}
	t.byID[id] = append(t.byID[id], r)
	if r.DealName != "" {
		deal := taskID{dealName, r.DealName}
		t.byID[deal] = append(t.byID[deal], r)
	}
	if r.Service == "redis" {
		t.shelf(r.Account, r.Region).add(r)
	}
}

func (t *tasks) remove(r *record) {
	t.drop(taskID{r.Service, r.ID}, r)
	t.drop(taskID{dealName, r.DealName}, r)
	t.shelf(r.Account, r.Region).remove(func(o *record) bool { return o == r })
}

func (t *tasks) drop(id taskID, r *record) {
	left := slices.DeleteFunc(t.byID[id], func(o *record) bool { return o == r })
	if t.byID[id] = left; len(left) == 0 {
		delete(t.byID, id)
	}
}

func (t *tasks) shelf(account, region string) *shelf {
	p := place{account, region}
	if t.shelves[p] == nil {
		t.shelves[p] = &shelf{byInstance: map[string][]*record{}}
	}
	return t.shelves[p]
}

// Add adds tasks, or replaces those of the same service, account, region and
// ID. It panics on a task that Check refuses.
func (c *Cloud) Add(tasks ...Task) {
	for _, task := range tasks {
		if err := c.Check(task); err != nil {
			panic("fakecloud: " + err.Error())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.options.Now()
	for _, task := range tasks {
		c.tasks.add(newRecord(c.withDefaults(task, now)))
	}
}

// Check says why a task cannot be added.
func (c *Cloud) Check(task Task) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	task = c.withDefaults(task, time.Time{})
	switch number, err := strconv.ParseInt(task.ID, 10, 64); {
	case !c.hasAccount(task.Account):
		return fmt.Errorf("task %q: no account %q", task.ID, task.Account)
	case task.Service != "redis" && task.Service != "clb":
		return fmt.Errorf("task %q: the service must be redis or clb, not %q", task.ID, task.Service)
	case task.Service == "redis" && (err != nil || number < 1):
		return fmt.Errorf("task %q: the ID of a Redis task is a positive integer", task.ID)
	case task.ID == "":
		return fmt.Errorf("a task without ID")
	}
	return nil
}

func (c *Cloud) withDefaults(task Task, now time.Time) Task {
	task.Account = cmp.Or(task.Account, c.accounts[0].Name)
	task.Region = cmp.Or(task.Region, "ap-guangzhou")
	task.Service = cmp.Or(task.Service, "redis")
	if task.Service == "redis" {
		task.InstanceID = cmp.Or(task.InstanceID, "crs-"+task.ID)
		task.TypeCode = cmp.Or(task.TypeCode, "004")
		task.TypeName = cmp.Or(task.TypeName, "Redis cache purge process")
	}
	if task.Start.IsZero() {
		task.Start = now
	}
	if task.Fails || task.Error {
		task.Message = cmp.Or(task.Message, "the task failed")
	}
	return task
}

func newRecord(task Task) *record {
	start := task.Start.UnixNano()
	r := &record{start: start, visible: start + int64(task.HiddenFor), runs: start + int64(task.Prepare), end: math.MaxInt64, Task: task}
	if task.Duration >= 0 {
		r.end = start + int64(task.Duration)
	}
	r.number, _ = strconv.ParseInt(task.ID, 10, 64) // checked for Redis; of no use for CLB
	return r
}

// End is when a task ends or ended, in whichever account and region it is;
// zero if it never does. It reports false for an unknown task.
func (c *Cloud) End(service, id string) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.tasks.byID[taskID{service, id}]
	if len(found) == 0 {
		return time.Time{}, false
	}
	return found[0].endTime(), true
}

func (r *record) endTime() time.Time {
	if r.end == math.MaxInt64 {
		return time.Time{}
	}
	return time.Unix(0, r.end)
}

// Finish ends the running tasks of that ID now, in all accounts and regions,
// well or badly. It reports false if there is none that runs.
func (c *Cloud) Finish(service, id string, ok bool, message string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.options.Now()
	finished := false
	for _, r := range c.tasks.byID[taskID{service, id}] {
		if r.end <= now.UnixNano() {
			continue
		}
		r.Duration = now.Sub(r.Start)
		r.end, r.Fails, r.Error = now.UnixNano(), !ok, false
		r.Message = cmp.Or(message, r.Message)
		finished = true
	}
	return finished
}

// Evict forgets the tasks that ended before a time and returns how many.
func (c *Cloud) Evict(before time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := func(r *record) bool { return r.end < before.UnixNano() }
	evicted := 0
	for id, records := range c.tasks.byID {
		left := slices.DeleteFunc(records, old)
		if id.service != dealName {
			evicted += len(records) - len(left)
		}
		if c.tasks.byID[id] = left; len(left) == 0 {
			delete(c.tasks.byID, id)
		}
	}
	for _, shelf := range c.tasks.shelves {
		shelf.remove(old)
	}
	return evicted
}
