// Package tidy_test proves the rules of the house that a program can check: imports point
// down, between packages and between the families of the root's files; C stays in one
// package; files and functions are short, comments narrow; every file has its row in
// docs/architecture.md; and an importer's module graph stays clean.
package tidy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	modulePath = "github.com/seed-a026a017/asyncio"
	moduleRoot = "../.."
)

// arrows lists, for each package of the module, the packages of the module that its own
// code may import. "" is the root package.
var arrows = map[string][]string{
	"": {
		"internal/goid", "internal/proactor", "internal/proactor/goproactor", "internal/proactor/system",
		"internal/proactor/uvproactor", "internal/timerheap",
	},
	"internal/goid":                  {},
	"internal/signals":               {},
	"internal/terminal":              {},
	"internal/timerheap":             {},
	"internal/proactor":              {},
	"internal/proactor/goproactor":   {"internal/proactor", "internal/proactor/system", "internal/signals"},
	"internal/proactor/uvproactor":   {"internal/proactor", "internal/proactor/system", "internal/signals", "uv"},
	"internal/proactor/system":       {"internal/proactor", "internal/signals"},
	"internal/proactor/proactortest": {"internal/proactor", "internal/terminal"},
	"uv":                             {"cbridge", "internal/signals", "internal/timerheap", "uv/internal/wait"},
	"uv/internal/wait":               {},
	"cbridge":                        {},

	"asynchttp":        {""},
	"asynciotest":      {""},
	"internal/testkit": {"", "asynciotest"},
	"tests/asynchttp":  {"", "asynchttp", "asynciotest", "internal/testkit"},
	"tests/datagrams":  {"", "asynciotest", "internal/testkit"},
	"tests/faults":     {"", "asynciotest", "internal/testkit"},
	"tests/files":      {"", "asynciotest", "internal/testkit"},
	"tests/hostile":    {"", "asynciotest", "internal/testkit"},
	"tests/interop":    {"", "asynciotest", "internal/testkit"},
	"tests/misuse":     {"", "asynciotest", "internal/testkit"},
	"tests/names":      {"", "asynciotest", "internal/testkit"},
	"tests/netconn":    {"", "asynciotest", "internal/testkit"},
	"tests/oracle":     {"", "asynciotest", "internal/testkit"},
	"tests/soak":       {"", "asynciotest", "internal/testkit"},
	"tests/pipes":      {"", "asynciotest", "internal/testkit"},
	"tests/signals":    {"", "asynciotest", "internal/testkit"},
	"tests/processes":  {"", "asynciotest", "internal/testkit"},
	"tests/sockets":    {"", "asynciotest", "internal/testkit"},
	"tests/streams":    {"", "asynciotest", "internal/testkit"},
	"tests/tasks":      {"", "asynciotest", "internal/testkit"},
	"tests/tidy":       {},
	"tests/tls":        {"", "asynciotest", "internal/testkit"},
}

// testArrows are those that tests need besides.
var testArrows = map[string][]string{
	"":                             {"asynciotest", "internal/testkit"},
	"asynchttp":                    {"asynciotest", "internal/testkit"},
	"internal/proactor/goproactor": {"internal/proactor/proactortest"},
	"internal/proactor/uvproactor": {"internal/proactor/proactortest", "cbridge"},
	"tests/faults":                 {"uv", "internal/terminal"},
	"tests/names":                  {"uv"},
	"tests/pipes":                  {"internal/terminal"},
	"uv":                           {"internal/terminal"},
}

// allowedModules are the requirements of the root module, with what they bring along.
var allowedModules = []string{"github.com/stretchr/testify", "go.uber.org/goleak", "pgregory.net/rapid"}

const (
	fileLinesMax     = 500
	testFileLinesMax = 900
	funcLinesMax     = 70
)

type sourceFile struct {
	path string // from the root of the module
	ast  *ast.File
	fset *token.FileSet
}

func (f sourceFile) pkg() string {
	dir := filepath.ToSlash(filepath.Dir(f.path))
	if dir == "." {
		return ""
	}
	return dir
}

func (f sourceFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f sourceFile) lines() int { return f.fset.File(f.ast.Pos()).LineCount() }

// sources parses every Go file of the root module.
func sources(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	err := fs.WalkDir(os.DirFS(moduleRoot), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, statErr := os.Stat(filepath.Join(moduleRoot, path, "go.mod")); path != "." && statErr == nil {
				return fs.SkipDir // a module of its own
			}
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "third_party") {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") {
			fset := token.NewFileSet()
			files = append(files, sourceFile{path, parseFile(t, fset, path), fset})
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// parseFile parses a file, whose path is from the root of the module.
func parseFile(t *testing.T, fset *token.FileSet, path string) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(fset, filepath.Join(moduleRoot, path), nil, parser.ParseComments)
	require.NoError(t, err)
	return parsed
}

func TestTidy(t *testing.T) {
	files := sources(t)

	t.Run("imports point down", func(t *testing.T) {
		for _, f := range files {
			pkg := f.pkg()
			allowed, known := arrows[pkg]
			if strings.HasPrefix(pkg, "examples") {
				continue // programs: they import what a user would, checked below
			}
			require.True(t, known, "%s is in no layer: add package %q to arrows", f.path, pkg)
			if f.isTest() {
				allowed = append(append([]string{}, allowed...), testArrows[pkg]...)
			}
			for _, imported := range imports(f) {
				inner, ours := strings.CutPrefix(imported, modulePath)
				inner = strings.TrimPrefix(inner, "/")
				if !ours || f.isTest() && inner == pkg {
					continue
				}
				assert.Contains(t, allowed, inner, "%s imports %s", f.path, imported)
			}
		}
	})

	t.Run("examples use what users can use", func(t *testing.T) {
		for _, f := range files {
			if !strings.HasPrefix(f.pkg(), "examples") {
				continue
			}
			for _, imported := range imports(f) {
				assert.False(t, strings.HasPrefix(imported, modulePath+"/internal"), "%s imports %s", f.path, imported)
			}
		}
	})

	t.Run("only cbridge imports C", func(t *testing.T) {
		withC := 0
		for _, f := range files {
			for _, imported := range imports(f) {
				if imported == "C" {
					withC++
					assert.Equal(t, "cbridge", f.pkg(), f.path)
				}
			}
		}
		assert.Positive(t, withC, "no file imports C: the check looks at the wrong files")
	})

	t.Run("files and functions are short", func(t *testing.T) {
		for _, f := range files {
			limit := fileLinesMax
			if f.isTest() || strings.HasPrefix(f.pkg(), "examples") {
				limit = testFileLinesMax
			}
			assert.LessOrEqual(t, f.lines(), limit, "%s: which noun wants to leave it?", f.path)
			if f.isTest() {
				continue
			}
			for _, decl := range f.ast.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok {
					lines := f.fset.Position(fn.End()).Line - f.fset.Position(fn.Pos()).Line + 1
					assert.LessOrEqual(t, lines, funcLinesMax, "%s: %s", f.path, fn.Name.Name)
				}
			}
		}
	})

	t.Run("the module requires only test libraries", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(moduleRoot, "go.mod"))
		require.NoError(t, err)
		for _, line := range strings.Split(string(text), "\n") {
			line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "require "))
			fields := strings.Fields(line)
			if len(fields) < 2 || !strings.Contains(fields[0], ".") || strings.Contains(line, "// indirect") {
				continue
			}
			assert.Contains(t, allowedModules, fields[0])
		}
		for _, f := range files {
			if f.isTest() || f.pkg() == "internal/proactor/proactortest" || f.pkg() == "internal/testkit" {
				continue
			}
			for _, imported := range imports(f) {
				first, _, _ := strings.Cut(imported, "/")
				if strings.Contains(first, ".") {
					assert.True(t, strings.HasPrefix(imported, modulePath), "%s imports %s", f.path, imported)
				}
			}
		}
	})
}

func imports(f sourceFile) []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}
