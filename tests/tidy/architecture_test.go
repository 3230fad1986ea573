package tidy_test

// docs/architecture.md is the map: every file has its row there, and every row its file.

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

const architecturePage = "docs/architecture.md"

// rowPattern is the beginning of a row of the tables of files.
var rowPattern = regexp.MustCompile("(?m)^\\| `([^`]+\\.(?:go|c|h))` \\|")

// linkPattern is a link to a file of the repository.
var linkPattern = regexp.MustCompile(`\]\(\.\./([^)#]+)\)`)

// mapped are the files that have a row: those of the library and its test kits. Examples
// have theirs in the README, and tests are found by what they test.
func mapped(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, f := range sources(t) {
		if !f.isTest() && !strings.HasPrefix(f.path, "examples/") {
			files = append(files, f.path)
		}
	}
	err := fs.WalkDir(os.DirFS(filepath.Join(moduleRoot, "cbridge")), ".", func(path string, _ fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); ext == ".c" || ext == ".h" {
			files = append(files, "cbridge/"+path)
		}
		return err
	})
	require.NoError(t, err)
	return files
}

func TestArchitecture(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot, architecturePage))
	require.NoError(t, err)
	rows := make(map[string]int)
	for _, m := range rowPattern.FindAllStringSubmatch(string(text), -1) {
		rows[m[1]]++
	}
	files := mapped(t)
	for _, f := range files {
		assert.Equal(t, 1, rows[f], "%s needs one row in %s: what it owns, and why it is there", f, architecturePage)
		delete(rows, f)
	}
	assert.Empty(t, rows, "rows of %s without a file", architecturePage)
	for _, m := range linkPattern.FindAllStringSubmatch(string(text), -1) {
		assert.FileExists(t, filepath.Join(moduleRoot, m[1]), "a link of %s", architecturePage)
	}
}

// The rows of the root's files stand under the name of their family.
func TestArchitectureFollowsTheFamilies(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot, architecturePage))
	require.NoError(t, err)
	for _, section := range strings.Split(string(text), "\n### ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		for _, m := range rowPattern.FindAllStringSubmatch(body, -1) {
			if !strings.Contains(m[1], "/") {
				assert.Equal(t, familyOf(t, m[1]).name, strings.ToLower(name), "the row of %s", m[1])
			}
		}
	}
}
