package tencent

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestCredentialShowsNothing(t *testing.T) {
	c := Credential{SecretID: "AKIDexample0", SecretKey: "theSecretKey0", Token: "theToken00"}
	in := struct {
		C Credential
		P *Credential
	}{c, &c}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "credential", c, "in", in)
	marshalled, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{log.String(), string(marshalled), c.String(), c.GoString(), fmt.Sprint(errors.New(c.String()))}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c), fmt.Sprintf(verb, in), fmt.Sprintf(verb, []Credential{c}))
	}
	for _, text := range texts {
		for _, secret := range []string{c.SecretID, c.SecretKey, c.Token, fmt.Sprintf("%x", c.SecretKey)} {
			if strings.Contains(text, secret) {
				t.Errorf("%q shows %q", text, secret)
			}
		}
	}
}

func TestDigest(t *testing.T) {
	base := Credential{SecretID: "id", SecretKey: "key", Token: "token"}
	cases := map[string]struct {
		reason string
		other  Credential
		same   bool
	}{
		"itself":        {"stable", Credential{SecretID: "id", SecretKey: "key", Token: "token"}, true},
		"other token":   {"a mended token is to be tried at once", Credential{SecretID: "id", SecretKey: "key", Token: "x"}, false},
		"other key":     {"an ID alone is no secret", Credential{SecretID: "id", SecretKey: "x", Token: "token"}, false},
		"other ID":      {"another key", Credential{SecretID: "x", SecretKey: "key", Token: "token"}, false},
		"shifted":       {"the border counts", Credential{SecretID: "idk", SecretKey: "ey"}, false},
		"with identity": {"a role is another name", Credential{SecretID: "id", SecretKey: "key", Identity: "r"}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := base.Digest() == tc.other.Digest(); got != tc.same {
				t.Errorf("same digest: %v, want %v: %s", got, tc.same, tc.reason)
			}
		})
	}
	first, second := Credential{SecretID: "a", SecretKey: "b", Identity: "r"}, Credential{SecretID: "c", SecretKey: "d", Identity: "r"}
	if first.Digest() != second.Digest() {
		t.Error("a fresh key of a role has another digest than the one before")
	}
	if len(base.Digest()) != 32 {
		t.Errorf("Digest() = %q, want 32 hex digits", base.Digest())
	}
}

func TestUnfitCredentials(t *testing.T) {
	cases := map[string]Credential{
		"nothing":          {},
		"no key":           {SecretID: "id"},
		"newline in key":   {SecretID: "id", SecretKey: "key\n"},
		"blank in ID":      {SecretID: "i d", SecretKey: "key"},
		"control in token": {SecretID: "id", SecretKey: "key", Token: "a\x00"},
		"not ASCII":        {SecretID: "id", SecretKey: "ключ"},
	}
	for name, cred := range cases {
		t.Run(name, func(t *testing.T) {
			e, ok := errors.AsType[*Error](cred.check())
			if !ok || e.Kind != CredentialRefused {
				t.Errorf("check() = %v, want CredentialRefused", e)
			}
		})
	}
	if err := (Credential{SecretID: "id", SecretKey: "key", Token: "a+/="}).check(); err != nil {
		t.Errorf("check() = %v for a good key", err)
	}
}
