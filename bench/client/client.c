/*
 * A load client for echo servers: every connection sends requests of SIZE bytes and waits for the same bytes to come back.
 * One thread, edge-triggered epoll, one recv per event.
 *
 *     client [-s SIZE] [-c CONNECTIONS] [-d DEPTH] [-r RATE] [-t SECONDS] [-w WARMUP] [-p PID] HOST PORT
 *
 * Closed loop: a connection keeps DEPTH requests outstanding and sends the next when one is answered. A latency counts
 * from the sending. Answers that come together are followed by requests that leave together, so a DEPTH above 1 is
 * pipelining.
 *
 * Open loop, with -r: RATE requests a second are due at fixed moments, in turn over the connections. A latency counts from
 * the moment at which the request was due, also when a slow server kept it from being sent because DEPTH others were
 * outstanding there: what a stall delays is counted, not left out. All requests that were due in the measured interval
 * must be answered, or the run fails.
 *
 * Counting begins after WARMUP seconds and lasts SECONDS, in a closed loop at least until one request is answered. The
 * result is one line of JSON on stdout: requests, seconds, rate, latencies in microseconds, the CPU seconds of this client,
 * and, with -p, those of that process in the interval.
 *
 * Invariants
 * - What a connection sends is one endless stream, cut into requests, and it must come back as it is. A recv asks for a
 *   byte more than can come, so one that is filled shows a byte too many, and one that is not has emptied the socket:
 *   the next bytes raise a new edge.
 * - Bytes are compared: each chunk at both ends, where a lost, doubled or misplaced byte shows because the stream does not
 *   repeat within what may be outstanding; and every CHECK_WHOLE-th chunk whole.
 * - The run ends in bounded time: STALL_SECONDS without an event, a lost connection, and an alarm all end it with an
 *   error.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PERIOD_MIN = 4096,   /* bytes before the stream repeats, at least */
	PERIOD_ODD = 97,     /* makes the period no multiple of a request, so that requests differ */
	EDGE = 16,           /* bytes compared at each end of a chunk */
	CHECK_WHOLE = 64,    /* one chunk in so many is compared whole */
	EVENTS = 256,        /* epoll events taken at once */
	SPIN_NS = 20 * 1000, /* a wait that is shorter than falling asleep and waking up is spun */
	LATE_NS = 5 * 1000 * 1000, /* a warm-up that ends later than this was held up */
	STALL_SECONDS = 5,
	DRAIN_SECONDS = 3,   /* for what is outstanding at the end of an open loop */
	GRACE_SECONDS = 15,  /* for connecting, beyond warm-up and measurement */
	BUCKETS = 64 * 64,   /* 64 for each power of two: 1.6 % wide */
};

static const uint64_t SECOND = 1000 * 1000 * 1000;

struct conn {
	int fd;
	uint64_t base;                /* where in the stream it begins */
	uint64_t sent, got;           /* bytes */
	uint64_t issued, done;        /* requests */
	uint64_t turn;                /* open loop: which of all requests is its next */
	uint64_t *due;                /* ns; of request i at i % depth */
	uint32_t chunks;
};

static struct {
	size_t size, connections, depth;
	double rate, seconds, warmup; /* rate 0: closed loop */
	clockid_t server;
	bool has_server;
	const char *host, *port;
} opt = {.size = 1024, .connections = 10, .depth = 1, .seconds = 1, .warmup = 0.2};

static struct {
	uint64_t start, end;          /* of the open loop's schedule */
	uint64_t next;                /* the first request that has not had its moment */
	uint64_t answered;
} plan;

static struct {
	uint64_t since;               /* requests due before this moment are not counted */
	uint64_t requests, max, latency[BUCKETS];
} count;

static struct conn *conns;
static char *pattern, *buffer;
static size_t period, window;     /* window: bytes that one connection may have outstanding */

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

static void *allocate(size_t n, size_t size) {
	void *p = calloc(n, size);
	if (p == NULL)
		fail("no memory");
	return p;
}

static uint64_t read_clock(clockid_t id) {
	struct timespec t;
	if (clock_gettime(id, &t) < 0)
		fail("cannot read the clock of the server's process: %s", strerror(errno));
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
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

static void count_answer(uint64_t due, uint64_t now) {
	plan.answered++;
	if (due < count.since)
		return;
	count.requests++;
	count.latency[bucket_of(now - due)]++;
	if (now - due > count.max)
		count.max = now - due;
}

/* due_at is the moment of the open loop's k-th request. */
static uint64_t due_at(uint64_t k) { return plan.start + (uint64_t)((double)k * 1e9 / opt.rate); }

/* stream is where the bytes of c from position at on lie; at least a window of them follow. */
static const char *stream(const struct conn *c, uint64_t at) { return pattern + (c->base + at) % period; }

/* push sends what has been issued, as far as the kernel takes it. */
static void push(struct conn *c) {
	while (c->sent < c->issued * opt.size) {
		ssize_t n = send(c->fd, stream(c, c->sent), c->issued * opt.size - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			fail("send: %s", strerror(errno));
		c->sent += (uint64_t)n;
	}
}

/* issue begins the requests that may begin now: as many as DEPTH allows and, in the open loop, as are due. */
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

static void verify(struct conn *c, size_t n) {
	const char *want = stream(c, c->got);
	size_t edge = n < EDGE ? n : EDGE;
	if (c->chunks++ % CHECK_WHOLE == 0)
		edge = n;
	if (memcmp(buffer, want, edge) != 0 || memcmp(buffer + n - edge, want + n - edge, edge) != 0)
		fail("the server sent other bytes than it got, near byte %llu of a connection", (unsigned long long)c->got);
}

/* pull takes what has arrived, counts the requests that it completes, and begins others. */
static void pull(struct conn *c) {
	ssize_t n = recv(c->fd, buffer, c->issued * opt.size - c->got + 1, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		fail("recv: %s", strerror(errno));
	if (n == 0)
		fail("the server closed a connection");
	if ((uint64_t)n > c->sent - c->got)
		fail("the server sent more bytes than it got");
	verify(c, (size_t)n);
	c->got += (uint64_t)n;
	if (c->got < (c->done + 1) * opt.size)
		return;
	uint64_t now = read_clock(CLOCK_MONOTONIC);
	for (; c->got >= (c->done + 1) * opt.size; c->done++)
		count_answer(c->due[c->done % opt.depth], now);
	issue(c, now);
}

/* issue_due begins the open loop's requests whose moment has come, and returns the next moment. */
static uint64_t issue_due(uint64_t now) {
	while (due_at(plan.next) <= now && due_at(plan.next) < plan.end)
		issue(&conns[plan.next++ % opt.connections], now);
	return due_at(plan.next);
}

/* wait_events is epoll_wait with an end in nanoseconds. */
static int wait_events(int ep, struct epoll_event *events, uint64_t now, uint64_t until) {
	uint64_t left = until > now ? until - now : 0;
	if (left < SPIN_NS)
		left = 0;
	if (left > SECOND)
		left = SECOND;
	struct timespec timeout = {.tv_sec = (time_t)(left / SECOND), .tv_nsec = (long)(left % SECOND)};
	int n = epoll_pwait2(ep, events, EVENTS, &timeout, NULL);
	if (n < 0 && errno != EINTR)
		fail("epoll_pwait2: %s", strerror(errno));
	return n;
}

/* serve_until turns the loop until the monotonic clock shows end, or total requests are answered. */
static void serve_until(int ep, uint64_t end, uint64_t total) {
	struct epoll_event events[EVENTS];
	uint64_t now = read_clock(CLOCK_MONOTONIC), heard = now;
	while (now < end && plan.answered < total) {
		uint64_t until = end;
		if (opt.rate > 0) {
			uint64_t due = issue_due(now);
			if (due < end && due < plan.end)
				until = due;
		}
		int n = wait_events(ep, events, now, until);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (c->sent < c->issued * opt.size)
				push(c);
			if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
				pull(c);
		}
		now = read_clock(CLOCK_MONOTONIC);
		bool resting = opt.rate > 0 && plan.answered == plan.next;
		if (n > 0 || resting)
			heard = now;
		if (now - heard > STALL_SECONDS * SECOND)
			fail("the server sent nothing for %d s", STALL_SECONDS);
	}
}

static int dial(void) {
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *addr;
	int err = getaddrinfo(opt.host, opt.port, &hints, &addr);
	if (err != 0)
		fail("%s:%s: %s", opt.host, opt.port, gai_strerror(err));
	int fd = socket(addr->ai_family, SOCK_STREAM, 0), on = 1;
	if (fd < 0)
		fail("socket: %s", strerror(errno));
	if (connect(fd, addr->ai_addr, addr->ai_addrlen) < 0)
		fail("connect to %s:%s: %s", opt.host, opt.port, strerror(errno));
	freeaddrinfo(addr);
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		fail("cannot prepare a socket: %s", strerror(errno));
	return fd;
}

static int connect_all(void) {
	int ep = epoll_create1(0);
	if (ep < 0)
		fail("epoll_create1: %s", strerror(errno));
	conns = allocate(opt.connections, sizeof *conns);
	for (size_t i = 0; i < opt.connections; i++) {
		struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &conns[i]};
		conns[i] = (struct conn){.fd = dial(), .base = i * 31, .turn = i, .due = allocate(opt.depth, sizeof(uint64_t))};
		if (epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &ev) < 0)
			fail("epoll_ctl: %s", strerror(errno));
	}
	return ep;
}

/* prepare makes the stream of bytes, and lets the process wait exactly and hold many connections. */
static void prepare(void) {
	uint64_t x = 88172645463325252u; /* any seed but 0: xorshift64 */
	window = opt.size * opt.depth;
	period = (window < PERIOD_MIN ? PERIOD_MIN : window) + PERIOD_ODD;
	pattern = allocate(period + window, 1);
	buffer = allocate(window + 1, 1);
	for (size_t i = 0; i < period; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		pattern[i] = (char)(x >> 32);
	}
	memcpy(pattern + period, pattern, window);
	prctl(PR_SET_TIMERSLACK, 1ul);
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGALRM, on_alarm);
	alarm((unsigned)(opt.seconds + opt.warmup) + DRAIN_SECONDS + STALL_SECONDS + GRACE_SECONDS);
}

static double number(const char *arg, double min) {
	char *end;
	double v = strtod(arg, &end);
	if (*arg == '\0' || *end != '\0' || !(v >= min))
		fail("\"%s\" is not a number of at least %g", arg, min);
	return v;
}

static void parse(int argc, char **argv) {
	for (int o; (o = getopt(argc, argv, "s:c:d:r:t:w:p:")) != -1;) {
		switch (o) {
		case 's': opt.size = (size_t)number(optarg, 1); break;
		case 'c': opt.connections = (size_t)number(optarg, 1); break;
		case 'd': opt.depth = (size_t)number(optarg, 1); break;
		case 'r': opt.rate = number(optarg, 0.1); break;
		case 't': opt.seconds = number(optarg, 0.001); break;
		case 'w': opt.warmup = number(optarg, 0); break;
		case 'p':
			if (clock_getcpuclockid((pid_t)number(optarg, 1), &opt.server) != 0)
				fail("there is no process %s", optarg);
			opt.has_server = true;
			break;
		default: argc = 0; /* getopt has complained */
		}
	}
	if (argc - optind != 2)
		fail("usage: client [-s SIZE] [-c CONNECTIONS] [-d DEPTH] [-r RATE] [-t SECONDS] [-w WARMUP] [-p PID] HOST PORT");
	opt.host = argv[optind], opt.port = argv[optind + 1];
}

/* drain waits for all that was due, so that no slow answer is left out. */
static void drain(int ep) {
	issue_due(plan.end);
	serve_until(ep, plan.end + DRAIN_SECONDS * SECOND, plan.next);
	if (plan.answered < plan.next)
		fail("the server could not keep up with %g requests a second: %llu of %llu are not answered", opt.rate,
		     (unsigned long long)(plan.next - plan.answered), (unsigned long long)plan.next);
}

int main(int argc, char **argv) {
	parse(argc, argv);
	prepare();
	int ep = connect_all();

	plan.start = read_clock(CLOCK_MONOTONIC);
	uint64_t warm = plan.start + (uint64_t)(opt.warmup * 1e9);
	plan.end = warm + (uint64_t)(opt.seconds * 1e9);
	for (size_t i = 0; i < opt.connections && opt.rate == 0; i++)
		issue(&conns[i], plan.start);
	serve_until(ep, warm, UINT64_MAX);

	memset(&count, 0, sizeof count);
	uint64_t server_cpu = opt.has_server ? read_clock(opt.server) : 0, own_cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t begin = read_clock(CLOCK_MONOTONIC);
	if (begin > warm + LATE_NS) /* this process had to wait for a processor: the interval is not to shrink */
		plan.end = begin + (uint64_t)(opt.seconds * 1e9);
	if (opt.rate > 0)
		count.since = begin;
	serve_until(ep, plan.end, UINT64_MAX);
	if (opt.rate == 0 && count.requests == 0)
		serve_until(ep, plan.end + 2 * STALL_SECONDS * SECOND, plan.answered + 1);
	server_cpu = opt.has_server ? read_clock(opt.server) - server_cpu : 0;
	own_cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - own_cpu;
	double took = (double)(read_clock(CLOCK_MONOTONIC) - begin) / 1e9;
	if (opt.rate > 0)
		drain(ep);

	if (count.requests == 0)
		fail("no request was answered");
	printf("{\"requests\":%llu,\"seconds\":%.4f,\"rate\":%.1f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,"
	       "\"max_us\":%.2f,\"client_cpu\":%.6f,\"server_cpu\":%.6f}\n",
	       (unsigned long long)count.requests, took, (double)count.requests / took, percentile_us(0.5),
	       percentile_us(0.99), percentile_us(0.999), (double)count.max / 1000, (double)own_cpu / 1e9,
	       (double)server_cpu / 1e9);
	return 0;
}
