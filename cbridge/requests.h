// What Go sees of the requests: what has no handle, and comes to an end by itself.
//
// A request on the pool has an id, and one record; bridge.h tells whose it is. What is
// done at once needs neither a loop nor a pool.
#ifndef ASYNCIO_BRIDGE_REQUESTS_H
#define ASYNCIO_BRIDGE_REQUESTS_H

#include "bridge.h"

// The pool: libuv's threads, which all loops share. Whatever runs there needs it started.
// br_pool_start starts so many threads, unless there are some already; UV_EAGAIN if the
// system has not that many.
int br_pool_start(unsigned threads);

// Jobs: requests without a handle.
int br_job_cancel(br_loop *l, uint64_t id);  // UV_EBUSY once it runs or is over
void br_job_free(br_loop *l, uint64_t id);   // after BR_REC_DONE

// Names. node and service are terminated, or NULL; a node is at most BR_NODE_BYTES long
// in its ASCII form. Addresses are as for TCP. BR_HOST_BYTES and BR_SERVICE_BYTES are
// room for a name and a service with the NUL behind.
enum { BR_NODE_BYTES = 255, BR_HOST_BYTES = 1025, BR_SERVICE_BYTES = 32 };
typedef struct {
  int family, socktype, protocol, flags;
} br_hints;
int br_getaddrinfo(br_loop *l, const char *node, const char *service, const br_hints *hints, uint64_t *id);
int br_getnameinfo(br_loop *l, const void *addr, unsigned len, int flags, uint64_t *id);
// The results of a request that is done without an error; they are the request's.
const struct addrinfo *br_job_addresses(br_loop *l, uint64_t id);
const char *br_job_name(br_loop *l, uint64_t id, const char **service);
// The same at once, without a loop and a pool, from any thread. The list is the caller's,
// for uv_freeaddrinfo; host and service have room for the longest.
int br_getaddrinfo_now(const char *node, const char *service, const br_hints *hints, struct addrinfo **list);
int br_getnameinfo_now(const void *addr, unsigned len, int flags, char *host, char *service);

// Random bytes.
enum { BR_RANDOM_BYTES_MAX = 0x7FFFFFFF };
int br_random(br_loop *l, size_t n, uint64_t *id);
// br_job_random copies the n bytes that a request has brought.
void br_job_random(br_loop *l, uint64_t id, char *p, size_t n);
int br_random_now(char *p, size_t n);  // without a loop and a pool, from any thread

// What the system tells, from any thread. The results are as libuv's functions of like
// names have them. UV_ENOSYS: the header in use lacks it.
int br_clock_gettime(int clock, int64_t *sec, int32_t *nsec);  // 0: monotonic, 1: real time
int br_available_memory(uint64_t *bytes);
int br_interface_addresses(uv_interface_address_t **list, int *n);  // for uv_free_interface_addresses
int br_passwd_of(unsigned long uid, uv_passwd_t *p);  // for uv_os_free_passwd
typedef struct {
  char *name;
  unsigned long gid;
  char **members;  // NULL behind the last
} br_group;
int br_group_of(unsigned long gid, br_group *g);
void br_group_free(br_group *g);

// Libraries, uv_lib_t, which are for one thread at a time. br_lib_open makes one for
// br_lib_close, or NULL. Not 0: UV_ENOMEM, or br_lib_error tells.
typedef uv_lib_t br_lib;
int br_lib_open(const char *path, br_lib **lib);
int br_lib_sym(br_lib *lib, const char *name, void **p);
const char *br_lib_error(br_lib *lib);
void br_lib_close(br_lib *lib);

// The file system. op is a uv_fs_type, and says which of the fields count.
enum { BR_DIRENTS_MAX = 65536 };  // entries that one reading of a directory may bring
enum { BR_FS_COPY_OVER = 1000 };  // a further op: a UV_FS_COPYFILE to a file that is there, and stays if it fails
typedef struct {
  int32_t op;
  int32_t fd;
  int32_t src;        // of a sendfile
  int32_t flags;      // to open, to copy, of a symlink; of an access its mode
  uint32_t mode;
  uint32_t uid, gid;
  int64_t off;        // -1: the file's position; of a truncate its size
  uint64_t n;         // bytes of a single piece or of a sendfile; entries of a directory
  double atime, mtime;  // seconds; infinity is now and NaN leaves one, if br_fs_marks
  uintptr_t dir;      // what an opendir has brought, until its closedir is done without an error
} br_fs_call;
typedef struct {
  uint64_t numbers[12];  // of a statfs 8
  int64_t times[8];      // seconds and nanoseconds of access, modification, change, birth
} br_stat;
// What came of it. text is valid until the request is freed. A directory gives its
// entries as text: of each its uv_dirent_type_t in a byte, its name, and a NUL.
typedef struct {
  int64_t result;  // or an error
  const char *text;
  uint64_t text_len;
  uintptr_t dir;
  void *held;  // of br_fs_now: for br_fs_free, unless NULL
  br_stat stat;
} br_fs_out;
_Static_assert(sizeof(br_fs_call) == 72, "layout of br_fs_call");
_Static_assert(sizeof(br_stat) == 160, "layout of br_stat");
_Static_assert(sizeof(br_fs_out) == 200, "layout of br_fs_out");
// br_fs_begin asks on the pool. Paths are terminated. p is c->n bytes, or, with nbufs, so
// many uv_buf_t; it must stay until the record comes. A directory has one request at a
// time. A descriptor, a directory or a temporary file of a request that is freed before
// br_fs_result has brought it is closed, or removed.
int br_fs_begin(br_loop *l, const br_fs_call *c, const char *path, const char *to, char *p, unsigned nbufs, uint64_t *id);
void br_fs_result(br_loop *l, uint64_t id, br_fs_out *out);
// br_fs_now does so at once, without a loop and a pool, from any thread.
void br_fs_now(const br_fs_call *c, const char *path, const char *to, char *p, unsigned nbufs, br_fs_out *out);
void br_fs_free(void *held);
int br_fs_marks(void);  // 1: times may be marks

#endif
