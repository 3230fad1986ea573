/* The pool and children. */
#include "twins.h"

static uv_loop_t loop;
static long left;

/* ---- fs_stat: PEERS requests under way, each asks again when it is answered */

static void on_stat(uv_fs_t *req) {
	check((int)req->result, "stat");
	uv_fs_req_cleanup(req);
	if (left == 0)
		return;
	left--;
	check(uv_fs_stat(&loop, req, ".", on_stat), "stat");
}

void fs_stat(long n) {
	static uv_fs_t reqs[PEERS];
	left = n - PEERS;
	check(uv_loop_init(&loop), "loop");
	for (int i = 0; i < PEERS; i++)
		check(uv_fs_stat(&loop, &reqs[i], ".", on_stat), "stat");
	finish(&loop);
}

/* ---- spawn: one child after the other */

static uv_process_t child;

static void next_child(void);

static void on_child_close(uv_handle_t *h) {
	(void)h;
	if (--left > 0)
		next_child();
}

static void on_child_exit(uv_process_t *p, int64_t status, int sig) {
	check(status == 0 && sig == 0 ? 0 : UV_EPROTO, "the child has failed");
	uv_close(handle(p), on_child_close);
}

static void next_child(void) {
	char *args[] = {"/bin/true", NULL};
	uv_process_options_t opt = {.file = args[0], .args = args, .exit_cb = on_child_exit};
	check(uv_spawn(&loop, &child, &opt), "spawn");
}

void spawn(long n) {
	left = n;
	check(uv_loop_init(&loop), "loop");
	next_child();
	finish(&loop);
}
