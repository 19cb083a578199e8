package fakecloud

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

func TestListLies(t *testing.T) {
	cases := map[string]struct {
		reason string
		lies   []Fault
		want   []int64 // two pages of 3 of the live tasks 7, 6, 5, 4
		total  int64
	}{
		"truth":          {"all four", nil, []int64{7, 6, 5, 4}, 4},
		"skip":           {"the first row of the second page", []Fault{{Kind: ListSkip}}, []int64{7, 6, 5}, 4},
		"skip one":       {"a task", []Fault{{Kind: ListSkip, TaskID: "6"}}, []int64{7, 5, 4}, 4},
		"late":           {"started less than 2.5 h ago", []Fault{{Kind: ListLate, For: 150 * time.Minute}}, []int64{5, 4}, 2},
		"never":          {"a task, for ever", []Fault{{Kind: ListLate, TaskID: "5"}}, []int64{7, 6, 4}, 3},
		"stale":          {"ended tasks as running", []Fault{{Kind: ListStale}}, []int64{7, 6, 5, 4, 3, 2}, 7},
		"stale one":      {"a task", []Fault{{Kind: ListStale, TaskID: "2"}}, []int64{7, 6, 5, 4, 2}, 5},
		"stale a while":  {"ended less than 5.5 h ago", []Fault{{Kind: ListStale, For: 330 * time.Minute}}, []int64{7, 6, 5, 4, 3}, 5},
		"empty":          {"nothing", []Fault{{Kind: ListEmpty}}, []int64{}, 0},
		"duplicate":      {"each twice", []Fault{{Kind: ListDuplicate}}, []int64{7, 7, 6, 6, 5, 5, 4, 4}, 4},
		"total":          {"as told", []Fault{{Kind: ListTotal, Total: 1 << 40}}, []int64{7, 6, 5, 4}, 1 << 40},
		"empty, total":   {"lies add up", []Fault{{Kind: ListEmpty}, {Kind: ListTotal, Total: 9}}, []int64{}, 9},
		"other's":        {"another account's", []Fault{{Kind: ListEmpty, Account: "other"}}, []int64{7, 6, 5, 4}, 4},
		"lie and a late": {"with another fault", []Fault{{Kind: Delay}, {Kind: ListSkip}}, []int64{7, 6, 5}, 4},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := sevenTasks(newClock())
			for _, lie := range tc.lies {
				cloud.Inject(lie)
			}
			got, total := []int64{}, int64(0)
			for offset := range 2 {
				page := list(t, cloud, func(r *redis.DescribeTaskListRequest) {
					r.Limit, r.Offset = new(int64(3)), new(int64(3*offset))
					r.Result = []*int64{new(int64(0)), new(int64(1))}
				})
				got, total = append(got, ids(page)...), *page.TotalCount
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || total != tc.total {
				t.Errorf("%s: total %d, want %d (-want +got):\n%s", tc.reason, total, tc.total, diff)
			}
		})
	}
}

// The list lies; DescribeTaskInfo does not.
func TestListLiesAreOfTheListAlone(t *testing.T) {
	cloud := sevenTasks(newClock())
	cloud.Inject(Fault{Kind: ListStale})
	cloud.Inject(Fault{Kind: ListEmpty})
	info, err := taskInfo(redisClient(t, cloud, sampleKey()), 1)
	if err != nil || *info.Status != "succeed" {
		t.Errorf("got %+v, %v, want succeed", info, err)
	}
}
