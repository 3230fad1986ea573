// What newer versions of libuv tell of the system. Go calls libuv itself for what all
// versions have.
#include "internal.h"
#include "requests.h"

#include <string.h>

int br_clock_gettime(int clock, int64_t *sec, int32_t *nsec) {
#if UV_SINCE(45)
  uv_timespec64_t t;
  int err = uv_clock_gettime(clock == 0 ? UV_CLOCK_MONOTONIC : UV_CLOCK_REALTIME, &t);
  if (err != 0) return err;
  *sec = t.tv_sec;
  *nsec = t.tv_nsec;
  return 0;
#else
  (void)clock;
  (void)sec;
  (void)nsec;
  return UV_ENOSYS;
#endif
}

// The memory of the names is tried before: libuv does not look whether it has got some.
int br_interface_addresses(uv_interface_address_t **list, int *n) {
  enum { NAMES_BYTES = 256 * 1024 };
  void *names = br_alloc(NAMES_BYTES);
  if (names == NULL) return UV_ENOMEM;
  br_free(names);
  br_certain(BR_ALL_CERTAIN);
  int err = uv_interface_addresses(list, n);
  br_certain(BR_NONE_CERTAIN);
  return err;
}

int br_available_memory(uint64_t *bytes) {
#if UV_SINCE(45)
  *bytes = uv_get_available_memory();
  return 0;
#else
  (void)bytes;
  return UV_ENOSYS;
#endif
}

int br_passwd_of(unsigned long uid, uv_passwd_t *p) {
#if UV_SINCE(45)
  return uv_os_get_passwd2(p, (uv_uid_t)uid);
#else
  (void)uid;
  (void)p;
  return UV_ENOSYS;
#endif
}

// The memory of a group is libuv's, whatever structure its addresses stand in.
int br_group_of(unsigned long gid, br_group *g) {
#if UV_SINCE(45)
  uv_group_t u;
  int err = uv_os_get_group(&u, (uv_gid_t)gid);
  if (err != 0) return err;
  *g = (br_group){.name = u.groupname, .gid = u.gid, .members = u.members};
  return 0;
#else
  (void)gid;
  (void)g;
  return UV_ENOSYS;
#endif
}

void br_group_free(br_group *g) {
#if UV_SINCE(45)
  uv_group_t u = {.groupname = g->name, .gid = g->gid, .members = g->members};
  uv_os_free_group(&u);
#endif
  memset(g, 0, sizeof *g);
}
