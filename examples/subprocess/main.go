// Subprocess shows a pipeline of three programs that holds back whoever is too fast:
// create_subprocess_exec, Process.stdin and stdout, StreamWriter.drain, wait.
//
// It is the shell's
//
//	seq 300000 | grep 7 | (sleep 1; wc -l)
//
// but what goes from one program to the next comes through this one. Between each two a
// task reads a piece, writes it, and drains: while the next program does not take what
// was written, the task does not read, so the kernel's pipes fill up and hold the program
// before it back. The last one sleeps before it reads, so all of them wait for it, and
// this program keeps little of the two megabytes that pass. The end of an output is
// passed on by closing the next input.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seed-a026a017/asyncio"
)

// pieceBytesMax is how much is read at a time, and keptBytesMax what this program should
// keep at the most: for each task a piece, what a reader has read ahead, and what is
// written and not taken.
const (
	pieceBytesMax = 32 << 10
	keptBytesMax  = 1 << 20
)

func main() {
	if _, err := asyncio.Run(asyncio.Do(pipeline)); err != nil {
		fmt.Fprintln(os.Stderr, "subprocess:", err)
		os.Exit(1)
	}
}

// pipeline runs the three programs.
func pipeline(ctx context.Context) error {
	pipe := asyncio.Stdio{Kind: asyncio.Pipe}
	seq, err := asyncio.CreateSubprocess(ctx, asyncio.ProcessOptions{Args: []string{"seq", "300000"}, Stdout: pipe})
	if err != nil {
		return err
	}
	grep, err := asyncio.CreateSubprocess(ctx, asyncio.ProcessOptions{Args: []string{"grep", "7"}, Stdin: pipe, Stdout: pipe})
	if err != nil {
		return err
	}
	wc, err := asyncio.CreateSubprocess(ctx, asyncio.ProcessOptions{Shell: "sleep 1; wc -l", Stdin: pipe, Stdout: pipe})
	if err != nil {
		return err
	}

	p := &pump{}
	if p.loop, err = asyncio.GetRunningLoop(ctx); err != nil {
		return err
	}
	_, _, count, err := asyncio.Gather3(ctx,
		asyncio.Do(func(ctx context.Context) error { return p.copy(ctx, grep.Stdin, seq.Stdout) }),
		asyncio.Do(func(ctx context.Context) error { return p.copy(ctx, wc.Stdin, grep.Stdout) }),
		asyncio.Coro[[]byte](wc.Stdout.ReadAll))
	if err != nil {
		return err
	}
	fmt.Printf("lines with a 7: %s\n", strings.TrimSpace(string(count)))
	fmt.Printf("bytes that passed: %d\n", p.passed)
	if p.kept > keptBytesMax {
		return fmt.Errorf("%d bytes were kept: the programs are not held back", p.kept)
	}
	fmt.Println("little of them was kept here")
	for _, program := range []*asyncio.Process{seq, grep, wc} {
		code, err := program.Wait(ctx)
		if err != nil {
			return err
		}
		fmt.Println("a program has ended with", code)
	}
	return nil
}

// pump is what the tasks that copy have in common.
type pump struct {
	loop   *asyncio.Loop
	passed int
	kept   int // at the most, as far as was seen
}

// copy writes all that comes from src to dst, and then closes dst.
func (p *pump) copy(ctx context.Context, dst *asyncio.StreamWriter, src *asyncio.StreamReader) error {
	defer dst.Close()
	piece := make([]byte, pieceBytesMax)
	for {
		n, err := src.Read(ctx, piece)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := dst.Write(piece[:n]); err != nil {
			return err
		}
		p.passed += n
		read, written := p.loop.Buffered()
		p.kept = max(p.kept, read+written)
		if err := dst.Drain(ctx); err != nil {
			return err
		}
	}
}
