package poll

import "time"

// Load is how busy a lane is.
type Load struct {
	Lane Lane
	// Rate is the calls a second that the lane makes at most.
	Rate float64
	// Due is how many questions wait for their turn.
	Due int
}

// Loads returns how busy each lane is.
func (e *Engine[O]) Loads() []Load {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	loads := make([]Load, 0, len(e.lanes))
	for key, l := range e.lanes {
		loads = append(loads, Load{Lane: key, Rate: l.quota.rate(), Due: l.queue.count(regular, now)})
	}
	return loads
}
