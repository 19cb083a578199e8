package tencent

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     string
		limit  int
		want   string
	}{
		"plain":           {"left alone", "Redis cache purge process", 64, "Redis cache purge process"},
		"Chinese":         {"left alone", "redis缓存清空流程", 64, "redis缓存清空流程"},
		"newlines":        {"one line", "a\r\nb\u2028c\u0085d\t e", 64, "a b c d e"},
		"blanks":          {"trimmed and joined", "\u3000 a \u00a0 b \n", 64, "a b"},
		"control":         {"dropped", "a\x00\x1b[31mb\x7f", 64, "a[31mb"},
		"bidirectional":   {"could turn the line round", "a\u202eb\u2066c\u200f", 64, "abc"},
		"zero width":      {"could hide a difference", "a\u200b\u200d\ufeffb\u00ad", 64, "ab"},
		"tags":            {"invisible", "a\U000e0041\ufe0fb\u3164", 64, "ab"},
		"not UTF-8":       {"dropped", "a\xff\xc3b", 64, "ab"},
		"replacement":     {"a real U+FFFD is a character", "a\ufffdb", 64, "a\ufffdb"},
		"cut":             {"counts characters, not bytes", "语语语", 2, "语语"},
		"cut at a blank":  {"no blank at the end", "ab cd", 3, "ab"},
		"nothing visible": {"empty", "\x00\u200b \n", 64, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := clean(tc.in, tc.limit); got != tc.want {
				t.Errorf("clean(%q, %d) = %q, want %q: %s", tc.in, tc.limit, got, tc.want, tc.reason)
			}
		})
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "ok", "a\nb", "\u202eabc\u200b", "a\xffb", "语 语", strings.Repeat("x ", 600)} {
		f.Add(seed, 10)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, limit%2000)
		got := clean(s, limit)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > limit || strings.TrimSpace(got) != got {
			t.Errorf("clean(%q, %d) = %q", s, limit, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("clean(%q, %d) = %q holds an unprintable character", s, limit, got)
		}
		if again := clean(got, limit); again != got {
			t.Errorf("clean is not stable: %q, then %q", got, again)
		}
	})
}
