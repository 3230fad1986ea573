// The bridge between Go and libuv: what Go sees of it; requests.h has the requests.
//
// libuv reports by calling back. Nothing here calls Go back. libuv's callbacks append
// records to a completion queue in C memory, Go appends operations to a submission queue
// in C memory, and one call of br_turn executes the operations, runs libuv once and
// returns. Go then reads the records.
//
// A handle is an id: its slot in a table and the generation of that slot. C holds no Go
// pointer beyond one call, and Go holds no pointer to a handle. Every entry checks the
// id, the kind and the state of the handle before it calls libuv, because libuv answers a
// misuse with abort().
//
// Who owns what:
//   operations, pieces, arena   written by Go, read by C during a flush, free for Go
//                               again when the flush returns
//   records                     written by C, valid until Go says in br_turn how many it
//                               has consumed
//   slab                        bytes of READ records, valid until the next br_turn
//   a slot                      Go's from the call or record that brought the id until Go
//                               sends BR_OP_ACK after BR_REC_CLOSED, which is the last
//                               record of an id
//   a request without a handle  Go's from the call that brought its id until Go calls
//                               br_job_free after BR_REC_DONE, its only record; until
//                               then its result can be asked for. It has a slot of
//                               another table than a handle's
#ifndef ASYNCIO_BRIDGE_H
#define ASYNCIO_BRIDGE_H

#ifdef __has_include
#if !__has_include(<uv.h>)
#error "libuv is missing: uv.h was not found. Run `make deps`, or install libuv1-dev (Debian, Ubuntu) or libuv-devel (Fedora), or run `make deps LIBUV_PREFIX=/path/to/libuv`. CGO_ENABLED=0 builds without it."
#endif
#endif

#include <uv.h>

#if UV_VERSION_MAJOR != 1 || UV_VERSION_HEX < ((1 << 16) | (44 << 8) | 2)
#error "libuv 1.44.2 or later, below 2, is needed, and uv.h is of another version. Run `make deps`, or `make deps LIBUV_PREFIX=/path/to/libuv`."
#endif

#include <stdint.h>

// Limits. Each is a number of bytes or of entries, as its name says.
enum {
  BR_OPS_MAX = 1024,              // operations in one submission; a full queue is flushed early
  BR_PIECES_MAX = 4096,           // pieces of gathered writes beyond the first of each operation
  // Gathered small writes of one turn; memory that was never used costs nothing. With 256
  // KiB a broadcast of 2 KiB to 100 streams takes twice the system time, as fewer writes
  // meet in it.
  BR_ARENA_BYTES = 4096 * 1024,
  BR_SLAB_BYTES = 256 * 1024,     // what one turn may read into the slab
  BR_READ_CHUNK_BYTES = 64 * 1024,  // one read(2) into the slab
  BR_LARGE_BYTES_MIN = 1024,        // a read that brings as much leaves the next one to br_read
  BR_READ_MIN_BYTES = 4 * 1024,   // with less room than this a read is not worth its system call
  BR_WRITE_CHUNK_BYTES = 256 * 1024,  // size of the blocks that hold what the kernel has not taken
  BR_TURN_ACCEPT_MAX = 16,        // connections one listener may accept in a turn; see on_acceptable
  BR_FDS_MAX = 253,               // descriptors that one message may bring: SCM_MAX_FD of Linux
  BR_ADDR_BYTES = 28,             // sockaddr_in6, the larger of the two that are kept
  BR_DGRAMS = 64,                 // datagrams in memory at a time; a socket may bring as many in a turn
  BR_DGRAM_NAME_BYTES = 120,      // the address of one; that of a Unix socket is the longest
  BR_DGRAM_SMALL_BYTES = 1984,    // the bytes of one that lie beside its address: those of any Ethernet frame
  BR_DGRAM_ROOM_BYTES = 64 * 1024,  // room for one that is larger
  BR_DGRAM_BYTES_MAX = 1024 * 1024,  // what may be taken of one, by the room of several
  BR_SENDS = 64                   // datagrams offered to the kernel by one system call
};

// Kinds of handles. Those of streams come first.
enum { BR_KIND_TCP = 1, BR_KIND_PIPE, BR_KIND_TTY, BR_KIND_POLL, BR_KIND_UDP, BR_KIND_PROCESS, BR_KIND_FS_EVENT };

// Operations. slot and gen say which handle; the other fields are named where they are
// used.
enum {
  BR_OP_NOP,
  BR_OP_WRITE,        // off, len: first piece in the arena; next, tail: n further ones
  BR_OP_READ_START,
  BR_OP_READ_STOP,
  BR_OP_READ_SMALL,   // Go has read little: the next read is into the slab again
  BR_OP_SHUTDOWN,
  BR_OP_CLOSE,
  BR_OP_ACK,          // the CLOSED record was seen: the slot may be used again
  BR_OP_REF,
  BR_OP_UNREF,
  BR_OP_ACCEPT_START, // go on after BR_OP_ACCEPT_STOP or BR_REC_ACCEPT_ERROR
  BR_OP_ACCEPT_STOP,
  BR_OP_ACCEPT_ROOM,  // arg: how many more connections may be accepted
  BR_OP_SEND,         // off, len: datagrams in the arena, see br_dgram_head; next, tail: n further pieces
  BR_OP_SEND_AGAIN    // after BR_REC_SEND_STUCK
};

typedef struct {
  uint8_t kind;
  uint8_t flags;
  uint16_t n;
  uint32_t slot;
  uint32_t gen;
  uint32_t off;
  uint32_t len;
  uint32_t next;
  uint32_t tail;
  int32_t arg;
} br_op;

// A further piece of a gathered write. next is the index of the one after it.
typedef struct {
  uint32_t off;
  uint32_t len;
  uint32_t next;
} br_piece;

// What precedes a datagram in the arena. The address follows, then the bytes; each of the
// three takes a multiple of eight bytes, and begins at one.
typedef struct {
  uint32_t len;
  uint32_t addr_len;  // 0: the socket is connected
} br_dgram_head;

// Records. status is 0 or a libuv error unless said otherwise.
enum {
  BR_REC_NONE,
  BR_REC_READ,       // value: offset in the slab, status: number of bytes
  BR_REC_EOF,        // reading has stopped
  BR_REC_READ_ERROR, // reading has stopped
  BR_REC_READABLE,   // br_read may find bytes
  BR_REC_LEFT,       // value: bytes of a BR_OP_WRITE that C keeps; always part of a flush
  BR_REC_WRITTEN,    // value: bytes that had been left and were taken now
  BR_REC_WRITE_ERROR,  // all that is queued is dropped, nothing more can be written
  BR_REC_CONNECT,    // with an error, what was to be written and shut down is dropped without another record
  BR_REC_SHUTDOWN,
  BR_REC_ACCEPT,     // value: id of the accepted connection, aux: its kind
  BR_REC_ACCEPT_ERROR, // accepting is stopped until the next BR_OP_ACCEPT_START
  BR_REC_CLOSED,     // the last record of an id
  BR_REC_POLL,       // aux: events, value: the epoch of the start; with an error the poll has stopped
  BR_REC_DONE,       // of a request without a handle, the only one: UV_ECANCELED after br_job_cancel
  BR_REC_DATAGRAMS,  // status: their number, value: the first br_dgram, aux: from one to the next
  BR_REC_RECV_READY, // br_recv may find datagrams: there was no room for them
  BR_REC_RECV_ERROR, // receiving goes on
  BR_REC_UNSENT,     // status: datagrams that C keeps, value: their bytes; part of a flush or a direct call
  BR_REC_SENT,       // status: datagrams that had been kept and have left or failed, value: their bytes
  BR_REC_SEND_ERROR, // before its BR_REC_SENT. value: which datagram, from 0 for each handle; aux: more behind
  BR_REC_SEND_STUCK, // libuv cannot wait for room: BR_OP_SEND_AGAIN, in a while, tries
  BR_REC_EXIT,       // of a child, once. status: the signal that has ended it, or 0; value: its exit code
  BR_REC_FS_EVENT    // aux: UV_RENAME, UV_CHANGE, value: the epoch, and where the name is
};

typedef struct {
  uint8_t kind;
  uint8_t flags;
  uint16_t aux;
  uint32_t slot;
  uint32_t gen;
  int32_t status;
  uint64_t value;
} br_rec;

// A datagram that was received. Its bytes are in data, or all of them in its room if they
// are more than fit there.
typedef struct {
  uint32_t len;
  uint16_t addr_len;  // 0: the sender has no address
  uint16_t partial;   // 1: there were more bytes
  char addr[BR_DGRAM_NAME_BYTES];
  char data[BR_DGRAM_SMALL_BYTES];
} br_dgram;

// What br_turn tells beside the records.
enum {
  BR_TURN_AGAIN = 1,  // there is more to do right now: do not wait for the descriptor before the next turn
  BR_TURN_ALIVE = 2   // libuv has an active handle with a reference, a request or a closing handle
};

// The part of a loop that Go reads in place.
typedef struct {
  br_rec *recs;
  uint32_t nrec;
  uint32_t flags;        // BR_TURN_...
  uint64_t now;          // uv_now, milliseconds
  uint64_t read_short;   // reads left to br_read because the slab was full
  uint64_t write_calls;  // write(2) and writev(2) asked of libuv
  uint32_t nflush;       // records that the flush has appended, counted from the front
  uint32_t handles;      // slots in use
  uint64_t waited;       // nanoseconds that br_turn has waited, all in all
  uint64_t recv_calls;   // recvmsg(2) and recvmmsg(2)
  uint64_t send_calls;   // sendto(2) and sendmmsg(2)
} br_shared;

_Static_assert(sizeof(br_op) == 32, "layout of br_op");
_Static_assert(sizeof(br_piece) == 12, "layout of br_piece");
_Static_assert(sizeof(br_rec) == 24, "layout of br_rec");
_Static_assert(sizeof(br_shared) == 72, "layout of br_shared");
_Static_assert(sizeof(br_dgram) == 2112, "layout of br_dgram");
_Static_assert(BR_OPS_MAX <= 65536, "an operation's index fits 16 bits");
_Static_assert(BR_READ_CHUNK_BYTES <= BR_SLAB_BYTES, "a chunk fits the slab");

typedef struct br_loop br_loop;

// Loop.
int br_loop_new(br_loop **out);
// br_loop_close releases the loop; UV_EBUSY while a slot is in use. wake_fds stay open:
// they are Go's.
int br_loop_close(br_loop *l);
br_shared *br_loop_shared(br_loop *l);
br_op *br_loop_ops(br_loop *l);
br_piece *br_loop_pieces(br_loop *l);
void *br_loop_arena(br_loop *l);
void *br_loop_slab(br_loop *l);
// The descriptors of the wake-up: eight bytes written to wr end a wait. They are Go's to
// close after br_loop_close.
void br_loop_wake_fds(br_loop *l, int *rd, int *wr);
// br_loop_tick_fd makes a timerfd that ends waits when it expires, and returns it or an
// error. Go sets it; br_loop_close closes it.
int br_loop_tick_fd(br_loop *l);
int br_loop_backend_fd(br_loop *l);
int br_loop_backend_timeout(br_loop *l);
void br_loop_update_time(br_loop *l);
// br_loop_configure is uv_loop_configure, before the first turn. UV_ENOSYS: the header in
// use lacks it.
enum { BR_LOOP_BLOCK_SIGPROF = 1, BR_LOOP_IO_URING };
int br_loop_configure(br_loop *l, int option);
// br_loop_metrics writes the loop's count of turns, events, and events that waited.
int br_loop_metrics(br_loop *l, uint64_t counts[3]);

// br_turn executes nops operations, forgets the first `consumed` records, and runs libuv
// once. It waits at most timeout_ms; 0 does not wait, -1 waits without limit. With
// if_alive it does not wait when libuv is not alive.
void br_turn(br_loop *l, uint32_t nops, uint32_t consumed, int64_t timeout_ms, int if_alive);
// br_flush executes nops operations now and sets BR_TURN_ALIVE anew.
void br_flush(br_loop *l, uint32_t nops);

// Handles. An id is slot | gen << 32. Functions return 0 or a libuv error unless said
// otherwise.
int br_tcp_new(br_loop *l, unsigned family, uint64_t *id);
int br_pipe_new(br_loop *l, uint64_t *id);
// br_open gives a handle the descriptor, which it owns from then on. It returns 1 if the
// descriptor reads and writes, 0 if it is a socket that does not yet, or an error.
int br_open(br_loop *l, uint64_t id, int fd);
int br_is_active(br_loop *l, uint64_t id);  // 1 or 0
int br_fileno(br_loop *l, uint64_t id);     // a descriptor or an error
uint64_t br_find_fd(br_loop *l, int fd);    // the open handle that has the descriptor, 0 if none has
int br_buffer_size(br_loop *l, uint64_t id, int receive, int *value);
int br_close_reset(br_loop *l, uint64_t id);

// Streams. Bytes are char: of a pointer to those, cgo does not look whether the Go memory
// that they lie in holds pointers too.
// br_listen listens and accepts up to room connections, -1 without limit; if stopped,
// after BR_OP_ACCEPT_START.
int br_listen(br_loop *l, uint64_t id, int backlog, int nodelay, int keepalive_s, int room, int stopped);
// br_read reads at most len bytes of a stream that is started. Go may read its descriptor
// itself. It returns their number, 0 if there are none or the stream is at its end, or an
// error, after which reading has stopped.
int64_t br_read(br_loop *l, uint64_t id, char *p, size_t len);
// br_write writes the pieces of operation `op` (-1: none), which becomes a NOP, and then
// p[0..len), and keeps a copy of what the kernel does not take. It returns the number of
// bytes kept, or an error.
int64_t br_write(br_loop *l, uint64_t id, int op, const char *p, size_t len);
// br_try_write returns the number of bytes taken, or UV_EAGAIN.
int64_t br_try_write(br_loop *l, uint64_t id, const char *p, size_t len);
int br_is_readable(br_loop *l, uint64_t id);
int br_is_writable(br_loop *l, uint64_t id);
int br_set_blocking(br_loop *l, uint64_t id, int on);

// TCP. Addresses are sockaddr_in or sockaddr_in6.
enum { BR_BIND_V6ONLY = 1, BR_BIND_REUSEPORT = 2, BR_BIND_EXCLUSIVE = 4 };
int br_tcp_bind(br_loop *l, uint64_t id, const void *addr, unsigned len, unsigned flags);
int br_tcp_connect(br_loop *l, uint64_t id, const void *addr, unsigned len);
int br_tcp_nodelay(br_loop *l, uint64_t id, int on);
int br_tcp_keepalive(br_loop *l, uint64_t id, int on, unsigned delay_s);
// br_tcp_keepalive_ex sets all three; what is negative stays. UV_ENOSYS before libuv
// 1.52.
int br_tcp_keepalive_ex(br_loop *l, uint64_t id, int on, int idle_s, int interval_s, int count);
int br_tcp_simultaneous_accepts(br_loop *l, uint64_t id, int on);
// br_tcp_name writes an address of BR_ADDR_BYTES at most and returns its length, or an
// error.
int br_tcp_name(br_loop *l, uint64_t id, int peer, void *addr);

// Pipes. Paths are not terminated; one that begins with a NUL is in Linux's abstract name
// space.
int br_pipe_bind(br_loop *l, uint64_t id, const void *path, unsigned len);
int br_pipe_connect(br_loop *l, uint64_t id, const void *path, unsigned len);
// br_pipe_name returns the length of the path, or an error.
int br_pipe_name(br_loop *l, uint64_t id, int peer, void *path, unsigned cap);
int br_pipe_chmod(br_loop *l, uint64_t id, int mode);  // UV_READABLE, UV_WRITABLE: for everybody

// Pipes that pass handles: Unix sockets that are connected. Whoever reads one by br_read
// drops the descriptors that come with the bytes. A handle that is passed stays its
// owner's; what is kept of it is a copy.
int br_ipc_new(br_loop *l, uint64_t *id);
// br_ipc_write writes p[0..len), at least a byte, and with it the descriptor of a TCP, a
// pipe or a UDP handle. It returns an error if it has not begun. Then left is as br_write
// returns it.
int br_ipc_write(br_loop *l, uint64_t id, const char *p, size_t len, uint64_t handle, int64_t *left);
int64_t br_ipc_try_write(br_loop *l, uint64_t id, const char *p, size_t len, uint64_t handle);
// br_ipc_read is br_read that takes the descriptors too, which are close-on-exec and the
// caller's. UV_EOF is the end.
typedef struct {
  int n;
  int lost;  // some that came are gone: there was no room for them
  int fds[BR_FDS_MAX];
} br_fds;
int64_t br_ipc_read(br_loop *l, uint64_t id, char *p, size_t len, br_fds *fds);

// Terminals. br_tty_new takes no hold of the descriptor.
enum { BR_TTY_NORMAL, BR_TTY_RAW, BR_TTY_IO, BR_TTY_RAW_VT };
int br_tty_new(br_loop *l, int fd, uint64_t *id);
int br_tty_mode(br_loop *l, uint64_t id, int mode);
int br_tty_size(br_loop *l, uint64_t id, int *cols, int *rows);
// br_tty_restore gives a terminal that the handle has changed its mode back, and
// br_tty_reset, from any thread, does so with all: UV_EBUSY while br_tty_mode runs.
int br_tty_restore(br_loop *l, uint64_t id);
int br_tty_reset(void);

// Descriptors, from any thread. Those of a pair are close-on-exec and the caller's.
enum { BR_GUESS_NOTHING, BR_GUESS_TCP, BR_GUESS_PIPE, BR_GUESS_TTY, BR_GUESS_UDP, BR_GUESS_FILE };
int br_guess(int fd);
int br_socketpair(int type, int protocol, int nonblock0, int nonblock1, int fds[2]);
int br_pipe_pair(int nonblock_read, int nonblock_write, int fds[2]);

// Polls watch descriptors of somebody else's. br_poll_new makes the descriptor
// non-blocking; UV_EEXIST while another handle of the loop has it. br_poll_start changes
// the events of one that is started; after an error it is stopped. epoch comes back in
// the records.
int br_poll_new(br_loop *l, int fd, uint64_t *id);
int br_poll_start(br_loop *l, uint64_t id, int events, uint64_t epoch);
int br_poll_stop(br_loop *l, uint64_t id);

// Files that change. br_fs_event_start watches a file, or what is in a directory;
// UV_EINVAL if the handle does so already. epoch comes back in the records, in the upper
// half of their value. br_fs_event_name is the name that came with a record until the
// next turn, NULL if it is about what is watched itself.
int br_fs_event_new(br_loop *l, uint64_t *id);
int br_fs_event_start(br_loop *l, uint64_t id, const char *path, unsigned flags, uint32_t epoch);
int br_fs_event_stop(br_loop *l, uint64_t id);
const char *br_fs_event_name(br_loop *l, uint64_t value);

// Datagrams. Addresses are sockaddr_in or sockaddr_in6, and sockaddr_un where it says so.
// family is 0, or that of a socket which is made at once. With batch, several datagrams
// are received by a system call if the system can. recv_bytes are taken of each.
enum { BR_UDP_REUSEADDR = 8, BR_UDP_RECVERR = 16 };  // beside BR_BIND_V6ONLY and BR_BIND_REUSEPORT
int br_udp_new(br_loop *l, int family, int batch, unsigned recv_bytes, uint64_t *id);
// br_udp_memory gives the memory of datagrams that were received: BR_DGRAMS of them, and
// their rooms. It is there with the first handle.
void br_udp_memory(br_loop *l, br_dgram **dgrams, char **rooms);
// br_udp_open gives a handle the descriptor, a datagram socket of IPv4, IPv6 or AF_UNIX,
// which it owns from then on. One with the number of a standard file stays the program's,
// and the handle has a copy. It returns the family, or an error.
int br_udp_open(br_loop *l, uint64_t id, int fd);
int br_udp_bind(br_loop *l, uint64_t id, const void *addr, unsigned len, unsigned flags);
// br_udp_any makes a socket, bound to any address of the family, if there is none.
int br_udp_any(br_loop *l, uint64_t id, int family, int reuse);
int br_udp_connect(br_loop *l, uint64_t id, const void *addr, unsigned len);  // NULL undoes it
int br_udp_name(br_loop *l, uint64_t id, int peer, void *addr);               // as br_tcp_name
int br_udp_batch(br_loop *l, uint64_t id);                                    // 1 or 0
// br_udp_set sets an option of sockets.
enum { BR_UDP_BROADCAST, BR_UDP_TTL, BR_UDP_MULTICAST_LOOP, BR_UDP_MULTICAST_TTL };
int br_udp_set(br_loop *l, uint64_t id, int option, int value);
// br_udp_group joins or leaves a group, of one source unless source is NULL. The
// addresses are of one family. The interface is the address that iface has, or, of IPv6,
// that with the number of its scope.
int br_udp_group(br_loop *l, uint64_t id, int join, const void *group, const void *iface, const void *source);
int br_udp_interface(br_loop *l, uint64_t id, const void *iface);

// br_recv_start receives until br_recv_stop.
int br_recv_start(br_loop *l, uint64_t id);
int br_recv_stop(br_loop *l, uint64_t id);
// br_recv is for BR_REC_RECV_READY. It returns how many datagrams there are, from the
// first br_dgram on. Those of older records are gone.
int br_recv(br_loop *l, uint64_t id, unsigned *step);
// br_send sends the datagrams of operation `op` (-1: none), which becomes a NOP, and then
// p[0..len) unless addr_len is negative. What is kept or fails is told by records.
int br_send(br_loop *l, uint64_t id, int op, const char *p, size_t len, const void *addr, int addr_len);
// br_try_send returns 0 when the datagram has left, and UV_EAGAIN if it does not at once.
int br_try_send(br_loop *l, uint64_t id, const char *p, size_t len, const void *addr, int addr_len);
// br_try_sends does so with n datagrams in the arena, and returns how many have left, or
// the error of the first.
int br_try_sends(br_loop *l, uint64_t id, unsigned off, unsigned n);

// Processes. strings are the file, the directory ("": this process's), and the arguments
// and variables, as many as how says, each with its NUL. An item tells what the child has
// as the descriptor of its index: nothing, or /dev/null below 3; a connection to a pipe
// that has none yet, which may be read or written by the child as the flags say; or a
// descriptor of this process.
//
// br_spawn_child takes as long as the child needs until it runs the file, and tells the
// errors of all that may fail in it until then: UV_ENOENT, UV_EACCES and the like;
// UV_EINVAL for a stream that cannot be connected, and UV_ENOTSUP while SIGCHLD is
// ignored. The caller holds syscall.ForkLock. A handle that is closed does not end its
// child, which nobody has to wait for then.
enum { BR_STDIO_IGNORE, BR_STDIO_PIPE, BR_STDIO_FD };
enum { BR_STDIO_READABLE = 1, BR_STDIO_WRITABLE = 2, BR_STDIO_NONBLOCK = 4 };
typedef struct {
  int kind, flags, fd;
  uint64_t stream;
} br_stdio_item;
typedef struct {
  unsigned args, env;  // their numbers
  int set_uid, set_gid, detached;
  uint32_t uid, gid;
} br_spawn;
int br_spawn_child(br_loop *l, const char *strings, const br_spawn *how, const br_stdio_item *items, unsigned n, uint64_t *id, int *pid);
int br_process_kill(br_loop *l, uint64_t id, int sig);  // UV_ESRCH once the child has ended

// br_errno_entry is the i'th error of libuv; the code is 0 behind the last one.
int br_errno_entry(unsigned i, const char **name, const char **text);

// Allocation counting, for tests: br_count_allocations must precede all other calls; it
// counts libuv's allocations and the bridge's own. br_live_allocations is their balance,
// -1 when they are not counted.
int br_count_allocations(void);
int64_t br_live_allocations(void);
// br_fail_allocation makes the n'th allocation from now on fail, once, or with all those
// behind it; 0: none. It returns what was left of an earlier count, which is not
// positive if that one has failed.
int64_t br_fail_allocation(int64_t n, int all);

#endif
