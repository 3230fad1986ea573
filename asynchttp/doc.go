// Package asynchttp is HTTP inside tasks, with net/http's types: a Server whose handlers
// are tasks of a loop, and a Transport with which an unmodified http.Client awaits.
//
//	connection  -> parses, and starts a task when a request's head is there
//	task        -> http.Handler, with a response and a request body that suspend it
//	wire        -> the bytes of a connection, both ways: what a task waits for
//
// A connection is a Protocol of its own. It has a task only while there is something to
// serve, and memory only while something is buffered, so an idle connection is small, and
// the end of a client is heard of at once, without a second reader.
//
// # Who may call
//
// The ResponseWriter and the Body of a request suspend the task of their handler, so they
// are for that task. In another task or goroutine they return an error that matches
// asyncio.ErrNotCurrentTask, and do nothing.
//
// Handlers of net/http and its kin work: http.FileServer, http.ServeMux,
// http.MaxBytesReader, httputil.ReverseProxy with Transport. Two wait for goroutines of
// their own, and would hold the loop: http.TimeoutHandler, in whose place asyncio.Timeout
// is, and httputil.ReverseProxy where a client upgrades its connection. So does every
// handler that sleeps or waits for a channel, as those of net/http/pprof do. What a
// handler does without suspending, such as reading files for http.FileServer, keeps the
// loop busy meanwhile.
//
// # Parsing
//
// Everything that is unusual in a request is parsed by http.ReadRequest, and what comes
// chunked is read by net/http's reader, so the same requests are refused for the same
// reasons. Only heads with nothing unusual, see head.go, are parsed here.
package asynchttp
