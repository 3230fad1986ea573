// Ended children: what all loops of the process share about them.
//
// The watch. libuv hears of an ended child by SIGCHLD. It installs its handler when the
// first watcher of a signal starts, without SA_ONSTACK, which on the small stack of a
// goroutine is a matter of luck: 1,500 spawns beside 200 busy goroutines crashed twice in
// two runs. When the last watcher stops it sets the signal to its default, and Go hears
// no more of it. So one watcher is started before the first child, on a loop that nobody
// runs or closes, and then on_child takes the place of libuv's handler, calls it, and
// calls Go's, so that os/signal hears of SIGCHLD as ever. The loop that nobody runs would
// have its pipe filled, so what libuv writes there goes to /dev/null.
//
// The forgotten. A handle that is closed forgets its child, and libuv would not wait for
// it any more. on_child does, so that none stays behind as a zombie. There is a place for
// a child before it is made: to forget it needs no memory.
#define _GNU_SOURCE  // dup3
#include "internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// The forgotten: their numbers in blocks that are never freed, so that a handler may walk
// them. 0 is a free place, a negative number one that is being asked about.
enum { BLOCK = 64 };

typedef struct block {
  atomic_int pids[BLOCK];
  struct block *_Atomic next;
} block;

static block first;
static atomic_int places = BLOCK;
static atomic_int promised;   // places: of children that handles have, and of the forgotten
static atomic_int forgotten;  // places that are taken
static atomic_uint rounds;    // calls of reap

static void ask(atomic_int *place) {
  int pid = atomic_load(place);
  if (pid <= 0 || !atomic_compare_exchange_strong(place, &pid, -pid)) return;
  if (waitpid(pid, NULL, WNOHANG) == 0) {
    atomic_store(place, pid);
    return;
  }
  atomic_store(place, 0);
  atomic_fetch_sub(&forgotten, 1);
  br_child_end();
}

// reap asks about all. Of two at a time, each skips what the other one asks about, which
// may have ended since; then the one that sees that there was another begins anew.
static void reap(void) {
  if (atomic_load(&forgotten) == 0) return;
  unsigned round = atomic_fetch_add(&rounds, 1) + 1, seen;
  do {
    seen = round;
    for (block *b = &first; b != NULL; b = atomic_load(&b->next)) {
      for (int i = 0; i < BLOCK; i++) ask(&b->pids[i]);
    }
    round = atomic_load(&rounds);
  } while (round != seen);
}

static int place(block *b, int pid) {
  for (int i = 0; i < BLOCK; i++) {
    int none = 0;
    if (atomic_compare_exchange_strong(&b->pids[i], &none, pid)) return 1;
  }
  return 0;
}

// more appends a block. Several threads may do so at the same time.
static int more(void) {
  br_count_none(1);
  block *fresh = br_alloc(sizeof *fresh);
  br_count_none(0);
  if (fresh == NULL) return UV_ENOMEM;
  memset(fresh, 0, sizeof *fresh);
  block *_Atomic *at = &first.next, *none = NULL;
  while (!atomic_compare_exchange_strong(at, &none, fresh)) {
    at = &none->next;
    none = NULL;
  }
  atomic_fetch_add(&places, BLOCK);
  return 0;
}

int br_child_begin(void) {
  int n = atomic_fetch_add(&promised, 1) + 1;
  int err = n > atomic_load(&places) ? more() : 0;
  if (err != 0) br_child_end();
  return err;
}

void br_child_end(void) { atomic_fetch_sub(&promised, 1); }

void br_child_forget(int pid) {
  atomic_fetch_add(&forgotten, 1);
  block *b = &first;
  while (b != NULL && !place(b, pid)) b = atomic_load(&b->next);
  BR_ASSERT(b != NULL);
  reap();
}

#ifdef __linux__

static pthread_mutex_t watching = PTHREAD_MUTEX_INITIALIZER;
static int watched;
static struct sigaction gos, libuvs;  // the handlers before the watch, and libuv's

static void on_child(int sig, siginfo_t *info, void *context) {
  int err = errno;
  libuvs.sa_handler(sig);
  reap();
  if (gos.sa_handler == SIG_DFL) {  // there is none
  } else if (gos.sa_flags & SA_SIGINFO) {
    gos.sa_sigaction(sig, info, context);
  } else {
    gos.sa_handler(sig);
  }
  errno = err;
}

static int install(void) {
  struct sigaction a = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
  sigfillset(&a.sa_mask);
  return sigaction(SIGCHLD, &a, NULL) == 0 ? 0 : uv_translate_sys_error(errno);
}

static void on_signal(uv_signal_t *s, int sig) {
  (void)s;
  (void)sig;
}

// hush lets nothing come of what libuv writes to the pipe of a loop. Without /dev/null
// the pipe fills, which libuv does not mind.
static void hush(uv_loop_t *u) {
  int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  dup3(fd, u->signal_pipefd[1], O_CLOEXEC);
  close(fd);
}

// start_watcher starts the watcher that is never stopped.
static int start_watcher(void) {
  static uv_loop_t *u;  // a root, for those who look for leaks
  u = br_alloc(uv_loop_size());
  uv_signal_t *s = br_alloc(uv_handle_size(UV_SIGNAL));
  int err = u != NULL && s != NULL ? br_uv_init(u) : UV_ENOMEM;
  if (err != 0) {
    br_free(u);
    br_free(s);
    return err;
  }
  uv_signal_init(u, s);
  hush(u);
  return uv_signal_start(s, on_signal, SIGCHLD);
}

static int watch(void) {
  br_stdio s;
  int err = br_descriptors();
  if (err != 0) return err;
  br_stdio_take(&s);
  br_count_none(1);
  err = start_watcher();
  br_count_none(0);
  br_stdio_give(&s);
  if (err == 0) sigaction(SIGCHLD, NULL, &libuvs);
  return err != 0 ? err : install();
}

// In place of on_child there may be Go's own handler again, after signal.Ignore and
// signal.Notify. Any other is thought to call the one that it has found. Go sets
// SA_SIGINFO with SIG_IGN too, so the flag does not tell which member of the union it is.
static int look(void) {
  struct sigaction now;
  sigaction(SIGCHLD, NULL, &now);
  if (now.sa_handler == SIG_IGN || now.sa_flags & SA_NOCLDWAIT) return UV_ENOTSUP;
  if (!watched) {
    gos = now;
    int err = watch();
    watched = err == 0;
    return err;
  }
  return now.sa_handler == SIG_DFL || now.sa_handler == gos.sa_handler ? install() : 0;
}

int br_child_watch(void) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_mutex_lock(&watching);
  int err = look();
  pthread_mutex_unlock(&watching);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return err;
}

#else

// Elsewhere libuv asks the kernel's queue for ended children.
int br_child_watch(void) { return 0; }

#endif
