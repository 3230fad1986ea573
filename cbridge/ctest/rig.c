#include "rig.h"

#include <unistd.h>

br_loop *loop;
br_shared *sh;
uint32_t nops, consumed;
seen slots[SLOTS_MAX];
int told;  // errors in records
job jobs[JOBS_MAX];
void (*reads)(uint64_t id) = pull;

seen *of(uint64_t id) { return &slots[(uint32_t)id]; }

br_op *submit(int kind, uint64_t id) {
  CHECK(nops < BR_OPS_MAX);
  br_op *op = &br_loop_ops(loop)[nops++];
  memset(op, 0, sizeof *op);
  op->kind = (uint8_t)kind;
  op->slot = (uint32_t)id;
  op->gen = (uint32_t)(id >> 32);
  return op;
}

void know(uint64_t id) {
  CHECK((uint32_t)id < SLOTS_MAX);
  *of(id) = (seen){.gen = (uint32_t)(id >> 32)};
}

job *began(uint64_t id) {
  CHECK((uint32_t)id < JOBS_MAX);
  job *j = &jobs[(uint32_t)id];
  CHECK(j->id == 0);
  *j = (job){.id = id};
  return j;
}

// finish takes the record of a job. The job is freed later, by who has begun it.
static void finish(const br_rec *r) {
  CHECK(r->slot < JOBS_MAX);
  job *j = &jobs[r->slot];
  CHECK(j->id == ((uint64_t)r->gen << 32 | r->slot) && !j->done);
  j->done = 1;
  j->status = r->status;
}

static void digest(seen *s, const unsigned char *p, size_t n) {
  s->in += n;
  for (size_t i = 0; i < n; i++) s->sum = s->sum * 31 + p[i];
}

// pull reads a stream that brings much.
void pull(uint64_t id) {
  static unsigned char buf[100000];
  seen *s = of(id);
  int64_t n = br_read(loop, id, (char *)buf, sizeof buf);
  if (n < 0) {
    s->failed = (int)n;
  } else {
    digest(s, buf, (size_t)n);
  }
}

// receive takes n datagrams, the first of which is at `at`.
static void receive(seen *s, unsigned at, unsigned n, unsigned step) {
  br_dgram *all;
  char *rooms;
  br_udp_memory(loop, &all, &rooms);
  for (; n > 0; n--, at += step) {
    CHECK(at < BR_DGRAMS);
    const br_dgram *d = &all[at];
    CHECK(d->addr_len <= BR_DGRAM_NAME_BYTES);
    s->datagrams++;
    s->partial += d->partial;
    digest(s, (const unsigned char *)(d->len > BR_DGRAM_SMALL_BYTES ? rooms + at * BR_DGRAM_ROOM_BYTES : d->data), d->len);
  }
}

static void receive_more(seen *s, uint64_t id) {
  unsigned step = 0, n = (unsigned)br_recv(loop, id, &step);
  receive(s, 0, n, step);
}

static void change(seen *s, const br_rec *r) {
  const char *name = br_fs_event_name(loop, r->value);
  s->changes++;
  s->events |= r->aux;
  s->epoch = r->value >> 32;
  snprintf(s->name, sizeof s->name, "%s", name != NULL ? name : "");
}

static void take(const br_rec *r) {
  if (r->kind == BR_REC_DONE) {
    finish(r);
    return;
  }
  CHECK(r->slot < SLOTS_MAX);
  seen *s = &slots[r->slot];
  CHECK(r->gen == s->gen);
  CHECK(!s->closed);
  if (r->status < 0 && r->kind != BR_REC_EOF) told++;
  switch (r->kind) {
    case BR_REC_READ: digest(s, (unsigned char *)br_loop_slab(loop) + r->value, (size_t)r->status); break;
    case BR_REC_READABLE: reads((uint64_t)r->gen << 32 | r->slot); break;
    case BR_REC_EOF: s->eof++; break;
    case BR_REC_READ_ERROR: s->failed = r->status; break;
    case BR_REC_LEFT: s->left += r->value; break;
    case BR_REC_WRITTEN: s->written += r->value; break;
    case BR_REC_WRITE_ERROR: s->failed = r->status; break;
    case BR_REC_CONNECT:
      s->connected++;
      s->connect_status = r->status;
      break;
    case BR_REC_SHUTDOWN: s->shut++; break;
    case BR_REC_ACCEPT:
      s->accepted++;
      s->child = r->value;
      know(r->value);
      break;
    case BR_REC_ACCEPT_ERROR: s->accept_errors++; break;
    case BR_REC_DATAGRAMS: receive(s, (unsigned)r->value, (unsigned)r->status, r->aux); break;
    case BR_REC_RECV_READY: receive_more(s, (uint64_t)r->gen << 32 | r->slot); break;
    case BR_REC_RECV_ERROR: s->recv_errors++; break;
    case BR_REC_UNSENT:
      s->unsent += r->status;
      s->left += r->value;
      break;
    case BR_REC_SENT:
      s->gone += r->status;
      s->written += r->value;
      break;
    case BR_REC_SEND_ERROR:
      s->send_errors += 1 + r->aux;
      s->bad = r->value + r->aux;
      break;
    case BR_REC_SEND_STUCK: s->stuck++; break;
    case BR_REC_EXIT:
      s->exited++;
      s->signal = r->status;
      s->code = (int)r->value;
      break;
    case BR_REC_POLL:
      s->polled++;
      s->events = r->aux;
      s->epoch = r->value;
      s->failed = r->status;
      break;
    case BR_REC_FS_EVENT: change(s, r); break;
    case BR_REC_CLOSED:
      s->closed = 1;
      submit(BR_OP_ACK, (uint64_t)r->gen << 32 | r->slot);
      break;
    default: CHECK(!"a kind of record");
  }
}

void turn(int64_t timeout_ms) {
  br_turn(loop, nops, consumed, timeout_ms, 0);
  nops = 0;
  for (consumed = 0; consumed < sh->nrec; consumed++) {
    br_rec r = sh->recs[consumed];
    if (r.kind == BR_REC_CLOSED && nops == BR_OPS_MAX) {
      br_flush(loop, nops);
      nops = 0;
    }
    take(&r);
  }
}

void begin(void) {
  CHECK(br_loop_new(&loop) == 0);
  sh = br_loop_shared(loop);
  nops = consumed = 0;
}

static void close_fds(void) {
  int rd, wr;
  br_loop_wake_fds(loop, &rd, &wr);
  CHECK(br_loop_close(loop) == 0);
  close(rd);
  if (wr != rd) close(wr);
}

void end(void) {
  for (uint32_t i = 0; i < SLOTS_MAX; i++) {
    if (slots[i].gen != 0 && !slots[i].closed) submit(BR_OP_CLOSE, (uint64_t)slots[i].gen << 32 | i);
  }
  UNTIL(sh->handles == 0);
  close_fds();
  memset(slots, 0, sizeof slots);
  CHECK(br_live_allocations() == 0);
}

uint64_t tcp(void) {
  uint64_t id;
  CHECK(br_tcp_new(loop, 0, &id) == 0);
  know(id);
  return id;
}

uint64_t listener(struct sockaddr_in *addr, int room) {
  uint64_t id = tcp();
  *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  CHECK(br_tcp_bind(loop, id, addr, sizeof *addr, 0) == 0);
  CHECK(br_listen(loop, id, 128, 1, 0, room, 0) == 0);
  CHECK(br_tcp_name(loop, id, 0, addr) == sizeof *addr);
  return id;
}

void pair(uint64_t *client, uint64_t *server) {
  struct sockaddr_in addr;
  uint64_t ln = listener(&addr, -1);
  *client = tcp();
  CHECK(br_tcp_connect(loop, *client, &addr, sizeof addr) == 0);
  UNTIL(of(*client)->connected && of(ln)->accepted);
  CHECK(of(*client)->connect_status == 0);
  *server = of(ln)->child;
  submit(BR_OP_CLOSE, ln);
}
