package demo

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// width is how long a line may be.
const width = 110

// fold prints words in lines, the first with a prefix of its own.
func (s *story) fold(first, next, text string) {
	line := first
	length := utf8.RuneCountInString(first)
	empty := true
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case empty:
		case length+1+n > width:
			fmt.Fprintln(s.out, line)
			line, length = next, utf8.RuneCountInString(next)
		default:
			line, length = line+" ", length+1
		}
		line, length, empty = line+word, length+n, false
	}
	fmt.Fprintln(s.out, line)
}

// table prints rows in columns. The first row is the head.
func (s *story) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		line.WriteString("    ")
		for i, cell := range row {
			line.WriteString(" " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1))
		}
		fmt.Fprintln(s.out, strings.TrimRight(line.String(), " "))
	}
	fmt.Fprintln(s.out)
}

// count is a number of things in words.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
