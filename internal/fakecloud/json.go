package fakecloud

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// duration is a time.Duration that JSON writes as text, such as 1m30s.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

type plainTask Task

// taskJSON is a Task whose durations are text: its own fields hide those of
// the same name below.
type taskJSON struct {
	*plainTask
	Prepare   duration `json:"prepare,omitzero"`
	Duration  duration `json:"duration,omitzero"`
	HiddenFor duration `json:"hiddenFor,omitzero"`
}

// MarshalJSON writes durations as text, such as 1m30s.
func (t Task) MarshalJSON() ([]byte, error) {
	return json.Marshal(taskJSON{(*plainTask)(&t), duration(t.Prepare), duration(t.Duration), duration(t.HiddenFor)})
}

// UnmarshalJSON reads durations as text, such as 1m30s, and refuses unknown
// fields.
func (t *Task) UnmarshalJSON(data []byte) error {
	read := taskJSON{plainTask: (*plainTask)(t)}
	if err := unmarshalStrictly(data, &read); err != nil {
		return fmt.Errorf("task: %w", err)
	}
	t.Prepare, t.Duration, t.HiddenFor = time.Duration(read.Prepare), time.Duration(read.Duration), time.Duration(read.HiddenFor)
	return nil
}

type plainFault Fault

type faultJSON struct {
	*plainFault
	Delay duration `json:"delay,omitzero"`
	For   duration `json:"for,omitzero"`
}

// MarshalJSON writes durations as text, such as 1m30s.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{(*plainFault)(&f), duration(f.Delay), duration(f.For)})
}

// UnmarshalJSON reads durations as text, such as 1m30s, and refuses unknown
// fields.
func (f *Fault) UnmarshalJSON(data []byte) error {
	read := faultJSON{plainFault: (*plainFault)(f)}
	if err := unmarshalStrictly(data, &read); err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	f.Delay, f.For = time.Duration(read.Delay), time.Duration(read.For)
	return nil
}

func unmarshalStrictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
