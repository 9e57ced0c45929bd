package cluster

import (
	"os"
	"path/filepath"
	"strings"
)

// Relative is a path as one would type it in the current directory, for telling people where something is.
func Relative(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(short, "..") {
		return path
	}
	return short
}
