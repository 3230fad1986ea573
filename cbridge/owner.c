// Which handle has which descriptor.
//
// A table by the number of the descriptor, of 4 bytes for each number up to the largest
// that a handle has had; libuv has another one, which is made to reach as far. It answers
// at once whether another handle of the loop has a descriptor, and tells a handle whose
// descriptor is its owner's, who has closed it, when the number comes back as that of
// another handle: libuv knows a watcher by the number alone, and would take the one for
// the other.
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int grow(br_loop *l, uint32_t n) {
  uint32_t cap = l->owners_cap == 0 ? 64 : l->owners_cap;
  while (cap < n) cap *= 2;
  uint32_t *owners = br_alloc(cap * sizeof *owners);
  if (owners == NULL) return UV_ENOMEM;
  if (l->owners_cap > 0) memcpy(owners, l->owners, l->owners_cap * sizeof *owners);
  memset(owners + l->owners_cap, 0, (cap - l->owners_cap) * sizeof *owners);
  br_free(l->owners);
  l->owners = owners;
  l->owners_cap = cap;
  return 0;
}

// grow_watchers makes libuv's own table of watchers reach n descriptors. libuv would do
// so when it starts one, and abort without memory. Behind the table are two pointers,
// which libuv uses while it polls.
static int grow_watchers(br_loop *l, uint32_t n) {
  enum { BEHIND = 2 };
  uv_loop_t *u = l->uv;
  uint32_t size = 16;
  while (size < n + BEHIND) size *= 2;
  void **table = br_alloc(size * sizeof *table), **old = (void **)u->watchers;
  if (table == NULL) return UV_ENOMEM;
  uint32_t had = u->nwatchers, has = size - BEHIND;
  for (uint32_t i = 0; i < size; i++) table[i] = NULL;
  if (old != NULL) {
    memcpy(table, old, had * sizeof *table);
    memcpy(table + has, old + had, BEHIND * sizeof *table);
  }
  br_free(old);
  u->watchers = (void *)table;
  u->nwatchers = has;
  return 0;
}

int br_number(br_loop *l, int fd) {
  uint32_t n = (uint32_t)fd + 1;
  int err = n > l->owners_cap ? grow(l, n) : 0;
  return err == 0 && n > l->uv->nwatchers ? grow_watchers(l, n) : err;
}

int br_next_number(br_loop *l) {
  enum { NUMBERS_SPARE = 16 };  // others may take some meanwhile
  int fd = br_fd_any();
  if (fd < 0) return uv_translate_sys_error(errno);
  close(fd);
  return br_number(l, fd + NUMBERS_SPARE);
}

br_handle *br_owner(const br_loop *l, int fd) {
  if (fd < 0 || (uint32_t)fd >= l->owners_cap || l->owners[fd] == 0) return NULL;
  return l->handles.slots[l->owners[fd] - 1].p;
}

int br_own(br_loop *l, br_handle *h, int fd) {
  br_unown(l, fd);
  int err = br_number(l, fd);
  if (err == 0) l->owners[fd] = h->slot + 1;
  return err;
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
