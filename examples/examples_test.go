// Package examples_test builds the programs below examples/ as a user would, with cgo and
// without, and looks at what they print. The programs run as processes of their own:
// nothing of them is known here but their names.
package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-a026a017/asyncio"
)

// programTimeMax bounds one run of one program. The longest, the tour, takes about ten
// seconds.
const programTimeMax = 60 * time.Second

// build is one way to build the programs. Without cgo they run on the pure-Go driver.
type build struct {
	driver string
	cgo    string
	dir    func() (string, error) // builds all programs, once
}

// builds are the ways that this machine has.
var builds []*build

func TestMain(m *testing.M) {
	builds = append(builds, &build{driver: "purego", cgo: "0"})
	if asyncio.LibuvVersion() != "" { // then the tests were built with cgo, so it works here
		builds = append(builds, &build{driver: "libuv", cgo: "1"})
	}
	temp, err := os.MkdirTemp("", "examples-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, b := range builds {
		b.dir = sync.OnceValues(func() (string, error) { return buildAll(filepath.Join(temp, b.driver), b.cgo) })
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines left by the tests:", err)
			code = 1
		}
	}
	if err := os.RemoveAll(temp); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// buildAll builds every program below this directory into dir.
func buildAll(dir, cgo string) (string, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build with CGO_ENABLED=%s: %w\n%s", cgo, err, out)
	}
	return dir, nil
}

// program is the path of a built program.
func (b *build) program(t *testing.T, name string) string {
	t.Helper()
	dir, err := b.dir()
	require.NoError(t, err)
	return filepath.Join(dir, name)
}

// run runs a built program to its end.
func (b *build) run(t *testing.T, name string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	path := b.program(t, name)
	ctx, cancel := context.WithTimeout(t.Context(), programTimeMax)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// names are the programs: the directories with a main.go.
func names(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, mains)
	var names []string
	for _, m := range mains {
		names = append(names, filepath.Dir(m))
	}
	return names
}

func TestProgramsPrintWhatIsExpected(t *testing.T) {
	for _, b := range builds {
		for _, name := range names(t) {
			t.Run(b.driver+"/"+name, func(t *testing.T) {
				t.Parallel()
				stdout, stderr, err := b.run(t, name)
				require.NoError(t, err, "stdout:\n%s\nstderr:\n%s", stdout, stderr)
				assert.Empty(t, stderr)
				compare(t, name, stdout)
			})
		}
	}
}

// compare compares what a program has printed with its expected.txt, or line by line with
// the regular expressions of its expected.regexp. There, a line that begins with "* "
// stands for any number of lines like the rest of it.
func compare(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join(name, "expected.txt"))
	if err == nil {
		assert.Equal(t, string(want), got)
		return
	}
	require.True(t, errors.Is(err, fs.ErrNotExist), err)
	patterns, err := os.ReadFile(filepath.Join(name, "expected.regexp"))
	require.NoError(t, err, "every example has an expected.txt or an expected.regexp")

	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	for pattern := range strings.Lines(string(patterns)) {
		pattern, many := strings.CutPrefix(strings.TrimSuffix(pattern, "\n"), "* ")
		line := regexp.MustCompile("^(?:" + pattern + ")$")
		for many && len(lines) > 0 && line.MatchString(lines[0]) {
			lines = lines[1:]
		}
		if many {
			continue
		}
		require.NotEmpty(t, lines, "the output ends before %q:\n%s", pattern, got)
		require.Regexp(t, line, lines[0], "in:\n%s", got)
		lines = lines[1:]
	}
	assert.Empty(t, lines, "more than expected")
}

func TestProgramsReportFailure(t *testing.T) {
	for _, b := range builds {
		for _, name := range []string{"echo", "chat"} {
			t.Run(b.driver+"/"+name, func(t *testing.T) {
				stdout, stderr, err := b.run(t, name, "-listen", "192.0.2.1:9") // nobody's own address
				var exit *exec.ExitError
				require.ErrorAs(t, err, &exit)
				assert.Equal(t, 1, exit.ExitCode())
				assert.Empty(t, stdout)
				assert.Contains(t, stderr, name+": listen on 192.0.2.1:9: ")
			})
		}
	}
}
