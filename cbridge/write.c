// Writing and shutting down: the outgoing side of a stream.
//
// Bytes are offered to the kernel at once, from where they lie. Only what it does not
// take is copied, into blocks, and libuv writes the blocks when the descriptor is
// writable. A stream has at most one libuv request outstanding: first a connect, then
// writes of a few blocks each, then the shutdown.
#include "internal.h"

#include <string.h>

enum {
  BLOCKS_PER_WRITE = 4,  // libuv's write request holds four buffers without an allocation
  BLOCK_MIN_BYTES = 4 * 1024
};

br_out *br_out_of(br_handle *h) {
  if (h->out != NULL) return h->out;
  size_t n = uv_req_size(UV_WRITE);
  if (n < uv_req_size(UV_CONNECT)) n = uv_req_size(UV_CONNECT);
  if (n < uv_req_size(UV_SHUTDOWN)) n = uv_req_size(UV_SHUTDOWN);
  size_t head = (sizeof(br_out) + 15) & ~(size_t)15;
  br_out *o = br_alloc(head + n);
  memset(o, 0, head);
  o->req = (char *)o + head;
  h->out = o;
  return o;
}

void br_out_free(br_handle *h) {
  br_out *o = h->out;
  if (o == NULL) return;
  while (o->head != NULL) {
    br_block *b = o->head;
    o->head = b->next;
    br_free(b);
  }
  br_free(o);
  h->out = NULL;
}

// fail drops what is outstanding, because nothing can be written any more. A shutdown
// that waited for it is not made.
static void fail(br_loop *l, br_handle *h) {
  int waits = h->out != NULL && h->out->shutdown;
  h->flags |= BR_WRITE_FAILED;
  br_out_free(h);
  if (waits) br_push(l, BR_REC_SHUTDOWN, h, UV_ECANCELED);
}

static void write_failed(br_loop *l, br_handle *h, int err) {
  br_push(l, BR_REC_WRITE_ERROR, h, err);
  fail(l, h);
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
  br_handle *h = br_of(req->handle);
  br_loop *l = br_loop_of(br_uv(h));
  br_out *o = h->out;
  if (h->state != BR_OPEN) return;  // the close callback frees the blocks
  if (status < 0) {
    write_failed(l, h, status);
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
  br_push(l, BR_REC_WRITTEN, h, 0)->value = n;
  br_out_next(l, h);
}

static void on_shutdown(uv_shutdown_t *req, int status) {
  br_handle *h = br_of(req->handle);
  br_push(br_loop_of(br_uv(h)), BR_REC_SHUTDOWN, h, status);
  if (h->state == BR_OPEN) br_out_free(h);
}

static void start_shutdown(br_loop *l, br_handle *h) {
  br_out *o = br_out_of(h);
  h->flags |= BR_SHUTTING;
  int err = h->flags & BR_LISTENING ? UV_ENOTCONN : br_watch_stream(l, h);
  if (err == 0) err = uv_shutdown(o->req, br_stream(h), on_shutdown);
  if (err == 0) {
    br_watched(h);
    return;
  }
  br_out_free(h);
  br_push(l, BR_REC_SHUTDOWN, h, err);
}

// br_out_next starts the next request of a stream that has none outstanding.
void br_out_next(br_loop *l, br_handle *h) {
  br_out *o = h->out;
  if (o->head == NULL) {
    if (o->shutdown) {
      start_shutdown(l, h);
    } else {
      br_out_free(h);
    }
    return;
  }
  uv_buf_t bufs[BLOCKS_PER_WRITE];
  unsigned n = 0;
  for (br_block *b = o->head; b != NULL && n < BLOCKS_PER_WRITE; b = b->next) {
    bufs[n++] = uv_buf_init(b->data, (unsigned)b->len);
    o->held = b;
  }
  l->sh.write_calls++;
  int err = br_watch_stream(l, h);
  if (err == 0) err = uv_write(o->req, br_stream(h), bufs, n, on_write);
  if (err != 0) {
    write_failed(l, h, err);
  } else {
    br_watched(h);
  }
}

// offer gives the kernel iov[0..n) and keeps the rest. It returns the number of bytes
// kept, or an error.
static int64_t offer(br_loop *l, br_handle *h, uv_buf_t *iov, unsigned n) {
  int64_t taken = 0;
  if (h->out == NULL && !(h->flags & BR_CONNECTING)) {
    l->sh.write_calls++;
    taken = uv_try_write(br_stream(h), iov, n);
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
    keep(br_out_of(h), iov[i].base + taken, len - (size_t)taken);
    left += (int64_t)(len - (size_t)taken);
    taken = 0;
  }
  return left;
}

static int writable(const br_handle *h) { return h != NULL && !(h->flags & (BR_WRITE_FAILED | BR_SHUTTING)); }

// gather offers the pieces of a write operation and then p[0..len). It returns the number
// of bytes kept, or an error.
static int64_t gather(br_loop *l, br_handle *h, const br_op *op, const char *p, size_t len) {
  unsigned n = 0;
  int64_t left = 0, r;
  if (op != NULL) {
    l->iov[n++] = uv_buf_init(l->arena + op->off, op->len);
    uint32_t at = op->next;
    for (unsigned i = 0; i < op->n; i++, at = l->pieces[at].next) {
      if (n == BR_IOV_MAX) {
        r = offer(l, h, l->iov, n);
        if (r < 0) return r;
        left += r;
        n = 0;
      }
      l->iov[n++] = uv_buf_init(l->arena + l->pieces[at].off, l->pieces[at].len);
    }
  }
  if (len > 0 && n == BR_IOV_MAX) {
    r = offer(l, h, l->iov, n);
    if (r < 0) return r;
    left += r;
    n = 0;
  }
  if (len > 0) {
    l->iov[n] = uv_buf_init((char *)(uintptr_t)p, 0);
    l->iov[n++].len = len;
  }
  if (n > 0) {
    r = offer(l, h, l->iov, n);
    if (r < 0) return r;
    left += r;
  }
  return left;
}

// start lets libuv write the blocks, unless a request is outstanding: its end starts the
// next one.
static void start(br_loop *l, br_handle *h) {
  if (h->out->held == NULL && !(h->flags & BR_CONNECTING)) br_out_next(l, h);
}

void br_write_op(br_loop *l, const br_op *op) {
  br_handle *h = br_find(l, op->slot, op->gen);
  if (!writable(h)) return;
  int64_t left = gather(l, h, op, NULL, 0);
  if (left < 0) {
    write_failed(l, h, (int)left);
  } else if (left > 0) {
    br_push(l, BR_REC_LEFT, h, 0)->value = (uint64_t)left;
    start(l, h);
  }
}

int64_t br_write(br_loop *l, uint64_t id, int op, const char *p, size_t len) {
  br_handle *h = br_find_id(l, id);
  br_op *o = op < 0 ? NULL : &l->ops[op];
  if (o != NULL) o->kind = BR_OP_NOP;
  if (h == NULL) return UV_EBADF;
  if (!writable(h)) return UV_EPIPE;
  int64_t left = gather(l, h, o, p, len);
  if (left > 0) start(l, h);
  if (left < 0) fail(l, h);
  return left;
}

int64_t br_try_write(br_loop *l, uint64_t id, const char *p, size_t len) {
  br_handle *h = br_find_id(l, id);
  if (h == NULL) return UV_EBADF;
  if (!writable(h)) return UV_EPIPE;
  if (h->out != NULL || h->flags & BR_CONNECTING) return UV_EAGAIN;
  uv_buf_t buf = {.base = (char *)(uintptr_t)p, .len = len};
  l->sh.write_calls++;
  return uv_try_write(br_stream(h), &buf, 1);
}

void br_shutdown(br_loop *l, br_handle *h) {
  if (h->flags & BR_SHUTTING || (h->out != NULL && h->out->shutdown)) {
    br_push(l, BR_REC_SHUTDOWN, h, UV_ENOTCONN);
    return;
  }
  if (h->flags & BR_WRITE_FAILED) {
    br_push(l, BR_REC_SHUTDOWN, h, UV_EPIPE);
    return;
  }
  br_out *o = br_out_of(h);
  o->shutdown = 1;
  if (o->head == NULL && !(h->flags & BR_CONNECTING)) start_shutdown(l, h);
}

int br_is_readable(br_loop *l, uint64_t id) {
  br_handle *h = br_find_id(l, id);
  return h != NULL && uv_is_readable(br_stream(h));
}

int br_is_writable(br_loop *l, uint64_t id) {
  br_handle *h = br_find_id(l, id);
  return h != NULL && uv_is_writable(br_stream(h));
}

int br_set_blocking(br_loop *l, uint64_t id, int on) {
  br_handle *h = br_find_id(l, id);
  return h == NULL ? UV_EBADF : uv_stream_set_blocking(br_stream(h), on);
}
