package tencent

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
)

// Credential is a key for Tencent Cloud. However it is printed or marshalled, it
// shows nothing of itself.
type Credential struct {
	SecretID, SecretKey string
	// Token goes with a temporary key.
	Token string
	// Identity names the provider's role behind a key that rotates, for example
	// operator/cvm:my-role. It stands in for the key in Digest, so that a fresh
	// key stays on the quota of the one before. Empty for a key that stays.
	Identity string
}

const redacted = "[hidden]"

// Format prints the credential as [hidden], whatever the verb.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String returns [hidden].
func (c Credential) String() string { return redacted }

// GoString returns [hidden].
func (c Credential) GoString() string { return redacted }

// MarshalText returns [hidden].
func (c Credential) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[hidden]".
func (c Credential) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Digest is a stable, irreversible name for whose quota the key spends: hex over
// SecretID, SecretKey and Token, or over Identity. The key is part of it, since a
// SecretID alone is no secret: whoever puts another's into his own Secret must
// not land on that one's quota. So is the token: a mended one is another key.
func (c Credential) Digest() string {
	parts := []string{"key", c.SecretID, c.SecretKey, c.Token}
	if c.Identity != "" {
		parts = []string{"identity", c.Identity}
	}
	hash := sha256.New()
	for _, part := range parts {
		_ = binary.Write(hash, binary.BigEndian, uint64(len(part))) // a hash never fails
		hash.Write([]byte(part))
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// check refuses a key that cannot stand in an HTTP header, which would otherwise
// look like a network error for ever.
func (c Credential) check() error {
	unfit := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case c.SecretID == "" || c.SecretKey == "":
		return &Error{Kind: CredentialRefused, Code: "InvalidCredential", Message: "the secret ID or the secret key is empty"}
	case strings.ContainsFunc(c.SecretID+c.SecretKey+c.Token, unfit):
		return &Error{
			Kind: CredentialRefused, Code: "InvalidCredential",
			Message: "the secret ID, the secret key or the token holds a blank, a newline or another character that no key has",
		}
	}
	return nil
}

func (c Credential) sdk() *common.Credential {
	return common.NewTokenCredential(c.SecretID, c.SecretKey, c.Token)
}

var signature = regexp.MustCompile(`(?i)signature["']?\s*[=:]\s*["']?[A-Za-z0-9+/=%]{16,}`)

// clean is clean without what a server could repeat of the request: the key, the
// token, the signature.
func (c Credential) clean(s string, limit int) string {
	s = printable(s)
	for _, secret := range []string{c.SecretKey, c.Token, c.SecretID} {
		// A shorter one is no real key, and would blank out common words.
		if len(secret) >= 8 {
			s = strings.ReplaceAll(s, secret, redacted)
		}
	}
	return cut(signature.ReplaceAllString(s, "signature "+redacted), limit)
}

func (c Credential) cleanPtr(s *string, limit int) string {
	if s == nil {
		return ""
	}
	return c.clean(*s, limit)
}
