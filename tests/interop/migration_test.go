package interop_test

// docs/migration.md is kept true: its Go is taken out, built into one program, and run.
// There are three kinds of it:
//
//   - a block that begins with "```go given" is statements that stand before every row of
//     its section, or of all sections if it comes before the first;
//   - the cells of the column "here" of a table are statements that stand on their own;
//   - any other block of Go is functions. Each is called, and prints what the block of
//     text after it says.
//
// The program runs each row and function with asyncio.Run, rows not if their section says
// "compiled, not run". The build sees it through an overlay, and names lines of the page
// when it finds a fault.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	modulePath    = "github.com/seed-a026a017/asyncio"
	moduleDir     = "../.."
	migrationPage = moduleDir + "/docs/migration.md"
	codeColumn    = "here"
	notRunMark    = "<!-- compiled, not run -->"
	pageRunMax    = time.Minute // for the program; it takes half a second
)

// goCode is a piece of Go on the page.
type goCode struct {
	line  int // of its first line
	text  string
	given []goCode // that come before it
	run   bool
	want  string // of a function: what it prints
}

// page is what the page has of Go.
type page struct {
	rows  []goCode
	funcs []goCode
}

// readPage finds the Go on the page.
func readPage(t *testing.T, text string) page {
	t.Helper()
	var p page
	var general, special []goCode // given
	run, inSections, column := true, false, -1
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, "#"):
			special, run, column = nil, true, -1
			inSections = strings.HasPrefix(line, "###")
		case line == notRunMark:
			run = false
		case strings.HasPrefix(line, "```"):
			end := i + 1 + slices.Index(lines[i+1:], "```")
			require.Greater(t, end, i, "line %d: the block has no end", i+1)
			body := strings.Join(lines[i+1:end], "\n")
			switch kind := strings.TrimPrefix(line, "```"); {
			case kind == "go given" && inSections:
				special = append(special, goCode{line: i + 2, text: body})
			case kind == "go given":
				general = append(general, goCode{line: i + 2, text: body})
			case kind == "go":
				p.funcs = append(p.funcs, goCode{line: i + 2, text: body})
			case kind == "text":
				p.funcs[len(p.funcs)-1].want = body
			default:
				require.Fail(t, "unknown kind of block", "line %d: %q", i+1, kind)
			}
			i = end
		case !strings.HasPrefix(line, "|"):
			column = -1
		case column == -1:
			column = slices.Index(cells(line), codeColumn)
			i++               // the line of dashes
			if column == -1 { // a table without Go
				for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|") {
					i++
				}
			}
		default:
			cell := cells(line)[column]
			require.Regexp(t, "^`[^`]+`$", cell, "line %d", i+1)
			p.rows = append(p.rows, goCode{line: i + 1, text: strings.Trim(cell, "`"), given: slices.Concat(general, special), run: run})
		}
	}
	return p
}

// cells splits a row of a table.
func cells(row string) []string {
	const bar = "\x00"
	row = strings.ReplaceAll(strings.Trim(row, "|"), `\|`, bar)
	var all []string
	for _, cell := range strings.Split(row, "|") {
		all = append(all, strings.ReplaceAll(strings.TrimSpace(cell), bar, "|"))
	}
	return all
}

// pageImports are the packages that the page may use.
var pageImports = []string{
	"context", "crypto/tls", "errors", "fmt", "io", "net", "net/http", "net/http/httptest", "os", "sync", "time", modulePath,
}

// program makes a main package of the page.
func (p page) program(t *testing.T, path string) []byte {
	t.Helper()
	var body strings.Builder
	at := func(c goCode) { fmt.Fprintf(&body, "\n//line %s:%d\n%s\n", path, c.line, c.text) }
	var calls strings.Builder
	for i, row := range p.rows {
		fmt.Fprintf(&body, "\nfunc row%d(ctx context.Context) error {", i)
		for _, given := range row.given {
			at(given)
			body.WriteString(use(declared(t, given), false))
		}
		body.WriteString("{")
		at(row)
		body.WriteString(use(declared(t, row), true))
		body.WriteString("}\nreturn nil\n}\n")
		if row.run {
			fmt.Fprintf(&calls, "call(%q, row%d)\n", fmt.Sprintf("line %d: %s", row.line, row.text), i)
		}
	}
	for _, code := range p.funcs {
		at(code)
		name := funcName.FindStringSubmatch(code.text)
		require.NotNil(t, name, "line %d: there is no func(ctx context.Context) error", code.line)
		fmt.Fprintf(&calls, "fmt.Println(%q)\ncall(%[1]q, %s)\n", pageMark(code), name[1])
	}
	var source strings.Builder
	source.WriteString("package main\n\nimport (\n")
	main := fmt.Sprintf(pageMain, calls.String())
	for _, pkg := range pageImports {
		if strings.Contains(body.String()+main, filepath.Base(pkg)+".") {
			fmt.Fprintf(&source, "%q\n", pkg)
		}
	}
	source.WriteString(")\n" + main + body.String())
	return []byte(source.String())
}

var funcName = regexp.MustCompile(`(?m)^func (\w+)\(ctx context\.Context\) error`)

// pageMark stands before what a function prints.
func pageMark(c goCode) string { return fmt.Sprintf("== line %d", c.line) }

// pageMain calls everything. A call that fails is named, and the program goes on.
const pageMain = `
func main() {
	failed := false
	call := func(name string, fn func(ctx context.Context) error) {
		_, err := asyncio.Run(asyncio.Do(fn))
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "%%s: %%v\n", name, err)
		}
	}
	%s
	if failed {
		os.Exit(1)
	}
}
`

// declared lists the variables that the statements declare, innermost blocks left out.
func declared(t *testing.T, c goCode) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p; func _() {\n"+c.text+"\n}", 0)
	require.NoError(t, err, "line %d: %s", c.line, c.text)
	var names []string
	add := func(id *ast.Ident) {
		if id.Name != "_" && !slices.Contains(names, id.Name) {
			names = append(names, id.Name)
		}
	}
	for _, stmt := range file.Decls[0].(*ast.FuncDecl).Body.List {
		switch s := stmt.(type) {
		case *ast.AssignStmt:
			for _, left := range s.Lhs {
				if id, ok := left.(*ast.Ident); ok && s.Tok == token.DEFINE {
					add(id)
				}
			}
		case *ast.DeclStmt:
			for _, spec := range s.Decl.(*ast.GenDecl).Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for _, id := range v.Names {
						add(id)
					}
				}
			}
		}
	}
	return names
}

// use mentions all variables, as the compiler wants it, and with check returns the error
// among them.
func use(names []string, check bool) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "_ = %s\n", name)
	}
	if check && slices.Contains(names, "err") {
		b.WriteString("if err != nil { return err }\n")
	}
	return b.String()
}

// buildPage compiles the program of a page and returns its path, or what the compiler
// says.
func buildPage(t *testing.T, source []byte) (program string, fault string) {
	t.Helper()
	root, err := filepath.Abs(moduleDir)
	require.NoError(t, err)
	dir := t.TempDir()
	main, overlay, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "page")
	require.NoError(t, os.WriteFile(main, source, 0o600))
	seen, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "docs", "page", "main.go"): main}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, seen, 0o600))
	build := exec.Command("go", "build", "-overlay", overlay, "-o", program, "./docs/page")
	build.Dir = root
	// The flags of a sanitizer are meant for this test, not for the page.
	build.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.Contains(v, "-fsanitize") })
	out, err := build.CombinedOutput()
	if err != nil {
		return "", string(out) + err.Error()
	}
	return program, ""
}

func TestMigrationPage(t *testing.T) {
	if _, err := exec.LookPath("go"); errors.Is(err, exec.ErrNotFound) {
		t.Skip("the page is compiled, and there is no go command here")
	}
	text, err := os.ReadFile(migrationPage)
	require.NoError(t, err)
	path, err := filepath.Abs(migrationPage)
	require.NoError(t, err)
	p := readPage(t, string(text))
	require.Greater(t, len(p.rows), 100, "rows with Go")
	require.NotEmpty(t, p.funcs)
	for _, code := range p.funcs {
		formatted, err := format.Source([]byte(code.text))
		require.NoError(t, err, "line %d", code.line)
		require.Equal(t, string(formatted), code.text, "line %d: gofmt", code.line)
	}
	program, fault := buildPage(t, p.program(t, path))
	require.Empty(t, fault)

	ctx, cancel := context.WithTimeout(t.Context(), pageRunMax)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &stderr)
	for _, code := range p.funcs {
		_, after, ok := strings.Cut(string(out), pageMark(code)+"\n")
		require.True(t, ok, "line %d was not run", code.line)
		printed, _, _ := strings.Cut(after, "\n== ")
		require.Equal(t, code.want, strings.TrimSuffix(printed, "\n"), "what line %d prints", code.line)
	}
}

// TestMigrationPageFaults shows that a page with faults does not pass, and that they are
// found.
func TestMigrationPageFaults(t *testing.T) {
	p := readPage(t, strings.Join([]string{
		"## Rows", "",
		"| asyncio | here |", "|---|---|",
		"| `a` | `err := asyncio.Slept(ctx, 0)` |",
		"| `b` | `n := asyncio.Sleep(ctx)` |", "",
		"```go", "func f(ctx context.Context) error {", "\treturn 1", "}", "```",
	}, "\n"))
	_, fault := buildPage(t, p.program(t, "/page.md"))
	require.Contains(t, fault, "page.md:5: undefined: asyncio.Slept")
	require.Contains(t, fault, "page.md:6: not enough arguments")
	require.Contains(t, fault, "page.md:10: cannot use 1")
}
