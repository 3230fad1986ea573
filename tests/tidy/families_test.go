package tidy_test

// The root is one package, so the compiler draws no arrows between its files. They form
// families, and a lower one names nothing of a higher one.

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A family is a set of files of the root package, by patterns.
type family struct {
	name  string
	files []string
	uses  []string // the families below; its own is understood
}

// families are ordered from below. The kernel and its reports know each other: what a
// loop reports is part of what it does, and a report is a look at the kernel.
var families = []family{
	{"kernel", []string{
		"loop.go", "ready.go", "timers.go", "inbox.go", "remotecall.go", "ask.go", "goroutine.go", "task.go", "tasklist.go",
		"park.go", "future.go", "awaitable.go", "coroutine*.go", "deputy.go", "guest.go", "eager.go", "context.go", "owned.go",
		"errors.go", "options.go", "driver*.go",
	}, []string{"reports"}},
	{"reports", []string{
		"exception.go", "unretrieved.go", "describe.go", "traceback.go", "debug.go", "outsiders.go", "stats.go", "pproflabel.go",
	}, []string{"kernel"}},
	{"on the kernel", []string{
		"gather.go", "wait.go", "waitfor.go", "ascompleted.go", "shield.go", "timeout.go", "taskgroup.go", "runner.go", "runloops.go",
		"interrupt.go", "threads.go", "executor.go", "lock.go", "event.go", "condition.go", "semaphore.go", "barrier.go",
		"queue.go", "waitqueue.go", "callgraph.go",
	}, []string{"kernel", "reports"}},
	{"network", []string{
		"transport*.go", "protocol.go", "server*.go", "connect*.go", "names.go", "stream*.go", "datagram.go",
		"descriptor*.go", "netconn*.go", "sock*.go", "sendfile*.go",
	}, []string{"kernel", "reports", "on the kernel"}},
	{"system", []string{
		"file*.go", "pipe.go", "process.go", "signal.go", "subprocess*.go", "watchfiles*.go",
	}, []string{"kernel", "reports", "on the kernel", "network"}},
}

// upward are the arrows that point up, with the reason.
var upward = map[arrow]string{
	{"exception.go", "server.go", "Server"}: "asyncio's report names the server too, and the field has its type",
}

// familyOf is the one that a file belongs to.
func familyOf(t *testing.T, file string) family {
	t.Helper()
	var found []family
	for _, f := range families {
		if slices.ContainsFunc(f.files, func(pattern string) bool { return matches(t, pattern, file) }) {
			found = append(found, f)
		}
	}
	require.Len(t, found, 1, "%s belongs to one family: see families", file)
	return found[0]
}

func matches(t *testing.T, pattern, file string) bool {
	ok, err := path.Match(pattern, file)
	require.NoError(t, err)
	return ok
}

func TestFamilies(t *testing.T) {
	for name, cgo := range map[string]string{"with cgo": "1", "without cgo": "0"} {
		t.Run(name, func(t *testing.T) {
			if cgo == "1" && !cgoOn {
				cgo = "0" // the build without cgo checks one of the two
			}
			root := checkRoot(t, "CGO_ENABLED="+cgo)
			arrows := root.arrows()
			require.Greater(t, len(arrows), 100, "the check sees the arrows")
			for _, a := range arrows {
				if upward[a] != "" {
					continue
				}
				from, to := familyOf(t, a.from), familyOf(t, a.to)
				assert.True(t, from.name == to.name || slices.Contains(from.uses, to.name),
					"%s (%s) names %s of %s (%s): the arrow points up", a.from, from.name, a.what, a.to, to.name)
			}
		})
	}
}

// checkedPackage is a package with its types.
type checkedPackage struct {
	fset *token.FileSet
	info types.Info
	pkg  *types.Package
}

// checkRoot type-checks the root package as it is built with env.
func checkRoot(t *testing.T, env string) *checkedPackage {
	t.Helper()
	exports, files := listRoot(t, env)
	c := &checkedPackage{fset: token.NewFileSet(), info: types.Info{Uses: make(map[*ast.Ident]types.Object)}}
	var asts []*ast.File
	for _, name := range files {
		asts = append(asts, parseFile(t, c.fset, name))
	}
	lookup := func(path string) (io.ReadCloser, error) {
		file, known := exports[path]
		if !known {
			return nil, fmt.Errorf("go list has no export data of %q", path)
		}
		return os.Open(file)
	}
	config := types.Config{Importer: importer.ForCompiler(c.fset, "gc", lookup)}
	pkg, err := config.Check(modulePath, c.fset, asts, &c.info)
	require.NoError(t, err)
	c.pkg = pkg
	return c
}

// listRoot is what the go command knows of the root package: the export data of all that
// it needs, and its files.
func listRoot(t *testing.T, env string) (exports map[string]string, files []string) {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}\t{{join .GoFiles \" \"}}", ".")
	cmd.Dir = moduleRoot
	cmd.Env = append(os.Environ(), env)
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	require.NoError(t, err, failed.String())
	exports = make(map[string]string)
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		exports[fields[0]] = fields[1]
		if fields[0] == modulePath {
			files = strings.Fields(fields[2])
		}
	}
	require.NotEmpty(t, files)
	return exports, files
}

// arrow is a use, in one file, of what another one declares.
type arrow struct{ from, to, what string }

// arrows are those between files of the package, once each.
func (c *checkedPackage) arrows() []arrow {
	seen := make(map[arrow]bool)
	for ident, object := range c.info.Uses {
		if object.Pkg() != c.pkg || !object.Pos().IsValid() {
			continue
		}
		from, to := c.file(ident.Pos()), c.file(object.Pos())
		if from != to {
			seen[arrow{from, to, object.Name()}] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b arrow) int {
		return strings.Compare(a.from+a.to+a.what, b.from+b.to+b.what)
	})
}

func (c *checkedPackage) file(pos token.Pos) string {
	return filepath.Base(c.fset.Position(pos).Filename)
}
