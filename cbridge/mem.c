// Memory, and how much of it is alive, for tests.
#include "internal.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_llong live_allocations;
static int counting;
static _Thread_local int count_none, certain;
static atomic_llong until_failure;  // allocations until the one that fails; 0: none will

static void count(int n) {
  if (counting && !count_none) atomic_fetch_add(&live_allocations, n);
}

void br_count_none(int on) { count_none = on; }

void br_certain(int on) { certain = on; }

static int fails(void) {
  return counting && atomic_load(&until_failure) > 0 && atomic_fetch_sub(&until_failure, 1) == 1;
}

// A completion that cannot be stored would be a future that never ends, so without memory
// the process ends.
void *br_alloc(size_t n) {
  void *p = malloc(n);
  if (p == NULL) {
    fprintf(stderr, "asyncio bridge: out of memory (%zu bytes)\n", n);
    abort();
  }
  count(1);
  return p;
}

static void *count_malloc(size_t n) {
  void *p = fails() ? NULL : malloc(n);
  if (p != NULL) count(1);
  return p;
}

void *br_try_alloc(size_t n) { return count_malloc(n > 0 ? n : 1); }

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
  void *p = !certain && fails() ? NULL : realloc(old, n);
  if (p != NULL && old == NULL) count(1);
  return p;
}

int br_count_allocations(void) {
  int err = uv_replace_allocator(count_malloc, count_realloc, count_calloc, br_free);
  if (err == 0) counting = 1;
  return err;
}

int64_t br_live_allocations(void) { return counting ? (int64_t)atomic_load(&live_allocations) : -1; }

int64_t br_fail_allocation(int64_t n) { return atomic_exchange(&until_failure, n); }
