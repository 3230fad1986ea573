// Datagrams: what recv.c, send.c and udp.c share, and offer to the files above them.
#ifndef ASYNCIO_BRIDGE_DATAGRAMS_H
#define ASYNCIO_BRIDGE_DATAGRAMS_H

#include "internal.h"

// A datagram that the kernel has not taken. Its address precedes its bytes.
typedef struct br_unsent {
  struct br_unsent *next;
  size_t len;
  unsigned addr_len;
  unsigned refused;  // datagrams behind it that there was no memory for
  alignas(8) char addr[];
} br_unsent;

typedef struct {
  br_unsent *head, *tail;  // oldest first
  br_req *req;             // by which libuv sends the oldest when there is room; NULL before the first
  uint64_t gone;           // datagrams that have left or failed
  uint32_t recv_bytes;     // what is taken of a datagram
  uint8_t family;          // AF_UNSPEC: there is no socket yet
  uint8_t batch;           // receives several by a system call
  uint8_t receiving;
  uint8_t waiting;         // for room: libuv has the oldest, or BR_REC_SEND_STUCK is told
  alignas(16) br_handle h;
} br_udp;

// One message of recvmmsg(2) and sendmmsg(2), which not every system has.
#ifdef __linux__
typedef struct mmsghdr br_msg;
#else
typedef struct {
  struct msghdr msg_hdr;
  unsigned msg_len;
} br_msg;
#endif

static inline br_udp *br_udp_of(br_handle *h) { return (br_udp *)((char *)h - offsetof(br_udp, h)); }
static inline uv_udp_t *br_uv_udp(br_udp *u) { return (uv_udp_t *)br_uv(&u->h); }
static inline int br_udp_fd(br_udp *u) {
  uv_os_fd_t fd;
  return uv_fileno(br_uv(&u->h), &fd) == 0 ? fd : -1;
}

static inline br_udp *br_find_udp(const br_loop *l, uint64_t id) {
  br_handle *h = br_find_kind(l, id, BR_KIND_UDP);
  return h != NULL ? br_udp_of(h) : NULL;
}

static inline int br_would_wait(int err) { return err == EAGAIN || err == EWOULDBLOCK || err == ENOBUFS; }

// recv.c
int br_inbox_open(br_loop *l);
void br_inbox_free(br_loop *l);
void br_inbox_turn(br_inbox *in);  // what was received in the last turn is gone
void br_recv_end(br_udp *u);

// send.c
int br_outbox_open(br_loop *l);
void br_outbox_free(br_loop *l);
void br_outbox_batch(br_loop *l, int batch);
void br_send_op(br_loop *l, const br_op *op);
void br_send_again(br_loop *l, br_udp *u);
void br_unsent_free(br_loop *l, br_udp *u);

// udp.c
extern const br_kind br_udp_kind;

#endif
