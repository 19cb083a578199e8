package fakecloud

import (
	"slices"
	"sort"
	"time"
)

// pruneEvery is how often ended tasks are taken off the live list: between,
// a list of running tasks passes over them.
const pruneEvery = time.Second

// shelf holds the Redis tasks of one account and region, oldest first.
type shelf struct {
	all        []*record
	byInstance map[string][]*record
	live       []*record // those not ended when last pruned
	pruned     int64
	unsorted   bool
}

func (s *shelf) add(r *record) {
	if n := len(s.all); n > 0 && r.start < s.all[n-1].start {
		s.unsorted = true
	}
	s.all = append(s.all, r)
	s.live = append(s.live, r)
	s.byInstance[r.InstanceID] = append(s.byInstance[r.InstanceID], r)
}

func (s *shelf) remove(which func(*record) bool) {
	s.all = slices.DeleteFunc(s.all, which)
	s.live = slices.DeleteFunc(s.live, which)
	for id, records := range s.byInstance {
		if s.byInstance[id] = slices.DeleteFunc(records, which); len(s.byInstance[id]) == 0 {
			delete(s.byInstance, id)
		}
	}
}

func (s *shelf) tidy(now int64) {
	if s.unsorted {
		s.unsorted = false
		sortByStart(s.all)
		sortByStart(s.live)
		for _, records := range s.byInstance {
			sortByStart(records)
		}
	}
	if now-s.pruned >= int64(pruneEvery) {
		s.pruned = now
		s.live = slices.DeleteFunc(s.live, func(r *record) bool { return now >= r.end })
	}
}

func sortByStart(records []*record) {
	sort.SliceStable(records, func(i, j int) bool { return records[i].start < records[j].start })
}

// list calls visit with the tasks that match, newest first. Tasks are looked
// at one by one only among those of the instance, or the live ones if only
// such are asked for, that started in the queried time.
func (s *shelf) list(q listQuery, now int64, lies lies, visit func(*record, listedResult)) {
	s.tidy(now)
	records := s.all
	switch {
	case q.instanceID != "":
		records = s.byInstance[q.instanceID]
	case q.onlyLive() && !lies.has(ListStale):
		records = s.live
	}
	from := sort.Search(len(records), func(i int) bool { return records[i].start >= q.begin })
	to := sort.Search(len(records), func(i int) bool { return records[i].start >= q.end })
	for _, r := range slices.Backward(records[from:max(from, to)]) {
		state := r.stateAt(now)
		if state == hidden || lies.hide(r, now) {
			continue
		}
		if state.ended() && lies.revive(r, now) {
			state = running
		}
		if result := resultOf(state); q.matches(r, result) {
			visit(r, result)
		}
	}
}
