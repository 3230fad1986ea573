// The peer of an accepted connection, which the kernel forgets when the connection fails.
// Its IPv4 address, or the sockaddr_in6, is the data of the libuv handle.
#include "streams.h"

#include <netinet/in.h>
#include <string.h>

void br_peer_keep(br_handle *h, const struct sockaddr *addr) {
  void *data;
  if (addr->sa_family == AF_INET) {
    const struct sockaddr_in *a = (const struct sockaddr_in *)addr;
    data = (void *)(uintptr_t)a->sin_addr.s_addr;
    h->peer_port = a->sin_port;
  } else if (addr->sa_family == AF_INET6) {
    data = br_alloc(sizeof(struct sockaddr_in6));
    if (data == NULL) return;  // the kernel will be asked
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

int br_peer_name(br_handle *h, void *addr) {
  if (h->peer_family == AF_UNSPEC) return 0;
  void *data = uv_handle_get_data(br_uv(h));
  if (h->peer_family == AF_INET6) {
    memcpy(addr, data, sizeof(struct sockaddr_in6));
    return sizeof(struct sockaddr_in6);
  }
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = h->peer_port, .sin_addr.s_addr = (in_addr_t)(uintptr_t)data};
  memcpy(addr, &a, sizeof a);
  return sizeof a;
}
