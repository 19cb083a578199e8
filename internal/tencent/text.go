package tencent

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes a text of the cloud fit to show: valid UTF-8 on one line, without
// control characters and without those that reorder or hide text, at most limit
// characters long.
func clean(s string, limit int) string {
	return cut(printable(s), limit)
}

// printable turns every run of white space into one blank and drops what cannot
// be seen.
func printable(s string) string {
	var b strings.Builder
	blank := false
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Z, r):
			blank = b.Len() > 0
		case r == utf8.RuneError && size == 1, !visible(r):
		default:
			if blank {
				b.WriteByte(' ')
				blank = false
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}

// visible leaves out control and formatting characters (bidirectional marks,
// zero-width joiners, tags), and letters that are drawn as nothing.
func visible(r rune) bool {
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func cut(s string, limit int) string {
	n := 0
	for i := range s {
		if n == limit {
			return strings.TrimRight(s[:i], " ")
		}
		n++
	}
	return s
}
