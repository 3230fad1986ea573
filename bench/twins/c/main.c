/*
 * What libuv's own benchmarks do, in plain C: the control of the same works on package uv.
 *
 *     twins SECONDS
 *
 * Each work is done n times, n doubling until that took SECONDS of the process's CPU time,
 * all threads together; the last run counts. It prints nanoseconds per operation as one
 * line of JSON.
 */
#include <sys/resource.h>

#include "twins.h"

struct twin {
	const char *name;
	void (*run)(long n);
	long from; /* the first n */
};

static const struct twin twins[] = {
	{"ping_pongs", ping_pongs, 1000},
	{"tcp_pump, 64 KiB", tcp_pump, 1000},
	{"pipe_pump, 64 KiB", pipe_pump, 1000},
	{"tcp_write_batch", tcp_write_batch, 1000},
	{"udp_pummel, 1 to 1", udp_pummel_1, 1000},
	{"udp_pummel, 10 to 10", udp_pummel_10, 1000},
	{"async", async_1, 1000},
	{"million_timers", million_timers, 1000000},
	{"loop_count", loop_count, 1000},
	{"fs_stat", fs_stat, 1000},
	{"spawn", spawn, 50},
};

static double cpu_ns(void) {
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return 1e9 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e3 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double ns_per_operation(const struct twin *t, double at_least) {
	for (long n = t->from;; n *= 2) {
		double begin = cpu_ns();
		t->run(n);
		double took = cpu_ns() - begin;
		if (took >= at_least)
			return took / (double)n;
	}
}

int main(int argc, char **argv) {
	double seconds = argc == 2 ? atof(argv[1]) : 0;
	if (seconds <= 0) {
		fprintf(stderr, "usage: %s SECONDS\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < sizeof twins / sizeof *twins; i++) {
		double ns = ns_per_operation(&twins[i], seconds * 1e9);
		printf("%s\"%s\":%.1f", i == 0 ? "{" : ",", twins[i].name, ns);
	}
	puts("}");
	return 0;
}
