// Listening and accepting.
#define _GNU_SOURCE  // accept4
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int accept_fd(int fd, struct sockaddr_storage *name, socklen_t *len) {
#ifdef __linux__
  return br_fd_up(accept4(fd, (struct sockaddr *)name, len, SOCK_NONBLOCK | SOCK_CLOEXEC));
#else
  int s = accept(fd, (struct sockaddr *)name, len);
  if (s >= 0) fcntl(s, F_SETFD, FD_CLOEXEC);
  return br_fd_up(s);
#endif
}

// adopt makes a connection of the listener's kind out of fd, which it owns from here on.
static int adopt(br_loop *l, br_stream *s, int fd, const struct sockaddr *name) {
  br_handle *h = &s->h;
  br_handle *c;
  int err = br_handle_new(l, h->kind, 0, &c);
  if (err != 0) {
    close(fd);
    return err;
  }
  err = br_handle_open(l, c, fd);
  if (err != 0) {
    close(fd);
    br_handle_close(l, c);
    return err;
  }
  c->flags |= BR_CONNECTED;
  if (h->kind == BR_KIND_TCP) {
    // A connection that was reset meanwhile refuses options; it is handed over all the
    // same, and its read says so.
    uv_tcp_t *u = (uv_tcp_t *)br_uv(c);
    if (s->listener->nodelay) uv_tcp_nodelay(u, 1);
    if (s->listener->keepalive_s > 0) uv_tcp_keepalive(u, 1, (unsigned)s->listener->keepalive_s);
    br_peer_keep(c, name);
  }
  br_rec *r = br_push(l, BR_REC_ACCEPT, h, 0);
  r->value = br_id(c);
  r->aux = c->kind;
  return 0;
}

static void halt(br_listener *s) {
  if (!s->polling) return;
  s->polling = 0;
  uv_poll_stop(s->poll);
}

void br_accept_stop(br_stream *s) {
  if (s->listener == NULL) return;
  s->listener->stopped = 1;
  halt(s->listener);
}

static void accept_failed(br_loop *l, br_stream *s, int err) {
  br_accept_stop(s);
  br_push(l, BR_REC_ACCEPT_ERROR, &s->h, err);
}

// of_one reports whether an error of accept(2) is that of one connection, which is gone
// with it, and not the listener's. Linux passes on what the network has told.
static int of_one(int err) {
  switch (err) {
    case EINTR:
    case ECONNABORTED:
#ifdef __linux__
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
#endif
      return 1;
    default:
      return 0;
  }
}

// on_acceptable accepts some connections, not all: an accept takes a few microseconds,
// and Go's runtime takes its only processor from a thread that is in C for long. With 100
// connections at a time that last one message each, 4, 16 and 64 in a turn cost 16.3,
// 16.4 and 18.5 us of processor time for each of them.
static void on_acceptable(uv_poll_t *p, int status, int events) {
  (void)events;
  br_loop *l = br_loop_of((uv_handle_t *)p);
  br_polled(l);
  br_stream *s = br_stream_of(l->handles.slots[(uintptr_t)uv_handle_get_data((uv_handle_t *)p)].p);
  br_listener *ls = s->listener;
  if (status < 0) {
    accept_failed(l, s, status);
    return;
  }
  for (int n = 0; n < BR_TURN_ACCEPT_MAX; n++) {
    if (ls->room == 0) {
      halt(ls);
      return;
    }
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof name;
    int fd = accept_fd(ls->fd, &name, &len);
    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (fd < 0 && of_one(errno)) continue;
    int err = fd < 0 ? uv_translate_sys_error(errno) : adopt(l, s, fd, (struct sockaddr *)&name);
    if (err != 0) {
      accept_failed(l, s, err);
      return;
    }
    if (ls->room > 0) ls->room--;
  }
}

static void resume(br_loop *l, br_stream *s) {
  br_listener *ls = s->listener;
  if (ls->polling || ls->stopped || ls->room == 0) return;
  int err = uv_poll_start(ls->poll, UV_READABLE, on_acceptable);
  if (err == 0) err = br_watch(l, ls->fd);
  if (err != 0) {
    uv_poll_stop(ls->poll);
    accept_failed(l, s, err);
    return;
  }
  ls->polling = 1;
}

void br_accept_start(br_loop *l, br_stream *s) {
  if (s->listener == NULL) return;
  s->listener->stopped = 0;
  resume(l, s);
}

void br_accept_room(br_loop *l, br_stream *s, int32_t more) {
  if (s->listener == NULL || s->listener->room < 0 || more < 0) return;
  s->listener->room += more;
  resume(l, s);
}

// listener_new begins to watch the descriptor. A reference that was taken off the handle
// stays off.
static int listener_new(br_loop *l, br_stream *s, int fd) {
  br_listener *ls = br_alloc(sizeof *ls);
  if (ls == NULL) return UV_ENOMEM;
  *ls = (br_listener){.fd = fd, .poll = br_alloc(uv_handle_size(UV_POLL))};
  int err = ls->poll != NULL ? uv_poll_init(l->uv, ls->poll, fd) : UV_ENOMEM;
  if (err != 0) {
    br_free(ls->poll);
    br_free(ls);
    return err;
  }
  uv_handle_set_data((uv_handle_t *)ls->poll, (void *)(uintptr_t)s->h.slot);
  if (!uv_has_ref(br_uv(&s->h))) uv_unref((uv_handle_t *)ls->poll);
  s->listener = ls;
  s->h.flags |= BR_LISTENING;
  return 0;
}

// listen_fd gives the descriptor to listen on.
static int listen_fd(br_loop *l, br_handle *h, uv_os_fd_t *fd) {
  int (*bound)(br_handle *) = br_kind_of(l, h)->bound;
  int err = bound != NULL ? bound(h) : 0;
  if (err != 0) return err;
  return uv_fileno(br_uv(h), fd) == 0 ? 0 : UV_EINVAL;
}

int br_listen(br_loop *l, uint64_t id, int backlog, int nodelay, int keepalive_s, int room, int stopped) {
  br_stream *s = br_find_stream(l, id);
  if (s == NULL) return UV_EBADF;
  if (s->h.flags & (BR_CONNECTING | BR_CONNECTED | BR_READING | BR_BY_GO) || s->out != NULL) return UV_EINVAL;
  uv_os_fd_t fd;
  int err = listen_fd(l, &s->h, &fd);
  if (err != 0) return err;
  if (listen(fd, backlog) != 0) return uv_translate_sys_error(errno);
  if (s->listener == NULL) err = listener_new(l, s, fd);
  if (err != 0) return err;
  s->listener->nodelay = nodelay;
  s->listener->keepalive_s = keepalive_s;
  s->listener->room = room;
  s->listener->stopped = stopped;
  if (stopped || room == 0) {
    halt(s->listener);
  } else {
    resume(l, s);
  }
  return 0;
}
