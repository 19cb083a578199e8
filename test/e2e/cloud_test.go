//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// cloudURL is where the simulated cloud listens: on the node's own address, which
// every pod reaches without a Service.
const cloudURL = "http://10.88.0.1:8080"

const cloudPod = `
apiVersion: v1
kind: Pod
metadata: {name: cloud, namespace: default}
spec:
  hostNetwork: true
  containers:
  - name: cloud
    image: e2e.local/cloud:e2e
    imagePullPolicy: Never
    args: [--listen=10.88.0.1:8080]
`

// The accounts of the simulated cloud. The same task ID means another task in
// each.
var (
	operatorAccount = fakecloud.Account{Name: "operator", Keys: []fakecloud.Key{{SecretID: "operator-id", SecretKey: "operator-key"}}}
	tenantAccount   = fakecloud.Account{Name: "tenant", Keys: []fakecloud.Key{{SecretID: "tenant-id", SecretKey: "tenant-key"}}}
)

// cloud is the administration of the simulated cloud.
type cloud struct{ http.Client }

func (c *cloud) start(t *testing.T, n *node) {
	t.Helper()
	n.apply(t, cloudPod)
	n.await(t, "the simulated cloud", func() error {
		_, err := c.try(http.MethodGet, "/_fake/stats", nil)
		return err
	})
	c.do(t, http.MethodPost, "/_fake/accounts", operatorAccount)
	c.do(t, http.MethodPost, "/_fake/accounts", tenantAccount)
}

func (c *cloud) add(t *testing.T, tasks ...fakecloud.Task) {
	t.Helper()
	c.do(t, http.MethodPost, "/_fake/tasks", tasks)
}

func (c *cloud) finish(t *testing.T, task fakecloud.Task, ok bool) {
	t.Helper()
	c.do(t, http.MethodPost, "/_fake/finish", map[string]any{"service": task.Service, "id": task.ID, "ok": ok})
}

// forgetCallers makes firstCall tell of calls from now on only.
func (c *cloud) forgetCallers(t *testing.T) {
	t.Helper()
	c.do(t, http.MethodDelete, "/_e2e/callers", nil)
}

// firstCall says when each address called first.
func (c *cloud) firstCall(t *testing.T) map[string]time.Time {
	t.Helper()
	var callers map[string]time.Time
	if err := json.Unmarshal(c.do(t, http.MethodGet, "/_e2e/callers", nil), &callers); err != nil {
		t.Fatal(err)
	}
	return callers
}

func (c *cloud) do(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	answer, err := c.try(method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (c *cloud) try(method, path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(method, cloudURL+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return answer, err
}
