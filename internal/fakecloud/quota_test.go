package fakecloud

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

func TestPublishedQuotas(t *testing.T) {
	nonce := 0
	cases := map[string]struct {
		reason string
		limit  int
		call   func(*testing.T, *Cloud) string
		code   string
	}{
		RedisTaskInfo: {"20 a second", 20, func(t *testing.T, c *Cloud) string {
			_, err := taskInfo(redisClient(t, c, sampleKey()), 1)
			return codeOf(t, err)
		}, "RequestLimitExceeded"},
		RedisTaskList: {"100 a second", 100, func(t *testing.T, c *Cloud) string {
			_, err := redisClient(t, c, sampleKey()).DescribeTaskList(redis.NewDescribeTaskListRequest())
			return codeOf(t, err)
		}, "RequestLimitExceeded"},
		CLBTaskStatus: {"20 a second", 20, func(t *testing.T, c *Cloud) string {
			_, err := taskStatus(clbClient(t, c, sampleKey()), "job")
			return codeOf(t, err)
		}, "RequestLimitExceeded"},
		LegacyRedisTaskInfo: {"20 a second", 20, func(t *testing.T, c *Cloud) string {
			nonce++
			got := callLegacy(t, c, http.MethodPost, signed("POST", legacyParams(c, nonce, "1"), sampleKey().SecretKey))
			return map[int]string{0: "", 4400: "4400"}[got.Code]
		}, "4400"},
	}
	for api, tc := range cases {
		t.Run(api, func(t *testing.T) {
			clock := newClock()
			cloud := New(Options{Now: clock.Now})
			cloud.Add(Task{ID: "1"}, Task{ID: "job", Service: "clb"})
			for second := range 2 {
				for i := range tc.limit + 2 {
					want := ""
					if i >= tc.limit {
						want = tc.code
					}
					if got := tc.call(t, cloud); got != want {
						t.Fatalf("%s: second %d, call %d: got %q, want %q", tc.reason, second, i+1, got, want)
					}
				}
				clock.Add(time.Second)
			}
			got := cloud.Stats().APIs[api]
			want := Counts{Calls: 2 * (tc.limit + 2), OK: 2 * tc.limit, Throttled: 4, PeakPerSecond: tc.limit + 2}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestQuotaScope(t *testing.T) {
	other := Key{SecretID: "other", SecretKey: "k"}
	second := Key{SecretID: "second", SecretKey: "k"}
	account := SampleAccount()
	account.Keys = append(account.Keys, second)
	clock := newClock()
	cloud := New(Options{
		Now: clock.Now, Limits: map[string]int{RedisTaskInfo: 1, CLBTaskStatus: 0},
		Accounts: []Account{account, {Name: "other", Keys: []Key{other}}},
	})
	cloud.Add(Task{ID: "1"}, Task{ID: "1", Account: "other"}, Task{ID: "job", Service: "clb"})
	info := func(key Key) string {
		_, err := taskInfo(redisClient(t, cloud, key), 1)
		return codeOf(t, err)
	}
	clock.Add(900 * time.Millisecond)
	if got := info(sampleKey()); got != "" {
		t.Errorf("first call: %q", got)
	}
	if got := info(second); got != "RequestLimitExceeded" {
		t.Errorf("another key of the account shares its quota: got %q", got)
	}
	if got := info(other); got != "" {
		t.Errorf("another account has its own quota: got %q", got)
	}
	for range 50 {
		if _, err := taskStatus(clbClient(t, cloud, sampleKey()), "job"); err != nil {
			t.Fatalf("limit 0 is no limit: %v", err)
		}
	}
	clock.Add(100 * time.Millisecond)
	if got := info(sampleKey()); got != "" {
		t.Errorf("the next calendar second, 100 ms later: got %q", got)
	}
}

func TestThrottleMessage(t *testing.T) {
	cloud := New(Options{Now: newClock().Now})
	cloud.Add(Task{ID: "1"})
	client := redisClient(t, cloud, sampleKey())
	var err error
	for range 23 {
		_, err = taskInfo(client, 1)
	}
	want := "Your current request times equals to `23` in a second, which exceeds the frequency limit `20` for a second. Please reduce the frequency of calls."
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q: rejected calls count too", err, want)
	}
}

func TestSteal(t *testing.T) {
	clock := newClock()
	cloud := New(Options{Now: clock.Now})
	cloud.Add(Task{ID: "1"})
	client := redisClient(t, cloud, sampleKey())
	cloud.Steal(RedisTaskInfo, 30) // number i comes (i+0.5)/30 s into a second

	allowed := 0
	for range 10 { // ours come at 0, 100, ... 900 ms, after 0, 3, ... 27 of theirs
		if _, err := taskInfo(client, 1); err == nil {
			allowed++
		}
		clock.Add(100 * time.Millisecond)
	}
	// Of all 40, the first 20 pass: ours at 0 to 400 ms are the 1st, 5th, 9th,
	// 13th and 17th, that at 500 ms the 21st.
	if allowed != 5 {
		t.Errorf("%d of our calls passed, want 5", allowed)
	}
	clock.Add(2 * time.Second) // two seconds without us: 10 of 30 are rejected in each
	counts := cloud.Stats().APIs[RedisTaskInfo]
	want := Counts{Calls: 10, OK: 5, Throttled: 5, PeakPerSecond: 10, OthersCalls: 90, OthersThrottled: 15 + 2*10}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}

	cloud.Steal(RedisTaskInfo, 0)
	clock.Add(time.Minute)
	if got := cloud.Stats().APIs[RedisTaskInfo].OthersCalls; got != 90 {
		t.Errorf("%d calls of others, want no more than 90 once they stopped", got)
	}
}

func TestStealFromOneAccount(t *testing.T) {
	other := Key{SecretID: "other", SecretKey: "k"}
	clock := newClock()
	cloud := New(Options{Now: clock.Now, Accounts: []Account{SampleAccount(), {Name: "other", Keys: []Key{other}}}})
	cloud.Add(Task{ID: "1"}, Task{ID: "1", Account: "other"})
	cloud.Steal(RedisTaskInfo, 1000, "other")
	clock.Add(500 * time.Millisecond)
	if _, err := taskInfo(redisClient(t, cloud, other), 1); codeOf(t, err) != "RequestLimitExceeded" {
		t.Errorf("the named account's quota is used up: got %v", err)
	}
	if _, err := taskInfo(redisClient(t, cloud, sampleKey()), 1); err != nil {
		t.Errorf("no one else's is: %v", err)
	}

	third := Key{SecretID: "third", SecretKey: "k"}
	cloud.Steal(RedisTaskInfo, 1000)
	cloud.SetAccount(Account{Name: "third", Keys: []Key{third}})
	cloud.Add(Task{ID: "1", Account: "third"})
	if _, err := taskInfo(redisClient(t, cloud, third), 1); err != nil {
		t.Errorf("a new account's quota is whole until others come: %v", err)
	}
	clock.Add(900 * time.Millisecond)
	if _, err := taskInfo(redisClient(t, cloud, third), 1); codeOf(t, err) != "RequestLimitExceeded" {
		t.Errorf("theft of all includes accounts added later: %v", err)
	}
}
