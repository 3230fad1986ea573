// Handles that go and come over pipes.
//
// A message of a Unix socket may carry descriptors (SCM_RIGHTS). One leaves with the
// first byte of what it is written with, see write.c. Those that come stay in the kernel,
// in order with the bytes, until Go reads: nothing here holds any, so none is left when
// the pipe is closed, and a read that does not ask for them makes the kernel close them.
#define _GNU_SOURCE  // MSG_CMSG_CLOEXEC
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#ifdef MSG_CMSG_CLOEXEC
enum { RECV_FLAGS = MSG_DONTWAIT | MSG_CMSG_CLOEXEC };
#else
enum { RECV_FLAGS = MSG_DONTWAIT };
#endif

// OTHER_BYTES is room for what a socket's options let come besides descriptors:
// credentials, a descriptor of the process, a label.
enum { OTHER_BYTES = 512 };

// Linux's message with a descriptor of the process that has sent, if the socket is set to
// bring it (SO_PASSPIDFD).
#if defined(__linux__) && !defined(SCM_PIDFD)
#define SCM_PIDFD 0x04
#endif

int br_ipc_new(br_loop *l, uint64_t *id) {
  br_handle *h;
  int err = br_handle_new(l, BR_KIND_PIPE, 1, &h);
  if (err != 0) return err;
  h->flags |= BR_BY_GO;
  *id = br_id(h);
  return 0;
}

static br_stream *find_ipc(br_loop *l, uint64_t id) {
  br_stream *s = br_find_stream(l, id);
  return s != NULL && br_is_ipc(&s->h) ? s : NULL;
}

// can_go tells what is wrong with a write, or returns 0 and the handle that goes with it.
static int can_go(br_loop *l, const br_stream *s, size_t len, uint64_t id, br_handle **with) {
  br_handle *h = br_find_id(l, id);
  uv_os_fd_t fd;
  if (s == NULL || h == NULL) return UV_EBADF;
  if (len == 0) return UV_EINVAL;
  if (h->kind != BR_KIND_TCP && h->kind != BR_KIND_PIPE && h->kind != BR_KIND_UDP) return UV_EINVAL;
  if (uv_fileno(br_uv(h), &fd) != 0) return UV_EBADF;
  *with = h;
  return br_unwritable(s);
}

int br_ipc_write(br_loop *l, uint64_t id, const char *p, size_t len, uint64_t handle, int64_t *left) {
  br_stream *s = find_ipc(l, id);
  br_handle *with;
  int err = can_go(l, s, len, handle, &with);
  return err != 0 ? err : br_write_with(l, s, with, p, len, left);
}

int64_t br_ipc_try_write(br_loop *l, uint64_t id, const char *p, size_t len, uint64_t handle) {
  br_stream *s = find_ipc(l, id);
  br_handle *with;
  int err = can_go(l, s, len, handle, &with);
  if (err != 0) return err;
  if (s->out != NULL || s->h.flags & BR_CONNECTING) return UV_EAGAIN;
  uv_buf_t buf = {.base = (char *)(uintptr_t)p, .len = len};
  l->sh.write_calls++;
  return uv_try_write2(br_uv_stream(s), &buf, 1, (uv_stream_t *)br_uv(with));
}

// take keeps one descriptor that has come. Whoever had its number before is told.
static void take(br_loop *l, br_fds *all, int fd) {
#ifndef MSG_CMSG_CLOEXEC
  fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
  fd = br_fd_up(fd);
  if (fd < 0 || all->n == BR_FDS_MAX) {
    if (fd >= 0) close(fd);
    all->lost = 1;
    return;
  }
  br_unown(l, fd);
  all->fds[all->n++] = fd;
}

// take_all looks through what has come besides bytes.
static void take_all(br_loop *l, br_fds *all, struct msghdr *m) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (c->cmsg_type == SCM_RIGHTS) take(l, all, fd);
#ifdef __linux__
      if (c->cmsg_type == SCM_PIDFD && fd >= 0) close(fd);
#endif
    }
  }
  if (m->msg_flags & MSG_CTRUNC) all->lost = 1;
}

int64_t br_ipc_read(br_loop *l, uint64_t id, char *p, size_t len, br_fds *fds) {
  br_stream *s = find_ipc(l, id);
  uv_os_fd_t fd;
  fds->n = fds->lost = 0;
  if (s == NULL || len == 0 || !(s->h.flags & BR_READING) || uv_fileno(br_uv(&s->h), &fd) != 0) return 0;
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(BR_FDS_MAX * sizeof(int)) + OTHER_BYTES];
  } control;
  struct iovec iov = {.iov_base = p, .iov_len = len};
  struct msghdr m;
  ssize_t n;
  do {
    m = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    n = recvmsg(fd, &m, RECV_FLAGS);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return br_read_result(s, n);
  take_all(l, fds, &m);
  return br_read_result(s, n);
}
