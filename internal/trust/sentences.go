package trust

import (
	"strings"
	"time"
	"unicode/utf8"
)

// longest is how many bytes a message may have. Statuses hold 1,024 characters; a list of 64 countries must not make a whole
// status unwritable.
const longest = 1000

// clip shortens a message that would not fit, at the end of a character.
func clip(message string) string {
	if len(message) <= longest {
		return message
	}
	end := longest - len("…")
	for end > 0 && !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end] + "…"
}

// oneOf writes a choice: "a", "a or b", "a, b or c".
func oneOf(words []string) string { return enumerate(words, " or ") }

// all writes a list: "a", "a and b", "a, b and c".
func all(words []string) string { return enumerate(words, " and ") }

func enumerate(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + last + words[len(words)-1]
}

// moment writes a time as messages do: in UTC, to the second.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
