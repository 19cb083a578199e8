package poll

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newEntry(id string) *entry[saying] {
	return &entry[saying]{task: &tracked[saying]{Task: Task[saying]{ID: id}}, index: -1}
}

func TestEntries(t *testing.T) {
	var h entries[saying]
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	put := func(id string, r rank, due int) *entry[saying] {
		e := newEntry(id)
		h.put(e, r, at(due))
		return e
	}
	put("due late", regular, 9)
	put("due early", regular, 1)
	put("first", first, 5)
	put("second urgent", urgent, 8)
	put("urgent", urgent, 7)
	gone := put("gone", urgent, 0)
	moved := put("moved", urgent, 0)
	flying := put("flying", regular, 2)

	h.remove(gone)
	h.remove(gone) // is in no longer
	h.put(moved, regular, at(3))
	h.remove(flying)
	flying.flying = true
	h.put(flying, urgent, at(0)) // its place is found when the answer comes

	if got := h.count(urgent, at(7)); got != 1 {
		t.Errorf("count(urgent) = %d, want the one that is due", got)
	}
	if got := h.count(regular, at(100)); got != len(h) {
		t.Errorf("count(regular) = %d, want all %d", got, len(h))
	}
	var got []string
	for len(h) > 0 {
		got = append(got, heap.Pop(&h).(*entry[saying]).task.ID)
	}
	want := []string{"urgent", "second urgent", "first", "due early", "moved", "due late"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("rank comes before the due time:", diff)
	}
}

// BenchmarkHeap is one look at a task in a lane of 100,000.
func BenchmarkHeap(b *testing.B) {
	var h entries[saying]
	r := rand.New(rand.NewPCG(1, 1))
	now := time.Now()
	for i := range 100_000 {
		h.put(newEntry(fmt.Sprint(i)), regular, now.Add(time.Duration(r.Int64N(int64(10*time.Second)))))
	}
	for b.Loop() {
		e := heap.Pop(&h).(*entry[saying])
		h.put(e, regular, e.due.Add(10*time.Second))
	}
}
