// Writing and shutting down: the outgoing side of a stream.
//
// Bytes are offered to the kernel at once, from where they lie. Only what it does not
// take is copied, into blocks, and libuv writes the blocks when the descriptor is
// writable. A stream has at most one libuv request outstanding: first a connect, then
// writes of a few blocks each, then the shutdown.
//
// A stream whose connect has failed drops what comes until Go has read so: its bytes
// count as left, which they are until the record, and its shutdown is not told.
#include "internal.h"

#include <string.h>

enum {
  BLOCKS_PER_WRITE = 4,  // libuv's write request holds four buffers without an allocation
  BLOCK_MIN_BYTES = 4 * 1024
};

br_out *br_out_of(br_loop *l, br_stream *s) {
  if (s->out != NULL) return s->out;
  static const uv_req_type types[] = {UV_CONNECT, UV_WRITE, UV_SHUTDOWN, UV_UNKNOWN_REQ};
  br_out *o = br_alloc(sizeof *o + br_req_bytes(types));
  *o = (br_out){0};
  br_req_begin(l, &o->req, &s->h);
  s->out = o;
  return o;
}

void br_out_free(br_loop *l, br_stream *s) {
  br_out *o = s->out;
  if (o == NULL) return;
  while (o->head != NULL) {
    br_block *b = o->head;
    o->head = b->next;
    br_free(b);
  }
  br_req_end(l, &o->req);
  br_free(o);
  s->out = NULL;
}

// fail drops what is outstanding, because nothing can be written any more. A shutdown
// that waited for it is not made.
static void fail(br_loop *l, br_stream *s) {
  int waits = s->out != NULL && s->out->shutdown;
  s->h.flags |= BR_WRITE_FAILED;
  br_out_free(l, s);
  if (waits) br_push(l, BR_REC_SHUTDOWN, &s->h, UV_ECANCELED);
}

static void write_failed(br_loop *l, br_stream *s, int err) {
  br_push(l, BR_REC_WRITE_ERROR, &s->h, err);
  fail(l, s);
}

// keep copies n bytes behind the blocks.
static void keep(br_out *o, const char *p, size_t n) {
  o->bytes += n;
  br_block *t = o->tail;
  if (t != NULL && t != o->held) {
    size_t k = t->cap - t->len < n ? t->cap - t->len : n;
    memcpy(t->data + t->len, p, k);
    t->len += k;
    p += k;
    n -= k;
  }
  while (n > 0) {
    size_t k = n < BR_WRITE_CHUNK_BYTES ? n : BR_WRITE_CHUNK_BYTES;
    size_t cap = k < BLOCK_MIN_BYTES ? BLOCK_MIN_BYTES : k;
    br_block *b = br_alloc(sizeof *b + cap);
    *b = (br_block){.cap = cap, .len = k};
    memcpy(b->data, p, k);
    if (o->tail == NULL) {
      o->head = b;
    } else {
      o->tail->next = b;
    }
    o->tail = b;
    p += k;
    n -= k;
  }
}

static void on_write(uv_write_t *req, int status) {
  br_stream *s = br_stream_of(br_req_of(req)->h);
  br_loop *l = br_loop_of(br_uv(&s->h));
  br_out *o = s->out;
  if (s->h.state != BR_OPEN) return;  // the close callback frees the blocks
  if (status < 0) {
    write_failed(l, s, status);
    return;
  }
  size_t n = 0;
  for (int last = 0; !last;) {
    br_block *b = o->head;
    last = b == o->held;
    n += b->len;
    o->head = b->next;
    br_free(b);
  }
  if (o->head == NULL) o->tail = NULL;
  o->held = NULL;
  o->bytes -= n;
  br_push(l, BR_REC_WRITTEN, &s->h, 0)->value = n;
  br_out_next(l, s);
}

static void on_shutdown(uv_shutdown_t *req, int status) {
  br_stream *s = br_stream_of(br_req_of(req)->h);
  br_loop *l = br_loop_of(br_uv(&s->h));
  br_push(l, BR_REC_SHUTDOWN, &s->h, status);
  if (s->h.state == BR_OPEN) br_out_free(l, s);
}

static void start_shutdown(br_loop *l, br_stream *s) {
  br_out *o = br_out_of(l, s);
  uv_stream_t *u = br_uv_stream(s);
  int err = br_watch_io(l, &u->io_watcher);
  if (err == 0) err = uv_shutdown(br_req_uv(&o->req), u, on_shutdown);
  if (err == 0) {
    s->h.flags |= BR_SHUTTING;
    br_watched(&u->io_watcher);
    return;
  }
  br_out_free(l, s);
  br_push(l, BR_REC_SHUTDOWN, &s->h, err);
}

// write_blocks lets libuv write the oldest blocks.
static void write_blocks(br_loop *l, br_stream *s) {
  br_out *o = s->out;
  uv_stream_t *u = br_uv_stream(s);
  uv_buf_t bufs[BLOCKS_PER_WRITE];
  unsigned n = 0;
  for (br_block *b = o->head; b != NULL && n < BLOCKS_PER_WRITE; b = b->next) {
    bufs[n++] = uv_buf_init(b->data, (unsigned)b->len);
    o->held = b;
  }
  l->sh.write_calls++;
  int err = br_watch_io(l, &u->io_watcher);
  if (err == 0) err = uv_write(br_req_uv(&o->req), u, bufs, n, on_write);
  if (err != 0) {
    write_failed(l, s, err);
  } else {
    br_watched(&u->io_watcher);
  }
}

void br_out_next(br_loop *l, br_stream *s) {
  if (s->out->head != NULL) {
    write_blocks(l, s);
  } else if (s->out->shutdown) {
    start_shutdown(l, s);
  } else {
    br_out_free(l, s);
  }
}

static int64_t total(const uv_buf_t *iov, unsigned n) {
  int64_t bytes = 0;
  for (unsigned i = 0; i < n; i++) bytes += (int64_t)iov[i].len;
  return bytes;
}

static int unconnected(const br_stream *s) { return !(s->h.flags & (BR_CONNECTED | BR_CONNECTING)); }

// offer gives the kernel iov[0..n) and keeps the rest. It returns the number of bytes
// kept, or an error.
static int64_t offer(br_loop *l, br_stream *s, uv_buf_t *iov, unsigned n) {
  if (unconnected(s)) return total(iov, n);
  int64_t taken = 0;
  if (s->out == NULL && !(s->h.flags & BR_CONNECTING)) {
    l->sh.write_calls++;
    taken = uv_try_write(br_uv_stream(s), iov, n);
    if (taken == UV_EAGAIN) taken = 0;
    if (taken < 0) return taken;
  }
  int64_t left = 0;
  for (unsigned i = 0; i < n; i++) {
    size_t len = iov[i].len;
    if ((size_t)taken >= len) {
      taken -= (int64_t)len;
      continue;
    }
    keep(br_out_of(l, s), iov[i].base + taken, len - (size_t)taken);
    left += (int64_t)(len - (size_t)taken);
    taken = 0;
  }
  return left;
}

static int writable(const br_stream *s) { return !(s->h.flags & (BR_WRITE_FAILED | BR_SHUTTING)); }

// gather offers the pieces of a write operation and then p[0..len). It returns the number
// of bytes kept, or an error.
static int64_t gather(br_loop *l, br_stream *s, const br_op *op, const char *p, size_t len) {
  unsigned n = 0;
  int64_t left = 0, r;
  if (op != NULL) {
    l->iov[n++] = uv_buf_init(l->arena + op->off, op->len);
    uint32_t at = op->next;
    for (unsigned i = 0; i < op->n; i++, at = l->pieces[at].next) {
      if (n == BR_IOV_MAX) {
        r = offer(l, s, l->iov, n);
        if (r < 0) return r;
        left += r;
        n = 0;
      }
      l->iov[n++] = uv_buf_init(l->arena + l->pieces[at].off, l->pieces[at].len);
    }
  }
  if (len > 0 && n == BR_IOV_MAX) {
    r = offer(l, s, l->iov, n);
    if (r < 0) return r;
    left += r;
    n = 0;
  }
  if (len > 0) {
    l->iov[n] = uv_buf_init((char *)(uintptr_t)p, 0);
    l->iov[n++].len = len;
  }
  if (n > 0) {
    r = offer(l, s, l->iov, n);
    if (r < 0) return r;
    left += r;
  }
  return left;
}

// start lets libuv write the blocks, unless a request is outstanding: its end starts the
// next one. There are none if they were dropped.
static void start(br_loop *l, br_stream *s) {
  if (s->out != NULL && s->out->held == NULL && !(s->h.flags & BR_CONNECTING)) br_out_next(l, s);
}

void br_write_op(br_loop *l, const br_op *op) {
  br_handle *h = br_find(l, op->slot, op->gen);
  if (h == NULL || !br_is_stream(h)) return;
  br_stream *s = br_stream_of(h);
  if (!writable(s)) return;
  int64_t left = gather(l, s, op, NULL, 0);
  if (left < 0) {
    write_failed(l, s, (int)left);
  } else if (left > 0) {
    br_push(l, BR_REC_LEFT, h, 0)->value = (uint64_t)left;
    start(l, s);
  }
}

int64_t br_write(br_loop *l, uint64_t id, int op, const char *p, size_t len) {
  br_stream *s = br_find_stream(l, id);
  br_op *o = op < 0 ? NULL : &l->ops[op];
  if (o != NULL) o->kind = BR_OP_NOP;
  if (s == NULL) return UV_EBADF;
  if (!writable(s)) return UV_EPIPE;
  int64_t left = gather(l, s, o, p, len);
  if (left > 0) start(l, s);
  if (left < 0) fail(l, s);
  return left;
}

int64_t br_try_write(br_loop *l, uint64_t id, const char *p, size_t len) {
  br_stream *s = br_find_stream(l, id);
  if (s == NULL) return UV_EBADF;
  if (!writable(s)) return UV_EPIPE;
  if (s->out != NULL || s->h.flags & BR_CONNECTING) return UV_EAGAIN;
  uv_buf_t buf = {.base = (char *)(uintptr_t)p, .len = len};
  l->sh.write_calls++;
  return uv_try_write(br_uv_stream(s), &buf, 1);
}

void br_shutdown(br_loop *l, br_stream *s) {
  if (unconnected(s)) return;
  if (s->h.flags & BR_SHUTTING || (s->out != NULL && s->out->shutdown)) {
    br_push(l, BR_REC_SHUTDOWN, &s->h, UV_ENOTCONN);
    return;
  }
  if (s->h.flags & BR_WRITE_FAILED) {
    br_push(l, BR_REC_SHUTDOWN, &s->h, UV_EPIPE);
    return;
  }
  br_out *o = br_out_of(l, s);
  o->shutdown = 1;
  if (o->head == NULL && !(s->h.flags & BR_CONNECTING)) start_shutdown(l, s);
}
