package fakecloud

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is a misbehaviour.
type Kind string

// What goes wrong on the way; API and quota see the call all the same.
const (
	BadGateway     Kind = "bad-gateway"     // 502 with HTML
	GatewayTimeout Kind = "gateway-timeout" // 504 without a body
	Drop           Kind = "drop"            // the connection ends before the answer
	DropMidBody    Kind = "drop-mid-body"   // and in the middle of it
	Hang           Kind = "hang"            // until the client leaves or the cloud closes
	Delay          Kind = "delay"           // by Fault.Delay; the answer is that of the arrival
	Garbage        Kind = "garbage"         // 200 with bytes that are no JSON
	HTML           Kind = "html"            // 200 with HTML, as captive portals do
	Endless        Kind = "endless"         // 200 with a body that never ends
	GzipBomb       Kind = "gzip-bomb"       // 1 MiB that unpacks to 1 GiB
	Redirect       Kind = "redirect"        // to Fault.URL with Fault.HTTPStatus (302)
	Raw            Kind = "raw"             // Fault.HTTPStatus (200) and Fault.Body
)

// What is wrong with the answer.
const (
	EmptyObject   Kind = "empty-object"   // {}
	NullResponse  Kind = "null-response"  // {"Response":null}; API 2.0: data null
	EmptyResponse Kind = "empty-response" // only a RequestId; API 2.0: data {}
	NullStatus    Kind = "null-status"
	Status        Kind = "status"     // Fault.Status instead; of a list, in every row
	WrongType     Kind = "wrong-type" // the status (of a list: TotalCount) as text for a number, or the reverse
	Message       Kind = "message"    // Fault.Message as the task's message
	Error         Kind = "error"      // Fault.Code and Fault.Message
	Throttle      Kind = "throttle"   // as if over the quota
)

// How DescribeTaskList lies. All that match a call apply together. TaskID
// narrows ListSkip, ListLate and ListStale to one task.
const (
	ListSkip      Kind = "list-skip"      // the first row of every later page (or the task) is left out, but counted
	ListLate      Kind = "list-late"      // tasks are missing for Fault.For after their start; 0: for ever
	ListStale     Kind = "list-stale"     // ended tasks are listed as running for Fault.For; 0: for ever
	ListEmpty     Kind = "list-empty"     // no rows, TotalCount 0
	ListDuplicate Kind = "list-duplicate" // every row twice
	ListTotal     Kind = "list-total"     // TotalCount is Fault.Total
)

// NastyText is what a hostile message holds: ANSI, control and bidirectional
// characters, line ends, markup.
const NastyText = "\x1b[31mred\x1b[0m \u202egnp.exe\u202c \x00\x07\r\n\u2028<script>alert(1)</script> % "

// Fault is a misbehaviour and the calls it befalls. Of several that match,
// the first injected wins, list lies aside.
type Fault struct {
	Kind Kind `json:"kind"`

	// Which calls; what is empty matches all.
	API     string `json:"api,omitempty"`
	TaskID  string `json:"taskID,omitempty"` // task ID, request ID or deal name
	Account string `json:"account,omitempty"`
	// Probability befalls a part of them; 0 is all.
	Probability float64 `json:"probability,omitempty"`
	// Count ends the fault after so many; 0 is never.
	Count int `json:"count,omitempty"`

	// Delay comes before the answer, with any kind that concerns it.
	Delay time.Duration `json:"delay,omitempty"`
	// For is how long ListLate and ListStale lie.
	For time.Duration `json:"for,omitempty"`
	// Code is an API 3.0 code, or a number for API 2.0.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"` // by default NastyText, in an Error "injected fault"
	// Size repeats Message up to so many bytes, at most 64 MiB.
	Size       int             `json:"size,omitempty"`
	Status     json.RawMessage `json:"status,omitempty"` // JSON, such as 7 or "paused"
	Total      int64           `json:"total,omitempty"`
	URL        string          `json:"url,omitempty"`
	HTTPStatus int             `json:"httpStatus,omitempty"`
	Body       string          `json:"body,omitempty"`
}

func kinds() []Kind {
	return []Kind{
		BadGateway, GatewayTimeout, Drop, DropMidBody, Hang, Delay, Garbage, HTML, Endless, GzipBomb, Redirect, Raw,
		EmptyObject, NullResponse, EmptyResponse, NullStatus, Status, WrongType, Message, Error, Throttle,
		ListSkip, ListLate, ListStale, ListEmpty, ListDuplicate, ListTotal,
	}
}

func (k Kind) isLie() bool { return strings.HasPrefix(string(k), "list-") }

// breaksAnswer tells faults in place of an answer from answers, late ones and
// errors among them.
func (k Kind) breaksAnswer() bool { return k != "" && k != Delay && k != Error && k != Throttle }

func (f Fault) check() error {
	switch {
	case !slices.Contains(kinds(), f.Kind):
		return fmt.Errorf("no fault %q; there are %q", f.Kind, kinds())
	case f.Kind == Status && !json.Valid(f.Status):
		return fmt.Errorf("fault %s: its status must be JSON", f.Kind)
	case f.Kind == Error && f.Code == "":
		return fmt.Errorf("fault %s: it needs a code", f.Kind)
	case f.Size < 0 || f.Size > 64<<20:
		return fmt.Errorf("fault %s: size %d is not from 0 to 64 MiB", f.Kind, f.Size)
	case f.HTTPStatus != 0 && (f.HTTPStatus < 200 || f.HTTPStatus > 599):
		return fmt.Errorf("fault %s: HTTP status %d", f.Kind, f.HTTPStatus)
	}
	return nil
}

func (f Fault) matches(call *call) bool {
	if f.Kind.isLie() {
		return call.api == RedisTaskList && (f.Account == "" || f.Account == call.account)
	}
	return (f.API == "" || f.API == call.api) &&
		(f.TaskID == "" || f.TaskID == call.taskID) &&
		(f.Account == "" || f.Account == call.account)
}

// text is the message, repeated up to Size and not cut inside a character.
func (f Fault) text() string {
	text := cmp.Or(f.Message, NastyText)
	if f.Size == 0 {
		return text
	}
	return strings.ToValidUTF8(strings.Repeat(text, f.Size/len(text)+1)[:f.Size], "")
}

// apply changes what an API says. What happens to the bytes is in replies.go.
func (f Fault) apply(_ *call, v *verdict) {
	switch f.Kind {
	case Error:
		number, _ := strconv.Atoi(f.Code) // a word has none
		f.Message = cmp.Or(f.Message, "injected fault")
		v.err = &apiError{code: f.Code, number: number, message: f.text()}
	case Throttle:
		v.err = errThrottled(21, 20)
	}
	if v.err != nil {
		return
	}
	switch f.Kind {
	case EmptyResponse:
		v.fields = map[string]any{}
	case NullStatus:
		setStatus(v.fields, nil)
	case Status:
		setStatus(v.fields, f.Status)
	case WrongType:
		breakTypes(v.fields)
	case Message:
		for _, name := range []string{"TaskMessage", "Message"} {
			if _, ok := v.fields[name]; ok {
				v.fields[name] = f.text()
			}
		}
	}
}

func setStatus(fields map[string]any, status any) {
	for _, name := range []string{"Status", "status"} {
		if _, ok := fields[name]; ok {
			fields[name] = status
		}
	}
	rows, _ := fields["Tasks"].([]listRow)
	for i := range rows {
		rows[i].Result = status
	}
}

func breakTypes(fields map[string]any) {
	for _, name := range []string{"Status", "status", "TotalCount"} {
		switch value := fields[name].(type) {
		case string:
			fields[name] = 1
		case int, int64:
			fields[name] = fmt.Sprint(value)
		}
	}
}

// faults are those injected, oldest first.
type faults struct {
	random *rand.Rand
	next   int
	active []*injected
}

type injected struct {
	Fault
	id   int
	left int // of Count
}

// pick is what befalls a call.
func (f *faults) pick(call *call) (Fault, lies) {
	var picked Fault
	var lies lies
	for _, candidate := range slices.Clone(f.active) {
		if !candidate.Kind.isLie() && picked.Kind != "" || !candidate.matches(call) || !f.strikes(candidate) {
			continue
		}
		if candidate.Kind.isLie() {
			lies = append(lies, candidate.Fault)
		} else {
			picked = candidate.Fault
		}
	}
	return picked, lies
}

func (f *faults) strikes(candidate *injected) bool {
	if p := candidate.Probability; p > 0 && f.random.Float64() >= p {
		return false
	}
	if candidate.left--; candidate.left == 0 {
		f.remove(candidate.id)
	}
	return true
}

func (f *faults) remove(id int) {
	f.active = slices.DeleteFunc(f.active, func(i *injected) bool { return i.id == id })
}

// Inject makes the cloud misbehave until the fault's count is used up or
// remove is called. It panics on a fault that makes no sense.
func (c *Cloud) Inject(fault Fault) (remove func()) {
	id, err := c.inject(fault)
	if err != nil {
		panic("fakecloud: " + err.Error())
	}
	return func() { c.removeFault(id) }
}

func (c *Cloud) inject(fault Fault) (id int, err error) {
	if err := fault.check(); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults.next++
	c.faults.active = append(c.faults.active, &injected{Fault: fault, id: c.faults.next, left: fault.Count})
	return c.faults.next, nil
}

func (c *Cloud) removeFault(id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults.remove(id)
}

// ClearFaults makes the cloud behave again.
func (c *Cloud) ClearFaults() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults.active = nil
}
