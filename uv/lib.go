//go:build cgo

package uv

// Libraries that are loaded while the program runs.

import (
	"strings"
	"sync"
	"unsafe"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// Lib is a shared library, uv_lib_t. Its methods are for any goroutine.
type Lib struct {
	mu sync.Mutex
	b  *cbridge.Lib // nil: closed
}

// loaderError is an error of which the system's loader tells a text and no number.
type loaderError struct {
	text string
	err  *Error
}

func (e *loaderError) Error() string { return e.text }

func (e *loaderError) Unwrap() error { return e.err }

func loaderFailed(op, what, text string, code int) error {
	if text == "" {
		return &Error{Op: op, Addr: what, Errno: Errno(code)}
	}
	return &loaderError{text, &Error{Op: op, Addr: what, Errno: UNKNOWN}}
}

// OpenLib loads a library; uv_dlopen. A path without a slash is looked for where the
// system's loader looks, and "" is the program itself. The error's text is the loader's.
// It is EINVAL for a path with a NUL byte, which is not loaded.
func OpenLib(path string) (*Lib, error) {
	if strings.ContainsRune(path, 0) {
		return nil, &Error{Op: "dlopen", Addr: path, Errno: EINVAL}
	}
	b, text, code := cbridge.OpenLib(path)
	if code != 0 {
		return nil, loaderFailed("dlopen", path, text, code)
	}
	return &Lib{b: b}, nil
}

// Sym is the address of what the library calls name, which is valid until Close;
// uv_dlsym. The error's text is the loader's. It is EINVAL for a name with a NUL byte,
// and ErrClosed after Close.
func (b *Lib) Sym(name string) (unsafe.Pointer, error) {
	if strings.ContainsRune(name, 0) {
		return nil, &Error{Op: "dlsym", Addr: name, Errno: EINVAL}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b == nil {
		return nil, ErrClosed
	}
	p, text, code := b.b.Sym(name)
	if code != 0 {
		return nil, loaderFailed("dlsym", name, text, code)
	}
	return p, nil
}

// Close releases the library; uv_dlclose. It is idempotent.
func (b *Lib) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.b != nil {
		b.b.Close()
		b.b = nil
	}
}
