package tencent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
)

// sessionSeconds is the life asked of a key from STS.
const sessionSeconds = 7200

// oidcProvider gets keys by the pod identity of TKE. The SDK's own provider asks
// STS about its default region instead of the pod's, and knows no ctx.
type oidcProvider struct {
	scheme, host string
	region       string
	providerID   string
	tokenFile    string
	roleARN      string
	transport    *transport
}

// podIdentityConfigured goes by what TKE injects for nothing but pod identity.
func podIdentityConfigured(env func(string) string) bool {
	return env("TKE_PROVIDER_ID") != "" || env("TKE_WEB_IDENTITY_TOKEN_FILE") != "" || env("TKE_ROLE_ARN") != ""
}

func podIdentity(endpoints endpoints, env func(string) string) (func(context.Context) (temporaryKey, error), error) {
	var missing []string
	for _, name := range []string{"TKE_REGION", "TKE_PROVIDER_ID", "TKE_WEB_IDENTITY_TOKEN_FILE", "TKE_ROLE_ARN"} {
		if env(name) == "" {
			missing = append(missing, name)
		}
	}
	region := env("TKE_REGION")
	switch {
	case len(missing) > 0:
		return nil, fmt.Errorf("no key in TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, and the pod identity lacks %s", strings.Join(missing, ", "))
	case !validRegion(region):
		return nil, errors.New("the pod identity's TKE_REGION is not a region such as ap-guangzhou")
	}
	return oidcProvider{
		scheme:     endpoints.scheme,
		host:       endpoints.host("sts", region),
		region:     region,
		providerID: env("TKE_PROVIDER_ID"),
		tokenFile:  env("TKE_WEB_IDENTITY_TOKEN_FILE"),
		roleARN:    env("TKE_ROLE_ARN"),
		transport:  newTransport(http.ProxyFromEnvironment),
	}.fetch, nil
}

// fetch calls AssumeRoleWithWebIdentity, which is not signed: the token, read
// anew each time since the kubelet rotates it, proves who asks
// (https://cloud.tencent.com/document/api/1312/73070).
func (p oidcProvider) fetch(ctx context.Context) (temporaryKey, error) {
	token, err := os.ReadFile(p.tokenFile)
	if err != nil {
		return temporaryKey{}, fmt.Errorf("read the pod's token: %w", err)
	}
	webToken := strings.TrimSpace(string(token))
	answer, err := p.assumeRole(ctx, webToken)
	if err != nil {
		return temporaryKey{}, fmt.Errorf("assume role %s: %w", clean(p.roleARN, maxID), providerError(ctx, err, Credential{Token: webToken}))
	}
	return answer.key("operator/oidc:" + p.roleARN), nil
}

// stsAnswer is what STS says of a role's key.
type stsAnswer struct {
	Response struct {
		Credentials struct {
			Token     string
			SecretID  string `json:"TmpSecretId"`
			SecretKey string `json:"TmpSecretKey"`
		}
		ExpiredTime int64 // seconds since 1970
	}
}

func (a stsAnswer) key(identity string) temporaryKey {
	c := a.Response.Credentials
	return temporaryKey{
		Credential: Credential{SecretID: c.SecretID, SecretKey: c.SecretKey, Token: c.Token, Identity: identity},
		expires:    time.Unix(a.Response.ExpiredTime, 0),
	}
}

func (p oidcProvider) assumeRole(ctx context.Context, webToken string) (stsAnswer, error) {
	request := tchttp.NewCommonRequest("sts", "2018-08-13", "AssumeRoleWithWebIdentity")
	request.SetSkipSign(true)
	request.SetContext(ctx)
	err := request.SetActionParameters(map[string]any{
		"ProviderId":       p.providerID,
		"WebIdentityToken": webToken,
		"RoleArn":          p.roleARN,
		"RoleSessionName":  "cloudtask",
		"DurationSeconds":  sessionSeconds,
	})
	if err != nil {
		return stsAnswer{}, err
	}
	options := profile.NewClientProfile()
	options.Language = "en-US"
	options.HttpProfile.Scheme = p.scheme
	options.HttpProfile.Endpoint = p.host
	options.HttpProfile.ReqTimeout = 0 // ctx bounds the call
	client := common.NewCommonClient(nil, p.region, options).WithHttpTransport(p.transport)

	response := tchttp.NewCommonResponse()
	if err := client.Send(request, response); err != nil {
		return stsAnswer{}, err
	}
	var answer stsAnswer
	if err := json.Unmarshal(response.GetBody(), &answer); err != nil {
		return stsAnswer{}, unreadable("the answer is not what the API documents")
	}
	return answer, nil
}
