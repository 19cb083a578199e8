package wait

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// apiServer speaks the list and watch of one namespace of a Kubernetes API
// server, over connections in memory, so that synctest's clock governs it. The
// tests against a real API server show that it does not lie.
type apiServer struct {
	mu      sync.Mutex
	version int
	tasks   map[string]*v1alpha1.CloudTask
	changed chan struct{} // closed and replaced at each change
	log     []event
	since   int // watches from before it get 410 Gone

	refuse map[string]int // "watch", "list x" → HTTP status; hang for no answer
	down   bool
	conns  []net.Conn
	cut    chan struct{} // closed and replaced to end all watches
	lists  int
}

const hang = -1

type event struct {
	version int
	Type    string              `json:"type"`
	Object  *v1alpha1.CloudTask `json:"object"`
}

func newAPIServer(tasks ...state) *apiServer {
	s := &apiServer{
		tasks: map[string]*v1alpha1.CloudTask{}, refuse: map[string]int{},
		changed: make(chan struct{}), cut: make(chan struct{}),
	}
	for _, t := range tasks {
		s.put(t)
	}
	return s
}

func (s *apiServer) put(t state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := "MODIFIED"
	if s.tasks[t.task.Name] == nil {
		kind = "ADDED"
	}
	s.tasks[t.task.Name] = t.task
	s.record(kind, t.task)
}

func (s *apiServer) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record("DELETED", s.tasks[name])
	delete(s.tasks, name)
}

// record is called with the lock held.
func (s *apiServer) record(kind string, t *v1alpha1.CloudTask) {
	s.version++
	t = t.DeepCopy()
	t.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "CloudTask"}
	t.ResourceVersion = strconv.Itoa(s.version)
	s.log = append(s.log, event{s.version, kind, t})
	close(s.changed)
	s.changed = make(chan struct{})
}

// forget drops a change from the log: watches from before it are Gone.
func (s *apiServer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.since = nil, s.version
}

// endWatches cuts all connections that stream, as a load balancer may.
func (s *apiServer) endWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

func (s *apiServer) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}

func (s *apiServer) setRefusal(what string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse[what] = status
}

func (s *apiServer) listed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name, named := strings.CutPrefix(q.Get("fieldSelector"), "metadata.name=")
	verb := "list"
	if q.Get("watch") != "" {
		verb = "watch"
	}
	s.mu.Lock()
	status := cmp.Or(s.refuse[verb], s.refuse[verb+" "+name])
	s.mu.Unlock()
	switch {
	case r.URL.Path != "/apis/tencent.cloudtask.dev/v1alpha1/namespaces/shop/cloudtasks" || !named:
		status = http.StatusTeapot
	case status == hang:
		<-r.Context().Done()
		return
	case status != 0:
	case verb == "watch":
		s.watch(w, r, name)
		return
	default:
		s.list(w, name)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(failure(status))
}

func failure(status int) metav1.Status {
	reasons := map[int]metav1.StatusReason{
		403: metav1.StatusReasonForbidden, 404: metav1.StatusReasonNotFound, 401: metav1.StatusReasonUnauthorized,
		410: metav1.StatusReasonExpired, 500: metav1.StatusReasonInternalError,
	}
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   "Failure", Code: int32(status), Reason: reasons[status], Message: "refused by the test",
	}
}

func (s *apiServer) list(w http.ResponseWriter, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	list := v1alpha1.CloudTaskList{}
	list.APIVersion, list.Kind = v1alpha1.GroupVersion.String(), "CloudTaskList"
	list.ResourceVersion = strconv.Itoa(s.version)
	if t := s.tasks[name]; t != nil {
		list.Items = append(list.Items, *t)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, name string) {
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	s.mu.Lock()
	cut := s.cut
	s.mu.Unlock()
	for {
		s.mu.Lock()
		changed, since := s.changed, s.since
		var news []event
		for _, e := range s.log {
			if e.version > from && e.Object.Name == name {
				news = append(news, e)
			}
		}
		from = max(from, s.version*min(1, len(s.log)))
		s.mu.Unlock()
		if from < since {
			_ = encoder.Encode(map[string]any{"type": "ERROR", "object": failure(http.StatusGone)})
			return
		}
		for _, e := range news {
			_ = encoder.Encode(e)
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-changed:
		case <-cut:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// Accept, Close and Addr make no network: dial hands over one end of a pipe.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error { close(p.closed); return nil }

func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// cluster starts the server and returns a client of it; both end with the test.
func (s *apiServer) cluster(t *testing.T) *cluster {
	t.Helper()
	listener := pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: s}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	c, err := newCluster(&rest.Config{
		Host: "http://user:secret@api.test",
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			s.mu.Lock()
			down := s.down
			client, served := net.Pipe()
			s.conns = append(s.conns, served)
			s.mu.Unlock()
			if down {
				return nil, errors.New("connection refused")
			}
			select {
			case listener.conns <- served:
				return client, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}, "shop")
	if err != nil {
		t.Fatal(err)
	}
	c.flags = " -n shop"
	return c
}
