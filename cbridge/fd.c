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
// ends the process without, four. Others may take some meanwhile.
enum { DESCRIPTORS = 16 };

static int any_fd(void) {
#ifdef SOCK_CLOEXEC
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
#else
  return socket(AF_UNIX, SOCK_STREAM, 0);
#endif
}

int br_descriptors(void) {
  int fds[DESCRIPTORS], n = 0, err = 0;
  while (n < DESCRIPTORS && err == 0) {
    fds[n] = any_fd();
    if (fds[n] >= 0) {
      n++;
    } else {
      err = uv_translate_sys_error(errno);
    }
  }
  while (n > 0) close(fds[--n]);
  return err;
}

int br_fd_up(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
#ifdef F_DUPFD_CLOEXEC
  int up = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
#else
  int up = fcntl(fd, F_DUPFD, STDERR_FILENO + 1);
  if (up >= 0) fcntl(up, F_SETFD, FD_CLOEXEC);
#endif
  int err = errno;
  close(fd);
  errno = err;
  return up;
}

void br_stdio_take(br_stdio *s) {
  s->n = 0;
  while (s->n <= STDERR_FILENO) {
    int fd = any_fd();
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
