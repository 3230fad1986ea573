/* Clocks, and the latencies of what is answered. */
#include <errno.h>
#include <string.h>

#include "client.h"

struct plan plan;
struct count count;

uint64_t read_clock(clockid_t id) {
	struct timespec t;
	if (clock_gettime(id, &t) < 0)
		fail("cannot read the clock of the server's process: %s", strerror(errno));
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/*
 * bucket_of and value_of are a histogram's scale: exact below 128 ns, then 64 steps for
 * each power of two.
 */
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

double percentile_us(double p) {
	uint64_t below = 0, rank = (uint64_t)(p * (double)count.requests);
	for (unsigned i = 0; i < BUCKETS; i++) {
		below += count.latency[i];
		if (below > rank)
			return value_of(i) / 1000;
	}
	return 0;
}

void count_answer(uint64_t due, uint64_t now) {
	plan.answered++;
	if (due < count.since)
		return;
	count.requests++;
	count.latency[bucket_of(now - due)]++;
	if (now - due > count.max)
		count.max = now - due;
}
