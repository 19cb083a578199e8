// Package testenv runs a real Kubernetes control plane on loopback, etcd and
// kube-apiserver with RBAC and the CRDs of this repository, for tests, the demo
// and benchmarks. It is envtest, with the real kubectl beside it.
package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Env is a running control plane.
type Env struct {
	// User is the administrator.
	User

	control *envtest.Environment
	assets  string
	dir     string
}

// User is someone whom the API server knows.
type User struct {
	// Config is for clients of this user in Go.
	Config *rest.Config
	// Kubeconfig is the path of a file for tools such as kubectl.
	Kubeconfig string
}

// Start runs a control plane from the binaries in the directory
// KUBEBUILDER_ASSETS, which make sets, and installs the CRDs of config/crd/bases.
// It returns once they are served, after some 5 seconds; then Stop must be
// called. It can be used anywhere in the work tree.
func Start(ctx context.Context) (*Env, error) {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is not set: run make test, or set it to the output of hack/assets.sh")
	}
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "cloudtask-testenv-")
	if err != nil {
		return nil, fmt.Errorf("make the control plane's directory: %w", err)
	}
	e := &Env{assets: assets, dir: dir}
	err = e.start(ctx, filepath.Join(root, "config", "crd", "bases"))
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the control plane of %s: %w", assets, err), e.Stop())
	}
	return e, nil
}

func (e *Env) start(ctx context.Context, crds string) error {
	apiserver, err := e.watched("kube-apiserver")
	if err != nil {
		return err
	}
	etcd, err := e.watched("etcd")
	if err != nil {
		return err
	}
	certs := filepath.Join(e.dir, "certs")
	if err := os.Mkdir(certs, 0o700); err != nil {
		return fmt.Errorf("make the directory of certificates: %w", err)
	}
	e.control = &envtest.Environment{
		ControlPlane: envtest.ControlPlane{
			APIServer:   &envtest.APIServer{Path: apiserver, CertDir: certs},
			Etcd:        &envtest.Etcd{Path: etcd, DataDir: filepath.Join(e.dir, "data")},
			KubectlPath: filepath.Join(e.assets, "kubectl"),
		},
		CRDDirectoryPaths:     []string{crds},
		ErrorIfCRDPathMissing: true,
		// A start takes 5 seconds, on a busy machine much longer.
		ControlPlaneStartTimeout: 2 * time.Minute,
		ControlPlaneStopTimeout:  time.Minute,
	}
	if _, err := e.control.Start(); err != nil {
		return err
	}
	if e.User, err = e.AddUser("admin", "system:masters"); err != nil {
		return err
	}
	return e.awaitSchemas(ctx)
}

// awaitSchemas waits until the schemas of the CRDs are published, some moments
// after they are served: kubectl explain wants them.
func (e *Env) awaitSchemas(ctx context.Context) error {
	client, err := discovery.NewDiscoveryClientForConfig(e.Config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		paths, err := client.OpenAPIV3().Paths()
		if err != nil {
			return false, nil //nolint:nilerr // not yet
		}
		for _, crd := range e.control.CRDs {
			path := paths["apis/"+crd.Spec.Group+"/"+crd.Spec.Versions[0].Name]
			if path == nil {
				return false, nil
			}
			schema, err := path.Schema(runtime.ContentTypeJSON)
			if err != nil || !bytes.Contains(schema, []byte("/"+crd.Spec.Names.Plural+"/")) {
				return false, nil //nolint:nilerr // not yet
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the schemas of the CRDs: %w", err)
	}
	return nil
}

// AddUser makes a user known to the API server, by a client certificate. What
// the user may do is up to RBAC.
func (e *Env) AddUser(name string, groups ...string) (User, error) {
	// Clients in Go hold themselves back to 5 requests a second by default.
	base := &rest.Config{QPS: 1000, Burst: 2000}
	user, err := e.control.AddUser(envtest.User{Name: name, Groups: groups}, base)
	if err != nil {
		return User{}, fmt.Errorf("add user %s: %w", name, err)
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		return User{}, fmt.Errorf("write a kubeconfig for user %s: %w", name, err)
	}
	path := filepath.Join(e.dir, name+".kubeconfig")
	if err := os.WriteFile(path, kubeconfig, 0o600); err != nil {
		return User{}, fmt.Errorf("write a kubeconfig for user %s: %w", name, err)
	}
	return User{Config: user.Config(), Kubeconfig: path}, nil
}

// Kubectl prepares a call of the real kubectl by the administrator; a
// --kubeconfig among the arguments makes it another user.
func (e *Env) Kubectl(ctx context.Context, args ...string) *exec.Cmd {
	flags := []string{"--kubeconfig=" + e.Kubeconfig, "--cache-dir=" + filepath.Join(e.dir, "kubectl-cache")}
	//nolint:gosec // The binary that make chose, with the arguments of a test.
	return exec.CommandContext(ctx, filepath.Join(e.assets, "kubectl"), append(flags, args...)...)
}

// Stop ends the control plane and removes its data.
func (e *Env) Stop() error {
	var err error
	if e.control != nil {
		err = errors.Join(e.ResumeAPIServer(), e.control.Stop())
	}
	if err := errors.Join(err, os.RemoveAll(e.dir)); err != nil {
		return fmt.Errorf("stop the control plane: %w", err)
	}
	return nil
}

// moduleRoot is the nearest directory upwards that holds a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module's root: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("find the module's root: no go.mod here or above: run this inside the work tree")
		}
		dir = parent
	}
}
