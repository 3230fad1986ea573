package tidy_test

// docs/peers.md goes by the names of CPython's and libuv's tests: each has its row there,
// and what a row names exists. testdata/peers.txt has CPython's names, as
// testdata/peers.py prints them, testdata/libuv.txt those of libuv's test/test-list.h,
// testdata/nethttp.txt those of net/http's serve_test.go and transport_test.go.

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	peersPage       = "docs/peers.md"
	divergencesPage = "docs/divergences.md"
	libuvTests      = 463 // of 1.44.2
	netHTTPTests    = 309 // of Go 1.26
)

// The ways in which a part of a cell begins. Parts are separated by "; ".
const (
	toDivergence = "divergence "
	withoutSense = "no meaning in Go: "
	withoutUse   = "no meaning here: "
	notPartYet   = "not part of the library so far: "
	differs      = "differs: "
)

func TestPeers(t *testing.T) {
	rows := peerRows(t)
	known := subtests(t)
	diverges := divergences(t)
	for _, want := range slices.Concat(peerNames(t), libuvNames(t), netHTTPNames(t)) {
		cells := rows[want]
		if assert.Len(t, cells, 1, "%s needs one row in %s", want, peersPage) {
			for _, part := range strings.Split(cells[0], "; ") {
				checkPeer(t, want, part, known, diverges)
			}
		}
		delete(rows, want)
	}
	assert.Empty(t, rows, "rows of %s without a test of a peer's", peersPage)
}

// peerName is a test of CPython's: its file, and its function, with the class where
// several classes of the file have one of that name. Or it is one of libuv's.
type peerName struct{ file, function string }

func (n peerName) String() string { return n.file + " " + n.function }

func peerNames(t *testing.T) []peerName {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "peers.txt"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	classes := make(map[peerName]int)
	for _, line := range lines {
		f := strings.Fields(line)
		classes[peerName{f[0], f[2]}]++
	}
	var names []peerName
	for _, line := range lines {
		f := strings.Fields(line)
		if name := (peerName{f[0], f[2]}); classes[name] == 1 {
			names = append(names, name)
		} else {
			names = append(names, peerName{f[0], f[1] + "." + f[2]})
		}
	}
	return names
}

func libuvNames(t *testing.T) []peerName {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "libuv.txt"))
	require.NoError(t, err)
	var names []peerName
	for _, name := range strings.Fields(string(text)) {
		names = append(names, peerName{"libuv", name})
	}
	require.Len(t, names, libuvTests)
	return names
}

// netHTTPNames are the tests of net/http's server and transport.
func netHTTPNames(t *testing.T) []peerName {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "nethttp.txt"))
	require.NoError(t, err)
	var names []peerName
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		names = append(names, peerName{f[0], f[1]})
	}
	require.Len(t, names, netHTTPTests)
	return names
}

// peerRows are the second cells of the page's rows.
func peerRows(t *testing.T) map[peerName][]string {
	t.Helper()
	rows := make(map[peerName][]string)
	for _, section := range strings.Split(readPage(t, peersPage), "\n## ")[1:] {
		file, body, _ := strings.Cut(section, "\n")
		for _, cells := range tableRows(body) {
			require.Len(t, cells, 2, "a row of %s", file)
			name := peerName{strings.TrimSpace(file), cells[0]}
			rows[name] = append(rows[name], cells[1])
		}
	}
	return rows
}

// checkPeer checks one part of a cell.
func checkPeer(t *testing.T, row peerName, part string, known map[string][]subtest, diverges map[string]bool) {
	t.Helper()
	if ref, ok := strings.CutPrefix(part, "`"); ok {
		ref = strings.TrimSuffix(ref, "`")
		pkg, path, ok := strings.Cut(ref, " Test")
		if ok {
			path = "Test" + path
		} else {
			pkg, path = "", ref
		}
		levels := strings.Split(path, "/")
		assert.True(t, slices.ContainsFunc(known[pkg], func(s subtest) bool { return s.has(levels) }),
			"%s: there is no test %q in package %q", row, path, pkg)
		return
	}
	if id, ok := strings.CutPrefix(part, toDivergence); ok {
		assert.True(t, diverges[id], "%s: %s has no row %q", row, divergencesPage, id)
		return
	}
	assert.True(t, strings.HasPrefix(part, withoutSense) || strings.HasPrefix(part, withoutUse) ||
		strings.HasPrefix(part, notPartYet) || strings.HasPrefix(part, differs),
		"%s: %q is no test, no divergence and no reason", row, part)
}

// A subtest is known by what its name may be on each level: one literal, any literal of
// its file if it is no literal, or nothing, on a level that a helper adds, for each
// driver for example.
type subtest [][]string

// has reports whether the levels lead to the test, or to one that it is in.
func (s subtest) has(levels []string) bool {
	for i, name := range levels {
		if i == len(s) || !slices.Contains(s[i], name) {
			return false
		}
	}
	return true
}

func (s subtest) below(names []string) subtest { return append(slices.Clone(s), names) }

// subtests are the tests of each package, with what they run inside.
func subtests(t *testing.T) map[string][]subtest {
	t.Helper()
	known := make(map[string][]subtest)
	for _, f := range sources(t) {
		if !f.isTest() {
			continue
		}
		literals := stringsIn(f.ast)
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				known[f.pkg()] = append(known[f.pkg()], runs(fn.Body, subtest{{fn.Name.Name}}, literals)...)
			}
		}
	}
	return known
}

// runs are the tests in the body of s, and s.
func runs(body ast.Node, s subtest, literals []string) []subtest {
	found := []subtest{s}
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		names := []string{""}
		method, ok := call.Fun.(*ast.SelectorExpr)
		isRun := ok && method.Sel.Name == "Run" && len(call.Args) == 2
		if isRun {
			if names = stringsIn(call.Args[0]); len(names) != 1 {
				names = literals
			}
		}
		for _, arg := range call.Args {
			if fn, ok := arg.(*ast.FuncLit); ok && takesT(fn) {
				found = append(found, runs(fn.Body, s.below(names), literals)...)
				return false
			}
		}
		if isRun {
			found = append(found, s.below(names))
		}
		return true
	})
	return found
}

// takesT reports whether a function takes a *testing.T.
func takesT(fn *ast.FuncLit) bool {
	for _, p := range fn.Type.Params.List {
		if star, ok := p.Type.(*ast.StarExpr); ok {
			if typ, ok := star.X.(*ast.SelectorExpr); ok && typ.Sel.Name == "T" {
				return true
			}
		}
	}
	return false
}

// stringsIn are the string literals of a tree.
func stringsIn(n ast.Node) []string {
	var found []string
	ast.Inspect(n, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				found = append(found, s)
			}
		}
		return true
	})
	return found
}

// divergences are the names of the rows of docs/divergences.md: those of behaviours, the
// programs of traces, and for rows without a name what asyncio does.
func divergences(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for _, cells := range tableRows(readPage(t, divergencesPage)) {
		for _, id := range strings.Split(cells[0], ", ") {
			names[strings.Trim(id, "`")] = true
		}
		names[cells[1]] = true
	}
	return names
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, page))
	require.NoError(t, err)
	return string(text)
}

// tableRows are the cells of the rows of tables, without their heads.
func tableRows(text string) [][]string {
	var rows [][]string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		isHead := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|---")
		if !strings.HasPrefix(line, "| ") || isHead {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
		rows = append(rows, cells)
	}
	return rows
}
