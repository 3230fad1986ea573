/*
 * Echo in plain C on libuv: the control that the other servers are measured against.
 *
 *     echo_libuv PLACE [READ_KIB [LOOPS]]
 *
 * PLACE is a port on the loopback interface or, with a slash, the path of a Unix socket.
 * It reads 64 KiB at once, as libuv proposes, or READ_KIB. One read buffer serves every
 * connection of a loop, because what is read is written before the next read. The fast
 * path is one uv_try_write and allocates nothing. What the kernel does not take is
 * copied into a request of its own, and reading pauses until it is gone, so a peer that
 * does not read costs one buffer at most. With LOOPS each loop has a thread and a
 * listening socket of its own, and the kernel shares the connections out. SIGUSR1 gives
 * free memory back to the system and says "freed" on stdout.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

enum { READ_KIB = 64, READ_KIB_MAX = 1024, BACKLOG = 4096, LOOPS_MAX = 64 };

struct rest {
	uv_write_t req;
	char data[];
};

union stream {
	uv_stream_t stream;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
};

static const char *place;
static size_t read_bytes = READ_KIB * 1024;
static int loops = 1;
static _Thread_local char read_buffer[READ_KIB_MAX * 1024];

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

/* new_stream makes a handle of the kind that the server listens with. */
static uv_stream_t *new_stream(uv_loop_t *loop, int pipe) {
	union stream *s = malloc(sizeof *s);
	if (s == NULL)
		check(UV_ENOMEM, "stream");
	check(pipe ? uv_pipe_init(loop, &s->pipe, 0) : uv_tcp_init(loop, &s->tcp), "init");
	return &s->stream;
}

static void on_connection(uv_stream_t *server, int status) {
	check(status, "accept");
	int pipe = server->type == UV_NAMED_PIPE;
	uv_stream_t *conn = new_stream(server->loop, pipe);
	if (uv_accept(server, conn) < 0 || (!pipe && uv_tcp_nodelay((uv_tcp_t *)conn, 1) < 0) ||
	    uv_read_start(conn, on_alloc, on_read) < 0)
		give_up(conn);
}

/* bind_port lets the other loops listen on the port, too. */
static void bind_port(uv_loop_t *loop, uv_tcp_t *server) {
	struct sockaddr_in addr;
	uv_os_fd_t fd;
	int on = 1;
	check(uv_ip4_addr("127.0.0.1", atoi(place), &addr), "address");
	check(uv_tcp_init_ex(loop, server, AF_INET), "init");
	check(uv_fileno((uv_handle_t *)server, &fd), "socket");
	if (loops > 1 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
		check(UV_EINVAL, "SO_REUSEPORT");
	check(uv_tcp_bind(server, (struct sockaddr *)&addr, 0), "bind");
}

static void serve(uv_loop_t *loop) {
	union stream server;
	if (strchr(place, '/') != NULL) {
		check(uv_pipe_init(loop, &server.pipe, 0), "init");
		check(uv_pipe_bind(&server.pipe, place), "bind");
	} else {
		bind_port(loop, &server.tcp);
	}
	check(uv_listen(&server.stream, BACKLOG, on_connection), "listen");
	uv_run(loop, UV_RUN_DEFAULT);
}

static void serve_beside(void *arg) {
	uv_loop_t loop;
	(void)arg;
	check(uv_loop_init(&loop), "loop");
	serve(&loop);
}

static void on_usr1(uv_signal_t *h, int sig) {
	(void)h, (void)sig;
	malloc_trim(0);
	puts("freed");
	fflush(stdout);
}

static int parse(int argc, char **argv) {
	if (argc < 2 || argc > 4)
		return 0;
	place = argv[1];
	if (argc > 2)
		read_bytes = (size_t)atoi(argv[2]) * 1024;
	if (argc > 3)
		loops = atoi(argv[3]);
	return read_bytes > 0 && read_bytes <= sizeof read_buffer && loops > 0 && loops <= LOOPS_MAX;
}

int main(int argc, char **argv) {
	uv_loop_t *loop = uv_default_loop();
	uv_signal_t usr1;
	uv_thread_t thread;
	if (!parse(argc, argv)) {
		fputs("usage: echo_libuv PLACE [READ_KIB [LOOPS]]\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	check(uv_signal_init(loop, &usr1), "signal");
	check(uv_signal_start(&usr1, on_usr1, SIGUSR1), "signal");
	for (int i = 1; i < loops; i++)
		check(uv_thread_create(&thread, serve_beside, NULL), "thread");
	serve(loop);
}
