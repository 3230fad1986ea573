package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// What is measured beside echoes over TCP connections that stay. All of it is a closed
// loop, and counts the server's CPU time.

const (
	fileBytes  = 100 << 20 // of a download
	coresProcs = 2         // processors that several loops share with the client
)

// networkJob is the job of one such work.
func (m *meter) networkJob(w result.Work, p programs) job {
	switch w.Kind {
	case result.UDP:
		return m.closedJob(w, result.LibuvC, p.datagrams, load{})
	case result.Sendfile:
		return m.closedJob(w, result.EpollC, p.files, load{file: filepath.Join(m.folder, fileName)})
	case result.Loops:
		return m.coresJob(w, p.cores)
	case result.TLS, result.Shake:
		return m.tlsJob(w, p)
	case result.HTTP, result.HTTPS:
		return m.httpJob(w, p)
	case result.Accept:
		return m.closedJob(w, result.LibuvC, whoTakesPart(w, p.servers), load{fresh: true})
	default: // Unix
		contenders := whoTakesPart(w, p.servers)
		for i := range contenders {
			contenders[i].path = filepath.Join(m.folder, "echo.sock")
		}
		return m.closedJob(w, result.LibuvC, contenders, load{})
	}
}

// coresJob is echo by servers that may use two processors. How much they could do on two
// of their own follows from what a request costs: the client needs one of the two here.
func (m *meter) coresJob(w result.Work, cores []contender) job {
	j := m.closedJob(w, result.OneLoop, cores, load{})
	measure := j.measure
	j.measure = func(c contender) ([]measurement, error) {
		list, err := measure(c)
		for _, one := range list {
			one.values[result.Capacity] = float64(c.processors(w)) * 1e6 / one.values[result.CPU]
		}
		return list, err
	}
	return j
}

// processors is how many a contender can use: one for each loop.
func (c contender) processors(w result.Work) int {
	if c.loops > 0 {
		return min(c.loops, w.Procs)
	}
	return w.Procs
}

// bulky is the least message whose bytes cost more than its turns.
const bulky = 10 << 10

// whoTakesPart leaves out of a work who would say nothing new there.
func whoTakesPart(w result.Work, servers []contender) []contender {
	return slices.DeleteFunc(slices.Clone(servers), func(c contender) bool {
		switch c.name {
		case result.Buffered:
			return w.Kind != result.Echo || w.Bytes < bulky
		case result.LibuvC256, result.PureGoStreams:
			return w.Kind == result.Unix || w.Kind == result.Accept
		default:
			return false
		}
	})
}

// fileName is the file of the downloads, in the builder's folder.
const fileName = "download"

// writeFile makes it, once, and leaves it in the page cache with nothing to write back.
func (b builder) writeFile() error {
	name := filepath.Join(b.out, fileName)
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	content := make([]byte, fileBytes)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // never fails
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}
