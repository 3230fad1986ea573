// Scenarios of the file system. They work in a directory of their own.
#ifdef __linux__
#include "rig.h"
#include "scenarios.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *at(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

static void open_dir(void) {
  strcpy(dir, "/tmp/bridge-files-XXXXXX");
  CHECK(mkdtemp(dir) != NULL);
}

// open_fds counts the descriptors of this process.
static int open_fds(void) {
  int n = 0;
  for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static job *ask(br_fs_call c, const char *path, const char *to, char *p, unsigned nbufs) {
  uint64_t id;
  CHECK(br_fs_begin(loop, &c, path, to, p, nbufs, &id) == 0);
  return began(id);
}

// finish waits for a job, takes what it has brought unless out is NULL, and frees it.
static int finish(job *j, br_fs_out *out) {
  UNTIL(j->done);
  int status = j->status;
  if (out != NULL) br_fs_result(loop, j->id, out);
  br_job_free(loop, j->id);
  *j = (job){0};
  return status;
}

static int64_t now(br_fs_call c, const char *path, const char *to, char *p) {
  br_fs_out out;
  br_fs_now(&c, path, to, p, 0, &out);
  if (out.held != NULL) br_fs_free(out.held);
  return out.result;
}

static int open_now(const char *name) {
  return (int)now((br_fs_call){.op = UV_FS_OPEN, .flags = O_RDWR | O_CREAT, .mode = 0600}, at(name), NULL, NULL);
}

void scenario_files(void) {
  br_fs_out out;
  char buf[32] = "hello, world";
  begin();
  open_dir();
  int before = open_fds();
  CHECK(finish(ask((br_fs_call){.op = UV_FS_OPEN, .flags = O_RDWR | O_CREAT, .mode = 0600}, at("f"), NULL, NULL, 0), &out) == 0);
  int fd = (int)out.result;
  CHECK(fd > 2 && open_fds() == before + 1);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_WRITE, .fd = fd, .off = -1, .n = 12}, NULL, NULL, buf, 0), &out) == 0 && out.result == 12);
  uv_buf_t pieces[6];
  for (int i = 0; i < 6; i++) pieces[i] = uv_buf_init(buf + 16 + 2 * i, 2);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_READ, .fd = fd, .off = 0}, NULL, NULL, (char *)pieces, 6), &out) == 0 && out.result == 12);
  CHECK(memcmp(buf, buf + 16, 12) == 0);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_FSTAT, .fd = fd}, NULL, NULL, NULL, 0), &out) == 0 && out.stat.numbers[7] == 12);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_STATFS}, dir, NULL, NULL, 0), &out) == 0 && out.stat.numbers[1] > 0);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_CLOSE, .fd = fd}, NULL, NULL, NULL, 0), NULL) == 0);
  CHECK(open_fds() == before);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_OPEN}, at("missing"), NULL, NULL, 0), &out) == UV_ENOENT && out.result == UV_ENOENT);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_SYMLINK}, "f", at("link"), NULL, 0), NULL) == 0);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_READLINK}, at("link"), NULL, NULL, 0), NULL) == 0);  // not taken
  br_fs_now(&(br_fs_call){.op = UV_FS_REALPATH}, at("link"), NULL, NULL, 0, &out);
  CHECK(out.result == 0 && strcmp(out.text, at("f")) == 0 && out.text_len == strlen(at("f")));
  br_fs_free(out.held);
  CHECK(now((br_fs_call){.op = UV_FS_UNLINK}, at("link"), NULL, NULL) == 0);
  char copy[sizeof dir + 8];
  strcpy(copy, at("copy"));
  CHECK(finish(ask((br_fs_call){.op = BR_FS_COPY_OVER}, at("f"), copy, NULL, 0), &out) == 0 && out.result == 0);
  CHECK(finish(ask((br_fs_call){.op = BR_FS_COPY_OVER}, dir, copy, NULL, 0), NULL) == UV_EISDIR);
  CHECK(now((br_fs_call){.op = BR_FS_COPY_OVER}, at("f"), copy, NULL) == 0);
  CHECK(now((br_fs_call){.op = BR_FS_COPY_OVER}, at("missing"), copy, NULL) == UV_ENOENT);
  CHECK(now((br_fs_call){.op = UV_FS_UNLINK}, copy, NULL, NULL) == 0);
  CHECK(now((br_fs_call){.op = UV_FS_UNLINK}, at("f"), NULL, NULL) == 0);
  CHECK(now((br_fs_call){.op = UV_FS_UNLINK}, at("f"), NULL, NULL) == UV_ENOENT);
  CHECK(now((br_fs_call){.op = UV_FS_RMDIR}, dir, NULL, NULL) == 0);
  end();
}

// What libuv would assert, or take as it is, is refused.
void scenario_bad_files(void) {
  static const int ops[] = {UV_FS_OPEN, UV_FS_STAT, UV_FS_RENAME, UV_FS_READDIR, UV_FS_CLOSEDIR, UV_FS_CUSTOM, UV_FS_UNKNOWN, BR_FS_COPY_OVER, 1001};
  uint64_t id;
  br_fs_out out;
  begin();
  for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
    br_fs_call c = {.op = ops[i]};
    CHECK(br_fs_begin(loop, &c, NULL, NULL, NULL, 0, &id) == UV_EINVAL);
    CHECK(now(c, NULL, NULL, NULL) == UV_EINVAL);
  }
  CHECK(now((br_fs_call){.op = UV_FS_RENAME}, "x", NULL, NULL) == UV_EINVAL);
  CHECK(now((br_fs_call){.op = BR_FS_COPY_OVER}, "x", NULL, NULL) == UV_EINVAL);
  br_fs_result(loop, 5ull << 32 | 7, &out);
  CHECK(out.result == UV_EINVAL);
  end();
}

void scenario_directories(void) {
  br_fs_out out;
  char name[16];
  begin();
  open_dir();
  int before = open_fds();
  for (int i = 0; i < 100; i++) {
    snprintf(name, sizeof name, "%d", i);
    close(open_now(name));
  }
  CHECK(finish(ask((br_fs_call){.op = UV_FS_SCANDIR}, dir, NULL, NULL, 0), &out) == 0 && out.result == 100);
  br_fs_now(&(br_fs_call){.op = UV_FS_SCANDIR}, dir, NULL, NULL, 0, &out);
  CHECK(out.result == 100 && out.text[0] == UV_DIRENT_FILE && strcmp(out.text + 1, "0") == 0 && out.text[out.text_len - 1] == 0);
  br_fs_free(out.held);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_SCANDIR}, dir, NULL, NULL, 0), NULL) == 0);  // not taken
  CHECK(finish(ask((br_fs_call){.op = UV_FS_OPENDIR}, dir, NULL, NULL, 0), &out) == 0);
  uintptr_t d = out.dir;
  int n = 0;
  do {
    job *j = ask((br_fs_call){.op = UV_FS_READDIR, .dir = d, .n = 33}, NULL, NULL, NULL, 0);
    CHECK(finish(j, &out) == 0);
    n += (int)out.result;
  } while (out.result > 0);
  CHECK(n == 100);
  CHECK(now((br_fs_call){.op = UV_FS_READDIR, .dir = d, .n = 0}, NULL, NULL, NULL) == UV_EINVAL);
  CHECK(now((br_fs_call){.op = UV_FS_READDIR, .dir = d, .n = BR_DIRENTS_MAX + 1}, NULL, NULL, NULL) == UV_EINVAL);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_CLOSEDIR, .dir = d}, NULL, NULL, NULL, 0), NULL) == 0);
  br_fs_now(&(br_fs_call){.op = UV_FS_OPENDIR}, dir, NULL, NULL, 0, &out);
  CHECK(out.held == NULL && out.dir != 0);
  d = out.dir;
  // The result is not taken.
  CHECK(finish(ask((br_fs_call){.op = UV_FS_READDIR, .dir = d, .n = 50}, NULL, NULL, NULL, 0), NULL) == 0);
  CHECK(now((br_fs_call){.op = UV_FS_READDIR, .dir = d, .n = BR_DIRENTS_MAX}, NULL, NULL, NULL) == 50);
  CHECK(now((br_fs_call){.op = UV_FS_CLOSEDIR, .dir = d}, NULL, NULL, NULL) == 0);
  CHECK(open_fds() == before);
  for (int i = 0; i < 100; i++) {
    snprintf(name, sizeof name, "%d", i);
    CHECK(now((br_fs_call){.op = UV_FS_UNLINK}, at(name), NULL, NULL) == 0);
  }
  CHECK(now((br_fs_call){.op = UV_FS_RMDIR}, dir, NULL, NULL) == 0);
  end();
}

// What is freed without being taken is closed, or removed if only its request knew it;
// and what was cancelled is as it was.
void scenario_dropped_files(void) {
  br_fs_out out;
  begin();
  open_dir();
  int before = open_fds();
  CHECK(finish(ask((br_fs_call){.op = UV_FS_OPEN, .flags = O_RDWR | O_CREAT, .mode = 0600}, at("f"), NULL, NULL, 0), NULL) == 0);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_OPENDIR}, dir, NULL, NULL, 0), NULL) == 0);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_MKSTEMP}, at("tXXXXXX"), NULL, NULL, 0), NULL) == 0);
  CHECK(finish(ask((br_fs_call){.op = UV_FS_MKDTEMP}, at("tXXXXXX"), NULL, NULL, 0), NULL) == 0);
  CHECK(open_fds() == before);
  br_fs_now(&(br_fs_call){.op = UV_FS_OPENDIR}, dir, NULL, NULL, 0, &out);
  uintptr_t d = out.dir;

  // All threads, of which the scenarios have two, wait to open a FIFO.
  CHECK(mkfifo(at("fifo"), 0600) == 0);
  job *stuck[2];
  for (int i = 0; i < 2; i++) {
    stuck[i] = ask((br_fs_call){.op = UV_FS_OPEN, .flags = O_RDONLY}, at("fifo"), NULL, NULL, 0);
    while (br_job_cancel(loop, stuck[i]->id) == 0) {  // it had not begun
      CHECK(finish(stuck[i], NULL) == UV_ECANCELED);
      stuck[i] = ask((br_fs_call){.op = UV_FS_OPEN, .flags = O_RDONLY}, at("fifo"), NULL, NULL, 0);
    }
  }
  job *all[] = {
      ask((br_fs_call){.op = UV_FS_CLOSEDIR, .dir = d}, NULL, NULL, NULL, 0),
      ask((br_fs_call){.op = UV_FS_OPEN}, at("f"), NULL, NULL, 0),
      ask((br_fs_call){.op = UV_FS_REALPATH}, dir, NULL, NULL, 0),
      ask((br_fs_call){.op = UV_FS_MKSTEMP}, at("tXXXXXX"), NULL, NULL, 0),
      ask((br_fs_call){.op = UV_FS_SCANDIR}, dir, NULL, NULL, 0),
      ask((br_fs_call){.op = UV_FS_OPENDIR}, dir, NULL, NULL, 0),
      ask((br_fs_call){.op = BR_FS_COPY_OVER}, dir, "none", NULL, 0),
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    CHECK(br_job_cancel(loop, all[i]->id) == 0);
    CHECK(finish(all[i], i % 2 == 0 ? &out : NULL) == UV_ECANCELED);
  }
  job *reading = ask((br_fs_call){.op = UV_FS_READDIR, .dir = d, .n = 5}, NULL, NULL, NULL, 0);
  CHECK(br_job_cancel(loop, reading->id) == 0 && finish(reading, NULL) == UV_ECANCELED);
  int w = open(at("fifo"), O_WRONLY);
  for (int i = 0; i < 2; i++) CHECK(finish(stuck[i], NULL) == 0);
  close(w);
  CHECK(now((br_fs_call){.op = UV_FS_READDIR, .dir = d, .n = 5}, NULL, NULL, NULL) == 2);
  CHECK(now((br_fs_call){.op = UV_FS_CLOSEDIR, .dir = d}, NULL, NULL, NULL) == 0);
  CHECK(open_fds() == before);
  CHECK(now((br_fs_call){.op = UV_FS_UNLINK}, at("f"), NULL, NULL) == 0);
  CHECK(now((br_fs_call){.op = UV_FS_UNLINK}, at("fifo"), NULL, NULL) == 0);
  CHECK(now((br_fs_call){.op = UV_FS_RMDIR}, dir, NULL, NULL) == 0);
  end();
}
#endif
