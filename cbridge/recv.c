// Receiving datagrams.
//
// libuv tells that a socket is readable, by asking for memory; it gets none, reports
// UV_ENOBUFS and receives nothing. The datagrams are received here. libuv's own way
// wants 64 KiB for each of them at places that far apart, forgets the length of an
// address and cuts that of a Unix socket, and makes a system call more to find that
// there is no other.
//
// A datagram comes into two pieces of memory: the first bytes beside its address, in a
// br_dgram, and what is beyond them into its room. Those of most lie in the one, and are
// copied nowhere. Of a larger one the first bytes are copied to the front of the room, so
// that all are in one piece. Rooms that were never used cost nothing.
//
// The memory is filled from the front during a turn and free again at the next. A
// socket that finds it full is told to Go, which receives when the turn of that record
// comes: all datagrams before it have been dealt with by then, and the memory is free
// again.
#define _GNU_SOURCE  // recvmmsg
#include "datagrams.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#ifdef __linux__
#include <linux/errqueue.h>
#endif

enum {
  TURN_ERRORS_MAX = 64,  // told of a socket in a turn
  BATCH_MAX = 8,         // received by a system call
};

struct br_inbox {
  uint32_t used;   // of the dgrams
  uint32_t bytes;  // what the pieces are made for: the recv_bytes of the last socket
  br_msg msgs[BR_DGRAMS];
  struct iovec iov[BR_DGRAMS][2];
  char *rooms;
  alignas(64) br_dgram dgrams[BR_DGRAMS];
};

static void refresh(br_inbox *in, unsigned i) {
  in->msgs[i].msg_hdr.msg_namelen = BR_DGRAM_NAME_BYTES;
  in->msgs[i].msg_hdr.msg_flags = 0;
}

int br_inbox_open(br_loop *l) {
  if (l->in != NULL) return 0;
  br_inbox *in = br_alloc(sizeof *in);
  if (in == NULL) return UV_ENOMEM;
  in->used = in->bytes = 0;
  in->rooms = br_alloc((size_t)BR_DGRAMS * BR_DGRAM_ROOM_BYTES);
  if (in->rooms == NULL) {
    br_free(in);
    return UV_ENOMEM;
  }
  for (unsigned i = 0; i < BR_DGRAMS; i++) {
    br_dgram *d = &in->dgrams[i];
    in->iov[i][0].iov_base = d->data;
    in->iov[i][1].iov_base = in->rooms + (size_t)i * BR_DGRAM_ROOM_BYTES + BR_DGRAM_SMALL_BYTES;
    in->msgs[i] = (br_msg){.msg_hdr = {.msg_name = d->addr, .msg_iov = in->iov[i]}};
    refresh(in, i);
  }
  l->in = in;
  return 0;
}

void br_inbox_free(br_loop *l) {
  if (l->in != NULL) br_free(l->in->rooms);
  br_free(l->in);
}

void br_udp_memory(br_loop *l, br_dgram **dgrams, char **rooms) {
  *dgrams = l->in->dgrams;
  *rooms = l->in->rooms;
}

void br_inbox_turn(br_inbox *in) {
#ifdef BRIDGE_DEBUG
  for (unsigned i = 0; i < in->used; i++) memset(in->dgrams[i].data, 0xDB, BR_DGRAM_SMALL_BYTES);
#endif
  in->used = 0;
}

// fit makes the pieces as large as the socket wants them.
static void fit(br_inbox *in, uint32_t bytes) {
  if (in->bytes == bytes) return;
  in->bytes = bytes;
  size_t small = bytes < BR_DGRAM_SMALL_BYTES ? bytes : BR_DGRAM_SMALL_BYTES;
  for (unsigned i = 0; i < BR_DGRAMS; i++) {
    in->iov[i][0].iov_len = small;
    in->iov[i][1].iov_len = bytes - small;
    in->msgs[i].msg_hdr.msg_iovlen = bytes > small ? 2 : 1;
  }
}

// took completes the i'th datagram.
static void took(br_inbox *in, unsigned i, size_t len) {
  br_dgram *d = &in->dgrams[i];
  const struct msghdr *m = &in->msgs[i].msg_hdr;
  d->len = (uint32_t)len;
  d->addr_len = (uint16_t)(m->msg_namelen < BR_DGRAM_NAME_BYTES ? m->msg_namelen : BR_DGRAM_NAME_BYTES);
  d->partial = (m->msg_flags & MSG_TRUNC) != 0;
  if (len > BR_DGRAM_SMALL_BYTES) memcpy(in->rooms + (size_t)i * BR_DGRAM_ROOM_BYTES, d->data, BR_DGRAM_SMALL_BYTES);
  refresh(in, i);
}

// take receives up to n datagrams, from the i'th on. It returns their number, or -1 with
// errno.
static int take(br_inbox *in, int fd, unsigned i, unsigned n) {
#ifdef __linux__
  if (n > 1) {
    int r = recvmmsg(fd, in->msgs + i, n, MSG_DONTWAIT, NULL);
    for (int k = 0; k < r; k++) took(in, i + (unsigned)k, in->msgs[i + (unsigned)k].msg_len);
    return r;
  }
#endif
  (void)n;
  ssize_t r = recvmsg(fd, &in->msgs[i].msg_hdr, MSG_DONTWAIT);
  if (r < 0) {
    refresh(in, i);
    return -1;
  }
  took(in, i, (size_t)r);
  return 1;
}

// step is how many dgrams one datagram takes.
static unsigned step(const br_udp *u) { return (u->recv_bytes + BR_DGRAM_ROOM_BYTES - 1) / BR_DGRAM_ROOM_BYTES; }

// fill receives a batch, or, of a socket that is not for batches, until there are no more
// or the memory is full. It returns the number of datagrams, and in err an error.
//
// A batch is small, for three reasons: it is answered before the next one, so that the
// peer can begin; its memory stays in the processor's nearest cache; and Go's runtime,
// where it has one processor only, takes that from a thread that is in C for more than 20
// us. With 1,400 bytes from 100 sockets batches of 4, 8, 16 and 64 cost 2.7, 2.7, 2.6 and
// 3.5 us a datagram; with 64 bytes from 10 sockets 2.7, 2.7, 2.9 and 2.8 us.
static unsigned fill(br_loop *l, br_udp *u, int *err) {
  br_inbox *in = l->in;
  unsigned n = 0, each = step(u);
  int fd = br_udp_fd(u);
  *err = 0;
  fit(in, u->recv_bytes);
  while (in->used + each <= BR_DGRAMS) {
    unsigned left = BR_DGRAMS - in->used;
    unsigned want = u->batch && each == 1 ? (left < BATCH_MAX ? left : BATCH_MAX) : 1;
    l->sh.recv_calls++;
    int r = take(in, fd, in->used, want);
    if (r < 0 && errno == EINTR) continue;
    if (r < 0 && errno != EAGAIN && errno != EWOULDBLOCK) *err = errno;
    if (r <= 0) return n;
    n += (unsigned)r;
    in->used += (unsigned)r * each;
    if (want > 1) return n;
  }
  return n;
}

// errors empties the queue of errors that the system keeps for a socket with
// BR_UDP_RECVERR, and for some that the program has made itself: as long as there is one
// the socket is readable. It returns how many it has told. A Unix socket has no such
// queue, and would take the call for one that asks for a datagram.
static int errors(br_loop *l, br_udp *u) {
  int n = 0;
  if (u->family == AF_UNIX) return 0;
#ifdef __linux__
  char control[512];
  while (n < TURN_ERRORS_MAX && br_room(l, 1)) {
    struct msghdr m = {.msg_control = control, .msg_controllen = sizeof control};
    ssize_t r = recvmsg(br_udp_fd(u), &m, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return n;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
      int ours = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                 (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
      struct sock_extended_err e;
      if (!ours) continue;
      memcpy(&e, CMSG_DATA(c), sizeof e);
      if (e.ee_errno == 0 || e.ee_origin == SO_EE_ORIGIN_TIMESTAMPING || e.ee_origin == SO_EE_ORIGIN_ZEROCOPY) continue;
      br_push(l, BR_REC_RECV_ERROR, &u->h, uv_translate_sys_error((int)e.ee_errno));
      n++;
    }
  }
#else
  (void)l;
  (void)u;
#endif
  return n;
}

// tell_errors tells what has kept a socket from bringing more than n datagrams. An error
// that is in the queue too is told once.
static void tell_errors(br_loop *l, br_udp *u, unsigned n, int err) {
  if (err == 0 && n > 0) return;
  if (errors(l, u) == 0 && err != 0) br_push(l, BR_REC_RECV_ERROR, &u->h, uv_translate_sys_error(err));
}

// is_shut reports whether shutdown(2) has ended what comes. Such a socket is readable for
// ever, and brings nothing.
static int is_shut(br_udp *u) {
#ifdef POLLRDHUP
  struct pollfd p = {.fd = br_udp_fd(u), .events = POLLRDHUP};
  return poll(&p, 1, 0) > 0 && (p.revents & POLLRDHUP) != 0;
#else
  (void)u;
  return 0;
#endif
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf) {
  (void)hint;
  br_polled(br_loop_of(h));
  *buf = uv_buf_init(NULL, 0);
}

static void on_recv(uv_udp_t *v, ssize_t nread, const uv_buf_t *buf, const struct sockaddr *addr, unsigned flags) {
  (void)buf;
  (void)addr;
  (void)flags;
  br_loop *l = br_loop_of((uv_handle_t *)v);
  br_udp *u = br_udp_of(br_of(v));
  if (nread != UV_ENOBUFS || !br_room(l, 2)) return;  // the next turn has room
  br_inbox *in = l->in;
  uint32_t first = in->used, each = step(u);
  if (first + each > BR_DGRAMS) {
    in->used = BR_DGRAMS;  // what comes behind this record must not lie in the memory either
    l->sh.read_short++;
    br_push(l, BR_REC_RECV_READY, &u->h, 0);
    return;
  }
  int err;
  unsigned n = fill(l, u, &err);
  if (n > 0) {
    br_rec *r = br_push(l, BR_REC_DATAGRAMS, &u->h, (int)n);
    r->value = first;
    r->aux = (uint16_t)each;
  }
  tell_errors(l, u, n, err);
  if (n == 0 && err == 0 && is_shut(u)) br_recv_end(u);
}

int br_recv(br_loop *l, uint64_t id, unsigned *each) {
  br_udp *u = br_find_udp(l, id);
  if (u == NULL || !u->receiving || !br_room(l, 1)) return 0;
  l->in->used = 0;
  int err;
  unsigned n = fill(l, u, &err);
  l->in->used = BR_DGRAMS;
  if (err != 0) tell_errors(l, u, n, err);  // else the next turn finds them
  *each = step(u);
  return (int)n;
}

int br_recv_start(br_loop *l, uint64_t id) {
  br_udp *u = br_find_udp(l, id);
  if (u == NULL || u->family == AF_UNSPEC) return UV_EBADF;
  if (u->receiving) return 0;
  uv_udp_t *v = br_uv_udp(u);
  int err = br_watch_io(l, &v->io_watcher);
  if (err == 0) err = uv_udp_recv_start(v, on_alloc, on_recv);
  if (err != 0) return err;
  br_watched(&v->io_watcher);
  u->receiving = 1;
  return 0;
}

void br_recv_end(br_udp *u) {
  if (!u->receiving) return;
  u->receiving = 0;
  uv_udp_recv_stop(br_uv_udp(u));
}

int br_recv_stop(br_loop *l, uint64_t id) {
  br_udp *u = br_find_udp(l, id);
  if (u == NULL) return UV_EBADF;
  br_recv_end(u);
  return 0;
}
