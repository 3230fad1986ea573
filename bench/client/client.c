/*
 * A load client for servers: every connection sends requests of SIZE bytes and waits for
 * the same bytes to come back. One thread, epoll, one recv per event.
 *
 *     client [-s SIZE] [-c CONNECTIONS] [-d DEPTH] [-r RATE] [-t SECONDS] [-w WARMUP] [-p PID]
 *            [-u | -x | -f FILE] HOST PORT
 *     client ... PATH
 *
 * Closed loop: a connection keeps DEPTH requests outstanding and sends the next when one
 * is answered. A latency counts from the sending. Answers that come together are
 * followed by requests that leave together, so a DEPTH above 1 is pipelining.
 *
 * Open loop, with -r: RATE requests a second are due at fixed moments, in turn over the
 * connections. A latency counts from the moment at which the request was due, also when
 * a slow server kept it from being sent because DEPTH others were outstanding there:
 * what a stall delays is counted, not left out. All requests that were due in the
 * measured interval must be answered, or the run fails.
 *
 * -u sends datagrams. -x takes a fresh connection for each request: a request begins
 * with the call to connect, and when it is answered the connection is closed. With -f a
 * request is one byte, and its answer the contents of FILE. A PATH is that of a Unix
 * socket.
 *
 * Counting begins after WARMUP seconds and lasts SECONDS, in a closed loop at least
 * until one request is answered. Downloads are few, so there the interval begins and
 * ends when one is complete. The result is one line of JSON on stdout: requests,
 * seconds, rate, latencies in microseconds, the datagrams that were sent again, the CPU
 * seconds of this client, and, with -p, those of that process in the interval.
 *
 * Invariants
 * - What comes back is compared with what it must be: content.c.
 * - The run ends in bounded time: STALL_SECONDS without an event, a lost connection, and
 *   an alarm all end it with an error. A lost datagram is sent again: datagram.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"

enum {
	EVENTS = 256,        /* epoll events taken at once */
	SPIN_NS = 20 * 1000, /* what falling asleep and waking up takes: it is spun */
	LATE_NS = 5 * 1000 * 1000, /* a warm-up that ends later than this was held up */
	STALL_SECONDS = 5,
	DRAIN_SECONDS = 3,   /* for what is outstanding at the end of an open loop */
	GRACE_SECONDS = 15,  /* for connecting, beyond warm-up and measurement */
};

struct options opt = {.size = 1024, .connections = 10, .depth = 1, .seconds = 1, .warmup = 0.2, .mode = &stream_mode};

/* meters are what is read at both ends of the interval. */
struct meters {
	uint64_t server, own, clock;
};

void fail(const char *format, ...) {
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

void *allocate(size_t n, size_t size) {
	void *p = calloc(n, size);
	if (p == NULL)
		fail("no memory");
	return p;
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

/*
 * serve_until turns the loop until the monotonic clock shows end, or total requests are
 * answered.
 */
static void serve_until(int ep, uint64_t end, uint64_t total) {
	struct epoll_event events[EVENTS];
	uint64_t now = read_clock(CLOCK_MONOTONIC), heard = now;
	while (now < end && plan.answered < total) {
		uint64_t due = opt.mode->tick(now);
		int n = wait_events(ep, events, now, due < end ? due : end);
		for (int i = 0; i < n; i++)
			opt.mode->ready(ep, events[i].data.ptr, events[i].events);
		now = read_clock(CLOCK_MONOTONIC);
		bool resting = opt.rate > 0 && plan.answered == plan.next;
		if (n > 0 || resting)
			heard = now;
		if (now - heard > STALL_SECONDS * SECOND)
			fail("the server sent nothing for %d s", STALL_SECONDS);
	}
}

/* serve_one waits for the answer to one request more. */
static void serve_one(int ep) {
	serve_until(ep, read_clock(CLOCK_MONOTONIC) + 2 * STALL_SECONDS * SECOND, plan.answered + 1);
}

/* drain waits for all that was due, so that no slow answer is left out. */
static void drain(int ep) {
	opt.mode->tick(plan.end);
	serve_until(ep, plan.end + DRAIN_SECONDS * SECOND, plan.next);
	if (plan.answered < plan.next)
		fail("the server could not keep up with %g requests a second: %llu of %llu are not answered", opt.rate,
		     (unsigned long long)(plan.next - plan.answered), (unsigned long long)plan.next);
}

static struct meters read_meters(void) {
	return (struct meters){.server = opt.has_server ? read_clock(opt.server) : 0,
	                       .own = read_clock(CLOCK_PROCESS_CPUTIME_ID),
	                       .clock = read_clock(CLOCK_MONOTONIC)};
}

/* measure is the whole run; it returns what the meters have moved in the interval. */
static struct meters measure(int ep) {
	plan.start = read_clock(CLOCK_MONOTONIC);
	uint64_t warm = plan.start + (uint64_t)(opt.warmup * 1e9);
	plan.end = warm + (uint64_t)(opt.seconds * 1e9);
	opt.mode->start(ep, plan.start);
	serve_until(ep, warm, UINT64_MAX);
	if (opt.file != NULL)
		serve_one(ep);

	memset(&count, 0, sizeof count);
	struct meters begin = read_meters();
	/* What waited for an answer or a processor is not to shrink the interval. */
	if (opt.file != NULL || begin.clock > warm + LATE_NS)
		plan.end = begin.clock + (uint64_t)(opt.seconds * 1e9);
	if (opt.rate > 0)
		count.since = begin.clock;
	serve_until(ep, plan.end, UINT64_MAX);
	if (opt.rate == 0 && (opt.file != NULL || count.requests == 0))
		serve_one(ep);
	struct meters end = read_meters();
	if (opt.rate > 0)
		drain(ep);
	return (struct meters){end.server - begin.server, end.own - begin.own, end.clock - begin.clock};
}

/* prepare lets the process wait exactly, hold many connections, and end in time. */
static void prepare(void) {
	struct rlimit files;
	prctl(PR_SET_TIMERSLACK, 1ul);
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

static void set(int option, const char *arg) {
	switch (option) {
	case 's': opt.size = (size_t)number(arg, 1); break;
	case 'c': opt.connections = (size_t)number(arg, 1); break;
	case 'd': opt.depth = (size_t)number(arg, 1); break;
	case 'r': opt.rate = number(arg, 0.1); break;
	case 't': opt.seconds = number(arg, 0.001); break;
	case 'w': opt.warmup = number(arg, 0); break;
	case 'u': opt.mode = &datagram_mode; break;
	case 'x': opt.fresh = true; break;
	case 'f': opt.file = arg; break;
	case 'p':
		if (clock_getcpuclockid((pid_t)number(arg, 1), &opt.server) != 0)
			fail("there is no process %s", arg);
		opt.has_server = true;
		break;
	default: exit(1); /* getopt has complained */
	}
}

static void parse(int argc, char **argv) {
	for (int o; (o = getopt(argc, argv, "s:c:d:r:t:w:p:uxf:")) != -1;)
		set(o, optarg);
	int left = argc - optind, special = (opt.mode == &datagram_mode) + opt.fresh + (opt.file != NULL);
	bool path = left == 1 && strchr(argv[optind], '/') != NULL && opt.mode == &stream_mode;
	if (!path && left != 2)
		fail("usage: client [-s SIZE] [-c CONNECTIONS] [-d DEPTH] [-r RATE] [-t SECONDS] [-w WARMUP] [-p PID] "
		     "[-u | -x | -f FILE] HOST PORT or PATH");
	if (special > 1 || (special > 0 && opt.rate > 0) || ((opt.fresh || opt.file != NULL) && opt.depth > 1))
		fail("-u, -x and -f exclude each other and -r; -x and -f have one request at a time on a connection");
	opt.host = argv[optind];
	opt.port = path ? NULL : argv[optind + 1];
	if (opt.file != NULL)
		map_content(opt.file);
	else
		make_content(opt.size * opt.depth);
}

int main(int argc, char **argv) {
	parse(argc, argv);
	prepare();
	int ep = epoll_create1(0);
	if (ep < 0)
		fail("epoll_create1: %s", strerror(errno));
	opt.mode->open(ep);
	struct meters took = measure(ep);
	if (count.requests == 0)
		fail("no request was answered");
	double seconds = (double)took.clock / 1e9;
	printf("{\"requests\":%llu,\"seconds\":%.4f,\"rate\":%.1f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,"
	       "\"max_us\":%.2f,\"resent\":%llu,\"client_cpu\":%.6f,\"server_cpu\":%.6f}\n",
	       (unsigned long long)count.requests, seconds, (double)count.requests / seconds, percentile_us(0.5),
	       percentile_us(0.99), percentile_us(0.999), (double)count.max / 1000, (unsigned long long)count.resent,
	       (double)took.own / 1e9, (double)took.server / 1e9);
	return 0;
}
