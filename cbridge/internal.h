// The bridge's own structures, and what each of its files offers to the files above it.
// Go does not see this file. streams.h, datagrams.h and jobs.h have what several files
// share.
//
// The files are layers: a function calls functions of its own file and of those above it
// in this table, no others. A test proves it. What a lower layer has to ask of a higher
// one, it asks through br_kind, or by a record.
//
//   file      owns
//   mem       memory and its count
//   slot      tables of slots with generations
//   record    the records
//   fd        numbers of descriptors
//   birth     what takes the place of fork in uv_spawn
//   owner     which handle has which descriptor
//   handle    the life of a handle: its id, closing, the acknowledgement
//   watch     what the kernel watches
//   req       requests: what libuv does once and then tells
//   peer      the peer of an accepted connection
//   read      a stream's bytes that come
//   write     a stream's bytes that go, and its shutdown
//   listen    a stream's connections that come
//   stream    what is common to the kinds of streams
//   tcp, pipe a kind of handle each
//   ipc       handles that go and come over pipes
//   tty       terminals
//   poll      another one
//   fsevent   another one, for files that change
//   recv      datagrams that come
//   send      datagrams that go
//   udp       sockets for datagrams
//   child     what all loops share about ended children
//   process   handles of children
//   loop      the making and the end of a loop
//   pool      the start of libuv's threads
//   job       requests that have no handle
//   dns       names and addresses
//   random    random bytes
//   system    what newer versions tell of the system
//   lib       libraries
//   copy      copying over a file
//   fs        the file system
//   turn      operations, and one run of libuv
#ifndef ASYNCIO_BRIDGE_INTERNAL_H
#define ASYNCIO_BRIDGE_INTERNAL_H

#include "bridge.h"

#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
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

// UV_SINCE reports whether the header in use is of 1.minor or later.
#define UV_SINCE(minor) (UV_VERSION_HEX >= ((1 << 16) | ((minor) << 8)))

typedef struct br_handle br_handle;
typedef struct br_kind br_kind;
typedef struct br_inbox br_inbox;
typedef struct br_outbox br_outbox;
typedef struct br_names br_names;

// mem.c
// br_alloc is NULL if there is not so much.
void *br_alloc(size_t n);
void br_free(void *p);
// br_count_none turns counting off for this thread, or on again, around what libuv keeps
// for good.
void br_count_none(int on);
// br_certain makes sure that in tests no memory is refused to this thread where libuv
// could not tell: to a table that grows, or to anything but a first table.
typedef enum { BR_NONE_CERTAIN, BR_TABLE_CERTAIN, BR_ALL_CERTAIN } br_certainty;
void br_certain(br_certainty c);

// slot.c
#define BR_NO_SLOT UINT32_MAX

typedef struct {
  void *p;  // NULL while the slot is free
  uint32_t gen;
  uint32_t next_free;
} br_slot;

// A table gives what is put into it a slot, and the slot's generation, which a slot never
// has twice.
typedef struct {
  br_slot *slots;
  uint32_t n;  // slots that were ever used; the memory behind them is not touched
  uint32_t cap;
  uint32_t free;  // head of the free list, BR_NO_SLOT when it is empty
  uint32_t used;
} br_table;

void br_table_init(br_table *t);
void br_table_free(br_table *t);
uint32_t br_slot_take(br_table *t, void *p);
void br_slot_give(br_table *t, uint32_t slot);

static inline void *br_slot_find(const br_table *t, uint32_t slot, uint32_t gen) {
  return slot < t->n && t->slots[slot].gen == gen ? t->slots[slot].p : NULL;
}

// The loop. It is made in loop.c; its parts belong to the layers.
struct br_loop {
  br_shared sh;
  uint32_t rec_cap;
  uint32_t reserved;  // records that handles and jobs may have to make without memory
  uint32_t unseen;    // the first record that Go does not dispatch before the next poll
  const br_kind *const *kinds;  // by number
  br_table handles;
  br_table reqs;
  uint32_t *owners;  // by descriptor: the slot of its handle, plus one; 0: none
  uint32_t owners_cap;

  uv_loop_t *uv;
  uv_timer_t *timer;
  uv_poll_t *wake;
  uv_poll_t *tick;  // NULL until it is asked for
  int wake_rd, wake_wr, tick_fd;
  int open;  // libuv handles of the loop itself that are not closed

  char *slab;
  size_t slab_used;
  uint64_t polled;  // when the last wait ended, by uv_hrtime; 0 while one lasts

  br_op *ops;
  br_piece *pieces;
  char *arena;
  uv_buf_t iov[BR_IOV_MAX];

  br_inbox *in;    // NULL before the first handle for datagrams, as out
  br_outbox *out;
  br_names *names;  // NULL before the first file that has changed
};

static inline br_loop *br_loop_of(const uv_handle_t *u) { return (br_loop *)uv_loop_get_data(uv_handle_get_loop(u)); }

// br_polled notes the end of the turn's wait; a later call changes nothing. What comes
// first after a wait calls it, but for the end of a write: libuv has written when it
// tells, so a wait that room for writing ends counts that one write.
static inline void br_polled(br_loop *l) {
  if (l->polled == 0) l->polled = uv_hrtime();
}

// record.c

// Records that a handle may have to make until Go has taken them. It is one of a kind,
// and those of some kinds exclude each other: five in a poll, and five of the operations
// and calls behind it.
enum { BR_HANDLE_RECORDS = 10 };

// br_reserve makes sure of room for n records more; l->reserved less n gives it back.
int br_reserve(br_loop *l, uint32_t n);
int br_records_grow(br_loop *l);

// br_room reports whether there is room for n records beside the reserve. Kinds of which
// a handle may have many are made after that only.
static inline int br_room(br_loop *l, uint32_t n) {
  return l->rec_cap - l->sh.nrec >= l->reserved + n || br_records_grow(l) == 0;
}

// br_push appends a record, whose value is 0. Without room it is another one of the
// handle and the kind that Go has not seen: numbers are added to it.
br_rec *br_push(br_loop *l, int kind, const br_handle *h, int status);
// br_push_done appends the record of a request without a handle.
void br_push_done(br_loop *l, uint32_t slot, uint32_t gen, int status);

// fd.c

// br_descriptors tries whether there are as many as a loop takes.
int br_descriptors(void);
// br_fd_any opens something, whose number is the lowest that is free.
int br_fd_any(void);
// br_fd_up moves a descriptor that has just been opened above the standard files. It
// passes on a negative number, or gives one with errno.
int br_fd_up(int fd);
// br_fd_copy is a copy of a descriptor above the standard files, or -1 with errno.
int br_fd_copy(int fd);

// The numbers of standard files that were free, and are taken for a while.
typedef struct {
  int fds[3];
  int n;
} br_stdio;

void br_stdio_take(br_stdio *s);
void br_stdio_give(br_stdio *s);

// birth.c

// A child that uv_spawn is about to make. The place in front of the arguments is free.
typedef struct {
  const uv_process_options_t *options;
  int numbers;          // that the child may have as descriptors
  volatile int failed;  // an errno
} br_birth;

// br_birth_begin has the next fork of this thread's make the child, until br_birth_end.
// One thread at a time may do so.
void br_birth_begin(br_birth *b);
void br_birth_end(void);

// owner.c

// br_owner is the open handle that has a descriptor, or NULL.
br_handle *br_owner(const br_loop *l, int fd);
// br_number makes the tables reach a descriptor, and br_next_number those that libuv may
// be about to make.
int br_number(br_loop *l, int fd);
int br_next_number(br_loop *l);
// br_own gives h a descriptor, before libuv hears of it; br_own_new one that libuv has
// just made for it. br_disown takes it from h, before libuv closes it.
int br_own(br_loop *l, br_handle *h, int fd);
void br_own_new(br_loop *l, br_handle *h);
void br_disown(br_loop *l, br_handle *h);
// br_unown is for a descriptor that is no handle's: whoever had the number is told.
void br_unown(br_loop *l, int fd);

// handle.c

// The states of a handle. open -> closing -> closed -> freed by the acknowledgement.
enum { BR_OPEN = 1, BR_CLOSING, BR_CLOSED };

// A handle. The libuv handle follows it in the same block of memory, its size is asked of
// libuv at run time; what a kind of handles has besides, such as br_stream, precedes it.
// There is one for every connection: with libuv's and br_stream it takes 288 bytes from
// the allocator. The fields of the peer are a stream's; without them there would be a
// gap.
struct br_handle {
  uint32_t slot;
  uint32_t gen;
  uint8_t kind;
  uint8_t state;
  uint8_t flags;
  uint8_t closing;      // libuv handles whose close callback is outstanding
  uint8_t peer_family;  // AF_INET, AF_INET6, or AF_UNSPEC if the kernel is asked
  uint16_t peer_port;   // of an IPv4 peer, in network order
};

_Static_assert(sizeof(br_handle) == 16, "the libuv handle behind it is aligned");

// A kind of handles: what handle.c and listen.c ask of it.
struct br_kind {
  uv_handle_type type;
  size_t before;                                      // bytes in front of the handle
  int (*init)(br_loop *l, br_handle *h, unsigned arg);  // makes the libuv handle
  void (*closing)(br_loop *l, br_handle *h);          // stops it; may close more by br_handle_close_also
  void (*closed)(br_loop *l, br_handle *h);           // frees what it has besides
  uv_handle_t *(*acts)(br_handle *h);                 // the libuv handle that keeps the loop alive for it
  int (*open)(br_handle *h, int fd);                  // gives it a descriptor
  int (*bound)(br_handle *h);                         // before listening: tells a failed bind, or makes a socket
  void (*lost)(br_loop *l, br_handle *h);             // its descriptor is another handle's by now, or NULL
};

// br_handle_open gives a handle a descriptor, which it owns from then on.
int br_handle_open(br_loop *l, br_handle *h, int fd);
int br_handle_new(br_loop *l, int kind, unsigned arg, br_handle **out);
void br_handle_close(br_loop *l, br_handle *h);
// br_handle_closing is for a kind that has begun to close the libuv handle itself, with
// br_on_close.
void br_handle_closing(br_loop *l, br_handle *h);
void br_on_close(uv_handle_t *u);
// br_on_own_close frees a libuv handle of the loop itself, which br_loop.open counts.
void br_on_own_close(uv_handle_t *u);
// br_handle_close_also closes a further libuv handle, whose data is the slot of h.
void br_handle_close_also(br_handle *h, uv_handle_t *u);
void br_handle_ack(br_loop *l, uint32_t slot, uint32_t gen);
// br_handle_drop closes a handle that Go has not heard of. Its slot is free at once.
void br_handle_drop(br_loop *l, br_handle *h);

static inline uv_handle_t *br_uv(br_handle *h) { return (uv_handle_t *)(h + 1); }
static inline br_handle *br_of(const void *uv) { return (br_handle *)uv - 1; }
static inline uint64_t br_id(const br_handle *h) { return (uint64_t)h->gen << 32 | h->slot; }
static inline const br_kind *br_kind_of(const br_loop *l, const br_handle *h) { return l->kinds[h->kind]; }
static inline uv_handle_t *br_acts(const br_loop *l, br_handle *h) { return br_kind_of(l, h)->acts(h); }

static inline br_handle *br_find(const br_loop *l, uint32_t slot, uint32_t gen) {
  br_handle *h = br_slot_find(&l->handles, slot, gen);
  return h != NULL && h->state == BR_OPEN ? h : NULL;
}

static inline br_handle *br_find_id(const br_loop *l, uint64_t id) { return br_find(l, (uint32_t)id, (uint32_t)(id >> 32)); }

static inline br_handle *br_find_kind(const br_loop *l, uint64_t id, int kind) {
  br_handle *h = br_find_id(l, id);
  return h != NULL && h->kind == kind ? h : NULL;
}

// watch.c

// br_watch puts a descriptor into the kernel's set before libuv does.
int br_watch(br_loop *l, int fd);
// br_watch_io does so with that of a watcher that is not started, and br_watched, after
// it was, lets libuv know.
int br_watch_io(br_loop *l, const uv__io_t *w);
void br_watched(uv__io_t *w);
// br_watch_now does what libuv would do with a watcher in the coming turn. If it cannot,
// the caller stops the watcher.
int br_watch_now(br_loop *l, uv__io_t *w);
// br_watch_own does so with those that libuv has made for itself.
int br_watch_own(br_loop *l);
// br_watch_inotify does so with that for files, which libuv makes when it needs it.
int br_watch_inotify(br_loop *l);
// br_uv_init makes a loop of libuv's.
int br_uv_init(uv_loop_t *u);

// req.c

// A request. The libuv request follows it in the same block of memory. It has an id, as a
// handle has, from the loop's other table.
typedef struct {
  br_handle *h;  // the handle that it is for, NULL if there is none
  uint32_t slot;
  uint32_t gen;
} br_req;

_Static_assert(sizeof(br_req) == 16, "the libuv request behind it is aligned");

int br_req_begin(br_loop *l, br_req *r, br_handle *h);
void br_req_end(br_loop *l, br_req *r);
// br_req_bytes is the size of the largest libuv request of the types, which end with
// UV_UNKNOWN_REQ.
size_t br_req_bytes(const uv_req_type *types);

static inline void *br_req_uv(br_req *r) { return r + 1; }
static inline br_req *br_req_of(const void *uv) { return (br_req *)uv - 1; }

// poll.c
extern const br_kind br_poll_kind;

// fsevent.c
extern const br_kind br_fs_event_kind;
void br_names_free(br_loop *l);

// child.c

// br_child_watch makes sure that libuv hears of ended children; UV_ENOTSUP while SIGCHLD
// is ignored.
int br_child_watch(void);
// br_child_begin makes sure of a place among the forgotten for a child that is about to
// be made, which br_child_end gives back when it is not made, or its end was told.
int br_child_begin(void);
void br_child_end(void);
// br_child_forget is for a child whose end nobody wants to hear of.
void br_child_forget(int pid);

// process.c
extern const br_kind br_process_kind;

#endif
