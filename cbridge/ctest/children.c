// Scenarios of children. The harness runs under valgrind too, which makes children of its
// own instead of those that have the parent's memory, so their errors are not looked at.
#include "rig.h"
#include "scenarios.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char cat[] = "/bin/cat\0\0cat\0A=1";       // file, directory, argument, variable
static const char sleeper[] = "/bin/sleep\0/\0sleep\0001000";
static const br_spawn how = {.args = 1, .env = 1}, sleeps = {.args = 2};

static uint64_t pipe_new(void) {
  uint64_t id;
  CHECK(br_pipe_new(loop, &id) == 0);
  know(id);
  return id;
}

static uint64_t spawned(const char *strings, const br_spawn *h, const br_stdio_item *items, unsigned n, int *pid) {
  uint64_t id;
  CHECK(br_spawn_child(loop, strings, h, items, n, &id, pid) == 0);
  know(id);
  return id;
}

void scenario_children(void) {
  begin();
  int pid;
  uint64_t in = pipe_new(), out = pipe_new(), id;
  const br_stdio_item items[] = {
      {.kind = BR_STDIO_PIPE, .flags = BR_STDIO_READABLE, .stream = in},
      {.kind = BR_STDIO_PIPE, .flags = BR_STDIO_WRITABLE, .stream = out},
      {.kind = BR_STDIO_FD, .fd = 2},
      {.kind = BR_STDIO_IGNORE},
      {.kind = BR_STDIO_FD, .fd = 1},
  };
  uint64_t p = spawned(cat, &how, items, 5, &pid);
  CHECK(br_is_active(loop, p) && pid > 0);
  CHECK(!br_is_readable(loop, in) && br_is_writable(loop, in));
  CHECK(br_is_readable(loop, out) && !br_is_writable(loop, out));
  submit(BR_OP_READ_START, out);
  CHECK(br_write(loop, in, -1, "hello", 5) == 0);
  UNTIL(of(out)->in == 5);
  CHECK(br_process_kill(loop, p, 0) == 0);
  submit(BR_OP_SHUTDOWN, in);
  UNTIL(of(out)->eof && of(p)->exited);
  CHECK(of(p)->signal == 0 && of(p)->code == 0);
  CHECK(br_process_kill(loop, p, 0) == UV_ESRCH);
  CHECK(!br_is_active(loop, p));

  // The pipes are taken, and what cannot be planned leaves nothing.
  CHECK(br_spawn_child(loop, cat, &how, items, 5, &id, &pid) == UV_EINVAL);
  br_stdio_item none = {.kind = BR_STDIO_FD, .fd = 1 << 20};
  CHECK(br_spawn_child(loop, cat, &how, &none, 1, &id, &pid) == UV_EBADF);
  none.kind = 99;
  CHECK(br_spawn_child(loop, cat, &how, &none, 1, &id, &pid) == UV_EINVAL);
  br_stdio_item same[] = {{.kind = BR_STDIO_PIPE, .flags = BR_STDIO_READABLE, .stream = pipe_new()}, {0}};
  same[1] = same[0];
  CHECK(br_spawn_child(loop, cat, &how, same, 2, &id, &pid) == UV_EINVAL);
  CHECK(br_process_kill(loop, in, 0) == UV_EBADF);

  uint64_t s = spawned(sleeper, &sleeps, NULL, 0, &pid);
  CHECK(br_process_kill(loop, s, SIGTERM) == 0);
  UNTIL(of(s)->exited);
  CHECK(of(s)->signal == SIGTERM && of(s)->code == 0);
  end();
}

// Children whose handles are closed are waited for all the same.
void scenario_forgotten_children(void) {
  enum { N = 70 };
  int pids[N];
  begin();
  for (int i = 0; i < N; i++) submit(BR_OP_CLOSE, spawned(sleeper, &sleeps, NULL, 0, &pids[i]));
  turn(0);
  for (int i = 0; i < N; i++) CHECK(kill(pids[i], SIGKILL) == 0);
  for (int i = 0; i < N; i++) {
    for (int wait = 0; kill(pids[i], 0) == 0; wait++) {
      CHECK(wait < 10000);
      usleep(1000);
    }
  }
  end();
}
