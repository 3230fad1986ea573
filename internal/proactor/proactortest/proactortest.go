// Package proactortest is the conformance suite of proactor drivers: whoever passes Run
// may carry a loop.
//
// A driver's test file has two lines of its own:
//
//	func TestMain(m *testing.M)         { os.Exit(proactortest.Main(m, New)) }
//	func TestConformance(t *testing.T)  { proactortest.Run(t, New) }
//
// The tests stand where a loop stands: they call Poll and own the goroutine it runs on.
// The other side of each connection is package net on an ordinary goroutine. Every
// handler checks the rules that always hold (see recorder), and every case ends with a
// check that the driver has left neither goroutine nor descriptor.
package proactortest

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// New makes the driver under test.
type New = func() (proactor.Proactor, error)

// group is one part of the suite.
type group struct {
	name  string
	cases []testCase
}

// testCase is one promise of the seam. An eachLink case runs once for every kind of
// connection, an eachWire case for every kind of endpoint of datagrams.
type testCase struct {
	name     string
	run      func(r *rig)
	eachLink func(r *rig, l link)
	eachWire func(r *rig, w wire)
}

// Run tests every rule of package proactor.
func Run(t *testing.T, newProactor New) {
	require.NoError(t, warmUp(newProactor))
	for _, g := range []group{
		{"Poll", pollCases},
		{"Listen", listenCases},
		{"ListenOn", listenOnCases},
		{"Connect", connectCases},
		{"Adopt", adoptCases},
		{"Read", readCases},
		{"Pull", pullCases},
		{"Write", writeCases},
		{"Close", closeCases},
		{"Traffic", trafficCases},
		{"Watch", watchCases},
		{"Datagram", datagramCases},
		{"Datagram's edges", datagramEdgeCases},
		{"Process", processCases},
		{"Pipe", pipeCases},
		{"Signal", signalCases},
		{"Work", workCases},
		{"Resolve", resolveCases},
		{"File", fileCases},
		{"WatchDir", watchDirCases},
	} {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) { c.test(t, newProactor) })
			}
		})
	}
}

func (c testCase) test(t *testing.T, newProactor New) {
	if c.run != nil {
		c.run(newRig(t, newProactor))
		return
	}
	if c.eachWire != nil {
		for _, w := range wires {
			t.Run(w.String(), func(t *testing.T) { c.eachWire(newRig(t, newProactor), w) })
		}
		return
	}
	for _, l := range links {
		t.Run(l.String(), func(t *testing.T) { c.eachLink(newRig(t, newProactor), l) })
	}
}

// Main is a driver's TestMain: it runs the tests and then looks for goroutines and
// descriptors that they have left.
func Main(m *testing.M, newProactor New) int {
	if err := warmUp(newProactor); err != nil {
		fmt.Fprintln(os.Stderr, "proactortest:", err)
		return 1
	}
	before := openDescriptors()
	code := m.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "proactortest:", err)
		return 1
	}
	if after := openDescriptors(); len(after) > len(before) {
		fmt.Fprintf(os.Stderr, "proactortest: descriptors before the tests: %v, after: %v\n", before, after)
		return 1
	}
	return 0
}

// warmUp opens what a process keeps for good, such as the runtime's poller, so that it is
// no leak of the first test.
func warmUp(newProactor New) error {
	p, err := newProactor()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := ln.Close(); err != nil {
		return err
	}
	if err := p.Poll(0); err != nil {
		return err
	}
	return p.Close()
}
