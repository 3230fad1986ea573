// Which handle has which descriptor.
//
// A table by the number of the descriptor, of 4 bytes for each number up to the largest
// that a handle has had. It answers at once whether another handle of the loop has a
// descriptor, and tells a handle whose descriptor is its owner's, who has closed it, when
// the number comes back as that of another handle: libuv knows a watcher by the number
// alone, and would take the one for the other.
#include "internal.h"

#include <string.h>

static void grow(br_loop *l, uint32_t n) {
  uint32_t cap = l->owners_cap == 0 ? 64 : l->owners_cap;
  while (cap < n) cap *= 2;
  uint32_t *owners = br_alloc(cap * sizeof *owners);
  if (l->owners_cap > 0) memcpy(owners, l->owners, l->owners_cap * sizeof *owners);
  memset(owners + l->owners_cap, 0, (cap - l->owners_cap) * sizeof *owners);
  br_free(l->owners);
  l->owners = owners;
  l->owners_cap = cap;
}

br_handle *br_owner(const br_loop *l, int fd) {
  if (fd < 0 || (uint32_t)fd >= l->owners_cap || l->owners[fd] == 0) return NULL;
  return l->handles.slots[l->owners[fd] - 1].p;
}

void br_own(br_loop *l, br_handle *h, int fd) {
  br_unown(l, fd);
  if ((uint32_t)fd >= l->owners_cap) grow(l, (uint32_t)fd + 1);
  l->owners[fd] = h->slot + 1;
}

void br_unown(br_loop *l, int fd) {
  br_handle *old = br_owner(l, fd);
  if (old == NULL) return;
  l->owners[fd] = 0;
  if (br_kind_of(l, old)->lost != NULL) br_kind_of(l, old)->lost(l, old);
}

void br_own_new(br_loop *l, br_handle *h) {
  uv_os_fd_t fd;
  if (uv_fileno(br_uv(h), &fd) == 0) br_own(l, h, fd);
}

void br_disown(br_loop *l, br_handle *h) {
  uv_os_fd_t fd;
  if (uv_fileno(br_uv(h), &fd) == 0 && br_owner(l, fd) == h) l->owners[fd] = 0;
}
