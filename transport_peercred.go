package asyncio

// PeerCredentials says which process is at the other end of a Unix socket, as the kernel
// knows it: who has connected, to a server; who listened, to a client; who made the
// pair, to an end of a socketpair. So it is the process of that moment: the socket may
// have been handed on since. Process 0 is one that this process cannot see.
type PeerCredentials struct{ PID, UID, GID int }
