// Reading: the slab, and streams that are read later.
//
// Small reads share the slab. It is filled from the front during one turn and free again
// at the next. A chunk is taken in the allocation callback and what the read did not use
// goes back in the read callback; libuv calls the two in pairs.
//
// A stream that brings much is not read here: it gets no chunk, which makes libuv report
// UV_ENOBUFS and read nothing, and BR_REC_READABLE tells Go to read it when its turn
// comes, itself or with br_read. So its bytes are still in the processor's cache when
// they are answered, and the peer gets the first answer before the last stream is read:
// reading a hundred streams of 100 KiB into the slab before answering any cost 1.9 times
// a C server's time. The same goes for a stream that finds the slab
// full, or the records. The stream
// stays started: its descriptor is level-triggered, so what is left comes again.
//
// Two kinds of streams are never read here: pipes that pass handles, because what comes
// has to wait in the kernel until it is known who wants it, and terminals whose
// descriptor libuv cannot make non-blocking.
#include "streams.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static void on_alloc(uv_handle_t *u, size_t hint, uv_buf_t *buf) {
  (void)hint;
  br_loop *l = br_loop_of(u);
  br_polled(l);
  *buf = uv_buf_init(NULL, 0);
  if (br_of(u)->flags & (BR_LARGE | BR_BY_GO)) return;
  size_t n = BR_SLAB_BYTES - l->slab_used;
  if (n < BR_READ_MIN_BYTES || !br_room(l, 1)) {
    l->sh.read_short++;
    return;
  }
  if (n > BR_READ_CHUNK_BYTES) n = BR_READ_CHUNK_BYTES;
  *buf = uv_buf_init(l->slab + l->slab_used, (unsigned)n);
  l->slab_used += n;
}

// end_of is the end of a stream as the kernel has it, or 1 if that is not reached. libuv
// does not ask: it takes a read that does not fill its buffer, and a hang-up that came
// with the bytes, for the end of the stream. Behind the bytes may be a reset, which only
// the next read tells, or more bytes: on a Unix socket a read ends with a message that
// brings descriptors, and a terminal is read by the line. What is no socket cannot be
// asked, so it is read once more.
static int end_of(uv_stream_t *u) {
  uv_os_fd_t fd;
  char c;
  if (uv_fileno((uv_handle_t *)u, &fd) != 0) return UV_EOF;
  ssize_t n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n >= 0) return n > 0 ? 1 : UV_EOF;
  if (errno == ENOTSOCK) return 1;
  if (errno == EAGAIN || errno == EWOULDBLOCK) return UV_EOF;
  return uv_translate_sys_error(errno);
}

static void on_read(uv_stream_t *u, ssize_t nread, const uv_buf_t *buf) {
  br_handle *h = br_of(u);
  br_loop *l = br_loop_of((uv_handle_t *)u);
  if (nread == UV_ENOBUFS && buf->len == 0) {
    br_push(l, BR_REC_READABLE, h, 0);
    return;
  }
  size_t off = l->slab_used;
  if (buf->len > 0) off = (size_t)(buf->base - l->slab);
  l->slab_used = off;
  if (nread > 0) {
    l->slab_used = (off + (size_t)nread + 15) & ~(size_t)15;
    if (nread >= BR_LARGE_BYTES_MIN) h->flags |= BR_LARGE;
    br_push(l, BR_REC_READ, h, (int)nread)->value = off;
    return;
  }
  if (nread == 0) return;
  if (nread == UV_EOF && buf->base == NULL) nread = end_of(u);
  br_stream *s = br_stream_of(h);
  br_read_stop(s);
  if (nread > 0) {
    br_read_start(l, s);
    return;
  }
  br_push(l, nread == UV_EOF ? BR_REC_EOF : BR_REC_READ_ERROR, h, (int)nread);
}

void br_read_start(br_loop *l, br_stream *s) {
  br_handle *h = &s->h;
  if (h->flags & BR_READING) return;
  uv_stream_t *u = br_uv_stream(s);
  int err = h->flags & BR_LISTENING ? UV_EINVAL : uv_read_start(u, on_alloc, on_read);
  if (err == 0 && u->io_watcher.events == 0) {
    err = br_watch_now(l, &u->io_watcher);
    if (err != 0) uv_read_stop(u);
  }
  if (err != 0) {
    br_push(l, BR_REC_READ_ERROR, h, err);
    return;
  }
  h->flags |= BR_READING;
}

void br_read_stop(br_stream *s) {
  if (!(s->h.flags & BR_READING)) return;
  s->h.flags &= (uint8_t)~BR_READING;
  uv_read_stop(br_uv_stream(s));
}

// read_now does not wait, not even where the descriptor would.
static ssize_t read_now(const br_handle *h, int fd, char *p, size_t len) {
  if (!(h->flags & BR_BY_GO)) return read(fd, p, len);
  ssize_t n = recv(fd, p, len, MSG_DONTWAIT);
  if (n >= 0 || errno != ENOTSOCK) return n;
  struct pollfd ready = {.fd = fd, .events = POLLIN};
  if (poll(&ready, 1, 0) > 0) return read(fd, p, len);
  errno = EAGAIN;
  return -1;
}

int64_t br_read_result(br_stream *s, ssize_t n) {
  int err = n == 0 ? UV_EOF : uv_translate_sys_error(errno);
  if (n > 0 || err == UV_EAGAIN) return n > 0 ? n : 0;
  br_read_stop(s);
  return err;
}

// A read that finds the end consumes nothing: libuv finds it again and reports it. What
// Go alone reads libuv never does.
int64_t br_read(br_loop *l, uint64_t id, char *p, size_t len) {
  br_stream *s = br_find_stream(l, id);
  uv_os_fd_t fd;
  if (s == NULL || len == 0 || !(s->h.flags & BR_READING) || uv_fileno(br_uv(&s->h), &fd) != 0) return 0;
  ssize_t n;
  do n = read_now(&s->h, fd, p, len);
  while (n < 0 && errno == EINTR);
  if (n < BR_LARGE_BYTES_MIN) s->h.flags &= (uint8_t)~BR_LARGE;
  return n == 0 && !(s->h.flags & BR_BY_GO) ? 0 : br_read_result(s, n);
}
