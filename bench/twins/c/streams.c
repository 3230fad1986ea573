/* Streams: one connection of a loop to itself. */
#include <netinet/in.h>

#include "twins.h"

union socket {
	uv_stream_t stream;
	uv_tcp_t tcp;
	uv_pipe_t pipe;
};

/* What happens when both ends are there, and with what an end has read. */
struct work {
	void (*begin)(void);
	void (*read)(uv_stream_t *s, ssize_t n);
};

static uv_loop_t loop;
static union socket listener, client, server;
static struct work work;
static int ends;
static long left;     /* operations */
static long in_flight; /* writes that have not been called back */
static char buffer[PIECE_BYTES];
static char piece[PIECE_BYTES];

static void close_all(void) {
	uv_close(handle(&client), NULL);
	uv_close(handle(&server), NULL);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf) {
	(void)h, (void)hint;
	*buf = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf) {
	(void)buf;
	check(n < 0 ? (int)n : 0, "read");
	work.read(s, n);
}

static void end_is_there(void) {
	if (++ends == 2)
		work.begin();
}

static void on_connect(uv_connect_t *req, int status) {
	check(status, "connect");
	check(uv_read_start(req->handle, on_alloc, on_read), "read_start");
	end_is_there();
}

static void on_connection(uv_stream_t *s, int status) {
	check(status, "accept");
	check(uv_accept(s, &server.stream), "accept");
	uv_close(handle(s), NULL);
	check(uv_read_start(&server.stream, on_alloc, on_read), "read_start");
	end_is_there();
}

static void run_tcp(struct work w, long n) {
	static uv_connect_t req;
	struct sockaddr_in addr;
	int len = sizeof addr;
	work = w, left = n, ends = 0, in_flight = 0;
	check(uv_loop_init(&loop), "loop");
	check(uv_tcp_init(&loop, &listener.tcp), "tcp");
	check(uv_tcp_init(&loop, &client.tcp), "tcp");
	check(uv_tcp_init(&loop, &server.tcp), "tcp");
	check(uv_ip4_addr("127.0.0.1", 0, &addr), "address");
	check(uv_tcp_bind(&listener.tcp, (struct sockaddr *)&addr, 0), "bind");
	check(uv_listen(&listener.stream, 1, on_connection), "listen");
	check(uv_tcp_getsockname(&listener.tcp, (struct sockaddr *)&addr, &len), "getsockname");
	check(uv_tcp_connect(&req, &client.tcp, (struct sockaddr *)&addr, on_connect), "connect");
	finish(&loop);
}

static void run_pipe(struct work w, long n) {
	static uv_connect_t req;
	char path[64];
	snprintf(path, sizeof path, "/tmp/twins-%d.sock", (int)getpid());
	work = w, left = n, ends = 0, in_flight = 0;
	check(uv_loop_init(&loop), "loop");
	check(uv_pipe_init(&loop, &listener.pipe, 0), "pipe");
	check(uv_pipe_init(&loop, &client.pipe, 0), "pipe");
	check(uv_pipe_init(&loop, &server.pipe, 0), "pipe");
	check(uv_pipe_bind(&listener.pipe, path), "bind");
	check(uv_listen(&listener.stream, 1, on_connection), "listen");
	uv_pipe_connect(&req, &client.pipe, path, on_connect);
	finish(&loop);
}

static void on_write(uv_write_t *req, int status) {
	(void)req;
	check(status, "write");
}

/* ---- ping_pongs: five bytes there and back */

static void ping(uv_stream_t *s) {
	static uv_write_t reqs[2];
	uv_buf_t b = uv_buf_init("PING\n", 5);
	check(uv_write(&reqs[s == &client.stream], s, &b, 1, on_write), "write");
}

static void ping_begin(void) { ping(&client.stream); }

static void ping_read(uv_stream_t *s, ssize_t n) {
	(void)n; /* five bytes of the loopback come whole */
	if (s == &client.stream && --left == 0)
		close_all();
	else
		ping(s);
}

void ping_pongs(long n) { run_tcp((struct work){ping_begin, ping_read}, n); }

/* ---- tcp_pump, pipe_pump: pieces of 64 KiB, one after the other */

static ssize_t to_come;

static void pump(uv_write_t *req, int status) {
	uv_buf_t b = uv_buf_init(piece, sizeof piece);
	check(status, "write");
	if (left-- > 0)
		check(uv_write(req, &client.stream, &b, 1, pump), "write");
}

static void pump_begin(void) {
	static uv_write_t req;
	to_come = (ssize_t)left * PIECE_BYTES;
	pump(&req, 0);
}

static void pump_read(uv_stream_t *s, ssize_t n) {
	(void)s;
	if ((to_come -= n) == 0)
		close_all();
}

void tcp_pump(long n) { run_tcp((struct work){pump_begin, pump_read}, n); }

void pipe_pump(long n) { run_pipe((struct work){pump_begin, pump_read}, n); }

/* ---- tcp_write_batch: all writes are asked for before the loop goes on */

static uv_write_t *batch;

static void on_batch_write(uv_write_t *req, int status) {
	(void)req;
	check(status, "write");
	in_flight--;
}

static void batch_begin(void) {
	uv_buf_t b = uv_buf_init(piece, WRITE_BYTES);
	to_come = (ssize_t)left * WRITE_BYTES;
	batch = calloc((size_t)left, sizeof *batch);
	for (in_flight = 0; in_flight < left; in_flight++)
		check(uv_write(&batch[in_flight], &client.stream, &b, 1, on_batch_write), "write");
}

void tcp_write_batch(long n) {
	run_tcp((struct work){batch_begin, pump_read}, n);
	free(batch);
	check(in_flight == 0 ? 0 : UV_EPROTO, "a write was not called back");
}
