// Processes: handles of children.
//
// uv_spawn is given plain descriptors only. The pipes to the child are made here: libuv
// would connect a stream to a child that it could not start, and does not know which
// handle has which descriptor. No descriptor that it is given has a number that the child
// shall have too, but its own, and none of those numbers is free: otherwise the pipe by
// which the child tells of its failure could get one, and be overwritten.
#include "streams.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  int ended;
  alignas(16) br_handle h;
} br_process;

// What is needed until the child is there.
typedef struct {
  br_loop *l;
  const br_stdio_item *items;
  int n;                    // items
  int numbers;              // that the child has: at least the standard files
  uv_stdio_container_t *c;  // for libuv
  int *ours;                // by item: this process's end of a pipe, or -1
  int *spare;               // descriptors to close afterwards
  int nspare;
  char **args, **env;       // the child's, each behind a free place
} spawning;

static inline br_process *process_of(br_handle *h) { return (br_process *)((char *)h - offsetof(br_process, h)); }
static inline uv_process_t *uv_process(br_handle *h) { return (uv_process_t *)br_uv(h); }

static int process_init(br_loop *l, br_handle *h, unsigned arg) {
  (void)l;
  (void)arg;
  process_of(h)->ended = 0;
  memset(br_uv(h), 0, uv_handle_size(UV_PROCESS));
  return 0;
}

static void process_closing(br_loop *l, br_handle *h) {
  (void)l;
  if (!process_of(h)->ended) br_child_forget(uv_process_get_pid(uv_process(h)));
}

static void process_closed(br_loop *l, br_handle *h) {
  (void)l;
  (void)h;
}

const br_kind br_process_kind = {
    .type = UV_PROCESS,
    .before = offsetof(br_process, h),
    .init = process_init,
    .closing = process_closing,
    .closed = process_closed,
    .acts = br_uv,
};

static void on_exit_of(uv_process_t *u, int64_t status, int sig) {
  br_loop *l = br_loop_of((uv_handle_t *)u);
  br_polled(l);
  process_of(br_of(u))->ended = 1;
  br_child_end();
  br_push(l, BR_REC_EXIT, br_of(u), sig)->value = (uint64_t)status;
}

// above moves a descriptor that was just opened above the child's numbers, or copies one
// that is somebody else's to there.
static int above(spawning *b, int fd, int mine) {
  if (fd >= b->numbers) return fd;
  int up = fcntl(fd, F_DUPFD_CLOEXEC, b->numbers);
  int err = errno;
  if (mine) close(fd);
  errno = err;
  return up;
}

// free_pipe is the pipe of an item, if it may be connected.
static br_stream *free_pipe(spawning *b, int i) {
  uv_os_fd_t fd;
  br_stream *s = br_find_stream(b->l, b->items[i].stream);
  if (s == NULL || s->h.kind != BR_KIND_PIPE || s->h.flags & BR_CONNECTING || uv_fileno(br_uv(&s->h), &fd) == 0) return NULL;
  for (int k = 0; k < i; k++) {
    if (b->items[k].kind == BR_STDIO_PIPE && b->items[k].stream == b->items[i].stream) return NULL;
  }
  return s;
}

static int plan_pipe(spawning *b, int i) {
  if (free_pipe(b, i) == NULL || (b->items[i].flags & (BR_STDIO_READABLE | BR_STDIO_WRITABLE)) == 0) return UV_EINVAL;
  uv_os_sock_t ends[2];
  int err = uv_socketpair(SOCK_STREAM, 0, ends, 0, 0);
  if (err != 0) return err;
  b->ours[i] = br_fd_up(ends[0]);
  int up = b->ours[i] < 0 ? errno : 0;
  int childs = above(b, ends[1], 1);
  if (childs < 0) return uv_translate_sys_error(errno);
  b->spare[b->nspare++] = childs;
  b->c[i].flags = UV_INHERIT_FD;
  b->c[i].data.fd = childs;
  return up == 0 ? br_number(b->l, b->ours[i]) : uv_translate_sys_error(up);
}

static int plan_inherit(spawning *b, int i) {
  int fd = b->items[i].fd;
  if (fcntl(fd, F_GETFD) < 0) return UV_EBADF;
  if (fd != i && fd < b->numbers) {
    fd = above(b, fd, 0);
    if (fd < 0) return uv_translate_sys_error(errno);
    b->spare[b->nspare++] = fd;
  }
  b->c[i].flags = UV_INHERIT_FD;
  b->c[i].data.fd = fd;
  return 0;
}

// plan prepares an item for libuv.
static int plan(spawning *b, int i) {
  switch (b->items[i].kind) {
    case BR_STDIO_IGNORE: b->c[i].flags = UV_IGNORE; return 0;
    case BR_STDIO_PIPE: return plan_pipe(b, i);
    case BR_STDIO_FD: return plan_inherit(b, i);
    default: return UV_EINVAL;
  }
}

// fill takes the numbers of the child's that are free.
static int fill(spawning *b) {
  for (int i = 0; i < b->numbers; i++) {
    if (fcntl(i, F_GETFD) >= 0) continue;
    int fd = br_fd_any();
    if (fd < 0) return uv_translate_sys_error(errno);
    b->spare[b->nspare++] = fd;
    if (fd >= b->numbers) return 0;
  }
  return 0;
}

// nonblock makes the child's ends of pipes non-blocking if that is wanted. libuv undoes
// it for standard files, so it is done again when the child is there.
static void nonblock(spawning *b) {
  for (int i = 0; i < b->n; i++) {
    if (b->items[i].kind != BR_STDIO_PIPE || (b->items[i].flags & BR_STDIO_NONBLOCK) == 0) continue;
    int fd = b->c[i].data.fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
}

// Bits of a stream's flags that uv.h does not tell; what they do is asked of libuv.
enum { UV_FLAG_READABLE = 0x4000, UV_FLAG_WRITABLE = 0x8000 };

// connect_pipe gives the pipe of an item this process's end. It reads what the child
// writes, and the other way round.
static int connect_pipe(spawning *b, int i) {
  br_stream *s = br_find_stream(b->l, b->items[i].stream);
  int err = br_handle_open(b->l, &s->h, b->ours[i]);
  if (err != 0) return err;
  b->ours[i] = -1;
  s->h.flags |= BR_CONNECTED;
  uv_stream_t *u = br_uv_stream(s);
  unsigned flags = u->flags;
  if ((b->items[i].flags & BR_STDIO_WRITABLE) == 0) u->flags &= ~(unsigned)UV_FLAG_READABLE;
  if ((b->items[i].flags & BR_STDIO_READABLE) == 0) u->flags &= ~(unsigned)UV_FLAG_WRITABLE;
  int as_meant = uv_is_readable(u) == ((b->items[i].flags & BR_STDIO_WRITABLE) != 0) &&
                 uv_is_writable(u) == ((b->items[i].flags & BR_STDIO_READABLE) != 0);
  if (!as_meant) u->flags = flags;
  return 0;
}

static void spawning_end(spawning *b) {
  for (int i = 0; i < b->nspare; i++) close(b->spare[i]);
  for (int i = 0; i < b->n; i++) {
    if (b->ours != NULL && b->ours[i] >= 0) close(b->ours[i]);
  }
  br_free(b->c);
  br_free(b->ours);
  br_free(b->spare);
  br_free(b->args);
  br_free(b->env);
}

// vector is memory for n strings, a free place before them and a NULL behind.
static char **vector(unsigned n) { return br_alloc(((size_t)n + 2) * sizeof(char *)); }

static int spawning_begin(spawning *b, const br_spawn *how) {
  b->args = vector(how->args);
  b->env = vector(how->env);
  b->c = br_alloc(((size_t)b->n + 1) * sizeof *b->c);
  b->ours = br_alloc(((size_t)b->n + 1) * sizeof *b->ours);
  b->spare = br_alloc(((size_t)b->n + (size_t)b->numbers) * sizeof *b->spare);
  for (int i = 0; i < b->n && b->ours != NULL; i++) b->ours[i] = -1;
  return b->args && b->env && b->c && b->ours && b->spare ? 0 : UV_ENOMEM;
}

// text takes the next of the strings behind one another.
static char *text(const char **at) {
  const char *s = *at;
  *at += strlen(s) + 1;
  return (char *)s;
}

// texts fills a vector with the next n strings.
static char **texts(char **v, const char **at, unsigned n) {
  for (unsigned i = 0; i < n; i++) v[i + 1] = text(at);
  v[n + 1] = NULL;
  return v + 1;
}

// launch calls uv_spawn.
static int launch(spawning *b, br_handle *h, const char *strings, const br_spawn *how) {
  uv_process_options_t o = {.exit_cb = on_exit_of, .stdio_count = b->n, .stdio = b->c};
  o.file = text(&strings);
  o.cwd = text(&strings);
  if (*o.cwd == '\0') o.cwd = NULL;
  o.args = texts(b->args, &strings, how->args);
  o.env = texts(b->env, &strings, how->env);
  o.flags = (how->set_uid ? UV_PROCESS_SETUID : 0) | (how->set_gid ? UV_PROCESS_SETGID : 0) | (how->detached ? UV_PROCESS_DETACHED : 0);
  o.uid = (uv_uid_t)how->uid;
  o.gid = (uv_gid_t)how->gid;
  nonblock(b);
  br_birth_begin(&(br_birth){.options = &o, .numbers = b->numbers});
  int err = uv_spawn(b->l->uv, uv_process(h), &o);
  br_birth_end();
  if (err == 0) nonblock(b);
  return err;
}

static int spawn(spawning *b, const char *strings, const br_spawn *how, uint64_t *id, int *pid) {
  int err = br_child_watch();
  for (int i = 0; i < b->n && err == 0; i++) err = plan(b, i);
  if (err == 0) err = fill(b);
  if (err != 0) return err;
  err = br_child_begin();
  if (err != 0) return err;
  br_handle *h;
  err = br_handle_new(b->l, BR_KIND_PROCESS, 0, &h);
  if (err == 0) {
    err = launch(b, h, strings, how);
    if (err != 0) br_handle_drop(b->l, h);
  }
  if (err != 0) {
    br_child_end();
    return err;
  }
  *id = br_id(h);
  *pid = uv_process_get_pid(uv_process(h));
  for (int i = 0; i < b->n; i++) {
    if (b->items[i].kind == BR_STDIO_PIPE) err = connect_pipe(b, i);
    BR_ASSERT(err == 0);
  }
  return 0;
}

int br_spawn_child(br_loop *l, const char *strings, const br_spawn *how, const br_stdio_item *items, unsigned n, uint64_t *id, int *pid) {
  if (n > INT_MAX / 2) return UV_EINVAL;
  spawning b = {.l = l, .items = items, .n = (int)n, .numbers = n > 3 ? (int)n : 3};
  int err = spawning_begin(&b, how);
  if (err == 0) err = spawn(&b, strings, how, id, pid);
  spawning_end(&b);
  return err;
}

int br_process_kill(br_loop *l, uint64_t id, int sig) {
  br_handle *h = br_find_kind(l, id, BR_KIND_PROCESS);
  if (h == NULL) return UV_EBADF;
  return process_of(h)->ended ? UV_ESRCH : uv_process_kill(uv_process(h), sig);
}
