package wait

import (
	"errors"
	"strings"
	"unicode"
)

// The exit statuses besides 0.
const (
	codeFailed   = 1
	codeTimedOut = 2
	codeOther    = 3
)

// waitError is an end other than success.
type waitError struct {
	code int
	text string
}

// newError takes the lines to print: what happened, then what to do about it.
func newError(code int, lines ...string) *waitError {
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return &waitError{code: code, text: strings.Join(lines, "\n")}
}

func (e *waitError) Error() string { return e.text }

// ExitCode returns the status with which a program should end after an error of
// the command: 0 for nil, 1 to 3 as the command's help says, and 1 for an error
// that is not the command's.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if e := (*waitError)(nil); errors.As(err, &e) {
		return e.code
	}
	return 1
}

// maxLine bounds what one line of output may hold, in characters: a message of
// a status has at most 1,024.
const maxLine = 2048

// printable keeps a status, which repeats the cloud, from moving the cursor,
// changing colours, reordering the text or forging a second line.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		default:
			return unicode.ReplacementChar
		}
	}, s)
	return cut(s, maxLine)
}

// cut shortens s to at most n characters.
func cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}
