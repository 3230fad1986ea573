// Libraries that are loaded while the program runs.
#include "internal.h"
#include "requests.h"

// result tells apart what the loader has said, and that there was no memory for that.
static int result(const br_lib *lib, int err) { return err != 0 && lib->errmsg == NULL ? UV_ENOMEM : err; }

int br_lib_open(const char *path, br_lib **lib) {
  *lib = br_alloc(sizeof **lib);
  return *lib == NULL ? UV_ENOMEM : result(*lib, uv_dlopen(path, *lib));
}

int br_lib_sym(br_lib *lib, const char *name, void **p) { return result(lib, uv_dlsym(lib, name, p)); }

const char *br_lib_error(br_lib *lib) { return uv_dlerror(lib); }

void br_lib_close(br_lib *lib) {
  if (lib != NULL) uv_dlclose(lib);
  br_free(lib);
}
