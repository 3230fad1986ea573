package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Limits of a server that behaves.
const (
	startTimeout = 15 * time.Second // until it accepts
	freeTimeout  = 15 * time.Second // until it has answered the signal to free memory
	pollInterval = 10 * time.Millisecond
)

// server is a contender that runs. It is stopped by stop, and by nothing else.
type server struct {
	contender
	cmd    *exec.Cmd
	addr   string
	port   string
	stderr bytes.Buffer  // for exited to be read after
	lines  chan string   // what it prints
	exited chan struct{} // closed when the process has ended
}

// startServer starts c on a free port and returns when it accepts connections.
func startServer(c contender, cpus string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	argv := append(append([]string{}, c.command...), port)
	argv = pinned(cpus, append(argv, c.args...))
	s := &server{contender: c, port: port, addr: "127.0.0.1:" + port, cmd: exec.Command(argv[0], argv[1:]...),
		lines: make(chan string, 1), exited: make(chan struct{})}
	s.cmd.Stderr = &s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.exited)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			s.lines <- lines.Text()
		}
		_ = s.cmd.Wait() // how it ended is told by stderr
	}()
	if err := s.waitReady(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// freePort is one that nobody listens on. Between the look and the server's own bind another process may take it; then
// the server ends with an error, and waitReady says so.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return "", err
	}
	if err := ln.Close(); err != nil {
		return "", err
	}
	if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
		conn.Close()
		return "", fmt.Errorf("another process already listens on port %s", port)
	}
	return port, nil
}

func (s *server) waitReady() error {
	deadline := time.After(startTimeout)
	for {
		select {
		case <-s.exited:
			return fmt.Errorf("the server ended at once: %s", strings.TrimSpace(s.stderr.String()))
		case <-deadline:
			return fmt.Errorf("the server does not accept on port %s after %v", s.port, startTimeout)
		case <-time.After(pollInterval):
		}
		if conn, err := net.Dial("tcp", s.addr); err == nil {
			return conn.Close()
		}
	}
}

func (s *server) pid() string { return strconv.Itoa(s.cmd.Process.Pid) }

// freeMemory makes the server give its free memory back to the system, and returns when it has.
func (s *server) freeMemory() error {
	if err := s.cmd.Process.Signal(s.free); err != nil {
		return err
	}
	select {
	case line := <-s.lines:
		if line != "freed" {
			return fmt.Errorf("the server said %q, not \"freed\"", line)
		}
		return nil
	case <-s.exited:
		return errors.New("the server ended when it was to free memory")
	case <-time.After(freeTimeout):
		return fmt.Errorf("the server has not freed memory after %v", freeTimeout)
	}
}

// stop kills the server and waits for its end.
func (s *server) stop() {
	_ = s.cmd.Process.Kill() // fails only if it has ended already
	for {
		select {
		case <-s.lines:
		case <-s.exited:
			return
		}
	}
}
