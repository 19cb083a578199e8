package poll

import "time"

// Load is how busy a lane is.
type Load struct {
	Lane Lane
	// Rate is the calls a second that the lane makes at most.
	Rate float64
	// Due is how many questions wait for their turn.
	Due int
	// Tasks is how many are asked about and have not ended, Answered of how many
	// of them the cloud has told.
	Tasks, Answered int
}

// Loads returns how busy each lane is.
func (e *Engine[O]) Loads() []Load {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	loads := make(map[*lane[O]]*Load, len(e.lanes))
	for key, l := range e.lanes {
		loads[l] = &Load{Lane: key, Rate: l.quota.rate(), Due: l.queue.count(regular, now)}
	}
	for _, t := range e.tasks {
		l := loads[t.lane]
		if t.ended || l == nil {
			continue
		}
		l.Tasks++
		if !t.seen.IsZero() {
			l.Answered++
		}
	}
	list := make([]Load, 0, len(loads))
	for _, l := range loads {
		list = append(list, *l)
	}
	return list
}
