package charttest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func deployment(t *testing.T, rendered objects) *appsv1.Deployment {
	t.Helper()
	for name := range rendered {
		if strings.HasPrefix(name, "Deployment ") {
			return get[appsv1.Deployment](t, rendered, name)
		}
	}
	t.Fatal("there is no Deployment")
	return nil
}

func manager(t *testing.T, rendered objects) corev1.Container {
	t.Helper()
	return deployment(t, rendered).Spec.Template.Spec.Containers[0]
}

// TestArgs: how values become flags and environment.
func TestArgs(t *testing.T) {
	cases := map[string]struct {
		reason string
		values string
		want   []string
		not    []string
	}{
		"Default": {
			reason: "no key of its own for anyone, secure metrics, no election",
			want:   []string{"manager", "--credential-secret-names=tencent-credentials", "--metrics-bind-address=:8443", "--metrics-secure=true"},
			not:    []string{"--operator-credentials-namespaces", "--leader-elect", "--namespaces", "--cloud-endpoint"},
		},
		"NoSecrets":    {reason: "none, not the flag's default", values: "credentials: {secretNames: []}", want: []string{"--credential-secret-names="}},
		"Namespaces":   {reason: "without TokenReview, no secure metrics", values: "watchNamespaces: [a, b]", want: []string{"--namespaces=a,b", "--metrics-bind-address=0"}},
		"Delegated":    {reason: "with it, they are on", values: "watchNamespaces: [a]\nmetrics: {authDelegator: true}", want: []string{"--metrics-bind-address=:8443", "--metrics-secure=true"}},
		"PlainMetrics": {reason: "plain ones need no TokenReview", values: "watchNamespaces: [a]\nmetrics: {secure: false}", want: []string{"--metrics-bind-address=:8443", "--metrics-secure=false"}},
		"Replicas":     {reason: "two replicas elect", values: "replicaCount: 2", want: []string{"--leader-elect", "--leader-elect-identity=$(POD_NAME)_$(POD_UID)", "--leader-elect-lease-duration=15s", "--leader-elect-renew-deadline=10s", "--leader-elect-retry-period=500ms"}},
		"All": {
			reason: "everything else", values: all,
			want: []string{
				"--watch-label-selector=shard in (a, b)", "--operator-credentials-namespaces=shop,*", "--cloud-root-domain=intl.tencentcloudapi.com",
				"--cloud-endpoint=http://10.0.0.1:8080", "--api-rate=redis.DescribeTaskInfo=12.5", "--api-rate=clb.DescribeTaskStatus=100",
				"--zap-log-level=3", "--zap-encoder=console", "--max-poll-interval=30s",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			args := manager(t, render(t, tc.values)).Args
			for _, want := range tc.want {
				if !slices.Contains(args, want) {
					t.Errorf("%s: no %s in %v", tc.reason, want, args)
				}
			}
			for _, not := range tc.not {
				if strings.Contains(strings.Join(args, " "), not) {
					t.Errorf("%s: %s in %v", tc.reason, not, args)
				}
			}
		})
	}
}

// TestFlags: the program knows every flag that the chart gives it.
func TestFlags(t *testing.T) {
	program := t.TempDir() + "/cloudtask"
	if _, err := run(t, "go", "build", "-o", program, "cloudtask.dev/cloudtask"); err != nil {
		t.Fatal(err)
	}
	rendered := render(t, all)
	pods := map[string]corev1.Container{
		"Manager": manager(t, rendered),
		"Test":    get[corev1.Pod](t, rendered, "Pod cloudtask-system/tasks-test").Spec.Containers[0],
	}
	for name, c := range pods {
		t.Run(name, func(t *testing.T) {
			if _, err := run(t, program, append(c.Args, "--help")...); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := run(t, program, "manager", "--no-such-flag", "--help"); err == nil {
		t.Error("the program takes any flag: this test proves nothing")
	}
}

// TestKeys: where the operator's own key comes from.
func TestKeys(t *testing.T) {
	secret := func(key string, optional *bool) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "own"}, Key: key, Optional: optional,
		}}
	}
	cases := map[string]struct {
		reason string
		values string
		want   []corev1.EnvVar
	}{
		"None": {reason: "only Secrets of the tasks", values: "goMemLimit: false"},
		"Secret": {
			reason: "a token is for temporary keys alone", values: "goMemLimit: false\ncredentials: {existingSecret: own}",
			want: []corev1.EnvVar{
				{Name: "TENCENTCLOUD_SECRET_ID", ValueFrom: secret("secretId", nil)},
				{Name: "TENCENTCLOUD_SECRET_KEY", ValueFrom: secret("secretKey", nil)},
				{Name: "TENCENTCLOUD_TOKEN", ValueFrom: secret("token", new(true))},
			},
		},
		"PodIdentity": {
			reason: "what TKE's own webhook would set",
			values: "goMemLimit: false\npodIdentity: {enabled: true, region: ap-guangzhou, providerId: cls-1, roleArn: 'qcs::cam::uin/1:roleName/x'}",
			want: []corev1.EnvVar{
				{Name: "TKE_REGION", Value: "ap-guangzhou"},
				{Name: "TKE_PROVIDER_ID", Value: "cls-1"},
				{Name: "TKE_ROLE_ARN", Value: "qcs::cam::uin/1:roleName/x"},
				{Name: "TKE_WEB_IDENTITY_TOKEN_FILE", Value: "/var/run/secrets/cloud.tencent.com/serviceaccount/token"},
			},
		},
		"MemoryLimit": {
			reason: "the default has a limit", want: []corev1.EnvVar{
				{Name: "GOMEMLIMIT", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"}}},
			},
		},
		"Election": {
			reason: "a container that is started again is the leader that its predecessor was", values: "goMemLimit: false\nreplicaCount: 2",
			want: []corev1.EnvVar{
				{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
				{Name: "POD_UID", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.uid"}}},
			},
		},
		"NoMemoryLimit": {reason: "the node's memory is not ours", values: "resources: {limits: null}"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, manager(t, render(t, tc.values)).Env); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// TestPodIdentityToken: the file that the environment names is the token, for
// STS alone.
func TestPodIdentityToken(t *testing.T) {
	d := deployment(t, render(t, all))
	source := d.Spec.Template.Spec.Volumes[0]
	mount := d.Spec.Template.Spec.Containers[0].VolumeMounts[0]
	if len(source.Projected.Sources) != 1 || source.Name != mount.Name {
		t.Fatalf("volume %v is mounted as %v", source, mount)
	}
	token := source.Projected.Sources[0].ServiceAccountToken
	if token.Audience != "sts.example.org" || mount.MountPath+"/"+token.Path != "/var/run/secrets/cloud.tencent.com/serviceaccount/token" || !mount.ReadOnly {
		t.Errorf("token %+v at %+v", token, mount)
	}
}

// TestUpdate: two that know nothing of each other never work at once.
func TestUpdate(t *testing.T) {
	for values, want := range map[string]appsv1.DeploymentStrategyType{
		"": appsv1.RecreateDeploymentStrategyType, "leaderElection: {enabled: true}": appsv1.RollingUpdateDeploymentStrategyType,
		"replicaCount: 2": appsv1.RollingUpdateDeploymentStrategyType,
	} {
		if got := deployment(t, render(t, values)).Spec.Strategy.Type; got != want {
			t.Errorf("%q: %s, want %s", values, got, want)
		}
	}
}

// TestRestricted: the fields that the Pod Security Standard restricted asks for,
// of all pods; the test with the API server lets it judge itself.
func TestRestricted(t *testing.T) {
	rendered := render(t, "")
	pods := map[string]corev1.PodSpec{
		"Manager": deployment(t, rendered).Spec.Template.Spec,
		"Test":    get[corev1.Pod](t, rendered, "Pod cloudtask-system/cloudtask-test").Spec,
	}
	for name, pod := range pods {
		t.Run(name, func(t *testing.T) {
			c := pod.Containers[0].SecurityContext
			if !*pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault ||
				*c.AllowPrivilegeEscalation || !*c.ReadOnlyRootFilesystem || !slices.Equal(c.Capabilities.Drop, []corev1.Capability{"ALL"}) {
				t.Errorf("pod %+v, container %+v", pod.SecurityContext, c)
			}
		})
	}
}

// TestSelectors: what selects the operator's pods finds them, and metadata that
// is wanted everywhere is everywhere.
func TestSelectors(t *testing.T) {
	rendered := render(t, all)
	d := deployment(t, rendered)
	find := func(s *metav1.LabelSelector) bool {
		selector, err := metav1.LabelSelectorAsSelector(s)
		return err == nil && !selector.Empty() && selector.Matches(labels.Set(d.Spec.Template.Labels))
	}
	budget := get[policyv1.PodDisruptionBudget](t, rendered, "PodDisruptionBudget cloudtask-system/tasks")
	policy := get[networkingv1.NetworkPolicy](t, rendered, "NetworkPolicy cloudtask-system/tasks")
	service := get[corev1.Service](t, rendered, "Service cloudtask-system/tasks-metrics")
	for name, selector := range map[string]*metav1.LabelSelector{
		"Deployment": d.Spec.Selector, "PodDisruptionBudget": budget.Spec.Selector, "NetworkPolicy": &policy.Spec.PodSelector,
		"Service":                   {MatchLabels: service.Spec.Selector},
		"topologySpreadConstraints": d.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector,
	} {
		if !find(selector) {
			t.Errorf("%s does not find the pods: %v", name, selector)
		}
	}
	if monitor := rendered["ServiceMonitor cloudtask-system/tasks"]; !labels.SelectorFromSet(matchLabels(monitor.Object)).Matches(labels.Set(service.Labels)) {
		t.Errorf("the ServiceMonitor does not find the Service: %v", monitor.Object["spec"])
	}
	for name, o := range rendered {
		if strings.HasPrefix(name, "ConfigMap cloudtask") || strings.HasPrefix(name, "ConfigMap tasks-text") {
			continue // extraObjects are the user's
		}
		if o.GetLabels()["team"] != "payments" || o.GetAnnotations()["example.org/owner"] != "payments" {
			t.Errorf("%s lacks the common labels or annotations: %v %v", name, o.GetLabels(), o.GetAnnotations())
		}
	}
}

func matchLabels(monitor map[string]any) labels.Set {
	set := labels.Set{}
	for key, value := range object(object(object(monitor["spec"])["selector"])["matchLabels"]) {
		set[key], _ = value.(string)
	}
	return set
}

// TestImage: a digest pins it.
func TestImage(t *testing.T) {
	version, _ := decode(t, read(t, "charts/cloudtask/Chart.yaml"))["appVersion"].(string)
	for values, want := range map[string]string{
		"":                       "cloudtask.dev/cloudtask:" + version,
		"image: {tag: v2}":       "cloudtask.dev/cloudtask:v2",
		"image: {repository: r}": "r:" + version,
		all:                      "registry.example.org/team/cloudtask:v9@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	} {
		if got := manager(t, render(t, values)).Image; got != want {
			t.Errorf("%q: %s, want %s", values, got, want)
		}
	}
}

// TestCRD: it comes with the release, outlives it, and is the one of config/crd.
func TestCRD(t *testing.T) {
	const name = "CustomResourceDefinition cloudtasks.tencent.cloudtask.dev"
	want := parse(t, read(t, "config/crd/bases/tencent.cloudtask.dev_cloudtasks.yaml"))[name]
	for values, policy := range map[string]string{"": "keep", "crds: {keep: false}": "", all: ""} {
		got := render(t, values)[name]
		if diff := cmp.Diff(want.Object["spec"], got.Object["spec"]); diff != "" {
			t.Errorf("%q: -want +got\n%s", values, diff)
		}
		for key, value := range want.GetAnnotations() {
			if got.GetAnnotations()[key] != value {
				t.Errorf("%q: annotation %s is lost", values, key)
			}
		}
		if got.GetAnnotations()["helm.sh/resource-policy"] != policy {
			t.Errorf("%q: annotations %v", values, got.GetAnnotations())
		}
	}
	if render(t, "crds: {enabled: false}")[name] != nil {
		t.Error("it comes uncalled")
	}
}

// TestObservability: alerts and dashboard arrive as they are in the chart's files.
func TestObservability(t *testing.T) {
	rendered := render(t, all)
	rules := rendered["PrometheusRule cloudtask-system/tasks"]
	if diff := cmp.Diff(decode(t, read(t, "charts/cloudtask/files/alerts.yaml")), object(rules.Object["spec"])); diff != "" {
		t.Errorf("alerts: -want +got\n%s", diff)
	}
	dashboard := get[corev1.ConfigMap](t, rendered, "ConfigMap cloudtask-system/tasks-dashboard").Data["cloudtask.json"]
	var want, got map[string]any
	if err := json.Unmarshal([]byte(read(t, "charts/cloudtask/files/dashboard.json")), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(dashboard), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dashboard: -want +got\n%s", diff)
	}
}

// TestJob: the alerts and the dashboard ask for the job cloudtask, so that is its
// name, whatever the release's and its objects' are.
func TestJob(t *testing.T) {
	want := map[string]any{"targetLabel": "job", "replacement": "cloudtask"}
	for kind, monitor := range map[string]string{
		"ServiceMonitor": "serviceMonitor: {enabled: true}",
		"PodMonitor":     "podMonitor: {enabled: true, authorization: {credentials: {name: token, key: token}}}",
	} {
		t.Run(kind, func(t *testing.T) {
			rendered := render(t, "nameOverride: tasks\nmetrics: {"+monitor+"}")
			for name, o := range rendered {
				if !strings.HasPrefix(name, kind+" ") {
					continue
				}
				spec := object(o.Object["spec"])
				for _, endpoints := range []any{spec["endpoints"], spec["podMetricsEndpoints"]} {
					list, _ := endpoints.([]any)
					if len(list) == 1 {
						rules, _ := object(list[0])["relabelings"].([]any)
						if len(rules) == 1 && cmp.Equal(want, object(rules[0])) {
							return
						}
					}
				}
				t.Errorf("the job is not named: %v", spec)
			}
			t.Error("there is no " + kind)
		})
	}
}

// TestNotes: what to do next fits what was installed.
func TestNotes(t *testing.T) {
	cases := map[string]struct {
		reason string
		values string
		want   []string
		not    []string
	}{
		"Default": {
			reason: "a key, a task, the metrics, the way out",
			want: []string{
				"works in all namespaces", "helm test cloudtask -n cloudtask-system", "secret generic tencent-credentials",
				"kubectl -n NAMESPACE wait --for=condition=Succeeded", "--clusterrole=cloudtask-metrics-reader", "kubectl delete crd",
			},
			not: []string{"operator's own key", "There are no metrics"},
		},
		"Namespaces": {reason: "metrics are off, and why", values: "watchNamespaces: [a, b]", want: []string{"works in the namespaces a, b", "There are no metrics", "metrics.authDelegator"}, not: []string{"metrics-reader"}},
		"UnusedKey":  {reason: "a key that no one may use", values: "credentials: {existingSecret: own}", want: []string{"No namespace may use the operator's own key yet"}},
		"OwnKey":     {reason: "who may use which key", values: "credentials: {existingSecret: own, operatorNamespaces: [shop]}", want: []string{"CloudTasks in shop without a Secret", "Secret own"}},
		"CVMRole":    {reason: "the key that is there without being asked for", values: "credentials: {operatorNamespaces: ['*']}", want: []string{"CloudTasks in all namespaces", "the node's CVM role"}},
		"NoKey":      {reason: "nothing can ever be asked", values: "credentials: {secretNames: []}", want: []string{"set credentials.operatorNamespaces"}},
		"NoRoles":    {reason: "grants are missing", values: "rbac: {create: false}", want: []string{"no roles from this chart"}},
		"NoTest":     {reason: "no test to run", values: "test: {enabled: false}\ncrds: {keep: false}", not: []string{"helm test", "kubectl delete crd"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := run(t, helm4(t), "install", "cloudtask", chart, "--dry-run=client", "--namespace", "cloudtask-system", "--values", values(t, tc.values))
			if err != nil {
				t.Fatal(err)
			}
			_, notes, _ := strings.Cut(out, "NOTES:\n")
			for _, want := range tc.want {
				if !strings.Contains(notes, want) {
					t.Errorf("%s: no %q in\n%s", tc.reason, want, notes)
				}
			}
			for _, not := range tc.not {
				if strings.Contains(notes, not) {
					t.Errorf("%s: %q in\n%s", tc.reason, not, notes)
				}
			}
		})
	}
}
