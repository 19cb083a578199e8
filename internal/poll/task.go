// Package poll knows when to ask a cloud about its tasks: under which quota, how
// often, and in which order. It is an informer for cloud tasks: Track says which
// task matters, the engine asks when it is due, and Changed wakes whoever tracks
// it. It knows neither Kubernetes nor the cloud's language.
package poll

import (
	"context"
	"time"
)

// Lane names one quota: the calls of one credential to one API at one host.
// A slow, throttled or hanging lane never delays another.
type Lane struct {
	Credential string
	Host       string
	API        string
}

// Observation is what the cloud says of a task.
type Observation[O any] interface {
	// Equal reports whether nothing has changed that matters to the tracker.
	Equal(O) bool
}

// Task is one task of the cloud to keep an eye on.
type Task[O Observation[O]] struct {
	// ID identifies the tracker of the task, not the task in the cloud.
	ID string
	// Lane is the quota that Ask uses up.
	Lane Lane
	// Since is where the task's age counts from until an answer tells its start.
	Since time.Time
	// Last is what was known of the task before a restart, nil for a new one.
	Last *O
	// Ask asks the cloud once. It must give up when the context ends.
	Ask func(context.Context) Answer[O]
	// Listing, where there is one, tells of many tasks at once.
	Listing *Listing[O]
	// Row is the task's key in the listing.
	Row string
	// Changed is called when Sighting has something new, under the engine's
	// lock: it must neither block nor call the engine.
	Changed func()
}

// Class sorts the answers of the cloud by what they mean for the next question.
type Class int

const (
	// Good means: the cloud told the state.
	Good Class = iota
	// Unclear means: an answer without a state that is known; asked on as if good.
	Unclear
	// Absent means: the cloud says that there is no such task.
	Absent
	// Unavailable means: no answer; asked again with growing delay.
	Unavailable
	// Throttled means: the quota is used up; the whole lane slows down.
	Throttled
	// Rejected means: the question is refused until a person acts.
	Rejected
	// Refused means: the credential is refused until a person acts; one task's
	// question serves all that use it.
	Refused
)

// Answer is what came back from one question.
type Answer[O any] struct {
	Class       Class
	Observation O         // what a Good or Unclear answer says
	Ended       bool      // the task has ended, for good
	Start       time.Time // when the task began; zero where the cloud does not tell
	Err         error     // why the answer is not Good
}

// Fault is why the cloud gives no good answer for a task.
type Fault struct {
	Class Class
	Err   error
	// Failing is when the answers stopped being good.
	Failing time.Time
	// Since is when the answers of this class began; any other answer starts
	// over.
	Since time.Time
	// Last is when the latest of them came, Count how many there were.
	Last  time.Time
	Count int
}

// Sighting is all that is known of a tracked task.
type Sighting[O any] struct {
	// Observation is the latest; it means nothing while Known is false. Until
	// Ended it may be taken back, even where it says that the task has ended.
	Observation O
	Known       bool
	// Ended: the observation is final.
	Ended bool
	// Tracked is since when the task is tracked, Seen when the latest good
	// answer came, Asked when the latest answer of any kind came; zero for none.
	Tracked, Seen, Asked time.Time
	// Fault is nil while answers are good.
	Fault *Fault
}
