// Every scenario ends with all handles closed, all slots given back, and every allocation
// freed.
#ifndef ASYNCIO_BRIDGE_SCENARIOS_H
#define ASYNCIO_BRIDGE_SCENARIOS_H

void scenario_empty(void);
void scenario_wait(void);
void scenario_tick(void);
void scenario_stream(void);
void scenario_close_with_writes(void);
void scenario_shutdown_that_fails(void);
void scenario_reset(void);
void scenario_share_slab(void);
void scenario_accept(void);
void scenario_pipe(void);
void scenario_failed_connect(void);

void scenario_handles(void);
void scenario_terminals(void);
void scenario_opened_files(void);

void scenario_poll(void);

void scenario_children(void);
void scenario_forgotten_children(void);

void scenario_datagrams(void);
void scenario_datagram_failures(void);
void scenario_datagrams_without_room(void);
void scenario_many_sockets(void);
void scenario_unix_datagrams(void);

void scenario_no_memory_to_write(void);
void scenario_no_memory_for_failures(void);
void scenario_no_memory_to_keep(void);

#ifdef __linux__
void scenario_no_memory_for_changes(void);
void scenario_accept_errors(void);
void scenario_accept_refused(void);
void scenario_refused_watches(void);
void scenario_fs_events(void);
void scenario_fs_events_refused(void);
void scenario_fs_events_number(void);
void scenario_fs_events_many(void);
void scenario_refused_threads(void);
void scenario_names(void);
void scenario_random(void);
void scenario_stuck_names(void);
void scenario_files(void);
void scenario_bad_files(void);
void scenario_directories(void);
void scenario_dropped_files(void);
#endif

void scenario_anything(void);

#endif
