package fakecloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxAdminBytes holds some 500,000 tasks.
const maxAdminBytes = 128 << 20

// TaskView is a task as the administration API shows it.
type TaskView struct {
	Task  Task      `json:"task"`
	State string    `json:"state"` // hidden, waiting, running, succeeded, failed, error
	End   time.Time `json:"end,omitzero"`
}

// adminHandler serves /_fake/ for tests and the demo, which run the cloud as
// a process of its own. Durations are text, such as 1m30s.
func (c *Cloud) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_fake/accounts", c.adminSetAccount)
	mux.HandleFunc("POST /_fake/tasks", c.adminAddTasks)
	mux.HandleFunc("GET /_fake/tasks/{service}/{id}", c.adminTask)
	mux.HandleFunc("POST /_fake/finish", c.adminFinish)
	mux.HandleFunc("POST /_fake/evict", c.adminEvict)
	mux.HandleFunc("POST /_fake/faults", c.adminInject)
	mux.HandleFunc("DELETE /_fake/faults", func(w http.ResponseWriter, _ *http.Request) {
		c.ClearFaults()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /_fake/faults/{id}", c.adminRemoveFault)
	mux.HandleFunc("POST /_fake/steal", c.adminSteal)
	mux.HandleFunc("GET /_fake/stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, c.Stats()) })
	return mux
}

// adminSetAccount takes an Account.
func (c *Cloud) adminSetAccount(w http.ResponseWriter, r *http.Request) {
	var account Account
	if !readJSON(w, r, &account) {
		return
	}
	c.mu.Lock()
	err := c.checkAccount(account)
	c.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.SetAccount(account)
	w.WriteHeader(http.StatusNoContent)
}

// adminAddTasks takes a list of Task; all are added or none.
func (c *Cloud) adminAddTasks(w http.ResponseWriter, r *http.Request) {
	var tasks []Task
	if !readJSON(w, r, &tasks) {
		return
	}
	for _, task := range tasks {
		if err := c.Check(task); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	c.Add(tasks...)
	w.WriteHeader(http.StatusNoContent)
}

// adminTask answers a TaskView.
func (c *Cloud) adminTask(w http.ResponseWriter, r *http.Request) {
	view, ok := c.view(taskID{r.PathValue("service"), r.PathValue("id")})
	if !ok {
		http.Error(w, "no such task", http.StatusNotFound)
		return
	}
	writeJSON(w, view)
}

func (c *Cloud) view(id taskID) (TaskView, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.tasks.byID[id]
	if len(found) == 0 {
		return TaskView{}, false
	}
	states := map[taskState]string{
		hidden: "hidden", waiting: "waiting", running: "running", succeeded: "succeeded", failed: "failed", errored: "error",
	}
	task := found[0]
	return TaskView{Task: task.Task, State: states[task.stateAt(c.options.Now().UnixNano())], End: task.endTime()}, true
}

// adminFinish takes {"service","id","ok","message"}.
func (c *Cloud) adminFinish(w http.ResponseWriter, r *http.Request) {
	var finish struct {
		Service, ID, Message string
		OK                   bool
	}
	if !readJSON(w, r, &finish) {
		return
	}
	if !c.Finish(finish.Service, finish.ID, finish.OK, finish.Message) {
		http.Error(w, "no such task runs", http.StatusNotFound)
		return
	}
	c.answerView(w, taskID{finish.Service, finish.ID})
}

func (c *Cloud) answerView(w http.ResponseWriter, id taskID) {
	view, _ := c.view(id) // one that was evicted meanwhile shows empty
	writeJSON(w, view)
}

// adminEvict takes {"before": time} and answers {"evicted": count}.
func (c *Cloud) adminEvict(w http.ResponseWriter, r *http.Request) {
	var evict struct{ Before time.Time }
	if readJSON(w, r, &evict) {
		writeJSON(w, map[string]int{"evicted": c.Evict(evict.Before)})
	}
}

// adminInject takes a Fault and answers {"id": number}.
func (c *Cloud) adminInject(w http.ResponseWriter, r *http.Request) {
	var fault Fault
	if !readJSON(w, r, &fault) {
		return
	}
	id, err := c.inject(fault)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeJSON(w, map[string]int{"id": id})
}

func (c *Cloud) adminRemoveFault(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		http.Error(w, "a fault's id is a number", http.StatusBadRequest)
		return
	}
	c.removeFault(id)
	w.WriteHeader(http.StatusNoContent)
}

// adminSteal takes {"api","perSecond","account"}; without account, all.
func (c *Cloud) adminSteal(w http.ResponseWriter, r *http.Request) {
	var steal struct {
		API, Account string
		PerSecond    int
	}
	if !readJSON(w, r, &steal) {
		return
	}
	var accounts []string
	if steal.Account != "" {
		accounts = []string{steal.Account}
	}
	c.Steal(steal.API, steal.PerSecond, accounts...)
	w.WriteHeader(http.StatusNoContent)
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAdminBytes))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil && decoder.More() {
		err = errors.New("more than one JSON value")
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("read request: %v", err), http.StatusBadRequest)
	}
	return err == nil
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) //nolint:errchkjson // a client that left needs no answer
}
