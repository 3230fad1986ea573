// Scenarios of memory that is refused for good.
#include "rig.h"
#include "scenarios.h"

#include <unistd.h>

static char bytes[4 << 20];

static void refuse(void) { br_fail_allocation(1, 1); }

static void allow(void) { CHECK(br_fail_allocation(0, 0) == -1); }

// A stream that libuv writes, and one that connects, fail for want of memory; what libuv
// has goes on, and both are closed as ever.
void scenario_no_memory_to_write(void) {
  begin();
  uint64_t a, b;
  pair(&a, &b);
  for (int i = 0; i < 2; i++) CHECK(br_write(loop, a, -1, bytes, sizeof bytes) > 0);
  submit(BR_OP_SHUTDOWN, a);
  turn(0);
  refuse();
  CHECK(br_write(loop, a, -1, bytes, sizeof bytes) == UV_ENOMEM);
  CHECK(br_write(loop, a, -1, bytes, 1) == UV_EPIPE);
  allow();
  submit(BR_OP_READ_START, b);
  for (size_t before = 1; before != of(b)->in;) {  // what libuv has
    before = of(b)->in;
    for (int i = 0; i < 20; i++) turn(1);
  }
  CHECK(of(b)->in > 0 && of(b)->in < 2 * sizeof bytes);
  CHECK(of(a)->shut == 1 && of(a)->failed == 0 && of(a)->written == 0);

  struct sockaddr_in addr;
  listener(&addr, 0);
  uint64_t c = tcp();
  CHECK(br_tcp_connect(loop, c, &addr, sizeof addr) == 0);
  CHECK(br_write(loop, c, -1, bytes, 10) == 10);
  submit(BR_OP_SHUTDOWN, c);
  br_flush(loop, nops);
  nops = 0;
  refuse();
  CHECK(br_write(loop, c, -1, bytes, sizeof bytes) == UV_ENOMEM);
  UNTIL(of(c)->connected);
  CHECK(of(c)->connect_status == 0 && of(c)->shut == 1);
  end();
  allow();
}

// More datagrams fail than there is room for records: the rest is told by one.
void scenario_no_memory_for_failures(void) {
  enum { SENDS = 2000 };
  begin();
  struct sockaddr_in nobody = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(1)};
  struct sockaddr_in broadcast = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_BROADCAST), .sin_port = htons(1)};
  uint64_t u;
  CHECK(br_udp_new(loop, AF_INET, 1, 65536, &u) == 0);
  know(u);
  refuse();
  for (int i = 0; i < SENDS; i++) {
    if (i % 2 == 0) {
      CHECK(br_send(loop, u, -1, bytes, 70000, &nobody, sizeof nobody) == 0);  // too long
    } else {
      CHECK(br_send(loop, u, -1, bytes, 1, &broadcast, sizeof broadcast) == 0);  // not allowed
    }
  }
  CHECK(sh->nrec < SENDS / 2);
  turn(0);
  CHECK(of(u)->send_errors == SENDS && of(u)->bad == SENDS - 1);
  CHECK(of(u)->unsent == 0);
  end();
  allow();
}

// Datagrams that there is no memory to keep fail in their order, behind those that are
// kept.
void scenario_no_memory_to_keep(void) {
  enum { KEPT = 10, REFUSED = 7 };
  begin();
  int fds[2];
  uint64_t u;
  CHECK(br_socketpair(SOCK_DGRAM, 0, 1, 1, fds) == 0);
  CHECK(br_udp_new(loop, 0, 1, 65536, &u) == 0);
  know(u);
  CHECK(br_udp_open(loop, u, fds[0]) == AF_UNIX);
  int n = 0, sent = 0;
  while (sh->nrec == 0 && ++sent) CHECK(br_send(loop, u, -1, bytes, 1000, NULL, 0) == 0);
  for (n = 1; n < KEPT; n++) CHECK(br_send(loop, u, -1, bytes, 1000, NULL, 0) == 0);
  refuse();
  for (n = 0; n < REFUSED; n++) CHECK(br_send(loop, u, -1, bytes, 1000, NULL, 0) == 0);
  allow();
  CHECK(br_send(loop, u, -1, bytes, 1000, NULL, 0) == 0);
  turn(0);
  CHECK(of(u)->send_errors == 0 && of(u)->unsent == KEPT + REFUSED + 1);
  for (int turns = 0; of(u)->gone < KEPT + REFUSED + 1; turns++) {
    CHECK(turns < 3000);
    read(fds[1], bytes, 1000) < 0 ? turn(1) : turn(0);
  }
  CHECK(of(u)->send_errors == REFUSED && of(u)->bad == (uint64_t)(sent - 1 + KEPT + REFUSED - 1));
  CHECK(of(u)->left == of(u)->written);
  end();
  close(fds[1]);
}

// More changes than there is room for: an error stands for the rest.
#ifdef __linux__
#include <fcntl.h>

void scenario_no_memory_for_changes(void) {
  enum { FILES = 1000 };
  char dir[] = "/tmp/asyncio-bridge-XXXXXX", path[64];
  begin();
  uint64_t w, a, b;
  CHECK(mkdtemp(dir) != NULL);
  CHECK(br_fs_event_new(loop, &w) == 0);
  know(w);
  CHECK(br_fs_event_start(loop, w, dir, 0, 1) == 0);
  pair(&a, &b);
  submit(BR_OP_READ_START, b);
  turn(0);
  for (int i = 0; i < FILES; i++) {
    snprintf(path, sizeof path, "%s/%d", dir, i);
    close(open(path, O_WRONLY | O_CREAT, 0600));
  }
  CHECK(br_write(loop, a, -1, bytes, 10000) == 0);
  int before = told;
  refuse();
  turn(0);
  CHECK(of(w)->changes < FILES && told > before);
  UNTIL(of(b)->in == 10000);
  int changes = of(w)->changes;
  for (int i = 0; i < FILES; i++) {
    snprintf(path, sizeof path, "%s/%d", dir, i);
    unlink(path);
    if (i % 50 == 0) turn(0);
  }
  UNTIL(of(w)->changes >= changes + FILES / 2);
  allow();
  rmdir(dir);
  end();
}
#endif
