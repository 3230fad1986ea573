// Package examples_test builds the programs below examples/ and looks at what they print.
// They run as processes of their own, on each driver that the build has: nothing of them
// is known here but their names.
package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-a026a017/asyncio"
)

const (
	// programTimeMax bounds one run of one program. The longest, the tour, takes about
	// ten seconds.
	programTimeMax = 3 * time.Minute
	// runsMax is how many programs run at a time: most of them sleep most of the time.
	runsMax = 6

	module = "github.com/seed-a026a017/asyncio"
)

// programs is the directory that all programs are built into, with cgo if the tests were.
var programs string

// driver is what a program's loops run on.
type driver string

// drivers are those of this build.
var drivers = []driver{driver(asyncio.PureGo.String())}

func TestMain(m *testing.M) {
	cgo := "0"
	if asyncio.LibuvVersion() != "" {
		cgo = "1"
		drivers = append(drivers, driver(asyncio.Libuv.String()))
	}
	var err error
	if programs, err = buildAll(cgo); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines left by the tests:", err)
			code = 1
		}
	}
	if err := os.RemoveAll(programs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// buildAll builds every program below this directory. -w leaves out what only debuggers
// need: with cgo that takes a third of the time.
func buildAll(cgo string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "examples-*"); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-ldflags=-w", "-o", dir+string(filepath.Separator), "./...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("go build with CGO_ENABLED=%s: %w\n%s", cgo, err, out), os.RemoveAll(dir))
	}
	return dir, nil
}

// command is a run of a program on the driver.
func (d driver) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(programs, name), args...)
	cmd.Env = append(os.Environ(), "ASYNCIO_DRIVER="+string(d))
	return cmd
}

// outcome is what a program has printed, and how it has ended.
type outcome struct {
	stdout, stderr string
	err            error
}

// run runs a program to its end.
func (d driver) run(ctx context.Context, name string, args ...string) outcome {
	ctx, cancel := context.WithTimeout(ctx, programTimeMax)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := d.command(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return outcome{stdout.String(), stderr.String(), err}
}

// names are the programs: the directories with a main.go. The tour, which takes longest,
// is the first of them.
func names(t *testing.T) []string {
	t.Helper()
	mains, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	names := []string{tour}
	for _, m := range mains {
		if name := filepath.Dir(m); name != tour {
			names = append(names, name)
		}
	}
	require.Len(t, names, len(mains))
	return names
}

const tour = "tour"

func TestProgramsPrintWhatIsExpected(t *testing.T) {
	outcomes := runAll(t)
	for _, d := range drivers {
		for _, name := range names(t) {
			t.Run(string(d)+"/"+name, func(t *testing.T) {
				o := <-outcomes[d][name]
				require.NoError(t, o.err, "stdout:\n%s\nstderr:\n%s", o.stdout, o.stderr)
				assert.Empty(t, o.stderr)
				compare(t, name, o.stdout)
				if name == tour {
					assert.Contains(t, o.stdout, "\ndriver: "+string(d))
				}
			})
		}
	}
}

// runAll starts to run all programs on all drivers.
func runAll(t *testing.T) map[driver]map[string]chan outcome {
	t.Helper()
	outcomes := make(map[driver]map[string]chan outcome)
	for _, d := range drivers {
		outcomes[d] = make(map[string]chan outcome)
	}
	slots := make(chan struct{}, runsMax)
	for _, name := range names(t) {
		var args []string
		if name == tour {
			args = []string{"-programs", programs}
		}
		for _, d := range drivers {
			ended := make(chan outcome, 1)
			outcomes[d][name] = ended
			go func() {
				slots <- struct{}{}
				ended <- d.run(t.Context(), name, args...)
				<-slots
			}()
		}
	}
	return outcomes
}

// compare compares what a program has printed with what is expected, line by line.
func compare(t *testing.T, name, got string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	for _, pattern := range expected(t, name) {
		pattern, many := strings.CutPrefix(pattern, "* ")
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

// expected has a regular expression for each line that a program prints: the lines of its
// expected.txt, or those of its expected.regexp. There, a line that begins with "* "
// stands for any number of lines like the rest of it, and "@ hello" for all of hello's.
func expected(t *testing.T, name string) (patterns []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(name, "expected.txt"))
	if err == nil {
		for line := range strings.Lines(string(text)) {
			patterns = append(patterns, regexp.QuoteMeta(strings.TrimSuffix(line, "\n")))
		}
		return patterns
	}
	require.True(t, errors.Is(err, fs.ErrNotExist), err)
	text, err = os.ReadFile(filepath.Join(name, "expected.regexp"))
	require.NoError(t, err, "every example has an expected.txt or an expected.regexp")
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if other, ok := strings.CutPrefix(line, "@ "); ok {
			patterns = append(patterns, expected(t, other)...)
			continue
		}
		patterns = append(patterns, line)
	}
	return patterns
}

func TestProgramsReportFailure(t *testing.T) {
	for _, d := range drivers {
		for _, name := range []string{"echo_protocol", "echo_streams", "tls_echo", "chat", "udp"} {
			t.Run(string(d)+"/"+name, func(t *testing.T) {
				o := d.run(t.Context(), name, "-listen", "192.0.2.1:9") // nobody's own address
				var exit *exec.ExitError
				require.ErrorAs(t, o.err, &exit)
				assert.Equal(t, 1, exit.ExitCode())
				assert.Empty(t, o.stdout)
				assert.Contains(t, o.stderr, name+": listen on 192.0.2.1:9: ")
			})
		}
	}
}

// The tour is no such file: it has clients, and a row for each of the others.
func TestEachExampleIsOneFileThatCanBeCopied(t *testing.T) {
	tourText, err := os.ReadFile("tour/main.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	for _, name := range names(t)[1:] {
		t.Run(name, func(t *testing.T) {
			files, err := filepath.Glob(name + "/*")
			require.NoError(t, err)
			assert.Len(t, files, 2, "there is more than main.go and what it prints: %v", files)
			file, err := parser.ParseFile(token.NewFileSet(), name+"/main.go", nil, parser.ImportsOnly|parser.ParseComments)
			require.NoError(t, err)
			for _, i := range file.Imports {
				ours := strings.HasPrefix(i.Path.Value, `"`+module+"/")
				assert.True(t, !ours || i.Path.Value == `"`+module+`/asynchttp"`, "it imports %s", i.Path.Value)
			}
			assert.Regexp(t, "(?i)^"+name+" shows ", file.Doc.Text(), "its first line does not say what it shows")
			assert.Contains(t, string(tourText), `{"`+name+`", "`, "the tour does not show it")
			assert.Contains(t, string(readme), "](examples/"+name+"/main.go)", "the README has no row for it")
		})
	}
}
