//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testMetrics asks for the metrics by the Service, as someone unknown, as someone
// who may not, and as someone who may.
func testMetrics(t *testing.T, n *node, g *granted) {
	r := n.newRelease(t, "HELM4", system, "")
	defer n.leave(t, r)
	r.install(t)
	n.awaitReady(t, system, 1)
	g.note(t, n, system)
	body := scrape(t, n, system)
	if !strings.Contains(body, "cloudtask_") {
		t.Errorf("there are no metrics of CloudTask: %.2000s", body)
	}
	figure(t, "metrics: series of an operator without objects", series(body))
}

func series(body string) int {
	count := 0
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") {
			count++
		}
	}
	return count
}

// scrape asks the operator in a namespace for its metrics, and returns what the
// one gets who may.
func scrape(t *testing.T, n *node, namespace string) string {
	t.Helper()
	for _, account := range []string{"stranger", "prometheus"} {
		n.run(t, "kubectl", "-n", namespace, "create", "serviceaccount", account)
	}
	n.apply(t, metricsReader)
	n.run(t, "kubectl", "create", "clusterrolebinding", "e2e-"+namespace, "--clusterrole=e2e-metrics-reader", "--serviceaccount="+namespace+":prometheus")
	t.Cleanup(func() {
		n.try(t, "", "kubectl", "delete", "clusterrolebinding", "e2e-"+namespace)
	})
	stranger := n.run(t, "kubectl", "-n", namespace, "create", "token", "stranger")
	prometheus := n.run(t, "kubectl", "-n", namespace, "create", "token", "prometheus")
	body := ""
	for _, c := range []struct {
		token string
		want  int
	}{{"", http.StatusUnauthorized}, {stranger, http.StatusForbidden}, {prometheus, http.StatusOK}} {
		n.await(t, fmt.Sprintf("the metrics answer %d", c.want), func() error {
			status, text, err := n.metrics(t, namespace, c.token)
			if err == nil && status != c.want {
				err = fmt.Errorf("status %d: %.200s", status, text)
			}
			body = text
			return err
		})
	}
	return body
}

const metricsReader = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: e2e-metrics-reader}
rules: [{nonResourceURLs: [/metrics], verbs: [get]}]
`

// metrics asks the Service of the metrics, whose certificate is its own.
func (n *node) metrics(t *testing.T, namespace, token string) (int, string, error) {
	t.Helper()
	var service corev1.Service
	if err := n.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "cloudtask-metrics"}, &service); err != nil {
		return 0, "", err
	}
	url := fmt.Sprintf("https://%s:%d/metrics", service.Spec.ClusterIP, service.Spec.Ports[0].Port)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true} //nolint:gosec // self-signed
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
