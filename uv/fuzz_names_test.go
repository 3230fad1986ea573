//go:build cgo

package uv_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// notInSequences are the names that the sequences leave out.
var notInSequences = map[string]string{
	"WithIOUring": "libuv 1.44.2 does not know it",
}

// namesIn are the names that note finds in the files of this directory that want accepts.
func namesIn(t *testing.T, want func(file string) bool, note func(n ast.Node) string) map[string]bool {
	t.Helper()
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, e := range files {
		if !strings.HasSuffix(e.Name(), ".go") || !want(e.Name()) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			if name := note(n); ast.IsExported(name) {
				names[name] = true
			}
			return true
		})
	}
	return names
}

// exportedBy is the name of an exported function, or of a method of an exported type.
func exportedBy(n ast.Node) string {
	fn, ok := n.(*ast.FuncDecl)
	if !ok {
		return ""
	}
	if fn.Recv != nil {
		typ := fn.Recv.List[0].Type
		if p, ok := typ.(*ast.StarExpr); ok {
			typ = p.X
		}
		id, ok := typ.(*ast.Ident)
		if !ok || !id.IsExported() {
			return ""
		}
	}
	return fn.Name.Name
}

// The sequences call all there is: a new function or method needs its place there.
func TestSequencesCallAll(t *testing.T) {
	called := namesIn(t, func(file string) bool { return strings.HasPrefix(file, "fuzz_") }, func(n ast.Node) string {
		if s, ok := n.(*ast.SelectorExpr); ok {
			return s.Sel.Name
		}
		return ""
	})
	exported := namesIn(t, func(file string) bool { return !strings.HasSuffix(file, "_test.go") }, exportedBy)
	require.Greater(t, len(exported), 200)
	for _, name := range slices.Sorted(maps.Keys(exported)) {
		if notInSequences[name] == "" {
			assert.True(t, called[name], "%s is in no sequence", name)
		}
	}
	for name := range notInSequences {
		require.True(t, exported[name] && !called[name], name)
	}
}
