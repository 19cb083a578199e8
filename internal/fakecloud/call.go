package fakecloud

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// call is one request as it came in.
type call struct {
	api      string
	method   string
	host     string // as sent, port included
	header   http.Header
	body     []byte
	form     url.Values // API 2.0 only
	legacy   bool       // API 2.0
	secretID string
	account  string // known once authenticated
	region   string
	taskID   string // task ID, request ID or deal name; "" for a list
	scope    authorization
}

// Request is what a test sees of a call.
type Request struct {
	Time     time.Time // of arrival, by the cloud's clock
	API      string
	Account  string // "" unless the key and signature were good
	SecretID string
	Region   string
	TaskID   string // task ID, request ID or deal name; "" for a list
	Query    string // the JSON parameters as sent; API 3.0 only
	Fault    Kind   // "" where none was injected
	Code     string // the error answered; "" for none
}

// apiError is an error in the words of both APIs.
type apiError struct {
	code    string // API 3.0; codeDesc of API 2.0
	number  int    // API 2.0
	message string
}

// verdict is what is to be answered, and what happens to the answer.
type verdict struct {
	fields  map[string]any // of Response, or of data in API 2.0
	err     *apiError
	fault   Fault
	request Request
}

var regionSyntax = regexp.MustCompile(`^[a-z]{2}(-[a-z]+){1,3}$`)

func parseCall(r *http.Request, body []byte) *call {
	call := &call{api: Other, method: r.Method, host: r.Host, header: r.Header, body: body}
	if r.URL.Path == legacyPath {
		call.parseLegacy(r)
		return call
	}
	call.scope = parseAuthorization(r.Header.Get("Authorization"))
	call.secretID = call.scope.secretID
	call.region = r.Header.Get("X-TC-Region")
	call.api, _ = apiOf(call.scope.service, r.Header.Get("X-TC-Version"), r.Header.Get("X-TC-Action"))
	var ids struct {
		TaskID   json.RawMessage `json:"TaskId"`
		DealName string
	}
	if json.Unmarshal(body, &ids) == nil {
		call.taskID = cmp.Or(strings.Trim(string(ids.TaskID), `"`), ids.DealName)
	}
	return call
}

// apiOf resolves an API 3.0 call.
func apiOf(service, version, action string) (string, *apiError) {
	versions := map[string]string{"redis": "2018-04-12", "clb": "2018-03-17"}
	api := service + "." + action
	switch {
	case versions[service] == "":
		return Other, &apiError{code: "NoSuchProduct", message: fmt.Sprintf("The product `%s` does not exist.", service)}
	case versions[service] != version:
		return Other, &apiError{code: "NoSuchVersion", message: fmt.Sprintf("The API version `%s` does not exist.", version)}
	case api != RedisTaskInfo && api != RedisTaskList && api != CLBTaskStatus:
		return Other, &apiError{code: "InvalidAction", message: fmt.Sprintf("The request action=`%s` is invalid or doesn't exist.", action)}
	}
	return api, nil
}

// judge decides what a call is answered, at the moment it arrives.
func (c *Cloud) judge(call *call) verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.options.Now()
	err := c.admit(call, now)
	fault, lies := c.faults.pick(call)
	v := verdict{err: err, fault: fault}
	if v.err == nil {
		v.fields, v.err = c.answer(call, now, lies)
	}
	fault.apply(call, &v)
	v.request = Request{
		Time: now, API: call.api, Account: call.account, SecretID: call.secretID,
		Region: call.region, TaskID: call.taskID, Fault: fault.Kind,
	}
	if !call.legacy {
		v.request.Query = string(call.body)
	}
	switch {
	case v.err != nil && call.legacy:
		v.request.Code = strconv.Itoa(v.err.number)
	case v.err != nil:
		v.request.Code = v.err.code
	}
	c.stats.record(call, now, v)
	return v
}

// admit does what stands before every API: identity, quota, region.
func (c *Cloud) admit(call *call, now time.Time) *apiError {
	if call.legacy {
		if err := c.authenticateLegacy(call, now); err != nil {
			return err
		}
		if call.api == Other {
			return &apiError{code: "UnsupportedAction", number: 6100, message: "this version or action is not supported"}
		}
	} else {
		if err := c.authenticate(call, now); err != nil {
			return err
		}
		if _, err := apiOf(call.scope.service, call.header.Get("X-TC-Version"), call.header.Get("X-TC-Action")); err != nil {
			return err
		}
	}
	if err := c.meter(call, now); err != nil {
		return err
	}
	return c.checkRegion(call.region)
}

func (c *Cloud) checkRegion(region string) *apiError {
	switch {
	case region == "":
		return missingParameter("Region")
	case len(region) > 40, !regionSyntax.MatchString(region), len(c.regions) > 0 && !c.regions[region]:
		return &apiError{code: "UnsupportedRegion", number: 4000, message: fmt.Sprintf("The region `%s` is not supported.", region)}
	}
	return nil
}

func (c *Cloud) answer(call *call, now time.Time, lies lies) (map[string]any, *apiError) {
	switch call.api {
	case RedisTaskInfo:
		return c.redisTaskInfo(call, now)
	case RedisTaskList:
		return c.redisTaskList(call, now, lies)
	case CLBTaskStatus:
		return c.clbTaskStatus(call, now)
	default:
		return c.legacyRedisTaskInfo(call, now)
	}
}

// decode reads API 3.0 parameters as strictly as the real cloud does.
func decode(body []byte, into any) *apiError {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == nil && !decoder.More():
		return nil
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return invalidParameter("The value type of parameter `%s` is not valid.", wrongType.Field)
	case err != nil && strings.Contains(err.Error(), "unknown field"):
		return &apiError{code: "UnknownParameter", message: fmt.Sprintf("The parameter is not recognized: %v.", err)}
	}
	return &apiError{code: "InvalidRequest", message: "The request body is not one JSON object."}
}

func invalidParameter(format string, args ...any) *apiError {
	return &apiError{code: "InvalidParameter", number: 4000, message: fmt.Sprintf(format, args...)}
}

func missingParameter(name string) *apiError {
	return &apiError{code: "MissingParameter", number: 4000, message: fmt.Sprintf("The request is missing a required parameter `%s`.", name)}
}

// encode writes an answer in the envelope of the call's API.
func encode(call *call, v verdict) ([]byte, error) {
	var envelope map[string]any
	switch {
	case call.legacy && v.err != nil:
		envelope = map[string]any{"code": v.err.number, "message": v.err.message}
		if _, numeric := strconv.Atoi(v.err.code); numeric != nil {
			envelope["codeDesc"] = v.err.code
		}
	case call.legacy:
		envelope = map[string]any{"code": 0, "message": "", "codeDesc": "Success", "data": v.fields}
	case v.err != nil:
		failure := map[string]string{"Code": v.err.code, "Message": v.err.message}
		envelope = map[string]any{"Response": map[string]any{"Error": failure, "RequestId": newRequestID()}}
	default:
		v.fields["RequestId"] = newRequestID()
		envelope = map[string]any{"Response": v.fields}
	}
	data, err := json.Marshal(envelope)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return data, nil
}

func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
