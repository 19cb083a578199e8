package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table shows rows that change: on a terminal it is redrawn, elsewhere each row
// that changed is a line.
type table struct {
	out      io.Writer
	terminal bool
	columns  int // of the terminal
	drawn    int // lines on the terminal
	last     map[string][]string
}

var header = []string{"NAME", "SERVICE", "TASK", "PHASE", "PROGRESS", "REASON"}

// widths are those of the longest cell to be expected; the terminal may have less
// room.
var widths = []int{45, 7, 36, 9, 8, 14}

const gap = "  "

// draw shows the rows; the first cell of each is its name.
func (t *table) draw(rows [][]string) {
	changed := func(row []string) bool { return !slices.Equal(row, t.last[row[0]]) }
	if !slices.ContainsFunc(rows, changed) {
		return
	}
	if t.terminal {
		t.redraw(rows)
	} else {
		if len(t.last) == 0 {
			fmt.Fprintln(t.out, line(header, widths))
		}
		for _, row := range rows {
			if changed(row) {
				fmt.Fprintln(t.out, line(row, widths))
			}
		}
	}
	for _, row := range rows {
		t.last[row[0]] = row
	}
}

func (t *table) redraw(rows [][]string) {
	if t.drawn > 0 {
		fmt.Fprintf(t.out, "\x1b[%dA\x1b[J", t.drawn) // up, and clear what is below
	}
	fit := fitting(t.columns - 1)
	for _, row := range slices.Insert(slices.Clone(rows), 0, header) {
		fmt.Fprintln(t.out, line(row, fit))
	}
	t.drawn = len(rows) + 1
}

// fitting shares a line's room: the name and the task give way. A line that
// wrapped would spoil the redrawing.
func fitting(room int) []int {
	fit := slices.Clone(widths)
	over := (len(widths)-1)*len(gap) - room
	for _, w := range widths {
		over += w
	}
	for _, c := range []struct{ column, least int }{{2, 8}, {0, 10}} {
		give := max(0, min(over, fit[c.column]-c.least))
		fit[c.column] -= give
		over -= give
	}
	return fit
}

func line(cells []string, widths []int) string {
	var padded []string
	for i, cell := range cells {
		padded = append(padded, fmt.Sprintf("%-*s", widths[i], shorten(cell, widths[i])))
	}
	return strings.TrimRight(strings.Join(padded, gap), " ")
}

func shorten(cell string, width int) string {
	if utf8.RuneCountInString(cell) <= width {
		return cell
	}
	return cell[:width-1] + "…" // names and IDs are ASCII
}
