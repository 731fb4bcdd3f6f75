/* waiting.c: since when lines have been waiting, and whether that is shown. */
#include "waiting.h"

#include "clock.h"

/* How long a line may take to be echoed before the prompt counts it, in ms. */
#define ECHO_PATIENCE 1000

void waiting_init(struct waiting *waiting)
{
    *waiting = (struct waiting){.since = -1, .quit_at = -1};
}

bool waiting_look(struct waiting *waiting, const struct queue *queue, bool is_open)
{
    unsigned long count = queue->count;
    unsigned long before = waiting->shown;

    if (count == 0)
        waiting->since = -1;
    else if (waiting->since < 0 || waiting->answered != queue->answered)
        waiting->since = clock_now();
    waiting->answered = queue->answered;
    if (is_open && count > 0 && clock_left(waiting->since + ECHO_PATIENCE) > 0)
        count = 0;
    waiting->shown = count;
    return count != before;
}

void waiting_quit(struct waiting *waiting)
{
    if (waiting->quit_at < 0)
        waiting->quit_at = clock_now();
}

bool waiting_tells(struct waiting *waiting)
{
    if (waiting->quit_at < 0 || waiting->shown == 0 || waiting->told)
        return false;
    waiting->told = true;
    return true;
}

static int64_t waiting_ends(const struct waiting *waiting)
{
    int64_t since = waiting->since > waiting->quit_at ? waiting->since : waiting->quit_at;

    return waiting->quit_at >= 0 && waiting->since >= 0 ? since + WAITING_PATIENCE : -1;
}

bool waiting_is_over(const struct waiting *waiting)
{
    return clock_left(waiting_ends(waiting)) == 0;
}

int64_t waiting_due(const struct waiting *waiting)
{
    bool counts_soon = waiting->since >= 0 && waiting->shown == 0;

    return clock_earlier(counts_soon ? waiting->since + ECHO_PATIENCE : -1, waiting_ends(waiting));
}
