package wait

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// cluster is one namespace of one API server.
type cluster struct {
	namespace string
	server    string // without path, user or password
	context   string // of the kubeconfig; empty in a pod
	flags     string // what kubectl must be told to get here, with a leading space
	client    rest.Interface
}

func connect(o options) (*cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.context}
	overrides.Context.Namespace = o.namespace
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)

	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, newError(codeOther, "there is no kubeconfig, and this is not a pod with a service account",
			"Name one with --kubeconfig or KUBECONFIG.")
	}
	if err != nil {
		return nil, newError(codeOther, "read the kubeconfig: "+err.Error())
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, newError(codeOther, "find the namespace: "+err.Error())
	}
	c, err := newCluster(config, namespace)
	if err != nil {
		return nil, newError(codeOther, "set up the connection to the API server: "+err.Error())
	}
	c.context = contextName(loader, o.context)
	c.flags = o.kubectlFlags(namespace)
	return c, nil
}

func newCluster(config *rest.Config, namespace string) (*cluster, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register the CloudTask API: %w", err)
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.APIPath = "/apis"
	config.GroupVersion = &v1alpha1.GroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.WarningHandler = rest.NoWarnings{}
	config.QPS, config.Burst = 50, 300 // as kubectl; the default delays the eleventh task
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	return &cluster{namespace: namespace, server: server.Scheme + "://" + server.Host, client: client}, nil
}

// contextName is empty where no kubeconfig is used.
func contextName(loader clientcmd.ClientConfig, chosen string) string {
	raw, err := loader.RawConfig()
	if err != nil {
		return ""
	}
	if chosen == "" {
		chosen = raw.CurrentContext
	}
	if _, ok := raw.Contexts[chosen]; !ok {
		return ""
	}
	return chosen
}

func (o options) kubectlFlags(namespace string) string {
	flags := " -n " + namespace
	if o.context != "" {
		flags += " --context " + o.context
	}
	if o.kubeconfig != "" {
		flags += " --kubeconfig " + o.kubeconfig
	}
	return flags
}

// tasks lists and watches one object by name, so that a Role with
// resourceNames is enough.
func (c *cluster) tasks(name string) *cache.ListWatch {
	return cache.NewListWatchFromClient(c.client, "cloudtasks", c.namespace, fields.OneTermEqualSelector("metadata.name", name))
}

func (c *cluster) String() string {
	where := c.server
	if c.context != "" {
		where = "context " + c.context + ", " + c.server
	}
	return fmt.Sprintf("namespace %s (%s)", c.namespace, where)
}

// describe is the command that shows all there is to know of some objects.
func (c *cluster) describe(names ...string) string {
	return "kubectl describe cloudtask/" + strings.Join(names, " cloudtask/") + c.flags
}
