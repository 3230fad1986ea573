//go:build cgo

package uv_test

// coverage.txt is complete: every function of uv.h that this package is compiled with has
// its line, and the names that it gives are there.

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	coverageFile = "coverage.txt"
	headers      = "../third_party/libuv/include"

	boundMin = 215 // of the functions of 1.44.2
)

// coverageLine is what the list says of a function.
type coverageLine struct {
	function, status string
	since            string // the version that has brought it; "" for 1.44.2 and before
	text             string // Go names, or why there are none
}

var coveragePattern = regexp.MustCompile(`^(uv_\w+) +(bound|internal|replaced|skipped)(?: \((1\.\d+)\))? +(\S.*)$`)

// parseCoverage reads the list, and says what is wrong with its form.
func parseCoverage(text string) (lines []coverageLine, faults []string) {
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		m := coveragePattern.FindStringSubmatch(strings.TrimRight(line, " "))
		if m == nil {
			faults = append(faults, fmt.Sprintf("line %d is no line of the list: %s", i+1, line))
			continue
		}
		lines = append(lines, coverageLine{m[1], m[2], m[3], m[4]})
	}
	for i := 1; i < len(lines); i++ {
		if lines[i-1].function >= lines[i].function {
			faults = append(faults, lines[i].function+" is not sorted, or stands there twice")
		}
	}
	return lines, faults
}

var (
	commentsInC   = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	includesInC   = regexp.MustCompile(`(?m)^\s*#\s*include\s+"([^"]+)"`)
	directivesInC = regexp.MustCompile(`(?m)^\s*#.*$`)
	functionsInC  = regexp.MustCompile(`\b(uv_[a-z0-9]\w*)\s*\(`)
)

// headerFunctions are the functions that a header and what it includes declare.
func headerFunctions(t testing.TB, path string) map[string]bool {
	t.Helper()
	found, seen := map[string]bool{}, map[string]bool{}
	var read func(path string)
	read = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		bytes, err := os.ReadFile(path)
		require.NoError(t, err)
		text := strings.ReplaceAll(commentsInC.ReplaceAllString(string(bytes), " "), "\\\n", " ")
		for _, m := range includesInC.FindAllStringSubmatch(text, -1) {
			next := filepath.Join(filepath.Dir(path), m[1])
			if _, err := os.Stat(next); err == nil {
				read(next)
			}
		}
		for _, m := range functionsInC.FindAllStringSubmatch(directivesInC.ReplaceAllString(text, ""), -1) {
			found[m[1]] = true
		}
	}
	read(path)
	return found
}

// goNames are the names of this package, as go doc takes them: "F", "T.Method",
// "T.Field".
func goNames(t testing.TB) map[string]bool {
	t.Helper()
	pkg, err := build.ImportDir(".", 0)
	require.NoError(t, err)
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range append(pkg.GoFiles, pkg.CgoFiles...) {
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, "uv")
	require.NoError(t, err)
	names := map[string]bool{}
	values := func(all []*doc.Value) {
		for _, v := range all {
			for _, name := range v.Names {
				names[name] = true
			}
		}
	}
	functions := func(prefix string, all []*doc.Func) {
		for _, f := range all {
			names[prefix+f.Name] = true
		}
	}
	values(p.Consts)
	values(p.Vars)
	functions("", p.Funcs)
	for _, typ := range p.Types {
		names[typ.Name] = true
		values(typ.Consts)
		values(typ.Vars)
		functions("", typ.Funcs)
		functions(typ.Name+".", typ.Methods)
		ast.Inspect(typ.Decl, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok {
				for _, name := range f.Names {
					names[typ.Name+"."+name.Name] = true
				}
			}
			return true
		})
	}
	return names
}

// coverageFaults compares the list with a header and with the names of the package.
func coverageFaults(list string, declared, names map[string]bool) []string {
	lines, faults := parseCoverage(list)
	listed, bound := map[string]bool{}, 0
	for _, l := range lines {
		listed[l.function] = true
		if !declared[l.function] && l.since == "" {
			faults = append(faults, l.function+" has a line, and the header does not have it")
		}
		if l.status != "bound" {
			continue
		}
		if l.since == "" {
			bound++
		}
		for _, name := range strings.Fields(l.text) {
			if !names[name] {
				faults = append(faults, l.function+": there is no "+name)
			}
		}
	}
	for function := range declared {
		if !listed[function] {
			faults = append(faults, function+" is in the header, and has no line")
		}
	}
	if bound < boundMin {
		faults = append(faults, fmt.Sprintf("%d functions are bound, and no more", bound))
	}
	slices.Sort(faults)
	return faults
}

func TestCoverage(t *testing.T) {
	header := filepath.Join(headers, "uv.h")
	if _, err := os.Stat(header); err != nil {
		t.Skip("the header in use is not in third_party: make deps")
	}
	bytes, err := os.ReadFile(coverageFile)
	require.NoError(t, err)
	list, declared, names := string(bytes), headerFunctions(t, header), goNames(t)

	t.Run("every function has its line", func(t *testing.T) {
		require.GreaterOrEqual(t, len(declared), 293)
		for _, fault := range coverageFaults(list, declared, names) {
			assert.Fail(t, fault)
		}
	})
	t.Run("a function more in the header", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "uv"), 0o700))
		files, err := filepath.Glob(filepath.Join(headers, "uv", "*.h"))
		require.NoError(t, err)
		for _, file := range append(files, header) { // the contents: they may be links
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			file, err = filepath.Rel(headers, file)
			require.NoError(t, err)
			switch file {
			case "uv.h":
				text = append(text, "\nUV_EXTERN int\nuv_brand_new (uv_loop_t* loop);\n"...)
			case filepath.Join("uv", "unix.h"):
				text = append(text, "\nint uv_hidden(void);\n"...)
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), text, 0o600))
		}
		require.Equal(t, []string{"uv_brand_new is in the header, and has no line", "uv_hidden is in the header, and has no line"},
			coverageFaults(list, headerFunctions(t, filepath.Join(dir, "uv.h")), names))
	})
	t.Run("a line less, and lines that are none", func(t *testing.T) {
		for _, c := range []struct{ old, new, want string }{
			{"uv_udp_send ", "# uv_udp_send ", "uv_udp_send is in the header, and has no line"},
			{"uv_udp_send ", "uv_udp_sent ", "uv_udp_sent has a line, and the header does not have it"},
			{"UDP.SendV", "UDP.SendW", "uv_udp_send: there is no UDP.SendW"},
			{"uv_udp_send  ", "uv_udp_bind  ", "uv_udp_bind is not sorted, or stands there twice"},
			{"replaced         sync", "dropped          sync", "is no line of the list"},
			{"bound  ", "skipped  ", " functions are bound, and no more"},
		} {
			n := 1
			if strings.HasPrefix(c.old, "bound") {
				n = 10
			}
			faults := coverageFaults(strings.Replace(list, c.old, c.new, n), declared, names)
			require.Contains(t, strings.Join(faults, "\n"), c.want)
		}
	})
}
