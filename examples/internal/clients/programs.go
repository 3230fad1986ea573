package clients

// Clients that are processes of their own.

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// The programs that the clients are made of.
const (
	pythonProgram = "python3"
	ncProgram     = "nc"
)

// echoPy is the client for Python's asyncio; its first lines say how it is used.
//
//go:embed echo.py
var echoPy string

// runPython runs the clients of a job in one Python process, on Python's asyncio.
func runPython(ctx context.Context, j job) (err error) {
	host, port, err := net.SplitHostPort(j.address)
	if err != nil {
		return err
	}
	file, err := payloadFile(j.payload)
	if err != nil {
		return fmt.Errorf("hand the payload to Python: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(file)) }()
	args := []string{"-c", echoPy, host, port, file}
	for _, n := range []int{j.first, j.count, stride, greetingBytes, dialsMax} {
		args = append(args, strconv.Itoa(n))
	}
	p, err := startProgram(exec.CommandContext(ctx, pythonProgram, args...))
	if err != nil {
		return err
	}
	return p.end(j.direct(ctx, p))
}

// direct tells a Python process when to go on.
func (j job) direct(ctx context.Context, p *program) error {
	lines := bufio.NewReader(p.out)
	if line, err := lines.ReadString('\n'); err != nil || line != "connected\n" {
		return fmt.Errorf("python3 said %q: %w", line, err)
	}
	for range j.count {
		j.connected()
	}
	if err := j.awaitStart(ctx); err != nil {
		return err
	}
	if _, err := io.WriteString(p.in, "start\n"); err != nil {
		return fmt.Errorf("start python3: %w", err)
	}
	if line, err := lines.ReadString('\n'); err != nil || line != "done\n" {
		return fmt.Errorf("python3 said %q: %w", line, err)
	}
	return nil
}

// payloadFile writes a payload where another process can read it.
func payloadFile(p *Payload) (name string, err error) {
	f, err := os.CreateTemp("", "payload-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(p.data)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// runNetcat runs the clients of a job as one nc process each.
func runNetcat(ctx context.Context, j job) error {
	host, port, err := net.SplitHostPort(j.address)
	if err != nil {
		return err
	}
	return j.each(ctx, func(ctx context.Context, client int) error {
		p, err := startProgram(exec.CommandContext(ctx, ncProgram, host, port))
		if err != nil {
			return err
		}
		err = j.exchange(ctx, client, p.out, p.in)
		// Versions of nc differ in when they end; we do not leave it to them.
		return p.stop(err)
	})
}

// program is a process that we talk to.
type program struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	errors bytes.Buffer
}

func startProgram(cmd *exec.Cmd) (*program, error) {
	p := &program{cmd: cmd}
	cmd.Stderr = &p.errors
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// end waits until the program has ended, or kills it if something went wrong already.
func (p *program) end(err error) error {
	if err != nil {
		return p.stop(err)
	}
	if err := p.in.Close(); err != nil {
		return p.stop(err)
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", p.cmd.Path, err, strings.TrimSpace(p.errors.String()))
	}
	return nil
}

// stop kills the program, and adds what it has said to the error that is the reason.
func (p *program) stop(err error) error {
	if killErr := p.cmd.Process.Kill(); killErr != nil && !errors.Is(killErr, os.ErrProcessDone) {
		err = errors.Join(err, killErr)
	}
	waitErr := p.cmd.Wait()
	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) { // that it was killed is no news
		err = errors.Join(err, waitErr)
	}
	if err != nil && p.errors.Len() > 0 {
		err = fmt.Errorf("%w\n%s", err, strings.TrimSpace(p.errors.String()))
	}
	return err
}
