package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/controllers"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// stopWithin is how long the manager may take to stop: a pod that takes longer
// than it promises is killed, with its lease.
const stopWithin = 3 * time.Second

// heapReserve is how many percent of what is in use the heap may grow by until it
// is cleaned up: most of it is objects that stay, and processor time is at hand.
const heapReserve = 50

// options are the flags of cloudtask manager.
type options struct {
	namespaces, secretNames, operatorNamespaces []string
	selector                                    string
	metricsSecure                               bool
	election                                    election
	metricsAddress, healthAddress               string
	cloud                                       tencent.Config
	minInterval, maxInterval                    time.Duration
	rates                                       map[string]string
	zap                                         zap.Options
}

func managerCommand() *cobra.Command {
	o := options{zap: zap.Options{TimeEncoder: zapcore.RFC3339TimeEncoder}}
	cmd := &cobra.Command{
		Use:   "manager",
		Short: "Run the operator",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return o.run() },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.namespaces, "namespaces", nil, "namespaces to work in, comma-separated (default: all)")
	f.StringVar(&o.selector, "watch-label-selector", "", "work only on objects with these labels, to share the work among several installations")
	o.election.addFlags(f)
	f.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "address of the metrics; 0 turns them off")
	f.BoolVar(&o.metricsSecure, "metrics-secure", true, "serve the metrics by TLS, to whom the API server allows it")
	f.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 turns them off")
	f.StringVar(&o.cloud.Endpoint, "cloud-endpoint", "", "send every call to http(s)://host:port, for tests and proxies")
	f.StringVar(&o.cloud.RootDomain, "cloud-root-domain", "tencentcloudapi.com", "domain of the services, for example intl.tencentcloudapi.com or internal.tencentcloudapi.com")
	f.StringSliceVar(&o.operatorNamespaces, "operator-credentials-namespaces", nil, "namespaces whose objects may use the operator's own key, comma-separated; * for all (default: none)")
	f.StringSliceVar(&o.secretNames, "credential-secret-names", []string{controllers.DefaultSecretName}, "names of the Secrets that may hold keys, comma-separated")
	f.DurationVar(&o.minInterval, "min-poll-interval", time.Second, "shortest time between two looks at a task")
	f.DurationVar(&o.maxInterval, "max-poll-interval", 10*time.Second, "longest time between two looks at a task younger than an hour")
	f.StringToStringVar(&o.rates, "api-rate", nil, "calls a second of an API, for example redis.DescribeTaskInfo=18; may be given several times")
	goFlags := flag.NewFlagSet("", flag.ContinueOnError)
	config.RegisterFlags(goFlags)
	o.zap.BindFlags(goFlags)
	f.AddGoFlagSet(goFlags)
	return cmd
}

// withoutBodies keeps the log below verbosity 8, whatever --zap-log-level says:
// from there on client-go writes what the API server answers, Secrets too.
func withoutBodies(o *zap.Options) {
	if o.Level != nil && o.Level.Enabled(zapcore.Level(-8)) {
		o.Level = zapcore.Level(-7)
	}
}

// run runs the operator until it is told to stop.
func (o *options) run() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapReserve)
	}
	log := zap.New(zap.UseFlagOptions(&o.zap), withoutBodies)
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	rate, err := rates(o.rates)
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	m := controllers.NewMetrics(metrics.Registry)
	o.cloud.UserAgent, o.cloud.Observe = "cloudtask "+version(), m.ObserveCall
	cloud, err := tencent.NewClient(o.cloud)
	if err != nil {
		return err
	}
	operator, err := tencent.NewOperatorCredentials(o.cloud, os.Getenv)
	if err != nil {
		return err
	}
	mgr, err := o.manager(m)
	if err != nil {
		return err
	}
	if len(o.operatorNamespaces) > 0 { // else nobody may use the key, and no provider is to be bothered
		if err := mgr.Add(always(operator.Run)); err != nil {
			return err
		}
	}
	schemas, err := discovery.NewDiscoveryClientForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	if err := mgr.Add(controllers.SchemaCheck{OpenAPI: schemas.OpenAPIV3(), Log: mgr.GetLogger()}); err != nil {
		return err
	}
	if o.election.enabled {
		if err := mgr.Add(controllers.LeaseWatch{RenewDeadline: o.election.renewDeadline}); err != nil {
			return err
		}
	}
	setup := controllers.Setup{
		Cloud: cloud, Operator: operator, OperatorNamespaces: o.operatorNamespaces,
		SecretNames: o.secretNames, Namespaces: o.namespaces,
		Polling: poll.Options{MinInterval: o.minInterval, MaxInterval: o.maxInterval, Rate: rate},
		Metrics: m,
	}
	if err := setup.AddToManager(mgr); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

// check finds flags that would mean something else than they say.
func (o *options) check() error {
	if o.minInterval <= 0 || o.maxInterval < o.minInterval {
		return errors.New("--min-poll-interval must be positive and at most --max-poll-interval")
	}
	if strings.Contains(o.election.identity, "$(") { // all replicas would be the leader by that name
		return fmt.Errorf("--leader-elect-identity=%s: the pod has no such variable", o.election.identity)
	}
	for flag, list := range map[string][]string{
		"namespaces": o.namespaces, "credential-secret-names": o.secretNames, "operator-credentials-namespaces": o.operatorNamespaces,
	} {
		if slices.Contains(list, "") { // to client-go, the empty namespace is all of them
			return fmt.Errorf("--%s has an empty name in %q: write names with commas between them", flag, strings.Join(list, ","))
		}
	}
	return nil
}

// manager returns a manager that works on the chosen namespaces and labels.
func (o *options) manager(observer *controllers.Metrics) (ctrl.Manager, error) {
	options, err := o.managerOptions(observer)
	if err != nil {
		return nil, err
	}
	cfg, err := config.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to work in: %w; give --kubeconfig, or run in a pod", err)
	}
	cfg.QPS = -1 // the API server's own priority and fairness decides
	cfg.Wrap(controllers.ReadAhead)
	var leaders leaderEvents
	if err := o.election.join(&options, cfg, leaseName(o.namespaces, o.selector), &leaders); err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(cfg, options)
	if err != nil {
		return nil, err
	}
	leaders.EventRecorder = mgr.GetEventRecorder("cloudtask")
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, err
	}
	return mgr, mgr.AddReadyzCheck("ping", healthz.Ping)
}

func (o *options) managerOptions(observer *controllers.Metrics) (ctrl.Options, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return ctrl.Options{}, err
	}
	selector, err := labels.Parse(o.selector)
	if err != nil {
		return ctrl.Options{}, fmt.Errorf("--watch-label-selector: %w", err)
	}
	byNamespace := map[string]cache.Config{}
	for _, ns := range o.namespaces {
		byNamespace[ns] = cache.Config{}
	}
	m := server.Options{BindAddress: o.metricsAddress, SecureServing: o.metricsSecure}
	if o.metricsSecure {
		m.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	return ctrl.Options{
		Scheme:         scheme,
		MapperProvider: kinds,
		Cache: cache.Options{
			DefaultTransform:         controllers.Slim,
			DefaultWatchErrorHandler: observer.HandleWatchError,
			NewInformer:              controllers.NewInformer,
			DefaultNamespaces:        byNamespace,
			ByObject:                 map[client.Object]cache.ByObject{&v1alpha1.CloudTask{}: {Label: selector}},
		},
		Client:                  client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics:                 m,
		HealthProbeBindAddress:  o.healthAddress,
		GracefulShutdownTimeout: new(stopWithin),
	}, nil
}

// kinds tells the few kinds that are read by name. What is known need not be asked
// for: an API server that is away at the start is waited for, like one that goes.
func kinds(*rest.Config, *http.Client) (meta.RESTMapper, error) {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.GroupVersion.WithKind("CloudTask"), meta.RESTScopeNamespace)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	return mapper, nil
}

// rates returns the calls a second of each API.
func rates(flags map[string]string) (func(api string) float64, error) {
	known := []tencent.API{tencent.RedisTaskInfo, tencent.RedisTaskList, tencent.LegacyRedisTaskInfo, tencent.CLBTaskStatus}
	byAPI := map[string]float64{}
	for _, api := range known {
		byAPI[string(api)] = api.DefaultRate()
	}
	for api, value := range flags {
		rate, err := strconv.ParseFloat(value, 64)
		if _, ok := byAPI[api]; !ok || err != nil || !(rate > 0 && rate <= 1000) {
			return nil, fmt.Errorf("--api-rate %s=%s: write one of %v, and a rate from above 0 to 1000", api, value, known)
		}
		byAPI[api] = rate
	}
	return func(api string) float64 { return byAPI[api] }, nil
}

// always runs on every replica, not on the leader only.
type always func(context.Context) error

func (a always) Start(ctx context.Context) error { return a(ctx) }
func (always) NeedLeaderElection() bool          { return false }
