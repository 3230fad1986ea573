// Scenarios of the pool, of names and of random bytes.
#ifdef __linux__
#include "rig.h"
#include "scenarios.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

// The system refuses the refuse_at'th thread and all behind it; 0: none.
static int refuse_at, made, starting;

int __real_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*f)(void *), void *arg);

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*f)(void *), void *arg) {
  if (refuse_at != 0 && ++made >= refuse_at) return EAGAIN;
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  CHECK(!starting || (sigismember(&mask, SIGPIPE) && sigismember(&mask, SIGTERM) && sigismember(&mask, SIGURG)));
  return __real_pthread_create(id, attr, f, arg);
}

// The resolver is stuck while the gate is held.
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int at_gate;

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **list);

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **list) {
  if (node != NULL && strcmp(node, "stuck") == 0) {
    atomic_fetch_add(&at_gate, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    node = "127.0.0.1";
  }
  return __real_getaddrinfo(node, service, hints, list);
}

// Without threads the pool is refused, nothing is left, and the next start may succeed.
void scenario_refused_threads(void) {
  br_hints any = {0};
  struct sockaddr_in addr = {.sin_family = AF_INET};
  uint64_t id;
  begin();
  CHECK(br_getaddrinfo(loop, "localhost", NULL, &any, &id) == UV_EAGAIN);
  CHECK(br_getnameinfo(loop, &addr, sizeof addr, 0, &id) == UV_EAGAIN);
  CHECK(br_random(loop, 8, &id) == UV_EAGAIN);
  CHECK(br_pool_start(0) == UV_EINVAL && br_pool_start(1025) == UV_EINVAL);
  starting = 1;
  for (refuse_at = 1; refuse_at < 7; refuse_at++) {
    made = 0;
    CHECK(br_pool_start(2) == UV_EAGAIN);
  }
  refuse_at = 0;
  setenv("UV_THREADPOOL_SIZE", "9", 1);
  CHECK(br_pool_start(2) == 0);
  starting = 0;
  CHECK(strcmp(getenv("UV_THREADPOOL_SIZE"), "9") == 0);
  CHECK(br_pool_start(7) == 0);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  CHECK(!sigismember(&mask, SIGTERM));
  end();
}

void scenario_names(void) {
  br_hints stream = {.socktype = SOCK_STREAM};
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char longest[300];
  uint64_t id;
  const char *service;
  begin();
  CHECK(br_getaddrinfo(loop, NULL, NULL, &stream, &id) == UV_EINVAL);
  memset(longest, 'x', sizeof longest);
  longest[256] = 0;
  CHECK(br_getaddrinfo(loop, longest, NULL, &stream, &id) == UV_ENAMETOOLONG);
  CHECK(br_getnameinfo(loop, &addr, sizeof addr - 1, 0, &id) == UV_EINVAL);
  CHECK(br_job_cancel(loop, 0) == UV_EBUSY);
  CHECK(br_job_cancel(loop, 77ull << 32 | 5) == UV_EBUSY);
  CHECK(br_getaddrinfo(loop, "127.0.0.1", "80", &stream, &id) == 0);
  job *a = began(id);
  CHECK(br_getnameinfo(loop, &addr, sizeof addr, NI_NUMERICHOST | NI_NUMERICSERV, &id) == 0);
  job *n = began(id);
  CHECK(br_job_addresses(loop, a->id) == NULL);
  UNTIL(a->done && n->done);
  CHECK(a->status == 0 && n->status == 0);
  const struct addrinfo *list = br_job_addresses(loop, a->id);
  CHECK(list != NULL && list->ai_next == NULL && memcmp(list->ai_addr, &addr, sizeof addr) == 0);
  CHECK(br_job_addresses(loop, n->id) == NULL);
  CHECK(strcmp(br_job_name(loop, n->id, &service), "127.0.0.1") == 0 && strcmp(service, "80") == 0);
  CHECK(strcmp(br_job_name(loop, a->id, &service), "") == 0);
  CHECK(br_job_cancel(loop, a->id) == UV_EBUSY);
  CHECK(br_loop_close(loop) == UV_EBUSY);
  br_job_free(loop, a->id);
  br_job_free(loop, n->id);
  CHECK(br_job_cancel(loop, a->id) == UV_EBUSY);
  memset(jobs, 0, sizeof jobs);
  end();
}

void scenario_random(void) {
  char p[64] = {0}, none[64] = {0};
  uint64_t id;
  begin();
  CHECK(br_random(loop, (size_t)BR_RANDOM_BYTES_MAX + 1, &id) == UV_E2BIG);
  CHECK(br_random_now(p, sizeof p) == 0 && memcmp(p, none, sizeof p) != 0);
  memset(p, 0, sizeof p);
  CHECK(br_random(loop, sizeof p, &id) == 0);
  job *some = began(id);
  CHECK(br_random(loop, 0, &id) == 0);
  job *empty = began(id);
  br_job_random(loop, some->id, p, sizeof p);
  CHECK(memcmp(p, none, sizeof p) == 0);
  UNTIL(some->done && empty->done);
  CHECK(some->status == 0 && empty->status == 0);
  br_job_random(loop, some->id, p, sizeof p);
  CHECK(memcmp(p, none, sizeof p) != 0);
  CHECK(br_job_addresses(loop, some->id) == NULL);
  br_job_free(loop, some->id);
  br_job_free(loop, empty->id);
  memset(jobs, 0, sizeof jobs);
  end();
}

// With the pool's threads stuck, what waits for them can be cancelled, and the result of
// what comes too late is freed.
void scenario_stuck_names(void) {
  enum { STUCK = 1, WAITING = 20 };  // of two threads, names may have half
  br_hints stream = {.socktype = SOCK_STREAM};
  job *all[STUCK + WAITING];
  uint64_t id;
  begin();
  atomic_store(&at_gate, 0);
  pthread_mutex_lock(&gate);
  for (int i = 0; i < STUCK + WAITING; i++) {
    CHECK(br_getaddrinfo(loop, "stuck", "80", &stream, &id) == 0);
    all[i] = began(id);
  }
  UNTIL(atomic_load(&at_gate) == STUCK);
  for (int i = 0; i < STUCK; i++) CHECK(br_job_cancel(loop, all[i]->id) == UV_EBUSY);
  for (int i = STUCK; i < STUCK + WAITING; i += 2) {
    CHECK(br_job_cancel(loop, all[i]->id) == 0);
    CHECK(br_job_cancel(loop, all[i]->id) == 0);
  }
  for (int i = STUCK; i < STUCK + WAITING; i += 2) {
    UNTIL(all[i]->done);
    CHECK(all[i]->status == UV_ECANCELED);
    br_job_free(loop, all[i]->id);
  }
  CHECK(!all[0]->done && br_loop_close(loop) == UV_EBUSY);
  pthread_mutex_unlock(&gate);
  for (int i = 0; i < STUCK + WAITING; i++) {
    if (i % 2 == 1) continue;  // was cancelled
    UNTIL(all[i]->done);
    CHECK(all[i]->status == 0);
    br_job_free(loop, all[i]->id);
  }
  memset(jobs, 0, sizeof jobs);
  end();
}
#endif
