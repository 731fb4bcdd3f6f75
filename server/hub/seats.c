/*
 * seats.c: what /token gives and /resume takes: a session that outlives its connection. A seat is
 * known as long as its member is there and ten minutes more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat/compat.h"
#include "hub_private.h"

static struct seat **seat_slot(struct hub *hub, const char *token)
{
    unsigned slot = 0;

    /* Tokens are random: any two of their digits are a hash. */
    for (int i = 0; i < 2; i++)
        slot = slot * 16 + (unsigned)(token[i] <= '9' ? token[i] - '0' : token[i] - 'a' + 10);
    return &hub->seats[slot % SEAT_SLOTS];
}

static void seat_list(struct hub *hub, struct seat *seat)
{
    seat->listed = true;
    seat->newer = NULL;
    if (hub->seats_newest == NULL)
        hub->seats_oldest = seat;
    else
        hub->seats_newest->newer = seat;
    hub->seats_newest = seat;
}

void seat_put(struct hub *hub, struct seat *seat)
{
    struct seat **slot = seat_slot(hub, seat->token);

    seat->next = *slot;
    *slot = seat;
    if (seat->listed)
        seat_list(hub, seat);
}

struct seat *seat_new(struct hub *hub, struct member *m)
{
    struct seat *seat = calloc(1, sizeof(*seat));
    unsigned char bytes[16];

    if (seat == NULL || !random_bytes(bytes, sizeof(bytes))) {
        free(seat);
        return NULL;
    }
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(seat->token + 2 * i, 3, "%02x", bytes[i]);
    seat->member = m;
    seat_put(hub, seat);
    return seat;
}

static void seat_free(struct hub *hub, struct seat *seat)
{
    struct seat **slot = seat_slot(hub, seat->token);

    while (*slot != seat)
        slot = &(*slot)->next;
    *slot = seat->next;
    free(seat);
}

/* Forgets the seats whose time is over; the list is in the order of their ends. */
static void seats_expire(struct hub *hub)
{
    struct seat *seat;

    while ((seat = hub->seats_oldest) != NULL &&
           (seat->member != NULL || hub->now - seat->over_at > SEAT_KEPT_US)) {
        hub->seats_oldest = seat->newer;
        if (hub->seats_oldest == NULL)
            hub->seats_newest = NULL;
        seat->listed = false;
        if (seat->member == NULL && seat->taker == NULL)
            seat_free(hub, seat);
    }
}

struct seat *seat_find(struct hub *hub, struct span token)
{
    struct seat *seat;

    seats_expire(hub);
    if (token.len != sizeof(seat->token) - 1 || strspn(token.at, "0123456789abcdef") < token.len)
        return NULL;
    for (seat = *seat_slot(hub, token.at); seat != NULL; seat = seat->next)
        if (memcmp(seat->token, token.at, token.len) == 0)
            return seat;
    return NULL;
}

void seat_over(struct hub *hub, struct seat *seat)
{
    seat->member = NULL;
    seat->over_at = hub->now;
    seats_expire(hub);
    if (!seat->listed)
        seat_list(hub, seat);
}

void seats_free(struct hub *hub)
{
    for (size_t i = 0; i < SEAT_SLOTS; i++)
        while (hub->seats[i] != NULL)
            seat_free(hub, hub->seats[i]);
}
