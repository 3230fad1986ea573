// The start of libuv's pool of threads, which all loops of the process share.
//
// libuv makes its threads when the first work is given to it, and calls abort() if it
// cannot. So as many are tried before. They inherit the signal mask: with all signals
// blocked no handler of Go's runs on a thread that Go does not know, where SIGPIPE would
// end the process.
#include "jobs.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

// What uv.h does not tell of the pool.
enum { POOL_DEFAULT = 4, POOL_MAX = 1024 };

// POOL_SPARE threads more are tried: others may make some meanwhile.
enum { POOL_SPARE = 4 };

static const char size_variable[] = "UV_THREADPOOL_SIZE";

static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
static atomic_int started;

int br_pool_started(void) { return atomic_load(&started); }

// A thread that is made to see whether it can be.
typedef struct {
  uv_thread_t id;
  pthread_mutex_t *gate;
  long number;  // the kernel's
} trial;

static void stand(void *arg) {
  trial *t = arg;
#ifdef __linux__
  t->number = syscall(SYS_gettid);
#endif
  pthread_mutex_lock(t->gate);
  pthread_mutex_unlock(t->gate);
}

// gone waits until the kernel has taken an ended thread off its list. Before that it
// counts against the limits of the system, although it was joined.
static void gone(long number) {
#ifdef __linux__
  for (int i = 0; i < 1000000 && syscall(SYS_tgkill, getpid(), number, 0) == 0; i++) sched_yield();
#else
  (void)number;
#endif
}

// try_threads makes so many threads, which exist side by side, and lets them end.
static int try_threads(unsigned n) {
  // From 1.45 on the threads of the pool have larger stacks than others.
  uv_thread_options_t opt = {.flags = UV_THREAD_NO_FLAGS};
  if (uv_version() >= ((1 << 16) | (45 << 8))) opt = (uv_thread_options_t){.flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = 8u << 20};
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  trial *trials = br_alloc(n * sizeof *trials);
  if (trials == NULL) return UV_ENOMEM;
  unsigned made = 0;
  int err = 0;
  pthread_mutex_lock(&gate);
  for (; made < n && err == 0; made += err == 0) {
    trials[made] = (trial){.gate = &gate};
    err = uv_thread_create_ex(&trials[made].id, &opt, stand, &trials[made]);
  }
  pthread_mutex_unlock(&gate);
  for (unsigned i = 0; i < made; i++) uv_thread_join(&trials[i].id);
  for (unsigned i = 0; i < made; i++) gone(trials[i].number);
  br_free(trials);
  return err;
}

// read_size is what libuv makes of the variable.
static unsigned read_size(const char *value) {
  if (value == NULL) return POOL_DEFAULT;
  unsigned n = (unsigned)atoi(value);
  return n == 0 ? 1 : n > POOL_MAX ? POOL_MAX : n;
}

static void nothing(uv_work_t *w) { (void)w; }

static void on_done(uv_work_t *w, int status) {
  (void)w;
  (void)status;
}

// first_work gives libuv its first work, for which it reads its size from the
// environment.
static int first_work(uv_loop_t *u, uv_work_t *w, unsigned threads) {
  char *now = getenv(size_variable), *was = NULL, size[16];
  int differs = read_size(now) != threads;
  if (differs) {
    if (now != NULL && (was = strdup(now)) == NULL) return UV_ENOMEM;
    snprintf(size, sizeof size, "%u", threads);
    if (setenv(size_variable, size, 1) != 0) {
      free(was);
      return UV_ENOMEM;
    }
  }
  uv_queue_work(u, w, nothing, on_done);
  if (!differs) return 0;
  if (was != NULL) {
    setenv(size_variable, was, 1);
    free(was);
  } else {
    unsetenv(size_variable);
  }
  return 0;
}

// start gives the work to a loop that nobody else sees. The one thing that libuv keeps of
// all this, a table of more threads than four, is not counted.
static int start(unsigned threads) {
  br_loop *l;
  int rd, wr;
  int err = br_loop_new(&l);
  if (err != 0) return err;
  err = try_threads(threads + POOL_SPARE);
  uv_work_t *w = err == 0 ? br_alloc(uv_req_size(UV_WORK)) : NULL;
  if (err == 0 && w == NULL) err = UV_ENOMEM;
  if (err == 0) err = first_work(l->uv, w, threads);
  if (err == 0) {
    uv_run(l->uv, UV_RUN_DEFAULT);
    atomic_store(&started, 1);
  }
  br_free(w);
  br_loop_wake_fds(l, &rd, &wr);
  br_loop_close(l);
  close(rd);
  if (wr != rd) close(wr);
  return err;
}

int br_pool_start(unsigned threads) {
  if (threads == 0 || threads > POOL_MAX) return UV_EINVAL;
  if (br_pool_started()) return 0;
  sigset_t all, before;
  sigfillset(&all);
  pthread_mutex_lock(&starting);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  br_count_none(1);
  int err = br_pool_started() ? 0 : start(threads);
  br_count_none(0);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_mutex_unlock(&starting);
  return err;
}
