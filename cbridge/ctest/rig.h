// The rig of the harness: what every scenario stands on. It submits operations and takes
// records as package uv does, and keeps what it has heard of every slot.
#ifndef ASYNCIO_BRIDGE_RIG_H
#define ASYNCIO_BRIDGE_RIG_H

#include "../requests.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x)                                                        \
  do {                                                                  \
    if (!(x)) {                                                         \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #x);   \
      abort();                                                          \
    }                                                                   \
  } while (0)

enum { SLOTS_MAX = 1024, JOBS_MAX = 64 };

// What is known of a slot.
typedef struct {
  uint32_t gen;
  int closed, connected, connect_status, eof, failed, shut, accepted, accept_errors;
  int polled, events;
  int exited, signal, code;
  int datagrams, partial, recv_errors, unsent, gone, send_errors, stuck;
  uint64_t bad;    // the last datagram that could not be sent
  uint64_t epoch;
  size_t in, left, written;
  uint64_t child;  // the last connection accepted
  uint32_t sum;    // of the bytes read
  int changes;     // of files
  char name[256];  // of the last, "" if it had none
} seen;

extern br_loop *loop;
extern br_shared *sh;
extern uint32_t nops, consumed;  // operations submitted, records taken
extern seen slots[SLOTS_MAX];
extern int told;  // errors in records

// What is known of a job, by the slot of its id.
typedef struct {
  uint64_t id;  // 0: none
  int done, status;
} job;

extern job jobs[JOBS_MAX];

// What reads a stream that brings much: pull, unless a scenario changes it.
extern void (*reads)(uint64_t id);

void pull(uint64_t id);
seen *of(uint64_t id);
br_op *submit(int kind, uint64_t id);
void know(uint64_t id);
job *began(uint64_t id);
void turn(int64_t timeout_ms);
void begin(void);
void end(void);
uint64_t tcp(void);
uint64_t listener(struct sockaddr_in *addr, int room);
void pair(uint64_t *client, uint64_t *server);

#define UNTIL(cond)                                       \
  do {                                                    \
    for (int turns = 0; !(cond); turns++) {               \
      CHECK(turns < 3000);                              \
      turn(turns < 100 ? 0 : 1);                          \
    }                                                     \
  } while (0)

#endif
