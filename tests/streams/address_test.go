//go:build linux

package streams_test

// Odd addresses: every driver makes the same of them, and says so.

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// oddAddress is an address and what comes of it. wantErr nil: it is fit.
type oddAddress struct {
	name, network, address string
	wantErr                error
	says                   string // in the error; or the address of the server
}

func oddAddresses(dir string) []oddAddress {
	long := filepath.Join(dir, strings.Repeat("x", 108-len(dir)-1)) // 108 bytes with the path
	unique := "@asyncio-odd-" + filepath.Base(filepath.Dir(dir)) + filepath.Base(dir)
	return []oddAddress{
		{name: "NUL in a path", network: "unix", address: dir + "/s\x00evil", wantErr: syscall.EINVAL, says: "NUL"},
		{name: "empty path", network: "unix", address: "", wantErr: syscall.EINVAL, says: "empty"},
		{name: "NUL in an abstract name", network: "unix", address: unique + "\x00more", wantErr: syscall.EINVAL, says: "NUL"},
		{name: "abstract name without a name", network: "unix", address: "@", wantErr: syscall.EINVAL, says: "abstract"},
		{name: "abstract name", network: "unix", address: unique, says: unique},
		{name: "long abstract name", network: "unix", address: "@" + strings.Repeat("n", 107), says: "nnn"},
		{name: "too long an abstract name", network: "unix", address: "@" + strings.Repeat("n", 108), wantErr: syscall.ENAMETOOLONG, says: "109 bytes"},
		{name: "path of 107 bytes", network: "unix", address: long[:107], says: long[:107]},
		{name: "too long a path", network: "unix", address: long, wantErr: syscall.ENAMETOOLONG, says: "108 bytes"},
		{name: "missing directory", network: "unix", address: dir + "/no/such/s", wantErr: fs.ErrNotExist, says: "no/such/s"},
		{name: "zone of no interface", network: "tcp", address: "[::1%nosuchif0]:0", wantErr: nil, says: "nosuchif0"},
		{name: "NUL in a host", network: "tcp", address: "localhost\x00evil:0", wantErr: syscall.EINVAL, says: "NUL"},
		{name: "NUL in a service", network: "tcp", address: "127.0.0.1:8\x000", wantErr: syscall.EINVAL, says: "NUL"},
		{name: "no port", network: "tcp", address: "127.0.0.1", says: "missing port"},
		{name: "port out of range", network: "tcp", address: "127.0.0.1:65536", says: "65536"},
		{name: "unknown network", network: "udp", address: "127.0.0.1:0", says: "udp"},
		{name: "IPv6 address for tcp4", network: "tcp4", address: "[::1]:0", says: "::1"},
	}
}

// fit are the addresses of the table that a server takes.
var fit = map[string]bool{"abstract name": true, "long abstract name": true, "path of 107 bytes": true}

func TestOddAddresses(t *testing.T) {
	texts := make(map[string]map[string]string) // by case and call, then by driver
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		dir := t.TempDir()
		t.Chdir(dir)
		short := "d" // temporary directories have names of different lengths
		require.NoError(t, os.Mkdir(short, 0o700))
		for _, c := range oddAddresses(short) {
			t.Run(c.name, func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				note := func(call string, err error) {
					key := c.name + ", " + call
					if texts[key] == nil {
						texts[key] = make(map[string]string)
					}
					texts[key][l.Driver().String()] = err.Error()
				}
				asynciotest.InTask(t, l, func(ctx context.Context) {
					s, err := l.CreateServer(ctx, testkit.NewEchoes, c.network, c.address)
					if fit[c.name] {
						require.NoError(t, err)
						require.Contains(t, s.Addrs()[0].String(), c.says)
						s.Close()
						return
					}
					require.Error(t, err)
					checkOdd(t, c, err)
					note("serve", err)
					_, _, err = l.CreateConnection(ctx, testkit.NewEchoes, c.network, c.address)
					require.Error(t, err)
					checkOdd(t, c, err)
					note("connect", err)
				})
			})
		}
		entries, err := os.ReadDir(short)
		require.NoError(t, err)
		require.Empty(t, entries, "no file is left, and none under another name")
		entries, err = os.ReadDir(".")
		require.NoError(t, err)
		require.Len(t, entries, 1, "nor is there one called @")
	})
	for key, byDriver := range texts {
		var first string
		for _, text := range byDriver {
			if first == "" {
				first = text
			}
			if !strings.Contains(key, "missing directory") { // which the system tells, each driver in its words
				assert.Equal(t, first, text, key)
			}
		}
	}
}

func checkOdd(t *testing.T, c oddAddress, err error) {
	t.Helper()
	require.ErrorContains(t, err, c.says)
	if c.wantErr != nil {
		require.ErrorIs(t, err, c.wantErr)
	}
}
