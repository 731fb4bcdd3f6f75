/* test_poller.c over poll(2), which Linux would not use otherwise. */
#define USE_POLL 1
#include "compat/poller_poll.c"
#include "tests/test_poller.c"
