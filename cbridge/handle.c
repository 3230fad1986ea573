// Slots, generations, and the end of a handle.
//
// A slot is taken by br_handle_new and given back by br_handle_ack. In between its handle
// is open, closing or closed. libuv runs every outstanding callback of a handle before
// its close callback, so CLOSED is the last record of an id.
#include "internal.h"

#include <string.h>

static void grow(br_loop *l) {
  uint32_t n = l->slot_cap == 0 ? 64 : 2 * l->slot_cap;
  br_slot *slots = br_alloc(n * sizeof *slots);
  if (l->nslots > 0) memcpy(slots, l->slots, l->nslots * sizeof *slots);
  br_free(l->slots);
  l->slots = slots;
  l->slot_cap = n;
}

static uint32_t slot_take(br_loop *l) {
  uint32_t i = l->free_slot;
  if (i != BR_NO_SLOT) {
    l->free_slot = l->slots[i].next_free;
    return i;
  }
  if (l->nslots == l->slot_cap) grow(l);
  l->slots[l->nslots] = (br_slot){.gen = 1};
  return l->nslots++;
}

br_handle *br_handle_new(br_loop *l, int kind, size_t uv_size) {
  br_handle *h = br_alloc(BR_HANDLE_BYTES + uv_size);
  memset(h, 0, BR_HANDLE_BYTES);
  h->slot = slot_take(l);
  br_slot *s = &l->slots[h->slot];
  h->gen = s->gen;
  h->kind = (uint8_t)kind;
  h->state = BR_OPEN;
  s->h = h;
  l->sh.handles++;
  return h;
}

br_handle *br_find(br_loop *l, uint32_t slot, uint32_t gen) {
  if (slot >= l->nslots || l->slots[slot].gen != gen) return NULL;
  br_handle *h = l->slots[slot].h;
  return h != NULL && h->state == BR_OPEN ? h : NULL;
}

br_handle *br_find_id(br_loop *l, uint64_t id) { return br_find(l, (uint32_t)id, (uint32_t)(id >> 32)); }

static void slot_release(br_loop *l, br_handle *h) {
  br_slot *s = &l->slots[h->slot];
  s->h = NULL;
  if (++s->gen == 0) s->gen = 1;
  s->next_free = l->free_slot;
  l->free_slot = h->slot;
  l->sh.handles--;
  br_peer_free(h);
  br_free(h);
}

// br_handle_discard frees a handle whose uv_*_init failed: libuv does not know it.
void br_handle_discard(br_loop *l, br_handle *h) { slot_release(l, h); }

void br_handle_ack(br_loop *l, uint32_t slot, uint32_t gen) {
  if (slot >= l->nslots || l->slots[slot].gen != gen) return;
  br_handle *h = l->slots[slot].h;
  BR_ASSERT(h != NULL && h->state == BR_CLOSED);
  if (h != NULL && h->state == BR_CLOSED) slot_release(l, h);
}

static void closed(br_loop *l, br_handle *h) {
  if (--h->closing > 0) return;
  h->state = BR_CLOSED;
  br_out_free(h);
  br_free(h->listener);
  h->listener = NULL;
  br_push(l, BR_REC_CLOSED, h, 0);
}

static void on_close(uv_handle_t *u) { closed(br_loop_of(u), br_of(u)); }

static void on_poll_close(uv_handle_t *u) {
  br_loop *l = br_loop_of(u);
  br_handle *h = l->slots[(uintptr_t)uv_handle_get_data(u)].h;
  BR_ASSERT(h != NULL && h->state == BR_CLOSING);
  br_free(u);
  closed(l, h);
}

// closing moves an open handle to the closing state. The caller has closed, or closes,
// the libuv handle itself.
static void closing(br_handle *h) {
  br_read_stop(h);
  h->state = BR_CLOSING;
  h->closing++;
  if (h->listener == NULL) return;
  h->closing++;
  uv_close((uv_handle_t *)h->listener->poll, on_poll_close);
}

void br_handle_close(br_handle *h) {
  closing(h);
  uv_close(br_uv(h), on_close);
}

// libuv refuses a reset after a shutdown and then leaves the handle open.
int br_close_reset(br_loop *l, uint64_t id) {
  br_handle *h = br_find_id(l, id);
  if (h == NULL) return UV_EBADF;
  if (h->kind != BR_KIND_TCP || h->flags & BR_SHUTTING) return UV_EINVAL;
  if (h->listener != NULL) return UV_EINVAL;
  int err = uv_tcp_close_reset(br_tcp(h), on_close);
  if (err == 0) closing(h);
  return err;
}

int br_handle_init(br_loop *l, int kind, unsigned arg, br_handle **out) {
  br_handle *h;
  int err;
  if (kind == BR_KIND_TCP) {
    h = br_handle_new(l, kind, uv_handle_size(UV_TCP));
    err = uv_tcp_init_ex(l->uv, br_tcp(h), arg);
  } else {
    h = br_handle_new(l, kind, uv_handle_size(UV_NAMED_PIPE));
    err = uv_pipe_init(l->uv, (uv_pipe_t *)br_uv(h), (int)arg);
  }
  if (err != 0) {
    br_handle_discard(l, h);
    return err;
  }
  *out = h;
  return 0;
}

int br_is_active(br_loop *l, uint64_t id) {
  br_handle *h = br_find_id(l, id);
  if (h == NULL) return 0;
  return uv_is_active(br_uv(h)) || (h->listener != NULL && uv_is_active((uv_handle_t *)h->listener->poll));
}

int br_fileno(br_loop *l, uint64_t id) {
  br_handle *h = br_find_id(l, id);
  if (h == NULL) return UV_EBADF;
  uv_os_fd_t fd;
  int err = uv_fileno(br_uv(h), &fd);
  return err != 0 ? err : fd;
}

int br_buffer_size(br_loop *l, uint64_t id, int receive, int *value) {
  br_handle *h = br_find_id(l, id);
  if (h == NULL) return UV_EBADF;
  return receive ? uv_recv_buffer_size(br_uv(h), value) : uv_send_buffer_size(br_uv(h), value);
}
