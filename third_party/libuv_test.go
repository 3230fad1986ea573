// Package thirdparty tests libuv.sh, the script behind make deps: on a machine made of
// scripts, so that what a distribution lacks can be left out one by one.
package thirdparty

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tools are the commands that every POSIX system has. All others are absent unless a test
// fakes them.
var tools = []string{
	"basename", "cat", "cmp", "cp", "dirname", "grep", "ln", "mkdir", "mktemp", "mv", "paste", "rm", "sed", "sh", "tail", "touch",
}

// Commands of the machine, as a test fakes them.
const (
	goCommand = `echo cc` // go env CC
	cc        = `cat >/dev/null`
	root      = `echo 0`
	user      = `echo 1000`

	// aptGet downloads from the folder $MACHINE/pool, which apt-get update fills from
	// $MACHINE/mirror, and counts downloads.
	aptGet = `
		case " $* " in
		*" update "*) cp -R "$MACHINE/mirror" "$MACHINE/pool" ;;
		*" download libuv1-dev "*)
			echo download >>"$MACHINE/downloads"
			[ -d "$MACHINE/pool" ] || { echo "E: Unable to locate package libuv1-dev" >&2; exit 100; }
			cp -R "$MACHINE/pool" libuv1-dev_1.deb ;;
		*) exit 2 ;;
		esac`
	// dpkgDeb takes a folder for a package.
	dpkgDeb = `
		case $1 in
		-x) cp -R "$2" "$3" ;;
		-f) cat "$2/debian-version" ;;
		esac`
	// pkgConfig finds libuv in $MACHINE/usr.
	pkgConfig = `
		case $1 in
		--exists) [ -d "$MACHINE/usr" ] ;;
		--atleast-version=1.44.2) [ ! -f "$MACHINE/usr/old" ] ;;
		--modversion) cat "$MACHINE/usr/old" ;;
		--variable=includedir) echo "$MACHINE/usr/include" ;;
		--variable=libdir) echo "$MACHINE/usr/lib" ;;
		esac`
)

// machine is a folder with a PATH of its own and a copy of the script.
type machine struct {
	t   *testing.T
	dir string
}

// newMachine has a compiler and Go; the map adds commands by name and body.
func newMachine(t *testing.T, commands map[string]string) *machine {
	t.Helper()
	m := &machine{t, t.TempDir()}
	for _, tool := range tools {
		path, err := exec.LookPath(tool)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(m.path("bin"), 0o755))
		require.NoError(t, os.Symlink(path, m.path("bin", tool)))
	}
	m.command("go", goCommand)
	m.command("cc", cc)
	m.command("id", user)
	for name, body := range commands {
		m.command(name, body)
	}
	script, err := os.ReadFile("libuv.sh")
	require.NoError(t, err)
	m.write("third_party/libuv.sh", string(script))
	return m
}

func (m *machine) path(elem ...string) string {
	return filepath.Join(append([]string{m.dir}, elem...)...)
}

func (m *machine) write(name, content string) {
	m.t.Helper()
	require.NoError(m.t, os.MkdirAll(filepath.Dir(m.path(name)), 0o755))
	require.NoError(m.t, os.WriteFile(m.path(name), []byte(content), 0o755))
}

func (m *machine) command(name, body string) {
	m.t.Helper()
	m.write("bin/"+name, "#!/bin/sh\n"+body+"\n")
}

// debian puts a package of the version below dir.
func (m *machine) debian(dir, version string) {
	m.t.Helper()
	m.headers(dir+"/usr/include", version)
	m.write(dir+"/usr/lib/x86_64-linux-gnu/libuv_a.a", "archive")
	m.write(dir+"/usr/share/doc/libuv1-dev/copyright", "licence")
	m.write(dir+"/debian-version", version+"-1\n")
}

func (m *machine) headers(dir, version string) {
	m.t.Helper()
	n := strings.Split(version, ".")
	m.write(dir+"/uv.h", "#include \"uv/version.h\"\n")
	m.write(dir+"/uv/version.h", "#define UV_VERSION_H\n#define UV_VERSION_MAJOR "+n[0]+"\n#define UV_VERSION_MINOR "+n[1]+
		"\n#define UV_VERSION_PATCH "+n[2]+"\n#define UV_VERSION_IS_RELEASE 1\n")
}

// run runs the script with the variables set and returns what it printed.
func (m *machine) run(env ...string) (string, error) {
	m.t.Helper()
	cmd := exec.Command(m.path("bin", "sh"), m.path("third_party", "libuv.sh"))
	cmd.Env = append([]string{"PATH=" + m.path("bin"), "MACHINE=" + m.dir}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (m *machine) succeeds(env ...string) string {
	m.t.Helper()
	out, err := m.run(env...)
	require.NoError(m.t, err, out)
	return out
}

// fails expects a failure that says all of the words, and that leaves nothing half-made.
func (m *machine) fails(words []string, env ...string) {
	m.t.Helper()
	before := m.content("VERSION")
	out, err := m.run(env...)
	require.Error(m.t, err, out)
	for _, w := range words {
		require.Contains(m.t, out, w)
	}
	require.Equal(m.t, before, m.content("VERSION"), "a failure changed the copy in place")
	left, err := filepath.Glob(m.path("third_party", ".libuv.*"))
	require.NoError(m.t, err)
	require.Empty(m.t, left)
}

// content is that of a file in third_party/libuv; "" if it is not there.
func (m *machine) content(name string) string {
	b, err := os.ReadFile(m.path("third_party", "libuv", name))
	if err != nil {
		require.ErrorIs(m.t, err, os.ErrNotExist)
	}
	return string(b)
}

func (m *machine) downloads() int {
	b, err := os.ReadFile(m.path("downloads"))
	if err != nil {
		require.ErrorIs(m.t, err, os.ErrNotExist)
	}
	return strings.Count(string(b), "download")
}

func TestDebianPackage(t *testing.T) {
	apt := map[string]string{"apt-get": aptGet, "dpkg-deb": dpkgDeb}

	t.Run("unpacks once", func(t *testing.T) {
		m := newMachine(t, apt)
		m.debian("pool", "1.44.2")
		require.Contains(t, m.succeeds(), "libuv 1.44.2-1 (debian)")
		require.Equal(t, "1.44.2-1\ndebian\n", m.content("VERSION"))
		require.Equal(t, "archive", m.content("lib/libuv.a"))
		require.Equal(t, "licence", m.content("LICENSE"))
		require.Contains(t, m.content("include/uv/version.h"), "MINOR 44")

		require.Empty(t, m.succeeds())
		require.Equal(t, 1, m.downloads())
	})
	t.Run("mends a copy that lost a part", func(t *testing.T) {
		m := newMachine(t, apt)
		m.debian("pool", "1.48.0")
		m.succeeds()
		require.NoError(t, os.Remove(m.path("third_party", "libuv", "lib", "libuv_a.a")))
		m.succeeds()
		require.Equal(t, "archive", m.content("lib/libuv.a"))
	})
	t.Run("without lists tells a user what to do", func(t *testing.T) {
		m := newMachine(t, apt)
		m.fails([]string{"Unable to locate package", "sudo apt-get update"})
	})
	t.Run("without lists root fetches them", func(t *testing.T) {
		m := newMachine(t, apt)
		m.command("id", root)
		m.debian("mirror", "1.44.2")
		m.succeeds()
		require.Equal(t, "archive", m.content("lib/libuv.a"))
	})
	t.Run("too old", func(t *testing.T) {
		for _, version := range []string{"1.43.0", "1.44.1", "2.0.0", "0.10.48"} {
			m := newMachine(t, apt)
			m.debian("pool", version)
			m.fails([]string{"is libuv " + version, "LIBUV_PREFIX="})
		}
	})
	t.Run("no apt-get", func(t *testing.T) {
		m := newMachine(t, nil)
		m.fails([]string{"no apt-get", "make deps LIBUV=system"}, "LIBUV=debian")
	})
}

func TestSystemLibrary(t *testing.T) {
	installed := func(t *testing.T) *machine {
		m := newMachine(t, map[string]string{"pkg-config": pkgConfig})
		m.headers("usr/include", "1.50.0")
		m.write("usr/lib/libuv.so", "shared")
		m.write("usr/lib/libuv.a", "archive")
		return m
	}
	t.Run("is taken where there is no apt-get", func(t *testing.T) {
		m := installed(t)
		m.succeeds()
		require.Equal(t, "1.50.0\nsystem\n", m.content("VERSION"))
		require.Equal(t, "shared", m.content("lib/libuv.so"))
		require.Empty(t, m.content("lib/libuv.a"))
		require.Contains(t, m.content("include/uv/version.h"), "MINOR 50")
	})
	t.Run("replaces the package and stays", func(t *testing.T) {
		m := installed(t)
		m.command("apt-get", aptGet)
		m.command("dpkg-deb", dpkgDeb)
		m.debian("pool", "1.44.2")
		m.succeeds()
		require.Contains(t, m.succeeds("LIBUV=system"), "go clean -cache")
		require.Empty(t, m.content("lib/libuv_a.a"))
		require.Empty(t, m.succeeds(), "no choice keeps the last one")
		require.Equal(t, "1.50.0\nsystem\n", m.content("VERSION"))
		m.succeeds("LIBUV=debian")
		require.Equal(t, "1.44.2-1\ndebian\n", m.content("VERSION"))
	})
	t.Run("no pkg-config", func(t *testing.T) {
		newMachine(t, nil).fails([]string{"no pkg-config", "apt-get install pkg-config libuv1-dev"}, "LIBUV=system")
	})
	t.Run("not installed", func(t *testing.T) {
		m := newMachine(t, map[string]string{"pkg-config": pkgConfig})
		m.fails([]string{"does not know libuv", "apt-get install"}, "LIBUV=system")
	})
	t.Run("too old", func(t *testing.T) {
		m := installed(t)
		m.write("usr/old", "1.43.0")
		m.fails([]string{"installed libuv is 1.43.0", "LIBUV_PREFIX=/p"}, "LIBUV=system")
	})
	t.Run("without its library", func(t *testing.T) {
		m := installed(t)
		require.NoError(t, os.RemoveAll(m.path("usr", "lib")))
		m.fails([]string{"no libuv in " + m.path("usr", "lib")}, "LIBUV=system")
	})
}

func TestPrefix(t *testing.T) {
	t.Run("archive before shared library", func(t *testing.T) {
		m := newMachine(t, nil)
		m.headers("opt/include", "1.44.2")
		m.write("opt/lib/libuv.so", "shared")
		m.write("opt/lib64/libuv_a.a", "archive")
		m.succeeds("LIBUV_PREFIX=" + m.path("opt"))
		require.Equal(t, "archive", m.content("lib/libuv.a"))
		require.Equal(t, "1.44.2\nprefix "+m.path("opt")+"\n", m.content("VERSION"))
		require.Empty(t, m.succeeds(), "no choice keeps the last one")
	})
	t.Run("shared library alone", func(t *testing.T) {
		m := newMachine(t, nil)
		m.headers("opt/include", "1.51.0")
		m.write("opt/lib/libuv.so", "shared")
		require.Contains(t, m.succeeds("LIBUV_PREFIX="+m.path("opt")), "LD_LIBRARY_PATH="+m.path("opt", "lib"))
		require.Equal(t, "shared", m.content("lib/libuv.so"))
	})
	t.Run("another prefix replaces it", func(t *testing.T) {
		m := newMachine(t, nil)
		for _, p := range []string{"a", "b"} {
			m.headers(p+"/include", "1.44.2")
			m.write(p+"/lib/libuv.a", "archive "+p)
			m.succeeds("LIBUV_PREFIX=" + m.path(p))
			require.Equal(t, "archive "+p, m.content("lib/libuv.a"))
		}
	})
	t.Run("no such directory", func(t *testing.T) {
		newMachine(t, nil).fails([]string{"is no directory"}, "LIBUV_PREFIX=/no/such/directory")
	})
	t.Run("no headers", func(t *testing.T) {
		m := newMachine(t, nil)
		m.fails([]string{"has no", "uv.h", "LIBUV_PREFIX is"}, "LIBUV_PREFIX="+m.dir)
	})
	t.Run("too old", func(t *testing.T) {
		m := newMachine(t, nil)
		m.headers("opt/include", "1.9.1")
		m.write("opt/lib/libuv.a", "archive")
		m.fails([]string{"is libuv 1.9.1", "libuv >= 1.44.2"}, "LIBUV_PREFIX="+m.path("opt"))
	})
	t.Run("no library", func(t *testing.T) {
		m := newMachine(t, nil)
		m.headers("opt/include", "1.44.2")
		m.fails([]string{"neither libuv.a nor libuv.so"}, "LIBUV_PREFIX="+m.path("opt"))
	})
}

func TestWhatEveryBuildNeeds(t *testing.T) {
	t.Run("no Go", func(t *testing.T) {
		m := newMachine(t, nil)
		require.NoError(t, os.Remove(m.path("bin", "go")))
		m.fails([]string{"no go command", "https://go.dev/dl/"})
	})
	t.Run("no C compiler", func(t *testing.T) {
		m := newMachine(t, nil)
		require.NoError(t, os.Remove(m.path("bin", "cc")))
		m.fails([]string{"no C compiler (cc)", "apt-get install gcc", "CGO_ENABLED=0"})
	})
	t.Run("no C library", func(t *testing.T) {
		m := newMachine(t, map[string]string{"cc": "exit 1"})
		m.fails([]string{"does not find the C library's headers", "apt-get install libc6-dev"})
	})
	t.Run("unknown choice", func(t *testing.T) {
		newMachine(t, nil).fails([]string{"LIBUV=fedora is unknown", "LIBUV=system"}, "LIBUV=fedora")
	})
	t.Run("two choices", func(t *testing.T) {
		newMachine(t, nil).fails([]string{"both set"}, "LIBUV=system", "LIBUV_PREFIX=/usr")
	})
}
