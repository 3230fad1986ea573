// Writing and shutting down: the outgoing side of a stream.
//
// Bytes are offered to the kernel at once, from where they lie. Only what it does not
// take is copied, into blocks, and libuv writes the blocks when the descriptor is
// writable. A stream has at most one libuv request outstanding: first a connect, then
// writes of a few blocks each, then the shutdown.
//
// A stream whose connect has failed drops what comes until Go has read so: its bytes
// count as left, which they are until the record, and its shutdown is not told.
//
// A descriptor leaves with the first byte of a block. Until then a copy of it is kept.
// libuv takes descriptors from handles only, so it gets one that carries the copy.
#include "streams.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
  BLOCKS_PER_WRITE = 4,  // libuv's write request holds four buffers without an allocation
  BLOCK_MIN_BYTES = 4 * 1024
};

br_out *br_out_of(br_loop *l, br_stream *s) {
  if (s->out != NULL) return s->out;
  static const uv_req_type types[] = {UV_CONNECT, UV_WRITE, UV_SHUTDOWN, UV_UNKNOWN_REQ};
  br_out *o = br_alloc(sizeof *o + br_req_bytes(types));
  if (o == NULL) return NULL;
  *o = (br_out){0};
  if (br_req_begin(l, &o->req, &s->h) != 0) {
    br_free(o);
    return NULL;
  }
  s->out = o;
  return o;
}

static void free_block(br_block *b) {
  if (b->fd >= 0) close(b->fd);
  br_free(b);
}

static void drop_head(br_out *o) {
  br_block *b = o->head;
  o->head = b->next;
  free_block(b);
}

// drop_carrier closes the descriptor that has gone with what libuv held.
static void drop_carrier(br_out *o) {
  if (o->carrier != NULL) uv_close((uv_handle_t *)o->carrier, br_on_own_close);
  o->carrier = NULL;
}

void br_out_free(br_loop *l, br_stream *s) {
  br_out *o = s->out;
  if (o == NULL) return;
  while (o->head != NULL) drop_head(o);
  drop_carrier(o);
  br_req_end(l, &o->req);
  br_free(o);
  s->out = NULL;
}

// drop_behind drops the blocks that libuv does not hold.
static void drop_behind(br_out *o) {
  br_block **at = o->held != NULL ? &o->held->next : &o->head;
  br_block *b = *at;
  *at = NULL;
  o->tail = o->held;
  while (b != NULL) {
    br_block *next = b->next;
    free_block(b);
    b = next;
  }
}

// fail drops what is outstanding, because nothing can be written any more. A shutdown
// that waited for it is not made. A request of libuv's ends first: what it holds, or
// waits for, is dropped then.
static void fail(br_loop *l, br_stream *s) {
  br_out *o = s->out;
  int waits = o != NULL && o->shutdown;
  s->h.flags |= BR_WRITE_FAILED;
  if (o != NULL && (o->held != NULL || s->h.flags & BR_CONNECTING)) {
    o->shutdown = 0;
    drop_behind(o);
  } else {
    br_out_free(l, s);
  }
  if (waits) br_push(l, BR_REC_SHUTDOWN, &s->h, UV_ECANCELED);
}

static void write_failed(br_loop *l, br_stream *s, int err) {
  if (s->h.flags & BR_WRITE_FAILED) return;
  br_push(l, BR_REC_WRITE_ERROR, &s->h, err);
  fail(l, s);
}

// keep copies n bytes behind the blocks. A descriptor that goes with them begins a block,
// and is the stream's from here on. After a failure the stream can only fail.
static int keep(br_loop *l, br_stream *s, const char *p, size_t n, int fd) {
  br_out *o = br_out_of(l, s);
  if (o == NULL) {
    if (fd >= 0) close(fd);
    return UV_ENOMEM;
  }
  o->bytes += n;
  br_block *t = o->tail;
  if (t != NULL && t != o->held && fd < 0) {
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
    if (b == NULL) {
      if (fd >= 0) close(fd);
      return UV_ENOMEM;
    }
    *b = (br_block){.cap = (uint32_t)cap, .len = k, .fd = fd};
    memcpy(b->data, p, k);
    if (o->tail == NULL) {
      o->head = b;
    } else {
      o->tail->next = b;
    }
    o->tail = b;
    p += k;
    n -= k;
    fd = -1;
  }
  return 0;
}

static void on_write(uv_write_t *req, int status) {
  br_stream *s = br_stream_of(br_req_of(req)->h);
  br_loop *l = br_loop_of(br_uv(&s->h));
  br_out *o = s->out;
  if (s->h.state != BR_OPEN) return;  // the close callback frees the blocks
  if (status < 0 || s->h.flags & BR_WRITE_FAILED) {
    o->held = NULL;
    write_failed(l, s, status);
    br_out_free(l, s);
    return;
  }
  size_t n = 0;
  for (int last = 0; !last;) {
    br_block *b = o->head;
    last = b == o->held;
    n += b->len;
    drop_head(o);
  }
  drop_carrier(o);
  if (o->head == NULL) o->tail = NULL;
  o->held = NULL;
  o->bytes -= n;
  br_push(l, BR_REC_WRITTEN, &s->h, 0)->value += n;
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
  int err = o != NULL ? br_watch_io(l, &u->io_watcher) : UV_ENOMEM;
  if (err == 0) err = uv_shutdown(br_req_uv(&o->req), u, on_shutdown);
  if (err == 0) {
    s->h.flags |= BR_SHUTTING;
    br_watched(&u->io_watcher);
    return;
  }
  br_out_free(l, s);
  br_push(l, BR_REC_SHUTDOWN, &s->h, err);
}

// carry gives the descriptor of the oldest block to a handle of libuv's, as libuv wants
// to have it.
static int carry(br_loop *l, br_out *o) {
  uv_pipe_t *u = br_alloc(uv_handle_size(UV_NAMED_PIPE));
  if (u == NULL) return UV_ENOMEM;
  uv_pipe_init(l->uv, u, 0);
  l->open++;
  o->carrier = u;
  int err = uv_pipe_open(u, o->head->fd);
  if (err == 0) o->head->fd = -1;
  return err;
}

// write_blocks lets libuv write the oldest blocks, of which only the first may have a
// descriptor.
static void write_blocks(br_loop *l, br_stream *s) {
  br_out *o = s->out;
  uv_stream_t *u = br_uv_stream(s);
  uv_buf_t bufs[BLOCKS_PER_WRITE];
  unsigned n = 0;
  for (br_block *b = o->head; b != NULL && n < BLOCKS_PER_WRITE && (n == 0 || b->fd < 0); b = b->next) {
    bufs[n++] = uv_buf_init(b->data, (unsigned)b->len);
    o->held = b;
  }
  l->sh.write_calls++;
  int err = br_watch_io(l, &u->io_watcher);
  if (err == 0 && o->head->fd >= 0) err = carry(l, o);
  if (err == 0) err = uv_write2(br_req_uv(&o->req), u, bufs, n, (uv_stream_t *)o->carrier, on_write);
  if (err != 0) {
    o->held = NULL;
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
    if (keep(l, s, iov[i].base + taken, len - (size_t)taken, -1) != 0) return UV_ENOMEM;
    left += (int64_t)(len - (size_t)taken);
    taken = 0;
  }
  return left;
}

static int writable(const br_stream *s) { return !(s->h.flags & (BR_WRITE_FAILED | BR_SHUTTING)); }

int br_unwritable(const br_stream *s) { return writable(s) ? 0 : UV_EPIPE; }

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

// offer_with gives the kernel p[0..len) with the descriptor of a handle, if nothing is
// before it. It returns the number of bytes taken, or an error.
static int64_t offer_with(br_loop *l, br_stream *s, br_handle *with, const char *p, size_t len) {
  if (s->out != NULL || s->h.flags & BR_CONNECTING) return 0;
  uv_buf_t buf = {.base = (char *)(uintptr_t)p, .len = len};
  l->sh.write_calls++;
  int n = uv_try_write2(br_uv_stream(s), &buf, 1, (uv_stream_t *)br_uv(with));
  return n == UV_EAGAIN ? 0 : n;
}

// too_many reports whether an error means that so many descriptors are under way that the
// kernel takes no more for now.
static int too_many(int64_t err) {
#ifdef ETOOMANYREFS
  return err == uv_translate_sys_error(ETOOMANYREFS);
#else
  (void)err;
  return 0;
#endif
}

// copy_of is a copy of the descriptor of a handle, or an error.
static int copy_of(br_loop *l, br_handle *h) {
  uv_os_fd_t fd;
  int err = uv_fileno(br_uv(h), &fd);
  if (err != 0) return err;
  int copy = br_fd_copy(fd);
  if (copy < 0) return uv_translate_sys_error(errno);
  br_unown(l, copy);
  return copy;
}

int br_write_with(br_loop *l, br_stream *s, br_handle *with, const char *p, size_t len, int64_t *left) {
  *left = (int64_t)len;
  if (unconnected(s)) return 0;
  int64_t taken = offer_with(l, s, with, p, len);
  if (too_many(taken)) return (int)taken;
  if (taken < 0) {
    fail(l, s);
    *left = taken;
    return 0;
  }
  *left -= taken;
  if (*left == 0) return 0;
  int fd = taken == 0 ? copy_of(l, with) : -1;
  if (fd < 0 && taken == 0) return fd;
  if (keep(l, s, p + taken, (size_t)*left, fd) == 0) {
    start(l, s);
  } else {
    fail(l, s);
    *left = UV_ENOMEM;
  }
  return 0;
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
    br_push(l, BR_REC_LEFT, h, 0)->value += (uint64_t)left;
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
  if (o == NULL) {
    br_push(l, BR_REC_SHUTDOWN, &s->h, UV_ENOMEM);
    return;
  }
  o->shutdown = 1;
  if (o->head == NULL && !(s->h.flags & BR_CONNECTING)) start_shutdown(l, s);
}
