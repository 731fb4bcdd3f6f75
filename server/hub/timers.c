/* timers.c: a binary heap with the earliest time at its top. */
#include "timers.h"

#include <stdlib.h>

bool timers_reserve(struct timers *timers, size_t count)
{
    size_t room = timers->room == 0 ? 64 : timers->room;
    struct timer **heap;

    while (room < count)
        room *= 2;
    if (room == timers->room)
        return true;
    heap = realloc(timers->heap, room * sizeof(heap[0]));
    if (heap == NULL)
        return false;
    timers->heap = heap;
    timers->room = room;
    return true;
}

void timers_free(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}

static void place_put(struct timers *timers, size_t place, struct timer *timer)
{
    timers->heap[place - 1] = timer;
    timer->place = place;
}

static struct timer *place_get(const struct timers *timers, size_t place)
{
    return timers->heap[place - 1];
}

static void move_up(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;

    while (place > 1 && place_get(timers, place / 2)->at > timer->at) {
        place_put(timers, place, place_get(timers, place / 2));
        place /= 2;
    }
    place_put(timers, place, timer);
}

static void move_down(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;

    for (;;) {
        size_t child = 2 * place;

        if (child < timers->count &&
            place_get(timers, child + 1)->at < place_get(timers, child)->at)
            child++;
        if (child > timers->count || place_get(timers, child)->at >= timer->at)
            break;
        place_put(timers, place, place_get(timers, child));
        place = child;
    }
    place_put(timers, place, timer);
}

static void timer_clear(struct timers *timers, struct timer *timer)
{
    struct timer *last;

    if (timer->place == 0)
        return;
    last = place_get(timers, timers->count--);
    if (last != timer) {
        place_put(timers, timer->place, last);
        move_up(timers, last);
        move_down(timers, last);
    }
    timer->place = 0;
}

void timer_set(struct timers *timers, struct timer *timer, uint64_t at)
{
    if (at == TIME_NEVER) {
        timer_clear(timers, timer);
        return;
    }
    if (timer->place == 0)
        place_put(timers, ++timers->count, timer);
    timer->at = at;
    move_up(timers, timer);
    move_down(timers, timer);
}

uint64_t timers_next(const struct timers *timers)
{
    return timers->count == 0 ? TIME_NEVER : timers->heap[0]->at;
}

struct timer *timers_take_due(struct timers *timers, uint64_t now)
{
    struct timer *first = timers->count == 0 ? NULL : timers->heap[0];

    if (first == NULL || first->at > now)
        return NULL;
    timer_clear(timers, first);
    return first;
}
