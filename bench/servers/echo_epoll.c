/*
 * Echo in plain C on epoll, without a library: the line that nothing on epoll gets below.
 *
 *     echo_epoll PLACE
 *
 * PLACE is a port on the loopback interface or, with a slash, the path of a Unix socket.
 * One read buffer serves every connection: what is read is written before the next read.
 * What the kernel does not take is copied, and reading pauses until it is gone. SIGUSR1
 * gives free memory back to the system and says "freed" on stdout.
 */
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, BACKLOG = 4096, EVENTS = 1024 };

struct conn {
	int fd;
	char *rest;         /* what the kernel has not taken; NULL: nothing */
	size_t off, left;   /* where in it the next byte is, and how many */
};

static int ep;
static struct conn listener, freer; /* connections in name only: they tell events apart */
static char buffer[READ_BYTES];

static void check(bool ok, const char *what) {
	if (ok)
		return;
	fprintf(stderr, "echo_epoll: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(int op, struct conn *c, uint32_t events) {
	struct epoll_event ev = {.events = events, .data.ptr = c};
	check(epoll_ctl(ep, op, c->fd, &ev) == 0, "epoll_ctl");
}

static void give_up(struct conn *c) {
	close(c->fd);
	free(c->rest);
	free(c);
}

/* keep copies what is left, and waits until the kernel takes it. */
static void keep(struct conn *c, const char *data, size_t n) {
	c->rest = malloc(n);
	check(c->rest != NULL, "memory");
	memcpy(c->rest, data, n);
	c->off = 0, c->left = n;
	watch(EPOLL_CTL_MOD, c, EPOLLOUT);
}

static void answer(struct conn *c) {
	ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		give_up(c);
		return;
	}
	ssize_t sent = send(c->fd, buffer, (size_t)n, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		give_up(c);
	else if (sent < n)
		keep(c, buffer + (sent < 0 ? 0 : sent), (size_t)(n - (sent < 0 ? 0 : sent)));
}

static void go_on(struct conn *c) {
	ssize_t n = send(c->fd, c->rest + c->off, c->left, MSG_NOSIGNAL);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		give_up(c);
		return;
	}
	c->off += (size_t)n, c->left -= (size_t)n;
	if (c->left > 0)
		return;
	free(c->rest);
	c->rest = NULL;
	watch(EPOLL_CTL_MOD, c, EPOLLIN);
}

static void take_all(void) {
	int on = 1;
	for (int fd; (fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
		struct conn *c = calloc(1, sizeof *c);
		check(c != NULL, "memory");
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a Unix socket has none */
		watch(EPOLL_CTL_ADD, c, EPOLLIN);
	}
	check(errno == EAGAIN || errno == ECONNABORTED, "accept");
}

static void give_back(void) {
	struct signalfd_siginfo info;
	check(read(freer.fd, &info, sizeof info) == sizeof info, "signalfd");
	malloc_trim(0);
	puts("freed");
	fflush(stdout);
}

static int listen_on(const char *place) {
	struct sockaddr_un unix_addr = {.sun_family = AF_UNIX};
	struct sockaddr_in tcp_addr = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(place))};
	tcp_addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bool path = strchr(place, '/') != NULL;
	int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	check(fd >= 0, "socket");
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0, "reuse");
	snprintf(unix_addr.sun_path, sizeof unix_addr.sun_path, "%s", place);
	const struct sockaddr *addr = path ? (struct sockaddr *)&unix_addr : (struct sockaddr *)&tcp_addr;
	check(bind(fd, addr, path ? sizeof unix_addr : sizeof tcp_addr) == 0, "bind");
	check(listen(fd, BACKLOG) == 0, "listen");
	return fd;
}

static void serve(struct epoll_event *ev) {
	struct conn *c = ev->data.ptr;
	if (c == &listener)
		take_all();
	else if (c == &freer)
		give_back();
	else if (c->rest != NULL)
		go_on(c);
	else
		answer(c);
}

int main(int argc, char **argv) {
	sigset_t usr1;
	if (argc != 2) {
		fprintf(stderr, "usage: echo_epoll PLACE\n");
		return 1;
	}
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	ep = epoll_create1(EPOLL_CLOEXEC);
	check(ep >= 0, "epoll");
	freer.fd = signalfd(-1, &usr1, SFD_CLOEXEC);
	check(freer.fd >= 0, "signalfd");
	listener.fd = listen_on(argv[1]);
	watch(EPOLL_CTL_ADD, &listener, EPOLLIN);
	watch(EPOLL_CTL_ADD, &freer, EPOLLIN);
	for (struct epoll_event events[EVENTS];;) {
		int n = epoll_wait(ep, events, EVENTS, -1);
		check(n >= 0 || errno == EINTR, "epoll_wait");
		for (int i = 0; i < n; i++)
			serve(&events[i]);
	}
}
