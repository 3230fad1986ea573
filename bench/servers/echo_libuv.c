/*
 * Echo in plain C on libuv: the control that the other servers are measured against.
 *
 *     echo_libuv PORT [READ_KIB]
 *
 * It reads 64 KiB at once, as libuv proposes, or READ_KIB. One read buffer serves every connection, because what is read is
 * written before the next read. The fast path is one uv_try_write and allocates nothing. What the kernel does not take is
 * copied into a request of its own, and reading pauses until it is gone, so a peer that does not read costs one buffer at
 * most.
 * SIGUSR1 gives free memory back to the system and says "freed" on stdout.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { READ_KIB = 64, READ_KIB_MAX = 1024, BACKLOG = 4096 };

struct rest {
	uv_write_t req;
	char data[];
};

static char read_buffer[READ_KIB_MAX * 1024];
static size_t read_bytes = READ_KIB * 1024;

static void check(int err, const char *what) {
	if (err >= 0)
		return;
	fprintf(stderr, "echo_libuv: %s: %s\n", what, uv_strerror(err));
	exit(1);
}

static void on_close(uv_handle_t *h) { free(h); }

static void give_up(uv_stream_t *s) {
	if (!uv_is_closing((uv_handle_t *)s))
		uv_close((uv_handle_t *)s, on_close);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf) {
	(void)h, (void)hint;
	*buf = uv_buf_init(read_buffer, (unsigned)read_bytes);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf);

static void on_written(uv_write_t *req, int status) {
	uv_stream_t *s = req->handle;
	free(req);
	if (status < 0 || uv_read_start(s, on_alloc, on_read) < 0)
		give_up(s);
}

/* write_rest keeps what the kernel has not taken. */
static void write_rest(uv_stream_t *s, const char *data, size_t n) {
	struct rest *r = malloc(sizeof *r + n);
	if (r == NULL) {
		give_up(s);
		return;
	}
	memcpy(r->data, data, n);
	uv_buf_t buf = uv_buf_init(r->data, (unsigned)n);
	uv_read_stop(s);
	if (uv_write(&r->req, s, &buf, 1, on_written) < 0) {
		free(r);
		give_up(s);
	}
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf) {
	if (n < 0) {
		give_up(s);
		return;
	}
	uv_buf_t out = uv_buf_init(buf->base, (unsigned)n);
	int written = n == 0 ? 0 : uv_try_write(s, &out, 1);
	if (written == UV_EAGAIN)
		written = 0;
	if (written < 0)
		give_up(s);
	else if (written < n)
		write_rest(s, buf->base + written, (size_t)(n - written));
}

static void on_connection(uv_stream_t *server, int status) {
	check(status, "accept");
	uv_tcp_t *conn = malloc(sizeof *conn);
	if (conn == NULL)
		check(UV_ENOMEM, "accept");
	check(uv_tcp_init(server->loop, conn), "init");
	if (uv_accept(server, (uv_stream_t *)conn) < 0 || uv_tcp_nodelay(conn, 1) < 0 ||
	    uv_read_start((uv_stream_t *)conn, on_alloc, on_read) < 0)
		give_up((uv_stream_t *)conn);
}

static void on_usr1(uv_signal_t *h, int sig) {
	(void)h, (void)sig;
	malloc_trim(0);
	puts("freed");
	fflush(stdout);
}

int main(int argc, char **argv) {
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t server;
	uv_signal_t usr1;
	struct sockaddr_in addr;
	if (argc == 3)
		read_bytes = (size_t)atoi(argv[2]) * 1024;
	if (argc < 2 || argc > 3 || read_bytes == 0 || read_bytes > sizeof read_buffer) {
		fputs("usage: echo_libuv PORT [READ_KIB]\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	check(uv_signal_init(loop, &usr1), "signal");
	check(uv_signal_start(&usr1, on_usr1, SIGUSR1), "signal");
	check(uv_ip4_addr("127.0.0.1", atoi(argv[1]), &addr), "address");
	check(uv_tcp_init(loop, &server), "init");
	check(uv_tcp_bind(&server, (struct sockaddr *)&addr, 0), "bind");
	check(uv_listen((uv_stream_t *)&server, BACKLOG, on_connection), "listen");
	return uv_run(loop, UV_RUN_DEFAULT);
}
