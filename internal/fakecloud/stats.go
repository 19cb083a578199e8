package fakecloud

import (
	"maps"
	"strings"
	"time"
)

// Stats is what has happened since New.
type Stats struct {
	// APIs counts by API.
	APIs map[string]Counts `json:"apis"`
	// Accounts counts by account name and API; calls that no account could
	// be found for are under "".
	Accounts map[string]map[string]Counts `json:"accounts"`
	// Tasks counts the calls about a task by its ID (task ID, request ID or
	// deal name), of whichever API, account and region.
	Tasks map[string]int `json:"tasks"`
}

// Counts of calls. Every call is exactly one of OK, Throttled, Refused and
// Faulted.
type Counts struct {
	Calls     int `json:"calls"`
	OK        int `json:"ok"`
	Throttled int `json:"throttled"` // by the quota or by a fault
	Refused   int `json:"refused"`   // answered with any other error
	Faulted   int `json:"faulted"`   // not given the proper answer
	// PeakPerSecond is the greatest number of calls in a calendar second.
	PeakPerSecond int `json:"peakPerSecond"`
	// What Steal made of the same quota.
	OthersCalls     int `json:"othersCalls"`
	OthersThrottled int `json:"othersThrottled"`
}

// stats keeps a counter per lane, and under allAccounts one per API.
type stats struct {
	counters map[lane]*counter
	tasks    map[string]int
}

const allAccounts = "\x00all"

type counter struct {
	Counts
	second   int64
	inSecond int
}

func newStats() *stats { return &stats{counters: map[lane]*counter{}, tasks: map[string]int{}} }

func (s *stats) record(call *call, now time.Time, v verdict) {
	s.count(lane{allAccounts, call.api}, now.Unix(), v)
	s.count(lane{call.account, call.api}, now.Unix(), v)
	if call.taskID != "" {
		s.tasks[call.taskID]++
	}
}

func (s *stats) count(l lane, second int64, v verdict) {
	c := s.counters[l]
	if c == nil {
		c = &counter{}
		s.counters[l] = c
	}
	if second != c.second {
		c.second, c.inSecond = second, 0
	}
	c.Calls++
	c.inSecond++
	c.PeakPerSecond = max(c.PeakPerSecond, c.inSecond)
	switch {
	case v.fault.Kind.breaksAnswer():
		c.Faulted++
	case v.err == nil:
		c.OK++
	case v.err.number == 4400 || strings.HasPrefix(v.err.code, "RequestLimitExceeded"):
		c.Throttled++
	default:
		c.Refused++
	}
}

// Stats counts everything up to now.
func (c *Cloud) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{APIs: map[string]Counts{}, Accounts: map[string]map[string]Counts{}, Tasks: maps.Clone(c.stats.tasks)}
	for l, counter := range c.stats.counters {
		s.set(l, counter.Counts)
	}
	now := c.options.Now()
	for l := range c.windows {
		w := c.window(l, now)
		s.addOthers(l, w)
		s.addOthers(lane{allAccounts, l.api}, w)
	}
	return s
}

func (s *Stats) addOthers(l lane, w *window) {
	counts := s.Accounts[l.account][l.api]
	if l.account == allAccounts {
		counts = s.APIs[l.api]
	}
	counts.OthersCalls += w.othersCalls
	counts.OthersThrottled += w.othersThrottled
	s.set(l, counts)
}

func (s *Stats) set(l lane, counts Counts) {
	if l.account == allAccounts {
		s.APIs[l.api] = counts
		return
	}
	if s.Accounts[l.account] == nil {
		s.Accounts[l.account] = map[string]Counts{}
	}
	s.Accounts[l.account][l.api] = counts
}
