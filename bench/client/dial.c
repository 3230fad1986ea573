/* Sockets that are connected to the server: over TCP, UDP, or a Unix socket's path. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"

/*
 * A connection that this side closes first leaves its port unusable for a while, and
 * there are fewer than 30,000 of them: in less than a second they would all be gone. So
 * fresh connections come from many addresses of the loopback network in turn.
 */
enum { SOURCES = 250, SOURCE_FIRST = 0x7f000002 };

static void bind_source(int fd, uint64_t turn) {
	int on = 1;
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(SOURCE_FIRST + (uint32_t)(turn % SOURCES))};
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0 ||
	    bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
		fail("cannot choose a source address: %s", strerror(errno));
}

static int dial_path(void) {
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (strlen(opt.host) >= sizeof addr.sun_path)
		fail("the path %s is too long", opt.host);
	strcpy(addr.sun_path, opt.host);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		fail("socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
		fail("connect to %s: %s", opt.host, strerror(errno));
	return fd;
}

static int dial_port(int type, uint64_t turn) {
	static struct addrinfo *addr; /* looked up once */
	struct addrinfo hints = {.ai_socktype = type, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	int err = addr == NULL ? getaddrinfo(opt.host, opt.port, &hints, &addr) : 0, on = 1;
	if (err != 0)
		fail("%s:%s: %s", opt.host, opt.port, gai_strerror(err));
	int fd = socket(addr->ai_family, type, 0);
	if (fd < 0)
		fail("socket: %s", strerror(errno));
	if (opt.fresh && addr->ai_family == AF_INET)
		bind_source(fd, turn);
	if (connect(fd, addr->ai_addr, addr->ai_addrlen) < 0)
		fail("connect to %s:%s: %s", opt.host, opt.port, strerror(errno));
	if (type == SOCK_STREAM && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
		fail("cannot prepare a socket: %s", strerror(errno));
	return fd;
}

int dial(int type, uint64_t turn) {
	int fd = opt.port == NULL ? dial_path() : dial_port(type, turn);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		fail("cannot prepare a socket: %s", strerror(errno));
	return fd;
}

void watch(int ep, int fd, uint32_t events, void *socket) {
	struct epoll_event ev = {.events = events, .data.ptr = socket};
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		fail("epoll_ctl: %s", strerror(errno));
}
