// Command tlsclient is a load client for echo servers over TLS:
//
//	tlsclient [-s SIZE] [-c CONNECTIONS] [-t SECONDS] [-w WARMUP] [-p PID] [-x] HOST PORT
//
// It is a closed loop: every connection sends SIZE bytes, waits for the same bytes to come
// back, and sends again. With -x each request takes a fresh connection with a whole
// handshake, without a session to resume; its request begins with the call to connect.
// Counting begins after WARMUP seconds and lasts SECONDS. The result is one line of JSON
// on stdout, as the client in C prints it. The CPU seconds are those of the process PID.
package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/cputime"
)

// stall is how long one request may take.
const stall = 5 * time.Second

// client is what all connections share.
type client struct {
	address string
	size    int
	fresh   bool
	config  *tls.Config
	counts  atomic.Bool // requests are being counted
	ends    atomic.Bool // no more requests begin
}

// tally is what one connection has counted: how long each request took.
type tally []time.Duration

func main() {
	log.SetFlags(0)
	log.SetPrefix("tlsclient: ")
	var c client
	flag.IntVar(&c.size, "s", 1024, "bytes of a request")
	flag.BoolVar(&c.fresh, "x", false, "a fresh connection for each request")
	connections := flag.Int("c", 10, "connections")
	seconds := flag.Float64("t", 1, "seconds of counting")
	warmup := flag.Float64("w", 0.2, "seconds before")
	pid := flag.Int("p", os.Getpid(), "process of the server")
	flag.Int("d", 1, "requests in flight on a connection: always 1")
	flag.Parse()
	if flag.NArg() != 2 {
		log.Fatal("usage: tlsclient [-s SIZE] [-c CONNECTIONS] [-t SECONDS] [-w WARMUP] [-p PID] [-x] HOST PORT")
	}
	c.address = net.JoinHostPort(flag.Arg(0), flag.Arg(1))
	c.config = &tls.Config{InsecureSkipVerify: true} // what the client spends is not measured, and who the server is is known
	if err := c.run(*connections, duration(*seconds), duration(*warmup), *pid); err != nil {
		log.Fatal(err)
	}
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func (c *client) run(connections int, counted, warmup time.Duration, pid int) error {
	type end struct {
		tally tally
		err   error
	}
	ends := make(chan end)
	for range connections {
		go func() {
			t, err := c.work()
			ends <- end{t, err}
		}()
	}
	time.Sleep(warmup)
	begin, cpu, err := meters(pid)
	if err != nil {
		return err
	}
	c.counts.Store(true)
	time.Sleep(counted)
	c.counts.Store(false)
	finish, cpuEnd, err := meters(pid)
	if err != nil {
		return err
	}
	c.ends.Store(true)
	var all tally
	var failed error
	for range connections {
		e := <-ends
		all, failed = append(all, e.tally...), errors.Join(failed, e.err)
	}
	if failed != nil {
		return failed
	}
	return all.print(finish.Sub(begin), cpuEnd-cpu)
}

// meters are what is read at both ends of the interval.
func meters(pid int) (time.Time, time.Duration, error) {
	cpu, err := cputime.Of(pid)
	return time.Now(), cpu, err
}

// work is the requests of one connection, or of one after the other.
func (c *client) work() (tally, error) {
	var t tally
	request, answer := bytes.Repeat([]byte("tls echo"), c.size/8+1)[:c.size], make([]byte, c.size)
	var conn *tls.Conn
	for !c.ends.Load() {
		start := time.Now()
		if conn == nil {
			var err error
			if conn, err = tls.Dial("tcp", c.address, c.config); err != nil {
				return nil, err
			}
		}
		if err := exchange(conn, request, answer); err != nil {
			return nil, err
		}
		if c.counts.Load() {
			t = append(t, time.Since(start))
		}
		if c.fresh {
			conn.Close()
			conn = nil
		}
	}
	if conn != nil {
		conn.Close()
	}
	return t, nil
}

// exchange is one request and its answer.
func exchange(conn net.Conn, request, answer []byte) error {
	if err := conn.SetDeadline(time.Now().Add(stall)); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if !bytes.Equal(request, answer) {
		return errors.New("what came back is not what was sent")
	}
	return nil
}

// print writes the line of JSON.
func (t tally) print(took, cpu time.Duration) error {
	if len(t) == 0 {
		return errors.New("no request was answered")
	}
	slices.Sort(t)
	us := func(p float64) float64 { return float64(t[int(p*float64(len(t)-1))]) / 1e3 }
	line, err := json.Marshal(map[string]float64{
		"requests": float64(len(t)), "seconds": took.Seconds(), "rate": float64(len(t)) / took.Seconds(),
		"p50_us": us(0.5), "p99_us": us(0.99), "p999_us": us(0.999), "max_us": us(1), "server_cpu": cpu.Seconds(),
	})
	if err == nil {
		_, err = fmt.Println(string(line))
	}
	return err
}
