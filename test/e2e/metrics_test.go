//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// testMetrics asks for the metrics by the Service, as someone unknown, as someone
// who may not, and as someone who may; and again with ever more objects.
func testMetrics(t *testing.T, n *node, g *granted) {
	const namespace = "many"
	r := n.newRelease(t, "HELM4", system, "")
	defer n.leave(t, r, namespace)
	r.install(t)
	n.awaitReady(t, system, 1)
	g.note(t, n, system)
	body := scrape(t, n, system)
	if !strings.Contains(body, "cloudtask_") {
		t.Errorf("there are no metrics of CloudTask: %.2000s", body)
	}
	if out, err := n.try(t, body, "promtool", "check", "metrics"); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}

	turnOnMonitoring(t, r)
	n.makeNamespace(t, namespace)
	n.feed(t, tenantSecret, "kubectl", "-n", namespace, "apply", "-f", "-")
	var tasks []task
	suspended := func(s *v1alpha1.CloudTaskSpec) { s.Suspend = true }
	for range 10_000 {
		k := redisTask(tenantAccount, namespace, endless, false)
		k.spec = suspended
		tasks = append(tasks, k)
	}
	// Some of each kind are asked about, so that all that is told is there.
	tasks[0].spec, tasks[1].spec = nil, nil
	n.begin(t, tasks[:100]...)
	few := n.seriesWith(t, 100)
	begin := time.Now()
	n.begin(t, tasks[100:]...)
	figure(t, "metrics: 9,900 objects made within", time.Since(begin))
	many := n.seriesWith(t, len(tasks))
	figure(t, "metrics: series with 100 objects", len(few))
	figure(t, "metrics: series with 10,000 objects", len(many))
	for name := range many {
		if !few[name] {
			t.Errorf("a series of the objects: %s", name)
		}
	}
}

// turnOnMonitoring runs the README's command, where the Prometheus Operator's kinds
// are known.
func turnOnMonitoring(t *testing.T, r *release) {
	t.Helper()
	for kind, plural := range map[string]string{"ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules"} {
		r.apply(t, fmt.Sprintf(monitoringKind, kind, plural, strings.ToLower(kind)))
		name := plural + ".monitoring.coreos.com"
		r.run(t, "kubectl", "wait", "--for=condition=Established", "crd/"+name, "--timeout=1m")
		defer r.run(t, "kubectl", "delete", "crd", name)
	}
	r.run(t, r.helm, "upgrade", "cloudtask", r.chart, "-n", r.namespace, "--reuse-values",
		"--set", "metrics.serviceMonitor.enabled=true", "--set", "metrics.prometheusRule.enabled=true",
		"--set", "metrics.grafanaDashboard.enabled=true")
	r.run(t, "kubectl", "-n", r.namespace, "get", "servicemonitor/cloudtask", "prometheusrule/cloudtask", "configmap/cloudtask-dashboard")
	r.run(t, r.helm, "rollback", "cloudtask", "1", "-n", r.namespace)
	r.awaitReady(t, r.namespace, 1)
}

const monitoringKind = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]s.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: %[1]s, plural: %[2]s, singular: %[3]s}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// seriesWith are the series of CloudTask's own metrics once so many objects are
// counted.
func (n *node) seriesWith(t *testing.T, objects int) map[string]bool {
	t.Helper()
	token := n.run(t, "kubectl", "-n", system, "create", "token", "prometheus")
	series := map[string]bool{}
	n.await(t, fmt.Sprintf("%d objects are counted", objects), func() error {
		status, body, err := n.metrics(t, system, token)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("the metrics answer %d: %w", status, err)
		}
		counted := 0.0
		clear(series)
		for line := range strings.Lines(body) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if !strings.HasPrefix(name, "cloudtask_") {
				continue
			}
			series[name] = true
			if strings.HasPrefix(name, "cloudtask_tasks{") {
				number, err := strconv.ParseFloat(value, 64)
				if err != nil {
					return err
				}
				counted += number
			}
		}
		if int(counted) != objects {
			return fmt.Errorf("it counts %v", counted)
		}
		return nil
	})
	return series
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
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
