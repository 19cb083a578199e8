package fakecloud

import (
	"fmt"
	"slices"
	"time"
)

// signatureLifetime is how far a call's timestamp may be off.
const signatureLifetime = 5 * time.Minute

// Account is a sub-account: the owner of tasks and of quotas. Its keys share
// both, so that a rotated key changes nothing else.
type Account struct {
	Name string `json:"name"`
	Keys []Key  `json:"keys"`
}

// Key is an API key. One with a Token is temporary, and must come with it.
type Key struct {
	SecretID  string `json:"secretID"`
	SecretKey string `json:"secretKey"`
	Token     string `json:"token,omitempty"`
}

// SampleAccount is the account of a cloud that is told none.
func SampleAccount() Account {
	return Account{Name: "sample", Keys: []Key{{SecretID: "sample-secret-id", SecretKey: "sample-secret-key"}}}
}

// SetAccount adds an account, or replaces the keys of the one of that name;
// without keys, nobody can use it any more. It panics if another account has
// one of the keys' SecretIDs.
func (c *Cloud) SetAccount(account Account) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.checkAccount(account); err != nil {
		panic("fakecloud: " + err.Error())
	}
	i := slices.IndexFunc(c.accounts, func(a Account) bool { return a.Name == account.Name })
	if i < 0 {
		c.accounts = append(c.accounts, account)
		return
	}
	c.accounts[i] = account
}

func (c *Cloud) checkAccount(account Account) error {
	seen := map[string]bool{}
	for _, other := range c.accounts {
		for _, key := range other.Keys {
			seen[key.SecretID] = other.Name != account.Name
		}
	}
	for _, key := range account.Keys {
		if key.SecretID == "" || key.SecretKey == "" || seen[key.SecretID] {
			return fmt.Errorf("account %q: SecretID %q is empty, has no key, or is taken", account.Name, key.SecretID)
		}
		seen[key.SecretID] = true
	}
	return nil
}

func (c *Cloud) hasAccount(name string) bool {
	return slices.ContainsFunc(c.accounts, func(a Account) bool { return a.Name == name })
}

func (c *Cloud) findKey(secretID string) (account string, key Key, found bool) {
	for _, a := range c.accounts {
		for _, k := range a.Keys {
			if k.SecretID == secretID {
				return a.Name, k, true
			}
		}
	}
	return "", Key{}, false
}

func errSecretIDNotFound() *apiError {
	return &apiError{code: "AuthFailure.SecretIdNotFound", number: 4104, message: "The SecretId is not found, please ensure that your SecretId is correct."}
}

func errSignatureFailure() *apiError {
	return &apiError{code: "AuthFailure.SignatureFailure", number: 4100, message: "The provided credentials could not be validated. Please check your signature is correct."}
}

func errSignatureExpire() *apiError {
	return &apiError{code: "AuthFailure.SignatureExpire", number: 4500, message: "The provided credentials could not be validated because the timestamp differs from the server's time by more than 5 minutes."}
}

func errTokenFailure() *apiError {
	return &apiError{code: "AuthFailure.TokenFailure", number: 4105, message: "The provided credentials could not be validated because of a wrong token."}
}
