package tencent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// metadataURL serves the keys of the role bound to a CVM
// (https://cloud.tencent.com/document/product/213/4934).
const metadataURL = "http://metadata.tencentyun.com/latest/meta-data/cam/security-credentials/"

var roleNamePattern = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,128}$`)

// cvmRole gets keys from the metadata server of the machine. The SDK's own
// provider has neither time-out nor bound.
type cvmRole struct {
	url  string
	http *http.Client
}

func newCVMRole(url string) cvmRole {
	t := newTransport(nil) // the metadata server is never behind a proxy
	t.plainText = true
	return cvmRole{url: url, http: &http.Client{Transport: t}}
}

func (r cvmRole) fetch(ctx context.Context) (temporaryKey, error) {
	key, err := r.key(ctx)
	if err != nil {
		return temporaryKey{}, fmt.Errorf("ask the metadata server of the CVM for a role's key: %w", providerError(ctx, err, Credential{}))
	}
	return key, nil
}

func (r cvmRole) key(ctx context.Context) (temporaryKey, error) {
	body, err := r.get(ctx, r.url)
	if err != nil {
		return temporaryKey{}, err
	}
	name := strings.TrimSpace(string(body))
	if !roleNamePattern.MatchString(name) {
		return temporaryKey{}, noRole()
	}
	if body, err = r.get(ctx, r.url+name); err != nil {
		return temporaryKey{}, err
	}
	var answer struct {
		Code, Token string
		SecretID    string `json:"TmpSecretId"`
		SecretKey   string `json:"TmpSecretKey"`
		ExpiredTime int64  // seconds since 1970
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return temporaryKey{}, unreadable("the answer is not a role's key")
	}
	if answer.Code != "Success" {
		return temporaryKey{}, apiError(Unavailable, answer.Code, "no key for role "+name, "", Credential{})
	}
	return temporaryKey{
		Credential: Credential{
			SecretID: answer.SecretID, SecretKey: answer.SecretKey, Token: answer.Token,
			Identity: "operator/cvm:" + name,
		},
		expires: time.Unix(answer.ExpiredTime, 0),
	}, nil
}

func noRole() *Error {
	return &Error{Kind: Unavailable, Code: "NoRole", Message: "no role is bound to this machine"}
}

func (r cvmRole) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := r.http.Do(request)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && e.Code == httpStatusError(http.StatusNotFound).Code {
			return nil, noRole()
		}
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return io.ReadAll(response.Body) // bounded by the transport
}
