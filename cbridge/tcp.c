// Sockets: bind, connect, options and names.
#include "internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

static br_handle *find_kind(br_loop *l, uint64_t id, int kind) {
  br_handle *h = br_find_id(l, id);
  return h != NULL && h->kind == kind ? h : NULL;
}

int br_tcp_new(br_loop *l, unsigned family, uint64_t *id) {
  br_handle *h;
  int err = br_handle_init(l, BR_KIND_TCP, family, &h);
  if (err == 0) *id = br_id(h);
  return err;
}

// open_check refuses what libuv would abort on later: a descriptor that the kernel cannot
// poll, or one that another handle of the loop has.
static int open_check(br_loop *l, int kind, int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return uv_translate_sys_error(errno);
  if (kind == BR_KIND_TCP && !S_ISSOCK(st.st_mode)) return UV_ENOTSOCK;
  if (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode)) return UV_EINVAL;
  for (uint32_t i = 0; i < l->nslots; i++) {
    uv_os_fd_t other;
    br_handle *h = l->slots[i].h;
    if (h != NULL && h->state == BR_OPEN && uv_fileno(br_uv(h), &other) == 0 && other == fd) return UV_EEXIST;
  }
  return 0;
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
  br_handle *h = br_find_id(l, id);
  uv_os_fd_t old;
  if (h == NULL) return UV_EBADF;
  if (uv_fileno(br_uv(h), &old) == 0) return UV_EBUSY;
  int refused = open_check(l, h->kind, fd);
  if (refused != 0) return refused;
  int err = h->kind == BR_KIND_TCP ? uv_tcp_open(br_tcp(h), fd) : uv_pipe_open((uv_pipe_t *)br_uv(h), fd);
  if (err != 0) return err;
  if (!has_peer(fd)) return 0;
  h->flags |= BR_CONNECTED;
  return 1;
}

static int addr_ok(const struct sockaddr *a, unsigned len) {
  if (a->sa_family == AF_INET) return len >= sizeof(struct sockaddr_in);
  return a->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6);
}

// tcp_socket makes sure that h has a socket of the family, and gives its descriptor.
// uv_tcp_bind would make one too, but options that must precede bind(2) need it earlier.
static int tcp_socket(br_handle *h, int family, uv_os_fd_t *fd) {
  if (uv_fileno(br_uv(h), fd) == 0) return 0;
  int type = SOCK_STREAM;
#ifdef SOCK_CLOEXEC
  type |= SOCK_CLOEXEC | SOCK_NONBLOCK;
#endif
  int s = socket(family, type, 0);
  if (s < 0) return uv_translate_sys_error(errno);
  int err = uv_tcp_open(br_tcp(h), s);
  if (err == 0) *fd = s;
  return err;
}

static int set_option(int fd, int option) {
  int on = 1;
  return setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) != 0 ? uv_translate_sys_error(errno) : 0;
}

// libuv always sets SO_REUSEADDR before it binds; this binds without it.
static int bind_exclusive(int fd, const struct sockaddr *a, unsigned len, unsigned flags) {
#ifdef IPV6_V6ONLY
  if (a->sa_family == AF_INET6) {
    int only = (flags & BR_BIND_V6ONLY) != 0;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0) return uv_translate_sys_error(errno);
  }
#endif
  return bind(fd, a, len) != 0 ? uv_translate_sys_error(errno) : 0;
}

int br_tcp_bind(br_loop *l, uint64_t id, const void *addr, unsigned len, unsigned flags) {
  br_handle *h = find_kind(l, id, BR_KIND_TCP);
  const struct sockaddr *a = addr;
  if (h == NULL) return UV_EBADF;
  if (!addr_ok(a, len)) return UV_EINVAL;
  if (h->flags & (BR_CONNECTING | BR_LISTENING)) return UV_EINVAL;
  if (flags & (BR_BIND_REUSEPORT | BR_BIND_EXCLUSIVE)) {
    uv_os_fd_t fd;
    int err = tcp_socket(h, a->sa_family, &fd);
    if (err == 0 && flags & BR_BIND_REUSEPORT) err = set_option(fd, SO_REUSEPORT);
    if (err != 0) return err;
    if (flags & BR_BIND_EXCLUSIVE) return bind_exclusive(fd, a, len, flags);
  }
  int err = uv_tcp_bind(br_tcp(h), a, flags & BR_BIND_V6ONLY ? UV_TCP_IPV6ONLY : 0);
  if (err != 0) return err;
  // libuv keeps EADDRINUSE for uv_listen or uv_tcp_connect to report; asking for the name
  // brings it out now.
  struct sockaddr_storage name;
  int n = sizeof name;
  return uv_tcp_getsockname(br_tcp(h), (struct sockaddr *)&name, &n);
}

void br_on_connect(uv_connect_t *req, int status) {
  br_handle *h = br_of(req->handle);
  br_loop *l = br_loop_of(br_uv(h));
  h->flags &= (uint8_t)~BR_CONNECTING;
  br_push(l, BR_REC_CONNECT, h, status);
  if (h->state != BR_OPEN) return;  // the close callback frees the rest
  if (status < 0) {
    br_out_free(h);
    return;
  }
  h->flags |= BR_CONNECTED;
  br_out_next(l, h);
}

int br_tcp_connect(br_loop *l, uint64_t id, const void *addr, unsigned len) {
  br_handle *h = find_kind(l, id, BR_KIND_TCP);
  const struct sockaddr *a = addr;
  if (h == NULL) return UV_EBADF;
  if (!addr_ok(a, len)) return UV_EINVAL;
  if (h->flags & BR_CONNECTING) return UV_EALREADY;
  if (h->flags & BR_CONNECTED) return UV_EISCONN;
  if (h->flags & BR_LISTENING || h->out != NULL) return UV_EINVAL;
  uv_os_fd_t fd;
  int err = tcp_socket(h, a->sa_family, &fd);
  if (err == 0) err = br_watch_stream(l, h);
  if (err == 0) err = uv_tcp_connect(br_out_of(h)->req, br_tcp(h), a, br_on_connect);
  if (err != 0) {
    br_out_free(h);
    return err;
  }
  br_watched(h);
  h->flags |= BR_CONNECTING;
  return 0;
}

int br_tcp_nodelay(br_loop *l, uint64_t id, int on) {
  br_handle *h = find_kind(l, id, BR_KIND_TCP);
  return h == NULL ? UV_EBADF : uv_tcp_nodelay(br_tcp(h), on);
}

int br_tcp_keepalive(br_loop *l, uint64_t id, int on, unsigned delay_s) {
  br_handle *h = find_kind(l, id, BR_KIND_TCP);
  if (h == NULL) return UV_EBADF;
  if (on && delay_s == 0) return UV_EINVAL;  // as libuv does since 1.49
  return uv_tcp_keepalive(br_tcp(h), on, delay_s);
}

int br_tcp_simultaneous_accepts(br_loop *l, uint64_t id, int on) {
  br_handle *h = find_kind(l, id, BR_KIND_TCP);
  return h == NULL ? UV_EBADF : uv_tcp_simultaneous_accepts(br_tcp(h), on);
}

void br_peer_keep(br_handle *h, const struct sockaddr *addr) {
  void *data;
  if (addr->sa_family == AF_INET) {
    const struct sockaddr_in *a = (const struct sockaddr_in *)addr;
    data = (void *)(uintptr_t)a->sin_addr.s_addr;
    h->peer_port = a->sin_port;
  } else if (addr->sa_family == AF_INET6) {
    data = br_alloc(sizeof(struct sockaddr_in6));
    memcpy(data, addr, sizeof(struct sockaddr_in6));
  } else {
    return;
  }
  uv_handle_set_data(br_uv(h), data);
  h->peer_family = (uint8_t)addr->sa_family;
}

void br_peer_free(br_handle *h) {
  if (h->peer_family == AF_INET6) br_free(uv_handle_get_data(br_uv(h)));
}

// peer_name writes the address that was kept and returns its length.
static int peer_name(br_handle *h, void *addr) {
  void *data = uv_handle_get_data(br_uv(h));
  if (h->peer_family == AF_INET6) {
    memcpy(addr, data, sizeof(struct sockaddr_in6));
    return sizeof(struct sockaddr_in6);
  }
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = h->peer_port, .sin_addr.s_addr = (in_addr_t)(uintptr_t)data};
  memcpy(addr, &a, sizeof a);
  return sizeof a;
}

int br_tcp_name(br_loop *l, uint64_t id, int peer, void *addr) {
  br_handle *h = find_kind(l, id, BR_KIND_TCP);
  if (h == NULL) return UV_EBADF;
  if (peer && h->peer_family != AF_UNSPEC) return peer_name(h, addr);
  struct sockaddr_storage name;
  int n = sizeof name;
  int err = peer ? uv_tcp_getpeername(br_tcp(h), (struct sockaddr *)&name, &n)
                 : uv_tcp_getsockname(br_tcp(h), (struct sockaddr *)&name, &n);
  if (err != 0) return err;
  if (n > BR_ADDR_BYTES) return UV_EAFNOSUPPORT;
  memcpy(addr, &name, (size_t)n);
  return n;
}
