// The bridge without Go: this program runs the scenarios, so that the C side can be run
// under valgrind and the sanitizers. build.sh compiles it, bridge_test.go runs it.
#include "rig.h"
#include "scenarios.h"

#include <signal.h>

int main(void) {
  static const struct {
    const char *name;
    void (*run)(void);
  } all[] = {
      {"empty", scenario_empty},
      {"wait", scenario_wait},
      {"tick", scenario_tick},
      {"stream", scenario_stream},
      {"close with writes", scenario_close_with_writes},
      {"shutdown that fails", scenario_shutdown_that_fails},
      {"reset", scenario_reset},
      {"share the slab", scenario_share_slab},
      {"accept", scenario_accept},
      {"pipe", scenario_pipe},
      {"failed connect", scenario_failed_connect},
      {"handles", scenario_handles},
      {"terminals", scenario_terminals},
      {"opened files", scenario_opened_files},
      {"poll", scenario_poll},
      {"children", scenario_children},
      {"forgotten children", scenario_forgotten_children},
      {"datagrams", scenario_datagrams},
      {"datagrams that fail", scenario_datagram_failures},
      {"datagrams without room", scenario_datagrams_without_room},
      {"datagrams of many sockets", scenario_many_sockets},
      {"datagrams of Unix sockets", scenario_unix_datagrams},
      {"no memory to write", scenario_no_memory_to_write},
      {"no memory for failures", scenario_no_memory_for_failures},
      {"no memory to keep datagrams", scenario_no_memory_to_keep},
#ifdef __linux__
      {"no memory for changes", scenario_no_memory_for_changes},
      {"accept errors", scenario_accept_errors},
      {"accept refused", scenario_accept_refused},
      {"refused watches", scenario_refused_watches},
      {"files that change", scenario_fs_events},
      {"files that cannot be watched", scenario_fs_events_refused},
      {"files watched by a number that was another's", scenario_fs_events_number},
      {"files with many names", scenario_fs_events_many},
      {"refused threads", scenario_refused_threads},
      {"names", scenario_names},
      {"random", scenario_random},
      {"stuck names", scenario_stuck_names},
      {"files", scenario_files},
      {"bad calls about files", scenario_bad_files},
      {"directories", scenario_directories},
      {"dropped files", scenario_dropped_files},
#endif
      {"anything", scenario_anything},
  };
  signal(SIGPIPE, SIG_IGN);  // as Go's runtime does for its threads
  CHECK(br_count_allocations() == 0);
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    all[i].run();
    printf("ok %s\n", all[i].name);
    fflush(stdout);
  }
  return 0;
}
