// Package nearest finds the name that somebody who mistyped probably meant.
package nearest

import "strings"

// furthest is how many slips of the finger are still taken for one: beyond that a suggestion would be a guess.
const furthest = 3

// Name returns the one of known that is closest to word, counting letters inserted, dropped, replaced or swapped with their
// neighbour, without regard to case. Of equally close ones it returns the first in the alphabet, whatever the order of known.
// It returns false when nothing is close: at most a third of the letters of word, and never more than three, may differ.
func Name(word string, known []string) (string, bool) {
	letters := []rune(strings.ToLower(word))
	limit := min(max(len(letters)/3, 1), furthest)
	best, found := "", false
	for _, candidate := range known {
		slips := distance(letters, []rune(strings.ToLower(candidate)), limit)
		if slips > limit || slips >= len(letters) {
			continue
		}
		if !found || slips < limit || (slips == limit && candidate < best) {
			best, found, limit = candidate, true, slips
		}
	}
	return best, found
}

// distance counts the slips that lead from a to b. What is certainly beyond limit is answered with limit+1 without counting,
// so that a word of a megabyte costs no more than one of ten letters.
func distance(a, b []rune, limit int) int {
	if gap := len(a) - len(b); gap > limit || -gap > limit {
		return limit + 1
	}
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost(a[i-1], b[j-1]))
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

func cost(a, b rune) int {
	if a == b {
		return 0
	}
	return 1
}
