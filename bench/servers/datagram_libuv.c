/*
 * Echo of datagrams in plain C on libuv: the control of the other servers.
 *
 *     datagram_libuv PORT recvmmsg|plain
 *
 * With recvmmsg libuv receives up to as many datagrams with one system call as the
 * buffer has room for, plain one with each. Each is sent back with uv_udp_try_send, one
 * system call each. What the kernel does not take is dropped, as a network would.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { DATAGRAM_BYTES_MAX = 64 * 1024, DATAGRAMS = 20 }; /* libuv takes no more at once */

static char buffer[DATAGRAMS * DATAGRAM_BYTES_MAX];
static size_t buffer_bytes = DATAGRAM_BYTES_MAX;

static void check(int err, const char *what) {
	if (err >= 0)
		return;
	fprintf(stderr, "datagram_libuv: %s: %s\n", what, uv_strerror(err));
	exit(1);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf) {
	(void)h, (void)hint;
	*buf = uv_buf_init(buffer, (unsigned)buffer_bytes);
}

static void on_recv(uv_udp_t *u, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags) {
	(void)flags;
	if (from == NULL) /* nothing more for now, or an error that a client causes */
		return;
	uv_buf_t out = uv_buf_init(buf->base, (unsigned)n);
	int err = uv_udp_try_send(u, &out, 1, from);
	if (err != UV_EAGAIN && err != UV_ECONNREFUSED)
		check(err, "send");
}

int main(int argc, char **argv) {
	uv_loop_t *loop = uv_default_loop();
	uv_udp_t server;
	struct sockaddr_in addr;
	if (argc != 3 || (strcmp(argv[2], "recvmmsg") != 0 && strcmp(argv[2], "plain") != 0)) {
		fputs("usage: datagram_libuv PORT recvmmsg|plain\n", stderr);
		return 2;
	}
	unsigned flags = AF_INET;
	if (strcmp(argv[2], "recvmmsg") == 0) {
		flags |= UV_UDP_RECVMMSG;
		buffer_bytes = sizeof buffer;
	}
	check(uv_ip4_addr("127.0.0.1", atoi(argv[1]), &addr), "address");
	check(uv_udp_init_ex(loop, &server, flags), "init");
	check(uv_udp_bind(&server, (struct sockaddr *)&addr, 0), "bind");
	check(uv_udp_recv_start(&server, on_alloc, on_recv), "receive");
	return uv_run(loop, UV_RUN_DEFAULT);
}
