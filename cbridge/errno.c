// The table of libuv's errors, from the header that this was compiled with.
#include "bridge.h"

static const struct {
  const char *name;
  const char *text;
  int code;
} table[] = {
#define ENTRY(name, text) {#name, text, UV_##name},
    UV_ERRNO_MAP(ENTRY)
#undef ENTRY
};

int br_errno_entry(unsigned i, const char **name, const char **text) {
  if (i >= sizeof table / sizeof table[0]) return 0;
  *name = table[i].name;
  *text = table[i].text;
  return table[i].code;
}
