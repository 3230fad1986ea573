/*
 * Echo of datagrams: every socket has DEPTH slots, and each of them is a closed loop: it
 * sends a datagram, waits for it to come back, and sends the next.
 *
 * A datagram begins with its number, and number n belongs to slot n % DEPTH; the rest is
 * content that depends on the number and the socket. What is not answered in RESEND_NS
 * is sent again with its number, so a lost datagram costs that time and nothing else.
 * The answer that comes late counts; the second one, and any other that nobody waits
 * for, does not. A latency counts from the first sending.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "client.h"

enum { NUMBER_BYTES = sizeof(uint64_t) };

static const uint64_t RESEND_NS = 50 * 1000 * 1000;
static const uint64_t LOOK_NS = 10 * 1000 * 1000; /* how often it is looked for them */

struct slot {
	uint64_t number;
	uint64_t due, sent;           /* ns: the first and the last sending */
};

struct sock {
	int fd;
	uint64_t base;                /* makes its datagrams differ from others' */
	uint32_t chunks;
	struct slot *slots;
};

static struct sock *socks;
static char *message;             /* one byte more than a datagram has */
static uint64_t look;             /* the next moment to look for what was not answered */

static size_t rest_of(void) { return opt.size - NUMBER_BYTES; }

/*
 * transmit sends a slot's datagram. What the kernel does not take now is sent again like
 * one that was lost.
 */
static void transmit(struct sock *s, struct slot *slot, uint64_t now) {
	memcpy(message, &slot->number, NUMBER_BYTES);
	memcpy(message + NUMBER_BYTES, content(s->base + slot->number), rest_of());
	slot->sent = now;
	ssize_t n = send(s->fd, message, opt.size, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != ENOBUFS)
		fail("send: %s", strerror(errno));
}

static void datagram_ready(int ep, void *socket, uint32_t events) {
	(void)ep, (void)events;
	struct sock *s = socket;
	ssize_t n = recv(s->fd, message, opt.size + 1, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		fail("recv: %s", strerror(errno));
	if ((size_t)n != opt.size)
		fail("the server sent a datagram of another size than it got");
	uint64_t number;
	memcpy(&number, message, NUMBER_BYTES);
	verify(message + NUMBER_BYTES, s->base + number, rest_of(), s->chunks++ % CHECK_WHOLE == 0);
	struct slot *slot = &s->slots[number % opt.depth];
	if (slot->number != number)
		return;
	uint64_t now = read_clock(CLOCK_MONOTONIC);
	count_answer(slot->due, now);
	slot->number += opt.depth;
	slot->due = now;
	transmit(s, slot, now);
}

/* datagram_tick sends again what was not answered. */
static uint64_t datagram_tick(uint64_t now) {
	if (now < look)
		return look;
	for (size_t i = 0; i < opt.connections; i++)
		for (size_t k = 0; k < opt.depth; k++)
			if (now - socks[i].slots[k].sent > RESEND_NS) {
				transmit(&socks[i], &socks[i].slots[k], now);
				count.resent++;
			}
	return look = now + LOOK_NS;
}

static void datagram_open(int ep) {
	if (opt.size <= NUMBER_BYTES)
		fail("a datagram has more than %d bytes", (int)NUMBER_BYTES);
	message = allocate(opt.size + 1, 1);
	socks = allocate(opt.connections, sizeof *socks);
	for (size_t i = 0; i < opt.connections; i++) {
		socks[i] = (struct sock){.fd = dial(SOCK_DGRAM, i), .base = i * 31, .slots = allocate(opt.depth, sizeof(struct slot))};
		watch(ep, socks[i].fd, EPOLLIN, &socks[i]);
	}
}

static void datagram_start(int ep, uint64_t now) {
	(void)ep;
	for (size_t i = 0; i < opt.connections; i++)
		for (size_t k = 0; k < opt.depth; k++) {
			socks[i].slots[k] = (struct slot){.number = k, .due = now};
			transmit(&socks[i], &socks[i].slots[k], now);
		}
}

const struct mode datagram_mode = {datagram_open, datagram_start, datagram_ready, datagram_tick};
