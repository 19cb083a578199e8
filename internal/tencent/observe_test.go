package tencent

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

func TestObserve(t *testing.T) {
	answers := []string{`{"Response":{"Status":"running","RequestId":"r"}}`, `{"Response":{"Error":{"Code":"RequestLimitExceeded","Message":"m"},"RequestId":"r"}}`}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write([]byte(answers[0])); err != nil {
			t.Error(err)
		}
		answers = answers[1:]
	}))
	defer server.Close()
	var seen []string
	client, err := NewClient(Config{Endpoint: server.URL, Observe: func(api API, _ time.Duration, err error) {
		result := "ok"
		if e, ok := errors.AsType[*Error](err); ok {
			result = e.Kind.String()
		}
		seen = append(seen, string(api)+" "+result)
	}})
	if err != nil {
		t.Fatal(err)
	}
	cred := Credential{SecretID: "id", SecretKey: "key"}
	for range 2 {
		_, _ = client.RedisTask(t.Context(), cred, "ap-guangzhou", 1)
	}
	_, _ = client.RedisTask(t.Context(), Credential{}, "ap-guangzhou", 1)
	if want := []string{"redis.DescribeTaskInfo ok", "redis.DescribeTaskInfo " + Throttled.String()}; !slices.Equal(seen, want) {
		t.Errorf("Observe was told of %q, want %q", seen, want)
	}
}
