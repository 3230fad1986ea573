/*
 * A closed-loop load client for echo servers: every connection sends SIZE bytes, waits until the same number came back,
 * and sends again. One thread, edge-triggered epoll, one recv per event.
 *
 *     client HOST PORT SIZE CONNECTIONS SECONDS WARMUP [PID]
 *
 * Counting begins after WARMUP seconds and lasts SECONDS. The result is one line of JSON on stdout: requests, seconds,
 * rate, latencies in microseconds, the CPU seconds of this client, and, when PID is given, those of that process in
 * exactly the interval that was counted.
 *
 * Invariants
 * - A connection has one request in flight, so bytes beyond SIZE are an error, and a recv that brings fewer than were
 *   asked for has emptied the socket: the next bytes raise a new edge.
 * - What comes back is checked: each chunk at both ends, where a lost, doubled or misplaced byte shows because the
 *   pattern is aperiodic and moves from request to request; and every CHECK_WHOLE-th request whole.
 * - The run ends in bounded time: STALL_SECONDS without an event, a lost connection, and an alarm all end it with an
 *   error.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

enum {
	SHIFTS = 256,       /* positions in the pattern at which a request may start */
	EDGE = 16,          /* bytes compared at each end of a chunk */
	CHECK_WHOLE = 64,   /* one request in so many is compared whole */
	EVENTS = 256,       /* epoll events taken at once */
	STALL_SECONDS = 5,
	GRACE_SECONDS = 15, /* for connecting, beyond warm-up and measurement */
	BUCKETS = 64 * 64,  /* 64 for each power of two: 1.6 % wide */
};

struct conn {
	int fd;
	unsigned shift, requests;
	size_t sent, got;
	uint64_t start; /* ns */
};

static size_t size;
static char *pattern, *buffer;
static struct {
	uint64_t requests, latency[BUCKETS];
} count;

static void fail(const char *format, ...) {
	va_list args;
	va_start(args, format);
	fputs("client: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	exit(1);
}

static void on_alarm(int sig) {
	static const char msg[] = "client: did not end in time\n";
	(void)sig;
	if (write(STDERR_FILENO, msg, sizeof msg - 1) < 0)
		_exit(2);
	_exit(1);
}

static uint64_t read_clock(clockid_t id) {
	struct timespec t;
	if (clock_gettime(id, &t) < 0)
		fail("cannot read the clock of the server's process: %s", strerror(errno));
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* bucket_of and value_of are a histogram's scale: exact below 128 ns, then 64 steps for each power of two. */
static unsigned bucket_of(uint64_t ns) {
	if (ns < 128)
		return (unsigned)ns;
	unsigned e = 63 - (unsigned)__builtin_clzll(ns) - 6;
	return e * 64 + (unsigned)(ns >> e);
}

static double value_of(unsigned bucket) {
	if (bucket < 128)
		return bucket;
	unsigned e = bucket / 64 - 1;
	return (double)((uint64_t)(bucket - e * 64) << e);
}

static double percentile_us(double p) {
	uint64_t below = 0, rank = (uint64_t)(p * (double)count.requests);
	for (unsigned i = 0; i < BUCKETS; i++) {
		below += count.latency[i];
		if (below > rank)
			return value_of(i) / 1000;
	}
	return 0;
}

static void push(struct conn *c) {
	while (c->sent < size) {
		ssize_t n = send(c->fd, pattern + c->shift + c->sent, size - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			fail("send: %s", strerror(errno));
		c->sent += (size_t)n;
	}
}

static void start_request(struct conn *c, uint64_t now) {
	c->shift = (c->shift + 97) % SHIFTS;
	c->sent = c->got = 0;
	c->start = now;
	push(c);
}

static void verify(const struct conn *c, size_t n) {
	const char *want = pattern + c->shift + c->got;
	size_t edge = n < EDGE ? n : EDGE;
	if (c->requests % CHECK_WHOLE == 0)
		edge = n;
	if (memcmp(buffer, want, edge) != 0 || memcmp(buffer + n - edge, want + n - edge, edge) != 0)
		fail("the server sent other bytes than it got, near byte %zu of %zu", c->got, size);
}

/* pull takes what has arrived, and starts the next request when this one is complete. */
static void pull(struct conn *c) {
	ssize_t n = recv(c->fd, buffer, size - c->got + 1, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		fail("recv: %s", strerror(errno));
	if (n == 0)
		fail("the server closed a connection");
	if ((size_t)n > c->sent - c->got)
		fail("the server sent more bytes than it got");
	verify(c, (size_t)n);
	c->got += (size_t)n;
	if (c->got < size)
		return;
	uint64_t now = read_clock(CLOCK_MONOTONIC);
	count.requests++;
	count.latency[bucket_of(now - c->start)]++;
	c->requests++;
	start_request(c, now);
}

static int dial(const char *host, const char *port) {
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *addr;
	int err = getaddrinfo(host, port, &hints, &addr);
	if (err != 0)
		fail("%s:%s: %s", host, port, gai_strerror(err));
	int fd = socket(addr->ai_family, SOCK_STREAM, 0), on = 1;
	if (fd < 0)
		fail("socket: %s", strerror(errno));
	if (connect(fd, addr->ai_addr, addr->ai_addrlen) < 0)
		fail("connect to %s:%s: %s", host, port, strerror(errno));
	freeaddrinfo(addr);
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		fail("cannot prepare a socket: %s", strerror(errno));
	return fd;
}

/* serve_until turns the loop until the monotonic clock shows end. */
static void serve_until(int ep, uint64_t end) {
	struct epoll_event events[EVENTS];
	int stalled = 0;
	while (read_clock(CLOCK_MONOTONIC) < end) {
		int n = epoll_wait(ep, events, EVENTS, 1000);
		if (n < 0 && errno != EINTR)
			fail("epoll_wait: %s", strerror(errno));
		stalled = n > 0 ? 0 : stalled + 1;
		if (stalled == STALL_SECONDS)
			fail("the server sent nothing for %d s", STALL_SECONDS);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (c->sent < size)
				push(c);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				pull(c);
		}
	}
}

static struct conn *connect_all(int ep, const char *host, const char *port, size_t n) {
	struct conn *conns = calloc(n, sizeof *conns);
	if (conns == NULL)
		fail("no memory");
	for (size_t i = 0; i < n; i++) {
		struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &conns[i]};
		conns[i].fd = dial(host, port);
		conns[i].shift = (unsigned)(i * 31 % SHIFTS);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &ev) < 0)
			fail("epoll_ctl: %s", strerror(errno));
	}
	return conns;
}

static double number(const char *arg, double min) {
	char *end;
	double v = strtod(arg, &end);
	if (*arg == '\0' || *end != '\0' || v < min)
		fail("\"%s\" is not a number of at least %g", arg, min);
	return v;
}

static void make_pattern(void) {
	uint64_t x = 88172645463325252u; /* any seed but 0: xorshift64 */
	pattern = malloc(size + SHIFTS);
	buffer = malloc(size + 1);
	if (pattern == NULL || buffer == NULL)
		fail("no memory");
	for (size_t i = 0; i < size + SHIFTS; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		pattern[i] = (char)(x >> 32);
	}
}

int main(int argc, char **argv) {
	if (argc != 7 && argc != 8)
		fail("usage: client HOST PORT SIZE CONNECTIONS SECONDS WARMUP [PID]");
	size = (size_t)number(argv[3], 1);
	size_t n = (size_t)number(argv[4], 1);
	double seconds = number(argv[5], 0.001), warmup = number(argv[6], 0);
	clockid_t server = CLOCK_PROCESS_CPUTIME_ID;
	if (argc == 8 && clock_getcpuclockid((pid_t)number(argv[7], 1), &server) != 0)
		fail("there is no process %s", argv[7]);
	signal(SIGALRM, on_alarm);
	alarm((unsigned)(seconds + warmup) + GRACE_SECONDS);
	make_pattern();

	int ep = epoll_create1(0);
	if (ep < 0)
		fail("epoll_create1: %s", strerror(errno));
	struct conn *conns = connect_all(ep, argv[1], argv[2], n);
	uint64_t now = read_clock(CLOCK_MONOTONIC);
	for (size_t i = 0; i < n; i++)
		start_request(&conns[i], now);
	serve_until(ep, now + (uint64_t)(warmup * 1e9));

	memset(&count, 0, sizeof count);
	uint64_t server_cpu = read_clock(server), own_cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t begin = read_clock(CLOCK_MONOTONIC);
	serve_until(ep, begin + (uint64_t)(seconds * 1e9));
	server_cpu = read_clock(server) - server_cpu;
	own_cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - own_cpu;
	double took = (double)(read_clock(CLOCK_MONOTONIC) - begin) / 1e9;

	if (count.requests == 0)
		fail("no request was answered in %g s", seconds);
	printf("{\"requests\":%llu,\"seconds\":%.4f,\"rate\":%.1f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,"
	       "\"client_cpu\":%.6f,\"server_cpu\":%.6f}\n",
	       (unsigned long long)count.requests, took, (double)count.requests / took, percentile_us(0.5),
	       percentile_us(0.99), percentile_us(0.999), (double)own_cpu / 1e9, argc == 8 ? (double)server_cpu / 1e9 : 0);
	return 0;
}
