package fakecloud

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clb "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/clb/v20180317"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	sdkerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

// clock stands still until told otherwise. It starts at the real time, since
// the SDK signs with that, but at the start of a second.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Second)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// direct is a transport without a network.
type direct struct {
	cloud *Cloud
	alter func(*http.Request)
}

func (d direct) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = errors.New("connection dropped")
		}
	}()
	sent := r.Clone(r.Context())
	if sent.Host == "" {
		sent.Host = sent.URL.Host
	}
	if d.alter != nil {
		d.alter(sent)
	}
	recorder := httptest.NewRecorder()
	d.cloud.ServeHTTP(recorder, sent)
	return recorder.Result(), nil
}

func sampleKey() Key { return SampleAccount().Keys[0] }

func sdkProfile(t *testing.T, endpoint string) *profile.ClientProfile {
	t.Helper()
	p := profile.NewClientProfile()
	p.HttpProfile.Scheme = "HTTP"
	p.HttpProfile.Endpoint = endpoint
	return p
}

func credential(key Key) common.CredentialIface {
	return common.NewTokenCredential(key.SecretID, key.SecretKey, key.Token)
}

// redisClient is Tencent's own client without a network.
func redisClient(t *testing.T, cloud *Cloud, key Key) *redis.Client {
	t.Helper()
	client, err := redis.NewClient(credential(key), "ap-guangzhou", sdkProfile(t, "fake:80"))
	if err != nil {
		t.Fatal(err)
	}
	client.WithHttpTransport(direct{cloud: cloud})
	return client
}

func clbClient(t *testing.T, cloud *Cloud, key Key) *clb.Client {
	t.Helper()
	client, err := clb.NewClient(credential(key), "ap-guangzhou", sdkProfile(t, "fake:80"))
	if err != nil {
		t.Fatal(err)
	}
	client.WithHttpTransport(direct{cloud: cloud})
	return client
}

func taskInfo(client *redis.Client, id uint64) (*redis.DescribeTaskInfoResponseParams, error) {
	request := redis.NewDescribeTaskInfoRequest()
	request.TaskId = &id
	response, err := client.DescribeTaskInfo(request)
	if err != nil {
		return nil, err
	}
	return response.Response, nil
}

func taskStatus(client *clb.Client, id string) (*clb.DescribeTaskStatusResponseParams, error) {
	request := clb.NewDescribeTaskStatusRequest()
	request.TaskId = &id
	response, err := client.DescribeTaskStatus(request)
	if err != nil {
		return nil, err
	}
	return response.Response, nil
}

// codeOf is the API's error code; "" for no error.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var failure *sdkerrors.TencentCloudSDKError
	if !errors.As(err, &failure) {
		t.Fatalf("not an API error: %v", err)
	}
	return failure.Code
}

// legacyParams are those of a good API 2.0 call, unsigned.
func legacyParams(cloud *Cloud, nonce int, id string) url.Values {
	key := sampleKey()
	return url.Values{
		"Action": {"DescribeTaskInfo"}, "Region": {"ap-guangzhou"}, "SecretId": {key.SecretID},
		"Timestamp": {strconv.FormatInt(cloud.options.Now().Unix(), 10)}, "Nonce": {strconv.Itoa(nonce)},
		"SignatureMethod": {"HmacSHA256"}, "requestId": {id},
	}
}

// signed adds the signature, made by Tencent's own code.
func signed(method string, params url.Values, secretKey string) url.Values {
	params.Del("Signature")
	text, _ := url.QueryUnescape(strings.ReplaceAll(params.Encode(), "+", "%20"))
	params.Set("Signature", common.Sign(method+"fake:80/v2/index.php?"+text, secretKey, params.Get("SignatureMethod")))
	return params
}

type legacyAnswer struct {
	Code     int
	Message  string
	CodeDesc string
	Data     struct{ Status *int }
}

func callLegacy(t *testing.T, cloud *Cloud, method string, params url.Values) legacyAnswer {
	t.Helper()
	target, body := "http://fake:80/v2/index.php", params.Encode()
	if method == http.MethodGet {
		target, body = target+"?"+body, ""
	}
	recorder := httptest.NewRecorder()
	cloud.ServeHTTP(recorder, httptest.NewRequest(method, target, strings.NewReader(body)))
	if recorder.Code != http.StatusOK {
		t.Fatalf("HTTP status %d, want 200 for whatever was processed", recorder.Code)
	}
	return parse[legacyAnswer](t, recorder.Body)
}

func parse[T any](t *testing.T, body io.Reader) T {
	t.Helper()
	var value T
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	return value
}
