package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/tencent"
)

const (
	// DefaultSecretName is the Secret that serves objects which name none.
	DefaultSecretName = "tencent-credentials" //nolint:gosec // a name, no key
	// secretMaxAge is how long a Secret is not read again without a sign that
	// it changed.
	secretMaxAge = 59 * time.Second
	// secretUnused is how long what was read of a Secret is kept without use.
	secretUnused = time.Hour

	sourceSecret   = "secret/"
	sourceOperator = "operator/"
)

// key is a way to ask the cloud: where it comes from, whose quota it uses up,
// and the key as it is now.
type key struct {
	source  string
	digest  string
	current func(context.Context) (tencent.Credential, error)
}

// credentialsError says which key was looked for in vain, and what to do.
type credentialsError struct{ message string }

func (e *credentialsError) Error() string { return e.message }

func noCredentials(format string, args ...any) error {
	return &credentialsError{message: fmt.Sprintf(format, args...)}
}

// OperatorKey gives the operator's own key and its source.
type OperatorKey interface {
	Get(context.Context) (tencent.Credential, string, error)
}

// Credentials finds the key for an object. A source that once gave a good answer
// is the only one from then on: the same task ID means another task in another
// account.
type Credentials struct {
	// Reader reads Secrets from the API server, not from a cache.
	Reader client.Reader
	// SecretNames may be read.
	SecretNames []string
	// Operator is the operator's own key, for objects in OperatorNamespaces;
	// "*" among them is every namespace.
	Operator           OperatorKey
	OperatorNamespaces []string

	mu      sync.Mutex
	secrets map[types.NamespacedName]*secret
	pruned  time.Time
}

// secret is what was read of a Secret. Its own lock keeps a slow read of one
// from delaying another.
type secret struct {
	used time.Time // guarded by Credentials.mu

	mu   sync.Mutex
	read time.Time
	cred tencent.Credential
	err  error
}

// secretName is the Secret that may serve an object.
func secretName(task *v1alpha1.CloudTask) string {
	if ref := task.Spec.Credentials; ref != nil {
		return ref.SecretName
	}
	if name, ok := strings.CutPrefix(task.Status.Credentials, sourceSecret); ok {
		return name
	}
	return DefaultSecretName
}

// find returns the key for an object. pinned is the source that gave the first
// good answer, "" before. The error is a *credentialsError if a person must act.
func (c *Credentials) find(ctx context.Context, task *v1alpha1.CloudTask, pinned string) (key, error) {
	ns := task.Namespace
	if ref := task.Spec.Credentials; ref != nil {
		if pinned != "" && pinned != sourceSecret+ref.SecretName {
			return key{}, noCredentials("the task was first seen with the key of %s, and Secret %s may belong to another account: name the former again, or create a new CloudTask", pinned, ref.SecretName)
		}
		return c.fromSecret(ctx, types.NamespacedName{Namespace: ns, Name: ref.SecretName})
	}
	byDefault := types.NamespacedName{Namespace: ns, Name: DefaultSecretName}
	switch {
	case strings.HasPrefix(pinned, sourceSecret):
		return c.fromSecret(ctx, types.NamespacedName{Namespace: ns, Name: strings.TrimPrefix(pinned, sourceSecret)})
	case pinned != "":
		return c.fromOperator(ctx, ns, pinned)
	}
	if slices.Contains(c.SecretNames, DefaultSecretName) {
		k, err := c.fromSecret(ctx, byDefault)
		if !apierrors.IsNotFound(err) {
			return k, err
		}
	}
	return c.fromOperator(ctx, ns, "")
}

// fromOperator returns the operator's own key, where the namespace may use it.
func (c *Credentials) fromOperator(ctx context.Context, namespace, pinned string) (key, error) {
	if !slices.Contains(c.OperatorNamespaces, namespace) && !slices.Contains(c.OperatorNamespaces, "*") {
		return key{}, noCredentials("%s, and the namespace may not use the operator's own key: %s, or start the operator with --operator-credentials-namespaces=%s",
			c.vain(namespace), c.remedy(), namespace)
	}
	cred, source, err := c.Operator.Get(ctx)
	switch {
	case ctx.Err() != nil:
		return key{}, ctx.Err()
	case err != nil && pinned != "":
		return key{}, noCredentials("the task was first seen with the key of %s, of which there is none now: %v", pinned, err)
	case err != nil:
		return key{}, noCredentials("%s, and the operator has no key of its own: %v", c.vain(namespace), err)
	case pinned != "" && pinned != source:
		return key{}, noCredentials("the task was first seen with the key of %s, and the operator's own key is now that of %s, which may be another account's: create a new CloudTask", pinned, source)
	}
	return key{source: source, digest: cred.Digest(), current: func(ctx context.Context) (tencent.Credential, error) {
		cred, _, err := c.Operator.Get(ctx)
		if err != nil {
			return cred, noCredentials("the operator's own key: %v", err)
		}
		return cred, nil
	}}, nil
}

// vain says that the default Secret was looked for in vain, and remedy what to
// do about it.
func (c *Credentials) vain(namespace string) string {
	if slices.Contains(c.SecretNames, DefaultSecretName) {
		return fmt.Sprintf("there is no Secret %s in namespace %s", DefaultSecretName, namespace)
	}
	return "the object names no Secret in spec.credentials"
}

func (c *Credentials) remedy() string {
	if slices.Contains(c.SecretNames, DefaultSecretName) {
		return "create the Secret with the keys secretId and secretKey"
	}
	return "name one in spec.credentials, of " + strings.Join(c.SecretNames, ", ")
}

// fromSecret returns the key of a Secret. If there is no such Secret, the error
// wraps the API server's.
func (c *Credentials) fromSecret(ctx context.Context, name types.NamespacedName) (key, error) {
	if !slices.Contains(c.SecretNames, name.Name) {
		return key{}, noCredentials("Secret %s may not be used: the operator reads only Secrets named %s; rename it, or start the operator with --credential-secret-names=%s",
			name.Name, strings.Join(c.SecretNames, ", "), strings.Join(append(slices.Clone(c.SecretNames), name.Name), ","))
	}
	cred, err := c.secret(name).get(ctx, c.Reader, name)
	if err != nil {
		return key{}, err
	}
	return key{source: sourceSecret + name.Name, digest: laneOf(cred), current: func(context.Context) (tencent.Credential, error) {
		return cred, nil
	}}, nil
}

// laneOf names the lane of a Secret's key. Its token counts: the same key with
// another token is to be tried at once.
func laneOf(cred tencent.Credential) string {
	if cred.Token != "" {
		cred.SecretKey += "\n" + cred.Token
	}
	return cred.Digest()
}

// secret returns the place for what is read of a Secret.
func (c *Credentials) secret(name types.NamespacedName) *secret {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.pruned) >= secretUnused {
		c.pruned = now
		maps.DeleteFunc(c.secrets, func(_ types.NamespacedName, s *secret) bool { return now.Sub(s.used) >= secretUnused })
	}
	s := c.secrets[name]
	if s == nil {
		s = &secret{}
		if c.secrets == nil {
			c.secrets = map[types.NamespacedName]*secret{}
		}
		c.secrets[name] = s
	}
	s.used = now
	return s
}

// Forget makes the next use of a Secret read it again.
func (c *Credentials) Forget(name types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.secrets, name)
}

// get returns the key that the Secret holds, read at most once in a while. A
// failure to read is not kept: it says nothing of the Secret.
func (s *secret) get(ctx context.Context, reader client.Reader, name types.NamespacedName) (tencent.Credential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.read.IsZero() && time.Since(s.read) < secretMaxAge {
		return s.cred, s.err
	}
	var obj corev1.Secret
	err := reader.Get(ctx, name, &obj)
	switch {
	case apierrors.IsNotFound(err):
		s.cred, s.err = tencent.Credential{}, &missingSecret{name: name, err: err}
	case apierrors.IsForbidden(err):
		return tencent.Credential{}, noCredentials("Secret %s cannot be read: the operator's role does not allow get on secrets named %s in namespace %s", name.Name, name.Name, name.Namespace)
	case err != nil && !s.read.IsZero():
		return s.cred, s.err // the API server is away: go on with what is known
	case err != nil:
		return tencent.Credential{}, fmt.Errorf("read secret %s: %w", name, err)
	default:
		s.cred, s.err = credentialIn(&obj)
	}
	s.read = time.Now()
	return s.cred, s.err
}

// missingSecret is a credentialsError that also tells why.
type missingSecret struct {
	name types.NamespacedName
	err  error
}

func (e *missingSecret) Error() string {
	return fmt.Sprintf("there is no Secret %s in namespace %s: create it with the keys secretId and secretKey", e.name.Name, e.name.Namespace)
}

func (e *missingSecret) Unwrap() error { return e.err }

// As makes it a *credentialsError too.
func (e *missingSecret) As(target any) bool {
	if t, ok := target.(**credentialsError); ok {
		*t = &credentialsError{message: e.Error()}
		return true
	}
	return false
}

// credentialIn reads a key out of a Secret. Blanks around a value come from
// editors and base64 pipelines, never from Tencent Cloud.
func credentialIn(s *corev1.Secret) (tencent.Credential, error) {
	value := func(k string) string { return strings.TrimSpace(string(s.Data[k])) }
	cred := tencent.Credential{SecretID: value("secretId"), SecretKey: value("secretKey"), Token: value("token")}
	for _, k := range []string{"secretId", "secretKey"} {
		if value(k) == "" {
			return tencent.Credential{}, noCredentials("Secret %s in namespace %s has no value for the key %s: it needs secretId and secretKey", s.Name, s.Namespace, k)
		}
	}
	return cred, nil
}
