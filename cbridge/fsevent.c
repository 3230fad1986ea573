// Files that change, as the system tells.
//
// All watches of a loop share one descriptor of inotify's, and those of one file one
// watch, whatever path each has it by: libuv gives a change that is about the file itself
// the last part of the path by which it was watched first. That name is not passed on.
#include "internal.h"

#include <string.h>

typedef struct {
  uint32_t epoch;  // of the last start; Go drops what an older one has reported
  alignas(16) br_handle h;
} br_fs_event;

static inline br_fs_event *fs_event_of(br_handle *h) { return (br_fs_event *)((char *)h - offsetof(br_fs_event, h)); }
static inline uv_fs_event_t *uv_fs_event(br_handle *h) { return (uv_fs_event_t *)br_uv(h); }

// The names that the records of one turn have brought, one behind the other.
struct br_names {
  char *bytes;
  uint32_t used, cap;
  uint32_t last;  // the record that has the last one
};

enum { NAMES_CAP = 4096, NO_NAME = UINT32_MAX };

void br_names_free(br_loop *l) {
  if (l->names == NULL) return;
  br_free(l->names->bytes);
  br_free(l->names);
}

// names_open makes the loop's memory for names.
static int names_open(br_loop *l) {
  if (l->names != NULL) return 0;
  br_names *n = br_alloc(sizeof *n);
  if (n == NULL) return UV_ENOMEM;
  *n = (br_names){.bytes = br_alloc(NAMES_CAP), .cap = NAMES_CAP};
  if (n->bytes == NULL) {
    br_free(n);
    return UV_ENOMEM;
  }
  l->names = n;
  return 0;
}

// resize gives the names memory of cap bytes, if there is so much.
static int resize(br_names *n, uint32_t cap) {
  char *bytes = br_alloc(cap);
  if (bytes == NULL) return UV_ENOMEM;
  memcpy(bytes, n->bytes, n->used);
  br_free(n->bytes);
  n->bytes = bytes;
  n->cap = cap;
  return 0;
}

// names_of_turn forgets the names of turns before this one, whose records are gone.
static br_names *names_of_turn(br_loop *l) {
  br_names *n = l->names;
  if (n->last < l->sh.nrec && l->sh.recs[n->last].kind == BR_REC_FS_EVENT) return n;
  n->used = 0;
  if (n->cap > NAMES_CAP) resize(n, NAMES_CAP);
  return n;
}

// keep_name keeps a name, and tells where it is.
static int keep_name(br_names *n, const char *name, uint32_t *at) {
  size_t len = strlen(name) + 1;
  uint32_t cap = n->cap;
  if (len > NO_NAME / 4 - n->used) return UV_ENOMEM;
  while (n->used + len > cap) cap *= 2;
  if (cap > n->cap && resize(n, cap) != 0) return UV_ENOMEM;
  *at = n->used;
  memcpy(n->bytes + *at, name, len);
  n->used += (uint32_t)len;
  return 0;
}

// of_itself reports whether a change has no name but part of the path of its watch.
static int of_itself(const uv_fs_event_t *u, const char *name) {
  return name == NULL || (uintptr_t)name - (uintptr_t)u->path <= strlen(u->path);
}

static void on_fs_event(uv_fs_event_t *u, const char *name, int events, int status) {
  br_loop *l = br_loop_of((uv_handle_t *)u);
  br_handle *h = br_of(u);
  br_polled(l);
  br_names *n = names_of_turn(l);
  uint32_t at = NO_NAME;
  if (!br_room(l, 1)) {
    status = UV_ENOMEM;
  } else if (!of_itself(u, name)) {
    int err = keep_name(n, name, &at);
    if (err != 0) status = err;
  }
  br_rec *r = br_push(l, BR_REC_FS_EVENT, h, status);
  r->aux = (uint16_t)events;
  r->value = (uint64_t)fs_event_of(h)->epoch << 32 | at;
  n->last = (uint32_t)(r - l->sh.recs);
}

static int fs_event_init(br_loop *l, br_handle *h, unsigned arg) {
  (void)arg;
  return uv_fs_event_init(l->uv, uv_fs_event(h));
}

static void fs_event_nothing(br_loop *l, br_handle *h) {
  (void)l;
  (void)h;
}

const br_kind br_fs_event_kind = {
    .type = UV_FS_EVENT,
    .before = offsetof(br_fs_event, h),
    .init = fs_event_init,
    .closing = fs_event_nothing,
    .closed = fs_event_nothing,
    .acts = br_uv,
};

int br_fs_event_new(br_loop *l, uint64_t *id) {
  br_handle *h;
  int err = names_open(l);
  if (err == 0) err = br_handle_new(l, BR_KIND_FS_EVENT, 0, &h);
  if (err == 0) *id = br_id(h);
  return err;
}

// start lets libuv watch. The first time it opens a descriptor, also if it fails then.
static int start(br_loop *l, br_handle *h, const char *path, unsigned flags) {
  br_stdio s;
  br_stdio_take(&s);
  int err = br_next_number(l);
  if (err == 0) err = uv_fs_event_start(uv_fs_event(h), on_fs_event, path, flags);
  br_stdio_give(&s);
  int refused = br_watch_inotify(l);
  if (err == 0 && refused != 0) uv_fs_event_stop(uv_fs_event(h));
  return err != 0 ? err : refused;
}

int br_fs_event_start(br_loop *l, uint64_t id, const char *path, unsigned flags, uint32_t epoch) {
  br_handle *h = br_find_kind(l, id, BR_KIND_FS_EVENT);
  if (h == NULL) return UV_EBADF;
  if (uv_is_active(br_uv(h))) return UV_EINVAL;
  fs_event_of(h)->epoch = epoch;
  return start(l, h, path, flags);
}

int br_fs_event_stop(br_loop *l, uint64_t id) {
  br_handle *h = br_find_kind(l, id, BR_KIND_FS_EVENT);
  return h != NULL ? uv_fs_event_stop(uv_fs_event(h)) : UV_EBADF;
}

const char *br_fs_event_name(br_loop *l, uint64_t value) {
  uint32_t at = (uint32_t)value;
  return at != NO_NAME && l->names != NULL && at < l->names->used ? l->names->bytes + at : NULL;
}
