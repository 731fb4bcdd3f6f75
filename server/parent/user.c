/* user.c: gives up root for that user, or warns. */
#include "user.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"

int user_become(const char *user, const struct report *r)
{
    const char *why;

    if (user == NULL) {
        if (geteuid() == 0)
            report(r, LOG_WARNING, "running as root; -u USER would give that up");
        return 0;
    }
    why = privileges_drop(user);
    if (why == NULL)
        return 0;
    report(r, LOG_ERR, "-u %s: %s%s%s", user, why, errno != 0 ? ": " : "",
        errno != 0 ? strerror(errno) : "");
    return EX_NOPERM;
}
