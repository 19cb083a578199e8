package wait

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// maxName leaves room for the rest of the line in a terminal of 80 columns.
const maxName = 32

// bars draws one line for each task: its name, a bar where the cloud tells the
// progress and a spinner where it does not, its state, the time waited.
type bars struct {
	progress *mpb.Progress
	rows     map[string]*row
}

type row struct {
	bar     *mpb.Bar
	started time.Time
	now     atomic.Pointer[shown] // read by mpb's goroutines
}

type shown struct {
	verdict

	at time.Time
}

// waited is how long the wait for the task has lasted, or lasted.
func (r *row) waited(decor.Statistics) string {
	end := time.Now()
	if now := r.now.Load(); now.outcome != undecided {
		end = now.at
	}
	return end.Sub(r.started).Truncate(time.Second).String()
}

func (r *row) state(decor.Statistics) string { return printable(r.now.Load().state()) }

func newBars(out io.Writer, names []string, more ...mpb.ContainerOption) *bars {
	b := &bars{
		progress: mpb.New(append(more, mpb.WithOutput(out), mpb.WithWidth(100))...),
		rows:     map[string]*row{},
	}
	for _, name := range names {
		b.rows[name] = b.addRow(name)
	}
	return b
}

func (b *bars) addRow(name string) *row {
	r := &row{started: time.Now()}
	r.now.Store(&shown{verdict: verdict{progress: -1}})
	bar := mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]").Build()
	spinner := mpb.SpinnerStyle().PositionLeft().Build()
	filler := mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		switch v := r.now.Load(); {
		case v.outcome != undecided:
			return nil
		case v.progress >= 0:
			s.Current, s.Total, s.RequestedWidth = int64(v.progress), 100, 22
			return bar.Fill(w, s)
		default:
			s.RequestedWidth = 1
			return spinner.Fill(w, s)
		}
	})
	r.bar = b.progress.MustAdd(100, filler,
		mpb.PrependDecorators(
			decor.Name(cut(printable(name), maxName), decor.WCSyncSpaceR),
			decor.Any(r.state, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(r.waited)))
	return r
}

func (b *bars) task(name string, v verdict) {
	r := b.rows[name]
	r.now.Store(&shown{verdict: v, at: time.Now()})
	if v.outcome != undecided {
		r.bar.SetCurrent(100)
		return
	}
	if v.stalled {
		b.note(fmt.Sprintf("%s: %s", name, v.line()))
	}
}

// note writes above the bars.
func (b *bars) note(line string) { fmt.Fprintln(b.progress, printable(line)) }

// close leaves the last state of every task on the screen.
func (b *bars) close() {
	for _, r := range b.rows {
		r.bar.Abort(false)
	}
	b.progress.Wait()
}
