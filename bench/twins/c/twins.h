/* What the files of this folder have in common: see main.c. */
#ifndef TWINS_H
#define TWINS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { PIECE_BYTES = 64 * 1024, WRITE_BYTES = 100, DATAGRAM_BYTES = 64, PEERS = 10 };

/* Each does its work n times, with a loop of its own, and returns when all is over. */
void ping_pongs(long n);
void tcp_pump(long n);
void pipe_pump(long n);
void tcp_write_batch(long n);
void udp_pummel_1(long n);
void udp_pummel_10(long n);
void async_1(long n);
void million_timers(long n);
void loop_count(long n);
void fs_stat(long n);
void spawn(long n);

static inline void check(int err, const char *what) {
	if (err >= 0)
		return;
	fprintf(stderr, "twins: %s: %s\n", what, uv_strerror(err));
	exit(1);
}

static inline uv_stream_t *stream(void *h) { return (uv_stream_t *)h; }

static inline uv_handle_t *handle(void *h) { return (uv_handle_t *)h; }

/* finish runs the loop until nothing is left of it. */
static inline void finish(uv_loop_t *l) {
	check(uv_run(l, UV_RUN_DEFAULT), "run");
	check(uv_loop_close(l), "close the loop");
}

#endif
