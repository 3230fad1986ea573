// The birth of a child: what takes the place of fork in uv_spawn.
//
// fork copies the tables of all pages, which in a Go program are many, and makes the
// parent take a fault for each page that it writes to afterwards: a spawn took 1.7 ms in
// a small program and 19 ms beside 256 MiB of memory in use, where os/exec takes 0.4 and
// 0.7 ms. So the calls of fork in what is linked statically come here (--wrap), and one
// of uv_spawn's makes the child as vfork does: it has the parent's memory, and a stack of
// its own, until it runs its program, and the calling thread waits for that. libuv's part
// in the child is done here too, as all of it would be in the parent's memory, its
// environment among it. What fails in the child is the errno of fork.
//
// A child that takes another user's rights does not get this one's memory: it is made by
// fork. So is every child if libuv is a shared library. There a handler of pthread_atfork
// does what libuv does not.
//
// Either way the child has the descriptors that it shall have and no other, which libuv
// alone would not see to, default handling of all signals, and its RLIMIT_NOFILE is the
// one that this process has begun with, before Go has raised it.
#define _GNU_SOURCE  // clone, dirent64
#include "internal.h"

#ifdef __linux__

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STACK_BYTES = 64 * 1024, SIGNALS = 64 };

static struct rlimit began;

__attribute__((constructor)) static void begin(void) { getrlimit(RLIMIT_NOFILE, &began); }

static _Thread_local br_birth *birth;  // the child that this thread is about to have

// close_later lets exec close a descriptor.
static void close_later(int fd) {
  if (fd > STDERR_FILENO) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

// close_each_later does so with all that there are.
static void close_each_later(void) {
  int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int fd = 0; dir < 0 && fd < 1 << 16; fd++) close_later(fd);
  alignas(8) char buf[2048];
  struct dirent64 *d;
  long n;
  while ((n = syscall(SYS_getdents64, dir, buf, sizeof buf)) > 0) {
    for (long at = 0; at < n; at += d->d_reclen) {
      int fd = 0;
      d = (void *)(buf + at);
      for (const char *s = d->d_name; *s >= '0' && *s <= '9'; s++) fd = fd * 10 + *s - '0';
      close_later(fd);
    }
  }
  close(dir);
}

// keep_none lets exec close every descriptor above the standard files, unless something
// else is said of it later. Before Linux 5.11 they are looked up.
static void keep_none(void) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, 3U, ~0U, 4U) == 0) return;  // CLOSE_RANGE_CLOEXEC
#endif
  close_each_later();
}

// limit gives the child back the limit of descriptors, or as many as it is given.
static void limit(int numbers) {
  struct rlimit r;
  if (getrlimit(RLIMIT_NOFILE, &r) != 0) return;
  rlim_t want = began.rlim_cur > (rlim_t)numbers ? began.rlim_cur : (rlim_t)numbers;
  r.rlim_cur = want < r.rlim_max ? want : r.rlim_max;
  setrlimit(RLIMIT_NOFILE, &r);
}

// default_signals asks the kernel: the C library keeps some signals from its own calls.
static void default_signals(void) {
  static const char by_default[64];  // a struct sigaction of the kernel's
  for (int sig = 1; sig <= SIGNALS; sig++) {
    if (sig != SIGKILL && sig != SIGSTOP) syscall(SYS_rt_sigaction, sig, by_default, NULL, SIGNALS / 8);
  }
}

// mask sets the signals that are blocked, all or none, and returns what was.
static uint64_t mask(uint64_t set) {
  uint64_t before = 0;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, &before, SIGNALS / 8);
  return before;
}

// in_fork runs in a child of fork, before libuv goes on there.
static void in_fork(void) {
  if (birth == NULL) return;
  keep_none();
  limit(birth->numbers);
  default_signals();
}

// standard puts a descriptor at its number in the child. None of the numbers is free, and
// no other than that is one of them.
static int standard(const uv_stdio_container_t *c, int number) {
  int fd = -1;
  if (c != NULL && c->flags & UV_INHERIT_FD) {
    fd = c->data.fd;
    if (fd == number ? fcntl(fd, F_SETFD, 0) != 0 : dup2(fd, number) < 0) return -1;
    if (number <= STDERR_FILENO) fcntl(number, F_SETFL, fcntl(number, F_GETFL) & ~O_NONBLOCK);
    return 0;
  }
  if (number > STDERR_FILENO) return fcntl(number, F_SETFD, FD_CLOEXEC);
  fd = open("/dev/null", (number == 0 ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  return fd < 0 || dup2(fd, number) < 0 ? -1 : 0;
}

// prepare does in the child what libuv does after fork.
static int prepare(const br_birth *b) {
  const uv_process_options_t *o = b->options;
  keep_none();
  if (o->flags & UV_PROCESS_DETACHED) setsid();
  for (int i = 0; i < b->numbers; i++) {
    if (standard(i < o->stdio_count ? &o->stdio[i] : NULL, i) != 0) return -1;
  }
  limit(b->numbers);
  return o->cwd == NULL ? 0 : chdir(o->cwd);
}

// run is the child. A file that the kernel cannot run is a script, as execvp has it; the
// pointer in front of the arguments is free for that.
static int run(void *arg) {
  br_birth *b = arg;
  char *file = (char *)b->options->file, **args = b->options->args, **env = b->options->env;
  default_signals();
  if (prepare(b) == 0) {
    mask(0);
    execve(file, args, env);
    if (errno == ENOEXEC) {
      args[-1] = "/bin/sh";
      args[0] = file;
      execve(args[-1], args - 1, env);
    }
  }
  b->failed = errno;
  _exit(127);
}

// bear makes the child, and returns when it runs its program, or has failed. The caller
// of br_birth_begin holds a lock, so there is one at a time.
static pid_t bear(br_birth *b) {
  static alignas(16) char stack[STACK_BYTES];
  b->failed = 0;
  uint64_t before = mask(~(uint64_t)0);
  pid_t pid = clone(run, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, b);
  int err = pid < 0 ? errno : b->failed;
  if (pid > 0 && err != 0) {
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    pid = -1;
  }
  mask(before);
  errno = err;
  return pid;
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);

pid_t __wrap_fork(void) {
  if (birth == NULL || birth->options->flags & (UV_PROCESS_SETUID | UV_PROCESS_SETGID)) return __real_fork();
  return bear(birth);
}

static void on_fork(void) { pthread_atfork(NULL, NULL, in_fork); }

void br_birth_begin(br_birth *b) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, on_fork);
  birth = b;
}

void br_birth_end(void) { birth = NULL; }

#else

// Elsewhere libuv spawns without a fork that could be seen.
void br_birth_begin(br_birth *b) { (void)b; }

void br_birth_end(void) {}

#endif
