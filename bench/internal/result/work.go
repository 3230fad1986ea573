package result

import (
	"fmt"
	"strings"
)

// Kind groups works whose figures can stand in one table.
type Kind string

// The kinds of work.
const (
	Echo     Kind = "echo"     // closed loop: every connection sends, waits for the answer, and sends again
	Pipeline Kind = "pipeline" // small messages, Depth of them in flight on every connection
	Open     Kind = "open"     // requests at a fixed rate, however late the answers are
	Steady   Kind = "steady"   // requests at Rate, the same for all
	Beside   Kind = "beside"   // echo beside Busy goroutines that only compute
	UDP      Kind = "udp"      // closed loop of datagrams, Connections are sockets of the client
	Unix     Kind = "unix"     // closed loop over a Unix socket
	Accept   Kind = "accept"   // a fresh connection for each request, Connections of them at a time
	Sendfile Kind = "sendfile" // downloads of Bytes
	Loops    Kind = "loops"    // closed loop, on processors that client and server share
	TLS      Kind = "tls"      // closed loop over TLS
	Shake    Kind = "shake"    // a fresh TLS connection for each request, Connections of them at a time
	HTTP     Kind = "http"     // closed loop of requests for the answer called Name
	HTTPS    Kind = "https"    // the same over TLS
	Idle     Kind = "idle"     // connections that do nothing; of kind Name, or plain ones
	Cost     Kind = "cost"     // an operation of the loop itself, called Name
	System   Kind = "system"   // a child or a file, called Name
	Twins    Kind = "twins"    // what one of libuv's own benchmarks does, called Name
)

// Names of the contenders, the same in every kind of work.
const (
	LibuvC         = "libuv-c" // the control of most works with connections, and of kind Twins
	LibuvC256      = "libuv-c-256k"
	LibuvCPlain    = "libuv-c-plain"   // kind UDP: a system call for each datagram
	LibuvCLoops    = "libuv-c-2-loops" // kind Loops
	EpollC         = "epoll-c"         // no library: the line of the limit; the control of kind Sendfile
	Protocol       = "asyncio-protocol"
	Streams        = "asyncio-streams"
	Buffered       = "asyncio-buffered" // a BufferedProtocol
	OneLoop        = "asyncio-1-loop"   // the control of kind Loops
	TwoLoops       = "asyncio-2-loops"
	PureGo         = "asyncio-purego"
	PureGoStreams  = "asyncio-purego-streams"
	UV             = "uv"      // package uv, kind Twins
	Asyncio        = "asyncio" // where callbacks or streams make no difference: kind Cost
	GoNet          = "go-net"  // the control of TLS
	Netpoll        = "netpoll"
	Gnet           = "gnet"
	Nbio           = "nbio"
	Tokio          = "tokio"
	Asio           = "asio"
	Goja           = "goja"
	HTTPTasks      = "asyncio-http" // asynchttp.Server
	HTTPPureGo     = "asyncio-http-purego"
	HTTPListen     = "asyncio-listen" // http.Server on connections of the loop
	NetHTTP        = "net-http"       // the control of kinds HTTP and HTTPS, and of HTTP's idle connections
	FastHTTP       = "fasthttp"
	NodeHTTP       = "node-http"
	Bare           = "go-bare" // the nearest thing without a loop, the control of kinds Cost and System: goroutines, channels, iter.Pull
	Uvloop         = "uvloop-protocol"
	UvloopStreams  = "uvloop-streams"
	UvloopLoop     = "uvloop"
	Python         = "python-protocol"
	PythonLoop     = "python"
	NodeNet        = "node-net"
	Node           = "node"
	NodeMicrotasks = "node-microtasks"
)

// Work is what is done in a row. What a kind does not have is zero.
type Work struct {
	Kind        Kind    `json:"kind"`
	Name        string  `json:"name,omitempty"`        // kinds Cost, System and Twins: the operation; HTTP: the answer; Idle: what is spoken
	Bytes       int     `json:"bytes,omitempty"`       // of a message
	Connections int     `json:"connections,omitempty"` //
	Depth       int     `json:"depth,omitempty"`       // kind Pipeline: messages in flight on a connection
	Load        float64 `json:"load,omitempty"`        // kind Open: share of the greatest rate, 0.7 for 70 %
	Rate        float64 `json:"rate,omitempty"`        // kind Steady: requests per second
	Busy        int     `json:"busy,omitempty"`        // kind Beside: goroutines that only compute
	Procs       int     `json:"procs,omitempty"`       // GOMAXPROCS, where it is set
}

// String names the work in tables, for instance "echo 1 KiB, 10 connections".
func (w Work) String() string {
	conns := plural(w.Connections, "connection")
	switch w.Kind {
	case Pipeline:
		return fmt.Sprintf("pipeline %d x %s, %s", w.Depth, Size(w.Bytes), conns)
	case Open:
		return fmt.Sprintf("open loop %s, %s, %.0f %% load", Size(w.Bytes), conns, w.Load*100)
	case Steady:
		return fmt.Sprintf("echo %s, %s, %.0f requests/s", Size(w.Bytes), conns, w.Rate)
	case Beside:
		return fmt.Sprintf("echo %s, %s, beside %d busy, GOMAXPROCS %d", Size(w.Bytes), conns, w.Busy, w.Procs)
	case UDP:
		return fmt.Sprintf("UDP echo %s, %s", Size(w.Bytes), plural(w.Connections, "socket"))
	case Unix:
		return fmt.Sprintf("Unix echo %s, %s", Size(w.Bytes), conns)
	case Accept:
		return fmt.Sprintf("connect, echo %s, close, %d at a time", Size(w.Bytes), w.Connections)
	case Loops:
		return fmt.Sprintf("echo %s, %s, on loops, GOMAXPROCS %d", Size(w.Bytes), conns, w.Procs)
	case TLS:
		return fmt.Sprintf("TLS echo %s, %s", Size(w.Bytes), conns)
	case Shake:
		return fmt.Sprintf("TLS handshake, echo %s, close, %d at a time", Size(w.Bytes), w.Connections)
	case HTTP:
		return fmt.Sprintf("HTTP %s, %s", w.Name, conns)
	case HTTPS:
		return fmt.Sprintf("HTTPS %s, %s", w.Name, conns)
	case Idle:
		return strings.Join(strings.Fields(fmt.Sprintf("%d idle %s connections", w.Connections, w.Name)), " ")
	case Cost, System, Twins:
		return w.Name
	default:
		return fmt.Sprintf("%s %s, %s", w.Kind, Size(w.Bytes), conns)
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Size writes a number of bytes.
func Size(bytes int) string {
	if bytes >= 1<<20 && bytes%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	if bytes >= 1<<10 && bytes%(1<<10) == 0 {
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d B", bytes)
}

// Metric names a figure and its unit.
type Metric string

// The metrics. All but Rate, Offered and Capacity are better when they are less.
const (
	Requests Metric = "requests" // how many were counted
	Seconds  Metric = "seconds"  // in how long
	Rate     Metric = "rate"     // requests per second
	Offered  Metric = "offered"  // requests per second that the client wanted, kinds Open and Steady
	CPU      Metric = "cpu_us"   // of the server, microseconds per request
	P50      Metric = "p50_us"   // latencies
	P99      Metric = "p99_us"
	P999     Metric = "p999_us"
	Busy     Metric = "busy"     // share of one processor that the server used
	Resent   Metric = "resent"   // kind UDP: datagrams that were not answered in time, if there were any
	Capacity Metric = "capacity" // kind Loops: requests per second, had every loop a processor and its share of the connections

	Bytes      Metric = "bytes"       // resident, per idle connection
	BytesFreed Metric = "bytes_freed" // the same after the server gave its free memory back
	Wakeups    Metric = "wakeups"     // context switches per second
	IdleCPU    Metric = "cpu"         // share of one processor, kind Idle

	NS     Metric = "ns"     // nanoseconds per operation, kinds Cost, System and Twins
	Allocs Metric = "allocs" // allocations per operation
)
