package proactor

// Processes: programs that run as children.
//
//   - Spawn owns Files from the call on. It closes them when the child has its copies, or
//     will not have any.
//   - done is called exactly once, by a later Poll, however the attempt ends. What lacks
//     is an error that os.ErrNotExist or a system's number tells.
//   - exited is called exactly once if done got a Process, by a Poll and after done. A
//     pipe of the child's may still bring bytes then: a grandchild may have it too.
//   - One start at the most holds up a Poll, so that many at once do not stall the loop.
//   - The child has the descriptors of Files, and no other that is close-on-exec here.
//   - Nobody but the driver waits for the child, and it does so in any case: one whose
//     start was cancelled, or that goes on after Close of the proactor, leaves no zombie.
//     Close kills only children that done was not told of.

import (
	"os"
	"syscall"
)

// Spawner starts programs.
type Spawner interface {
	// Spawn starts a program. After cancel, which is idempotent and does nothing once
	// done was called, done gets context.Canceled, and a child that has started is
	// killed.
	Spawn(opt SpawnOptions, done func(Process, error), exited func(ExitStatus)) (cancel func())
}

// SpawnOptions says what to start. No string has a NUL byte.
type SpawnOptions struct {
	// Path is the file of the program. One that is not absolute has a slash, and begins
	// where the child begins.
	Path       string
	Args       []string   // Args[0] is the name that the program sees; there is one
	Env        []string   // all of it
	Dir        string     // where the child begins; "": where this process is
	Files      []*os.File // the child's descriptors 0, 1, 2, ...; none is nil
	NewSession bool       // the child leads a session, and a group, of its own
}

// ExitStatus is how a child has ended.
type ExitStatus struct {
	Code int   // -N: by signal N
	Err  error // why Code is not known: somebody else has waited for the child
}

// Process is a child.
type Process interface {
	PID() int
	// Kill sends sig; 0 only asks. The error is os.ErrProcessDone if the child has ended
	// and its driver knows. No other process that has got the number is ever meant.
	Kill(sig syscall.Signal) error
}
