package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
	addr   string        // host and port, or a path
	port   string        // "" with a path
	stderr bytes.Buffer  // for exited to be read after
	lines  chan string   // what it prints
	exited chan struct{} // closed when the process has ended
}

// startServer starts c on a free port or on its path, and returns when it serves there.
func startServer(c contender, cpus string) (*server, error) {
	if c.path != "" {
		if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) { // a killed server leaves it behind
			return nil, err
		}
		return startServerOn("", c, cpus)
	}
	port, err := freePort(c.network())
	if err != nil {
		return nil, err
	}
	return startServerOn(port, c, cpus)
}

// network is the one that the contender serves on, in package net's words.
func (c contender) network() string {
	switch {
	case c.path != "":
		return "unix"
	case c.datagrams:
		return "udp"
	default:
		return "tcp"
	}
}

func startServerOn(port string, c contender, cpus string) (*server, error) {
	s := &server{contender: c, port: port, addr: "127.0.0.1:" + port, lines: make(chan string, 1), exited: make(chan struct{})}
	place := port
	if c.path != "" {
		place, s.addr = c.path, c.path
	}
	argv := pinned(cpus, slices.Concat(c.command, []string{place}, c.args))
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Stderr = &s.stderr
	s.cmd.Env = c.environ()
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // so that none is left over when this process is killed
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

// freePort is one that nobody serves on. Between the look and the server's own bind
// another process may take it: waitReady notices that.
func freePort(network string) (string, error) {
	var addr string
	if network == "udp" {
		conn, err := net.ListenPacket(network, "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		defer conn.Close()
		addr = conn.LocalAddr().String()
	} else {
		ln, err := net.Listen(network, "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		defer ln.Close()
		addr = ln.Addr().String()
	}
	_, port, err := net.SplitHostPort(addr)
	return port, err
}

// waitReady returns when the server's own process serves. That another process has the
// port, one that an earlier run has left over, is an error: it must not be measured by
// mistake.
func (s *server) waitReady() error {
	deadline := time.After(startTimeout)
	for {
		select {
		case <-s.exited:
			return fmt.Errorf("the server ended at once: %s", strings.TrimSpace(s.stderr.String()))
		case <-deadline:
			return fmt.Errorf("the server does not serve on %s after %v", s.addr, startTimeout)
		case <-time.After(pollInterval):
		}
		if ready, err := s.ready(); ready || err != nil {
			return err
		}
	}
}

// ready reports whether every socket that the server is to have is there. It fails if
// one belongs to another process.
func (s *server) ready() (bool, error) {
	if s.path != "" {
		conn, err := net.Dial("unix", s.path)
		if err != nil {
			return false, nil
		}
		return true, conn.Close()
	}
	sockets, err := listeners(s.network(), s.port)
	if err != nil {
		return false, err
	}
	for _, socket := range sockets {
		if !s.owns(socket) {
			return false, fmt.Errorf("another process listens on port %s: a server of an earlier run? fuser -n %s %s tells which",
				s.port, s.network(), s.port)
		}
	}
	return len(sockets) >= max(1, s.loops), nil
}

// servingState is how a socket that serves looks in the kernel's table of a network.
var servingState = map[string]string{"tcp": "0A", "udp": "07"}

// listeners are the sockets that serve on an IPv4 port, as the descriptors in
// /proc/PID/fd name them.
func listeners(network, port string) ([]string, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile("/proc/net/" + network)
	if err != nil {
		return nil, err
	}
	var sockets []string
	suffix := fmt.Sprintf(":%04X", n)
	for line := range strings.Lines(string(b)) {
		// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid
		// timeout inode
		if f := strings.Fields(line); len(f) > 9 && strings.HasSuffix(f[1], suffix) && f[3] == servingState[network] {
			sockets = append(sockets, "socket:["+f[9]+"]")
		}
	}
	return sockets, nil
}

// owns reports whether the server's process has a descriptor of the socket.
func (s *server) owns(socket string) bool {
	descriptors, err := filepath.Glob("/proc/" + s.pid() + "/fd/*")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(descriptors, func(fd string) bool {
		target, err := os.Readlink(fd)
		return err == nil && target == socket
	})
}

func (s *server) pid() string { return strconv.Itoa(s.cmd.Process.Pid) }

// freeMemory makes the server give its free memory back to the system, and returns when
// it has.
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
