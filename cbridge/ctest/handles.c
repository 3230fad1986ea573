// Scenarios of handles that go over pipes, and of terminals.
#define _GNU_SOURCE  // posix_openpt
#include "rig.h"
#include "scenarios.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static uint64_t ipc(int fd) {
  uint64_t id;
  CHECK(br_ipc_new(loop, &id) == 0);
  know(id);
  CHECK(br_open(loop, id, fd) == 1);
  return id;
}

static uint64_t bound(void) {
  uint64_t id = tcp();
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  CHECK(br_tcp_bind(loop, id, &any, sizeof any, 0) == 0);
  return id;
}

static size_t bytes, came;
static int last;  // what the last read has returned

// receive takes what there is, and closes the descriptors that come.
static void receive(uint64_t id) {
  static char buf[100000];
  br_fds fds;
  int64_t n = br_ipc_read(loop, id, buf, sizeof buf, &fds);
  for (int i = 0; i < fds.n; i++) {
    CHECK(fcntl(fds.fds[i], F_GETFD) & FD_CLOEXEC);
    close(fds.fds[i]);
    came++;
  }
  CHECK(!fds.lost);
  if (n > 0) bytes += (size_t)n;
  last = (int)n;
}

static void close_now(uint64_t id) {
  submit(BR_OP_CLOSE, id);
  br_flush(loop, nops);
  nops = 0;
}

void scenario_handles(void) {
  begin();
  int fds[2];
  CHECK(br_socketpair(SOCK_STREAM, 0, 1, 1, fds) == 0);
  uint64_t a = ipc(fds[0]), b = ipc(fds[1]);
  uint64_t c = bound(), none = tcp(), file;
  int64_t left = -1;
  CHECK(br_listen(loop, a, 1, 0, 0, -1, 0) == UV_EINVAL);
  CHECK(br_ipc_write(loop, c, "x", 1, a, &left) == UV_EBADF);
  CHECK(br_ipc_write(loop, a, "x", 0, c, &left) == UV_EINVAL);
  CHECK(br_ipc_write(loop, a, "x", 1, none, &left) == UV_EBADF);
  CHECK(br_ipc_write(loop, a, "x", 1, 12345, &left) == UV_EBADF);
  CHECK(br_ipc_write(loop, a, "x", 1, c, &left) == 0 && left == 0);
  CHECK(br_ipc_try_write(loop, a, "yz", 2, c) == 2);
  bytes = came = 0;
  receive(b);
  CHECK(last == 0);  // not started
  submit(BR_OP_READ_START, b);
  turn(0);  // the rig reads it as any other stream, and the kernel closes what came
  UNTIL(of(b)->in == 3);
  receive(b);
  CHECK(last == 0 && came == 0);

  // More than the kernel takes: bytes and handles in turns.
  static char bulk[300000];
  size_t sent = 0, handles = 0;
  submit(BR_OP_READ_STOP, b);
  turn(0);
  for (int i = 0; i < 12; i++) {
    left = br_write(loop, a, -1, bulk, sizeof bulk);
    CHECK(left >= 0);
    sent += sizeof bulk;
    uint64_t gone = bound();
    CHECK(br_ipc_write(loop, a, bulk, 10, gone, &left) == 0 && (i == 0 || left == 10));
    sent += 10;
    handles++;
    close_now(gone);
  }
  CHECK(left > 0 && br_ipc_try_write(loop, a, "x", 1, c) == UV_EAGAIN);
  submit(BR_OP_SHUTDOWN, a);
  submit(BR_OP_READ_START, b);
  reads = receive;
  UNTIL(last == UV_EOF);
  reads = pull;
  CHECK(bytes == sent && came == handles);
  receive(b);
  CHECK(last == 0);  // has stopped

  // A pipe with handles that wait is closed, and one whose peer is gone.
  CHECK(br_socketpair(SOCK_STREAM, 0, 0, 0, fds) == 0);
  uint64_t d = ipc(fds[0]);
  CHECK(br_write(loop, d, -1, bulk, sizeof bulk) > 0);
  for (int i = 0; i < 6; i++) CHECK(br_ipc_write(loop, d, bulk, 100, c, &left) == 0 && left == 100);
  turn(0);
  close_now(d);
  close(fds[1]);
  CHECK(br_socketpair(SOCK_STREAM, 0, 0, 0, fds) == 0);
  d = ipc(fds[0]);
  CHECK(br_write(loop, d, -1, bulk, sizeof bulk) > 0);
  for (int i = 0; i < 6; i++) CHECK(br_ipc_write(loop, d, bulk, 100, c, &left) == 0 && left == 100);
  turn(0);
  close(fds[1]);
  UNTIL(of(d)->failed == UV_EPIPE || of(d)->failed == UV_ECONNRESET);
  CHECK(br_ipc_write(loop, d, bulk, 100, c, &left) == UV_EPIPE);

  CHECK(br_ipc_new(loop, &file) == 0);
  know(file);
  CHECK(br_pipe_pair(0, 0, fds) == 0);
  CHECK(br_open(loop, file, fds[0]) == UV_EINVAL);
  close(fds[0]);
  close(fds[1]);
  end();
}

static uint64_t terminal(int fd) {
  uint64_t id;
  CHECK(br_tty_new(loop, fd, &id) == 0);
  know(id);
  return id;
}

static int echoes(int fd) {
  struct termios m;
  CHECK(tcgetattr(fd, &m) == 0);
  return (m.c_lflag & ECHO) != 0;
}

void scenario_terminals(void) {
  begin();
  int user = posix_openpt(O_RDWR | O_NOCTTY), cols, rows;
  CHECK(user >= 0 && grantpt(user) == 0 && unlockpt(user) == 0);
  int program = open(ptsname(user), O_RDWR | O_NOCTTY);
  uint64_t id;
  CHECK(program >= 0);
  CHECK(br_tty_new(loop, -1, &id) == UV_EBADF);
  int null = open("/dev/null", O_RDWR);
  CHECK(br_tty_new(loop, null, &id) == UV_EINVAL && br_guess(null) == BR_GUESS_FILE);
  close(null);
  uint64_t a = terminal(program), b = terminal(user);
  CHECK(br_guess(program) == BR_GUESS_TTY);
  CHECK(br_fileno(loop, a) != program && !(fcntl(program, F_GETFL) & O_NONBLOCK));
  CHECK(br_open(loop, a, program) == UV_EBUSY && br_listen(loop, a, 1, 0, 0, -1, 0) == UV_EINVAL);
  CHECK(br_tty_size(loop, a, &cols, &rows) == 0 && cols == 0);

  submit(BR_OP_READ_START, a);
  submit(BR_OP_READ_START, b);
  turn(0);
  CHECK(br_write(loop, b, -1, "line\n", 5) == 0);
  UNTIL(of(a)->in == 5 && of(b)->in == 6);  // its echo ends in two bytes
  CHECK(br_write(loop, a, -1, "answer", 6) == 0);
  UNTIL(of(b)->in == 12);
  CHECK(br_write(loop, b, -1, "\004", 1) == 0);
  UNTIL(of(a)->eof == 1);

  CHECK(br_tty_mode(loop, a, 7) == UV_EINVAL && br_tty_mode(loop, tcp(), BR_TTY_RAW) == UV_EBADF);
  CHECK(br_tty_mode(loop, a, BR_TTY_RAW) == 0 && !echoes(program));
  CHECK(br_tty_mode(loop, b, BR_TTY_IO) == 0 && br_tty_reset() == 0 && echoes(program));
  CHECK(br_tty_mode(loop, b, BR_TTY_IO) == 0 && br_tty_restore(loop, b) == 0 && echoes(program));
  CHECK(br_tty_mode(loop, a, BR_TTY_RAW) == 0 && br_tty_mode(loop, a, BR_TTY_NORMAL) == 0 && echoes(program));
  CHECK(br_tty_mode(loop, a, BR_TTY_RAW) == 0 && !echoes(program));
  submit(BR_OP_CLOSE, b);
  turn(0);
  CHECK(!echoes(program));
  submit(BR_OP_CLOSE, a);
  turn(0);
  CHECK(echoes(program));
  close(program);
  close(user);
  end();
}

// Whatever a pipe's file is, what was written before the other end was closed is read
// before its end. A file that is always ready is none.
void scenario_opened_files(void) {
  begin();
  char block[3000];
  memset(block, 'x', sizeof block);
  int fds[2], user = posix_openpt(O_RDWR | O_NOCTTY);
  CHECK(pipe(fds) == 0 && user >= 0 && grantpt(user) == 0 && unlockpt(user) == 0);
  int program = open(ptsname(user), O_RDWR | O_NOCTTY);
  for (int i = 0; i < 2; i++) {
    CHECK(write(fds[1], block, sizeof block) == sizeof block);
    CHECK(write(program, block, sizeof block) == sizeof block);
  }
  close(fds[1]);
  close(program);
  uint64_t p, t, n;
  CHECK(br_pipe_new(loop, &p) == 0 && br_pipe_new(loop, &t) == 0 && br_pipe_new(loop, &n) == 0);
  know(p);
  know(t);
  know(n);
  CHECK(br_open(loop, p, fds[0]) == 1 && br_open(loop, t, user) == 1);
  int null = open("/dev/null", O_RDWR);
  CHECK(br_open(loop, n, null) == UV_EPERM);
  close(null);
  submit(BR_OP_READ_START, p);
  submit(BR_OP_READ_START, t);
  UNTIL(of(p)->eof && of(t)->failed);
  CHECK(of(p)->in == 2 * sizeof block && of(t)->in == 2 * sizeof block);
  end();
}
