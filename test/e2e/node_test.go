//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// guard is how long anything may take on a machine that is busy with other work:
// the tests assert no times, they log them.
const guard = 3 * time.Minute

// node is the real node that hack/e2e/node.sh runs around the tests.
type node struct {
	client.WithWatch
	dir   string // the node's own files
	root  string // the work tree
	cloud cloud
	// uninstalls are the times in which an operator may still run whose roles
	// have been deleted, by its namespace.
	uninstalls map[string][]interval
}

type interval struct{ begin, end time.Time }

// uninstalling runs the removal of an operator.
func (n *node) uninstalling(namespace string, remove func()) {
	begin := time.Now()
	remove()
	if n.uninstalls == nil {
		n.uninstalls = map[string][]interval{}
	}
	n.uninstalls[namespace] = append(n.uninstalls[namespace], interval{begin, time.Now()})
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{dir: os.Getenv("E2E_NODE"), root: os.Getenv("E2E_ROOT")}
	if n.dir == "" || n.root == "" {
		t.Fatal("these tests run on the node of hack/e2e: make e2e")
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	klog.SetLogger(klog.Logger{}) // a watch that ends with its CRD is no news
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	n.WithWatch, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// try runs a command in the work tree and returns what it said.
func (n *node) try(t *testing.T, stdin, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = n.root
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run runs a command that must succeed.
func (n *node) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	return n.feed(t, "", name, args...)
}

// feed runs a command that must succeed with the given input.
func (n *node) feed(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	out, err := n.try(t, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return out
}

// apply applies objects given as YAML.
func (n *node) apply(t *testing.T, yaml string) {
	t.Helper()
	n.feed(t, yaml, "kubectl", "apply", "-f", "-")
}

// await waits until something is so. The error of the last try says what is
// missing.
func (n *node) await(t *testing.T, what string, check func() error) {
	t.Helper()
	missing := error(nil)
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, guard, true, func(context.Context) (bool, error) {
		missing = check()
		return missing == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: %v", what, missing)
	}
}

// figure logs a measured value, and keeps it in the report.
func figure(t *testing.T, what string, value any) {
	t.Helper()
	if d, ok := value.(time.Duration); ok {
		value = d.Round(10 * time.Millisecond)
	}
	line := fmt.Sprintf("%-60s %v", what, value)
	t.Log(line)
	file, err := os.OpenFile(filepath.Join(os.Getenv("E2E_REPORT"), "figures.txt"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintln(file, line)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

// signalServer sends a signal to one of the node's own servers.
func (n *node) signalServer(t *testing.T, name string, signal syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, name+".pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatalf("send %v to %s: %v", signal, name, err)
	}
}

// auditEvent is what the tests need of a line of the audit log.
type auditEvent struct {
	Verb string `json:"verb"`
	User struct {
		Username string              `json:"username"`
		Extra    map[string][]string `json:"extra"`
	} `json:"user"`
	ObjectRef struct {
		APIGroup    string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	RequestURI     string            `json:"requestURI"`
	Annotations    map[string]string `json:"annotations"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	StageTimestamp time.Time `json:"stageTimestamp"`
}

// forbidden says that a role was missing. Creating something in a namespace that is
// being deleted is answered with 403 as well.
func (e auditEvent) forbidden() bool {
	return e.Annotations["authorization.k8s.io/decision"] == "forbid"
}

// audit returns what a service account did, in the order of its ends.
func (n *node) audit(t *testing.T, username string) []auditEvent {
	t.Helper()
	file, err := os.Open(filepath.Join(n.dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	var events []auditEvent
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e auditEvent
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.User.Username == username { // the last line may be half written
			events = append(events, e)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}
