package fakecloud

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

func listen(t *testing.T, cloud *Cloud) string {
	t.Helper()
	url, err := cloud.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cloud.Close)
	return url
}

func post(t *testing.T, cloud *Cloud, url string) (*http.Response, error) {
	t.Helper()
	request := signedRequest(cloud, RedisTaskInfo)
	sent, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, request.Body)
	if err != nil {
		t.Fatal(err)
	}
	sent.Header, sent.Host = request.Header, request.Host
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return transport.RoundTrip(sent)
}

func TestConnectionFaults(t *testing.T) {
	cases := map[Kind]func(*testing.T, *http.Response, error){
		Drop: func(t *testing.T, _ *http.Response, err error) {
			if err == nil {
				t.Error("want no answer")
			}
		},
		DropMidBody: func(t *testing.T, resp *http.Response, err error) {
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err == nil || len(body) == 0 || resp.ContentLength <= int64(len(body)) {
				t.Errorf("%d of %d bytes, %v; want a part and an error", len(body), resp.ContentLength, err)
			}
		},
		Endless: func(t *testing.T, resp *http.Response, err error) {
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.CopyN(io.Discard, resp.Body, 20<<20); err != nil {
				t.Errorf("the body ends after %d bytes: %v", n, err)
			}
		},
		GzipBomb: func(t *testing.T, resp *http.Response, err error) {
			if err != nil {
				t.Fatal(err)
			}
			reader, err := gzip.NewReader(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.CopyN(io.Discard, reader, 32<<20); err != nil || resp.Header.Get("Content-Encoding") != "gzip" {
				t.Errorf("unpacks to %d bytes (%v), want more than 32 MiB of gzip", n, err)
			}
		},
	}
	for kind, check := range cases {
		t.Run(string(kind), func(t *testing.T) {
			cloud := runningTasks(newClock())
			url := listen(t, cloud)
			cloud.Inject(Fault{Kind: kind})
			resp, err := post(t, cloud, url)
			if err == nil {
				defer func() { _ = resp.Body.Close() }()
			}
			check(t, resp, err)
		})
	}
}

func TestCloseEndsHangingCalls(t *testing.T) {
	for kind, delay := range map[Kind]time.Duration{Hang: 0, Endless: 0, Delay: time.Hour} {
		t.Run(string(kind), func(t *testing.T) {
			arrived := make(chan Request, 1)
			cloud := New(Options{OnRequest: func(r Request) { arrived <- r }})
			url := listen(t, cloud)
			cloud.Inject(Fault{Kind: kind, Delay: delay})
			ended := make(chan error, 1)
			go func() {
				resp, err := post(t, cloud, url)
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					err = errors.Join(err, resp.Body.Close())
				}
				ended <- err
			}()
			if got := <-arrived; got.Fault != kind || got.TaskID != "7" || got.SecretID != sampleKey().SecretID {
				t.Errorf("the hook saw %+v", got)
			}
			cloud.Close()
			if err := <-ended; err == nil {
				t.Error("want the connection to end without a whole answer")
			}
			if _, err := cloud.Listen("127.0.0.1:0"); err == nil {
				t.Error("a closed cloud listens")
			}
		})
	}
}

// Mounted in another server, the cloud ends its calls all the same.
func TestCloseEndsMountedCalls(t *testing.T) {
	for kind, delay := range map[Kind]time.Duration{Hang: 0, Delay: time.Minute} {
		t.Run(string(kind), func(t *testing.T) {
			arrived := make(chan Request, 1)
			cloud := New(Options{OnRequest: func(r Request) { arrived <- r }})
			cloud.Inject(Fault{Kind: kind, Delay: delay})
			ended := make(chan reply, 1)
			go func() { ended <- raw(t, cloud, RedisTaskInfo) }()
			<-arrived
			cloud.Close()
			if got := <-ended; !got.Dropped {
				t.Errorf("got %+v, want a dropped connection", got)
			}
			cloud.ClearFaults()
			if got := raw(t, cloud, RedisTaskInfo); !got.Dropped {
				t.Errorf("a closed cloud answers %+v", got)
			}
		})
	}
}

func TestListenOnLoopbackOnly(t *testing.T) {
	cloud := New(Options{})
	defer cloud.Close()
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0", "example.com:0", "127.0.0.1"} {
		if url, err := cloud.Listen(addr); err == nil {
			t.Errorf("%q: listens at %s", addr, url)
		}
	}
}

func TestManyClientsOverTheWire(t *testing.T) {
	cloud := New(Options{Limits: map[string]int{RedisTaskInfo: 0, RedisTaskList: 0}})
	endpoint := strings.TrimPrefix(listen(t, cloud), "http://")
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			client, err := redis.NewClient(credential(sampleKey()), "ap-guangzhou", sdkProfile(t, endpoint))
			if err != nil {
				t.Error(err)
				return
			}
			for range 20 {
				cloud.Add(Task{ID: "7", Duration: -1})
				if info, err := taskInfo(client, 7); err != nil || *info.Status != "running" {
					t.Errorf("got %+v, %v, want running", info, err)
				}
				page, err := client.DescribeTaskList(redis.NewDescribeTaskListRequest())
				if err != nil || *page.Response.TotalCount != 1 {
					t.Errorf("list: %v, want one task", err)
				}
			}
		})
	}
	clients.Wait()
	if got := cloud.Stats().APIs[RedisTaskInfo].OK; got != 160 {
		t.Errorf("%d good calls, want 160", got)
	}
}
