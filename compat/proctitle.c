/* What ps(1) shows: see compat.h. */
#include "os.h"

#include "compat.h"

#if defined(__linux__)

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The kernel puts the strings of argv, then those of environ, into one piece: where it ends. */
static char *strings_end(char *at, char **strings)
{
    for (; *strings != NULL && *strings == at; strings++)
        at += strlen(at) + 1;
    return at;
}

static void strings_move(char **strings, const char *from, size_t len, char *to)
{
    for (; *strings != NULL; strings++)
        if (*strings >= from && *strings < from + len)
            *strings = to + (*strings - from);
}

void proctitle_init(struct proctitle *title, int argc, char **argv)
{
    *title = (struct proctitle){0};
    if (argc < 1)
        return;
    const char *slash = strrchr(argv[0], '/');
    prctl(PR_SET_NAME, slash == NULL ? argv[0] : slash + 1);

    char *args_end = strings_end(argv[0], argv);
    *title = (struct proctitle){.at = argv[0],
        .room = (size_t)(strings_end(args_end, environ) - argv[0]),
        .args = (size_t)(args_end - argv[0])};
}

void proctitle_spare(struct proctitle *title, char **argv)
{
    char *copy = title->room == 0 ? NULL : malloc(title->room);

    if (copy == NULL) {
        title->room = 0;
        return;
    }
    memcpy(copy, title->at, title->room);
    strings_move(argv, title->at, title->room, copy);
    strings_move(environ, title->at, title->room, copy);
}

void proctitle_set(const struct proctitle *title, const char *text, size_t len)
{
    if (title->room == 0)
        return;
    if (len > title->room - 1)
        len = title->room - 1;
    memcpy(title->at, text, len);
    memset(title->at + len, 0, title->room - len);
    /* Unless the last byte of the arguments is NUL the kernel shows one string and no more, which
     * may go on into the environment; else it shows all of the arguments, our padding included. */
    if (len + 1 < title->args)
        title->at[title->args - 1] = '.';
}

#elif defined(__FreeBSD__) || defined(__DragonFly__) || defined(__NetBSD__) || defined(__OpenBSD__)

#include <stdlib.h>
#include <unistd.h>

void proctitle_init(struct proctitle *title, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    *title = (struct proctitle){0};
}

void proctitle_spare(struct proctitle *title, char **argv)
{
    (void)title;
    (void)argv;
}

void proctitle_set(const struct proctitle *title, const char *text, size_t len)
{
    (void)title;
    setproctitle("-%.*s", (int)len, text);
}

#else

void proctitle_init(struct proctitle *title, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    *title = (struct proctitle){0};
}

void proctitle_spare(struct proctitle *title, char **argv)
{
    (void)title;
    (void)argv;
}

void proctitle_set(const struct proctitle *title, const char *text, size_t len)
{
    (void)title;
    (void)text;
    (void)len;
}

#endif
