// The bridge without Go: this program submits operations and takes records as package uv
// does, so that the C side can be run under valgrind and the sanitizers. build.sh
// compiles it, harness_test.go runs it.
//
// Every scenario ends with all handles closed, all slots given back, and every allocation
// freed.
#include "../bridge.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#include <sys/timerfd.h>
#endif

#define CHECK(x)                                                        \
  do {                                                                  \
    if (!(x)) {                                                         \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #x);   \
      abort();                                                          \
    }                                                                   \
  } while (0)

enum { SLOTS_MAX = 1024 };

// What is known of a slot.
typedef struct {
  uint32_t gen;
  int closed, connected, connect_status, eof, failed, shut, accepted, accept_errors;
  size_t in, left, written;
  uint64_t child;  // the last connection accepted
  uint32_t sum;    // of the bytes read
} seen;

static br_loop *loop;
static br_shared *sh;
static uint32_t nops, consumed;
static seen slots[SLOTS_MAX];
static int told;  // errors in records

static seen *of(uint64_t id) { return &slots[(uint32_t)id]; }

static br_op *submit(int kind, uint64_t id) {
  CHECK(nops < BR_OPS_MAX);
  br_op *op = &br_loop_ops(loop)[nops++];
  memset(op, 0, sizeof *op);
  op->kind = (uint8_t)kind;
  op->slot = (uint32_t)id;
  op->gen = (uint32_t)(id >> 32);
  return op;
}

static void know(uint64_t id) {
  CHECK((uint32_t)id < SLOTS_MAX);
  *of(id) = (seen){.gen = (uint32_t)(id >> 32)};
}

static void digest(seen *s, const unsigned char *p, size_t n) {
  s->in += n;
  for (size_t i = 0; i < n; i++) s->sum = s->sum * 31 + p[i];
}

// pull reads a stream that brings much.
static void pull(seen *s, uint64_t id) {
  static unsigned char buf[100000];
  int64_t n = br_read(loop, id, (char *)buf, sizeof buf);
  if (n < 0) {
    s->failed = (int)n;
  } else {
    digest(s, buf, (size_t)n);
  }
}

static void take(const br_rec *r) {
  CHECK(r->slot < SLOTS_MAX);
  seen *s = &slots[r->slot];
  CHECK(r->gen == s->gen);
  CHECK(!s->closed);
  if (r->status < 0 && r->kind != BR_REC_EOF) told++;
  switch (r->kind) {
    case BR_REC_READ: digest(s, (unsigned char *)br_loop_slab(loop) + r->value, (size_t)r->status); break;
    case BR_REC_READABLE: pull(s, (uint64_t)r->gen << 32 | r->slot); break;
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
    case BR_REC_CLOSED:
      s->closed = 1;
      submit(BR_OP_ACK, (uint64_t)r->gen << 32 | r->slot);
      break;
    default: CHECK(!"a kind of record");
  }
}

static void turn(int64_t timeout_ms) {
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

#define UNTIL(cond)                                       \
  do {                                                    \
    for (int turns = 0; !(cond); turns++) {               \
      CHECK(turns < 3000);                              \
      turn(turns < 100 ? 0 : 1);                          \
    }                                                     \
  } while (0)

static void begin(void) {
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

static void end(void) {
  for (uint32_t i = 0; i < SLOTS_MAX; i++) {
    if (slots[i].gen != 0 && !slots[i].closed) submit(BR_OP_CLOSE, (uint64_t)slots[i].gen << 32 | i);
  }
  UNTIL(sh->handles == 0);
  close_fds();
  memset(slots, 0, sizeof slots);
  CHECK(br_live_allocations() == 0);
}

static uint64_t tcp(void) {
  uint64_t id;
  CHECK(br_tcp_new(loop, 0, &id) == 0);
  know(id);
  return id;
}

static uint64_t listener(struct sockaddr_in *addr, int room) {
  uint64_t id = tcp();
  *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  CHECK(br_tcp_bind(loop, id, addr, sizeof *addr, 0) == 0);
  CHECK(br_listen(loop, id, 128, 1, 0, room, 0) == 0);
  CHECK(br_tcp_name(loop, id, 0, addr) == sizeof *addr);
  return id;
}

static void pair(uint64_t *client, uint64_t *server) {
  struct sockaddr_in addr;
  uint64_t ln = listener(&addr, -1);
  *client = tcp();
  CHECK(br_tcp_connect(loop, *client, &addr, sizeof addr) == 0);
  UNTIL(of(*client)->connected && of(ln)->accepted);
  CHECK(of(*client)->connect_status == 0);
  *server = of(ln)->child;
  submit(BR_OP_CLOSE, ln);
}

static void scenario_empty(void) {
  begin();
  turn(0);
  CHECK(sh->nrec == 0 && !(sh->flags & BR_TURN_AGAIN) && !(sh->flags & BR_TURN_ALIVE));
  end();
}

static void *wake_later(void *arg) {
  uint64_t one = 1;
  usleep(20000);
  CHECK(write(*(int *)arg, &one, sizeof one) == sizeof one);
  return NULL;
}

static void scenario_wait(void) {
  begin();
  for (int i = 0; i < 50; i++) {
    uint64_t start = uv_hrtime();
    turn(2);
    uint64_t waited = uv_hrtime() - start;
    CHECK(waited > 900 * 1000);  // libuv's timers are up to 1 ms early
    CHECK(waited < 5000000000u);
  }
  int rd, wr;
  br_loop_wake_fds(loop, &rd, &wr);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, wake_later, &wr) == 0);
  turn(-1);
  CHECK(pthread_join(thread, NULL) == 0);
  br_turn(loop, 0, 0, -1, 1);  // returns: nothing is alive
  end();
}

// The tick ends waits without limit. What the loop has waited is counted, and what it
// does besides is not.
static void scenario_tick(void) {
#ifdef __linux__
  begin();
  int fd = br_loop_tick_fd(loop);
  CHECK(fd >= 0 && br_loop_tick_fd(loop) == fd);
  for (int long_enough = 0; long_enough < 3;) {  // a machine that is busy begins to wait late
    struct itimerspec spec = {.it_value.tv_nsec = 20000000};
    CHECK(timerfd_settime(fd, 0, &spec, NULL) == 0);
    uint64_t start = uv_hrtime(), waited = sh->waited;
    turn(-1);
    waited = sh->waited - waited;
    CHECK(waited <= uv_hrtime() - start);
    long_enough += waited > 10000000;
    waited = sh->waited;
    usleep(1000);
    turn(0);
    CHECK(sh->waited == waited);
  }
  end();
#endif
}

// gather makes a write operation of pieces that do not follow each other in the arena.
static void gather(uint64_t id, const char *bytes, uint32_t len, uint32_t pieces) {
  char *arena = br_loop_arena(loop);
  br_piece *all = br_loop_pieces(loop);
  br_op *op = submit(BR_OP_WRITE, id);
  for (uint32_t i = 0; i < pieces; i++) {
    uint32_t off = i * 2 * len;
    memcpy(arena + off, bytes, len);
    if (i == 0) {
      op->off = off;
      op->len = len;
      continue;
    }
    all[i - 1] = (br_piece){.off = off, .len = len, .next = i};
    op->n++;
    op->tail = i - 1;
  }
  op->next = 0;
}

static void scenario_stream(void) {
  begin();
  uint64_t a, b;
  pair(&a, &b);
  submit(BR_OP_READ_START, b);
  gather(a, "0123456789", 10, 3000);  // more than one writev
  UNTIL(of(b)->in == 30000);
  CHECK(br_write(loop, a, -1, "hello", 5) == 0);
  gather(a, "x", 1, 2);
  CHECK(br_write(loop, a, (int)nops - 1, "y", 1) == 0);  // the operation and more
  CHECK(br_loop_ops(loop)[nops - 1].kind == BR_OP_NOP);
  UNTIL(of(b)->in == 30008);

  size_t size = 8 << 20;
  char *large = malloc(size);
  uint32_t sum = of(b)->sum;
  for (size_t i = 0; i < size; i++) {
    large[i] = (char)(i * 7);
    sum = sum * 31 + (unsigned char)large[i];
  }
  submit(BR_OP_READ_STOP, b);
  turn(0);
  int64_t left = br_write(loop, a, -1, large, size);
  CHECK(left > 0);
  gather(a, "0123456789", 10, 3);
  turn(0);
  CHECK(of(a)->left == 30);
  CHECK(br_try_write(loop, a, "z", 1) == UV_EAGAIN);
  submit(BR_OP_SHUTDOWN, a);
  submit(BR_OP_SHUTDOWN, a);
  submit(BR_OP_READ_START, b);
  UNTIL(of(b)->eof);
  for (int i = 0; i < 30; i++) sum = sum * 31 + (unsigned char)"0123456789"[i % 10];
  CHECK(of(b)->in == 30008 + size + 30);
  CHECK(of(b)->sum == sum);
  CHECK(of(a)->written == (size_t)left + 30);
  CHECK(of(a)->shut == 2);
  CHECK(br_write(loop, a, -1, large, 10) == UV_EPIPE);
  free(large);
  end();
}

static void scenario_close_with_writes(void) {
  begin();
  uint64_t a, b;
  pair(&a, &b);
  size_t size = 16 << 20;
  char *large = calloc(1, size);
  CHECK(br_write(loop, a, -1, large, size) > 0);
  gather(a, "tail", 4, 5);
  turn(0);
  submit(BR_OP_CLOSE, a);
  submit(BR_OP_CLOSE, a);
  submit(BR_OP_READ_START, a);
  turn(0);
  CHECK(of(a)->closed);
  CHECK(br_write(loop, a, -1, large, 1) == UV_EBADF);
  CHECK(br_fileno(loop, a) == UV_EBADF);
  submit(BR_OP_READ_START, b);
  CHECK(br_close_reset(loop, b) == 0);
  free(large);
  end();
}

// A shutdown that waits for a write ends when the write fails.
static void scenario_shutdown_that_fails(void) {
  begin();
  uint64_t a, b;
  pair(&a, &b);
  size_t size = 16 << 20;
  char *large = calloc(1, size);
  CHECK(br_write(loop, a, -1, large, size) > 0);
  submit(BR_OP_SHUTDOWN, a);
  turn(0);
  CHECK(of(a)->shut == 0);
  CHECK(br_close_reset(loop, b) == 0);
  UNTIL(of(a)->shut);
  CHECK(of(a)->failed < 0 && of(a)->shut == 1);
  submit(BR_OP_SHUTDOWN, a);
  turn(0);
  CHECK(of(a)->shut == 2);
  free(large);
  end();
}

// A reset behind data is no end, and a listener is no stream.
static void scenario_reset(void) {
  begin();
  uint64_t a, b;
  pair(&a, &b);
  CHECK(br_write(loop, b, -1, "unread", 6) == 0);
  turn(0);
  CHECK(br_write(loop, a, -1, "hello", 5) == 0);
  CHECK(br_close_reset(loop, a) == 0);
  turn(0);
  submit(BR_OP_READ_START, b);
  UNTIL(of(b)->failed || of(b)->eof);
  CHECK(of(b)->in <= 5 && of(b)->failed == UV_ECONNRESET);
  struct sockaddr_in addr;
  uint64_t ln = listener(&addr, -1);
  submit(BR_OP_READ_START, ln);
  submit(BR_OP_SHUTDOWN, ln);
  turn(0);
  CHECK(of(ln)->failed == UV_EINVAL && of(ln)->shut == 0);
  end();
}

static void scenario_share_slab(void) {
  enum { N = 60, EACH = 64 * 1024 };
  begin();
  static char bytes[EACH];
  uint64_t a[N], b[N];
  for (int i = 0; i < N; i++) {
    pair(&a[i], &b[i]);
    CHECK(br_write(loop, a[i], -1, bytes, EACH) >= 0);
  }
  turn(1);
  for (int i = 0; i < N; i++) submit(BR_OP_READ_START, b[i]);
  int all = 0;
  for (int turns = 0; !all; turns++) {
    CHECK(turns < 20);
    turn(0);
    all = 1;
    for (int i = 0; i < N; i++) {
      if (of(b[i])->in < EACH) all = 0;
    }
  }
  CHECK(sh->read_short > 0);
  end();
}

static void scenario_accept(void) {
  begin();
  struct sockaddr_in addr;
  uint64_t ln = listener(&addr, 2);
  uint64_t c[5];
  for (int i = 0; i < 5; i++) {
    c[i] = tcp();
    CHECK(br_tcp_connect(loop, c[i], &addr, sizeof addr) == 0);
    UNTIL(of(c[i])->connected);
  }
  for (int i = 0; i < 20; i++) turn(0);
  CHECK(of(ln)->accepted == 2);
  submit(BR_OP_ACCEPT_ROOM, ln)->arg = 1;
  for (int i = 0; i < 20; i++) turn(0);
  CHECK(of(ln)->accepted == 3);
  submit(BR_OP_ACCEPT_STOP, ln);
  submit(BR_OP_ACCEPT_ROOM, ln)->arg = 5;
  for (int i = 0; i < 20; i++) turn(0);
  CHECK(of(ln)->accepted == 3);
  submit(BR_OP_ACCEPT_START, ln);
  UNTIL(of(ln)->accepted == 5);
  CHECK(br_is_active(loop, ln));
  end();
}

static void scenario_pipe(void) {
  begin();
  static const char *names[] = {"/tmp/asyncio-bridge-harness", "\0asyncio-bridge-harness"};
  for (int i = 0; i < 2; i++) {
    unsigned len = (unsigned)strlen("/tmp/asyncio-bridge-harness") - (i == 1 ? 4 : 0);
    uint64_t ln, c;
    if (i == 0) unlink(names[0]);
    CHECK(br_pipe_new(loop, &ln) == 0);
    know(ln);
    CHECK(br_pipe_bind(loop, ln, names[i], len) == 0);
    CHECK(br_listen(loop, ln, 8, 0, 0, -1, 0) == 0);
    CHECK(br_pipe_new(loop, &c) == 0);
    know(c);
    CHECK(br_pipe_connect(loop, c, names[i], len) == 0);
    UNTIL(of(c)->connected && of(ln)->accepted);
    CHECK(of(c)->connect_status == 0);
    char path[128];
    CHECK(br_pipe_name(loop, c, 1, path, sizeof path) == (int)len);
    CHECK(memcmp(path, names[i], len) == 0);
    submit(BR_OP_READ_START, of(ln)->child);
    CHECK(br_write(loop, c, -1, "hello", 5) == 0);
    UNTIL(of(of(ln)->child)->in == 5);
  }
  end();
}

// What is to be written and shut down behind a connect that has failed is dropped, until
// the next connect.
static void scenario_failed_connect(void) {
  begin();
  static const char name[] = "/tmp/asyncio-bridge-harness", nobody[] = "/tmp/asyncio-bridge-nobody";
  unlink(name);
  uint64_t ln, c;
  CHECK(br_pipe_new(loop, &ln) == 0);
  know(ln);
  CHECK(br_pipe_bind(loop, ln, name, sizeof name - 1) == 0);
  CHECK(br_listen(loop, ln, 8, 0, 0, -1, 0) == 0);
  CHECK(br_pipe_new(loop, &c) == 0);
  know(c);
  CHECK(br_pipe_connect(loop, c, nobody, sizeof nobody - 1) == 0);
  CHECK(br_write(loop, c, -1, "hello", 5) == 5);
  gather(c, "old", 3, 2);
  submit(BR_OP_SHUTDOWN, c);
  turn(0);
  CHECK(of(c)->connected == 1 && of(c)->connect_status == UV_ENOENT);
  CHECK(of(c)->left == 6 && of(c)->shut == 0 && of(c)->failed == 0);
  CHECK(br_pipe_connect(loop, c, name, sizeof name - 1) == 0);
  gather(c, "new", 3, 1);
  submit(BR_OP_SHUTDOWN, c);
  UNTIL(of(c)->connected == 2 && of(c)->shut && of(ln)->accepted);
  CHECK(of(c)->connect_status == 0 && of(c)->failed == 0 && of(c)->left == 6);
  uint64_t child = of(ln)->child;
  submit(BR_OP_READ_START, child);
  UNTIL(of(child)->eof);
  CHECK(of(child)->in == 3);
  end();
}

#ifdef __linux__
// The kernel refuses to watch one descriptor, or that one and all that come behind it.
// Every handle hears of it, or none was refused, and nothing aborts.
static int refuse_at, refuse_once, refuse_code, adds, refused;

int __real_epoll_ctl(int set, int op, int fd, struct epoll_event *e);

int __wrap_epoll_ctl(int set, int op, int fd, struct epoll_event *e) {
  int r = __real_epoll_ctl(set, op, fd, e);
  if (refuse_at == 0 || op != EPOLL_CTL_ADD || r != 0) return r;
  adds++;
  if (adds < refuse_at || (adds > refuse_at && refuse_once)) return 0;
  refused++;
  CHECK(__real_epoll_ctl(set, EPOLL_CTL_DEL, fd, e) == 0);
  errno = refuse_code;
  return -1;
}

static void tell(int64_t err) {
  if (err < 0) told++;
}

// accept(2) tells an error of a connection, which is gone with it.
static int accept_error;

int __real_accept4(int fd, struct sockaddr *name, socklen_t *len, int flags);

int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *len, int flags) {
  int c = __real_accept4(fd, name, len, flags);
  if (c < 0 || accept_error == 0) return c;
  close(c);
  errno = accept_error;
  accept_error = 0;
  return -1;
}

// The error of one connection is not the listener's: the next connection is accepted.
static void scenario_accept_errors(void) {
  static const int gone[] = {EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH};
  begin();
  struct sockaddr_in addr;
  uint64_t ln = listener(&addr, -1);
  for (int i = 0; i < (int)(sizeof gone / sizeof gone[0]); i++) {
    uint64_t c[2];
    accept_error = gone[i];
    for (int k = 0; k < 2; k++) {
      CHECK(br_tcp_new(loop, 0, &c[k]) == 0);
      know(c[k]);
      CHECK(br_tcp_connect(loop, c[k], &addr, sizeof addr) == 0);
      UNTIL(of(c[k])->connected);
    }
    UNTIL(of(ln)->accepted == i + 1);
    CHECK(of(ln)->accept_errors == 0);
  }
  end();
}

// submit_all submits an operation for all connections.
static void submit_all(int kind, uint64_t but) {
  for (uint32_t i = 0; i < SLOTS_MAX; i++) {
    uint64_t id = (uint64_t)slots[i].gen << 32 | i;
    if (slots[i].gen != 0 && !slots[i].closed && id != but) submit(kind, id);
  }
}

static void turns(int n) {
  while (n-- > 0) turn(0);
}

// use_watches makes everything of a loop that the kernel watches.
static void use_watches(void) {
  static char large[4 << 20];
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  uint64_t ln = tcp(), c[4];
  tell(br_loop_tick_fd(loop));
  CHECK(br_tcp_bind(loop, ln, &addr, sizeof addr, 0) == 0);
  tell(br_listen(loop, ln, 8, 0, 0, -1, 0));
  CHECK(br_tcp_name(loop, ln, 0, &addr) == sizeof addr);
  for (int i = 0; i < 4; i++) {
    c[i] = tcp();
    tell(br_tcp_connect(loop, c[i], &addr, sizeof addr));
  }
  turns(10);
  submit(BR_OP_ACCEPT_STOP, ln);
  turns(2);
  submit(BR_OP_ACCEPT_START, ln);
  turns(10);
  submit(BR_OP_READ_START, c[0]);
  tell(br_write(loop, c[1], -1, large, sizeof large));
  submit(BR_OP_SHUTDOWN, c[1]);
  submit(BR_OP_SHUTDOWN, c[2]);
  turns(10);
  submit_all(BR_OP_READ_START, ln);
  turns(10);
  submit_all(BR_OP_READ_STOP, ln);
  turns(10);
  submit_all(BR_OP_READ_START, ln);
  turns(10);
}

// refuse_watch runs all that with the at'th descriptor refused. It reports whether there
// were so many.
static int refuse_watch(int at, int once, int code) {
  adds = refused = told = 0;
  refuse_once = once;
  refuse_code = code;
  refuse_at = at;
  int err = br_loop_new(&loop);
  if (err == 0) {
    sh = br_loop_shared(loop);
    nops = consumed = 0;
    use_watches();
    CHECK(refused == 0 || told > 0);
  }
  refuse_at = 0;
  CHECK(err == 0 || err == uv_translate_sys_error(code));
  if (err == 0) end();
  CHECK(br_live_allocations() == 0);
  return refused > 0;
}

static void scenario_refused_watches(void) {
  for (int once = 0; once <= 1; once++) {
    int at = 1;
    while (refuse_watch(at, once, at % 2 ? ENOSPC : ENOMEM)) at++;
    CHECK(at > 10);
  }
}
#endif

static uint32_t rnd(void) {
  static uint64_t x = 148;
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return (uint32_t)(x >> 16);
}

// any_id is mostly an id that was given out, sometimes a stale or invented one.
static uint64_t any_id(void) {
  uint32_t slot = rnd() % 24;
  return (uint64_t)(slots[slot].gen + (rnd() % 16 == 0)) << 32 | slot;
}

static void any_call(struct sockaddr_in *addr) {
  static char bytes[100000];
  uint64_t id = any_id(), other;
  int value = (int)(rnd() % 3) * 1000;
  switch (rnd() % 20) {
    case 0:
      if (sh->handles < 20 && br_tcp_new(loop, rnd() % 4 == 0 ? rnd() % 300 : 0, &other) == 0) know(other);
      break;
    case 1:
      if (sh->handles < 20 && br_pipe_new(loop, &other) == 0) know(other);
      break;
    case 2: br_tcp_bind(loop, id, addr, rnd() % 8 ? sizeof *addr : 4, rnd() % 8); break;
    case 3: br_listen(loop, id, 8, 1, (int)(rnd() % 2), (int)(rnd() % 3) - 1, (int)(rnd() % 2)); break;
    case 4: br_tcp_connect(loop, id, addr, sizeof *addr); break;
    case 5:
      if (br_tcp_name(loop, id, (int)(rnd() % 2), addr) != (int)sizeof *addr) addr->sin_family = AF_INET;
      break;
    case 6: br_write(loop, id, -1, bytes, rnd() % sizeof bytes); break;
    case 7: br_try_write(loop, id, bytes, rnd() % 1000); break;
    case 8: br_close_reset(loop, id); break;
    case 9: br_buffer_size(loop, id, (int)(rnd() % 2), &value); break;
    case 10: br_pipe_connect(loop, id, "/tmp/asyncio-bridge-nobody", 26); break;
    case 11: br_open(loop, id, br_fileno(loop, any_id())); break;
    case 12: br_tcp_keepalive(loop, id, (int)(rnd() % 2), rnd() % 3); break;
    case 13: br_read(loop, id, bytes, rnd() % sizeof bytes); break;
    default: turn(0);
  }
}

static void scenario_anything(void) {
  for (int round = 0; round < 200; round++) {
    begin();
    memset(br_loop_arena(loop), 'a', BR_ARENA_BYTES);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int step = 0; step < 200; step++) {
      if (rnd() % 2) {
        any_call(&addr);
        continue;
      }
      // Acknowledgements are Go's alone to send: it never sends one for a handle that is
      // not closed.
      int kind = (int)(rnd() % (BR_OP_ACCEPT_ROOM + 3));
      if (kind == BR_OP_ACK || nops > BR_OPS_MAX - 64) continue;
      br_op *op = submit(kind, any_id());
      op->arg = (int32_t)(rnd() % 4) - 1;
      op->off = rnd() % 1000;
      op->len = rnd() % 1000;
    }
    end();
  }
}

int main(void) {
  static const struct {
    const char *name;
    void (*run)(void);
  } all[] = {
      {"empty", scenario_empty},
      {"wait", scenario_wait},
      {"tick", scenario_tick},
      {"stream", scenario_stream},
      {"close with writes", scenario_close_with_writes},
      {"shutdown that fails", scenario_shutdown_that_fails},
      {"reset", scenario_reset},
      {"share the slab", scenario_share_slab},
      {"accept", scenario_accept},
      {"pipe", scenario_pipe},
      {"failed connect", scenario_failed_connect},
#ifdef __linux__
      {"accept errors", scenario_accept_errors},
      {"refused watches", scenario_refused_watches},
#endif
      {"anything", scenario_anything},
  };
  signal(SIGPIPE, SIG_IGN);  // as Go's runtime does for its threads
  CHECK(br_count_allocations() == 0);
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    all[i].run();
    printf("ok %s\n", all[i].name);
    fflush(stdout);
  }
  return 0;
}
