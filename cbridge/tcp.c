// Sockets: bind, connect, options and names.
#include "streams.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static inline uv_tcp_t *uv_tcp(br_handle *h) { return (uv_tcp_t *)br_uv(h); }

static br_handle *find_tcp(br_loop *l, uint64_t id) { return br_find_kind(l, id, BR_KIND_TCP); }

// tcp_socket makes sure that h has a socket of the family, and gives its descriptor.
// libuv would make one too, but options that must precede bind(2) need it earlier.
static int tcp_socket(br_handle *h, int family, uv_os_fd_t *fd) {
  if (uv_fileno(br_uv(h), fd) == 0) return 0;
  int type = SOCK_STREAM;
#ifdef SOCK_CLOEXEC
  type |= SOCK_CLOEXEC | SOCK_NONBLOCK;
#endif
  int s = br_fd_up(socket(family, type, 0));
  if (s < 0) return uv_translate_sys_error(errno);
  int err = br_handle_open(br_loop_of(br_uv(h)), h, s);
  if (err == 0) {
    *fd = s;
  } else {
    close(s);
  }
  return err;
}

static int tcp_init(br_loop *l, br_handle *h, unsigned family) {
  int err = family != AF_UNSPEC ? br_next_number(l) : 0;
  if (err == 0) err = uv_tcp_init_ex(l->uv, uv_tcp(h), family);
  if (err == 0) br_own_new(l, h);
  return err;
}

static int tcp_open(br_handle *h, int fd) { return uv_tcp_open(uv_tcp(h), fd); }

// bind_failed brings out the EADDRINUSE of a bind, which libuv keeps for uv_listen or
// uv_tcp_connect to report.
static int bind_failed(br_handle *h) {
  struct sockaddr_storage name;
  int n = sizeof name;
  return uv_tcp_getsockname(uv_tcp(h), (struct sockaddr *)&name, &n);
}

// tcp_bound gives a listener that was not bound any address, and a port of the system's.
static int tcp_bound(br_handle *h) {
  uv_os_fd_t fd;
  if (uv_fileno(br_uv(h), &fd) == 0) return bind_failed(h);
  struct sockaddr_in any = {.sin_family = AF_INET};
  int err = tcp_socket(h, AF_INET, &fd);
  return err != 0 ? err : uv_tcp_bind(uv_tcp(h), (struct sockaddr *)&any, 0);
}

const br_kind br_tcp_kind = {
    .type = UV_TCP,
    .before = offsetof(br_stream, h),
    .init = tcp_init,
    .closing = br_stream_closing,
    .closed = br_stream_closed,
    .acts = br_stream_acts,
    .open = tcp_open,
    .bound = tcp_bound,
};

int br_tcp_new(br_loop *l, unsigned family, uint64_t *id) {
  br_handle *h;
  int err = br_handle_new(l, BR_KIND_TCP, family, &h);
  if (err == 0) *id = br_id(h);
  return err;
}

// libuv refuses a reset after a shutdown and then leaves the handle open.
int br_close_reset(br_loop *l, uint64_t id) {
  br_handle *h = br_find_id(l, id);
  if (h == NULL) return UV_EBADF;
  if (h->kind != BR_KIND_TCP || h->flags & (BR_SHUTTING | BR_LISTENING)) return UV_EINVAL;
  br_disown(l, h);
  int err = uv_tcp_close_reset(uv_tcp(h), br_on_close);
  if (err == 0) {
    br_handle_closing(l, h);
  } else {
    br_own_new(l, h);
  }
  return err;
}

static int addr_ok(const struct sockaddr *a, unsigned len) {
  if (a->sa_family == AF_INET) return len >= sizeof(struct sockaddr_in);
  return a->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6);
}

static int set_option(int fd, int option) {
  int on = 1;
  return setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) != 0 ? uv_translate_sys_error(errno) : 0;
}

// libuv always sets SO_REUSEADDR before it binds; this binds without it, and keeps
// EADDRINUSE as libuv does.
static int bind_exclusive(uv_tcp_t *u, int fd, const struct sockaddr *a, unsigned len, unsigned flags) {
#ifdef IPV6_V6ONLY
  if (a->sa_family == AF_INET6) {
    int only = (flags & BR_BIND_V6ONLY) != 0;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0) return uv_translate_sys_error(errno);
  }
#endif
  int err = bind(fd, a, len) != 0 ? uv_translate_sys_error(errno) : 0;
  u->delayed_error = err == UV_EADDRINUSE ? err : 0;
  return err;
}

int br_tcp_bind(br_loop *l, uint64_t id, const void *addr, unsigned len, unsigned flags) {
  br_handle *h = find_tcp(l, id);
  const struct sockaddr *a = addr;
  if (h == NULL) return UV_EBADF;
  if (!addr_ok(a, len)) return UV_EINVAL;
  if (h->flags & (BR_CONNECTING | BR_LISTENING)) return UV_EINVAL;
  uv_os_fd_t fd;
  int err = tcp_socket(h, a->sa_family, &fd);
  if (err == 0 && flags & BR_BIND_REUSEPORT) err = set_option(fd, SO_REUSEPORT);
  if (err != 0) return err;
  if (flags & BR_BIND_EXCLUSIVE) return bind_exclusive(uv_tcp(h), fd, a, len, flags);
  err = uv_tcp_bind(uv_tcp(h), a, flags & BR_BIND_V6ONLY ? UV_TCP_IPV6ONLY : 0);
  return err != 0 ? err : bind_failed(h);
}

static void on_connect(uv_connect_t *req, int status) {
  br_stream *s = br_stream_of(br_req_of(req)->h);
  br_loop *l = br_loop_of(br_uv(&s->h));
  s->h.flags &= (uint8_t)~BR_CONNECTING;
  br_push(l, BR_REC_CONNECT, &s->h, status);
  if (s->h.state != BR_OPEN) return;  // the close callback frees the rest
  if (status < 0) {
    br_out_free(l, s);
    return;
  }
  s->h.flags |= BR_CONNECTED;
  br_out_next(l, s);
}

int br_tcp_connect(br_loop *l, uint64_t id, const void *addr, unsigned len) {
  br_handle *h = find_tcp(l, id);
  const struct sockaddr *a = addr;
  if (h == NULL) return UV_EBADF;
  br_stream *s = br_stream_of(h);
  if (!addr_ok(a, len)) return UV_EINVAL;
  if (h->flags & BR_CONNECTING) return UV_EALREADY;
  if (h->flags & BR_CONNECTED) return UV_EISCONN;
  if (h->flags & BR_LISTENING || s->out != NULL) return UV_EINVAL;
  uv_os_fd_t fd;
  uv__io_t *w = &uv_tcp(h)->io_watcher;
  int err = tcp_socket(h, a->sa_family, &fd);
  if (err == 0) err = br_watch_io(l, w);
  if (err == 0 && br_out_of(l, s) == NULL) err = UV_ENOMEM;
  if (err == 0) err = uv_tcp_connect(br_req_uv(&s->out->req), uv_tcp(h), a, on_connect);
  if (err != 0) {
    br_out_free(l, s);
    return err;
  }
  br_watched(w);
  h->flags |= BR_CONNECTING;
  return 0;
}

int br_tcp_nodelay(br_loop *l, uint64_t id, int on) {
  br_handle *h = find_tcp(l, id);
  return h == NULL ? UV_EBADF : uv_tcp_nodelay(uv_tcp(h), on);
}

int br_tcp_keepalive(br_loop *l, uint64_t id, int on, unsigned delay_s) {
  br_handle *h = find_tcp(l, id);
  if (h == NULL) return UV_EBADF;
  if (on && delay_s == 0) return UV_EINVAL;  // as libuv does since 1.49
  return uv_tcp_keepalive(uv_tcp(h), on, delay_s);
}

#if UV_VERSION_HEX >= ((1 << 16) | (52 << 8))
// or_now is a value of the socket's if none is asked for.
static int or_now(int fd, int option, int want) {
  socklen_t n = sizeof want;
  if (want < 0) getsockopt(fd, IPPROTO_TCP, option, &want, &n);
  return want;
}

int br_tcp_keepalive_ex(br_loop *l, uint64_t id, int on, int idle_s, int interval_s, int count) {
  br_handle *h = find_tcp(l, id);
  uv_os_fd_t fd;
  if (h == NULL || uv_fileno(br_uv(h), &fd) != 0) return UV_EBADF;
  if (uv_version() < ((1 << 16) | (52 << 8))) return UV_ENOSYS;
#ifdef TCP_KEEPIDLE
  idle_s = or_now(fd, TCP_KEEPIDLE, idle_s);
#else
  idle_s = or_now(fd, TCP_KEEPALIVE, idle_s);
#endif
  interval_s = or_now(fd, TCP_KEEPINTVL, interval_s);
  count = or_now(fd, TCP_KEEPCNT, count);
  return uv_tcp_keepalive_ex(uv_tcp(h), on, (unsigned)idle_s, (unsigned)interval_s, (unsigned)count);
}
#else
int br_tcp_keepalive_ex(br_loop *l, uint64_t id, int on, int idle_s, int interval_s, int count) {
  (void)on, (void)idle_s, (void)interval_s, (void)count;
  return find_tcp(l, id) == NULL ? UV_EBADF : UV_ENOSYS;
}
#endif

int br_tcp_simultaneous_accepts(br_loop *l, uint64_t id, int on) {
  br_handle *h = find_tcp(l, id);
  return h == NULL ? UV_EBADF : uv_tcp_simultaneous_accepts(uv_tcp(h), on);
}

int br_tcp_name(br_loop *l, uint64_t id, int peer, void *addr) {
  br_handle *h = find_tcp(l, id);
  if (h == NULL) return UV_EBADF;
  int kept = peer ? br_peer_name(h, addr) : 0;
  if (kept > 0) return kept;
  struct sockaddr_storage name;
  int n = sizeof name;
  int err = peer ? uv_tcp_getpeername(uv_tcp(h), (struct sockaddr *)&name, &n)
                 : uv_tcp_getsockname(uv_tcp(h), (struct sockaddr *)&name, &n);
  if (err != 0) return err;
  if (n > BR_ADDR_BYTES) return UV_EAFNOSUPPORT;
  memcpy(addr, &name, (size_t)n);
  return n;
}
