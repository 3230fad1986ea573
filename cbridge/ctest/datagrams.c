// Scenarios of datagrams.
#include "rig.h"
#include "scenarios.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static uint64_t udp(struct sockaddr_in *addr, int batch, unsigned recv_bytes) {
  uint64_t id;
  *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  CHECK(br_udp_new(loop, 0, batch, recv_bytes, &id) == 0);
  know(id);
  CHECK(br_udp_bind(loop, id, addr, sizeof *addr, 0) == 0);
  CHECK(br_udp_bind(loop, id, addr, sizeof *addr, 0) == UV_EINVAL);
  CHECK(br_udp_name(loop, id, 0, addr) == sizeof *addr);
  return id;
}

static uint32_t padded(size_t n) { return (uint32_t)(n + 7) & ~7u; }

// put writes a datagram to the arena and returns how much it takes.
static uint32_t put(uint32_t off, const char *p, size_t len, const void *addr, uint32_t addr_len) {
  char *a = (char *)br_loop_arena(loop) + off;
  br_dgram_head head = {.len = (uint32_t)len, .addr_len = addr_len};
  memcpy(a, &head, sizeof head);
  if (addr_len > 0) memcpy(a + sizeof head, addr, addr_len);
  if (len > 0) memcpy(a + sizeof head + padded(addr_len), p, len);
  return (uint32_t)sizeof head + padded(addr_len) + padded(len);
}

// gather submits n datagrams, each `each` pieces of the operation behind the last.
static void gather(uint64_t id, int n, int each, const char *p, size_t len, const void *addr, uint32_t addr_len) {
  br_piece *pieces = br_loop_pieces(loop);
  br_op *op = submit(BR_OP_SEND, id);
  uint32_t off = 0;
  int piece = -1;
  for (int i = 0; i < n; piece++) {
    uint32_t start = off;
    for (int k = 0; k < each && i < n; k++, i++) off += put(off, p, len, addr, addr_len);
    if (piece < 0) {
      op->off = start;
      op->len = off - start;
    } else {
      pieces[piece] = (br_piece){.off = start, .len = off - start, .next = (uint32_t)piece + 1};
      op->n++;
      op->tail = (uint32_t)piece;
    }
    off += 64;
  }
}

// Datagrams of all sizes, gathered and alone, received in both ways.
void scenario_datagrams(void) {
  static char bytes[70000];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 7 + (i >> 8));
  static const size_t sizes[] = {0, 1, 1472, BR_DGRAM_SMALL_BYTES, BR_DGRAM_SMALL_BYTES + 1, 20000, 65507};
  static const unsigned takes[] = {10, 3000, 65536, 200000};
  for (int batch = 0; batch <= 1; batch++) {
    for (int t = 0; t < 4; t++) {
      begin();
      struct sockaddr_in to, from;
      uint64_t a = udp(&from, batch, 65536), b = udp(&to, batch, takes[t]);
      CHECK(br_recv_start(loop, b) == 0 && br_recv_start(loop, b) == 0);
      CHECK(br_is_active(loop, b) && !br_is_active(loop, a));
      int n = 0, partial = 0;
      size_t in = 0;
      for (int i = 0; i < (int)(sizeof sizes / sizeof sizes[0]); i++) {
        gather(a, 3, 2, bytes, sizes[i] < 30000 ? sizes[i] : 9, &to, sizeof to);
        turn(0);
        CHECK(br_send(loop, a, -1, bytes, sizes[i], &to, sizeof to) == 0);
        CHECK(br_try_send(loop, a, bytes, 5, &to, sizeof to) == 0);
        n += 5;
        UNTIL(of(b)->datagrams == n);
        size_t got[] = {sizes[i] < 30000 ? sizes[i] : 9, sizes[i], 5};
        for (int k = 0; k < 3; k++) {
          int times = k == 0 ? 3 : 1;
          partial += got[k] > takes[t] ? times : 0;
          in += (size_t)times * (got[k] > takes[t] ? takes[t] : got[k]);
        }
        CHECK(of(b)->in == in && of(b)->partial == partial);
      }
      CHECK(of(a)->unsent == 0 && of(a)->send_errors == 0);
      CHECK(br_recv_stop(loop, b) == 0);
      CHECK(!br_is_active(loop, b));
      end();
    }
  }
}

// One that cannot be sent fails alone, and its number is told.
void scenario_datagram_failures(void) {
  static char bytes[70000];
  begin();
  struct sockaddr_in to, from, nobody;
  uint64_t a = udp(&from, 1, 65536), b = udp(&to, 1, 65536);
  nobody = to;
  nobody.sin_port = 0;
  CHECK(br_recv_start(loop, b) == 0);
  uint32_t off = 0;
  br_op *op = submit(BR_OP_SEND, a);
  for (int i = 0; i < 200; i++) off += put(off, bytes, 7, i % 50 == 49 ? &nobody : &to, sizeof to);
  op->len = off;
  turn(0);
  CHECK(of(a)->send_errors == 4 && of(a)->bad == 199);
  UNTIL(of(b)->datagrams == 196);
  CHECK(br_send(loop, a, -1, bytes, 65508, &to, sizeof to) == 0);
  turn(0);
  CHECK(of(a)->send_errors == 5 && of(a)->bad == 200);
  CHECK(br_try_send(loop, a, bytes, 65508, &to, sizeof to) == UV_EMSGSIZE);
  CHECK(br_try_send(loop, a, bytes, 1, &nobody, sizeof nobody) == UV_EINVAL);
  off = 0;
  for (int i = 0; i < 100; i++) off += put(off, bytes, 7, i == 90 ? &nobody : &to, sizeof to);
  CHECK(br_try_sends(loop, a, 0, 100) == 90);
  // A refusal is told to the reader, and is not the end.
  CHECK(br_udp_connect(loop, a, &to, sizeof to) == 0);
  CHECK(br_udp_connect(loop, a, &to, sizeof to) == UV_EISCONN);
  CHECK(br_recv_start(loop, a) == 0);
  submit(BR_OP_CLOSE, b);
  UNTIL(of(b)->closed);
  CHECK(br_try_send(loop, a, bytes, 1, NULL, 0) == 0);
  UNTIL(of(a)->recv_errors == 1);
  CHECK(br_udp_connect(loop, a, NULL, 0) == 0);
  CHECK(br_udp_connect(loop, a, NULL, 0) == UV_ENOTCONN);
  CHECK(br_try_send(loop, a, bytes, 7, &from, sizeof from) == 0);
  UNTIL(of(a)->datagrams == 1);
  CHECK(of(a)->recv_errors == 1 && of(a)->send_errors == 5);
  end();
}

// connected makes a pair of Unix sockets, the first of which is a handle's.
static uint64_t connected(int *peer) {
  int fds[2];
  uint64_t id;
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
  fcntl(fds[1], F_SETFL, O_NONBLOCK);
  CHECK(br_udp_new(loop, 0, 1, 65536, &id) == 0);
  know(id);
  CHECK(br_udp_open(loop, id, fds[0]) == AF_UNIX);
  CHECK(br_udp_open(loop, id, fds[0]) == UV_EBUSY);
  *peer = fds[1];
  return id;
}

// What the kernel has no room for is kept in order, and leaves when there is room.
void scenario_datagrams_without_room(void) {
  char buf[100];
  int peer;
  begin();
  uint64_t a = connected(&peer);
  gather(a, 1000, 10, "0123456789", 10, NULL, 0);
  turn(0);
  CHECK(br_send(loop, a, -1, "last", 4, NULL, 0) == 0);
  CHECK(br_try_send(loop, a, "x", 1, NULL, 0) == UV_EAGAIN);
  CHECK(br_try_sends(loop, a, 0, 1) == UV_EAGAIN);
  turn(0);
  CHECK(of(a)->unsent > 0 && of(a)->unsent < 1001 && of(a)->left == (size_t)of(a)->unsent * 10 - 6);
  CHECK(br_is_active(loop, a));
  int n = 0;
  for (; n < 1001; n++) {
    ssize_t r;
    while ((r = read(peer, buf, sizeof buf)) < 0) turn(0);
    CHECK(r == (n < 1000 ? 10 : 4));
  }
  UNTIL(of(a)->gone == of(a)->unsent);
  CHECK(of(a)->written == of(a)->left && of(a)->send_errors == 0 && of(a)->stuck == 0);
  gather(a, 1000, 1, "0123456789", 10, NULL, 0);
  turn(0);
  CHECK(of(a)->unsent > of(a)->gone);
  close(peer);
  UNTIL(of(a)->gone == of(a)->unsent);
  CHECK(of(a)->send_errors > 0 && of(a)->bad == 2000);
  a = connected(&peer);
  gather(a, 1000, 1000, "0123456789", 10, NULL, 0);
  turn(0);
  submit(BR_OP_CLOSE, a);
  gather(a, 1, 1, "x", 1, NULL, 0);
  UNTIL(of(a)->closed);
  CHECK(br_send(loop, a, -1, "x", 1, NULL, 0) == UV_EBADF);
  close(peer);
  end();
}

// A turn brings datagrams of more sockets than there is memory for.
void scenario_many_sockets(void) {
  enum { N = 20, EACH = 30 };
  begin();
  struct sockaddr_in to[N], from;
  uint64_t id[N], a = udp(&from, 1, 65536);
  for (int i = 0; i < N; i++) {
    id[i] = udp(&to[i], i % 2, i % 3 == 0 ? 200000 : 65536);
    for (int k = 0; k < EACH; k++) CHECK(br_try_send(loop, a, "hello", 5, &to[i], sizeof to[i]) == 0);
  }
  for (int i = 0; i < N; i++) CHECK(br_recv_start(loop, id[i]) == 0);
  turn(0);
  CHECK(sh->read_short > 0);
  for (int i = 0; i < N; i++) CHECK(of(id[i])->datagrams > 0);
  for (int i = 0; i < N; i++) UNTIL(of(id[i])->in == EACH * 5);
  end();
}

// Addresses of Unix sockets, also those that libuv would change.
void scenario_unix_datagrams(void) {
  static const char path[] = "asyncio-bridge-harness";
  begin();
  struct sockaddr_un to = {.sun_family = AF_UNIX};
#ifdef __linux__
  memcpy(to.sun_path + 1, path, sizeof path - 1);
#else
  memcpy(to.sun_path, path, sizeof path);
  unlink(path);
#endif
  socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof path);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0), other = socket(AF_UNIX, SOCK_DGRAM, 0);
  CHECK(fd >= 0 && other >= 0 && bind(fd, (struct sockaddr *)&to, len) == 0);
  uint64_t a, b;
  CHECK(br_udp_new(loop, 0, 1, 65536, &b) == 0 && br_udp_new(loop, 0, 1, 65536, &a) == 0);
  know(a);
  know(b);
  CHECK(br_udp_open(loop, b, fd) == AF_UNIX && br_udp_open(loop, a, fd) == UV_EEXIST && br_udp_open(loop, a, other) == AF_UNIX);
  gather(a, 100, 7, "hello", 5, &to, len);
  turn(0);
  turn(0);
  CHECK(of(a)->unsent > 0 && of(a)->stuck == 1);
  CHECK(br_recv_start(loop, b) == 0);
  int stuck = 0;
  for (int turns = 0; of(b)->datagrams < 100; turns++) {
    CHECK(turns < 3000);
    if (stuck < of(a)->stuck) {
      stuck = of(a)->stuck;
      submit(BR_OP_SEND_AGAIN, a);
    }
    turn(turns < 100 ? 0 : 1);
  }
  UNTIL(of(a)->gone == of(a)->unsent);
  submit(BR_OP_SEND_AGAIN, a);
  CHECK(of(b)->in == 500);
  end();
#ifndef __linux__
  unlink(path);
#endif
}
