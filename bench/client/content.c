/*
 * The bytes that are sent, and how it is found out whether they have come back: an
 * endless stream that repeats with a period, or, for downloads, a file.
 *
 * Each chunk is compared at both ends, where a lost, doubled or misplaced byte shows
 * because the stream does not repeat within what may be outstanding; now and then a
 * chunk is compared whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"

enum {
	EDGE = 16,           /* bytes compared at each end of a chunk */
	PERIOD_MIN = 4096,   /* bytes before the stream repeats, at least */
	PERIOD_ODD = 97,     /* the period is no multiple of a request: requests differ */
};

static char *pattern;
static size_t period;

void make_content(size_t window) {
	uint64_t x = 88172645463325252u; /* any seed but 0: xorshift64 */
	period = (window < PERIOD_MIN ? PERIOD_MIN : window) + PERIOD_ODD;
	pattern = allocate(period + window, 1);
	for (size_t i = 0; i < period; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		pattern[i] = (char)(x >> 32);
	}
	memcpy(pattern + period, pattern, window);
}

void map_content(const char *file) {
	struct stat st;
	int fd = open(file, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		fail("%s: %s", file, strerror(errno));
	if (st.st_size == 0)
		fail("%s is empty", file);
	period = opt.size = (size_t)st.st_size;
	pattern = mmap(NULL, period, PROT_READ, MAP_SHARED, fd, 0);
	if (pattern == MAP_FAILED)
		fail("%s: %s", file, strerror(errno));
	close(fd);
}

/* content is where the bytes from a position on lie. */
const char *content(uint64_t at) { return pattern + at % period; }

void verify(const char *got, uint64_t at, size_t n, bool whole) {
	const char *want = content(at);
	size_t edge = whole || n < EDGE ? n : EDGE;
	if (memcmp(got, want, edge) != 0 || memcmp(got + n - edge, want + n - edge, edge) != 0)
		fail("the server sent other bytes than it was to, near byte %llu", (unsigned long long)at);
}
