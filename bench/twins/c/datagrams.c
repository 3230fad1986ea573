/* udp_pummel: senders, each with a receiver, send the next datagram when the last has left. */
#include <netinet/in.h>

#include "twins.h"

struct sender {
	uv_udp_t udp;
	uv_udp_send_t req;
	struct sockaddr_in to;
};

static uv_loop_t loop;
static struct sender senders[PEERS];
static uv_udp_t receivers[PEERS];
static long pairs, left;
static char buffer[64 * 1024];
static char datagram[DATAGRAM_BYTES];

static void close_all(void) {
	for (long i = 0; i < pairs; i++) {
		uv_close(handle(&senders[i].udp), NULL);
		uv_close(handle(&receivers[i]), NULL);
	}
}

static void on_send(uv_udp_send_t *req, int status) {
	struct sender *s = req->data;
	uv_buf_t b = uv_buf_init(datagram, sizeof datagram);
	if (status == UV_ECANCELED)
		return;
	check(status, "send");
	if (left == 0)
		return;
	if (--left == 0) {
		close_all();
		return;
	}
	check(uv_udp_send(&s->req, &s->udp, &b, 1, (struct sockaddr *)&s->to, on_send), "send");
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf) {
	(void)h, (void)hint;
	*buf = uv_buf_init(buffer, sizeof buffer);
}

static void on_recv(uv_udp_t *h, ssize_t n, const uv_buf_t *buf, const struct sockaddr *addr, unsigned flags) {
	(void)h, (void)buf, (void)addr, (void)flags;
	check(n < 0 ? (int)n : 0, "recv");
}

static void pummel(long n, long count) {
	left = n, pairs = count;
	check(uv_loop_init(&loop), "loop");
	for (long i = 0; i < pairs; i++) {
		struct sender *s = &senders[i];
		struct sockaddr_in any;
		int len = sizeof s->to;
		check(uv_ip4_addr("127.0.0.1", 0, &any), "address");
		check(uv_udp_init(&loop, &receivers[i]), "udp");
		check(uv_udp_bind(&receivers[i], (struct sockaddr *)&any, 0), "bind");
		check(uv_udp_getsockname(&receivers[i], (struct sockaddr *)&s->to, &len), "getsockname");
		check(uv_udp_recv_start(&receivers[i], on_alloc, on_recv), "recv_start");
		check(uv_udp_init(&loop, &s->udp), "udp");
		s->req.data = s;
		on_send(&s->req, 0);
	}
	finish(&loop);
}

void udp_pummel_1(long n) { pummel(n, 1); }

void udp_pummel_10(long n) { pummel(n, PEERS); }
