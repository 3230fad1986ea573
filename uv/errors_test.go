//go:build cgo

package uv_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

func TestErrors(t *testing.T) {
	t.Run("UV-146", func(t *testing.T) { // Go's errors are C's
		all := cbridge.Errnos()
		require.Greater(t, len(all), 80)
		byName := map[string]uv.Errno{}
		for _, e := range all {
			n := uv.Errno(e.Code)
			byName[e.Name] = n
			require.Negative(t, e.Code)
			require.Equal(t, e.Name, n.Name())
			require.Equal(t, e.Text, n.Error())
			require.Equal(t, e.Code > -3000, errors.Is(n, syscall.Errno(-e.Code)), e.Name)
		}
		_, minor, _ := uv.Version()
		for name, n := range constants {
			if since, ok := laterErrors[name]; ok && minor < since {
				require.NotContains(t, byName, name)
				continue
			}
			require.Equal(t, byName[name], n, name)
			delete(byName, name)
		}
		require.Empty(t, byName, "errors without a constant")
	})
	t.Run("the standard library's errors", func(t *testing.T) {
		for target, n := range map[error]uv.Errno{
			fs.ErrNotExist: uv.ENOENT, fs.ErrExist: uv.EEXIST, fs.ErrPermission: uv.EACCES, io.EOF: uv.EOF,
			os.ErrDeadlineExceeded: uv.ETIMEDOUT, context.Canceled: uv.ECANCELED, syscall.EPIPE: uv.EPIPE,
		} {
			require.ErrorIs(t, &uv.Error{Op: "x", Errno: n}, target)
			require.NotErrorIs(t, &uv.Error{Op: "x", Errno: uv.EXDEV}, target)
		}
		require.ErrorIs(t, uv.ErrClosed, net.ErrClosed)
		require.Equal(t, uv.EPIPE, uv.FromSyscall(syscall.EPIPE))
		var timeout net.Error = &uv.Error{Op: "connect", Errno: uv.ETIMEDOUT}
		require.True(t, timeout.Timeout())
		require.True(t, uv.EMFILE.Temporary())
		require.False(t, uv.EPIPE.Temporary())
		require.Equal(t, "Unknown system error -9999", uv.Errno(-9999).Error())
	})
	t.Run("text", func(t *testing.T) {
		e := &uv.Error{Op: "connect", Kind: uv.TCPHandle, Addr: "127.0.0.1:1", Errno: uv.ECONNREFUSED}
		require.EqualError(t, e, "uv: tcp connect 127.0.0.1:1: connection refused (ECONNREFUSED)")
		require.EqualError(t, &uv.Error{Op: "loop_init", Errno: uv.ENOMEM}, "uv: loop_init: not enough memory (ENOMEM)")
	})
	t.Run("version", func(t *testing.T) {
		major, minor, _ := uv.Version()
		require.Equal(t, 1, major)
		require.GreaterOrEqual(t, minor, 44)
		require.Contains(t, uv.VersionString(), "1.")
	})
}

// laterErrors are told by 1.minor and later.
var laterErrors = map[string]int{"ENODATA": 45, "EUNATCH": 46, "ENOEXEC": 50}

var constants = map[string]uv.Errno{
	"E2BIG": uv.E2BIG, "EACCES": uv.EACCES, "EADDRINUSE": uv.EADDRINUSE, "EADDRNOTAVAIL": uv.EADDRNOTAVAIL,
	"EAFNOSUPPORT": uv.EAFNOSUPPORT, "EAGAIN": uv.EAGAIN, "EAI_ADDRFAMILY": uv.EAI_ADDRFAMILY,
	"EAI_AGAIN": uv.EAI_AGAIN, "EAI_BADFLAGS": uv.EAI_BADFLAGS, "EAI_BADHINTS": uv.EAI_BADHINTS,
	"EAI_CANCELED": uv.EAI_CANCELED, "EAI_FAIL": uv.EAI_FAIL, "EAI_FAMILY": uv.EAI_FAMILY,
	"EAI_MEMORY": uv.EAI_MEMORY, "EAI_NODATA": uv.EAI_NODATA, "EAI_NONAME": uv.EAI_NONAME,
	"EAI_OVERFLOW": uv.EAI_OVERFLOW, "EAI_PROTOCOL": uv.EAI_PROTOCOL, "EAI_SERVICE": uv.EAI_SERVICE,
	"EAI_SOCKTYPE": uv.EAI_SOCKTYPE, "EALREADY": uv.EALREADY, "EBADF": uv.EBADF, "EBUSY": uv.EBUSY,
	"ECANCELED": uv.ECANCELED, "ECHARSET": uv.ECHARSET, "ECONNABORTED": uv.ECONNABORTED,
	"ECONNREFUSED": uv.ECONNREFUSED, "ECONNRESET": uv.ECONNRESET, "EDESTADDRREQ": uv.EDESTADDRREQ,
	"EEXIST": uv.EEXIST, "EFAULT": uv.EFAULT, "EFBIG": uv.EFBIG, "EHOSTUNREACH": uv.EHOSTUNREACH,
	"EINTR": uv.EINTR, "EINVAL": uv.EINVAL, "EIO": uv.EIO, "EISCONN": uv.EISCONN, "EISDIR": uv.EISDIR,
	"ELOOP": uv.ELOOP, "EMFILE": uv.EMFILE, "EMSGSIZE": uv.EMSGSIZE, "ENAMETOOLONG": uv.ENAMETOOLONG,
	"ENETDOWN": uv.ENETDOWN, "ENETUNREACH": uv.ENETUNREACH, "ENFILE": uv.ENFILE, "ENOBUFS": uv.ENOBUFS,
	"ENODEV": uv.ENODEV, "ENOENT": uv.ENOENT, "ENOMEM": uv.ENOMEM, "ENOPROTOOPT": uv.ENOPROTOOPT,
	"ENOSPC": uv.ENOSPC, "ENOSYS": uv.ENOSYS, "ENOTCONN": uv.ENOTCONN, "ENOTDIR": uv.ENOTDIR,
	"ENOTEMPTY": uv.ENOTEMPTY, "ENOTSOCK": uv.ENOTSOCK, "ENOTSUP": uv.ENOTSUP, "EOVERFLOW": uv.EOVERFLOW,
	"EPERM": uv.EPERM, "EPIPE": uv.EPIPE, "EPROTO": uv.EPROTO, "EPROTONOSUPPORT": uv.EPROTONOSUPPORT,
	"EPROTOTYPE": uv.EPROTOTYPE, "ERANGE": uv.ERANGE, "EROFS": uv.EROFS, "ESHUTDOWN": uv.ESHUTDOWN,
	"ESPIPE": uv.ESPIPE, "ESRCH": uv.ESRCH, "ETIMEDOUT": uv.ETIMEDOUT, "ETXTBSY": uv.ETXTBSY, "EXDEV": uv.EXDEV,
	"UNKNOWN": uv.UNKNOWN, "EOF": uv.EOF, "ENXIO": uv.ENXIO, "EMLINK": uv.EMLINK, "EHOSTDOWN": uv.EHOSTDOWN,
	"ENOTTY": uv.ENOTTY, "EFTYPE": uv.EFTYPE, "EILSEQ": uv.EILSEQ, "ESOCKTNOSUPPORT": uv.ESOCKTNOSUPPORT,
	"ENONET": uv.ENONET, "EREMOTEIO": uv.EREMOTEIO, "ENODATA": uv.ENODATA, "EUNATCH": uv.EUNATCH, "ENOEXEC": uv.ENOEXEC,
}
