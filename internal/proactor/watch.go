package proactor

// Watching: descriptors of the program's.
//
//   - A Watch is paused, or wants to hear of one direction or both: Want says which. It
//     begins paused. What it wants it hears of from the next Poll on.
//   - Level-triggered: the handler hears again in every Poll while the descriptor stays
//     ready and that is wanted. Another handler of the same Poll may have used up before
//     what this one hears of.
//   - An end or an error makes both directions ready: reading or writing tells it.
//   - The driver watches a duplicate, which it owns. So the program may close its
//     descriptor when it likes, and the number may come back as that of another file: the
//     Watch goes on with the old one until its Close. Several Watches of one file do not
//     know of each other, nor does a Stream that has it.
//   - After Close, and after a pause, nothing of the Watch is registered anywhere, and
//     nothing more is heard.
//   - The descriptor's blocking mode stays as it is, a short moment in Watch aside.

// Watcher watches descriptors.
type Watcher interface {
	// Watch makes a paused Watch of fd's file. The errors are EBADF, EPERM for a file
	// that is always ready, such as a regular one, those of a lack of resources, and
	// errors.ErrUnsupported where the system cannot do it.
	Watch(fd int, h WatchHandler) (Watch, error)
	// Owns reports whether fd is the descriptor of a stream, a listener or a datagram
	// socket of this driver that is not closed. It takes as long with many of them as
	// with few.
	Owns(fd int) bool
}

// Watch is a watched descriptor.
type Watch interface {
	// Want says what the handler is to hear of. With an error, a lack of resources, the
	// Watch is paused.
	Want(readable, writable bool) error
	// FD is the duplicate, borrowed; -1 after Close.
	FD() int
	// Close ends the Watch at once. Idempotent.
	Close()
}

// WatchHandler hears of a Watch.
type WatchHandler interface {
	// Ready tells that the descriptor is ready, in at least one of the directions that
	// are wanted.
	Ready(readable, writable bool)
}
