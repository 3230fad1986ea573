/*
 * Streams: echo over connections that stay, with DEPTH requests outstanding; echo of one
 * request each over fresh connections; and downloads, whose requests are a byte and
 * whose answers are a file.
 *
 * A recv of an echo asks for a byte more than can come, so one that is filled shows a
 * byte too many, and one that is not has emptied the socket: the next bytes raise a new
 * edge.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

enum { DOWNLOAD_BYTES = 256 * 1024 }; /* read at once */

struct conn {
	int fd;
	uint64_t base;                /* where in the stream it begins */
	uint64_t sent, got;           /* bytes */
	uint64_t issued, done;        /* requests */
	uint64_t turn;                /* of its next request in the open loop; else of its connection */
	uint64_t *due;                /* ns; of request i at i % depth */
	uint32_t chunks;
};

static struct conn *conns;
static char *buffer;
static size_t request;            /* bytes of a request; opt.size are those of an answer */

/* due_at is the moment of the open loop's k-th request. */
static uint64_t due_at(uint64_t k) { return plan.start + (uint64_t)((double)k * 1e9 / opt.rate); }

/* push sends what has been issued, as far as the kernel takes it. */
static void push(struct conn *c) {
	while (c->sent < c->issued * request) {
		ssize_t n = send(c->fd, content(c->base + c->sent), c->issued * request - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			fail("send: %s", strerror(errno));
		c->sent += (uint64_t)n;
	}
}

/*
 * issue begins the requests that may begin now: as many as DEPTH allows and, in the open
 * loop, as are due.
 */
static void issue(struct conn *c, uint64_t now) {
	for (; c->issued - c->done < opt.depth; c->issued++) {
		uint64_t due = now;
		if (opt.rate > 0) {
			due = due_at(c->turn);
			if (due > now || due >= plan.end)
				break;
			c->turn += opt.connections;
		}
		c->due[c->issued % opt.depth] = due;
	}
	push(c);
}

/* attach gives c a socket. */
static void attach(int ep, struct conn *c) {
	c->fd = dial(SOCK_STREAM, c->turn);
	watch(ep, c->fd, opt.file != NULL ? EPOLLIN : EPOLLIN | EPOLLOUT | EPOLLET, c);
}

/* renew takes a fresh connection, whose request begins with the call to connect. */
static void renew(int ep, struct conn *c) {
	if (c->fd >= 0)
		close(c->fd);
	uint64_t now = read_clock(CLOCK_MONOTONIC);
	c->sent = c->got = c->issued = c->done = 0;
	c->turn += opt.connections;
	attach(ep, c);
	issue(c, now);
}

/*
 * pull takes what has arrived, counts the requests that it completes, and begins others.
 */
static void pull(int ep, struct conn *c) {
	uint64_t rest = c->issued * opt.size - c->got;
	size_t most = opt.file != NULL && rest > DOWNLOAD_BYTES ? DOWNLOAD_BYTES : (size_t)rest + 1;
	ssize_t n = recv(c->fd, buffer, most, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		fail("recv: %s", strerror(errno));
	if (n == 0)
		fail("the server closed a connection");
	if ((uint64_t)n > c->sent / request * opt.size + c->sent % request - c->got)
		fail("the server sent more bytes than it %s", opt.file != NULL ? "was asked for" : "got");
	verify(buffer, c->base + c->got, (size_t)n, c->chunks++ % CHECK_WHOLE == 0);
	c->got += (uint64_t)n;
	if (c->got < (c->done + 1) * opt.size)
		return;
	uint64_t now = read_clock(CLOCK_MONOTONIC);
	for (; c->got >= (c->done + 1) * opt.size; c->done++)
		count_answer(c->due[c->done % opt.depth], now);
	if (opt.fresh)
		renew(ep, c);
	else
		issue(c, now);
}

static void stream_ready(int ep, void *socket, uint32_t events) {
	struct conn *c = socket;
	if (c->sent < c->issued * request)
		push(c);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		pull(ep, c);
}

static void stream_open(int ep) {
	size_t window = opt.file != NULL ? DOWNLOAD_BYTES : opt.size * opt.depth;
	request = opt.file != NULL ? 1 : opt.size;
	buffer = allocate(window + 1, 1);
	conns = allocate(opt.connections, sizeof *conns);
	for (size_t i = 0; i < opt.connections; i++) {
		conns[i] = (struct conn){.fd = -1, .turn = i, .due = allocate(opt.depth, sizeof(uint64_t))};
		if (opt.file == NULL)
			conns[i].base = i * 31;
		if (!opt.fresh)
			attach(ep, &conns[i]);
	}
}

static void stream_start(int ep, uint64_t now) {
	for (size_t i = 0; i < opt.connections && opt.rate == 0; i++)
		if (opt.fresh)
			renew(ep, &conns[i]);
		else
			issue(&conns[i], now);
}

/* stream_tick begins the open loop's requests whose moment has come. */
static uint64_t stream_tick(uint64_t now) {
	if (opt.rate == 0)
		return UINT64_MAX;
	while (due_at(plan.next) <= now && due_at(plan.next) < plan.end)
		issue(&conns[plan.next++ % opt.connections], now);
	return due_at(plan.next) < plan.end ? due_at(plan.next) : UINT64_MAX;
}

const struct mode stream_mode = {stream_open, stream_start, stream_ready, stream_tick};
