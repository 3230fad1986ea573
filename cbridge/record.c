// The records that tell Go what has happened.
#include "internal.h"

#include <string.h>

static void grow(br_loop *l) {
  br_rec *recs = br_alloc(2 * l->rec_cap * sizeof *recs);
  memcpy(recs, l->sh.recs, l->sh.nrec * sizeof *recs);
  br_free(l->sh.recs);
  l->sh.recs = recs;
  l->rec_cap *= 2;
}

br_rec *br_push(br_loop *l, int kind, const br_handle *h, int status) {
  BR_ASSERT(br_slot_find(&l->handles, h->slot, h->gen) == h);
  BR_ASSERT((h->state == BR_CLOSED) == (kind == BR_REC_CLOSED));
  if (l->sh.nrec == l->rec_cap) grow(l);
  br_rec *r = &l->sh.recs[l->sh.nrec++];
  *r = (br_rec){.kind = (uint8_t)kind, .slot = h->slot, .gen = h->gen, .status = status};
  return r;
}
