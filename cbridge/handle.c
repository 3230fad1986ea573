// The life of a handle.
//
// A handle is made by br_handle_new and freed by br_handle_ack. In between it is open,
// closing or closed. libuv runs every outstanding callback of a handle before its close
// callback, so CLOSED is the last record of an id.
#include "internal.h"

#include <string.h>

static void release(br_loop *l, br_handle *h) {
  br_slot_give(&l->handles, h->slot);
  l->sh.handles = l->handles.used;
  l->reserved -= BR_HANDLE_RECORDS;
  br_free((char *)h - br_kind_of(l, h)->before);
}

// init lets the kind make the libuv handle. With an argument that may open a descriptor,
// unless it is a descriptor, and the first stream opens one that libuv keeps in reserve.
static int init(br_loop *l, br_handle *h, unsigned arg) {
  br_stdio s = {.n = 0};
  int opens = br_kind_of(l, h)->lost == NULL;
  if (opens && (arg != 0 || l->uv->emfile_fd < 0)) br_stdio_take(&s);
  int err = br_kind_of(l, h)->init(l, h, arg);
  br_stdio_give(&s);
  return err;
}

int br_handle_new(br_loop *l, int kind, unsigned arg, br_handle **out) {
  const br_kind *k = l->kinds[kind];
  char *block = br_alloc(k->before + sizeof(br_handle) + uv_handle_size(k->type));
  if (block == NULL) return UV_ENOMEM;
  memset(block, 0, k->before + sizeof(br_handle));
  br_handle *h = (br_handle *)(block + k->before);
  int err = br_reserve(l, BR_HANDLE_RECORDS);
  if (err == 0) h->slot = br_slot_take(&l->handles, h);
  if (err == 0 && h->slot == BR_NO_SLOT) {
    l->reserved -= BR_HANDLE_RECORDS;
    err = UV_ENOMEM;
  }
  if (err != 0) {
    br_free(block);
    return err;
  }
  h->gen = l->handles.slots[h->slot].gen;
  h->kind = (uint8_t)kind;
  h->state = BR_OPEN;
  l->sh.handles = l->handles.used;
  err = init(l, h, arg);
  if (err != 0) {  // libuv does not know the handle
    release(l, h);
    return err;
  }
  *out = h;
  return 0;
}

int br_handle_open(br_loop *l, br_handle *h, int fd) {
  int err = br_own(l, h, fd);
  if (err != 0) return err;
  err = br_kind_of(l, h)->open(h, fd);
  if (err != 0) br_unown(l, fd);
  return err;
}

void br_handle_ack(br_loop *l, uint32_t slot, uint32_t gen) {
  br_handle *h = br_slot_find(&l->handles, slot, gen);
  if (h == NULL) return;
  BR_ASSERT(h->state == BR_CLOSED);
  if (h->state == BR_CLOSED) release(l, h);
}

static void on_drop(uv_handle_t *u) {
  br_loop *l = br_loop_of(u);
  l->open--;
  br_free((char *)br_of(u) - br_kind_of(l, br_of(u))->before);
}

void br_handle_drop(br_loop *l, br_handle *h) {
  br_slot_give(&l->handles, h->slot);
  l->sh.handles = l->handles.used;
  l->reserved -= BR_HANDLE_RECORDS;
  l->open++;
  uv_close(br_uv(h), on_drop);
}

static void closed(br_loop *l, br_handle *h) {
  if (--h->closing > 0) return;
  br_kind_of(l, h)->closed(l, h);
  h->state = BR_CLOSED;
  br_push(l, BR_REC_CLOSED, h, 0);
}

void br_on_close(uv_handle_t *u) { closed(br_loop_of(u), br_of(u)); }

static void on_close_also(uv_handle_t *u) {
  br_loop *l = br_loop_of(u);
  br_handle *h = l->handles.slots[(uintptr_t)uv_handle_get_data(u)].p;
  BR_ASSERT(h != NULL && h->state == BR_CLOSING);
  br_free(u);
  closed(l, h);
}

void br_on_own_close(uv_handle_t *u) {
  br_loop_of(u)->open--;
  br_free(u);
}

void br_handle_close_also(br_handle *h, uv_handle_t *u) {
  h->closing++;
  uv_close(u, on_close_also);
}

void br_handle_closing(br_loop *l, br_handle *h) {
  h->closing++;
  br_kind_of(l, h)->closing(l, h);
  h->state = BR_CLOSING;
}

void br_handle_close(br_loop *l, br_handle *h) {
  br_disown(l, h);
  br_handle_closing(l, h);
  uv_close(br_uv(h), br_on_close);
}

int br_is_active(br_loop *l, uint64_t id) {
  br_handle *h = br_find_id(l, id);
  return h != NULL && (uv_is_active(br_uv(h)) || uv_is_active(br_acts(l, h)));
}

int br_fileno(br_loop *l, uint64_t id) {
  br_handle *h = br_find_id(l, id);
  if (h == NULL) return UV_EBADF;
  uv_os_fd_t fd;
  int err = uv_fileno(br_uv(h), &fd);
  if (err != 0) return err;
  return br_owner(l, fd) == h ? fd : UV_EBADF;
}

uint64_t br_find_fd(br_loop *l, int fd) {
  br_handle *h = br_owner(l, fd);
  return h != NULL ? br_id(h) : 0;
}

int br_buffer_size(br_loop *l, uint64_t id, int receive, int *value) {
  br_handle *h = br_find_id(l, id);
  if (h == NULL) return UV_EBADF;
  return receive ? uv_recv_buffer_size(br_uv(h), value) : uv_send_buffer_size(br_uv(h), value);
}
