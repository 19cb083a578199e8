package fakecloud

import (
	"fmt"
	"time"
)

// lane is what a quota is counted by.
type lane struct{ account, api string }

// window counts the calls of one lane in one calendar second. Others' calls
// are not made but computed: of n a second, number i comes (i+0.5)/n into it.
type window struct {
	second int64
	calls  int // in this second, ours and others', rejected ones too
	others int // others' calls a second
	seen   int // others' calls so far in this second
	// Totals of the others.
	othersCalls, othersThrottled int
}

// meter counts a call against its quota.
func (c *Cloud) meter(call *call, now time.Time) *apiError {
	limit := c.limits[call.api]
	w := c.window(lane{call.account, call.api}, now)
	w.calls++
	if limit == 0 || w.calls <= limit {
		return nil
	}
	return errThrottled(w.calls, limit)
}

func errThrottled(calls, limit int) *apiError {
	return &apiError{code: "RequestLimitExceeded", number: 4400, message: fmt.Sprintf(
		"Your current request times equals to `%d` in a second, which exceeds the frequency limit `%d` for a second. Please reduce the frequency of calls.",
		calls, limit)}
}

// window is the lane's current second, with the others' calls up to now.
func (c *Cloud) window(l lane, now time.Time) *window {
	w := c.windows[l]
	if w == nil {
		w = &window{second: now.Unix()}
		w.steal(c.thefts[l.api], now)
		c.windows[l] = w
	}
	w.advance(now, c.limits[l.api])
	return w
}

// advance lets the others' calls until now arrive.
func (w *window) advance(now time.Time, limit int) {
	if second := now.Unix(); second > w.second {
		w.arrive(w.others-w.seen, limit)
		idle := int(second - w.second - 1)
		w.othersCalls += idle * w.others
		if limit > 0 {
			w.othersThrottled += idle * max(0, w.others-limit)
		}
		w.second, w.calls, w.seen = second, 0, 0
	}
	w.arrive(arrived(w.others, now)-w.seen, limit)
}

func (w *window) arrive(others, limit int) {
	if others <= 0 {
		return
	}
	w.seen += others
	w.othersCalls += others
	if limit > 0 {
		w.othersThrottled += min(others, max(0, w.calls+others-limit))
	}
	w.calls += others
}

// steal sets the others' rate from now on.
func (w *window) steal(perSecond int, now time.Time) {
	w.others, w.seen = perSecond, arrived(perSecond, now)
}

// arrived is how many of n calls spread over a second have come by now.
func arrived(n int, now time.Time) int {
	return int((int64(n)*int64(now.Nanosecond()) + int64(time.Second)/2) / int64(time.Second))
}

// Steal makes others use the quota of an API with so many calls a second,
// spread evenly: of the named accounts, or of all. 0 ends it.
func (c *Cloud) Steal(api string, perSecond int, accounts ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(accounts) == 0 {
		c.thefts[api] = perSecond // for accounts to come
		for _, account := range c.accounts {
			accounts = append(accounts, account.Name)
		}
	}
	now := c.options.Now()
	for _, account := range accounts {
		c.window(lane{account, api}, now).steal(perSecond, now)
	}
}
