/* All logins of this machine: see compat.h. */
#include "os.h"

#include "compat.h"

#include <errno.h>
#include <pwd.h>

/* getpwent() is not in POSIX's base. Errors that only say "not found" are its ordinary end. */
bool passwd_each(bool (*take)(void *context, uid_t uid, const char *name), void *context)
{
    const struct passwd *pw = NULL;
    bool taken = true;
    int error;

    setpwent();
    while (errno = 0, taken && (pw = getpwent()) != NULL)
        taken = take(context, pw->pw_uid, pw->pw_name);
    error = errno;
    endpwent();
    errno = error;
    if (error == EIO || error == EMFILE || error == ENFILE || error == ENOMEM)
        return false;
    return taken;
}
