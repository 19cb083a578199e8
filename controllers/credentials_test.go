package controllers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// shelf is a client.Reader of Secrets in namespace shop.
type shelf struct {
	client.Reader
	secrets map[string]map[string]string
	err     error
	reads   int
}

func (s *shelf) Get(_ context.Context, name types.NamespacedName, obj client.Object, _ ...client.GetOption) error {
	s.reads++
	data, ok := s.secrets[name.Name]
	switch {
	case s.err != nil:
		return s.err
	case !ok || name.Namespace != "shop":
		return apierrors.NewNotFound(corev1.Resource("secrets"), name.Name)
	}
	*obj.(*corev1.Secret) = corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}, Data: map[string][]byte{}}
	for k, v := range data {
		obj.(*corev1.Secret).Data[k] = []byte(v)
	}
	return nil
}

// ownKey is an operator's own key.
type ownKey struct{ err error }

func (o ownKey) Get(context.Context) (tencent.Credential, string, error) {
	return tencent.Credential{SecretID: "operator-id", SecretKey: "operator-key"}, "operator/env", o.err
}

func keyOf(id string) map[string]string {
	return map[string]string{"secretId": id, "secretKey": "key-of-" + id}
}

func TestWhichKeyServes(t *testing.T) {
	const standard = "tencent-credentials"
	both := map[string]map[string]string{standard: keyOf("default-id"), "team-key": keyOf("team-id")}
	forbidden := apierrors.NewForbidden(corev1.Resource("secrets"), standard, errors.New("RBAC"))
	for name, test := range map[string]struct {
		reason     string
		names      string // the object's Secret
		pinned     string
		secrets    map[string]map[string]string
		err        error
		namespaces []string
		own        error
		source     string
		id         string
		complaint  string
	}{
		"named":                        {"", "team-key", "", both, nil, []string{"*"}, nil, "secret/team-key", "team-id", ""},
		"named, but missing":           {"nothing else is tried", "team-key", "", map[string]map[string]string{standard: keyOf("x")}, nil, []string{"*"}, nil, "", "", "there is no Secret team-key in namespace shop"},
		"named, but incomplete":        {"", "team-key", "", map[string]map[string]string{"team-key": {"secretId": "x", "secretKey": " \n"}}, nil, []string{"*"}, nil, "", "", "has no value for the key secretKey"},
		"named, but not allowed":       {"", "root-key", "", both, nil, []string{"*"}, nil, "", "", "--credential-secret-names=tencent-credentials,team-key,root-key"},
		"by default":                   {"", "", "", both, nil, []string{"*"}, nil, "secret/" + standard, "default-id", ""},
		"by default, but incomplete":   {"it exists, so nothing else is tried", "", "", map[string]map[string]string{standard: {"secretKey": "x"}}, nil, []string{"*"}, nil, "", "", "has no value for the key secretId"},
		"by default, but forbidden":    {"", "", "", both, forbidden, []string{"*"}, nil, "", "", "cannot be read"},
		"the operator's own":           {"", "", "", nil, nil, []string{"other", "shop"}, nil, "operator/env", "operator-id", ""},
		"everywhere":                   {"", "", "", nil, nil, []string{"*"}, nil, "operator/env", "operator-id", ""},
		"the operator's, not allowed":  {"", "", "", nil, nil, []string{"other"}, nil, "", "", "--operator-credentials-namespaces=shop"},
		"the operator has none":        {"the provider's own words", "", "", nil, nil, []string{"*"}, errors.New("no role"), "", "", "no role"},
		"pinned":                       {"", "", "secret/" + standard, both, nil, []string{"*"}, nil, "secret/" + standard, "default-id", ""},
		"pinned, but gone":             {"the operator's own may be another account's", "", "secret/" + standard, nil, nil, []string{"*"}, nil, "", "", "there is no Secret"},
		"pinned, then another named":   {"", "team-key", "secret/" + standard, both, nil, []string{"*"}, nil, "", "", "may belong to another account"},
		"pinned, then none named":      {"the pinned one stays", "", "secret/team-key", both, nil, []string{"*"}, nil, "secret/team-key", "team-id", ""},
		"pinned to the operator's":     {"a Secret that appears is another account's", "", "operator/env", both, nil, []string{"*"}, nil, "operator/env", "operator-id", ""},
		"pinned to another provider":   {"", "", "operator/cvm", both, nil, []string{"*"}, nil, "", "", "which may be another account's"},
		"pinned, no longer allowed":    {"", "", "operator/env", both, nil, nil, nil, "", "", "may not use the operator's own key"},
		"pinned, the provider is away": {"", "", "operator/env", both, nil, []string{"*"}, errors.New("no role"), "", "", "of which there is none now: no role"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Credentials{Reader: &shelf{secrets: test.secrets, err: test.err}, SecretNames: []string{standard, "team-key"}, Operator: ownKey{test.own}, OperatorNamespaces: test.namespaces}
			task := redisObject()
			if test.names != "" {
				task.Spec.Credentials = &v1alpha1.Credentials{SecretName: test.names}
			}
			k, err := c.find(t.Context(), task, test.pinned)
			var missing *credentialsError
			if test.complaint != "" {
				if !errors.As(err, &missing) || !strings.Contains(missing.message, test.complaint) || strings.Contains(err.Error(), "key-of") {
					t.Errorf("%v; %s", err, test.reason)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v; %s", err, test.reason)
			}
			cred, err := k.current(t.Context())
			if err != nil || k.source != test.source || cred.SecretID != test.id || k.digest == "" {
				t.Errorf("%s of %s, %v; %s", cred.SecretID, k.source, err, test.reason)
			}
		})
	}
}

func TestDefaultSecretThatMayNotBeRead(t *testing.T) {
	s := &shelf{secrets: map[string]map[string]string{"tencent-credentials": keyOf("x")}}
	c := &Credentials{Reader: s, SecretNames: []string{"team-key"}, Operator: ownKey{}}
	_, err := c.find(t.Context(), redisObject(), "")
	if err == nil || !strings.Contains(err.Error(), "name one in spec.credentials, of team-key") || s.reads != 0 {
		t.Errorf("%v, %d reads", err, s.reads)
	}
}

func TestSecretIsReadSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{secrets: map[string]map[string]string{"tencent-credentials": keyOf("x")}}
		c := &Credentials{Reader: s, SecretNames: []string{"tencent-credentials"}, Operator: ownKey{}}
		read := func(want int, id, reason string) {
			t.Helper()
			k, err := c.find(t.Context(), redisObject(), "secret/tencent-credentials")
			if err != nil {
				t.Fatal(err)
			}
			if cred, _ := k.current(t.Context()); s.reads != want || cred.SecretID != id {
				t.Errorf("%d reads, %s; %s", s.reads, cred.SecretID, reason)
			}
		}
		read(1, "x", "at first use")
		s.secrets["tencent-credentials"] = keyOf("y")
		time.Sleep(58 * time.Second)
		read(1, "x", "at most once a minute")
		time.Sleep(time.Second)
		read(2, "y", "once a minute")
		s.secrets["tencent-credentials"] = keyOf("z")
		c.Forget(types.NamespacedName{Namespace: "shop", Name: "tencent-credentials"})
		read(3, "z", "after its watch event")
		time.Sleep(30 * time.Minute)
		s.err = errors.New("the API server is away")
		read(4, "z", "what is known stays")
		if _, err := c.find(t.Context(), redisObject(func(task *v1alpha1.CloudTask) { task.Namespace = "elsewhere" }), ""); err == nil {
			t.Error("a failure to read is taken for an answer")
		}
	})
}

func TestUnusedSecretsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Credentials{}
		for range 100 {
			for i := range 10 {
				c.secret(types.NamespacedName{Namespace: time.Now().String(), Name: string(rune('a' + i))})
			}
			time.Sleep(10 * time.Minute)
		}
		if n := len(c.secrets); n > 130 {
			t.Errorf("%d are remembered", n)
		}
	})
}

func TestLaneOfSecret(t *testing.T) {
	lane := func(id, key, token string) string {
		return laneOf(tencent.Credential{SecretID: id, SecretKey: key, Token: token})
	}
	seen := map[string]bool{}
	for _, l := range []string{lane("a", "b", ""), lane("a", "c", ""), lane("d", "b", ""), lane("a", "b", "t"), lane("a", "b", "u")} {
		if seen[l] {
			t.Error("another key, another lane")
		}
		seen[l] = true
	}
	if first, again := lane("a", "b", "t"), lane("a", "b", "t"); first != again {
		t.Error("the same key, the same lane")
	}
	if own := (tencent.Credential{SecretID: "a", SecretKey: "b"}); lane("a", "b", "") != own.Digest() {
		t.Error("the operator's own key in a Secret is another lane")
	}
}
