// The bridge's own structures. Go does not see this file.
#ifndef ASYNCIO_BRIDGE_INTERNAL_H
#define ASYNCIO_BRIDGE_INTERNAL_H

#include "bridge.h"

#include <sys/socket.h>

// BRIDGE_DEBUG asserts what must hold between the layers; without it the same mistakes
// are refused or dropped.
#ifdef BRIDGE_DEBUG
#include <assert.h>
#define BR_ASSERT(x) assert(x)
#else
#define BR_ASSERT(x) ((void)0)
#endif

enum { BR_IOV_MAX = 1024 };

#define BR_NO_SLOT UINT32_MAX

// The states of a handle. open -> closing -> closed -> freed by the acknowledgement.
enum { BR_OPEN = 1, BR_CLOSING, BR_CLOSED };

// Flags of a stream.
enum {
  BR_READING = 1,
  BR_CONNECTING = 2,
  BR_WRITE_FAILED = 4,
  BR_LISTENING = 8,
  BR_SHUTTING = 16,
  BR_CONNECTED = 32,
  BR_LARGE = 64  // its last read brought much: Go reads it
};

// A block of bytes that the kernel has not taken.
typedef struct br_block {
  struct br_block *next;
  size_t len;
  size_t cap;
  char data[];
} br_block;

// The outgoing side of a stream while it has something outstanding: a connect, a write,
// or a shutdown. They never overlap, so one request serves all three.
typedef struct {
  br_block *head, *tail;  // oldest first
  br_block *held;         // the last block that libuv holds, NULL if it holds none; from the head to it they must not change
  size_t bytes;           // in the blocks
  int shutdown;           // shut down when the blocks are written
  void *req;              // behind this structure, large enough for each of the three
} br_out;

// The accepting side of a listening stream. libuv's own listener is not used: out of
// descriptors it either sheds the connection in silence or, when another thread takes the
// descriptor that it keeps in reserve, calls back without end from inside one uv_run. A
// uv_poll_t and accept(2) report the error and stop.
typedef struct {
  uv_poll_t *poll;
  int fd;
  int32_t room;  // connections that may still be accepted, -1 without limit
  int nodelay;
  int keepalive_s;
  int polling;
  int stopped;  // by Go, or after an error
} br_listener;

// A handle. The libuv handle follows it in the same block of memory; its size is asked of
// libuv at run time. There is one for every connection: with libuv's it takes 288 bytes
// from the allocator. The peer of an accepted connection is kept, because the kernel
// forgets it when the connection fails; its IPv4 address, or the sockaddr_in6, is the
// data of the libuv handle.
typedef struct {
  uint32_t slot;
  uint32_t gen;
  uint8_t kind;
  uint8_t state;
  uint8_t flags;
  uint8_t closing;      // libuv handles whose close callback is outstanding
  uint8_t peer_family;  // AF_INET, AF_INET6, or AF_UNSPEC if the kernel is asked
  uint16_t peer_port;   // of an IPv4 peer, in network order
  br_out *out;
  br_listener *listener;
} br_handle;

enum { BR_HANDLE_BYTES = (sizeof(br_handle) + 15) & ~15 };

typedef struct {
  br_handle *h;
  uint32_t gen;
  uint32_t next_free;
} br_slot;

struct br_loop {
  br_shared sh;
  uint32_t rec_cap;

  uv_loop_t *uv;
  uv_timer_t *timer;
  uv_poll_t *wake;
  uv_poll_t *tick;  // NULL until it is asked for
  int wake_rd, wake_wr, tick_fd;
  int open;  // libuv handles of the loop itself that are not closed

  br_slot *slots;
  uint32_t nslots;     // slots that were ever used; the memory behind them is not touched
  uint32_t slot_cap;
  uint32_t free_slot;  // head of the free list, BR_NO_SLOT when it is empty

  char *slab;
  size_t slab_used;
  uint64_t polled;  // when the last wait ended, by uv_hrtime; 0 while one lasts

  br_op *ops;
  br_piece *pieces;
  char *arena;
  uv_buf_t iov[BR_IOV_MAX];
};

// bridge.c
void *br_alloc(size_t n);
void br_free(void *p);
br_rec *br_push(br_loop *l, int kind, const br_handle *h, int status);
// br_polled notes the end of the turn's wait; a later call changes nothing. What comes
// first after a wait calls it, but for the end of a write: libuv has written when it
// tells, so a wait that room for writing ends counts that one write.
static inline void br_polled(br_loop *l) {
  if (l->polled == 0) l->polled = uv_hrtime();
}

// watch.c
// br_watch puts a descriptor into the kernel's set before libuv does.
int br_watch(br_loop *l, int fd);
// br_watch_stream does so with a stream's whose watcher is not started, and br_watched,
// after it was, lets libuv know.
int br_watch_stream(br_loop *l, br_handle *h);
void br_watched(br_handle *h);
// br_watch_own does so with those that libuv has made for itself.
int br_watch_own(br_loop *l);
// br_descriptors tries whether there are as many as a loop takes.
int br_descriptors(void);

// handle.c
br_handle *br_handle_new(br_loop *l, int kind, size_t uv_size);
br_handle *br_find(br_loop *l, uint32_t slot, uint32_t gen);
br_handle *br_find_id(br_loop *l, uint64_t id);
void br_handle_discard(br_loop *l, br_handle *h);
void br_handle_close(br_handle *h);
void br_handle_ack(br_loop *l, uint32_t slot, uint32_t gen);
int br_handle_init(br_loop *l, int kind, unsigned arg, br_handle **out);

static inline uv_handle_t *br_uv(br_handle *h) { return (uv_handle_t *)((char *)h + BR_HANDLE_BYTES); }
static inline uv_stream_t *br_stream(br_handle *h) { return (uv_stream_t *)br_uv(h); }
static inline uv_tcp_t *br_tcp(br_handle *h) { return (uv_tcp_t *)br_uv(h); }
static inline br_handle *br_of(const void *uv) { return (br_handle *)((char *)uv - BR_HANDLE_BYTES); }
static inline br_loop *br_loop_of(const uv_handle_t *u) { return (br_loop *)uv_loop_get_data(uv_handle_get_loop(u)); }
static inline uint64_t br_id(const br_handle *h) { return (uint64_t)h->gen << 32 | h->slot; }

// read.c
void br_read_start(br_loop *l, br_handle *h);
void br_read_stop(br_handle *h);

// write.c
void br_write_op(br_loop *l, const br_op *op);
void br_shutdown(br_loop *l, br_handle *h);
br_out *br_out_of(br_handle *h);
void br_out_next(br_loop *l, br_handle *h);
void br_out_free(br_handle *h);

// tcp.c
void br_peer_keep(br_handle *h, const struct sockaddr *addr);
void br_peer_free(br_handle *h);
void br_on_connect(uv_connect_t *req, int status);

// listen.c
void br_accept_start(br_loop *l, br_handle *h);
void br_accept_room(br_loop *l, br_handle *h, int32_t more);
void br_accept_stop(br_handle *h);

#endif
