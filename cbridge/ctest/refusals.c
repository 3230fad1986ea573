// Scenarios in which the kernel refuses something.
#ifdef __linux__
#include "rig.h"
#include "scenarios.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

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

// accept(2) tells an error: of a connection, which is gone with it, or of a resource,
// which leaves the connection in the backlog.
static int accept_error, accept_calls;

static int of_resource(int err) { return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM; }

int __real_accept4(int fd, struct sockaddr *name, socklen_t *len, int flags);

int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *len, int flags) {
  accept_calls++;
  if (of_resource(accept_error)) {
    errno = accept_error;
    return -1;
  }
  int c = __real_accept4(fd, name, len, flags);
  if (c < 0 || accept_error == 0) return c;
  close(c);
  errno = accept_error;
  accept_error = 0;
  return -1;
}

// The error of one connection is not the listener's: the next connection is accepted.
void scenario_accept_errors(void) {
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

// The lack of a resource is told once, and nothing is tried until Go says so. The other
// listener goes on, and in the end nobody was lost.
void scenario_accept_refused(void) {
  static const int lacks[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
  begin();
  struct sockaddr_in addr, other_addr;
  uint64_t ln = listener(&addr, -1), other = listener(&other_addr, -1);
  for (int i = 0; i < (int)(sizeof lacks / sizeof lacks[0]); i++) {
    accept_error = lacks[i];
    uint64_t c = tcp();
    CHECK(br_tcp_connect(loop, c, &addr, sizeof addr) == 0);
    UNTIL(of(c)->connected && of(ln)->accept_errors == i + 1);
    accept_calls = 0;
    for (int n = 0; n < 20; n++) turn(1);
    CHECK(accept_calls == 0 && of(ln)->accept_errors == i + 1);
    accept_error = 0;
    uint64_t d = tcp();
    CHECK(br_tcp_connect(loop, d, &other_addr, sizeof other_addr) == 0);
    UNTIL(of(other)->accepted == i + 1);
    CHECK(of(ln)->accepted == i);
    submit(BR_OP_ACCEPT_START, ln);
    UNTIL(of(ln)->accepted == i + 1);
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

// use_datagrams receives, and sends more than there is room for.
static void use_datagrams(void) {
  int fds[2];
  uint64_t u;
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
  CHECK(br_udp_new(loop, 0, 1, 1000, &u) == 0);
  know(u);
  CHECK(br_udp_open(loop, u, fds[0]) == AF_UNIX);
  tell(br_recv_start(loop, u));
  turns(2);
  CHECK(br_recv_stop(loop, u) == 0);
  for (int i = 0; i < 400; i++) CHECK(br_send(loop, u, -1, "hello", 5, NULL, 0) == 0);
  turns(2);
  CHECK(of(u)->unsent > 0);
  tell(br_recv_start(loop, u));
  close(fds[1]);
  UNTIL(of(u)->gone == of(u)->unsent);
  submit(BR_OP_CLOSE, u);
  turns(2);
}

// use_fs_event watches a directory. libuv's descriptor for that may come with a start
// that fails for another reason, which hides the refusal.
static void use_fs_event(void) {
  uint64_t e;
  CHECK(br_fs_event_new(loop, &e) == 0);
  know(e);
  if (refuse_at % 2) {
    int before = refused;
    CHECK(br_fs_event_start(loop, e, "/no/such/file", 0, 1) == UV_ENOENT);
    told += refused - before;
    turns(2);
  }
  tell(br_fs_event_start(loop, e, "/tmp", 0, 1));
  turns(2);
  submit(BR_OP_CLOSE, e);
  turns(2);
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
  int fds[2];
  uint64_t p;
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
  int err = br_poll_new(loop, fds[0], &p);
  tell(err);
  if (err == 0) {
    know(p);
    tell(br_poll_start(loop, p, UV_READABLE, 1));
    turn(0);
    tell(br_poll_start(loop, p, UV_READABLE | UV_WRITABLE, 2));
    turn(0);
    submit(BR_OP_CLOSE, p);
    turn(0);
  }
  close(fds[0]);
  close(fds[1]);
  use_datagrams();
  use_fs_event();
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

void scenario_refused_watches(void) {
  for (int once = 0; once <= 1; once++) {
    int at = 1;
    while (refuse_watch(at, once, at % 2 ? ENOSPC : ENOMEM)) at++;
    CHECK(at > 10);
  }
}
#endif
