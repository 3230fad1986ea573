//go:build cgo

package uv

// libuv's pool of threads, which all loops of the process share. It is started by the
// first request that needs it, with all signals blocked, and no Go code runs on it.

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed-a026a017/asyncio/cbridge"
)

const (
	poolSizeDefault = 4
	poolSizeMax     = 1024
)

var pool struct {
	started atomic.Bool
	mu      sync.Mutex
	size    int  // that SetThreadPoolSize has set, or the pool was started with; 0: none yet
	used    bool // size stays: there are threads, or goroutines in their place
}

// SetThreadPoolSize sets how many threads libuv's pool will have, 1 to 1024, in place of
// UV_THREADPOOL_SIZE. The error is EINVAL for another number, and EBUSY once a request
// has used the pool. Any goroutine.
func SetThreadPoolSize(n int) error {
	if n < 1 || n > poolSizeMax {
		return &Error{Op: "set the thread pool's size", Errno: EINVAL}
	}
	pool.mu.Lock()
	defer pool.mu.Unlock()
	if pool.used {
		return &Error{Op: "set the thread pool's size", Errno: EBUSY}
	}
	pool.size = n
	return nil
}

// ThreadPoolSize is how many threads libuv's pool has or will have: by SetThreadPoolSize,
// UV_THREADPOOL_SIZE, or 4. Any goroutine.
func ThreadPoolSize() int {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	return poolSize()
}

// poolSize reads the environment as libuv does: what is no number is 0, which is 1.
func poolSize() int {
	if pool.size != 0 {
		return pool.size
	}
	text, set := os.LookupEnv("UV_THREADPOOL_SIZE")
	if !set {
		return poolSizeDefault
	}
	text = strings.TrimLeft(text, " \t\n\v\f\r")
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || end == 0 && strings.ContainsRune("+-", rune(text[0]))) {
		end++
	}
	n, err := strconv.Atoi(text[:end])
	if n < 0 || n > poolSizeMax || err != nil && end > 1 { // libuv takes a negative number for a large one
		return poolSizeMax
	}
	return max(1, n)
}

// startPool starts the pool, once. The error is EAGAIN if the system has not so many
// threads, and then the next call tries again.
func startPool(op string) error {
	if pool.started.Load() {
		return nil
	}
	pool.mu.Lock()
	defer pool.mu.Unlock()
	n := poolSize()
	if code := cbridge.PoolStart(n); code != 0 {
		return &Error{Op: op + ": start the thread pool", Errno: Errno(code)}
	}
	pool.size, pool.used = n, true
	pool.started.Store(true)
	return nil
}

// useThreads is for work that has goroutines in place of the pool's threads: how many.
func useThreads() int {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	pool.size, pool.used = poolSize(), true
	return pool.size
}
