package tencent

import (
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	cases := map[string]struct {
		reason string
		cfg    Config
		api    API
		region string
		want   string
	}{
		"default":             {"no region in it", Config{}, RedisTaskInfo, "ap-guangzhou", "redis.tencentcloudapi.com"},
		"list":                {"the same service", Config{}, RedisTaskList, "ap-guangzhou", "redis.tencentcloudapi.com"},
		"CLB":                 {"by service", Config{}, CLBTaskStatus, "na-ashburn", "clb.tencentcloudapi.com"},
		"finance":             {"cut off from the others", Config{}, CLBTaskStatus, "ap-shanghai-fsi", "clb.ap-shanghai-fsi.tencentcloudapi.com"},
		"international":       {"root domain", Config{RootDomain: "intl.tencentcloudapi.com"}, RedisTaskInfo, "ap-singapore", "redis.intl.tencentcloudapi.com"},
		"finance in a VPC":    {"both", Config{RootDomain: "internal.tencentcloudapi.com"}, RedisTaskInfo, "ap-shenzhen-fsi", "redis.ap-shenzhen-fsi.internal.tencentcloudapi.com"},
		"legacy":              {"its own host", Config{}, LegacyRedisTaskInfo, "ap-guangzhou", "redis.api.qcloud.com"},
		"legacy, root domain": {"which does not change it", Config{RootDomain: "intl.tencentcloudapi.com"}, LegacyRedisTaskInfo, "ap-shanghai-fsi", "redis.api.qcloud.com"},
		"endpoint":            {"takes every call", Config{Endpoint: "http://127.0.0.1:8080"}, CLBTaskStatus, "ap-shanghai-fsi", "127.0.0.1:8080"},
		"endpoint, legacy":    {"API 2.0 too", Config{Endpoint: "https://cloud.example:8443/"}, LegacyRedisTaskInfo, "ap-guangzhou", "cloud.example:8443"},
		"endpoint, IPv6":      {"in brackets", Config{Endpoint: "http://[::1]:8080"}, RedisTaskInfo, "ap-guangzhou", "[::1]:8080"},
		"region as a host":    {"no object chooses a host", Config{}, RedisTaskInfo, "evil.example/x-fsi", "redis.tencentcloudapi.com"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			client, err := NewClient(tc.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if got := client.Host(tc.api, tc.region); got != tc.want {
				t.Errorf("Host(%s, %s) = %q, want %q: %s", tc.api, tc.region, got, tc.want, tc.reason)
			}
		})
	}
}

func TestNewClientRefuses(t *testing.T) {
	cases := map[string]Config{
		"no scheme":          {Endpoint: "127.0.0.1:8080"},
		"another scheme":     {Endpoint: "ftp://127.0.0.1:8080"},
		"no host":            {Endpoint: "http://"},
		"path":               {Endpoint: "http://127.0.0.1:8080/v2"},
		"query":              {Endpoint: "http://127.0.0.1:8080?a=b"},
		"fragment":           {Endpoint: "http://127.0.0.1:8080#a"},
		"user":               {Endpoint: "http://user:hunter2hunter2@127.0.0.1:8080"},
		"empty port":         {Endpoint: "http://127.0.0.1:"},
		"bad port":           {Endpoint: "http://127.0.0.1:hunter2hunter2"},
		"blank":              {Endpoint: "http://a b:80"},
		"root domain's path": {RootDomain: "tencentcloudapi.com/x"},
		"root domain's port": {RootDomain: "tencentcloudapi.com:80"},
		"root domain, URL":   {RootDomain: "https://tencentcloudapi.com"},
		"root domain, dot":   {RootDomain: ".tencentcloudapi.com"},
		"root domain, word":  {RootDomain: "localhost"},
	}
	for name, cfg := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := NewClient(cfg)
			if err == nil {
				t.Fatalf("NewClient(%+v) gave no error", cfg)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats the endpoint: %v", err)
			}
		})
	}
}

func TestRegions(t *testing.T) {
	for _, region := range []string{"ap-guangzhou", "ap-shanghai-fsi", "na-siliconvalley", "ap-shenzhen-b-ft"} {
		if err := checkRegion(region); err != nil {
			t.Errorf("checkRegion(%q) = %v", region, err)
		}
	}
	for _, region := range []string{"", "gz", "ap-guangzhou-3", "AP-GUANGZHOU", "ap-guangzhou\n", "ap-" + strings.Repeat("a", 40), "a.b/c-fsi"} {
		if checkRegion(region) == nil {
			t.Errorf("checkRegion(%q) gave no error", region)
		}
	}
}
