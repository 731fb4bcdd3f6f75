/* lookup.c: asks getpwuid_r() or getpwnam_r(), and writes the answer to the pair. */
#include "lookup.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/compat.h"
#include "protocol.h"
#include "wire/number.h"

/* The hub waits for less than that: a process whose hub has died does not stay. */
#define SECONDS_MAX 20
/* Of an account's strings. */
#define SPACE_FIRST 4096u
#define SPACE_MAX (1u << 20)

/* One of the two. */
struct question {
    bool is_name;
    const char *name;
    uid_t uid;
};

static int account_get(
    const struct question *q, struct passwd *pw, char *space, size_t size, struct passwd **found)
{
    if (q->is_name)
        return getpwnam_r(q->name, pw, space, size, found);
    return getpwuid_r(q->uid, pw, space, size, found);
}

/* Systems say "there is none" in several ways. */
static bool error_is_none(int error)
{
    return error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM;
}

/* True: *login is its name, or NULL where there is none. The strings are never freed. */
static bool passwd_find(const struct question *q, const char **login)
{
    /* Static: *login is one of its strings, after the return too. Questions come one by one. */
    static struct passwd pw;
    struct passwd *found = NULL;
    int error = ERANGE;

    for (size_t size = SPACE_FIRST; size <= SPACE_MAX && error == ERANGE; size *= 4) {
        char *space = malloc(size);

        if (space == NULL)
            return false;
        do {
            error = account_get(q, &pw, space, size, &found);
        } while (error == EINTR);
    }
    *login = found == NULL ? NULL : pw.pw_name;
    return found != NULL || error_is_none(error);
}

static bool user_find(const char *key, const char **login)
{
    unsigned long uid;

    *login = NULL;
    if (!number_parse(key, strlen(key), (uid_t)-1, &uid))
        return false;
    if (uid_is_unmapped((uid_t)uid))
        return true;
    return passwd_find(&(struct question){.uid = (uid_t)uid}, login);
}

static bool login_find(const char *key, const char **login)
{
    char folded[NAME_LEN_MAX + 1];

    name_fold(folded, key);
    if (!passwd_find(&(struct question){.is_name = true, .name = key}, login))
        return false;
    return *login != NULL || strcmp(folded, key) == 0 ||
           passwd_find(&(struct question){.is_name = true, .name = folded}, login);
}

_Noreturn void lookup_main(char kind, const char *key)
{
    char reply[NAME_LEN_MAX + 3] = "-\n";
    const char *login;
    size_t len = 0;

    alarm(SECONDS_MAX);
    if (!(kind == 'u' ? user_find(key, &login) : login_find(key, &login)))
        _exit(1);
    if (login != NULL)
        len = name_clean(reply + 1, login, strlen(login));
    if (len > 0) {
        reply[0] = '+';
        reply[1 + len] = '\n';
    } else {
        reply[1] = '\n';
    }
    _exit(write_all(STDOUT_FILENO, reply, len + 2) ? 0 : 1);
}
