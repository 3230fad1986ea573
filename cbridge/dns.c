// Names and addresses. libuv asks the system's resolver, which blocks, on its pool.
//
// Without a callback libuv asks at once. Of the loop that it is given it then touches
// nothing but the count of its requests, so that one of zeros will do.
#include "jobs.h"

#include <netdb.h>
#include <string.h>

_Static_assert(BR_HOST_BYTES >= NI_MAXHOST && BR_SERVICE_BYTES >= NI_MAXSERV, "a name fits");

static struct addrinfo hints_of(const br_hints *h) {
  return (struct addrinfo){.ai_family = h->family, .ai_socktype = h->socktype, .ai_protocol = h->protocol, .ai_flags = h->flags};
}

// libuv before 1.48 cuts a longer name to another one.
static int too_long(const char *node) { return node != NULL && strlen(node) > BR_NODE_BYTES; }

// an_address reports whether addr is one that libuv knows, of its size.
static int an_address(const struct sockaddr *addr, unsigned len) {
  return (addr->sa_family == AF_INET && len == sizeof(struct sockaddr_in)) || (addr->sa_family == AF_INET6 && len == sizeof(struct sockaddr_in6));
}

static void on_addresses(uv_getaddrinfo_t *u, int status, struct addrinfo *list) {
  (void)list;  // stays in u
  br_job_done(u->loop, (uv_req_t *)u, status);
}

static void free_addresses(uv_req_t *u) { uv_freeaddrinfo(((uv_getaddrinfo_t *)u)->addrinfo); }

int br_getaddrinfo(br_loop *l, const char *node, const char *service, const br_hints *hints, uint64_t *id) {
  if (!br_pool_started()) return UV_EAGAIN;
  if (too_long(node)) return UV_ENAMETOOLONG;
  struct addrinfo h = hints_of(hints);
  br_job *j = br_job_new(l, UV_GETADDRINFO, free_addresses);
  if (j == NULL) return UV_ENOMEM;
  int err = uv_getaddrinfo(l->uv, br_req_uv(&j->req), on_addresses, node, service, &h);
  if (err != 0) {
    br_job_drop(l, j);
    return err;
  }
  *id = br_job_id(j);
  return 0;
}

static void on_name(uv_getnameinfo_t *u, int status, const char *host, const char *service) {
  (void)host;  // stay in u
  (void)service;
  br_job_done(u->loop, (uv_req_t *)u, status);
}

int br_getnameinfo(br_loop *l, const void *addr, unsigned len, int flags, uint64_t *id) {
  if (!br_pool_started()) return UV_EAGAIN;
  if (!an_address(addr, len)) return UV_EINVAL;
  br_job *j = br_job_new(l, UV_GETNAMEINFO, NULL);
  if (j == NULL) return UV_ENOMEM;
  int err = uv_getnameinfo(l->uv, br_req_uv(&j->req), on_name, addr, flags);
  if (err != 0) {
    br_job_drop(l, j);
    return err;
  }
  *id = br_job_id(j);
  return 0;
}

const struct addrinfo *br_job_addresses(br_loop *l, uint64_t id) {
  uv_getaddrinfo_t *u = (uv_getaddrinfo_t *)br_job_result(l, id, UV_GETADDRINFO);
  return u != NULL ? u->addrinfo : NULL;
}

const char *br_job_name(br_loop *l, uint64_t id, const char **service) {
  uv_getnameinfo_t *u = (uv_getnameinfo_t *)br_job_result(l, id, UV_GETNAMEINFO);
  *service = u != NULL ? u->service : "";
  return u != NULL ? u->host : "";
}

// A request that is answered at once, and the loop of zeros that it is given.
typedef struct {
  uv_loop_t *loop;
  void *req;
} at_once;

static void drop(at_once *a) {
  br_free(a->loop);
  br_free(a->req);
}

static int prepare(at_once *a, uv_req_type type) {
  *a = (at_once){.loop = br_alloc(uv_loop_size()), .req = br_alloc(uv_req_size(type))};
  if (a->loop != NULL && a->req != NULL) {
    memset(a->loop, 0, uv_loop_size());
    return 0;
  }
  drop(a);
  return UV_ENOMEM;
}

int br_getaddrinfo_now(const char *node, const char *service, const br_hints *hints, struct addrinfo **list) {
  *list = NULL;
  if (too_long(node)) return UV_ENAMETOOLONG;
  struct addrinfo h = hints_of(hints);
  at_once a;
  int err = prepare(&a, UV_GETADDRINFO);
  if (err != 0) return err;
  uv_getaddrinfo_t *u = a.req;
  err = uv_getaddrinfo(a.loop, u, NULL, node, service, &h);
  if (err == 0) *list = u->addrinfo;
  drop(&a);
  return err;
}

int br_getnameinfo_now(const void *addr, unsigned len, int flags, char *host, char *service) {
  if (!an_address(addr, len)) return UV_EINVAL;
  at_once a;
  int err = prepare(&a, UV_GETNAMEINFO);
  if (err != 0) return err;
  uv_getnameinfo_t *u = a.req;
  err = uv_getnameinfo(a.loop, u, NULL, addr, flags);
  if (err == 0) {
    memcpy(host, u->host, sizeof u->host);
    memcpy(service, u->service, sizeof u->service);
  }
  drop(&a);
  return err;
}
