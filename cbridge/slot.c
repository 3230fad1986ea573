// Tables of slots.
//
// A slot is free or holds something; what it holds is named by the slot and the slot's
// generation. A slot that is given back gets another generation, so that an old name
// finds nothing.
#include "internal.h"

#include <string.h>

void br_table_init(br_table *t) { *t = (br_table){.free = BR_NO_SLOT}; }

void br_table_free(br_table *t) { br_free(t->slots); }

static int grow(br_table *t) {
  uint32_t cap = t->cap == 0 ? 64 : 2 * t->cap;
  br_slot *slots = br_alloc(cap * sizeof *slots);
  if (slots == NULL) return UV_ENOMEM;
  if (t->n > 0) memcpy(slots, t->slots, t->n * sizeof *slots);
  br_free(t->slots);
  t->slots = slots;
  t->cap = cap;
  return 0;
}

uint32_t br_slot_take(br_table *t, void *p) {
  uint32_t i = t->free;
  if (i != BR_NO_SLOT) {
    t->free = t->slots[i].next_free;
  } else {
    if (t->n == t->cap && grow(t) != 0) return BR_NO_SLOT;
    i = t->n++;
    t->slots[i] = (br_slot){.gen = 1};
  }
  t->slots[i].p = p;
  t->used++;
  return i;
}

void br_slot_give(br_table *t, uint32_t slot) {
  br_slot *s = &t->slots[slot];
  s->p = NULL;
  if (++s->gen == 0) s->gen = 1;
  s->next_free = t->free;
  t->free = slot;
  t->used--;
}
