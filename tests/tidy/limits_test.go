package tidy_test

// docs/limits.md names limits with their values: those that are constants have them.

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const limitsPage = "docs/limits.md"

// limitPattern is the beginning of a row: a constant, its file, and its value.
var limitPattern = regexp.MustCompile("(?m)^\\| \\[`(\\w+)`\\]\\(\\.\\./([^)]+)\\)[^|]*\\| ([0-9,]+)(?: (\\w+))? \\|")

// units are those of the page. A time is in nanoseconds.
var units = map[string]string{
	"": "1", "KiB": "1 << 10", "MiB": "1 << 20",
	"us": "1000", "ms": "1000000", "s": "1000000000",
}

// timeUnits are those of package time.
var timeUnits = map[string]string{"Microsecond": "us", "Millisecond": "ms", "Second": "s"}

func TestLimits(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot, limitsPage))
	require.NoError(t, err)
	rows := limitPattern.FindAllStringSubmatch(string(text), -1)
	require.Equal(t, strings.Count(string(text), "\n| [`"), len(rows), "rows of %s that the pattern does not match", limitsPage)
	require.NotEmpty(t, rows)
	for _, row := range rows {
		name, file := row[1], row[2]
		unit, known := units[row[4]]
		require.True(t, known, "the unit of %s", name)
		want := constantOf(t, strings.ReplaceAll(row[3], ",", "")+" * ("+unit+")")
		expression := expressionOf(t, name, file)
		if !assert.NotEmpty(t, expression, "%s has no constant %s", file, name) {
			continue
		}
		assert.Equal(t, want.ExactString(), constantOf(t, expression).ExactString(), "%s in %s", name, file)
	}
	for _, m := range linkPattern.FindAllStringSubmatch(string(text), -1) {
		_, err := os.Stat(filepath.Join(moduleRoot, m[1]))
		assert.NoError(t, err, "a link of %s", limitsPage)
	}
	for _, page := range []string{"README.md", architecturePage} {
		text, err := os.ReadFile(filepath.Join(moduleRoot, page))
		require.NoError(t, err)
		assert.Contains(t, string(text), "limits.md)", "%s leads there", page)
	}
}

// expressionOf is what the constant is declared as, in Go or in C; "" if it is not.
func expressionOf(t *testing.T, name, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, file))
	require.NoError(t, err)
	m := regexp.MustCompile(`\b` + name + `(?: [\w.]+)?\s*= *([^,}/\n]+)`).FindSubmatch(text)
	if m == nil {
		return ""
	}
	return strings.TrimSpace(string(m[1]))
}

// constantOf is the value of an expression of numbers and times.
func constantOf(t *testing.T, expression string) constant.Value {
	t.Helper()
	parsed, err := parser.ParseExpr(expression)
	require.NoError(t, err, expression)
	return evaluate(t, parsed)
}

func evaluate(t *testing.T, e ast.Expr) constant.Value {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(e.Value, e.Kind, 0)
	case *ast.ParenExpr:
		return evaluate(t, e.X)
	case *ast.SelectorExpr:
		return constantOf(t, units[timeUnits[e.Sel.Name]])
	case *ast.BinaryExpr:
		x, y := evaluate(t, e.X), evaluate(t, e.Y)
		if e.Op == token.SHL {
			n, exact := constant.Uint64Val(y)
			require.True(t, exact)
			return constant.Shift(x, e.Op, uint(n))
		}
		return constant.BinaryOp(x, e.Op, y)
	}
	require.Failf(t, "it is no number", "%T", e)
	return nil
}
