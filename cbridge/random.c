// Random bytes. The system may make one wait for them, so the pool asks.
//
// The bytes go to memory of C's and from there to Go's: a request that Go has given up
// may still be written to.
#include "jobs.h"

#include <stdlib.h>
#include <string.h>

static void on_random(uv_random_t *u, int status, void *bytes, size_t n) {
  (void)bytes;  // stay with u
  (void)n;
  br_job_done(u->loop, (uv_req_t *)u, status);
}

static void free_bytes(uv_req_t *u) { br_free(uv_req_get_data(u)); }

int br_random(br_loop *l, size_t n, uint64_t *id) {
  if (!br_pool_started()) return UV_EAGAIN;
  if (n > BR_RANDOM_BYTES_MAX) return UV_E2BIG;
  void *bytes = br_alloc(n);
  if (bytes == NULL) return UV_ENOMEM;
  br_job *j = br_job_new(l, UV_RANDOM, free_bytes);
  if (j == NULL) {
    br_free(bytes);
    return UV_ENOMEM;
  }
  uv_req_set_data(br_req_uv(&j->req), bytes);
  int err = uv_random(l->uv, br_req_uv(&j->req), bytes, n, 0, on_random);
  if (err != 0) {
    br_free(bytes);
    br_job_drop(l, j);
    return err;
  }
  *id = br_job_id(j);
  return 0;
}

void br_job_random(br_loop *l, uint64_t id, char *p, size_t n) {
  uv_req_t *u = br_job_result(l, id, UV_RANDOM);
  if (u != NULL && n > 0) memcpy(p, uv_req_get_data(u), n);
}

int br_random_now(char *p, size_t n) { return uv_random(NULL, NULL, p, n, 0, NULL); }
