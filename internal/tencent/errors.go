package tencent

import (
	"errors"
	"regexp"
	"strings"

	sdkerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
)

// Kind is what an error means for whoever asks.
type Kind int

// The kinds of errors.
const (
	// Unavailable passes by itself: ask again, with growing delay.
	Unavailable Kind = iota
	// Throttled: slow the whole quota down. It says nothing of the task.
	Throttled
	// CredentialRefused: the key is wrong, gone or expired, for all its tasks.
	CredentialRefused
	// AccessDenied: the key is good but may not ask this.
	AccessDenied
	// InvalidRequest: the request itself cannot succeed.
	InvalidRequest
	// NotFound: the cloud knows no such task, or not yet.
	NotFound
)

func (k Kind) String() string {
	switch k {
	case Throttled:
		return "Throttled"
	case CredentialRefused:
		return "CredentialRefused"
	case AccessDenied:
		return "AccessDenied"
	case InvalidRequest:
		return "InvalidRequest"
	case NotFound:
		return "NotFound"
	}
	return "Unavailable"
}

// Error is a call that gave no observation. It never holds a key, a token, a
// signature or a URL.
type Error struct {
	Kind Kind
	// Code is the cloud's, or one of ours where the cloud gave none: Timeout,
	// NetworkError, HTTP502 (any status but 200), UnreadableAnswer,
	// InvalidCredential, InvalidTaskID. At most 128 characters.
	Code string
	// Message is the cloud's, clean and at most 1,024 characters long.
	Message string
	// RequestID is for logs and tickets; Error leaves it out, since it is new in
	// every answer.
	RequestID string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// rule gives codes their kind. A pattern may begin and end with * for any text.
type rule struct {
	pattern string
	kind    Kind
}

// rules is the table of error codes of API 3.0; the first match wins.
var rules = []rule{
	{"RequestLimitExceeded", Throttled},
	{"RequestLimitExceeded.*", Throttled},

	// The permission of one action, under a name that looks like the key's.
	{"AuthFailure.UnauthorizedOperation*", AccessDenied},
	{"AuthFailure*", CredentialRefused},
	{"UnauthorizedOperation*", AccessDenied},
	{"InvalidParameter.PermissionDenied", AccessDenied},

	{"UnsupportedRegion", InvalidRequest},
	{"InvalidParameter.RegionNotFound", InvalidRequest},
	{"LimitExceeded*", InvalidRequest}, // a quota, not a rate
	{"InvalidAction", InvalidRequest},
	{"NoSuchVersion", InvalidRequest},
	{"UnsupportedOperation*", InvalidRequest},

	{"InternalError*", Unavailable},
	{"FailedOperation.SystemError", Unavailable},
	{"ResourceUnavailable*", Unavailable},

	// The only input of the calls is the ID, so a bad parameter is a bad ID.
	{"InvalidParameter*", NotFound},
	{"ResourceNotFound*", NotFound},
	{"*NotFound*", NotFound},
}

func (r rule) matches(code string) bool {
	text, isPrefix := strings.CutSuffix(r.pattern, "*")
	text, isInfix := strings.CutPrefix(text, "*")
	switch {
	case isInfix:
		return strings.Contains(code, text)
	case isPrefix:
		return strings.HasPrefix(code, text)
	}
	return code == text
}

// Classify gives an error code of API 3.0 its kind. Codes match in the case in
// which they are documented; an unknown one is Unavailable.
func Classify(code string) Kind {
	for _, r := range rules {
		if r.matches(code) {
			return r.kind
		}
	}
	return Unavailable
}

// classifyLegacy gives an error code of API 2.0 its kind
// (https://cloud.tencent.com/document/api/239/1757).
func classifyLegacy(code int64) Kind {
	switch code {
	case 4400:
		return Throttled
	case 4100, 4104, 4105, 4106, 4110:
		return CredentialRefused
	case 4101, 4102, 4103, 4107, 4108, 4109, 4300:
		return AccessDenied
	case 4000, 4600, 6100:
		return InvalidRequest
	case 5000, 11201:
		return NotFound
	}
	// 4200 and 4500 (expired, replayed: each try has a new time and nonce),
	// 5100, 6000, 6200, and whatever is not known.
	return Unavailable
}

// asError turns what a call came back with into an *Error.
func asError(err error, cred Credential) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	sdk, ok := errors.AsType[*sdkerrors.TencentCloudSDKError](err)
	switch {
	case !ok:
		return networkError(err, cred)
	case sdk.Code == "ClientError.NetworkError" && sdk.Unwrap() != nil:
		return networkError(sdk.Unwrap(), cred)
	case sdk.Code == "" || strings.HasPrefix(sdk.Code, "ClientError."):
		// The SDK's message repeats the whole answer.
		return unreadable("the answer is not what the API documents")
	}
	return apiError(Classify(sdk.Code), sdk.Code, sdk.Message, sdk.RequestId, cred)
}

func apiError(kind Kind, code, message, requestID string, cred Credential) *Error {
	return &Error{
		Kind:      kind,
		Code:      cred.clean(code, maxID),
		Message:   withoutRequestID(cred.clean(message, maxMessage), requestID),
		RequestID: cred.clean(requestID, maxID),
	}
}

var quotedRequestID = regexp.MustCompile(`(?i)[[(]?request ?id:? ?[0-9a-f]{8}-[0-9a-f-]{27}[])]?`)

// withoutRequestID drops the query's request ID from a message, where CAM puts
// it: it would make the same message new at every poll.
func withoutRequestID(message, requestID string) string {
	message = quotedRequestID.ReplaceAllString(message, "")
	if len(requestID) >= 8 {
		message = strings.ReplaceAll(message, requestID, "")
	}
	return strings.Join(strings.Fields(message), " ")
}
