// Jobs: what pool.c, job.c and copy.c offer to the files that ask the pool.
#ifndef ASYNCIO_BRIDGE_JOBS_H
#define ASYNCIO_BRIDGE_JOBS_H

#include "internal.h"
#include "requests.h"

// pool.c

int br_pool_started(void);

// job.c

// A job is a request that has no handle; libuv's request follows it, as it does a br_req.
typedef struct {
  void (*release)(uv_req_t *u);  // frees what the result is, or NULL
  int done;                      // its record is pushed
  alignas(16) br_req req;
} br_job;

// br_job_new makes one with memory for libuv's request, or gives NULL; br_job_drop frees
// one that libuv has refused, and br_job_done is for its callback.
br_job *br_job_new(br_loop *l, uv_req_type type, void (*release)(uv_req_t *u));
void br_job_drop(br_loop *l, br_job *j);
void br_job_done(uv_loop_t *loop, uv_req_t *u, int status);
// br_job_result is libuv's request of a job that is done, of that type; else NULL.
uv_req_t *br_job_result(br_loop *l, uint64_t id, uv_req_type type);

static inline uint64_t br_job_id(const br_job *j) { return (uint64_t)j->req.gen << 32 | j->req.slot; }

// copy.c
int br_copy_over(const char *from, const char *to, int flags);

#endif
