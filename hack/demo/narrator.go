package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// narrator tells what happens, with the seconds since the start.
type narrator struct {
	started time.Time
}

func newNarrator() *narrator { return &narrator{started: time.Now()} }

// step says what has begun or happened.
func (n *narrator) step(text string) {
	fmt.Printf("%5.1fs  %s\n", time.Since(n.started).Seconds(), text)
}

// text shows what belongs to a step.
func (n *narrator) text(text string) {
	for line := range strings.Lines(text) {
		fmt.Println("        " + strings.TrimRight(line, "\n"))
	}
}

// table begins a table that changes.
func (n *narrator) table() *table {
	t := &table{out: os.Stdout, last: map[string][]string{}}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err == nil && os.Getenv("TERM") != "dumb" {
		t.terminal, t.columns = true, width
	}
	return t
}

// invite says what to try while everything is kept running.
func (n *narrator) invite(s *stage) {
	n.step("All as it should be. Everything is left running until Ctrl-C. In another shell:")
	fmt.Println()
	fmt.Printf("export KUBECONFIG=%s\n", s.env.Kubeconfig)
	fmt.Printf("export PATH=%s:%s:$PATH\n", s.bin, os.Getenv("KUBEBUILDER_ASSETS"))
	for _, command := range []string{
		"kubectl get ct -n demo -o wide",
		"kubectl describe ct -n demo resize-cache-18216",
		"kubectl explain ct.spec --recursive",
		"# One more task in the cloud, of 20 seconds, and an object that waits for it:",
		s.addTask(),
		"sed 's/18215/20001/' " + s.root + "/config/samples/redis-success.yaml | kubectl apply -n demo -f -",
		"cloudtask wait -n demo flush-cache-20001",
	} {
		fmt.Println(command)
	}
	fmt.Println()
}
