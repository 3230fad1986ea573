package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
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
	return startServerOn(port, c, cpus)
}

func startServerOn(port string, c contender, cpus string) (*server, error) {
	argv := append(append([]string{}, c.command...), port)
	argv = pinned(cpus, append(argv, c.args...))
	s := &server{contender: c, port: port, addr: "127.0.0.1:" + port, cmd: exec.Command(argv[0], argv[1:]...),
		lines: make(chan string, 1), exited: make(chan struct{})}
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

// freePort is one that nobody listens on. Between the look and the server's own bind
// another process may take it: waitReady notices that.
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

// waitReady returns when the server's own process accepts connections. That another
// process answers on the port, one that an earlier run has left over, is an error: it
// must not be measured by mistake.
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
			return errors.Join(conn.Close(), s.checkListener())
		}
	}
}

// checkListener fails unless every socket that listens on the port belongs to the server.
func (s *server) checkListener() error {
	sockets, err := listeners("/proc/net/tcp", s.port)
	if err != nil {
		return err
	}
	for _, socket := range sockets {
		if !s.owns(socket) {
			return fmt.Errorf("another process listens on port %s: a server of an earlier run? fuser -n tcp %s tells which",
				s.port, s.port)
		}
	}
	if len(sockets) == 0 {
		return fmt.Errorf("port %s answers, but no socket of this machine listens on it", s.port)
	}
	return nil
}

// tcpListen is the state of a listening socket in /proc/net/tcp.
const tcpListen = "0A"

// listeners are the sockets that listen on an IPv4 port, as the descriptors in
// /proc/PID/fd name them.
func listeners(table, port string) ([]string, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(table)
	if err != nil {
		return nil, err
	}
	var sockets []string
	suffix := fmt.Sprintf(":%04X", n)
	for line := range strings.Lines(string(b)) {
		// sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid
		// timeout inode
		if f := strings.Fields(line); len(f) > 9 && strings.HasSuffix(f[1], suffix) && f[3] == tcpListen {
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
