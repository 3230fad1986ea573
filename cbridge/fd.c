// Descriptors: whether there are enough, and their numbers.
//
// libuv takes the numbers 0 to 2 for the program's standard files. It does not close a
// stream that has one of them, and it aborts when it would close another descriptor that
// has. A program that has closed its standard files gets the numbers for the next things
// it opens, so they are kept from libuv: what is opened here moves up, and while libuv
// opens something itself, they are taken.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

// DESCRIPTORS is how many descriptors a loop takes: libuv seven with the first loop, from
// 1.45 on two more for its rings, and package uv and the poller of Go's runtime, which
// ends the process without, four. Others may take some meanwhile. Before the first loop
// the watch of children has taken four, and has asked too.
enum { DESCRIPTORS = 16 };

int br_fd_any(void) {
#ifdef SOCK_CLOEXEC
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
#else
  return socket(AF_UNIX, SOCK_STREAM, 0);
#endif
}

int br_descriptors(void) {
  int fds[DESCRIPTORS], n = 0, err = 0;
  while (n < DESCRIPTORS && err == 0) {
    fds[n] = br_fd_any();
    if (fds[n] >= 0) {
      n++;
    } else {
      err = uv_translate_sys_error(errno);
    }
  }
  while (n > 0) close(fds[--n]);
  return err;
}

int br_fd_copy(int fd) {
#ifdef F_DUPFD_CLOEXEC
  return fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
#else
  int copy = fcntl(fd, F_DUPFD, STDERR_FILENO + 1);
  if (copy >= 0) fcntl(copy, F_SETFD, FD_CLOEXEC);
  return copy;
#endif
}

int br_fd_up(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  int up = br_fd_copy(fd);
  int err = errno;
  close(fd);
  errno = err;
  return up;
}

void br_stdio_take(br_stdio *s) {
  s->n = 0;
  while (s->n <= STDERR_FILENO) {
    int fd = br_fd_any();
    if (fd < 0) return;
    if (fd > STDERR_FILENO) {
      close(fd);
      return;
    }
    s->fds[s->n++] = fd;
  }
}

void br_stdio_give(br_stdio *s) {
  while (s->n > 0) close(s->fds[--s->n]);
}

int br_guess(int fd) {
  switch (uv_guess_handle(fd)) {
    case UV_TCP: return BR_GUESS_TCP;
    case UV_NAMED_PIPE: return BR_GUESS_PIPE;
    case UV_TTY: return BR_GUESS_TTY;
    case UV_UDP: return BR_GUESS_UDP;
    case UV_FILE: return BR_GUESS_FILE;
    default: return BR_GUESS_NOTHING;
  }
}

static int end_flags(int nonblock) { return nonblock ? UV_NONBLOCK_PIPE : 0; }

int br_socketpair(int type, int protocol, int nonblock0, int nonblock1, int fds[2]) {
  br_stdio s;
  br_stdio_take(&s);
  int err = uv_socketpair(type, protocol, fds, end_flags(nonblock0), end_flags(nonblock1));
  br_stdio_give(&s);
  return err;
}

int br_pipe_pair(int nonblock_read, int nonblock_write, int fds[2]) {
  br_stdio s;
  br_stdio_take(&s);
  int err = uv_pipe(fds, end_flags(nonblock_read), end_flags(nonblock_write));
  br_stdio_give(&s);
  return err;
}
