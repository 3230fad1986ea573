// Scenarios of files that change.
#ifdef __linux__
#include "rig.h"
#include "scenarios.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

// The system refuses inotify, or a watch; 0: it does not.
static int refuse_init, refuse_add;

int __real_inotify_init1(int flags);

int __wrap_inotify_init1(int flags) {
  if (refuse_init == 0) return __real_inotify_init1(flags);
  errno = refuse_init;
  return -1;
}

int __real_inotify_add_watch(int fd, const char *path, uint32_t mask);

int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask) {
  if (refuse_add == 0) return __real_inotify_add_watch(fd, path, mask);
  errno = refuse_add;
  return -1;
}

static char dir[64], file[80], other[80];

static void make_dir(void) {
  strcpy(dir, "/tmp/asyncio-bridge-XXXXXX");
  CHECK(mkdtemp(dir) != NULL);
  snprintf(file, sizeof file, "%s/file", dir);
  snprintf(other, sizeof other, "%s/other", dir);
}

static void touch(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  CHECK(fd >= 0 && write(fd, "x", 1) == 1);
  close(fd);
}

static uint64_t watcher(void) {
  uint64_t id;
  CHECK(br_fs_event_new(loop, &id) == 0);
  know(id);
  return id;
}

void scenario_fs_events(void) {
  begin();
  make_dir();
  uint64_t a = watcher(), b = watcher();
  CHECK(br_fs_event_start(loop, a, file, 0, 1) == UV_ENOENT);
  CHECK(br_fs_event_start(loop, a, dir, 0, 2) == 0 && br_is_active(loop, a));
  CHECK(br_fs_event_start(loop, a, dir, 0, 3) == UV_EINVAL);
  CHECK(br_fs_event_start(loop, b, dir, 0, 4) == 0);
  touch(file);
  UNTIL(of(a)->changes >= 2 && of(b)->changes >= 2);
  CHECK(strcmp(of(a)->name, "file") == 0 && of(a)->epoch == 2 && of(b)->epoch == 4);
  CHECK((of(a)->events & (UV_RENAME | UV_CHANGE)) == (UV_RENAME | UV_CHANGE));
  CHECK(br_fs_event_stop(loop, b) == 0 && br_fs_event_stop(loop, b) == 0);
  CHECK(br_fs_event_start(loop, b, file, 0, 5) == 0);
  CHECK(unlink(file) == 0 && rmdir(dir) == 0);
  UNTIL(of(b)->changes >= 4);
  CHECK(strcmp(of(b)->name, "") == 0);
  turn(1);
  int gone = of(a)->changes;
  turn(1);
  CHECK(of(a)->changes == gone);
  CHECK(br_fs_event_stop(loop, a) == 0);
  CHECK(br_fs_event_start(loop, a, dir, 0, 6) == UV_ENOENT);
  CHECK(br_fs_event_name(loop, 0) == NULL || br_fs_event_name(loop, UINT32_MAX) == NULL);
  end();
}

// What the system has not enough of is told, and the next try may succeed.
void scenario_fs_events_refused(void) {
  static const int lacks[] = {EMFILE, ENFILE, ENOMEM, ENOSPC};
  begin();
  make_dir();
  uint64_t a = watcher();
  for (int i = 0; i < (int)(sizeof lacks / sizeof lacks[0]); i++) {
    refuse_init = lacks[i];
    CHECK(br_fs_event_start(loop, a, dir, 0, 1) == uv_translate_sys_error(lacks[i]));
    turn(0);
  }
  refuse_init = 0;
  for (int i = 0; i < (int)(sizeof lacks / sizeof lacks[0]); i++) {
    refuse_add = lacks[i];
    CHECK(br_fs_event_start(loop, a, dir, 0, 1) == uv_translate_sys_error(lacks[i]));
    turn(0);
    CHECK(!br_is_active(loop, a));
  }
  refuse_add = 0;
  CHECK(br_fs_event_start(loop, a, dir, 0, 1) == 0);
  touch(file);
  UNTIL(of(a)->changes > 0);
  CHECK(unlink(file) == 0 && rmdir(dir) == 0);
  end();
}

// libuv's descriptor gets the number of one that somebody else watches and has closed.
void scenario_fs_events_number(void) {
  begin();
  make_dir();
  int fds[2];
  uint64_t p, a = watcher();
  CHECK(pipe(fds) == 0);
  CHECK(br_poll_new(loop, fds[0], &p) == 0);
  know(p);
  CHECK(br_poll_start(loop, p, UV_READABLE, 1) == 0);
  turn(0);
  close(fds[0]);
  CHECK(br_fs_event_start(loop, a, dir, 0, 1) == 0);
  touch(file);
  UNTIL(of(a)->changes > 0 && of(p)->polled > 0);
  CHECK(of(p)->failed == UV_EBADF);
  submit(BR_OP_CLOSE, p);
  turn(0);
  int before = of(a)->changes;
  touch(other);
  UNTIL(of(a)->changes > before);
  close(fds[1]);
  CHECK(unlink(file) == 0 && unlink(other) == 0 && rmdir(dir) == 0);
  end();
}

// More names in one turn than memory was made for.
void scenario_fs_events_many(void) {
  begin();
  make_dir();
  uint64_t a = watcher();
  char path[400];
  CHECK(br_fs_event_start(loop, a, dir, 0, 1) == 0);
  for (int round = 0; round < 2; round++) {
    int before = of(a)->changes;
    for (int i = 0; i < 300; i++) {
      snprintf(path, sizeof path, "%s/%0200d", dir, i);
      CHECK(mkdir(path, 0700) == 0 && rmdir(path) == 0);
    }
    UNTIL(of(a)->changes >= before + 600);
    CHECK(strlen(of(a)->name) == 200 && atoi(of(a)->name) == 299);
  }
  CHECK(rmdir(dir) == 0);
  end();
}
#endif
