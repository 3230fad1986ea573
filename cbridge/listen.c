// Listening and accepting.
#define _GNU_SOURCE  // accept4
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static int accept_fd(int fd, struct sockaddr_storage *name, socklen_t *len) {
#ifdef __linux__
  return accept4(fd, (struct sockaddr *)name, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
  int s = accept(fd, (struct sockaddr *)name, len);
  if (s >= 0) fcntl(s, F_SETFD, FD_CLOEXEC);
  return s;
#endif
}

// adopt makes a connection of the listener's kind out of fd, which it owns from here on.
static int adopt(br_loop *l, br_handle *h, int fd, const struct sockaddr *name) {
  br_handle *c;
  int err = br_handle_init(l, h->kind, 0, &c);
  if (err != 0) {
    close(fd);
    return err;
  }
  err = h->kind == BR_KIND_TCP ? uv_tcp_open(br_tcp(c), fd) : uv_pipe_open((uv_pipe_t *)br_uv(c), fd);
  if (err != 0) {
    close(fd);
    br_handle_close(c);
    return err;
  }
  c->flags |= BR_CONNECTED;
  if (h->kind == BR_KIND_TCP) {
    // A connection that was reset meanwhile refuses options; it is handed over all the
    // same, and its read says so.
    if (h->listener->nodelay) uv_tcp_nodelay(br_tcp(c), 1);
    if (h->listener->keepalive_s > 0) uv_tcp_keepalive(br_tcp(c), 1, (unsigned)h->listener->keepalive_s);
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

void br_accept_stop(br_handle *h) {
  if (h->listener == NULL) return;
  h->listener->stopped = 1;
  halt(h->listener);
}

static void accept_failed(br_loop *l, br_handle *h, int err) {
  br_accept_stop(h);
  br_push(l, BR_REC_ACCEPT_ERROR, h, err);
}

static void on_acceptable(uv_poll_t *p, int status, int events) {
  (void)events;
  br_loop *l = br_loop_of((uv_handle_t *)p);
  br_polled(l);
  br_handle *h = l->slots[(uintptr_t)uv_handle_get_data((uv_handle_t *)p)].h;
  if (status < 0) {
    accept_failed(l, h, status);
    return;
  }
  for (int n = 0; n < BR_TURN_ACCEPT_MAX; n++) {
    if (h->listener->room == 0) {
      halt(h->listener);
      return;
    }
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof name;
    int fd = accept_fd(h->listener->fd, &name, &len);
    if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    int err = fd < 0 ? uv_translate_sys_error(errno) : adopt(l, h, fd, (struct sockaddr *)&name);
    if (err != 0) {
      accept_failed(l, h, err);
      return;
    }
    if (h->listener->room > 0) h->listener->room--;
  }
}

static void resume(br_loop *l, br_handle *h) {
  br_listener *s = h->listener;
  if (s->polling || s->stopped || s->room == 0) return;
  int err = uv_poll_start(s->poll, UV_READABLE, on_acceptable);
  if (err == 0) err = br_watch(l, s->fd);
  if (err != 0) {
    uv_poll_stop(s->poll);
    accept_failed(l, h, err);
    return;
  }
  s->polling = 1;
}

void br_accept_start(br_loop *l, br_handle *h) {
  if (h->listener == NULL) return;
  h->listener->stopped = 0;
  resume(l, h);
}

void br_accept_room(br_loop *l, br_handle *h, int32_t more) {
  if (h->listener == NULL || h->listener->room < 0 || more < 0) return;
  h->listener->room += more;
  resume(l, h);
}

// listener_new begins to watch the descriptor. A reference that was taken off the handle
// stays off.
static int listener_new(br_loop *l, br_handle *h, int fd) {
  br_listener *s = br_alloc(sizeof *s);
  memset(s, 0, sizeof *s);
  s->fd = fd;
  s->poll = br_alloc(uv_handle_size(UV_POLL));
  int err = uv_poll_init(l->uv, s->poll, fd);
  if (err != 0) {
    br_free(s->poll);
    br_free(s);
    return err;
  }
  uv_handle_set_data((uv_handle_t *)s->poll, (void *)(uintptr_t)h->slot);
  if (!uv_has_ref(br_uv(h))) uv_unref((uv_handle_t *)s->poll);
  h->listener = s;
  h->flags |= BR_LISTENING;
  return 0;
}

int br_listen(br_loop *l, uint64_t id, int backlog, int nodelay, int keepalive_s, int room, int stopped) {
  br_handle *h = br_find_id(l, id);
  if (h == NULL) return UV_EBADF;
  if (h->flags & (BR_CONNECTING | BR_CONNECTED | BR_READING) || h->out != NULL) return UV_EINVAL;
  uv_os_fd_t fd;
  if (uv_fileno(br_uv(h), &fd) != 0) {
    if (h->kind != BR_KIND_TCP) return UV_EINVAL;
    struct sockaddr_in any = {.sin_family = AF_INET};
    int err = uv_tcp_bind(br_tcp(h), (struct sockaddr *)&any, 0);
    if (err != 0) return err;
    uv_fileno(br_uv(h), &fd);
  }
  if (listen(fd, backlog) != 0) return uv_translate_sys_error(errno);
  if (h->listener == NULL) {
    int err = listener_new(l, h, fd);
    if (err != 0) return err;
  }
  h->listener->nodelay = nodelay;
  h->listener->keepalive_s = keepalive_s;
  h->listener->room = room;
  h->listener->stopped = stopped;
  if (stopped || room == 0) {
    halt(h->listener);
  } else {
    resume(l, h);
  }
  return 0;
}
