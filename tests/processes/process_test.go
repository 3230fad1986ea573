//go:build unix

package processes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestProcess(t *testing.T) {
	t.Run("SUB-02", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			opts := piped("pwd")
			opts.Dir = "/"
			out, _ := runs(t, ctx, opts, "")
			require.Equal(t, "/\n", out)
		})
	})
	t.Run("SUB-03", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			for _, n := range []int{0, 1, 65536, 65537, 1_000_000} {
				out, errs := runs(t, ctx, shell(fmt.Sprintf("head -c %d /dev/zero; head -c %d /dev/zero >&2", n, n)), "")
				require.Len(t, out, n)
				require.Len(t, errs, n)
			}
			for _, n := range []int{0, 1, 8192, 8193, 219263, 219264, 1_000_000} {
				input := make([]byte, n)
				for i := range input {
					input[i] = byte(rand.Uint32())
				}
				out, errs := runs(t, ctx, piped("cat"), string(input))
				require.True(t, out == string(input), "%d bytes are the same", n)
				require.Empty(t, errs)
			}
		})
	})
	t.Run("SUB-04", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			opts := shell("echo out; echo err >&2")
			opts.Stderr = asyncio.Stdio{Kind: asyncio.ToStdout}
			p := start(t, ctx, opts)
			require.Nil(t, p.Stderr)
			out, errs, err := p.Communicate(ctx, nil)
			require.NoError(t, err)
			require.Equal(t, "out\nerr\n", string(out))
			require.Nil(t, errs)

			null := asyncio.Stdio{Kind: asyncio.DevNull}
			p = start(t, ctx, asyncio.ProcessOptions{Shell: "cat; echo err >&2; exit 3", Stdin: null, Stdout: null, Stderr: null})
			require.True(t, p.Stdin == nil && p.Stdout == nil && p.Stderr == nil)
			out, errs, err = p.Communicate(ctx, nil)
			require.NoError(t, err)
			require.Nil(t, out)
			require.Nil(t, errs)
			ends(t, ctx, p, 3)
		})
	})
	t.Run("SUB-05", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			for _, code := range []int{0, 1, 7, 255} {
				ends(t, ctx, start(t, ctx, asyncio.ProcessOptions{Shell: fmt.Sprintf("exit %d", code)}), code)
			}
			for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1} {
				p := start(t, ctx, forever)
				_, exited := p.ReturnCode()
				require.False(t, exited)
				require.NoError(t, p.SendSignal(syscall.Signal(0)), "only asks")
				require.NoError(t, p.SendSignal(sig))
				ends(t, ctx, p, -int(sig))
			}
			p := start(t, ctx, forever)
			require.NoError(t, p.Terminate())
			ends(t, ctx, p, -int(syscall.SIGTERM))
			p = start(t, ctx, forever)
			require.NoError(t, p.Kill())
			ends(t, ctx, p, -int(syscall.SIGKILL))
		})
	})
	t.Run("SUB-06", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			opts := shell("echo begun; sleep 1; sleep 1")
			p := start(t, ctx, opts)
			says(t, ctx, p.Stdout, "begun")
			require.NoError(t, p.Kill())
			ends(t, ctx, p, -int(syscall.SIGKILL))
		})
	})
	t.Run("SUB-07", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			p := start(t, ctx, piped("cat"))
			wait := asyncio.Coro[int](p.Wait)
			impatient := asyncio.CreateTask(ctx, wait)
			var waits []asyncio.Awaitable[int]
			for range 10 {
				waits = append(waits, asyncio.CreateTask(ctx, wait))
			}
			asynciotest.Yield(t, ctx, 3)
			impatient.Cancel()
			_, err := impatient.Await(ctx)
			testkit.WantCancelled(t, err, nil)
			_, exited := p.ReturnCode()
			require.False(t, exited, "a wait that is cancelled leaves the child alone")
			require.NoError(t, p.Stdin.Close())
			codes := gives(t, ctx, asyncio.Gather(ctx, waits...))
			require.Equal(t, make([]int, 10), codes)
			ends(t, ctx, p, 0)
		})
	})
	t.Run("SUB-10", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			large := strings.Repeat("x", 1<<20)
			p := start(t, ctx, shell("read x; exit 0"))
			_, err := p.Stdin.Write([]byte("\n" + large))
			require.NoError(t, err)
			err = p.Stdin.Drain(ctx)
			require.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), "%v", err)
			ends(t, ctx, p, 0)

			p = start(t, ctx, shell("exit 5"))
			_, _, err = p.Communicate(ctx, []byte(large))
			require.NoError(t, err, "it is no business of Communicate's how much the child reads")
			ends(t, ctx, p, 5)
			out, errs, err := p.Communicate(ctx, []byte("more"))
			require.NoError(t, err, "nor that it is over")
			require.Empty(t, string(out)+string(errs))
		})
	})
	t.Run("SUB-14", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			const size = 1_000_000
			opts := shell(fmt.Sprintf("head -c %d /dev/zero", size))
			opts.Limit = 10
			p := start(t, ctx, opts)
			l, last, same := testkit.LoopOf(ctx), 0, 0
			require.NoError(t, asynciotest.Until(ctx, func() bool {
				read, _ := l.Buffered()
				if read != last {
					last, same = read, 0
				}
				same++
				return read > 2*opts.Limit && same > 100
			}))
			require.Less(t, last, size/2, "the child is held back")
			out, _, err := p.Communicate(ctx, nil)
			require.NoError(t, err)
			require.Len(t, out, size)
			opts = shell("printf xxxxxxxxxxxxxxxxxxxxx")
			opts.Limit = 10
			short, _ := runs(t, ctx, opts, "")
			require.Len(t, short, 21)
		})
	})
	t.Run("SUB-15", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			other := start(t, ctx, piped("cat"))
			out, _ := runs(t, ctx, piped("wc", "-c"), "abc")
			require.Equal(t, "3", strings.TrimSpace(out))
			out, _ = runs(t, ctx, piped("wc", "-c"), "")
			require.Equal(t, "0", strings.TrimSpace(out))
			_, _, err := other.Communicate(ctx, nil)
			require.NoError(t, err, "nobody but this process has its Stdin")
		})
	})
	t.Run("SUB-17", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			r, w := osPipe(t)
			r2, w2 := osPipe(t)
			opts := shell("cat <&3; echo and >&4")
			opts.ExtraFiles = []*os.File{r, w2}
			p := start(t, ctx, opts)
			_, err := w.WriteString("through 3")
			require.NoError(t, err, "it is the caller's still")
			require.NoError(t, w.Close())
			out, _, err := p.Communicate(ctx, nil)
			require.NoError(t, err)
			require.Equal(t, "through 3", string(out))
			require.NoError(t, w2.Close())
			told, err := io.ReadAll(r2)
			require.NoError(t, err)
			require.Equal(t, "and\n", string(told))
			require.NoError(t, r.Close(), "and to be closed by the caller")
		})
	})
	t.Run("SUB-19", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			gate, release := osPipe(t)
			opts := shell("cat <&3 & echo begun; read x; exit 4")
			opts.ExtraFiles = []*os.File{gate}
			p := start(t, ctx, opts)
			require.NoError(t, gate.Close())
			says(t, ctx, p.Stdout, "begun")
			before := asyncio.CreateTask(ctx, asyncio.Coro[int](p.Wait))
			asynciotest.Yield(t, ctx, 2)
			_, err := p.Stdin.Write([]byte("\n"))
			require.NoError(t, err)
			code, err := before.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, 4, code)
			ends(t, ctx, p, 4)
			asynciotest.Yield(t, ctx, 10)
			require.False(t, p.Stdout.AtEOF(), "a grandchild holds the pipe")
			require.NoError(t, release.Close())
			rest, err := p.Stdout.ReadAll(ctx)
			require.NoError(t, err)
			require.Empty(t, rest)
			rest, err = p.Stderr.ReadAll(ctx)
			require.NoError(t, err)
			require.Empty(t, rest)
		})
	})
	t.Run("the input has a name", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			out, _ := runs(t, ctx, piped("cat", "/dev/stdin"), "abc")
			require.Equal(t, "abc", out)
		})
	})
	t.Run("an output outlives its child", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			const size = 256 << 10
			p := start(t, ctx, shell(fmt.Sprintf("head -c %d /dev/zero; exit 1", size)))
			got := 0
			for piece := make([]byte, 10_000); ; {
				n, err := p.Stdout.Read(ctx, piece)
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
				if got += n; got > size-50_000 {
					ends(t, ctx, p, 1)
				}
			}
			require.Equal(t, size, got)
		})
	})
	t.Run("a signal races with the end", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			for i := range 50 {
				p := start(t, ctx, asyncio.ProcessOptions{Args: []string{"true"}})
				asynciotest.Yield(t, ctx, i)
				if err := p.SendSignal(syscall.SIGUSR1); err != nil {
					require.ErrorIs(t, err, os.ErrProcessDone)
				}
				code, err := p.Wait(ctx)
				require.NoError(t, err)
				require.Contains(t, []int{0, -int(syscall.SIGUSR1)}, code)
			}
		})
	})
}

// TestProgram is about which program runs, and with what.
func TestProgram(t *testing.T) {
	t.Run("SUB-12", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			opts := piped("a name of its own", "-c", "echo $0")
			opts.Executable = "/bin/sh"
			out, _ := runs(t, ctx, opts, "")
			require.Equal(t, "a name of its own\n", out)
			opts.Executable = "sh"
			out, _ = runs(t, ctx, opts, "")
			require.Equal(t, "a name of its own\n", out, "looked up")
			before := descriptors(t)
			for _, name := range []string{"no-such-program", "./no-such-program", "/no/such/program", ""} {
				for range 10 {
					opts := piped(name)
					_, err := asyncio.CreateSubprocess(ctx, opts)
					require.ErrorIs(t, err, os.ErrNotExist)
					require.ErrorContains(t, err, fmt.Sprintf("%q", name))
					if name == "" {
						continue // no other executable
					}
					opts = piped("true")
					opts.Executable = name
					_, err = asyncio.CreateSubprocess(ctx, opts)
					require.ErrorIs(t, err, os.ErrNotExist)
				}
			}
			require.LessOrEqual(t, descriptors(t), before)
		})
	})
	t.Run("what may not run", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			plain := script(t, 0o644, "#!/bin/sh\n")
			_, err := asyncio.CreateSubprocess(ctx, piped(plain))
			require.ErrorIs(t, err, os.ErrPermission)
			opts := piped(filepath.Base(plain))
			opts.Env = []string{"PATH=/no/such/dir:" + filepath.Dir(plain)}
			_, err = asyncio.CreateSubprocess(ctx, opts)
			require.ErrorIs(t, err, os.ErrPermission)
			_, err = asyncio.CreateSubprocess(ctx, piped("/"))
			require.ErrorIs(t, err, os.ErrPermission)
			_, err = asyncio.CreateSubprocess(ctx, piped(script(t, 0o755, "#!/no/such/interpreter\n")))
			require.ErrorIs(t, err, os.ErrNotExist)
			_, err = asyncio.CreateSubprocess(ctx, piped(script(t, 0o755, "\x7fELF no program")))
			require.ErrorIs(t, err, syscall.ENOEXEC)
		})
	})
	t.Run("the PATH of the child's environment", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			hello := script(t, 0o755, "#!/bin/sh\necho hello\n")
			opts := piped("script")
			opts.Env = []string{"PATH=" + filepath.Dir(hello)}
			out, _ := runs(t, ctx, opts, "")
			require.Equal(t, "hello\n", out)
			opts.Env = []string{"PATH=."}
			opts.Dir = filepath.Dir(hello)
			_, err := asyncio.CreateSubprocess(ctx, opts)
			require.ErrorIs(t, err, os.ErrNotExist, "a directory that is not absolute does not count")
			loop := t.TempDir()
			require.NoError(t, os.Symlink("script", filepath.Join(loop, "script")))
			opts.Env = []string{"PATH=" + loop}
			_, err = asyncio.CreateSubprocess(ctx, opts)
			require.ErrorIs(t, err, syscall.ELOOP, "it is not missing")
			opts.Args = []string{"./script"}
			out, _ = runs(t, ctx, opts, "")
			require.Equal(t, "hello\n", out, "a path is taken from Dir on")
			opts = piped("cat")
			opts.Env = []string{}
			out, _ = runs(t, ctx, opts, "abc")
			require.Equal(t, "abc", out, "without a PATH the usual places are searched")
		})
	})
	t.Run("environment", func(t *testing.T) {
		t.Setenv("PROCESSES_TEST", "inherited")
		inTask(t, func(t *testing.T, ctx context.Context) {
			const show = "echo $PROCESSES_TEST"
			opts := shell(show)
			out, _ := runs(t, ctx, opts, "")
			require.Equal(t, "inherited\n", out)
			opts.Env = append(os.Environ(), "PROCESSES_TEST=its own")
			out, _ = runs(t, ctx, opts, "")
			require.Equal(t, "its own\n", out, "the last one counts")
			opts = piped("env")
			opts.Env = []string{}
			out, _ = runs(t, ctx, opts, "")
			require.Empty(t, out)
			opts.Env = []string{"A=b"}
			out, _ = runs(t, ctx, opts, "")
			require.Equal(t, "A=b\n", out)
		})
	})
	t.Run("a shell of another name", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			opts := shell("exit 7")
			opts.Executable = script(t, 0o755, "#!/bin/sh\necho \"$@\"\n")
			out, _ := runs(t, ctx, opts, "")
			require.Equal(t, "-c exit 7\n", out)
		})
	})
	t.Run("a session of its own", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			for _, alone := range []bool{false, true} {
				opts := shell("read x; exit 8")
				opts.NewSession = alone
				p := start(t, ctx, opts)
				group, err := syscall.Getpgid(p.PID())
				require.NoError(t, err)
				require.Equal(t, alone, group == p.PID())
				require.NoError(t, p.Stdin.Close())
				ends(t, ctx, p, 8)
			}
		})
	})
	t.Run("files of the caller's", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			path := script(t, 0o644, "from a file")
			in, err := os.Open(path)
			require.NoError(t, err)
			out, err := os.Create(path + ".out")
			require.NoError(t, err)
			closeAtEnd(t, in, out)
			file := func(f *os.File) asyncio.Stdio { return asyncio.Stdio{Kind: asyncio.FromFile, File: f} }
			p := start(t, ctx, asyncio.ProcessOptions{Shell: "cat; echo, err >&2", Stdin: file(in), Stdout: file(out), Stderr: file(out)})
			ends(t, ctx, p, 127)
			_, err = out.Seek(0, io.SeekStart)
			require.NoError(t, err, "it is open still")
			got, err := io.ReadAll(out)
			require.NoError(t, err)
			require.True(t, bytes.HasPrefix(got, []byte("from a file")))
			require.Contains(t, string(got), "echo,")
			require.NoError(t, in.Close())
			_, err = asyncio.CreateSubprocess(ctx, asyncio.ProcessOptions{Args: []string{"cat"}, Stdin: file(in)})
			require.ErrorIs(t, err, os.ErrClosed)
		})
	})
	t.Run("nothing else is inherited", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			if _, err := os.Stat("/proc/self/fd"); err != nil {
				t.Skip("this system does not tell")
			}
			before, _ := runs(t, ctx, piped("ls", "/proc/self/fd"), "")
			osPipe(t)
			other := start(t, ctx, piped("cat"))
			after, _ := runs(t, ctx, piped("ls", "/proc/self/fd"), "")
			require.Equal(t, before, after)
			_, _, err := other.Communicate(ctx, nil)
			require.NoError(t, err)
		})
	})
	t.Run("children of os/exec beside it", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			cmd := exec.Command("sh", "-c", "exit 9")
			require.NoError(t, cmd.Start())
			ends(t, ctx, start(t, ctx, asyncio.ProcessOptions{Shell: "exit 3"}), 3)
			var failed *exec.ExitError
			require.ErrorAs(t, cmd.Wait(), &failed)
			require.Equal(t, 9, failed.ExitCode())
		})
	})
}

func TestBadOptions(t *testing.T) {
	pipe, toStdout := asyncio.Stdio{Kind: asyncio.Pipe}, asyncio.Stdio{Kind: asyncio.ToStdout}
	sleep := []string{"sleep", "3600"}
	for name, c := range map[string]struct {
		opts asyncio.ProcessOptions
		says string
	}{
		"nothing to run":            {asyncio.ProcessOptions{}, "set Args or Shell"},
		"both":                      {asyncio.ProcessOptions{Args: sleep, Shell: "true"}, "both"},
		"stdin to stdout":           {asyncio.ProcessOptions{Args: sleep, Stdin: toStdout}, "Stdin is ToStdout"},
		"stdout to stdout":          {asyncio.ProcessOptions{Args: sleep, Stdout: toStdout}, "Stdout is ToStdout"},
		"a file that is nil":        {asyncio.ProcessOptions{Args: sleep, Stderr: asyncio.Stdio{Kind: asyncio.FromFile}}, "File is nil"},
		"a file for a pipe":         {asyncio.ProcessOptions{Args: sleep, Stdin: asyncio.Stdio{Kind: asyncio.Pipe, File: os.Stdin}}, "FromFile"},
		"a file without a kind":     {asyncio.ProcessOptions{Args: sleep, Stdin: asyncio.Stdio{File: os.Stdin}}, "FromFile"},
		"an extra file that is nil": {asyncio.ProcessOptions{Args: sleep, Stdin: pipe, ExtraFiles: []*os.File{os.Stdin, nil}}, "ExtraFiles[1]"},
		"an unknown kind":           {asyncio.ProcessOptions{Args: sleep, Stdin: asyncio.Stdio{Kind: 99}}, "99"},
		"a negative limit":          {asyncio.ProcessOptions{Args: sleep, Limit: -1}, "-1"},
		"NUL in an argument":        {asyncio.ProcessOptions{Args: []string{"sleep", "1\x00"}}, "NUL"},
		"NUL in a command":          {asyncio.ProcessOptions{Shell: "true\x00"}, "NUL"},
		"NUL in the environment":    {asyncio.ProcessOptions{Args: sleep, Env: []string{"A=\x00"}}, "NUL"},
		"NUL in the directory":      {asyncio.ProcessOptions{Args: sleep, Dir: "/\x00"}, "NUL"},
		"NUL in the executable":     {asyncio.ProcessOptions{Args: sleep, Executable: "/\x00"}, "NUL"},
	} {
		t.Run(name, func(t *testing.T) {
			inTask(t, func(t *testing.T, ctx context.Context) {
				_, err := asyncio.CreateSubprocess(ctx, c.opts)
				require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
				require.ErrorContains(t, err, c.says)
				_, _, err = testkit.LoopOf(ctx).SubprocessExec(ctx, func() asyncio.SubprocessProtocol {
					t.Error("the factory was called")
					return nil
				}, c.opts)
				require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
			})
		})
	}
	t.Run("a directory that is none", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			for dir, want := range map[string]error{"/no/such/dir": os.ErrNotExist, script(t, 0o644, ""): syscall.ENOTDIR} {
				opts := piped("true")
				opts.Dir = dir
				_, err := asyncio.CreateSubprocess(ctx, opts)
				require.ErrorIs(t, err, want)
				require.ErrorContains(t, err, fmt.Sprintf("Dir %q", dir))
			}
		})
	})
	t.Run("input for no pipe", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			p := start(t, ctx, asyncio.ProcessOptions{Args: []string{"true"}, Stdin: asyncio.Stdio{Kind: asyncio.DevNull}})
			_, _, err := p.Communicate(ctx, []byte("abc"))
			require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
			ends(t, ctx, p, 0)
		})
	})
}
