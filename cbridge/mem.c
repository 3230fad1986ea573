// Memory, and how much of it is alive, for tests.
#include "internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_llong live_allocations;
static int counting;
static _Thread_local int count_none;
static _Thread_local br_certainty certain;
static atomic_llong until_failure;  // allocations until the one that fails; 0: none will, -1: all do
static atomic_int after_failure;    // what follows: 0 or -1

static void count(int n) {
  if (counting && !count_none) atomic_fetch_add(&live_allocations, n);
}

void br_count_none(int on) { count_none = on; }

void br_certain(br_certainty c) { certain = c; }

// fails reports whether this allocation is to fail, as the system would have it.
static int fails(void) {
  long long n = atomic_load(&until_failure);
  while (n > 0 && !atomic_compare_exchange_weak(&until_failure, &n, n > 1 ? n - 1 : atomic_load(&after_failure))) {
  }
  if (!counting || (n != -1 && n != 1)) return 0;
  errno = ENOMEM;
  return 1;
}

static void *count_malloc(size_t n) {
  void *p = certain < BR_ALL_CERTAIN && fails() ? NULL : malloc(n);
  if (p != NULL) count(1);
  return p;
}

void *br_alloc(size_t n) { return count_malloc(n > 0 ? n : 1); }

void br_free(void *p) {
  if (p != NULL) count(-1);
  free(p);
}

static void *count_calloc(size_t n, size_t size) {
  void *p = fails() ? NULL : calloc(n, size);
  if (p != NULL) count(1);
  return p;
}

static void *count_realloc(void *old, size_t n) {
  void *p = certain < BR_TABLE_CERTAIN && fails() ? NULL : realloc(old, n);
  if (p != NULL && old == NULL) count(1);
  return p;
}

int br_count_allocations(void) {
  int err = uv_replace_allocator(count_malloc, count_realloc, count_calloc, br_free);
  if (err == 0) counting = 1;
  return err;
}

int64_t br_live_allocations(void) { return counting ? (int64_t)atomic_load(&live_allocations) : -1; }

int64_t br_fail_allocation(int64_t n, int all) {
  atomic_store(&after_failure, all ? -1 : 0);
  return atomic_exchange(&until_failure, n);
}
