// A scenario of random calls: whatever comes, nothing aborts and nothing is left.
#include "rig.h"
#include "scenarios.h"

#include <sys/socket.h>
#include <unistd.h>

static uint32_t rnd(void) {
  static uint64_t x = 148;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return (uint32_t)(x >> 16);
}

// any_id is mostly an id that was given out, sometimes a stale or invented one.
static uint64_t any_id(void) {
  uint32_t slot = rnd() % 24;
  return (uint64_t)(slots[slot].gen + (rnd() % 16 == 0)) << 32 | slot;
}

// Sockets of somebody else's, which he closes when he likes.
static int foreign[8];

static void any_foreign(void) {
  int *pair = &foreign[rnd() % 4 * 2];
  if (pair[0] != 0) {
    close(pair[0]);
    close(pair[1]);
    pair[0] = 0;
    return;
  }
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  CHECK(write(pair[1], "x", 1) == 1);
}

static void any_datagram(uint64_t id, struct sockaddr_in *addr, const char *bytes) {
  int addr_len = rnd() % 3 ? (int)sizeof *addr : 0;
  unsigned step;
  switch (rnd() % 6) {
    case 0: br_try_send(loop, id, bytes, rnd() % 1000, addr, addr_len); break;
    case 1: br_recv_stop(loop, id); break;
    case 2: br_recv(loop, id, &step); break;
    default: br_send(loop, id, -1, bytes, rnd() % 70000, addr, addr_len);
  }
}

// any_gathered makes the operation send one datagram, which it puts into the arena.
static void any_gathered(br_op *op, const struct sockaddr_in *addr) {
  br_dgram_head head = {.len = rnd() % 60 * 8, .addr_len = rnd() % 3 ? sizeof *addr : 0};
  op->off = nops * 1024;
  op->n = 0;
  char *p = (char *)br_loop_arena(loop) + op->off;
  memcpy(p, &head, sizeof head);
  memcpy(p + sizeof head, addr, sizeof *addr);
  op->len = (uint32_t)sizeof head + head.addr_len + head.len;
}

static void any_option(uint64_t id, struct sockaddr_in *addr) {
  struct sockaddr_in group = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xefff0001)};
  char name[BR_ADDR_BYTES];
  switch (rnd() % 8) {
    case 0: br_udp_group(loop, id, (int)(rnd() % 2), &group, addr, rnd() % 2 ? addr : NULL); break;
    case 1: br_udp_interface(loop, id, addr); break;
    case 2: br_udp_any(loop, id, rnd() % 2 ? AF_INET : AF_INET6, (int)(rnd() % 2)); break;
    case 3: br_udp_open(loop, id, br_fileno(loop, any_id())); break;
    case 4: br_udp_name(loop, id, (int)(rnd() % 2), name); break;
    case 5: br_udp_open(loop, id, dup(foreign[rnd() % 8])); break;
    default: br_udp_set(loop, id, (int)(rnd() % 5), (int)(rnd() % 2));
  }
}

// any_ipc makes a pair of pipes that pass handles.
static void any_ipc(void) {
  uint64_t a, b;
  int fds[2];
  if (sh->handles >= 20 || br_ipc_new(loop, &a) != 0) return;
  know(a);
  CHECK(br_ipc_new(loop, &b) == 0);
  know(b);
  CHECK(br_socketpair(SOCK_STREAM, 0, 0, 0, fds) == 0);
  if (br_open(loop, a, fds[0]) != 1) close(fds[0]);  // a poll may still have the number
  if (br_open(loop, b, fds[1]) != 1) close(fds[1]);
}

static void any_handle(uint64_t id) {
  static char bytes[100000];
  static br_fds fds;
  int64_t left;
  for (int i = 0; i < 5; i++) br_ipc_write(loop, id, bytes, rnd() % sizeof bytes, any_id(), &left);
  br_ipc_try_write(loop, id, bytes, rnd() % 100, any_id());
  br_ipc_read(loop, id, bytes, rnd() % sizeof bytes, &fds);
  for (int i = 0; i < fds.n; i++) close(fds.fds[i]);
  br_tty_mode(loop, id, (int)(rnd() % 5));
}

static void any_call(struct sockaddr_in *addr) {
  static char bytes[100000];
  char name[BR_ADDR_BYTES];
  uint64_t id = any_id(), other;
  int value = (int)(rnd() % 3) * 1000;
  switch (rnd() % 38) {
    case 0:
      if (sh->handles < 20 && br_tcp_new(loop, rnd() % 4 == 0 ? rnd() % 300 : 0, &other) == 0) know(other);
      break;
    case 1:
      if (sh->handles < 20 && br_pipe_new(loop, &other) == 0) know(other);
      break;
    case 2: br_tcp_bind(loop, id, addr, rnd() % 8 ? sizeof *addr : 4, rnd() % 8); break;
    case 3: br_listen(loop, id, 8, 1, (int)(rnd() % 2), (int)(rnd() % 3) - 1, (int)(rnd() % 2)); break;
    case 4: br_tcp_connect(loop, id, addr, sizeof *addr); break;
    case 5:
      if (br_tcp_name(loop, id, (int)(rnd() % 2), name) == (int)sizeof *addr) memcpy(addr, name, sizeof *addr);
      break;
    case 6: br_write(loop, id, -1, bytes, rnd() % sizeof bytes); break;
    case 7: br_try_write(loop, id, bytes, rnd() % 1000); break;
    case 8: br_close_reset(loop, id); break;
    case 9: br_buffer_size(loop, id, (int)(rnd() % 2), &value); break;
    case 10: br_pipe_connect(loop, id, "/tmp/asyncio-bridge-nobody", 26); break;
    case 11: br_open(loop, id, br_fileno(loop, any_id())); break;
    case 12: br_tcp_keepalive(loop, id, (int)(rnd() % 2), rnd() % 3); break;
    case 13: br_read(loop, id, bytes, rnd() % sizeof bytes); break;
    case 14: any_foreign(); break;
    case 15:
      if (sh->handles < 20 && br_poll_new(loop, foreign[rnd() % 8], &other) == 0) know(other);
      break;
    case 16:
    case 17: br_poll_start(loop, id, (int)(rnd() % 16), rnd()); break;
    case 18: br_poll_stop(loop, id); break;
    case 19:
    case 20:
      if (sh->handles < 20 && br_udp_new(loop, rnd() % 2 ? AF_INET : (int)rnd() % 12, (int)(rnd() % 2), rnd() % 100000, &other) == 0) know(other);
      break;
    case 21: br_udp_bind(loop, id, addr, rnd() % 8 ? sizeof *addr : 4, rnd() % 32); break;
    case 22: br_udp_connect(loop, id, rnd() % 3 ? addr : NULL, sizeof *addr); break;
    case 23: br_recv_start(loop, id); break;
    case 24: any_datagram(id, addr, bytes); break;
    case 25: any_option(id, addr); break;
    case 26: any_ipc(); break;
    case 27: any_handle(id); break;
    case 28:
      if (sh->handles < 20 && br_fs_event_new(loop, &other) == 0) know(other);
      break;
    case 29: br_fs_event_start(loop, id, rnd() % 4 ? "/tmp" : "/tmp/asyncio-bridge-nobody", rnd() % 4, rnd()); break;
    case 30: br_fs_event_stop(loop, id); break;
    default: turn(0);
  }
}

void scenario_anything(void) {
  for (int round = 0; round < 200; round++) {
    begin();
    memset(br_loop_arena(loop), 'a', BR_ARENA_BYTES);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int step = 0; step < 200; step++) {
      if (rnd() % 2) {
        any_call(&addr);
        continue;
      }
      // Acknowledgements are Go's alone to send: it never sends one for a handle that is
      // not closed.
      int kind = (int)(rnd() % (BR_OP_ACCEPT_ROOM + 3));
      if (kind == BR_OP_ACK || nops > BR_OPS_MAX - 64) continue;
      br_op *op = submit(kind, any_id());
      op->arg = (int32_t)(rnd() % 4) - 1;
      op->off = rnd() % 1000;
      op->len = rnd() % 1000;
      if (kind == BR_OP_SEND) any_gathered(op, &addr);
    }
    end();
    for (int i = 0; i < 8; i += 2) {
      if (foreign[i] != 0) {
        close(foreign[i]);
        close(foreign[i + 1]);
        foreign[i] = 0;
      }
    }
  }
}
