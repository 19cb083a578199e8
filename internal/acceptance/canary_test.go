package acceptance

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// Words that make up every key and token of these tests, so that any stretch of
// 16 characters of one holds a whole word: also those of a hex dump's lines.
const (
	keyWord   = "kEyCnRy7"
	tokenWord = "tOkNcNr9"
)

// canaryKey is a key whose parts can be recognized wherever they turn up.
func canaryKey(name string) fakecloud.Key {
	return fakecloud.Key{SecretID: "AKID" + name, SecretKey: strings.Repeat(keyWord, 4) + name, Token: strings.Repeat(tokenWord, 6) + name}
}

// leaks returns where a text holds a part of a key or token, as it is or in
// base64, hex or URL encoding; signatures are given as they went out.
func leaks(text []byte, signatures ...string) []string {
	var found []string
	for _, word := range []string{keyWord, tokenWord} {
		found = append(found, find(text, word)...)
		found = append(found, find(text, hex.EncodeToString([]byte(word)))...)
		for offset := range 3 {
			found = append(found, find(text, base64Core(word, offset))...)
		}
	}
	for _, s := range signatures {
		found = append(found, find(text, s)...)
		if escaped := url.QueryEscape(s); escaped != s {
			found = append(found, find(text, escaped)...)
		}
	}
	return found
}

// base64Core is what base64 makes of a word wherever it stands in a text,
// without the characters that its neighbours change.
func base64Core(word string, offset int) string {
	encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", offset) + word))
	start := (offset*8 + 5) / 6
	return encoded[start : len(encoded)-1]
}

func find(text []byte, word string) []string {
	i := bytes.Index(text, []byte(word))
	if i < 0 {
		return nil
	}
	return []string{fmt.Sprintf("%q, %d times, first in …%q", word, bytes.Count(text, []byte(word)), text[max(0, i-200):min(len(text), i+200)])}
}
