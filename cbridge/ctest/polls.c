// Scenarios of polls: descriptors of somebody else's.
#include "rig.h"
#include "scenarios.h"

#include <sys/socket.h>
#include <unistd.h>

static uint64_t poll_of(int fd) {
  uint64_t id;
  CHECK(br_poll_new(loop, fd, &id) == 0);
  know(id);
  return id;
}

void scenario_poll(void) {
  begin();
  int fds[2], other[2];
  uint64_t id;
  CHECK(br_poll_new(loop, -1, &id) == UV_EBADF);
  CHECK(br_poll_new(loop, 1 << 20, &id) == UV_EBADF);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  uint64_t p = poll_of(fds[0]);
  CHECK(br_find_fd(loop, fds[0]) == p && br_find_fd(loop, fds[1]) == 0);
  CHECK(br_poll_new(loop, fds[0], &id) == UV_EEXIST);
  CHECK(br_poll_start(loop, p, 0, 1) == UV_EINVAL);
  CHECK(br_poll_start(loop, p, UV_READABLE, 1) == 0);
  CHECK(br_is_active(loop, p));
  CHECK(write(fds[1], "x", 1) == 1);
  for (int i = 1; i <= 3; i++) {
    turn(-1);
    CHECK(of(p)->polled == i && of(p)->events == UV_READABLE && of(p)->epoch == 1);
  }
  CHECK(br_poll_start(loop, p, UV_WRITABLE, 2) == 0);
  turn(-1);
  CHECK(of(p)->polled == 4 && of(p)->events == UV_WRITABLE && of(p)->epoch == 2);
  CHECK(br_poll_stop(loop, p) == 0);
  turn(0);
  CHECK(of(p)->polled == 4);

  // Its owner has closed it before the turn, and then gives the number back.
  CHECK(br_poll_start(loop, p, UV_READABLE, 3) == 0);
  close(fds[0]);
  turn(0);
  CHECK(br_poll_start(loop, p, UV_WRITABLE, 4) < 0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, other) == 0 && other[0] == fds[0]);
  CHECK(br_poll_start(loop, p, UV_READABLE, 5) == 0);
  uint64_t c = tcp();
  close(other[0]);
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  CHECK(br_tcp_bind(loop, c, &addr, sizeof addr, 0) == 0);
  CHECK(br_fileno(loop, c) == fds[0] && br_find_fd(loop, fds[0]) == c);
  CHECK(br_listen(loop, c, 8, 0, 0, -1, 0) == 0);
  turn(0);
  CHECK(of(p)->polled == 5 && of(p)->epoch == 5 && of(p)->failed == UV_EBADF);
  CHECK(br_poll_start(loop, p, UV_READABLE, 6) == UV_EBADF);
  CHECK(br_poll_stop(loop, p) == 0);
  submit(BR_OP_CLOSE, p);
  turn(0);
  CHECK(br_find_fd(loop, fds[0]) == c);
  CHECK(br_tcp_name(loop, c, 0, &addr) == sizeof addr);
  uint64_t d = tcp();
  CHECK(br_tcp_connect(loop, d, &addr, sizeof addr) == 0);
  UNTIL(of(c)->accepted && of(d)->connected);
  close(fds[1]);
  close(other[1]);
  end();
}
