// What the kinds of streams have in common: what a stream has besides its handle, and how
// that ends.
#include "streams.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

void br_stream_closing(br_loop *l, br_handle *h) {
  (void)l;
  br_stream *s = br_stream_of(h);
  br_read_stop(s);
  if (s->listener != NULL) br_handle_close_also(h, (uv_handle_t *)s->listener->poll);
}

void br_stream_closed(br_loop *l, br_handle *h) {
  br_stream *s = br_stream_of(h);
  br_out_free(l, s);
  br_peer_free(h);
  br_free(s->listener);
  s->listener = NULL;
}

// While a stream listens, its poll acts for it.
uv_handle_t *br_stream_acts(br_handle *h) {
  br_listener *ls = br_stream_of(h)->listener;
  return ls != NULL ? (uv_handle_t *)ls->poll : br_uv(h);
}

// open_check refuses what libuv would abort on later: a descriptor that the kernel cannot
// poll, or one that another handle of the loop has.
static int open_check(br_loop *l, int kind, int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return uv_translate_sys_error(errno);
  if (kind == BR_KIND_TCP && !S_ISSOCK(st.st_mode)) return UV_ENOTSOCK;
  if (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode)) return UV_EINVAL;
  if (br_owner(l, fd) != NULL) return UV_EEXIST;
  return S_ISCHR(st.st_mode) ? br_watch(l, fd) : 0;
}

// is_unix reports whether a descriptor is a stream of the Unix domain: those pass
// handles.
static int is_unix(int fd) {
  struct sockaddr_storage name;
  socklen_t n = sizeof name;
  int type = 0;
  if (getsockname(fd, (struct sockaddr *)&name, &n) != 0 || name.ss_family != AF_UNIX) return 0;
  n = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
}

// has_peer reports whether a descriptor reads and writes: the end of a pipe, or a socket
// that is connected, or was until its connection failed. The kernel forgets the peer of
// such a one, but has an end or an error for its reader. A socket that is fresh, bound or
// listening has none.
static int has_peer(int fd) {
  int listens = 0;
  socklen_t n = sizeof listens;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) != 0) return errno == ENOTSOCK;
  if (listens) return 0;
  struct sockaddr_storage name;
  n = sizeof name;
  if (getpeername(fd, (struct sockaddr *)&name, &n) == 0) return 1;
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) > 0 && p.revents & (POLLIN | POLLERR);
}

int br_open(br_loop *l, uint64_t id, int fd) {
  br_stream *s = br_find_stream(l, id);
  uv_os_fd_t old;
  if (s == NULL) return UV_EBADF;
  br_handle *h = &s->h;
  if (uv_fileno(br_uv(h), &old) == 0) return UV_EBUSY;
  int err = open_check(l, h->kind, fd);
  if (err == 0 && br_is_ipc(h) && !is_unix(fd)) err = UV_EINVAL;
  if (err == 0) err = br_handle_open(l, h, fd);
  if (err != 0) return err;
  if (!has_peer(fd)) return 0;
  h->flags |= BR_CONNECTED;
  return 1;
}

int br_is_readable(br_loop *l, uint64_t id) {
  br_stream *s = br_find_stream(l, id);
  return s != NULL && uv_is_readable(br_uv_stream(s));
}

int br_is_writable(br_loop *l, uint64_t id) {
  br_stream *s = br_find_stream(l, id);
  return s != NULL && uv_is_writable(br_uv_stream(s));
}

int br_set_blocking(br_loop *l, uint64_t id, int on) {
  br_stream *s = br_find_stream(l, id);
  return s == NULL ? UV_EBADF : uv_stream_set_blocking(br_uv_stream(s), on);
}
