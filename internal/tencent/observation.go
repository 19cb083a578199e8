package tencent

import (
	"slices"
	"strings"
	"time"
)

// State is what an answer means for a task.
type State int

// The states. Unrecognized is neither success nor failure: ask again.
const (
	Unrecognized State = iota
	Waiting
	Running
	Succeeded
	Failed
)

// Ended tells whether the task is over.
func (s State) Ended() bool { return s == Succeeded || s == Failed }

func (s State) String() string {
	switch s {
	case Waiting:
		return "Waiting"
	case Running:
		return "Running"
	case Succeeded:
		return "Succeeded"
	case Failed:
		return "Failed"
	}
	return "Unrecognized"
}

// Bounds on what is taken over from an answer, in characters but for
// maxResources.
const (
	maxStatus    = 64
	maxID        = 128
	maxTaskType  = 128
	maxMessage   = 1024
	maxResources = 100
)

// NoProgress stands for a task of which the cloud tells no progress.
const NoProgress int32 = -1

// Observation is what one good answer says of one task. All its texts are clean:
// printable, on one line, bounded, and free of the key that asked.
type Observation struct {
	State State
	// Status is the cloud's own word or number, at most 64 characters.
	Status string
	// TaskType is DescribeTaskInfo's text for a person, at most 128 characters;
	// empty from the other APIs.
	TaskType string
	// ResourceIDs are at most 100, each of at most 128 characters.
	ResourceIDs []string
	// Progress is in percent, in steps of 5, or NoProgress.
	Progress int32
	// Start and End are zero where the cloud does not tell.
	Start, End time.Time
	// Message is the cloud's, at most 1,024 characters. It can be set on success
	// and means nothing by itself.
	Message string
	// RequestID is that of the query, not of the task.
	RequestID string
}

// Equal tells whether o and p say the same. It ignores RequestID, which is new
// in every answer.
func (o Observation) Equal(p Observation) bool {
	return o.State == p.State &&
		o.Status == p.Status &&
		o.TaskType == p.TaskType &&
		slices.Equal(o.ResourceIDs, p.ResourceIDs) &&
		o.Progress == p.Progress &&
		o.Start.Equal(p.Start) && o.End.Equal(p.End) &&
		o.Message == p.Message
}

// stateOf looks a status word or number up, which may carry blanks and be in any
// case.
func stateOf(table map[string]State, status string) State {
	return table[strings.ToLower(strings.TrimSpace(status))]
}

// resourceIDs bounds and cleans a list of IDs, which may hold nulls.
func resourceIDs(cred Credential, ids []*string) []string {
	var out []string
	for _, id := range ids {
		if len(out) == maxResources {
			break
		}
		if id := cred.cleanPtr(id, maxID); id != "" {
			out = append(out, id)
		}
	}
	return out
}
