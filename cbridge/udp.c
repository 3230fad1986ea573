// Sockets for datagrams: making, binding, connecting, options, groups and names.
//
// Sockets are made here, not by libuv: one that cannot be bound is closed again, and the
// options that have to precede bind(2) can be set. Options are set here too, as libuv
// knows the family of a socket only if it has bound that.
#include "datagrams.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// init asks libuv whether the system takes several datagrams at a time. For the answer it
// opens a socket, once in a process, whose number must not be that of a standard file.
static int udp_init(br_loop *l, br_handle *h, unsigned flags) {
  br_udp *u = br_udp_of(h);
  int err = uv_udp_init_ex(l->uv, br_uv_udp(u), flags);
  if (err != 0) return err;
  u->batch = uv_udp_using_recvmmsg(br_uv_udp(u)) != 0;
  br_outbox_batch(l, u->batch);
  return 0;
}

static void udp_closing(br_loop *l, br_handle *h) {
  (void)l;
  br_recv_end(br_udp_of(h));
}

static void udp_closed(br_loop *l, br_handle *h) { br_unsent_free(l, br_udp_of(h)); }

static int set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) != 0 ? uv_translate_sys_error(errno) : 0;
}

static int is_set(int fd, int level, int option) {
  int value = 0;
  socklen_t n = sizeof value;
  getsockopt(fd, level, option, &value, &n);
  return value;
}

static int family_of(int fd) {
  struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
  socklen_t n = sizeof name;
  if (getsockname(fd, (struct sockaddr *)&name, &n) != 0) return AF_UNSPEC;
  return name.ss_family;
}

#ifdef __linux__
enum { REUSE = SO_REUSEADDR };
#else
enum { REUSE = SO_REUSEPORT };
#endif

// udp_open gives the socket to libuv, which lets others bind to its address too. That is
// undone: it is the program's to say, with BR_UDP_REUSEADDR.
static int udp_open(br_handle *h, int fd) {
  br_udp *u = br_udp_of(h);
  int reuse = is_set(fd, SOL_SOCKET, REUSE);
  int err = uv_udp_open(br_uv_udp(u), fd);
  if (err != 0) return err;
  if (!reuse) set(fd, SOL_SOCKET, REUSE, 0);
  u->family = (uint8_t)family_of(fd);
  return 0;
}

static uv_handle_t *udp_acts(br_handle *h) { return br_uv(h); }

const br_kind br_udp_kind = {
    .type = UV_UDP,
    .before = offsetof(br_udp, h),
    .init = udp_init,
    .closing = udp_closing,
    .closed = udp_closed,
    .acts = udp_acts,
    .open = udp_open,
};

static int new_socket(int family) {
  int type = SOCK_DGRAM;
#ifdef SOCK_CLOEXEC
  type |= SOCK_CLOEXEC | SOCK_NONBLOCK;
#endif
  int fd = br_fd_up(socket(family, type, 0));
  return fd < 0 ? uv_translate_sys_error(errno) : fd;
}

int br_udp_new(br_loop *l, int family, int batch, unsigned recv_bytes, uint64_t *id) {
  br_handle *h;
  int fd = -1;
  if (recv_bytes == 0 || recv_bytes > BR_DGRAM_BYTES_MAX) return UV_EINVAL;
  if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6) return UV_EINVAL;
  if (family != AF_UNSPEC) fd = new_socket(family);
  if (family != AF_UNSPEC && fd < 0) return fd;
  int err = br_inbox_open(l);
  if (err == 0) err = br_outbox_open(l);
  if (err == 0) err = br_handle_new(l, BR_KIND_UDP, UV_UDP_RECVMMSG, &h);
  if (err == 0 && fd >= 0) {
    err = br_handle_open(l, h, fd);
    if (err != 0) br_handle_close(l, h);
  }
  if (err != 0) {
    if (fd >= 0) close(fd);
    return err;
  }
  br_udp *u = br_udp_of(h);
  u->recv_bytes = recv_bytes;
  u->batch = u->batch && batch;
  *id = br_id(h);
  return 0;
}

static int open_check(br_loop *l, int fd) {
  int type;
  socklen_t n = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) != 0) return uv_translate_sys_error(errno);
  if (type != SOCK_DGRAM) return UV_EINVAL;
  int family = family_of(fd);
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) return UV_EAFNOSUPPORT;
  return br_owner(l, fd) != NULL ? UV_EEXIST : 0;
}

int br_udp_open(br_loop *l, uint64_t id, int fd) {
  br_udp *u = br_find_udp(l, id);
  if (u == NULL) return UV_EBADF;
  if (u->family != AF_UNSPEC) return UV_EBUSY;
  int err = open_check(l, fd);
  if (err != 0) return err;
  int own = fd;
  if (fd <= STDERR_FILENO) own = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (own < 0) return uv_translate_sys_error(errno);
  err = br_handle_open(l, &u->h, own);
  if (err != 0 && own != fd) close(own);
  return err != 0 ? err : u->family;
}

static int addr_ok(const struct sockaddr *a, unsigned len) {
  if (a->sa_family == AF_INET) return len == sizeof(struct sockaddr_in);
  return a->sa_family == AF_INET6 && len == sizeof(struct sockaddr_in6);
}

static int prepare(int fd, int family, unsigned flags) {
  int err = 0;
  if (flags & BR_UDP_REUSEADDR) err = set(fd, SOL_SOCKET, REUSE, 1);
  if (err == 0 && flags & BR_BIND_REUSEPORT) err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (err == 0 && flags & BR_BIND_V6ONLY) err = family == AF_INET6 ? set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) : UV_EINVAL;
#ifdef __linux__
  if (err == 0 && flags & BR_UDP_RECVERR) {
    err = family == AF_INET6 ? set(fd, IPPROTO_IPV6, IPV6_RECVERR, 1) : set(fd, IPPROTO_IP, IP_RECVERR, 1);
  }
#endif
  return err;
}

static int bind_fd(int fd, const struct sockaddr *a, unsigned len, unsigned flags) {
  int err = prepare(fd, a->sa_family, flags);
  if (err != 0) return err;
  return bind(fd, a, len) != 0 ? uv_translate_sys_error(errno) : 0;
}

// bind_new makes a socket for the address, which the handle owns if all goes well.
static int bind_new(br_loop *l, br_udp *u, const struct sockaddr *a, unsigned len, unsigned flags) {
  int fd = new_socket(a->sa_family);
  if (fd < 0) return fd;
  int err = bind_fd(fd, a, len, flags);
  if (err == 0) err = br_handle_open(l, &u->h, fd);
  if (err != 0) close(fd);
  return err;
}

int br_udp_bind(br_loop *l, uint64_t id, const void *addr, unsigned len, unsigned flags) {
  br_udp *u = br_find_udp(l, id);
  const struct sockaddr *a = addr;
  if (u == NULL) return UV_EBADF;
  if (!addr_ok(a, len)) return UV_EINVAL;
  if (u->family == AF_UNSPEC) return bind_new(l, u, a, len, flags);
  return u->family == a->sa_family ? bind_fd(br_udp_fd(u), a, len, flags) : UV_EINVAL;
}

int br_udp_any(br_loop *l, uint64_t id, int family, int reuse) {
  br_udp *u = br_find_udp(l, id);
  if (u == NULL) return UV_EBADF;
  if (u->family != AF_UNSPEC) return 0;
  unsigned flags = reuse ? BR_UDP_REUSEADDR : 0;
  if (family == AF_INET6) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    return bind_new(l, u, (struct sockaddr *)&any, sizeof any, flags);
  }
  struct sockaddr_in any = {.sin_family = AF_INET};
  return bind_new(l, u, (struct sockaddr *)&any, sizeof any, flags);
}

// port is where the port is in an address, NULL in one without.
static in_port_t *port(struct sockaddr_storage *a) {
  if (a->ss_family == AF_INET) return &((struct sockaddr_in *)a)->sin_port;
  return a->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)a)->sin6_port : NULL;
}

// disconnect keeps the port, which Linux takes from a socket that had not asked for that
// one: nobody would reach it any more. If somebody else has taken it, it is lost.
static int disconnect(br_udp *u) {
  struct sockaddr_storage old = {.ss_family = AF_UNSPEC}, now = old;
  socklen_t n = sizeof old;
  int fd = br_udp_fd(u);
  getsockname(fd, (struct sockaddr *)&old, &n);
  int err = uv_udp_connect(br_uv_udp(u), NULL);
  n = sizeof now;
  if (err != 0 || port(&old) == NULL || getsockname(fd, (struct sockaddr *)&now, &n) != 0 || *port(&now) != 0) return err;
  *port(&now) = *port(&old);
  (void)!bind(fd, (struct sockaddr *)&now, n);
  return 0;
}

int br_udp_connect(br_loop *l, uint64_t id, const void *addr, unsigned len) {
  br_udp *u = br_find_udp(l, id);
  if (u == NULL || u->family == AF_UNSPEC) return UV_EBADF;
  if (addr == NULL) return disconnect(u);
  const struct sockaddr *a = addr;
  if (!addr_ok(a, len) || a->sa_family != u->family) return UV_EINVAL;
  return uv_udp_connect(br_uv_udp(u), a);
}

int br_udp_name(br_loop *l, uint64_t id, int peer, void *addr) {
  br_udp *u = br_find_udp(l, id);
  if (u == NULL) return UV_EBADF;
  struct sockaddr_storage name;
  int n = sizeof name;
  int err = peer ? uv_udp_getpeername(br_uv_udp(u), (struct sockaddr *)&name, &n)
                 : uv_udp_getsockname(br_uv_udp(u), (struct sockaddr *)&name, &n);
  if (err != 0) return err;
  if (u->family == AF_UNIX || n > BR_ADDR_BYTES) return UV_EAFNOSUPPORT;
  memcpy(addr, &name, (size_t)n);
  return n;
}

int br_udp_batch(br_loop *l, uint64_t id) {
  br_udp *u = br_find_udp(l, id);
  return u != NULL && u->batch;
}

int br_udp_set(br_loop *l, uint64_t id, int option, int value) {
  br_udp *u = br_find_udp(l, id);
  if (u == NULL || u->family == AF_UNSPEC) return UV_EBADF;
  int fd = br_udp_fd(u);
  if (option == BR_UDP_BROADCAST) return set(fd, SOL_SOCKET, SO_BROADCAST, value);
  int six = u->family == AF_INET6;
  if (u->family == AF_UNIX) return UV_EINVAL;
  switch (option) {
    case BR_UDP_TTL: return six ? set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, value) : set(fd, IPPROTO_IP, IP_TTL, value);
    case BR_UDP_MULTICAST_TTL:
      if (six) return set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, value);
      option = IP_MULTICAST_TTL;
      break;
    case BR_UDP_MULTICAST_LOOP:
      if (six) return set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, value);
      option = IP_MULTICAST_LOOP;
      break;
    default: return UV_EINVAL;
  }
  unsigned char byte = (unsigned char)value;  // what every system takes
  return setsockopt(fd, IPPROTO_IP, option, &byte, sizeof byte) != 0 ? uv_translate_sys_error(errno) : 0;
}

static int group4(int fd, int join, const struct sockaddr_in *group, const struct sockaddr_in *iface, const struct sockaddr_in *source) {
  if (source == NULL) {
    struct ip_mreq m = {.imr_multiaddr = group->sin_addr, .imr_interface = iface->sin_addr};
    return setsockopt(fd, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &m, sizeof m);
  }
  struct ip_mreq_source m = {.imr_multiaddr = group->sin_addr, .imr_interface = iface->sin_addr, .imr_sourceaddr = source->sin_addr};
  return setsockopt(fd, IPPROTO_IP, join ? IP_ADD_SOURCE_MEMBERSHIP : IP_DROP_SOURCE_MEMBERSHIP, &m, sizeof m);
}

static int group6(int fd, int join, const struct sockaddr_in6 *group, const struct sockaddr_in6 *iface, const struct sockaddr_in6 *source) {
  if (source == NULL) {
    struct ipv6_mreq m = {.ipv6mr_multiaddr = group->sin6_addr, .ipv6mr_interface = iface->sin6_scope_id};
    return setsockopt(fd, IPPROTO_IPV6, join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &m, sizeof m);
  }
  struct group_source_req m = {.gsr_interface = iface->sin6_scope_id};
  memcpy(&m.gsr_group, group, sizeof *group);
  memcpy(&m.gsr_source, source, sizeof *source);
  return setsockopt(fd, IPPROTO_IPV6, join ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP, &m, sizeof m);
}

int br_udp_group(br_loop *l, uint64_t id, int join, const void *group, const void *iface, const void *source) {
  br_udp *u = br_find_udp(l, id);
  const struct sockaddr *a = group;
  if (u == NULL || u->family == AF_UNSPEC) return UV_EBADF;
  if (a->sa_family != u->family) return UV_EINVAL;
  int r = u->family == AF_INET6 ? group6(br_udp_fd(u), join, group, iface, source) : group4(br_udp_fd(u), join, group, iface, source);
  return r != 0 ? uv_translate_sys_error(errno) : 0;
}

int br_udp_interface(br_loop *l, uint64_t id, const void *iface) {
  br_udp *u = br_find_udp(l, id);
  const struct sockaddr *a = iface;
  if (u == NULL || u->family == AF_UNSPEC) return UV_EBADF;
  if (a->sa_family != u->family) return UV_EINVAL;
  if (u->family == AF_INET6) return set(br_udp_fd(u), IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)((const struct sockaddr_in6 *)iface)->sin6_scope_id);
  const struct in_addr *addr = &((const struct sockaddr_in *)iface)->sin_addr;
  return setsockopt(br_udp_fd(u), IPPROTO_IP, IP_MULTICAST_IF, addr, sizeof *addr) != 0 ? uv_translate_sys_error(errno) : 0;
}
