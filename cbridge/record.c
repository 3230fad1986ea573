// The records that tell Go what has happened.
#include "internal.h"

#include <string.h>

// Room for more is made so many records before it is needed. If there is no memory for
// it, each of them tries again, and the last one ends the process: what a record tells
// would never end.
enum { SPARE = 64 };

static void grow(br_loop *l) {
  size_t bytes = 2 * l->rec_cap * sizeof(br_rec);
  br_rec *recs = l->sh.nrec == l->rec_cap ? br_alloc(bytes) : br_try_alloc(bytes);
  if (recs == NULL) return;
  memcpy(recs, l->sh.recs, l->sh.nrec * sizeof *recs);
  br_free(l->sh.recs);
  l->sh.recs = recs;
  l->rec_cap *= 2;
}

static br_rec *push(br_loop *l, int kind, uint32_t slot, uint32_t gen, int status) {
  if (l->rec_cap - l->sh.nrec <= SPARE) grow(l);
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
