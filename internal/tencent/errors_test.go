package tencent

import (
	"errors"
	"strings"
	"testing"

	sdkerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
)

func TestClassify(t *testing.T) {
	cases := map[string]struct {
		reason string
		want   Kind
	}{
		"RequestLimitExceeded":                               {"the limiter", Throttled},
		"RequestLimitExceeded.UinLimitExceeded":              {"the main account's limit", Throttled},
		"RequestLimitExceeded.IPLimitExceeded":               {"the address's limit", Throttled},
		"RequestLimitExceededX":                              {"only whole segments follow", Unavailable},
		"AuthFailure":                                        {"without a second segment", CredentialRefused},
		"AuthFailure.SignatureFailure":                       {"wrong key", CredentialRefused},
		"AuthFailure.SignatureExpire":                        {"wrong clock", CredentialRefused},
		"AuthFailure.SecretIdNotFound":                       {"its row goes before *NotFound*", CredentialRefused},
		"AuthFailure.TokenFailure":                           {"expired token", CredentialRefused},
		"AuthFailure.UnauthorizedOperation":                  {"the permission of one action", AccessDenied},
		"UnauthorizedOperation":                              {"CAM", AccessDenied},
		"UnauthorizedOperation.NoCAMAuthed":                  {"CAM", AccessDenied},
		"InvalidParameter.PermissionDenied":                  {"its row goes before InvalidParameter*", AccessDenied},
		"UnsupportedRegion":                                  {"", InvalidRequest},
		"InvalidParameter.RegionNotFound":                    {"its row goes before *NotFound*", InvalidRequest},
		"LimitExceeded":                                      {"a quota, not a rate", InvalidRequest},
		"LimitExceeded.Tasks":                                {"a quota, not a rate", InvalidRequest},
		"InvalidAction":                                      {"", InvalidRequest},
		"NoSuchVersion":                                      {"", InvalidRequest},
		"UnsupportedOperation":                               {"", InvalidRequest},
		"UnsupportedOperation.ClusterInstanceAccessedDenied": {"", InvalidRequest},
		"InternalError":                                      {"", Unavailable},
		"InternalError.DbOperationFailed":                    {"", Unavailable},
		"InternalError.NotFound":                             {"its row goes before *NotFound*", Unavailable},
		"FailedOperation.SystemError":                        {"", Unavailable},
		"ResourceUnavailable":                                {"", Unavailable},
		"ResourceUnavailable.InstanceNotFound":               {"its row goes before *NotFound*", Unavailable},
		"InvalidParameter":                                   {"the only parameter is the ID", NotFound},
		"InvalidParameter.InvalidParameter":                  {"", NotFound},
		"InvalidParameterValue":                              {"", NotFound},
		"InvalidParameterValue.FormatError":                  {"", NotFound},
		"ResourceNotFound":                                   {"", NotFound},
		"ResourceNotFound.InstanceNotExists":                 {"", NotFound},
		"FailedOperation.TaskNotFound":                       {"NotFound anywhere", NotFound},
		"FailedOperation.FlowNotFoundError":                  {"NotFound anywhere", NotFound},
		"FailedOperation":                                    {"CLB's general error", Unavailable},
		"ServiceUnavailable":                                 {"", Unavailable},
		"IpNotInWhitelist":                                   {"not in the table", Unavailable},
		"requestlimitexceeded":                               {"codes have one spelling", Unavailable},
		"internal.AuthFailure":                               {"a prefix is at the start", Unavailable},
		"":                                                   {"no code", Unavailable},
	}
	for code, tc := range cases {
		t.Run(code, func(t *testing.T) {
			if got := Classify(code); got != tc.want {
				t.Errorf("Classify(%q) = %v, want %v: %s", code, got, tc.want, tc.reason)
			}
		})
	}
}

func TestClassifyLegacy(t *testing.T) {
	cases := map[Kind][]int64{
		Throttled:         {4400},
		CredentialRefused: {4100, 4104, 4105, 4106, 4110},
		AccessDenied:      {4101, 4102, 4103, 4107, 4108, 4109, 4300},
		InvalidRequest:    {4000, 4600, 6100},
		Unavailable:       {4200, 4500, 5100, 6000, 6200, -1, 1, 4099, 4111, 99999},
		NotFound:          {5000, 11201},
	}
	for want, codes := range cases {
		for _, code := range codes {
			if got := classifyLegacy(code); got != want {
				t.Errorf("classifyLegacy(%d) = %v, want %v", code, got, want)
			}
		}
	}
}

func TestAsError(t *testing.T) {
	cred := Credential{SecretID: "AKIDexample0", SecretKey: "theSecretKey0", Token: "theToken00"}
	cases := map[string]struct {
		reason string
		err    error
		want   Error
	}{
		"API error": {
			reason: "code, message and request ID are the cloud's",
			err:    sdkerrors.NewTencentCloudSDKError("ResourceNotFound", "no\nsuch task", "req-1"),
			want:   Error{NotFound, "ResourceNotFound", "no such task", "req-1"},
		},
		"request ID in the message": {
			reason: "it would make the message new at every poll",
			err: sdkerrors.NewTencentCloudSDKError("UnauthorizedOperation",
				"[request id:81120ab8-fea0-41ab-af7e-283c0348c4fc]you may not; see 81120ab8-fea0-41ab-af7e-283c0348c4fc", "81120ab8-fea0-41ab-af7e-283c0348c4fc"),
			want: Error{AccessDenied, "UnauthorizedOperation", "you may not; see", "81120ab8-fea0-41ab-af7e-283c0348c4fc"},
		},
		"key repeated": {
			reason: "a server may repeat the request",
			err: sdkerrors.NewTencentCloudSDKError("FailedOperation",
				"got theSecretKey0, theToken00 and Signature=0123456789abcdef0123456789abcdef", ""),
			want: Error{Unavailable, "FailedOperation", "got [hidden], [hidden] and signature [hidden]", ""},
		},
		"unreadable": {
			reason: "the SDK's message repeats the answer",
			err:    sdkerrors.NewTencentCloudSDKError("ClientError.ParseJsonError", "Fail to parse json content: <html>", ""),
			want:   Error{Unavailable, "UnreadableAnswer", "the answer is not what the API documents", ""},
		},
		"no code": {
			reason: "the SDK loses the number of an API 2.0 answer",
			err:    sdkerrors.NewTencentCloudSDKError("", "quota", ""),
			want:   Error{Unavailable, "UnreadableAnswer", "the answer is not what the API documents", ""},
		},
		"ours within the SDK's": {
			reason: "the transport's errors come back through net/http and the SDK",
			err:    sdkerrors.NewTencentCloudSDKErrorWithCause("ClientError.NetworkError", "Fail to get response", "", httpStatusError(502)),
			want:   Error{Unavailable, "HTTP502", "HTTP status 502 Bad Gateway", ""},
		},
		"any other": {
			reason: "the SDK also returns plain errors",
			err:    errors.New("Content-Encoding not support: br"),
			want:   Error{Unavailable, "NetworkError", "Content-Encoding not support: br", ""},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := *asError(tc.err, cred); got != tc.want {
				t.Errorf("asError(...) = %#v, want %#v: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestErrorLeavesOutTheRequestID(t *testing.T) {
	e := &Error{Kind: NotFound, Code: "ResourceNotFound", Message: "no such task", RequestID: "req-1"}
	if got, want := e.Error(), "ResourceNotFound: no such task"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got, want := (&Error{Code: "Timeout"}).Error(), "Timeout"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestErrorIsBounded(t *testing.T) {
	long := strings.Repeat("语", 5000)
	got := asError(sdkerrors.NewTencentCloudSDKError(long, long, long), Credential{})
	for what, size := range map[string][2]int{
		"code":       {len([]rune(got.Code)), maxID},
		"message":    {len([]rune(got.Message)), maxMessage},
		"request ID": {len([]rune(got.RequestID)), maxID},
	} {
		if size[0] != size[1] {
			t.Errorf("%s has %d characters, want %d", what, size[0], size[1])
		}
	}
}
