/* Gives up root: see compat.h. */
#include "os.h"

#include "compat.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

static bool identity_is(uid_t uid, gid_t gid)
{
    return getuid() == uid && geteuid() == uid && getgid() == gid && getegid() == gid;
}

/* Trying is the only portable way to see the saved ids. */
static bool root_can_return(gid_t gid)
{
    if (setuid(0) == 0 || seteuid(0) == 0)
        return true;
    return gid != 0 && (setgid(0) == 0 || setegid(0) == 0);
}

const char *privileges_drop(const char *user)
{
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (pw == NULL)
        return errno == 0 ? "no such user" : "cannot be looked up";
    uid_t uid = pw->pw_uid;
    gid_t gid = pw->pw_gid;

    if (uid == 0)
        return "is root too";
    if (identity_is(uid, gid))
        return NULL;
    if (initgroups(user, gid) == -1)
        return "its groups cannot be taken on";
    if (setgid(gid) == -1)
        return "its group cannot be taken on";
    if (setuid(uid) == -1)
        return "its rights cannot be taken on";
    bool lost = identity_is(uid, gid) && !root_can_return(gid);
    errno = 0;
    return lost ? NULL : "root was not given up";
}
