// Copying over a file that is there.
//
// libuv empties the target before it knows whether it can copy, and removes it when it
// cannot. That is right for a target that it has made. One that was there is a file of
// somebody's, which stays, and keeps what it holds until there is something to put in its
// place.
#include "jobs.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#endif

static int last_error(void) { return uv_translate_sys_error(errno); }

// clone_over has the target share the blocks of the source.
static int clone_over(int src, int dst) {
#ifdef FICLONE
  return ioctl(dst, FICLONE, src) == 0 ? 0 : last_error();
#else
  (void)src;
  (void)dst;
  return UV_ENOSYS;
#endif
}

static int copy_bytes(int src, int dst, int64_t size) {
  uv_fs_t u;
  int err = 0;
  for (int64_t off = 0; off < size && err == 0;) {
    int64_t n = uv_fs_sendfile(NULL, &u, dst, src, off, (size_t)(size - off < 1 << 30 ? size - off : 1 << 30), NULL);
    uv_fs_req_cleanup(&u);
    if (n < 0) err = (int)n;
    if (n == 0) break;  // the source has become shorter
    off += n;
  }
  return err;
}

static int copy_open(int src, int dst, int flags) {
  struct stat from, to;
  if (fstat(src, &from) != 0 || fstat(dst, &to) != 0) return last_error();
  if (from.st_dev == to.st_dev && from.st_ino == to.st_ino) return 0;
  int err = flags & (UV_FS_COPYFILE_FICLONE | UV_FS_COPYFILE_FICLONE_FORCE) ? clone_over(src, dst) : UV_ENOSYS;
  if (err != 0 && flags & UV_FS_COPYFILE_FICLONE_FORCE) return err;
  if (ftruncate(dst, err == 0 ? from.st_size : 0) != 0) return last_error();
  if (fchmod(dst, from.st_mode) != 0 && errno != EPERM) return last_error();
  return err == 0 ? 0 : copy_bytes(src, dst, from.st_size);
}

int br_copy_over(const char *from, const char *to, int flags) {
  struct stat s;
  int src = open(from, O_RDONLY | O_CLOEXEC);
  if (src < 0) return last_error();
  int err = fstat(src, &s) != 0 ? last_error() : S_ISDIR(s.st_mode) ? UV_EISDIR : 0;
  int dst = err == 0 ? open(to, O_WRONLY | O_CREAT | O_CLOEXEC, s.st_mode & 07777) : -1;
  if (err == 0) err = dst < 0 ? last_error() : copy_open(src, dst, flags);
  if (dst >= 0 && close(dst) != 0 && err == 0 && errno != EINTR) err = last_error();
  close(src);
  return err;
}
