package fakecloud

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what API 2.0 signs with by default
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const legacyPath = "/v2/index.php"

// parseLegacy reads an API 2.0 call, whose parameters are all in the query
// (GET) or in the form (POST).
func (call *call) parseLegacy(r *http.Request) {
	call.legacy = true
	query := r.URL.RawQuery
	if r.Method == http.MethodPost {
		query = string(call.body)
	}
	call.form, _ = url.ParseQuery(query) // what does not parse is missing, or fails the signature
	call.secretID = call.form.Get("SecretId")
	call.region = longRegion(call.form.Get("Region"))
	call.taskID = call.form.Get("requestId")
	if call.form.Get("Action") == "DescribeTaskInfo" {
		call.api = LegacyRedisTaskInfo
	}
}

// longRegion is the region of an API 2.0 short code; others stay as they are.
func longRegion(region string) string {
	short := map[string]string{
		"gz": "ap-guangzhou", "sh": "ap-shanghai", "bj": "ap-beijing", "cd": "ap-chengdu", "cq": "ap-chongqing",
		"hk": "ap-hongkong", "sg": "ap-singapore", "th": "ap-bangkok", "kr": "ap-seoul", "jp": "ap-tokyo",
		"de": "eu-frankfurt", "in": "ap-mumbai", "ca": "na-toronto", "usw": "na-siliconvalley", "use": "na-ashburn",
		"ru": "eu-moscow",
	}
	if long, ok := short[region]; ok {
		return long
	}
	return region
}

// authenticateLegacy checks an API 2.0 call and finds its account.
func (c *Cloud) authenticateLegacy(call *call, now time.Time) *apiError {
	for _, name := range []string{"Action", "Region", "Timestamp", "Nonce", "SecretId", "Signature"} {
		if call.form.Get(name) == "" {
			return missingParameter(name)
		}
	}
	account, key, found := c.findKey(call.secretID)
	if !found {
		return errSecretIDNotFound()
	}
	want := signLegacy(key.SecretKey, call.method, call.host, call.form)
	if !hmac.Equal([]byte(want), []byte(call.form.Get("Signature"))) {
		return errSignatureFailure()
	}
	if call.form.Get("Token") != key.Token {
		return errTokenFailure()
	}
	seconds, err := strconv.ParseInt(call.form.Get("Timestamp"), 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > signatureLifetime {
		return errSignatureExpire()
	}
	if nonce, err := strconv.ParseUint(call.form.Get("Nonce"), 10, 64); err != nil || nonce == 0 {
		return invalidParameter("Nonce must be a positive integer.")
	}
	if !c.nonces.use(call.secretID+"/"+call.form.Get("Nonce"), now) {
		return &apiError{code: "ReplayAttack", number: 4500, message: "replay attack: this Nonce was used before"}
	}
	call.account = account
	return nil
}

// signLegacy signs the parameters, unencoded and in ASCII order, see
// https://cloud.tencent.com/document/api/239/1757.
func signLegacy(secretKey, method, host string, form url.Values) string {
	var text strings.Builder
	text.WriteString(method + host + legacyPath)
	separator := "?"
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if name != "Signature" {
			text.WriteString(separator + name + "=" + form.Get(name))
			separator = "&"
		}
	}
	algorithm := sha1.New
	if form.Get("SignatureMethod") == "HmacSHA256" {
		algorithm = sha256.New
	}
	mac := hmac.New(algorithm, []byte(secretKey))
	mac.Write([]byte(text.String()))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// nonces remembers used nonces for as long as a replay could pass otherwise:
// a timestamp is good from 5 minutes before the server's time to 5 after it.
// Two generations bound what is kept.
type nonces struct {
	current, previous map[string]bool
	since             time.Time
}

// use reports whether the nonce is new.
func (n *nonces) use(nonce string, now time.Time) bool {
	if n.current == nil || now.Sub(n.since) > 2*signatureLifetime {
		n.previous, n.current, n.since = n.current, map[string]bool{}, now
	}
	if n.current[nonce] || n.previous[nonce] {
		return false
	}
	n.current[nonce] = true
	return true
}
