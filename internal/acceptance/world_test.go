package acceptance

import (
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

const region = "ap-guangzhou"

// world is a namespace of its own, watched from its beginning, and a cloud.
type world struct {
	*testing.T
	client.WithWatch
	namespace string
	cloud     *fakecloud.Cloud
	url       string // of the cloud
	history   *history
}

var mainKey = canaryKey("main")

func newWorld(t *testing.T, cloud fakecloud.Options) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	check(t, clientgoscheme.AddToScheme(scheme))
	check(t, v1alpha1.AddToScheme(scheme))
	c, err := client.NewWithWatch(env.Config, client.Options{Scheme: scheme})
	check(t, err)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "w-"}}
	check(t, c.Create(t.Context(), ns))
	w := &world{T: t, WithWatch: c, namespace: ns.Name}
	w.history = watchFrom(t, c, ns.Name)
	if cloud.Accounts == nil {
		cloud.Accounts = []fakecloud.Account{{Name: "main", Keys: []fakecloud.Key{mainKey}}}
	}
	w.cloud, w.url = newCloud(t, cloud)
	t.Cleanup(w.searchObjects)
	return w
}

func newCloud(t *testing.T, options fakecloud.Options) (*fakecloud.Cloud, string) {
	t.Helper()
	cloud := fakecloud.New(options)
	url, err := cloud.Listen("127.0.0.1:0")
	check(t, err)
	t.Cleanup(cloud.Close)
	return cloud, url
}

// secret creates or replaces a Secret.
func (w *world) secret(name string, k fakecloud.Key) {
	w.Helper()
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		StringData: map[string]string{"secretId": k.SecretID, "secretKey": k.SecretKey, "token": k.Token},
	}
	if err := w.Create(w.Context(), s); client.IgnoreAlreadyExists(err) != nil {
		w.Fatal(err)
	} else if err != nil {
		check(w.T, w.Update(w.Context(), s))
	}
}

// create creates an object.
func (w *world) create(name string, spec v1alpha1.CloudTaskSpec, change ...func(*v1alpha1.CloudTask)) {
	w.Helper()
	if spec.Region == "" {
		spec.Region = region
	}
	task := &v1alpha1.CloudTask{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Spec: spec}
	for _, c := range change {
		c(task)
	}
	check(w.T, w.Create(w.Context(), task))
}

func redis(id int64) v1alpha1.CloudTaskSpec {
	return v1alpha1.CloudTaskSpec{Redis: &v1alpha1.RedisTask{TaskID: &id}}
}

func legacyRedis(id int64) v1alpha1.CloudTaskSpec {
	return v1alpha1.CloudTaskSpec{Redis: &v1alpha1.RedisTask{TaskID: &id, API: "2.0"}}
}

func latestOf(instance string) v1alpha1.CloudTaskSpec {
	return v1alpha1.CloudTaskSpec{Redis: &v1alpha1.RedisTask{Latest: &v1alpha1.LatestTask{InstanceID: instance}}}
}

func clb(requestID string) v1alpha1.CloudTaskSpec {
	return v1alpha1.CloudTaskSpec{CLB: &v1alpha1.CLBTask{RequestID: &requestID}}
}

func clbOrder(dealName string) v1alpha1.CloudTaskSpec {
	return v1alpha1.CloudTaskSpec{CLB: &v1alpha1.CLBTask{DealName: &dealName}}
}

func with(secret string) func(*v1alpha1.CloudTask) {
	return func(t *v1alpha1.CloudTask) { t.Spec.Credentials = &v1alpha1.Credentials{SecretName: secret} }
}

// searchObjects looks for secrets in all objects of the namespace but Secrets,
// and in its events.
func (w *world) searchObjects() {
	for _, kind := range []string{"cloudtasks", "events", "events.events.k8s.io", "configmaps", "leases"} {
		for _, found := range leaks(w.yaml(kind)) {
			w.Errorf("a secret is in the %s: %s", kind, found)
		}
	}
}

func (w *world) yaml(kind string) []byte {
	// The test's own context has ended when it is cleaned up after.
	out, err := env.Kubectl(noContext(), "get", kind, "--namespace="+w.namespace, "--output=yaml", "--show-managed-fields").Output()
	if err != nil {
		w.Errorf("kubectl get %s: %v", kind, err)
	}
	return out
}

// operatorEnv is an operator's own key.
func operatorEnv(k fakecloud.Key) []string {
	return []string{"TENCENTCLOUD_SECRET_ID=" + k.SecretID, "TENCENTCLOUD_SECRET_KEY=" + k.SecretKey, "TENCENTCLOUD_TOKEN=" + k.Token}
}

// memory returns a field of /proc/PID/status in MiB.
func (op *operator) memory(field string) float64 {
	op.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", op.cmd.Process.Pid))
	check(op.T, err)
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			var kib float64
			_, err := fmt.Sscanf(value, "%f kB", &kib)
			check(op.T, err)
			return kib / 1024
		}
	}
	op.Fatalf("no %s in:\n%s", field, text)
	return 0
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
