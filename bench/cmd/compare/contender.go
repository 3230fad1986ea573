package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// contender is a program that is measured: a server, which takes the place where it is to
// listen as its last argument but for args, or one that times a loop's operations, which
// takes seconds there.
type contender struct {
	name      string
	command   []string
	args      []string       // after the place or the seconds
	env       []string       // added to the environment
	free      syscall.Signal // makes a server give free memory back and print "freed"
	path      string         // of the Unix socket to listen on; empty: a free port
	datagrams bool           // it receives datagrams: there is nothing to connect to
	loops     int            // how many sockets listen on the port, one for each loop; 0: one
}

// errAbsent is why a contender cannot take part on this machine.
type errAbsent struct{ reason string }

func (e errAbsent) Error() string { return e.reason }

// programs are all that takes part, by what it does.
type programs struct {
	servers, datagrams, files, cores, tls, http, https, loops, benchmarks, twins, system []contender

	tlsClient string // the client of those over TLS
}

// prepare makes every contender ready to start that the settings admit.
func (b builder) prepare(s settings, rep *result.Report) (p programs, err error) {
	if s.wantsWork(result.Cost) {
		benchmarks := []entry{{benchmarksOfRoot, b.benchmarks}}
		if p.benchmarks, err = prepare(benchmarks, nil, s, rep); err != nil {
			return p, err
		}
		if p.loops, err = prepare(b.loops(), []string{result.Asyncio}, s, rep); err != nil {
			return p, err
		}
	}
	if slices.ContainsFunc(streamKinds, s.wantsWork) {
		controls := []string{result.LibuvC}
		if s.wantsWork(result.Beside) && slices.ContainsFunc(goServers, s.wants) {
			controls = append(controls, result.GoNet)
		}
		if p.servers, err = prepare(b.servers(), controls, s, rep); err != nil {
			return p, err
		}
	}
	if slices.ContainsFunc(tlsKinds, s.wantsWork) {
		if p.tlsClient, err = b.goBuild("tlsclient"); err != nil {
			return p, err
		}
	}
	for _, part := range []struct {
		kinds   []result.Kind
		list    *[]contender
		entries func() []entry
		control string
	}{
		{[]result.Kind{result.UDP}, &p.datagrams, b.datagrams, result.LibuvC},
		{[]result.Kind{result.Sendfile}, &p.files, b.files, result.EpollC},
		{[]result.Kind{result.Loops}, &p.cores, b.cores, result.OneLoop},
		{tlsKinds, &p.tls, b.tlsServers, result.GoNet},
		{httpKinds, &p.http, b.httpServers, result.NetHTTP},
		{[]result.Kind{result.HTTPS}, &p.https, b.httpsServers, result.NetHTTP},
		{[]result.Kind{result.Twins}, &p.twins, b.twins, result.LibuvC},
		{[]result.Kind{result.System}, &p.system, b.system, result.Bare},
	} {
		if !slices.ContainsFunc(part.kinds, s.wantsWork) {
			continue
		}
		if *part.list, err = prepare(part.entries(), []string{part.control}, s, rep); err != nil {
			return p, err
		}
	}
	return p, nil
}

// tlsKinds are the works that the servers of TLS do, httpKinds those of HTTP.
var (
	tlsKinds  = []result.Kind{result.TLS, result.Shake, result.Idle}
	httpKinds = []result.Kind{result.HTTP, result.Idle}
)

// streamKinds are the works that the servers of streams do.
var streamKinds = []result.Kind{result.Echo, result.Pipeline, result.Open, result.Steady, result.Beside, result.Unix, result.Accept, result.Idle}

// benchmarksOfRoot are the benchmarks of package asyncio, in a test binary.
const benchmarksOfRoot = "asyncio-benchmarks"

func (b builder) benchmarks() (contender, error) {
	out := filepath.Join(b.out, "root.test")
	return contender{command: []string{out}}, b.once(out, "go", "test", "-c", "-o", out, "github.com/seed-a026a017/asyncio")
}

// maker makes a contender ready to start.
type maker func() (contender, error)

// entry is a contender that may be prepared.
type entry struct {
	name string
	make maker
}

// pureGo makes asyncio run without libuv.
func pureGo(m maker) maker { return with("ASYNCIO_DRIVER=purego", m) }

// with adds a variable to the environment.
func with(variable string, m maker) maker {
	return func() (contender, error) {
		c, err := m()
		c.env = append(c.env, variable)
		return c, err
	}
}

// onLoops is a contender with a number of loops, each with a listening socket.
func onLoops(n int, m maker) maker {
	return func() (contender, error) {
		c, err := m()
		c.loops = n
		c.env = append(c.env, fmt.Sprintf("GOMAXPROCS=%d", coresProcs))
		return c, err
	}
}

// servers are the contenders of all works with streams, the control first.
func (b builder) servers() []entry {
	const python = "servers/echo_asyncio.py"
	return []entry{
		{result.LibuvC, b.libuv("servers/echo_libuv.c")},
		{result.LibuvC256, b.libuv("servers/echo_libuv.c", "256")},
		{result.EpollC, b.libuv("servers/echo_epoll.c")},
		{result.Protocol, b.goProgram("servers/asyncio_protocol")},
		{result.Streams, b.goProgram("servers/asyncio_streams")},
		{result.Buffered, b.goProgram("servers/asyncio_buffered")},
		{result.PureGo, pureGo(b.goProgram("servers/asyncio_protocol"))},
		{result.PureGoStreams, pureGo(b.goProgram("servers/asyncio_streams"))},
		{result.GoNet, b.goProgram("servers/gonet", "stream")},
		{result.Netpoll, b.goProgram("servers/netpoll")},
		{result.Gnet, with("GNET_LOGGING_LEVEL=2", b.goProgram("servers/gnet"))},
		{result.Nbio, b.goProgram("servers/nbio")},
		{result.Tokio, b.tokio("stream")},
		{result.Asio, b.asio("servers/echo_asio.cpp")},
		{result.Uvloop, b.python(python, "uvloop", "protocol")},
		{result.UvloopStreams, b.python(python, "uvloop", "streams")},
		{result.Python, b.python(python, "asyncio", "protocol")},
		{result.NodeNet, b.node("servers/echo_node.js", "stream")},
	}
}

// datagrams are the contenders of UDP.
func (b builder) datagrams() []entry {
	list := []entry{
		{result.LibuvC, b.libuv("servers/datagram_libuv.c", "recvmmsg")},
		{result.LibuvCPlain, b.libuv("servers/datagram_libuv.c", "plain")},
		{result.Protocol, b.goProgram("servers/asyncio_datagram")},
		{result.PureGo, pureGo(b.goProgram("servers/asyncio_datagram"))},
		{result.GoNet, b.goProgram("servers/gonet", "datagram")},
		{result.Tokio, b.tokio("datagram")},
		{result.Uvloop, b.python("servers/echo_asyncio.py", "uvloop", "datagram")},
		{result.Python, b.python("servers/echo_asyncio.py", "asyncio", "datagram")},
		{result.NodeNet, b.node("servers/echo_node.js", "datagram")},
	}
	for i, e := range list {
		list[i].make = func() (contender, error) {
			c, err := e.make()
			c.datagrams = true
			return c, err
		}
	}
	return list
}

// files are the contenders that answer with a file.
func (b builder) files() []entry {
	name := filepath.Join(b.out, fileName)
	list := []entry{
		{result.EpollC, b.libuv("servers/file_epoll.c", name)},
		{result.Streams, b.goProgram("servers/asyncio_file", name)},
		{result.PureGoStreams, pureGo(b.goProgram("servers/asyncio_file", name))},
		{result.GoNet, b.goProgram("servers/gonet", "file", name)},
		{result.Tokio, b.tokio("file", name)},
		{result.Python, b.python("servers/echo_asyncio.py", "asyncio", "file", name)},
		{result.NodeNet, b.node("servers/echo_node.js", "file", name)},
	}
	for i, e := range list {
		list[i].make = func() (contender, error) {
			if err := b.writeFile(); err != nil {
				return contender{}, err
			}
			return e.make()
		}
	}
	return list
}

// cores are the contenders that may use two processors, the control first.
func (b builder) cores() []entry {
	return []entry{
		{result.OneLoop, onLoops(1, b.goProgram("servers/asyncio_loops", "1"))},
		{result.TwoLoops, onLoops(2, b.goProgram("servers/asyncio_loops", "2"))},
		{result.LibuvC, onLoops(1, b.libuv("servers/echo_libuv.c", "64", "1"))},
		{result.LibuvCLoops, onLoops(2, b.libuv("servers/echo_libuv.c", "64", "2"))},
		{result.GoNet, onLoops(0, b.goProgram("servers/gonet", "stream"))},
	}
}

// twins are the contenders of what libuv's own benchmarks do, the control first.
func (b builder) twins() []entry {
	return []entry{
		{result.LibuvC, b.libuv("twins/c")},
		{result.UV, b.goProgram("twins/uv")},
	}
}

// system are the contenders that start children and read files, the control first.
func (b builder) system() []entry {
	return []entry{
		{result.Bare, b.goProgram("system/bare")},
		{result.Asyncio, b.goProgram("system/asyncio")},
		{result.PureGo, pureGo(b.goProgram("system/asyncio"))},
		{result.UvloopLoop, b.python("system/system.py", "uvloop")},
		{result.PythonLoop, b.python("system/system.py", "asyncio")},
		{result.Node, b.node("system/system.js")},
	}
}

// loops are the contenders of the operations that most loops have, the control first, and
// plain Go without a loop.
func (b builder) loops() []entry {
	return []entry{
		{result.Asyncio, b.goProgram("loops/asyncio")},
		{result.Bare, b.goProgram("loops/bare")},
		{result.PureGo, pureGo(b.goProgram("loops/asyncio"))},
		{result.Goja, b.goProgram("loops/goja")},
		{result.Tokio, b.cargo("loops/tokio")},
		{result.Asio, b.asio("loops/asio.cpp")},
		{result.UvloopLoop, b.python("loops/loops.py", "uvloop")},
		{result.PythonLoop, b.python("loops/loops.py", "asyncio")},
		{result.Node, b.node("loops/loops.js", "loop")},
		{result.NodeMicrotasks, b.node("loops/loops.js", "microtasks")},
	}
}

// prepare makes every contender that ONLY admits ready to start. If there is any, the
// controls take part as well.
func prepare(entries []entry, controls []string, s settings, rep *result.Report) ([]contender, error) {
	if !slices.ContainsFunc(entries, func(e entry) bool { return s.wants(e.name) }) {
		return nil, nil
	}
	var ready []contender
	for _, e := range entries {
		control := slices.Contains(controls, e.name)
		if !control && !s.wants(e.name) {
			continue
		}
		c, err := e.make()
		if absent := (errAbsent{}); errors.As(err, &absent) {
			rep.Absent = append(rep.Absent, result.Absent{Name: e.name, Reason: absent.reason})
			continue
		}
		if err != nil && control {
			return nil, fmt.Errorf("the control %s cannot be built: %w", e.name, err)
		}
		if err != nil {
			rep.Failed = append(rep.Failed, result.Failed{Name: e.name, Work: "build", Error: err.Error()})
			continue
		}
		c.name = e.name
		if c.free == 0 {
			c.free = syscall.SIGUSR1
		}
		ready = append(ready, c)
	}
	return ready, nil
}

// environ is the environment that the contender runs in.
func (c contender) environ() []string { return append(os.Environ(), c.env...) }

// pinned is the command line that runs argv on the given processors only.
func pinned(cpus string, argv []string) []string {
	if cpus == "" {
		return argv
	}
	return append([]string{"taskset", "-c", cpus}, argv...)
}
