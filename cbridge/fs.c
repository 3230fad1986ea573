// The file system. libuv does what is asked of it on its pool, or, without a callback, at
// once and on any thread.
//
// libuv asserts that there is a path where one is needed, and no more: what is wrong with
// a call besides, the system says. A path is copied in the call, bytes are not.
#include "jobs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What a call asks, in one piece.
typedef struct {
  const br_fs_call *call;
  const char *path, *to;
  const uv_buf_t *bufs;
  unsigned nbufs;
} asked;

static uv_dir_t *dir_of(const br_fs_call *c) { return (uv_dir_t *)c->dir; }

static int ask_two_paths(uv_loop_t *l, uv_fs_t *u, const asked *a, uv_fs_cb cb) {
  if (a->to == NULL) return UV_EINVAL;
  switch (a->call->op) {
    case UV_FS_RENAME: return uv_fs_rename(l, u, a->path, a->to, cb);
    case UV_FS_LINK: return uv_fs_link(l, u, a->path, a->to, cb);
    case UV_FS_SYMLINK: return uv_fs_symlink(l, u, a->path, a->to, a->call->flags, cb);
    case UV_FS_COPYFILE: return uv_fs_copyfile(l, u, a->path, a->to, a->call->flags, cb);
    default: return UV_EINVAL;
  }
}

static int ask_path(uv_loop_t *l, uv_fs_t *u, const asked *a, uv_fs_cb cb) {
  const br_fs_call *c = a->call;
  if (a->path == NULL) return UV_EINVAL;
  switch (c->op) {
    case UV_FS_OPEN: return uv_fs_open(l, u, a->path, c->flags, (int)c->mode, cb);
    case UV_FS_STAT: return uv_fs_stat(l, u, a->path, cb);
    case UV_FS_LSTAT: return uv_fs_lstat(l, u, a->path, cb);
    case UV_FS_STATFS: return uv_fs_statfs(l, u, a->path, cb);
    case UV_FS_ACCESS: return uv_fs_access(l, u, a->path, c->flags, cb);
    case UV_FS_CHMOD: return uv_fs_chmod(l, u, a->path, (int)c->mode, cb);
    case UV_FS_CHOWN: return uv_fs_chown(l, u, a->path, c->uid, c->gid, cb);
    case UV_FS_LCHOWN: return uv_fs_lchown(l, u, a->path, c->uid, c->gid, cb);
    case UV_FS_UTIME: return uv_fs_utime(l, u, a->path, c->atime, c->mtime, cb);
    case UV_FS_LUTIME: return uv_fs_lutime(l, u, a->path, c->atime, c->mtime, cb);
    case UV_FS_UNLINK: return uv_fs_unlink(l, u, a->path, cb);
    case UV_FS_RMDIR: return uv_fs_rmdir(l, u, a->path, cb);
    case UV_FS_MKDIR: return uv_fs_mkdir(l, u, a->path, (int)c->mode, cb);
    case UV_FS_MKDTEMP: return uv_fs_mkdtemp(l, u, a->path, cb);
    case UV_FS_MKSTEMP: return uv_fs_mkstemp(l, u, a->path, cb);
    case UV_FS_READLINK: return uv_fs_readlink(l, u, a->path, cb);
    case UV_FS_REALPATH: return uv_fs_realpath(l, u, a->path, cb);
    case UV_FS_SCANDIR: return uv_fs_scandir(l, u, a->path, 0, cb);
    case UV_FS_OPENDIR: return uv_fs_opendir(l, u, a->path, cb);
    default: return ask_two_paths(l, u, a, cb);
  }
}

// ask_dir reads an open directory, or closes it. libuv has the entries in memory of the
// caller's.
static int ask_dir(uv_loop_t *l, uv_fs_t *u, const asked *a, uv_fs_cb cb) {
  uv_dir_t *d = dir_of(a->call);
  uint64_t n = a->call->n;
  if (d == NULL) return UV_EINVAL;
  if (a->call->op == UV_FS_CLOSEDIR) return uv_fs_closedir(l, u, d, cb);
  if (n == 0 || n > BR_DIRENTS_MAX) return UV_EINVAL;
  d->dirents = br_alloc(n * sizeof *d->dirents);
  if (d->dirents == NULL) return UV_ENOMEM;
  d->nentries = n;
  int err = uv_fs_readdir(l, u, d, cb);
  if (err < 0 && cb != NULL) {
    br_free(d->dirents);
    d->dirents = NULL;
  }
  return err;
}

static int ask(uv_loop_t *l, uv_fs_t *u, const asked *a, uv_fs_cb cb) {
  const br_fs_call *c = a->call;
  switch (c->op) {
    case UV_FS_CLOSE: return uv_fs_close(l, u, c->fd, cb);
    case UV_FS_READ: return uv_fs_read(l, u, c->fd, a->bufs, a->nbufs, c->off, cb);
    case UV_FS_WRITE: return uv_fs_write(l, u, c->fd, a->bufs, a->nbufs, c->off, cb);
    case UV_FS_SENDFILE: return uv_fs_sendfile(l, u, c->fd, c->src, c->off, c->n, cb);
    case UV_FS_FSTAT: return uv_fs_fstat(l, u, c->fd, cb);
    case UV_FS_FSYNC: return uv_fs_fsync(l, u, c->fd, cb);
    case UV_FS_FDATASYNC: return uv_fs_fdatasync(l, u, c->fd, cb);
    case UV_FS_FTRUNCATE: return uv_fs_ftruncate(l, u, c->fd, c->off, cb);
    case UV_FS_FCHMOD: return uv_fs_fchmod(l, u, c->fd, (int)c->mode, cb);
    case UV_FS_FCHOWN: return uv_fs_fchown(l, u, c->fd, c->uid, c->gid, cb);
    case UV_FS_FUTIME: return uv_fs_futime(l, u, c->fd, c->atime, c->mtime, cb);
    case UV_FS_READDIR:
    case UV_FS_CLOSEDIR: return ask_dir(l, u, a, cb);
    default: return ask_path(l, u, a, cb);
  }
}

// close_dir closes what an opendir has brought.
static void close_dir(uv_dir_t *d) {
  uv_fs_t u;
  uv_fs_closedir(NULL, &u, d, NULL);
  uv_fs_req_cleanup(&u);
}

// A copy over a file that is there is no request of libuv's: it is work for its pool.
typedef struct {
  char *from, *to;  // behind it
  int flags, result;
} copying;

static void copy_over(uv_work_t *w) {
  copying *c = uv_req_get_data((uv_req_t *)w);
  c->result = br_copy_over(c->from, c->to, c->flags);
}

static void on_copied(uv_work_t *w, int status) {
  copying *c = uv_req_get_data((uv_req_t *)w);
  if (status != 0) c->result = status;
  br_job_done(w->loop, (uv_req_t *)w, c->result);
}

static void free_copying(uv_req_t *r) { br_free(uv_req_get_data(r)); }

static copying *new_copying(const asked *a) {
  size_t from = strlen(a->path) + 1, to = strlen(a->to) + 1;
  copying *c = br_alloc(sizeof *c + from + to);
  if (c == NULL) return NULL;
  *c = (copying){.from = (char *)(c + 1), .to = (char *)(c + 1) + from, .flags = a->call->flags};
  memcpy(c->from, a->path, from);
  memcpy(c->to, a->to, to);
  return c;
}

static int begin_copying(br_loop *l, const asked *a, uint64_t *id) {
  if (a->path == NULL || a->to == NULL) return UV_EINVAL;
  copying *c = new_copying(a);
  br_job *j = c != NULL ? br_job_new(l, UV_WORK, free_copying) : NULL;
  if (j == NULL) {
    br_free(c);
    return UV_ENOMEM;
  }
  uv_work_t *w = memset(br_req_uv(&j->req), 0, uv_req_size(UV_WORK));
  uv_req_set_data((uv_req_t *)w, c);
  uv_queue_work(l->uv, w, copy_over, on_copied);
  *id = br_job_id(j);
  return 0;
}

// undo ends what nobody has taken: what was opened is closed, what was made is removed.
static void undo(uv_fs_t *u) {
  if (u->result < 0) return;
  switch (u->fs_type) {
    case UV_FS_OPEN: close((int)u->result); break;
    case UV_FS_MKSTEMP:
      close((int)u->result);
      unlink(u->path);
      break;
    case UV_FS_MKDTEMP: rmdir(u->path); break;
    case UV_FS_OPENDIR:
      if (u->ptr != NULL) close_dir(u->ptr);
      u->ptr = NULL;
      break;
    default: break;
  }
}

// release frees what a request has besides itself.
static void release(uv_req_t *r) {
  uv_fs_t *u = (uv_fs_t *)r;
  uv_dir_t *d = u->fs_type == UV_FS_READDIR ? u->ptr : NULL;
  uv_dirent_t *entries = d != NULL ? d->dirents : NULL;
  undo(u);
  if (u->fs_type == UV_FS_CLOSEDIR) u->ptr = NULL;  // still open after a cancellation, and libuv would free it
  if (u->fs_type == UV_FS_REALPATH && uv_version() < ((1 << 16) | (49 << 8))) {
    free(u->ptr);  // before 1.49 the system has allocated it, and mem.c would count what it has not
    u->ptr = NULL;
  }
  uv_fs_req_cleanup(u);
  br_free(entries);
  if (d != NULL) d->dirents = NULL;
  br_free(uv_req_get_data(r));
}

// A list of entries: of each its kind, its name, and a NUL. It is the request's.
typedef struct {
  char *p;
  size_t len, cap;
} list;

static int add(list *e, const uv_dirent_t *d) {
  size_t n = strlen(d->name) + 2;
  if (e->len + n > e->cap) {
    size_t cap = 2 * (e->cap + n + 128);
    char *p = br_alloc(cap);
    if (p == NULL) return UV_ENOMEM;
    if (e->len > 0) memcpy(p, e->p, e->len);
    br_free(e->p);
    e->p = p;
    e->cap = cap;
  }
  e->p[e->len] = (char)d->type;
  memcpy(e->p + e->len + 1, d->name, n - 1);
  e->len += n;
  return 0;
}

static void take_entries(uv_fs_t *u, br_fs_out *out) {
  list e = {0};
  uv_dirent_t d;
  int err = 0;
  if (u->fs_type == UV_FS_SCANDIR) {
    while (err == 0 && uv_fs_scandir_next(u, &d) == 0) err = add(&e, &d);
  } else {
    const uv_dir_t *dir = u->ptr;
    for (int64_t i = 0; i < u->result && err == 0; i++) err = add(&e, &dir->dirents[i]);
  }
  uv_req_set_data((uv_req_t *)u, e.p);
  out->text = e.p;
  out->text_len = e.len;
  if (err != 0) out->result = err;
}

static void stat_from(br_stat *to, const uv_stat_t *s) {
  *to = (br_stat){
      .numbers = {s->st_dev, s->st_mode, s->st_nlink, s->st_uid, s->st_gid, s->st_rdev, s->st_ino, s->st_size, s->st_blksize, s->st_blocks,
                  s->st_flags, s->st_gen},
      .times = {s->st_atim.tv_sec, s->st_atim.tv_nsec, s->st_mtim.tv_sec, s->st_mtim.tv_nsec, s->st_ctim.tv_sec, s->st_ctim.tv_nsec,
                s->st_birthtim.tv_sec, s->st_birthtim.tv_nsec},
  };
}

static uint64_t fragment_size(const uv_statfs_t *s) {
#if UV_SINCE(52)
  return uv_version() >= ((1 << 16) | (52 << 8)) ? s->f_frsize : 0;
#else
  (void)s;
  return 0;
#endif
}

static void statfs_from(br_stat *to, const uv_statfs_t *s) {
  *to = (br_stat){.numbers = {s->f_type, s->f_bsize, s->f_blocks, s->f_bfree, s->f_bavail, s->f_files, s->f_ffree, fragment_size(s)}};
}

// take gives away what a request has brought; what is opened is the taker's from then on.
static void take(uv_fs_t *u, br_fs_out *out) {
  out->result = u->result;
  if (u->result < 0) return;
  switch (u->fs_type) {
    case UV_FS_OPEN: u->result = UV_EBADF; break;
    case UV_FS_MKSTEMP:
    case UV_FS_MKDTEMP:
      u->result = UV_EBADF;
      out->text = u->path;
      out->text_len = strlen(u->path);
      break;
    case UV_FS_READLINK:
    case UV_FS_REALPATH:
      out->text = u->ptr;
      out->text_len = strlen(u->ptr);
      break;
    case UV_FS_OPENDIR:
      out->dir = (uintptr_t)u->ptr;
      u->ptr = NULL;
      break;
    case UV_FS_SCANDIR:
    case UV_FS_READDIR: take_entries(u, out); break;
    case UV_FS_STAT:
    case UV_FS_LSTAT:
    case UV_FS_FSTAT: stat_from(&out->stat, &u->statbuf); break;
    case UV_FS_STATFS: statfs_from(&out->stat, u->ptr); break;
    default: break;
  }
}

// ask_of is what a call asks. Its bytes are one piece at p, or pieces there.
static asked ask_of(const br_fs_call *c, const char *path, const char *to, char *p, unsigned nbufs, uv_buf_t *one) {
  *one = (uv_buf_t){.base = p, .len = c->n};
  if (nbufs == 0) return (asked){c, path, to, one, 1};
  return (asked){c, path, to, (const uv_buf_t *)p, nbufs};
}

static void on_fs(uv_fs_t *u) { br_job_done(u->loop, (uv_req_t *)u, u->result < 0 ? (int)u->result : 0); }

int br_fs_begin(br_loop *l, const br_fs_call *c, const char *path, const char *to, char *p, unsigned nbufs, uint64_t *id) {
  if (!br_pool_started()) return UV_EAGAIN;
  uv_buf_t one;
  asked a = ask_of(c, path, to, p, nbufs, &one);
  if (c->op == BR_FS_COPY_OVER) return begin_copying(l, &a, id);
  br_job *j = br_job_new(l, UV_FS, release);
  if (j == NULL) return UV_ENOMEM;
  uv_fs_t *u = memset(br_req_uv(&j->req), 0, uv_req_size(UV_FS));
  int err = ask(l->uv, u, &a, on_fs);
  if (err != 0) {
    br_job_drop(l, j);
    return err;
  }
  *id = br_job_id(j);
  return 0;
}

void br_fs_result(br_loop *l, uint64_t id, br_fs_out *out) {
  uv_fs_t *u = (uv_fs_t *)br_job_result(l, id, UV_FS);
  uv_req_t *w = br_job_result(l, id, UV_WORK);
  memset(out, 0, sizeof *out);
  if (u != NULL) {
    take(u, out);
  } else {
    out->result = w != NULL ? ((copying *)uv_req_get_data(w))->result : UV_EINVAL;
  }
}

void br_fs_now(const br_fs_call *c, const char *path, const char *to, char *p, unsigned nbufs, br_fs_out *out) {
  uv_buf_t one;
  asked a = ask_of(c, path, to, p, nbufs, &one);
  uv_fs_t closing;  // to close something needs no memory
  int closes = c->op == UV_FS_CLOSE || c->op == UV_FS_CLOSEDIR;
  uv_fs_t *u = closes ? &closing : br_alloc(uv_req_size(UV_FS));
  memset(out, 0, sizeof *out);
  if (u == NULL) {
    out->result = UV_ENOMEM;
    return;
  }
  memset(u, 0, uv_req_size(UV_FS));
  int copies = c->op == BR_FS_COPY_OVER && path != NULL && to != NULL;
  int err = copies ? br_copy_over(path, to, c->flags) : ask(NULL, u, &a, NULL);
  if (u->result == 0 && err < 0) u->result = err;  // libuv has refused the call
  take(u, out);
  if (closes) {
    release((uv_req_t *)u);
  } else if (out->text != NULL) {
    out->held = u;
  } else {
    br_fs_free(u);
  }
}

void br_fs_free(void *held) {
  release(held);
  br_free(held);
}

int br_fs_marks(void) {
#if UV_SINCE(51)
  return uv_version() >= ((1 << 16) | (51 << 8));
#else
  return 0;
#endif
}
