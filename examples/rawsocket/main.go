//go:build unix

// Rawsocket shows an echo over sockets that the program makes itself, and a pipe that is
// watched: loop.sock_accept, sock_recv, sock_sendall, sock_connect, add_reader.
//
// Transports and streams do more and are easier. Sockets of one's own are for what they
// do not offer: an option that must be set before bind, a descriptor that a library in C
// has opened, a protocol of the kernel's that package net does not know. The loop waits
// for such descriptors, and never owns them: the program has opened them, makes them
// non-blocking, and closes them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/seed-a026a017/asyncio"
)

func main() {
	_, err := asyncio.Run(asyncio.Do(demo))
	if err != nil {
		fmt.Fprintln(os.Stderr, "rawsocket:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context) error {
	l, err := asyncio.GetRunningLoop(ctx)
	if err != nil {
		return err
	}
	listener, addr, err := listen()
	if err != nil {
		return err
	}
	defer syscall.Close(listener)
	orders, order, err := pipe()
	if err != nil {
		return err
	}
	defer syscall.Close(orders)
	defer syscall.Close(order)

	server := asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error { return serve(ctx, l, listener) }))
	if err := l.AddReader(orders, func() { obey(l, orders, server) }); err != nil {
		return err
	}
	for _, word := range []string{"ping", "a longer message"} {
		if err := talk(ctx, l, addr, word); err != nil {
			return err
		}
	}
	if _, err := syscall.Write(order, []byte("stop")); err != nil {
		return err
	}
	if _, err := server.Await(ctx); !errors.Is(err, asyncio.ErrCancelled) {
		return err
	}
	fmt.Println("the server has stopped")
	return nil
}

// obey is called in every turn in which the pipe can be read. It reads what is there and
// does not wait: the next turn calls it again if there is more.
func obey(l *asyncio.Loop, orders int, server *asyncio.Task[asyncio.None]) {
	buf := make([]byte, 100)
	n, err := syscall.Read(orders, buf)
	if err != nil {
		return // nothing is there after all
	}
	fmt.Printf("the pipe says: %s\n", buf[:n])
	l.RemoveReader(orders)
	server.Cancel()
}

// serve accepts connections and gives each a task.
func serve(ctx context.Context, l *asyncio.Loop, listener int) error {
	return asyncio.WithTaskGroup(ctx, func(ctx context.Context, tg *asyncio.TaskGroup) error {
		for {
			conn, _, err := l.SockAccept(ctx, listener)
			if err != nil {
				return err
			}
			tg.Go(func(ctx context.Context) error {
				defer syscall.Close(conn) // no transport does it
				return echo(ctx, l, conn)
			})
		}
	})
}

func echo(ctx context.Context, l *asyncio.Loop, conn int) error {
	buf := make([]byte, 4)
	for {
		n, err := l.SockRecv(ctx, conn, buf)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = l.SockSendAll(ctx, conn, buf[:n])
		}
		if err != nil {
			return err
		}
	}
}

// talk is a client: it sends a word and reads it back.
func talk(ctx context.Context, l *asyncio.Loop, addr net.Addr, word string) error {
	conn, err := newSocket()
	if err != nil {
		return err
	}
	defer syscall.Close(conn)
	if err := l.SockConnect(ctx, conn, addr); err != nil {
		return err
	}
	if err := l.SockSendAll(ctx, conn, []byte(word)); err != nil {
		return err
	}
	var got []byte
	for buf := make([]byte, 100); len(got) < len(word); {
		n, err := l.SockRecv(ctx, conn, buf)
		if err != nil {
			return err
		}
		got = append(got, buf[:n]...)
	}
	fmt.Printf("sent %q, came back %q\n", word, got)
	return nil
}

// newSocket is a TCP socket as the loop needs it: non-blocking. It does not go on to
// programs that this one starts.
func newSocket() (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, true); err != nil {
		return -1, errors.Join(err, syscall.Close(fd))
	}
	return fd, nil
}

// listen is a socket that listens on a free port of this host.
func listen() (int, net.Addr, error) {
	fd, err := newSocket()
	if err != nil {
		return -1, nil, err
	}
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = syscall.Listen(fd, 16)
	}
	var name syscall.Sockaddr
	if err == nil {
		name, err = syscall.Getsockname(fd)
	}
	if err != nil {
		return -1, nil, errors.Join(err, syscall.Close(fd))
	}
	addr := name.(*syscall.SockaddrInet4)
	return fd, &net.TCPAddr{IP: addr.Addr[:], Port: addr.Port}, nil
}

// pipe is a pipe whose reading end does not block.
func pipe() (read, write int, err error) {
	var ends [2]int
	if err := syscall.Pipe(ends[:]); err != nil {
		return -1, -1, os.NewSyscallError("pipe", err)
	}
	syscall.CloseOnExec(ends[0])
	syscall.CloseOnExec(ends[1])
	if err := syscall.SetNonblock(ends[0], true); err != nil {
		return -1, -1, errors.Join(err, syscall.Close(ends[0]), syscall.Close(ends[1]))
	}
	return ends[0], ends[1], nil
}
