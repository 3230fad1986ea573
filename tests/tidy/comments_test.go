package tidy_test

// Comments are narrow enough to be read.

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	commentColumnsMax = 90  // of a comment, with its indentation if it has the line for itself
	trailingLineMax   = 120 // of a line of code with a comment behind it
	tabColumns        = 4
)

func columns(line string) int {
	return len([]rune(strings.ReplaceAll(line, "\t", strings.Repeat(" ", tabColumns))))
}

// isDirective matches comments that are for a tool, and cannot be broken.
var isDirective = regexp.MustCompile(`^//(go:|export |line |lint:|nolint)`)

// checkComment complains of a line that has a comment from column at on.
func checkComment(t *testing.T, path string, number int, line string, at int) {
	t.Helper()
	comment := line[at:]
	switch {
	case isDirective.MatchString(comment):
	case strings.TrimSpace(line[:at]) == "":
		assert.LessOrEqual(t, columns(line), commentColumnsMax, "%s:%d: %s", path, number, comment)
	default:
		assert.LessOrEqual(t, columns(comment), commentColumnsMax, "%s:%d: %s", path, number, comment)
		assert.LessOrEqual(t, columns(line), trailingLineMax, "%s:%d: %s", path, number, comment)
	}
}

func TestCommentsInGo(t *testing.T) {
	for _, f := range sources(t) {
		text, err := os.ReadFile(filepath.Join(moduleRoot, f.path))
		require.NoError(t, err)
		lines := strings.Split(string(text), "\n")
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				if !strings.HasPrefix(c.Text, "//") {
					continue // the C of cbridge, and there checked as such
				}
				at := f.fset.PositionFor(c.Pos(), false)
				checkComment(t, f.path, at.Line, lines[at.Line-1], at.Column-1)
			}
		}
	}
}

func TestC(t *testing.T) {
	seen := 0
	err := fs.WalkDir(os.DirFS(moduleRoot), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (path == "third_party" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if ext := filepath.Ext(path); d.IsDir() || ext != ".c" && ext != ".h" {
			return nil
		}
		seen++
		text, err := os.ReadFile(filepath.Join(moduleRoot, path))
		require.NoError(t, err)
		lines := strings.Split(string(text), "\n")
		assert.LessOrEqual(t, len(lines), fileLinesMax, "%s: which noun wants to leave it?", path)
		for i, line := range lines {
			if at := strings.Index(line, "// "); at >= 0 && !strings.Contains(line[:at], `"`) {
				checkComment(t, path, i+1, line, at)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, seen)
}
