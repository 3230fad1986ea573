// The records that tell Go what has happened.
//
// None is ever lost, and none needs memory when it is made: there is room for what cannot
// wait before it can happen. A handle, and a job, is made with as many records in
// reserve as it may have, or not at all. What can wait, or can be told by an error, asks
// br_room before. Without memory for more, a turn brings less.
#include "internal.h"

#include <string.h>

// SPARE records are left for what can wait when the queue is empty.
enum { SPARE = 64 };

int br_records_grow(br_loop *l) {
  br_rec *recs = br_alloc(2 * l->rec_cap * sizeof *recs);
  if (recs == NULL) return UV_ENOMEM;
  memcpy(recs, l->sh.recs, l->sh.nrec * sizeof *recs);
  br_free(l->sh.recs);
  l->sh.recs = recs;
  l->rec_cap *= 2;
  return 0;
}

int br_reserve(br_loop *l, uint32_t n) {
  while (l->rec_cap - l->sh.nrec < l->reserved + n + SPARE) {
    if (br_records_grow(l) != 0) return UV_ENOMEM;
  }
  l->reserved += n;
  return 0;
}

// same is a record of the kind that Go has not seen yet. Nothing is added to others: a
// callback of theirs may have run. Each failure of a datagram counts.
static br_rec *same(br_loop *l, int kind, uint32_t slot, uint32_t gen) {
  if (kind == BR_REC_SEND_ERROR) return NULL;
  for (uint32_t i = l->sh.nrec; i > l->unseen; i--) {
    br_rec *r = &l->sh.recs[i - 1];
    if (r->kind == kind && r->slot == slot && r->gen == gen) return r;
  }
  return NULL;
}

static br_rec *push(br_loop *l, int kind, uint32_t slot, uint32_t gen, int status) {
  if (l->rec_cap - l->sh.nrec <= l->reserved && br_records_grow(l) != 0) {
    br_rec *r = same(l, kind, slot, gen);
    if (r != NULL && status != 0) r->status = status;
    if (r != NULL) return r;
    BR_ASSERT(l->sh.nrec < l->rec_cap);
  }
  br_rec *r = &l->sh.recs[l->sh.nrec++];
  *r = (br_rec){.kind = (uint8_t)kind, .slot = slot, .gen = gen, .status = status};
  return r;
}

br_rec *br_push(br_loop *l, int kind, const br_handle *h, int status) {
  BR_ASSERT(br_slot_find(&l->handles, h->slot, h->gen) == h);
  BR_ASSERT((h->state == BR_CLOSED) == (kind == BR_REC_CLOSED));
  return push(l, kind, h->slot, h->gen, status);
}

void br_push_done(br_loop *l, uint32_t slot, uint32_t gen, int status) {
  BR_ASSERT(br_slot_find(&l->reqs, slot, gen) != NULL);
  push(l, BR_REC_DONE, slot, gen, status);
}
