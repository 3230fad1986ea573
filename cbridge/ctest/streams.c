// Scenarios of the loop and its streams.
#include "rig.h"
#include "scenarios.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/timerfd.h>
#endif

void scenario_empty(void) {
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

void scenario_wait(void) {
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
void scenario_tick(void) {
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

void scenario_stream(void) {
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

void scenario_close_with_writes(void) {
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
void scenario_shutdown_that_fails(void) {
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
void scenario_reset(void) {
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

void scenario_share_slab(void) {
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

void scenario_accept(void) {
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

void scenario_pipe(void) {
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
void scenario_failed_connect(void) {
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
