// Libraries that are loaded while the program runs.
#include "internal.h"
#include "requests.h"

int br_lib_open(const char *path, br_lib **lib) {
  *lib = br_alloc(sizeof **lib);
  return uv_dlopen(path, *lib);
}

int br_lib_sym(br_lib *lib, const char *name, void **p) { return uv_dlsym(lib, name, p); }

const char *br_lib_error(br_lib *lib) { return uv_dlerror(lib); }

void br_lib_close(br_lib *lib) {
  uv_dlclose(lib);
  br_free(lib);
}
