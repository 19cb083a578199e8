package tencent

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const legacyPath = "/v2/index.php"

// legacyStates are the numbers of API 2.0's DescribeTaskInfo.
var legacyStates = map[string]State{"0": Waiting, "1": Running, "2": Succeeded, "3": Failed, "-1": Failed}

// LegacyRedisTask asks about one Redis task by API 2.0
// (https://cloud.tencent.com/document/api/239/7200). The SDK cannot be used: it
// loses numeric error codes and fails on numbers that come as strings. Errors are
// as those of RedisTask.
func (c *Client) LegacyRedisTask(ctx context.Context, cred Credential, region string, taskID int64) (Observation, error) {
	id, err := redisTaskID(taskID)
	if err != nil {
		return Observation{}, err
	}
	var observation Observation
	err = c.ask(ctx, LegacyRedisTaskInfo, cred, region, func(ctx context.Context) error {
		params := legacyParams(cred, region, time.Now())
		params["Action"] = "DescribeTaskInfo"
		params["requestId"] = strconv.FormatUint(id, 10)
		body, err := c.post(ctx, cred, c.Host(LegacyRedisTaskInfo, region), params)
		if err != nil {
			return err
		}
		observation, err = readLegacy(cred, body)
		return err
	})
	return observation, err
}

func legacyParams(cred Credential, region string, now time.Time) map[string]string {
	params := map[string]string{
		"Region":          region,
		"Timestamp":       strconv.FormatInt(now.Unix(), 10),
		"Nonce":           nonce(),
		"SecretId":        cred.SecretID,
		"SignatureMethod": "HmacSHA256",
	}
	if cred.Token != "" {
		params["Token"] = cred.Token
	}
	return params
}

// nonce is a positive number that no other call has: a repeated one is refused.
func nonce() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return strconv.FormatUint(binary.BigEndian.Uint64(b[:])>>1|1, 10)
}

// post signs and sends a request. It goes by POST, since a URL ends up in error
// texts and proxies' logs.
func (c *Client) post(ctx context.Context, cred Credential, host string, params map[string]string) ([]byte, error) {
	form := url.Values{"Signature": {legacySignature(http.MethodPost, host, params, cred.SecretKey)}}
	for key, value := range params {
		form.Set(key, value)
	}
	target := c.endpoints.scheme + "://" + host + legacyPath
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("User-Agent", c.userAgent)
	request.Header["Idempotency-Key"] = nil // as UnsafeRetryOnConnectionFailure; nil is not sent
	response, err := (&http.Client{Transport: c.transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return io.ReadAll(response.Body) // bounded by the transport
}

// legacySignature signs by HmacSHA256: the parameters in ASCII order, their values
// not escaped (https://intl.cloud.tencent.com/document/product/406/5883).
func legacySignature(method, host string, params map[string]string, secretKey string) string {
	pairs := make([]string, 0, len(params))
	for _, key := range slices.Sorted(maps.Keys(params)) {
		pairs = append(pairs, key+"="+params[key])
	}
	mac := hmac.New(sha256.New, []byte(secretKey))
	mac.Write([]byte(method + host + legacyPath + "?" + strings.Join(pairs, "&")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// readLegacy reads an answer. Numbers may come as strings, and data, documented
// as an array, as an object.
func readLegacy(cred Credential, body []byte) (Observation, error) {
	var answer struct{ Code, Message, CodeDesc, Data json.RawMessage }
	if err := json.Unmarshal(body, &answer); err != nil {
		return Observation{}, unreadable("the answer is not a JSON object")
	}
	o := Observation{Progress: NoProgress, Message: cred.clean(scalar(answer.Message), maxMessage)}
	code := scalar(answer.Code)
	if code == "" {
		return o, nil // not the API's answer, whatever it says of a status
	}
	if number, ok := integer(code); !ok || number != 0 {
		return Observation{}, legacyError(cred, code, scalar(answer.Message), scalar(answer.CodeDesc))
	}
	o.Status = cred.clean(legacyStatus(answer.Data), maxStatus)
	if number, ok := integer(o.Status); ok {
		o.Status = strconv.FormatInt(number, 10)
		o.State = stateOf(legacyStates, o.Status)
	}
	return o, nil
}

func legacyError(cred Credential, code, message, description string) *Error {
	if message == "" {
		message = description
	}
	kind := Unavailable
	if number, ok := integer(code); ok {
		kind = classifyLegacy(number)
		code = strconv.FormatInt(number, 10)
	}
	return apiError(kind, code, message, "", cred)
}

// legacyStatus is data.status, or that of data's only element.
func legacyStatus(data json.RawMessage) string {
	var list []json.RawMessage
	if json.Unmarshal(data, &list) == nil && len(list) == 1 {
		data = list[0]
	}
	var task struct{ Status json.RawMessage }
	if json.Unmarshal(data, &task) != nil {
		return ""
	}
	return scalar(task.Status)
}

// scalar is the text of a JSON string or number, and empty for anything else.
func scalar(raw json.RawMessage) string {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return ""
	}
	switch value := value.(type) {
	case string:
		return strings.TrimSpace(value)
	case json.Number:
		return value.String()
	}
	return ""
}

// integer reads a whole number, which may be written as 2, 2.0 or 2e0.
func integer(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}
