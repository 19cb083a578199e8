package controllers_test

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"cloudtask.dev/cloudtask/controllers"
	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// operator says how an operator is run in a test.
type operator struct {
	setup   controllers.Setup
	options ctrl.Options
	config  *rest.Config
}

// ownKey gives the operator a key of its own, for some namespaces.
type ownKey struct{ fakecloud.Key }

func (k ownKey) Get(context.Context) (tencent.Credential, string, error) {
	if k.SecretID == "" {
		return tencent.Credential{}, "", errors.New("no key in TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY")
	}
	return tencent.Credential{SecretID: k.SecretID, SecretKey: k.SecretKey, Token: k.Token}, "operator/env", nil
}

// operate runs an operator until the test ends, or stop is called.
func (w *world) operate(changes ...func(*operator)) (stop func()) {
	w.Helper()
	cloud, err := tencent.NewClient(tencent.Config{Endpoint: w.url})
	check(w.T, err)
	o := operator{
		config: w.env.Config,
		setup: controllers.Setup{
			Cloud: cloud, Operator: ownKey{}, SecretNames: []string{"tencent-credentials", "other-credentials"}, Namespaces: []string{w.namespace},
			Polling: poll.Options{MinInterval: 200 * time.Millisecond, MaxInterval: time.Second, Rate: func(api string) float64 { return tencent.API(api).DefaultRate() }},
		},
		options: ctrl.Options{
			Scheme: w.Scheme(), Metrics: server.Options{BindAddress: "0"},
			Controller: config.Controller{SkipNameValidation: new(true)}, // several operators run in one process
			Cache: cache.Options{
				DefaultNamespaces: map[string]cache.Config{w.namespace: {}},
				DefaultTransform:  controllers.Slim,
				NewInformer:       controllers.NewInformer,
			},
			Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		},
	}
	for _, c := range changes {
		c(&o)
	}
	cfg := rest.CopyConfig(o.config)
	cfg.Wrap(controllers.ReadAhead)
	mgr, err := ctrl.NewManager(cfg, o.options)
	check(w.T, err)
	check(w.T, o.setup.AddToManager(mgr))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			check(w.T, <-done)
		}
	}
	w.Cleanup(stop)
	return stop
}

// withOwnKey lets the operator use its own key in the world's namespace.
func withOwnKey(k fakecloud.Key, namespaces ...string) func(*operator) {
	return func(o *operator) { o.setup.Operator, o.setup.OperatorNamespaces = ownKey{k}, namespaces }
}
