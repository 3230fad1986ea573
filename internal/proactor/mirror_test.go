package proactor_test

// The drivers mirror each other: the same files hold the same methods of the seam in the
// same order, so that two drivers can be compared by diff.

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// drivers are the packages that are compared, each with the first.
var drivers = []string{"goproactor", "uvproactor"}

// ownFiles are those that only one driver has, with the reason.
var ownFiles = map[string]string{
	"goproactor/buffer.go":           "a read needs memory of the driver's; uv has its slab in C",
	"goproactor/gate.go":             "a goroutine reads, and has to be stopped",
	"goproactor/packet.go":           "datagrams need memory of the driver's",
	"goproactor/packet_portable.go":  "the calls of systems that can only wait",
	"goproactor/packet_unix.go":      "the calls of systems with non-blocking descriptors",
	"goproactor/options_other.go":    "package net has no SO_REUSEPORT and no backlog",
	"goproactor/options_unix.go":     "package net has no SO_REUSEPORT and no backlog",
	"goproactor/poller.go":           "the runtime has a poller, and ends the process if it cannot make it",
	"goproactor/queue.go":            "goroutines tell the loop what has happened; uv has its records in C",
	"goproactor/socket_portable.go":  "the calls of systems that can only wait",
	"goproactor/socket_unix.go":      "the calls of systems with non-blocking descriptors",
	"goproactor/vector_darwin.go":    "a vectored write; libuv has its own",
	"goproactor/vector_linux.go":     "a vectored write; libuv has its own",
	"goproactor/watch_bsd.go":        "a look at descriptors; libuv has its own",
	"goproactor/watch_linux.go":      "a look at descriptors; libuv has its own",
	"goproactor/watch_other.go":      "systems without such a look",
	"goproactor/watch_unix.go":       "a look at descriptors; libuv has its own",
	"goproactor/watchfiles_linux.go": "inotify; libuv has its own",
	"goproactor/watchfiles_other.go": "systems of which the driver knows nothing better than to look",
	"goproactor/watchfiles_poll.go":  "looking now and then; libuv has its own",
	"uvproactor/version.go":          "libuv has a version",
}

// ownMethods are those of the seam that not every driver has, with the reason.
var ownMethods = map[string]string{
	"stream.Pull": "a Stream need not be a Source; goproactor's are read by goroutines",
}

// system is the package whose type every driver embeds: its methods are theirs.
const system = "system"

// pkgFiles are the files of a package by name, without tests.
type pkgFiles map[string]*ast.File

func parsePackage(t *testing.T, dir string) pkgFiles {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	files := make(pkgFiles)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		files[filepath.Base(path)] = f
	}
	require.NotEmpty(t, files, dir)
	return files
}

// seamMethods are the methods of the seam by the type that implements them in a driver:
// the interface Stream by the type stream. What Proactor embeds, driver has.
func seamMethods(seam pkgFiles) map[string]bool {
	implementer := map[string]string{"Proactor": "driver", "Listener": "listener", "Stream": "stream", "Source": "stream", "Watch": "watch", "Datagram": "datagram", "DirWatch": "dirWatch"}
	interfaces := make(map[string]*ast.InterfaceType)
	for _, f := range seam {
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if i, ok := spec.Type.(*ast.InterfaceType); ok {
					interfaces[spec.Name.Name] = i
				}
			}
			return true
		})
	}
	methods := make(map[string]bool)
	var add func(name, owner string)
	add = func(name, owner string) {
		for _, m := range interfaces[name].Methods.List {
			if embedded, ok := m.Type.(*ast.Ident); ok {
				add(embedded.Name, owner)
				continue
			}
			methods[owner+"."+m.Names[0].Name] = true
		}
	}
	for name, owner := range implementer {
		add(name, owner)
	}
	return methods
}

// declared lists, in order, the functions that f exports and the methods of the seam.
func declared(f *ast.File, seam map[string]bool) []string {
	var names []string
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		switch {
		case !ok:
		case fn.Recv == nil && fn.Name.IsExported():
			names = append(names, fn.Name.Name)
		case fn.Recv != nil:
			if name := receiver(fn) + "." + fn.Name.Name; seam[name] {
				names = append(names, name)
			}
		}
	}
	return names
}

func receiver(fn *ast.FuncDecl) string {
	expr := fn.Recv.List[0].Type
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	name, _ := expr.(*ast.Ident)
	if name == nil {
		return ""
	}
	return name.Name
}

// unlike lists in what the packages a and b differ, which are called as and bs.
func unlike(as, bs string, a, b pkgFiles, seam map[string]bool) []string {
	var problems []string
	only := func(one, other string, ones, others pkgFiles) {
		for _, name := range slices.Sorted(maps.Keys(ones)) {
			if others[name] == nil && ownFiles[one+"/"+name] == "" {
				problems = append(problems, fmt.Sprintf("%s has %s, %s has not", one, name, other))
			}
		}
	}
	only(as, bs, a, b)
	only(bs, as, b, a)
	own := func(name string) bool { return ownMethods[name] != "" }
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if b[name] == nil {
			continue
		}
		inA := slices.DeleteFunc(declared(a[name], seam), own)
		inB := slices.DeleteFunc(declared(b[name], seam), own)
		found := len(problems)
		for _, m := range inA {
			if !slices.Contains(inB, m) {
				problems = append(problems, fmt.Sprintf("%s: %s has %s, %s has not", name, as, m, bs))
			}
		}
		for _, m := range inB {
			if !slices.Contains(inA, m) {
				problems = append(problems, fmt.Sprintf("%s: %s has %s, %s has not", name, bs, m, as))
			}
		}
		if len(problems) == found && !slices.Equal(inA, inB) {
			problems = append(problems, fmt.Sprintf("%s: the order is %v in %s, %v in %s", name, inA, as, inB, bs))
		}
	}
	return problems
}

func TestDriversMirror(t *testing.T) {
	seam := seamMethods(parsePackage(t, "."))
	require.Subset(t, slices.Collect(maps.Keys(seam)), []string{"driver.Poll", "driver.Work", "driver.Close", "listener.Start", "stream.Write", "stream.Pull"})
	shared := parsePackage(t, system)
	packages := make(map[string]pkgFiles)
	for _, d := range drivers {
		packages[d] = parsePackage(t, d)
		require.Empty(t, unlike(drivers[0], d, packages[drivers[0]], packages[d], seam))
	}

	t.Run("every method of the seam is somewhere", func(t *testing.T) {
		inherited := make(map[string]bool)
		for _, f := range shared {
			for _, decl := range f.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv != nil {
					inherited["driver."+fn.Name.Name] = true
				}
			}
		}
		for _, d := range drivers {
			for name := range seam {
				has := inherited[name] || ownMethods[name] != ""
				for file, f := range packages[d] {
					if slices.Contains(declared(f, seam), name) {
						has = true
						require.Empty(t, ownFiles[d+"/"+file], "%s: a method of the seam belongs into a file that every driver has", name)
					}
				}
				require.True(t, has, "%s has no %s", d, name)
			}
		}
	})

	t.Run("own files exist", func(t *testing.T) {
		for path := range ownFiles {
			dir, name := filepath.Split(path)
			require.NotNil(t, packages[filepath.Clean(dir)][name], "%s is gone: take it off the list", path)
		}
	})
}

// TestMirrorCompares shows the comparison two packages that differ.
func TestMirrorCompares(t *testing.T) {
	seam := map[string]bool{"driver.Poll": true, "driver.Wake": true, "stream.Pull": true}
	pkg := func(sources ...string) pkgFiles {
		files := make(pkgFiles)
		for i, s := range sources {
			f, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+s, 0)
			require.NoError(t, err)
			files[string(rune('a'+i))+".go"] = f
		}
		return files
	}
	const poll, wake = "func (d *driver) Poll() {}\n", "func (d driver) Wake() {}\n"
	base := pkg("func New() {}\n" + poll + wake)
	for _, c := range []struct {
		other pkgFiles
		want  []string
	}{
		{pkg("func New() {}\n" + poll + "func (d *driver) Other() {}\nfunc helper() {}\nfunc (s *stream) Pull() {}\n" + wake), nil},
		{pkg("func New() {}\n" + poll), []string{"a.go: x has driver.Wake, y has not"}},
		{pkg("func New() {}\n" + wake + poll), []string{"a.go: the order is [New driver.Poll driver.Wake] in x, [New driver.Wake driver.Poll] in y"}},
		{pkg(poll+wake+"func Extra() {}\n", ""), []string{"y has b.go, x has not", "a.go: x has New, y has not", "a.go: y has Extra, x has not"}},
	} {
		require.Equal(t, c.want, unlike("x", "y", base, c.other, seam))
	}
}
