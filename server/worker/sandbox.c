/* The order in which a worker locks itself in: see sandbox.h. */
#include "sandbox.h"

enum sandbox_tier sandbox_enter(void)
{
    /* The limits first: a filter allows no system call that sets one. */
    bool limited = sandbox_set_limits();

    if (sandbox_set_filter())
        return SANDBOX_FILTER;
    return limited ? SANDBOX_LIMITS : SANDBOX_NONE;
}

enum sandbox_tier sandbox_probe(void)
{
    return sandbox_filter_exists() ? SANDBOX_FILTER : SANDBOX_LIMITS;
}

const char *sandbox_name(enum sandbox_tier tier)
{
    switch (tier) {
    case SANDBOX_NONE:
        return "none";
    case SANDBOX_LIMITS:
        return "limits";
    case SANDBOX_FILTER:
        return "filter";
    }
    return "?";
}
