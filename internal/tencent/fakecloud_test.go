package tencent_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/tencent"
)

const region = "ap-guangzhou"

// The clock's second for clouds whose clock stands still: near the true time,
// which signatures carry.
var (
	now     = time.Now().Truncate(time.Second)
	started = now.Add(-time.Minute)
)

var (
	key       = fakecloud.Key{SecretID: "AKIDexample0", SecretKey: "theSecretKey0"}
	temporary = fakecloud.Key{SecretID: "AKIDexample1", SecretKey: "theSecretKey1", Token: "theToken01"}
)

// newCloud is a cloud with a running task of each service.
func newCloud(t *testing.T, options fakecloud.Options) (*fakecloud.Cloud, *tencent.Client) {
	t.Helper()
	options.Accounts = []fakecloud.Account{{Name: "us", Keys: []fakecloud.Key{key, temporary}}}
	cloud := fakecloud.New(options)
	t.Cleanup(cloud.Close)
	cloud.Add(
		fakecloud.Task{Service: "redis", ID: "18215", Start: started, Duration: -1},
		fakecloud.Task{Service: "clb", ID: "55c85074", DealName: "deal-1", Start: started, Duration: -1},
	)
	url, err := cloud.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client, err := tencent.NewClient(tencent.Config{Endpoint: url, UserAgent: "cloudtask test"})
	if err != nil {
		t.Fatal(err)
	}
	return cloud, client
}

// ask asks one API about a task that runs, or about one that does not exist.
type ask func(ctx context.Context, c *tencent.Client, cred tencent.Credential, exists bool) (tencent.Observation, error)

func asks() map[tencent.API]ask {
	redisID := map[bool]int64{true: 18215, false: 1}
	clbID := map[bool]string{true: "55c85074", false: "gone"}
	return map[tencent.API]ask{
		tencent.RedisTaskInfo: func(ctx context.Context, c *tencent.Client, cred tencent.Credential, exists bool) (tencent.Observation, error) {
			return c.RedisTask(ctx, cred, region, redisID[exists])
		},
		tencent.LegacyRedisTaskInfo: func(ctx context.Context, c *tencent.Client, cred tencent.Credential, exists bool) (tencent.Observation, error) {
			return c.LegacyRedisTask(ctx, cred, region, redisID[exists])
		},
		tencent.CLBTaskStatus: func(ctx context.Context, c *tencent.Client, cred tencent.Credential, exists bool) (tencent.Observation, error) {
			return c.CLBTask(ctx, cred, region, tencent.CLBQuery{RequestID: clbID[exists]})
		},
		tencent.RedisTaskList: func(ctx context.Context, c *tencent.Client, cred tencent.Credential, _ bool) (tencent.Observation, error) {
			page, err := c.RedisTasks(ctx, cred, region, tencent.ListQuery{Results: []int64{0, 1}})
			if err != nil || len(page.Tasks) != 1 || page.Total != 1 || page.Tasks[0].ID != 18215 {
				return tencent.Observation{}, err
			}
			return page.Tasks[0].Observation, nil
		},
	}
}

func TestRightKey(t *testing.T) {
	_, client := newCloud(t, fakecloud.Options{})
	for name, k := range map[string]fakecloud.Key{"lasting": key, "temporary": temporary} {
		for api, ask := range asks() {
			t.Run(name+" "+string(api), func(t *testing.T) {
				got, err := ask(t.Context(), client, credential(k), true)
				if err != nil || got.State != tencent.Running {
					t.Errorf("got %v, %v, want Running", got.State, err)
				}
			})
		}
	}
}

func credential(k fakecloud.Key) tencent.Credential {
	return tencent.Credential{SecretID: k.SecretID, SecretKey: k.SecretKey, Token: k.Token}
}

func TestWrongKey(t *testing.T) {
	_, client := newCloud(t, fakecloud.Options{})
	cases := map[string]tencent.Credential{
		"wrong key":   {SecretID: key.SecretID, SecretKey: "anotherKey0"},
		"unknown ID":  {SecretID: "AKIDunknown0", SecretKey: key.SecretKey},
		"wrong token": {SecretID: temporary.SecretID, SecretKey: temporary.SecretKey, Token: "anotherToken0"},
		"no token":    {SecretID: temporary.SecretID, SecretKey: temporary.SecretKey},
	}
	for name, cred := range cases {
		for api, ask := range asks() {
			t.Run(name+" "+string(api), func(t *testing.T) {
				_, err := ask(t.Context(), client, cred, true)
				wantKind(t, err, tencent.CredentialRefused)
			})
		}
	}
}

func wantKind(t *testing.T, err error, want tencent.Kind) {
	t.Helper()
	if e, ok := errors.AsType[*tencent.Error](err); !ok || e.Kind != want {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestThrottled(t *testing.T) {
	_, client := newCloud(t, fakecloud.Options{
		Limits: map[string]int{fakecloud.RedisTaskInfo: 1, fakecloud.RedisTaskList: 1, fakecloud.CLBTaskStatus: 1, fakecloud.LegacyRedisTaskInfo: 1},
		Now:    func() time.Time { return now },
	})
	for api, ask := range asks() {
		t.Run(string(api), func(t *testing.T) {
			if _, err := ask(t.Context(), client, credential(key), true); err != nil {
				t.Fatalf("the first call gave %v", err)
			}
			_, err := ask(t.Context(), client, credential(key), true)
			wantKind(t, err, tencent.Throttled)
		})
	}
}

func TestNoSuchTask(t *testing.T) {
	_, client := newCloud(t, fakecloud.Options{})
	for api, ask := range asks() {
		if api == tencent.RedisTaskList {
			continue // it lists what there is
		}
		t.Run(string(api), func(t *testing.T) {
			_, err := ask(t.Context(), client, credential(key), false)
			wantKind(t, err, tencent.NotFound)
		})
	}
}

func TestEnds(t *testing.T) {
	cloud, client := newCloud(t, fakecloud.Options{})
	if !cloud.Finish("redis", "18215", true, "") || !cloud.Finish("clb", "55c85074", false, "no capacity") {
		t.Fatal("the tasks cannot be ended")
	}
	wants := map[tencent.API]tencent.State{
		tencent.RedisTaskInfo: tencent.Succeeded, tencent.LegacyRedisTaskInfo: tencent.Succeeded, tencent.CLBTaskStatus: tencent.Failed,
	}
	for api, want := range wants {
		got, err := asks()[api](t.Context(), client, credential(key), true)
		if err != nil || got.State != want {
			t.Errorf("%s: got %v, %v, want %v", api, got.State, err, want)
		}
		if api == tencent.CLBTaskStatus && got.Message != "no capacity" {
			t.Errorf("%s: got message %q", api, got.Message)
		}
	}
	page, err := client.RedisTasks(t.Context(), credential(key), region, tencent.ListQuery{})
	if err != nil || len(page.Tasks) != 1 {
		t.Fatalf("got %d tasks, %v, want 1", len(page.Tasks), err)
	}
	o := page.Tasks[0].Observation
	if o.State != tencent.Succeeded || !o.Start.Equal(started) || o.End.Before(o.Start) {
		t.Errorf("got %v from %s to %s, want Succeeded from %s", o.State, o.Start, o.End, started)
	}
}

func TestDealName(t *testing.T) {
	_, client := newCloud(t, fakecloud.Options{})
	got, err := client.CLBTask(t.Context(), credential(key), region, tencent.CLBQuery{DealName: "deal-1"})
	if err != nil || got.State != tencent.Running {
		t.Errorf("got %v, %v, want Running", got.State, err)
	}
}
