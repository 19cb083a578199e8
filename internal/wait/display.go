package wait

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// newDisplay draws bars on a terminal that has room for them all, since mpb
// cannot scroll; elsewhere it writes lines.
func newDisplay(out io.Writer, names []string) display {
	if f, ok := out.(*os.File); ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd())) {
		if _, height, err := term.GetSize(int(f.Fd())); err == nil && len(names) < height-1 {
			return newBars(out, names)
		}
	}
	return lines{out: out}
}

// lines writes a line for each change.
type lines struct {
	out io.Writer
}

func (l lines) task(name string, v verdict) { l.note(name + ": " + v.line()) }

func (l lines) note(line string) { fmt.Fprintln(l.out, printable(line)) }

func (l lines) close() {}
