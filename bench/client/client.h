/* What the files of the load client share. client.c tells its story. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
	CHECK_WHOLE = 64,    /* one chunk of bytes in so many is compared whole */
	BUCKETS = 64 * 64,   /* 64 for each power of two: 1.6 % wide */
};

static const uint64_t SECOND = 1000 * 1000 * 1000;

/*
 * A way to load a server. Events of a socket come with the pointer that open has given
 * to epoll.
 */
struct mode {
	void (*open)(int ep);                /* makes the sockets */
	void (*start)(int ep, uint64_t now); /* begins the requests */
	void (*ready)(int ep, void *socket, uint32_t events);
	uint64_t (*tick)(uint64_t now);      /* does what is due; when is the next? */
};

extern const struct mode stream_mode, datagram_mode;

struct options {
	size_t size, connections, depth;
	double rate, seconds, warmup; /* rate 0: closed loop */
	clockid_t server;
	bool has_server;
	bool fresh;                   /* a connection for each request */
	const char *file;             /* answers are this file, requests one byte */
	const char *host, *port;      /* port NULL: host is the path of a Unix socket */
	const struct mode *mode;
};

struct plan {
	uint64_t start, end;          /* of the open loop's schedule */
	uint64_t next;                /* the first request that has not had its moment */
	uint64_t answered;
};

struct count {
	uint64_t since;               /* requests due before this moment are not counted */
	uint64_t requests;
	uint64_t resent;              /* datagrams that were not answered in time */
	uint64_t max, latency[BUCKETS];
};

extern struct options opt;
extern struct plan plan;
extern struct count count;

/* client.c */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void *allocate(size_t n, size_t size);

/* count.c */
uint64_t read_clock(clockid_t id);
void count_answer(uint64_t due, uint64_t now);
double percentile_us(double p);

/* content.c */
void make_content(size_t window);        /* at least a window follows every position */
void map_content(const char *file);      /* content is that file, opt.size its size */
const char *content(uint64_t at);
void verify(const char *got, uint64_t at, size_t n, bool whole);

/* dial.c */
int dial(int type, uint64_t turn);       /* turn: chooses a source address */
void watch(int ep, int fd, uint32_t events, void *socket);

#endif
