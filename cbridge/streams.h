// Streams: what peer.c to stream.c share, and offer to the files above them.
#ifndef ASYNCIO_BRIDGE_STREAMS_H
#define ASYNCIO_BRIDGE_STREAMS_H

#include "internal.h"

// Flags of a stream.
enum {
  BR_READING = 1,
  BR_CONNECTING = 2,
  BR_WRITE_FAILED = 4,
  BR_LISTENING = 8,
  BR_SHUTTING = 16,
  BR_CONNECTED = 32,
  BR_LARGE = 64,  // its last read brought much: Go reads it
  BR_BY_GO = 128  // Go always reads it: see br_read
};

// A block of bytes that the kernel has not taken.
typedef struct br_block {
  struct br_block *next;
  size_t len;
  uint32_t cap;
  int fd;  // goes with the first byte; -1: none
  char data[];
} br_block;

// The outgoing side of a stream while it has something outstanding: a connect, a write,
// or a shutdown. They never overlap, so one request serves all three.
typedef struct {
  br_block *head, *tail;  // oldest first
  br_block *held;         // the last block that libuv holds, or NULL: up to it none may change
  uv_pipe_t *carrier;     // has the descriptor that goes with what libuv holds, or NULL
  size_t bytes;           // in the blocks
  int shutdown;           // shut down when the blocks are written
  alignas(16) br_req req;
} br_out;

// The accepting side of a listening stream. libuv's own listener is not used, for what it
// does out of descriptors. It sheds connections in silence: 32 of 60 clients of a process
// that may have 40 descriptors were closed without a word. And when another thread takes
// the descriptor that it keeps in reserve, once in seven runs here, it calls back without
// end from inside one uv_run. A uv_poll_t and accept(2) report the error and stop. The
// price is an ioctl for each connection: connect, accept and close in a C server cost 46
// us of its time, and 48 with uv_listen, one at a time; 32 at once 8.9 us, and 8.3.
typedef struct {
  uv_poll_t *poll;
  int fd;
  int32_t room;  // connections that may still be accepted, -1 without limit
  int nodelay;
  int keepalive_s;
  int polling;
  int stopped;  // by Go, or after an error
} br_listener;

typedef struct {
  br_out *out;
  br_listener *listener;
  br_handle h;
} br_stream;

_Static_assert(sizeof(br_stream) == 32, "there is one for every connection");

static inline int br_is_stream(const br_handle *h) { return h->kind <= BR_KIND_TTY; }
static inline br_stream *br_stream_of(br_handle *h) { return (br_stream *)((char *)h - offsetof(br_stream, h)); }
static inline uv_stream_t *br_uv_stream(br_stream *s) { return (uv_stream_t *)br_uv(&s->h); }

static inline br_stream *br_find_stream(const br_loop *l, uint64_t id) {
  br_handle *h = br_find_id(l, id);
  return h != NULL && br_is_stream(h) ? br_stream_of(h) : NULL;
}

// peer.c
void br_peer_keep(br_handle *h, const struct sockaddr *addr);
void br_peer_free(br_handle *h);
// br_peer_name writes the address that was kept and returns its length, 0 if none was.
int br_peer_name(br_handle *h, void *addr);

// read.c
void br_read_start(br_loop *l, br_stream *s);
void br_read_stop(br_stream *s);
// br_read_result is what a read of a stream that Go alone reads comes to: the number of
// bytes, 0 if there are none yet, or an error, after which reading has stopped.
int64_t br_read_result(br_stream *s, ssize_t n);

// write.c
void br_write_op(br_loop *l, const br_op *op);
void br_shutdown(br_loop *l, br_stream *s);
br_out *br_out_of(br_loop *l, br_stream *s);
// br_out_next starts the next request of a stream that has none outstanding.
void br_out_next(br_loop *l, br_stream *s);
void br_out_free(br_loop *l, br_stream *s);
// br_write_with is br_ipc_write for a stream and a handle that are fit for it.
int br_write_with(br_loop *l, br_stream *s, br_handle *with, const char *p, size_t len, int64_t *left);
// br_unwritable tells why nothing more can be written, or returns 0.
int br_unwritable(const br_stream *s);

// listen.c
void br_accept_start(br_loop *l, br_stream *s);
void br_accept_room(br_loop *l, br_stream *s, int32_t more);
void br_accept_stop(br_stream *s);

// stream.c
void br_stream_closing(br_loop *l, br_handle *h);
void br_stream_closed(br_loop *l, br_handle *h);
uv_handle_t *br_stream_acts(br_handle *h);

// br_is_ipc reports whether a handle is a pipe that passes handles.
static inline int br_is_ipc(const br_handle *h) { return h->kind == BR_KIND_PIPE && h->flags & BR_BY_GO; }

// tcp.c, pipe.c, tty.c
extern const br_kind br_tcp_kind, br_pipe_kind, br_tty_kind;

#endif
