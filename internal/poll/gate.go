package poll

import "time"

// probeSoon is the time to the next probe after one that told nothing.
const probeSoon = 5 * time.Second

// gate is closed while a credential is refused: one question every 45 seconds
// then serves all the tasks that use it.
type gate struct {
	err  error
	next time.Time // when the next probe may go out
}

// admit lets one probe through when its time has come.
func (g *gate) admit(now time.Time) bool {
	if now.Before(g.next) {
		return false
	}
	g.next = now.Add(personInterval)
	return true
}

// judge opens or closes the gate of a credential by the answer to one question.
func (e *Engine[O]) judge(credential string, a Answer[O], now time.Time) {
	g := e.gates[credential]
	switch a.Class {
	case Refused:
		if g == nil {
			g = &gate{next: now.Add(personInterval)}
			e.gates[credential] = g
			e.refuseAll(credential, a.Err, now)
		}
		g.err = a.Err
	case Unavailable, Throttled:
		if g != nil { // says nothing of the credential: probe again soon
			if soon := now.Add(probeSoon); soon.Before(g.next) {
				g.next = soon
				e.pokeAll(credential)
			}
		}
	default:
		if g != nil {
			delete(e.gates, credential)
			e.readmitAll(credential, now)
		}
	}
}

// refuseAll tells every task of a credential that it is refused.
func (e *Engine[O]) refuseAll(credential string, err error, now time.Time) {
	for _, t := range e.tasks {
		if t.lane.key.Credential == credential && !t.ended {
			t.fail(Refused, err, now, now)
			t.Changed()
		}
	}
}

// readmitAll asks about the tasks that only the gate held back.
func (e *Engine[O]) readmitAll(credential string, now time.Time) {
	for _, t := range e.tasks {
		if t.lane.key.Credential == credential && !t.ended && t.refused() && !t.pressed() {
			t.lane.queue.put(t.ask, regular, now)
		}
	}
	e.pokeAll(credential)
}

// pokeAll makes all lanes of a credential look at their order again.
func (e *Engine[O]) pokeAll(credential string) {
	for key, l := range e.lanes {
		if key.Credential == credential {
			l.poke()
		}
	}
}
