/* test_spawn.c over posix_spawn(3), which Linux would not use otherwise. */
#define USE_POSIX_SPAWN 1
#include "compat/spawn_worker.c"
#include "tests/test_spawn.c"
