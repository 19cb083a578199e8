package poll

import (
	"container/heap"
	"time"
)

// rank is what comes before the due time in a lane's order.
type rank int

const (
	// urgent: likely to have ended, or the last look before a deadline.
	urgent rank = iota
	// first: the first look at a new task, as long as the lane has credit.
	first
	// regular: when its time has come.
	regular
)

// entry is a place in a lane's order. Urgent and first entries are due at once.
type entry[O Observation[O]] struct {
	task   *tracked[O]
	detail bool // asks the listing about the task, not the task itself
	rank   rank
	due    time.Time
	index  int  // in the heap; -1 while not in it
	flying bool // a call is under way: a task is never asked about twice at once
}

// entries is a heap: what is to be asked next comes first.
type entries[O Observation[O]] []*entry[O]

func (h entries[O]) Len() int { return len(h) }

func (h entries[O]) Less(i, j int) bool {
	if h[i].rank != h[j].rank {
		return h[i].rank < h[j].rank
	}
	return h[i].due.Before(h[j].due)
}

func (h entries[O]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *entries[O]) Push(x any) {
	e := x.(*entry[O]) //nolint:errcheck // put pushes nothing else
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop is for container/heap.
func (h *entries[O]) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.index = -1
	return e
}

// put places an entry anew, whether or not it is in the heap. An entry whose
// call is under way finds its place when the answer comes.
func (h *entries[O]) put(e *entry[O], r rank, due time.Time) {
	if e.flying {
		return
	}
	e.rank, e.due = r, due
	if e.index < 0 {
		heap.Push(h, e)
		return
	}
	heap.Fix(h, e.index)
}

// remove takes an entry out, if it is in.
func (h *entries[O]) remove(e *entry[O]) {
	if e.index >= 0 {
		heap.Remove(h, e.index)
	}
}

// count returns how many entries up to a rank are due.
func (h entries[O]) count(r rank, now time.Time) int {
	n := 0
	for _, e := range h {
		if e.rank <= r && !e.due.After(now) {
			n++
		}
	}
	return n
}
