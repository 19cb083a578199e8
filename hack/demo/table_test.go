package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const request = "55c85074-3e7f-4c6d-864f-673660d4f8de"

func TestTableWritesALineForEachChange(t *testing.T) {
	var out bytes.Buffer
	table := &table{out: &out, last: map[string][]string{}}
	a := []string{"a", "redis", "1", "Running", "5", "Running"}
	table.draw([][]string{a, {"b", "", "", "Pending", "", "Pending"}})
	table.draw([][]string{a, {"b", "", "", "Pending", "", "Pending"}})
	table.draw([][]string{a, {"b", "clb", request, "Failed", "", "TaskFailed"}})
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"NAME SERVICE TASK PHASE PROGRESS REASON",
		"a redis 1 Running 5 Running",
		"b Pending Pending", //nolint:dupword // the phase and the reason
		"b clb " + request + " Failed TaskFailed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	row := []string{"listener-" + request, "clb", request, "Succeeded", "100", "WaitingForTask"}
	for _, columns := range []int{80, 100, 132, 200} {
		var out bytes.Buffer
		table := &table{out: &out, terminal: true, columns: columns, last: map[string][]string{}}
		table.draw([][]string{row})
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n >= columns {
				t.Errorf("a line of %d characters wraps in a terminal of %d: %q", n, columns, line)
			}
		}
		table.draw([][]string{{"x", "", "", "", "", ""}})
		if !strings.Contains(out.String(), "\x1b[2A\x1b[J") {
			t.Errorf("the second drawing does not go up by the two lines of the first: %q", out.String())
		}
	}
}
