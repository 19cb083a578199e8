package fakecloud

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const tc3 = "TC3-HMAC-SHA256"

// authorization is the Authorization header of signature method 3, see
// https://www.tencentcloud.com/document/api/239/32046.
type authorization struct {
	secretID, date, service, terminator string
	signedHeaders                       []string
	signature                           string
}

// parseAuthorization gives the zero value for anything malformed.
func parseAuthorization(header string) authorization {
	algorithm, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	if algorithm != tc3 {
		return authorization{}
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[name] = value
	}
	scope := strings.Split(parts["Credential"], "/")
	if len(scope) != 4 || parts["SignedHeaders"] == "" || parts["Signature"] == "" {
		return authorization{}
	}
	return authorization{
		secretID: scope[0], date: scope[1], service: scope[2], terminator: scope[3],
		signedHeaders: strings.Split(parts["SignedHeaders"], ";"),
		signature:     parts["Signature"],
	}
}

// authenticate checks an API 3.0 call and finds its account.
func (c *Cloud) authenticate(call *call, now time.Time) *apiError {
	auth := call.scope
	if call.method != http.MethodPost {
		return &apiError{code: "UnsupportedProtocol", message: "Only POST with a JSON body is supported here."}
	}
	if auth.signature == "" {
		return &apiError{code: "AuthFailure.InvalidAuthorization", message: "The Authorization header is missing or malformed."}
	}
	account, key, found := c.findKey(auth.secretID)
	if !found {
		return errSecretIDNotFound()
	}
	timestamp := call.header.Get("X-TC-Timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return missingParameter("X-TC-Timestamp")
	}
	signed := time.Unix(seconds, 0)
	if now.Sub(signed).Abs() > signatureLifetime {
		return errSignatureExpire()
	}
	if auth.date != signed.UTC().Format(time.DateOnly) || auth.terminator != "tc3_request" ||
		!slices.Contains(auth.signedHeaders, "host") || !slices.Contains(auth.signedHeaders, "content-type") {
		return errSignatureFailure()
	}
	want := signTC3(key.SecretKey, timestamp, auth, canonicalRequest(call, auth.signedHeaders))
	if !hmac.Equal([]byte(want), []byte(auth.signature)) {
		return errSignatureFailure()
	}
	if call.header.Get("X-TC-Token") != key.Token {
		return errTokenFailure()
	}
	call.account = account
	return nil
}

// canonicalRequest is step 1 of the signature; names and values of headers
// are lower-cased and trimmed.
func canonicalRequest(call *call, signedHeaders []string) string {
	var headers strings.Builder
	for _, name := range signedHeaders {
		value := call.header.Get(name)
		if name == "host" {
			value = call.host
		}
		headers.WriteString(name + ":" + strings.ToLower(strings.TrimSpace(value)) + "\n")
	}
	return strings.Join([]string{
		call.method, "/", "", headers.String(), strings.Join(signedHeaders, ";"), hexSHA256(call.body),
	}, "\n")
}

func signTC3(secretKey, timestamp string, auth authorization, canonical string) string {
	scope := auth.date + "/" + auth.service + "/tc3_request"
	text := strings.Join([]string{tc3, timestamp, scope, hexSHA256([]byte(canonical))}, "\n")
	key := hmacSHA256([]byte("TC3"+secretKey), auth.date)
	key = hmacSHA256(key, auth.service)
	key = hmacSHA256(key, "tc3_request")
	return hex.EncodeToString(hmacSHA256(key, text))
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func hmacSHA256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
