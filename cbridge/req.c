// Requests: what libuv does once and then tells by a callback. Its memory is its owner's,
// who keeps it until then. As long as a request is outstanding it has a slot, so that an
// operation can name one that has no handle.
#include "internal.h"

int br_req_begin(br_loop *l, br_req *r, br_handle *h) {
  r->h = h;
  r->slot = br_slot_take(&l->reqs, r);
  if (r->slot == BR_NO_SLOT) return UV_ENOMEM;
  r->gen = l->reqs.slots[r->slot].gen;
  return 0;
}

void br_req_end(br_loop *l, br_req *r) { br_slot_give(&l->reqs, r->slot); }

size_t br_req_bytes(const uv_req_type *types) {
  size_t most = 0;
  for (; *types != UV_UNKNOWN_REQ; types++) {
    size_t n = uv_req_size(*types);
    if (n > most) most = n;
  }
  return most;
}
