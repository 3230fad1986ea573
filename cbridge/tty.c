// Terminals.
//
// What libuv has to watch here is a uv_pipe_t. A uv_tty_t is not used, for what comes
// with it: it puts a new description of the terminal in the place of the caller's
// descriptor, where it cannot open one it may write round and round in one call, and of
// all terminals it restores the first one only, by a number that may be another file's by
// then.
//
// The handle has a description of its own, made by opening the terminal again, so that
// O_NONBLOCK is not seen by whoever shares the caller's. Where that is not possible it
// shares the caller's and leaves the flag as it is: then writes wait, and Go reads, when
// there is something.
//
// The modes belong to the terminal and not to a handle. A table, which all loops share,
// has those that a handle has changed, with the mode they had before. It is locked, so
// that any thread may restore them.
//
//   claim    a handle's mode is not the normal one; the first claim saves the mode
//   restore  the saved mode is set: by the normal mode, by the end of the last claim, by
//            br_tty_reset, by the end of the process by a signal
#define _GNU_SOURCE  // ttyname_r
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

// A terminal that was changed.
typedef struct terminal {
  struct terminal *next;
  dev_t dev;
  int fd;  // one of its own: handles come and go
  int claims;
  struct termios saved;
} terminal;

typedef struct {
  terminal *claim;  // NULL: none
  dev_t dev;
  br_stream s;
} br_tty;

_Static_assert(offsetof(br_tty, s.h) == 32, "the libuv handle behind it is aligned");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static terminal *terminals;

static inline br_tty *tty_of(br_handle *h) { return (br_tty *)((char *)h - offsetof(br_tty, s.h)); }

static br_tty *find_tty(br_loop *l, uint64_t id, uv_os_fd_t *fd) {
  br_handle *h = br_find_kind(l, id, BR_KIND_TTY);
  return h != NULL && uv_fileno(br_uv(h), fd) == 0 ? tty_of(h) : NULL;
}

static int set_mode(int fd, int when, const struct termios *mode) {
  int r;
  do r = tcsetattr(fd, when, mode);
  while (r != 0 && errno == EINTR);
  return r == 0 ? 0 : uv_translate_sys_error(errno);
}

// device tells terminals apart. All masters of pseudo-terminals are one device, so that
// of the other end is asked for.
static dev_t device(int fd) {
#ifdef TIOCGDEV
  unsigned dev;
  if (ioctl(fd, TIOCGDEV, &dev) == 0) return dev;
#endif
  struct stat st;
  return fstat(fd, &st) == 0 ? st.st_rdev : 0;
}

static terminal *known(dev_t dev) {
  terminal *t = terminals;
  while (t != NULL && t->dev != dev) t = t->next;
  return t;
}

// save notes the mode of a terminal that is not known yet.
static int save(int fd, dev_t dev, terminal **out) {
  terminal *t = br_alloc(sizeof *t);
  if (t == NULL) return UV_ENOMEM;
  *t = (terminal){.next = terminals, .dev = dev, .fd = br_fd_copy(fd)};
  if (t->fd < 0 || tcgetattr(t->fd, &t->saved) != 0) {
    int err = uv_translate_sys_error(errno);
    if (t->fd >= 0) close(t->fd);
    br_free(t);
    return err;
  }
  *out = terminals = t;
  return 0;
}

static void drop(terminal *t) {
  terminal **at = &terminals;
  while (*at != t) at = &(*at)->next;
  *at = t->next;
  close(t->fd);
  br_free(t);
}

// unclaim ends the claim of a handle; the last one restores.
static void unclaim(br_tty *h) {
  terminal *t = h->claim;
  h->claim = NULL;
  if (t == NULL || --t->claims > 0) return;
  set_mode(t->fd, TCSANOW, &t->saved);
  drop(t);
}

// raw makes a mode one of bytes: neither lines nor echo nor signals. In RAW a line feed
// still returns the carriage.
static void raw(struct termios *m, int mode) {
  if (mode == BR_TTY_IO) {
    cfmakeraw(m);
    return;
  }
  m->c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
  m->c_oflag |= ONLCR;
  m->c_cflag |= CS8;
  m->c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
  m->c_cc[VMIN] = 1;
  m->c_cc[VTIME] = 0;
}

static int change(br_tty *h, int fd, int mode) {
  terminal *t = known(h->dev);
  int err = t == NULL ? save(fd, h->dev, &t) : 0;
  if (err != 0) return err;
  struct termios m = t->saved;
  raw(&m, mode);
  err = set_mode(fd, TCSADRAIN, &m);
  if (err == 0 && h->claim == NULL) {
    h->claim = t;
    t->claims++;
  }
  if (t->claims == 0) drop(t);
  return err;
}

static int change_back(br_tty *h, int fd) {
  terminal *t = known(h->dev);
  if (t == NULL) return 0;
  int err = set_mode(fd, TCSADRAIN, &t->saved);
  if (err == 0) unclaim(h);
  return err;
}

int br_tty_mode(br_loop *l, uint64_t id, int mode) {
  uv_os_fd_t fd;
  br_tty *h = find_tty(l, id, &fd);
  if (h == NULL) return UV_EBADF;
  if (mode < BR_TTY_NORMAL || mode > BR_TTY_RAW_VT) return UV_EINVAL;
  if (mode == BR_TTY_RAW_VT && uv_version() < ((1 << 16) | (51 << 8))) return UV_ENOSYS;
  pthread_mutex_lock(&lock);
  int err = mode == BR_TTY_NORMAL ? change_back(h, fd) : change(h, fd, mode);
  pthread_mutex_unlock(&lock);
  return err;
}

int br_tty_restore(br_loop *l, uint64_t id) {
  uv_os_fd_t fd;
  br_tty *h = find_tty(l, id, &fd);
  if (h == NULL) return UV_EBADF;
  pthread_mutex_lock(&lock);
  int err = h->claim != NULL ? set_mode(fd, TCSANOW, &h->claim->saved) : 0;
  pthread_mutex_unlock(&lock);
  return err;
}

int br_tty_reset(void) {
  if (pthread_mutex_trylock(&lock) != 0) return UV_EBUSY;
  int err = 0;
  for (terminal *t = terminals; t != NULL; t = t->next) {
    int e = set_mode(t->fd, TCSANOW, &t->saved);
    if (err == 0) err = e;
  }
  pthread_mutex_unlock(&lock);
  return err;
}

#ifdef __linux__

// A signal that nobody handles comes to Go, which sets its default, as C's sigaction, and
// raises it again. Nothing else is run before the process ends. So the calls of sigaction
// in what is linked statically come here (--wrap). Go blocks all other signals meanwhile,
// SIGTTOU among them, which would stop a process in the background here.
int __real_sigaction(int sig, const struct sigaction *to, struct sigaction *from);
int __wrap_sigaction(int sig, const struct sigaction *to, struct sigaction *from);

static int ends_by_default(int sig) {
  switch (sig) {
    case SIGCHLD: case SIGCONT: case SIGURG: case SIGWINCH: case SIGTSTP: case SIGTTIN: case SIGTTOU: return 0;
    default: return 1;
  }
}

int __wrap_sigaction(int sig, const struct sigaction *to, struct sigaction *from) {
  int err = errno;
  if (to != NULL && to->sa_handler == SIG_DFL && ends_by_default(sig)) br_tty_reset();
  errno = err;
  return __real_sigaction(sig, to, from);
}

#endif

int br_tty_size(br_loop *l, uint64_t id, int *cols, int *rows) {
  uv_os_fd_t fd;
  if (find_tty(l, id, &fd) == NULL) return UV_EBADF;
  struct winsize size;
  int r;
  do r = ioctl(fd, TIOCGWINSZ, &size);
  while (r != 0 && errno == EINTR);
  if (r != 0) return uv_translate_sys_error(errno);
  *cols = size.ws_col;
  *rows = size.ws_row;
  return 0;
}

static int tty_init(br_loop *l, br_handle *h, unsigned arg) {
  (void)arg;
  return uv_pipe_init(l->uv, (uv_pipe_t *)br_uv(h), 0);
}

static int tty_open(br_handle *h, int fd) { return uv_pipe_open((uv_pipe_t *)br_uv(h), fd); }

static void tty_closing(br_loop *l, br_handle *h) {
  pthread_mutex_lock(&lock);
  unclaim(tty_of(h));
  pthread_mutex_unlock(&lock);
  br_stream_closing(l, h);
}

const br_kind br_tty_kind = {
    .type = UV_NAMED_PIPE,
    .before = offsetof(br_tty, s.h),
    .init = tty_init,
    .closing = tty_closing,
    .closed = br_stream_closed,
    .acts = br_stream_acts,
    .open = tty_open,
};

// is_master reports whether a descriptor is the program's end of a pseudo-terminal. To
// open that again would make another pair.
static int is_master(int fd) {
#ifdef TIOCGPTN
  unsigned n;
  return ioctl(fd, TIOCGPTN, &n) == 0;
#else
  return ptsname(fd) != NULL;
#endif
}

// open_again gives a new descriptor of a terminal, or -1.
static int open_again(int fd, int flags) {
  char path[256];
  if (is_master(fd) || ttyname_r(fd, path, sizeof path) != 0) return -1;
  int own = br_fd_up(open(path, (flags & O_ACCMODE) | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (own < 0 || device(own) == device(fd)) return own;
  close(own);
  return -1;
}

// give makes own the descriptor of a new handle.
static int give(br_loop *l, int own, br_handle **out) {
  br_handle *h;
  int err = br_handle_new(l, BR_KIND_TTY, 0, &h);
  if (err != 0) return err;
  err = br_handle_open(l, h, own);
  if (err != 0) {
    br_handle_close(l, h);
    return err;
  }
  *out = h;
  return 0;
}

int br_tty_new(br_loop *l, int fd, uint64_t *id) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return uv_translate_sys_error(errno);
  if (!isatty(fd)) return UV_EINVAL;
  int own = open_again(fd, flags);
  int waits = own < 0 && !(flags & O_NONBLOCK);
  if (own < 0) own = br_fd_copy(fd);
  if (own < 0) return uv_translate_sys_error(errno);
  br_handle *h = NULL;
  int err = give(l, own, &h);
  if (waits) fcntl(own, F_SETFL, flags);
  if (err != 0) {
    close(own);
    return err;
  }
  tty_of(h)->dev = device(own);
  h->flags |= waits ? BR_CONNECTED | BR_BY_GO : BR_CONNECTED;
  *id = br_id(h);
  return 0;
}
