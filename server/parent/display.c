/* display.c: see display.h. */
#include "display.h"

#include <stdio.h>

#include "listener.h"
#include "protocol.h"
#include "timeout.h"

/* The service manager is told at most that often. */
#define TELL_US 1000000u
#define TEXT_MAX (DISPLAY_WHERE_MAX + 40)

/* "12 members, *:65432" */
static const char *describe(const struct display *d, size_t members, char out[TEXT_MAX])
{
    snprintf(out, TEXT_MAX, "%zu member%s, %s", members, members == 1 ? "" : "s", d->where);
    return out;
}

/* A write to memory, no more. */
static void show_title(struct display *d, size_t members)
{
    char text[TEXT_MAX];
    char title[TEXT_MAX + sizeof(CHATD_PROGRAM)];
    int len = snprintf(title, sizeof(title), CHATD_PROGRAM ": %s", describe(d, members, text));

    proctitle_set(&d->title, title, (size_t)len);
    d->titled = members;
}

void display_begin(struct display *d, const struct listeners *listeners, size_t members)
{
    char text[TEXT_MAX];

    listeners_describe(listeners, d->where, sizeof(d->where));
    show_title(d, members);
    d->notified = members;
    notify_say(d->notify, "READY=1\nSTATUS=%s", describe(d, members, text));
}

void display_again(struct display *d)
{
    d->notified = SIZE_MAX;
}

int display_turn(struct display *d, size_t members, uint64_t now)
{
    char text[TEXT_MAX];

    if (members != d->titled)
        show_title(d, members);
    if (members == d->notified)
        return -1;
    if (now - d->notified_at < TELL_US)
        return timeout_until(d->notified_at + TELL_US, now);
    d->notified = members;
    d->notified_at = now;
    notify_say(d->notify, "STATUS=%s", describe(d, members, text));
    return -1;
}
