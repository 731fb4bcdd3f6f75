/* sandbox.c: the limits, then the filter, as far as the tier says; and the names of the tiers. */
#include "sandbox.h"

/* The limits first: a filter allows no system call that sets one. */
bool sandbox_enter(enum sandbox_role role, enum sandbox_tier tier)
{
    switch (tier) {
    case SANDBOX_NONE:
        return true;
    case SANDBOX_LIMITS:
        return sandbox_set_limits(role);
    case SANDBOX_FILTER:
        return sandbox_set_limits(role) && sandbox_set_filter(role);
    }
    return false;
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

char sandbox_letter(enum sandbox_tier tier)
{
    switch (tier) {
    case SANDBOX_NONE:
        return 'o'; /* as in -S off */
    case SANDBOX_LIMITS:
        return 'l';
    case SANDBOX_FILTER:
        return 'f';
    }
    return '?';
}

bool sandbox_from_letter(char letter, enum sandbox_tier *tier)
{
    for (*tier = SANDBOX_NONE; *tier <= SANDBOX_FILTER; (*tier)++)
        if (sandbox_letter(*tier) == letter)
            return true;
    return false;
}
