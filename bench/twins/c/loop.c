/* The loop's own: wake-ups by another thread, timers, turns. */
#include "twins.h"

/* ---- async: two loops on two threads wake each other in turn */

struct side {
	uv_loop_t loop;
	uv_async_t async;
	struct side *other;
	long left;
};

static void on_async(uv_async_t *a) {
	struct side *s = a->data;
	s->left--;
	uv_async_send(&s->other->async);
	if (s->left == 0)
		uv_close(handle(a), NULL);
}

static void side_init(struct side *s, struct side *other, long n) {
	s->other = other, s->left = n;
	check(uv_loop_init(&s->loop), "loop");
	check(uv_async_init(&s->loop, &s->async, on_async), "async");
	s->async.data = s;
}

static void side_run(void *arg) { check(uv_run(&((struct side *)arg)->loop, UV_RUN_DEFAULT), "run"); }

/* The loops are closed when both threads are done: the last wake-up goes to a handle that
 * is closed already, and its memory must be there. */
void async_1(long n) {
	static struct side here, there;
	uv_thread_t thread;
	side_init(&here, &there, n);
	side_init(&there, &here, n);
	check(uv_thread_create(&thread, side_run, &there), "thread");
	uv_async_send(&here.async);
	side_run(&here);
	uv_thread_join(&thread);
	check(uv_loop_close(&here.loop), "close");
	check(uv_loop_close(&there.loop), "close");
}

/* ---- million_timers: all are started, and then all fire */

static long fired;

static void on_timer(uv_timer_t *t) {
	fired++;
	uv_close(handle(t), NULL);
}

void million_timers(long n) {
	uv_loop_t loop;
	uv_timer_t *timers = malloc((size_t)n * sizeof *timers);
	fired = 0;
	check(uv_loop_init(&loop), "loop");
	for (long i = 0; i < n; i++) {
		check(uv_timer_init(&loop, &timers[i]), "timer");
		check(uv_timer_start(&timers[i], on_timer, (uint64_t)i / 10000, 0), "timer");
	}
	finish(&loop);
	free(timers);
	check(fired == n ? 0 : UV_EPROTO, "a timer has not fired");
}

/* ---- loop_count: turns with an idle handle */

static void on_idle(uv_idle_t *h) {
	long *left = h->data;
	if (--*left == 0)
		uv_close(handle(h), NULL);
}

void loop_count(long n) {
	uv_loop_t loop;
	uv_idle_t idle = {.data = &n};
	check(uv_loop_init(&loop), "loop");
	check(uv_idle_init(&loop, &idle), "idle");
	check(uv_idle_start(&idle, on_idle), "idle");
	finish(&loop);
}
