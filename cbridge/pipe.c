// Unix domain sockets and pipes.
#include "streams.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATH_CAP = sizeof(((struct sockaddr_un *)0)->sun_path) };

static inline uv_pipe_t *uv_pipe_of(br_handle *h) { return (uv_pipe_t *)br_uv(h); }

static br_handle *find_pipe(br_loop *l, uint64_t id) { return br_find_kind(l, id, BR_KIND_PIPE); }

static int pipe_init(br_loop *l, br_handle *h, unsigned ipc) { return uv_pipe_init(l->uv, uv_pipe_of(h), (int)ipc); }

static int pipe_open(br_handle *h, int fd) { return uv_pipe_open(uv_pipe_of(h), fd); }

const br_kind br_pipe_kind = {
    .type = UV_NAMED_PIPE,
    .before = offsetof(br_stream, h),
    .init = pipe_init,
    .closing = br_stream_closing,
    .closed = br_stream_closed,
    .acts = br_stream_acts,
    .open = pipe_open,
};

int br_pipe_new(br_loop *l, uint64_t *id) {
  br_handle *h;
  int err = br_handle_new(l, BR_KIND_PIPE, 0, &h);
  if (err == 0) *id = br_id(h);
  return err;
}

// name_ok refuses what libuv would cut short. A terminated path leaves room for its end,
// an abstract name needs none.
static int name_ok(const char *path, unsigned len) {
  if (len == 0) return UV_EINVAL;
  if (path[0] != '\0' && memchr(path, '\0', len) != NULL) return UV_EINVAL;
  if (len > PATH_CAP || (path[0] != '\0' && len == PATH_CAP)) return UV_ENAMETOOLONG;
#ifndef __linux__
  if (path[0] == '\0') return UV_EINVAL;
#endif
  return 0;
}

// pipe_socket gives the descriptor of a handle, which it makes if there is none.
static int pipe_socket(br_handle *h) {
  uv_os_fd_t old;
  if (uv_fileno(br_uv(h), &old) == 0) return old;
  int type = SOCK_STREAM;
#ifdef SOCK_CLOEXEC
  type |= SOCK_CLOEXEC | SOCK_NONBLOCK;
#endif
  int fd = br_fd_up(socket(AF_UNIX, type, 0));
  if (fd < 0) return uv_translate_sys_error(errno);
  int err = br_handle_open(br_loop_of(br_uv(h)), h, fd);
  if (err == 0) return fd;
  close(fd);
  return err;
}

// socket_name is the system's address of a path, and its length.
static socklen_t socket_name(struct sockaddr_un *a, const char *path, unsigned len) {
  *a = (struct sockaddr_un){.sun_family = AF_UNIX};
  memcpy(a->sun_path, path, len);
  return path[0] == '\0' ? (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len) : (socklen_t)sizeof *a;
}

// bind_abstract is here because libuv knows the abstract name space from 1.46 on only.
static int bind_abstract(br_handle *h, const char *name, unsigned len) {
  uv_os_fd_t old;
  if (uv_fileno(br_uv(h), &old) == 0) return UV_EINVAL;
  struct sockaddr_un a;
  socklen_t n = socket_name(&a, name, len);
  int fd = pipe_socket(h);
  if (fd < 0) return fd;
  return bind(fd, (struct sockaddr *)&a, n) != 0 ? uv_translate_sys_error(errno) : 0;
}

int br_pipe_bind(br_loop *l, uint64_t id, const void *path, unsigned len) {
  br_handle *h = find_pipe(l, id);
  if (h == NULL) return UV_EBADF;
  if (h->flags & (BR_CONNECTING | BR_CONNECTED)) return UV_EINVAL;
  int err = name_ok(path, len);
  if (err != 0) return err;
  if (*(const char *)path == '\0') return bind_abstract(h, path, len);
  char name[PATH_CAP + 1] = {0};
  memcpy(name, path, len);
  br_stdio s;
  br_stdio_take(&s);
  err = br_next_number(l);
  if (err == 0) err = uv_pipe_bind(uv_pipe_of(h), name);
  if (err == 0) br_own_new(l, h);
  br_stdio_give(&s);
  return err;
}

// A Unix socket connects at once or not at all, so libuv, which would wait for it to be
// writable, is not needed. What has failed is told by record, as libuv would.
int br_pipe_connect(br_loop *l, uint64_t id, const void *path, unsigned len) {
  br_handle *h = find_pipe(l, id);
  if (h == NULL) return UV_EBADF;
  if (h->flags & BR_CONNECTED) return UV_EISCONN;
  if (h->flags & BR_LISTENING || br_stream_of(h)->out != NULL) return UV_EINVAL;
  int err = name_ok(path, len);
  if (err != 0) return err;
  struct sockaddr_un a;
  socklen_t n = socket_name(&a, path, len);
  int r = -1, fd = pipe_socket(h);
  if (fd >= 0) {
    do r = connect(fd, (struct sockaddr *)&a, n);
    while (r != 0 && errno == EINTR);
    if (r != 0) fd = uv_translate_sys_error(errno);
  }
  if (r == 0) h->flags |= BR_CONNECTED;
  br_push(l, BR_REC_CONNECT, h, r == 0 ? 0 : fd);
  return 0;
}

// A name that is no file has no mode; libuv would look for a file named "".
int br_pipe_chmod(br_loop *l, uint64_t id, int mode) {
  br_handle *h = find_pipe(l, id);
  uv_os_fd_t fd;
  if (h == NULL || uv_fileno(br_uv(h), &fd) != 0) return UV_EBADF;
  if (mode == 0 || mode & ~(UV_READABLE | UV_WRITABLE)) return UV_EINVAL;
  char name[PATH_CAP + 1];
  size_t n = sizeof name;
  int err = uv_pipe_getsockname(uv_pipe_of(h), name, &n);
  if (err == 0 && (n == 0 || name[0] == '\0')) err = UV_EINVAL;
  return err != 0 ? err : uv_pipe_chmod(uv_pipe_of(h), mode);
}

int br_pipe_name(br_loop *l, uint64_t id, int peer, void *path, unsigned cap) {
  br_handle *h = find_pipe(l, id);
  if (h == NULL) return UV_EBADF;
  size_t n = cap;
  int err = peer ? uv_pipe_getpeername(uv_pipe_of(h), path, &n)
                 : uv_pipe_getsockname(uv_pipe_of(h), path, &n);
  return err != 0 ? err : (int)n;
}
