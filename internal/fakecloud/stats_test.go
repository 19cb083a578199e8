package fakecloud

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStats(t *testing.T) {
	clock := newClock()
	var mu sync.Mutex
	var seen []Request
	cloud := New(Options{Now: clock.Now, Limits: map[string]int{RedisTaskInfo: 2}, OnRequest: func(r Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r)
	}})
	cloud.Add(Task{ID: "7"})
	client := redisClient(t, cloud, sampleKey())
	ask := func(key Key, id uint64) {
		_, _ = taskInfo(redisClient(t, cloud, key), id) // what it says is tested elsewhere
	}
	_, _ = taskInfo(client, 7)
	clock.Add(time.Second)
	ask(sampleKey(), 7)
	ask(sampleKey(), 8)
	ask(sampleKey(), 7)
	ask(Key{SecretID: "nobody", SecretKey: "x"}, 7)
	clock.Add(time.Second)
	cloud.Inject(Fault{Kind: BadGateway, Count: 1})
	ask(sampleKey(), 7)

	sample := Counts{Calls: 5, OK: 2, Throttled: 1, Refused: 1, Faulted: 1, PeakPerSecond: 3}
	want := Stats{
		APIs: map[string]Counts{RedisTaskInfo: {Calls: 6, OK: 2, Throttled: 1, Refused: 2, Faulted: 1, PeakPerSecond: 4}},
		Accounts: map[string]map[string]Counts{
			"sample": {RedisTaskInfo: sample},
			"":       {RedisTaskInfo: {Calls: 1, Refused: 1, PeakPerSecond: 1}},
		},
		Tasks: map[string]int{"7": 5, "8": 1},
	}
	if diff := cmp.Diff(want, cloud.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	mu.Lock()
	defer mu.Unlock()
	start := clock.Now().Add(-2 * time.Second)
	request := func(after time.Duration, code string) Request {
		return Request{
			Time: start.Add(after), API: RedisTaskInfo, Account: "sample", SecretID: sampleKey().SecretID, Region: "ap-guangzhou",
			TaskID: "7", Query: `{"TaskId":7}`, Code: code,
		}
	}
	unknown, stranger, broken := request(time.Second, "InvalidParameter.InvalidParameter"), request(time.Second, "AuthFailure.SecretIdNotFound"), request(2*time.Second, "")
	unknown.TaskID, unknown.Query = "8", `{"TaskId":8}`
	stranger.Account, stranger.SecretID = "", "nobody"
	broken.Fault = BadGateway
	wantSeen := []Request{request(0, ""), request(time.Second, ""), unknown, request(time.Second, "RequestLimitExceeded"), stranger, broken}
	if diff := cmp.Diff(wantSeen, seen); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestRotatedKey(t *testing.T) {
	cloud := New(Options{Now: newClock().Now})
	cloud.Add(Task{ID: "7"})
	old := redisClient(t, cloud, sampleKey())
	fresh := Key{SecretID: "fresh", SecretKey: "k"}
	cloud.SetAccount(Account{Name: "sample", Keys: []Key{fresh}})
	if _, err := taskInfo(old, 7); codeOf(t, err) != "AuthFailure.SecretIdNotFound" {
		t.Errorf("the old key: %v", err)
	}
	if _, err := taskInfo(redisClient(t, cloud, fresh), 7); err != nil {
		t.Errorf("the new key sees the account's tasks: %v", err)
	}
}
