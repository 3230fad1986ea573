// Reading: the slab, its sharing between streams, and what ends a read.
//
// The slab is filled from the front during one turn and free again at the next. A chunk is taken in the allocation
// callback and what the read did not use goes back in the read callback; libuv calls the two in pairs.
//
// A refused allocation makes libuv report UV_ENOBUFS and read nothing. The stream stays started: its descriptor is
// still readable, so the next poll reports it again, and BR_TURN_AGAIN says that this poll must not be waited for.
//
// Refused for its own budget, a stream has had its share. Refused before it got anything in this turn, because the slab is
// full, it is hungry: it is owed room. Streams hungry in this round are served before all others, in smaller chunks so
// that more of them are; those refused meanwhile make up the next round. So no stream waits longer than it takes to serve
// each other one once. Somebody else may have emptied a hungry stream's socket; a turn that refuses others for the sake of
// hungry streams of which none turns up forgets them all.
#include "internal.h"

// refuse is for a stream that is readable. libuv also asks for memory after a read that filled its chunk, when there may be
// nothing left; such a stream has been served in this turn.
static void refuse(br_loop *l, br_handle *h) {
  l->again = 1;
  if (h->turn_bytes > 0) return;
  l->sh.read_short++;
  if (h->hungry >= l->round) return;
  h->hungry = l->round + 1;
  l->owed_next++;
}

static void fed(br_loop *l, br_handle *h) {
  if (h->hungry == l->round) l->owed--;
  if (h->hungry == l->round + 1) l->owed_next--;
  h->hungry = 0;
}

// br_read_turn empties the slab and begins the next round when this one is served.
void br_read_turn(br_loop *l) {
  l->slab_used = 0;
  if (l->owed > 0 && l->again && !l->owed_came) {
    l->round += 2;
    l->owed = l->owed_next = 0;
  }
  l->owed_came = 0;
  if (l->owed > 0 || l->owed_next == 0) return;
  l->round++;
  l->owed = l->owed_next;
  l->owed_next = 0;
}

static void on_alloc(uv_handle_t *u, size_t hint, uv_buf_t *buf) {
  (void)hint;
  br_handle *h = br_of(u);
  br_loop *l = br_loop_of(u);
  *buf = uv_buf_init(NULL, 0);
  if (h->turn != l->turn) {
    h->turn = l->turn;
    h->turn_bytes = 0;
  }
  if (h->turn_bytes >= BR_TURN_READ_BYTES_MAX) {
    l->again = 1;
    return;
  }
  size_t room = BR_SLAB_BYTES - l->slab_used;
  if (room < BR_READ_MIN_BYTES || (l->owed > 0 && h->hungry != l->round)) {
    refuse(l, h);
    return;
  }
  size_t n = l->owed > 0 ? BR_READ_FAIR_BYTES : BR_READ_CHUNK_BYTES;
  if (n > room) n = room;
  if (h->hungry == l->round) l->owed_came = 1;
  fed(l, h);
  buf->base = l->slab + l->slab_used;
  buf->len = n;
  l->slab_used += n;
}

// A read that continues the previous record's bytes extends that record.
static void push_read(br_loop *l, br_handle *h, size_t off, ssize_t nread) {
  if (l->sh.nrec > l->sh.nflush) {
    br_rec *last = &l->sh.recs[l->sh.nrec - 1];
    if (last->kind == BR_REC_READ && last->slot == h->slot && last->value + (uint64_t)last->status == off) {
      last->status += (int32_t)nread;
      return;
    }
  }
  br_push(l, BR_REC_READ, h, (int)nread)->value = off;
}

static void on_read(uv_stream_t *s, ssize_t nread, const uv_buf_t *buf) {
  br_handle *h = br_of(s);
  br_loop *l = br_loop_of((uv_handle_t *)s);
  size_t off = l->slab_used;
  if (buf->base != NULL && buf->len > 0) off = (size_t)(buf->base - l->slab);
  l->slab_used = off;
  if (nread > 0) {
    l->slab_used = (off + (size_t)nread + 15) & ~(size_t)15;
    h->turn_bytes += (uint32_t)nread;
    push_read(l, h, off, nread);
    return;
  }
  if (nread == 0 || (nread == UV_ENOBUFS && buf->len == 0)) return;
  br_read_stop(l, h);
  br_push(l, nread == UV_EOF ? BR_REC_EOF : BR_REC_READ_ERROR, h, (int)nread);
}

void br_read_start(br_loop *l, br_handle *h) {
  if (h->flags & BR_READING) return;
  int err = h->flags & BR_LISTENING ? UV_EINVAL : uv_read_start(br_stream(h), on_alloc, on_read);
  if (err != 0) {
    br_push(l, BR_REC_READ_ERROR, h, err);
    return;
  }
  h->flags |= BR_READING;
}

void br_read_stop(br_loop *l, br_handle *h) {
  if (!(h->flags & BR_READING)) return;
  h->flags &= (uint8_t)~BR_READING;
  fed(l, h);
  uv_read_stop(br_stream(h));
}
