/* window.c: adds batches, hands them out for publication, drops what has come back. */
#include "window.h"

#include <string.h>

static struct flight *flight_at(struct window *w, unsigned place)
{
    return &w->flights[(w->first + place) % WINDOW_MAX];
}

static const struct flight *flight_look(const struct window *w, unsigned place)
{
    return &w->flights[(w->first + place) % WINDOW_MAX];
}

bool window_is_full(const struct window *w)
{
    return w->count == WINDOW_MAX;
}

bool window_add(struct window *w, struct span batch)
{
    struct flight *flight = flight_at(w, w->count);
    struct batch_id id;

    if (batch.len > BATCH_MAX || batch_id_read(&id, batch) == 0)
        return false;
    memcpy(flight->bytes, batch.at, batch.len);
    flight->len = batch.len;
    flight->publication = 0;
    w->count++;
    return true;
}

const struct flight *window_next(const struct window *w)
{
    return w->sent < w->count ? flight_look(w, w->sent) : NULL;
}

uint64_t window_publish(struct window *w)
{
    return flight_at(w, w->sent++)->publication = ++w->publications;
}

void window_rewind(struct window *w)
{
    w->sent = 0;
    for (unsigned i = 0; i < w->count; i++)
        flight_at(w, i)->publication = 0;
}

size_t window_largest(const struct window *w)
{
    size_t largest = 0;

    for (unsigned i = 0; i < w->count; i++)
        if (flight_look(w, i)->len > largest)
            largest = flight_look(w, i)->len;
    return largest;
}

bool window_has(const struct window *w, uint64_t publication)
{
    for (unsigned i = 0; i < w->sent; i++)
        if (flight_look(w, i)->publication == publication)
            return true;
    return false;
}

static bool flight_is(const struct flight *flight, const struct batch_id *id)
{
    struct batch_id own;

    return batch_id_read(&own, (struct span){flight->bytes, flight->len}) > 0 &&
           batch_id_equal(&own, id);
}

enum window_result window_return(struct window *w, struct span message)
{
    struct batch_id id;

    if (w->count == 0 || batch_id_read(&id, message) == 0)
        return WINDOW_FOREIGN;
    if (flight_is(flight_look(w, 0), &id)) {
        w->first = (w->first + 1) % WINDOW_MAX;
        w->count--;
        w->sent -= w->sent > 0;
        return WINDOW_CAME_BACK;
    }
    for (unsigned i = 1; i < w->count; i++)
        if (flight_is(flight_look(w, i), &id))
            return WINDOW_OVERTAKEN;
    return WINDOW_FOREIGN;
}
