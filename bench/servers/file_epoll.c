/*
 * A server of one file in plain C with sendfile(2) and epoll: the control of the other
 * servers.
 *
 *     file_epoll PORT FILE
 *
 * Every byte that a connection sends is answered with the whole file. A socket is edge-
 * triggered: it is read until it is empty and written until it is full.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 4096, EVENTS = 64 };

struct conn {
	int fd;
	off_t offset;            /* of the answer that is under way */
	unsigned long asked;     /* answers that are not complete */
};

static int file;
static off_t size;

static void check(bool ok, const char *what) {
	if (ok)
		return;
	fprintf(stderr, "file_epoll: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* take counts the requests that have come; false: the peer is gone. */
static bool take(struct conn *c) {
	char buf[64];
	ssize_t n;
	while ((n = recv(c->fd, buf, sizeof buf, 0)) > 0)
		c->asked += (unsigned long)n;
	return n < 0 && errno == EAGAIN;
}

/* answer sends what the kernel takes; false: the peer is gone. */
static bool answer(struct conn *c) {
	while (c->asked > 0) {
		ssize_t n = sendfile(c->fd, file, &c->offset, (size_t)(size - c->offset));
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		if (c->offset == size)
			c->offset = 0, c->asked--;
	}
	return true;
}

static void accept_one(int ep, int listener) {
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
	check(fd >= 0, "accept");
	struct conn *c = calloc(1, sizeof *c);
	check(c != NULL, "memory");
	c->fd = fd;
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
	check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "nodelay");
	check(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0, "epoll_ctl");
}

static int listen_on(int port) {
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(fd >= 0, "socket");
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0, "reuse");
	check(bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0, "bind");
	check(listen(fd, BACKLOG) == 0, "listen");
	return fd;
}

static void serve(int ep, int listener) {
	struct epoll_event events[EVENTS];
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (c == NULL) {
				accept_one(ep, listener);
			} else if (!take(c) || !answer(c)) {
				close(c->fd);
				free(c);
			}
		}
	}
}

int main(int argc, char **argv) {
	struct stat st;
	struct epoll_event ev = {.events = EPOLLIN};
	if (argc != 3) {
		fputs("usage: file_epoll PORT FILE\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	file = open(argv[2], O_RDONLY);
	check(file >= 0 && fstat(file, &st) == 0, argv[2]);
	size = st.st_size;
	int ep = epoll_create1(0), listener = listen_on(atoi(argv[1]));
	check(ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) == 0, "epoll");
	serve(ep, listener);
}
