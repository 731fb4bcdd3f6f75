/* dialer.c: tries the addresses, waits between rounds, and reports failures. */
#include "dialer.h"

#include "clock.h"

#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* Between two rounds, in ms; doubled each time, up to the most. */
#define DELAY_FIRST 100
#define DELAY_MOST 30000

void dialer_init(struct dialer *dialer, const struct options *options)
{
    *dialer = (struct dialer){.options = options, .delay = DELAY_FIRST};
}

void dialer_reset(struct dialer *dialer)
{
    dialer->delay = DELAY_FIRST;
    dialer->worked = true;
    dialer->said_count = 0;
}

bool dialer_move_on(struct dialer *dialer)
{
    size_t count = dialer->options->addresses_count;

    if (count < 2)
        return false;
    dialer->next = (dialer->next + 1) % count;
    return true;
}

/* ---- One round ----------------------------------------------------------------------- */

static void failure_append(struct connect_failure *failure, const char *text)
{
    size_t used = strlen(failure->text);
    size_t room = sizeof failure->text - 1 - used;
    size_t len = strlen(text) < room ? strlen(text) : room;

    memcpy(failure->text + used, text, len);
    failure->text[used + len] = '\0';
}

/* Reasons stand beside each other; the status is "unknown host" only if all are unknown. */
static void failure_add(struct connect_failure *all, const struct connect_failure *one)
{
    if (all->status != EX_UNAVAILABLE)
        all->status = one->status;
    if (all->text[0] != '\0')
        failure_append(all, "; ");
    failure_append(all, one->text);
    memcpy(all->hint, one->hint, sizeof all->hint);
}

static void dialer_try_addresses(struct dialer *dialer, int64_t deadline, struct dialed *dialed)
{
    const struct options *options = dialer->options;
    struct connect_failure failure;

    for (size_t left = options->addresses_count; left > 0; left--) {
        int64_t share = clock_now() + clock_left(deadline) / (int64_t)left;
        dialed->fd = connect_server(&options->addresses[dialer->next], share, &failure);
        if (dialed->fd >= 0)
            return;
        failure_add(&dialed->failure, &failure);
        if (dialer_move_on(dialer))
            dialed->failure.hint[0] = '\0';
    }
}

struct dialed dialer_try(struct dialer *dialer, int64_t deadline)
{
    const struct options *options = dialer->options;
    struct dialed dialed = {.fd = -1, .command = -1};

    if (options->command != NULL)
        dialed.fd = connect_command(options->command, &dialed.command, &dialed.failure);
    else
        dialer_try_addresses(
            dialer, clock_earlier(clock_now() + options->patience, deadline), &dialed);
    return dialed;
}

/* ---- Round after round --------------------------------------------------------------- */

/* True where this has not been said since the last connection; remembers it. */
static bool dialer_has_news(struct dialer *dialer, const struct connect_failure *failure)
{
    for (unsigned i = 0; i < dialer->said_count; i++)
        if (strcmp(dialer->said[i].text, failure->text) == 0)
            return false;
    if (dialer->said_count == DIALER_REASONS)
        return false;
    dialer->said[dialer->said_count++] = *failure;
    return true;
}

/* Twice as long each time, and not in step with other clients that lost the same server. */
void dialer_pause(struct dialer *dialer, int64_t deadline)
{
    struct timespec now;
    int half = dialer->delay / 2;
    int left = clock_left(deadline);
    int pause;

    clock_gettime(CLOCK_REALTIME, &now);
    pause = half + (int)((now.tv_nsec / 1000 + getpid()) % half);
    poll(NULL, 0, left >= 0 && left < pause ? left : pause);
    dialer->delay = dialer->delay < DELAY_MOST / 2 ? 2 * dialer->delay : DELAY_MOST;
}

struct dialed dialer_dial(struct dialer *dialer, struct console *console, int64_t deadline)
{
    for (;;) {
        struct dialed dialed = dialer_try(dialer, deadline);
        if (dialed.fd >= 0)
            return dialed;
        if (dialer_has_news(dialer, &dialed.failure))
            console_say(
                console, "%s%s", dialed.failure.text, dialer->worked ? "" : dialed.failure.hint);
        dialer_pause(dialer, deadline);
        if (clock_left(deadline) == 0)
            return dialed;
    }
}
