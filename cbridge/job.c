// Requests that have no handle: libuv's pool does them.
//
// A job runs, or waits for a thread, until its callback pushes its record. Then its
// result can be asked for, until Go frees it. libuv calls back also after a cancellation.
#include "jobs.h"

br_job *br_job_new(br_loop *l, uv_req_type type, void (*release)(uv_req_t *u)) {
  br_job *j = br_alloc(sizeof *j + uv_req_size(type));
  if (j == NULL) return NULL;
  *j = (br_job){.release = release};
  int reserved = br_reserve(l, 1) == 0;
  if (reserved && br_req_begin(l, &j->req, NULL) == 0) return j;
  l->reserved -= (uint32_t)reserved;
  br_free(j);
  return NULL;
}

static br_job *job_of(br_req *r) { return (br_job *)((char *)r - offsetof(br_job, req)); }

static br_job *find(br_loop *l, uint64_t id) {
  br_req *r = br_slot_find(&l->reqs, (uint32_t)id, (uint32_t)(id >> 32));
  return r != NULL && r->h == NULL ? job_of(r) : NULL;
}

void br_job_drop(br_loop *l, br_job *j) {
  br_req_end(l, &j->req);
  l->reserved--;
  br_free(j);
}

void br_job_done(uv_loop_t *loop, uv_req_t *u, int status) {
  br_loop *l = uv_loop_get_data(loop);
  br_job *j = job_of(br_req_of(u));
  br_polled(l);
  j->done = 1;
  if (status == UV_EAI_CANCELED) status = UV_ECANCELED;
  br_push_done(l, j->req.slot, j->req.gen, status);
}

int br_job_cancel(br_loop *l, uint64_t id) {
  br_job *j = find(l, id);
  return j == NULL || j->done ? UV_EBUSY : uv_cancel(br_req_uv(&j->req));
}

uv_req_t *br_job_result(br_loop *l, uint64_t id, uv_req_type type) {
  br_job *j = find(l, id);
  if (j == NULL || !j->done) return NULL;
  uv_req_t *u = br_req_uv(&j->req);
  return uv_req_get_type(u) == type ? u : NULL;
}

void br_job_free(br_loop *l, uint64_t id) {
  br_job *j = find(l, id);
  BR_ASSERT(j != NULL && j->done);
  if (j == NULL || !j->done) return;
  if (j->release != NULL) j->release(br_req_uv(&j->req));
  br_job_drop(l, j);
}
