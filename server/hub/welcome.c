/* welcome.c: the items of a welcome, and their places in the log. */
#include "welcome.h"

#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "greeting.h"
#include "log.h"
#include "output.h"
#include "room.h"

static bool wishes(const struct connection *c, enum wish wish)
{
    return (c->prepared.wishes & wish) != 0;
}

/* A member that resumes stays one; a session that has posted joins unless it says /post again. */
static bool is_posting(const struct connection *c)
{
    bool member = c->person != NULL && c->person->kind == PERSON_MEMBER;

    return !member && wishes(c, WISH_POST);
}

/* A client that comes back has read it. */
static bool is_greeted(const struct connections *cs, const struct connection *c)
{
    return greeting_is_set(cs) && !is_posting(c) && !wishes(c, WISH_RESUME);
}

/* All but its stamp and name, which the login decides. */
static struct item *you_new(void)
{
    return item_new(STAMP_LEN + strlen(" you ") + NAME_LEN_MAX + 1);
}

static void you_write(struct item *you, const struct person *person)
{
    char *at = you->bytes + STAMP_LEN;

    stamp_format(you->bytes, person->joined);
    at = stpcpy(at, " you ");
    memcpy(at, person->name, strlen(person->name));
    at += strlen(person->name);
    *at++ = '\n';
    you->len = (size_t)(at - you->bytes);
}

static void welcome_free(struct welcome *w)
{
    item_free(w->token);
    item_free(w->gap);
    item_free(w->list);
    item_free(w->greeting);
    item_free(w->you);
    free(w);
}

static bool welcome_fill(struct connections *cs, struct connection *c, struct welcome *w)
{
    bool posting = is_posting(c);
    bool gap = wishes(c, WISH_SINCE) && (!posting || wishes(c, WISH_RESUME));

    if (wishes(c, WISH_TOKEN)) {
        if (c->token == NULL && (c->token = token_new(cs->tokens, c, c->login_name)) == NULL)
            return false;
        w->token = item_text(connections_time(cs), "token %s", c->token->text);
    }
    if (gap)
        w->gap = item_gap_unknown();
    if (!posting)
        w->list = item_shared(NULL);
    if (is_greeted(cs, c)) {
        struct shared *notes = greeting_now(cs);

        w->greeting = notes == NULL ? NULL : item_shared(notes);
        if (w->greeting == NULL)
            return false;
    }
    w->you = you_new();
    return w->you != NULL && (posting || w->list != NULL) && (!gap || w->gap != NULL) &&
           (!wishes(c, WISH_TOKEN) || w->token != NULL);
}

bool welcome_prepare(struct connections *cs, struct connection *c)
{
    struct welcome *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return false;
    w->connection = c;
    list_init(&w->waiter.entry);
    if (!welcome_fill(cs, c, w)) {
        welcome_free(w);
        return false;
    }
    c->welcome = w;
    return true;
}

/* ---- Placing --------------------------------------------------------------------------------- */

/* Where a reader may begin at the earliest: the lines that are held must still fit behind it. */
static uint64_t past_limit(const struct room *room)
{
    const struct hold *hold = &room->hold;
    uint64_t end = log_head(room->log);

    if (hold->lines != NULL)
        end += log_head(hold->lines) - hold->settled;
    if (end - log_tail(room->log) <= log_size(room->log))
        return log_tail(room->log);
    return log_line_from(room->log, end - log_size(room->log));
}

/*
 * Where in the log this client's past begins; the joins of its turn begin at joins. *misses: it has
 * asked for events that are gone.
 */
static uint64_t past_begins(
    const struct connections *cs, const struct connection *c, uint64_t joins, bool *misses)
{
    const struct log *log = cs->room->log;
    uint64_t limit = past_limit(cs->room);
    uint64_t from;

    if (wishes(c, WISH_SINCE)) {
        from = log_after(log, c->prepared.since);
        *misses = from < limit || log_dropped_after(log, c->prepared.since);
    } else {
        from = log_back(
            log, joins, wishes(c, WISH_HISTORY) ? c->prepared.history : cs->config->history);
        *misses = false;
    }
    if (from < limit)
        from = limit;
    return from < joins ? from : joins;
}

static void item_place(struct connection *c, struct item **item, uint64_t due, uint64_t after)
{
    if (*item == NULL)
        return;
    (*item)->due = due;
    (*item)->after = (*item)->visible = after;
    link_put(&c->out.link, *item);
    *item = NULL;
}

/*
 * The log ends behind the joins: they stand in [joins, after). A poster reads nothing of it, unless
 * it resumes: then it gets the events since its stamp up to now, to find what had been taken.
 */
static void welcome_place(
    struct connections *cs, struct connection *c, struct welcome *w, uint64_t joins, uint64_t after)
{
    bool posting = c->person->kind == PERSON_POSTER;
    uint64_t from = c->out.link.cursor;
    bool misses = false;

    if (!posting || (wishes(c, WISH_RESUME) && wishes(c, WISH_SINCE))) {
        from = past_begins(cs, c, joins, &misses);
        output_follow(cs, c, from, posting ? joins : LINK_NO_LIMIT);
    } else {
        joins = from;
    }
    if (posting)
        after = joins;
    you_write(w->you, c->person);
    item_place(c, &w->token, from, from);
    if (misses)
        item_place(c, &w->gap, from, from);
    item_place(c, &w->list, joins, joins);
    item_place(c, &w->greeting, joins, joins);
    item_place(c, &w->you, joins, after);
    c->session = posting ? SESSION_POSTER : SESSION_MEMBER;
    c->person->link = &c->out.link;
    connection_mark(cs, c);
    connection_queue_input(cs, c);
}

/* Positions in held lines are not those of the log: what was held has moved to the log's end. */
void welcome_give(struct connections *cs, struct connection *c, struct shared *list, uint64_t joins,
    uint64_t after)
{
    struct welcome *w = c->welcome;

    w->joins = joins;
    w->after = after;
    if (w->list != NULL)
        item_share(w->list, list);
    c->session = SESSION_WELCOME;
    if (hold_is_empty(&cs->room->hold))
        welcome_settle(cs, w);
    else
        hold_wait(&cs->room->hold, &w->waiter, WAITER_WELCOME);
}

void welcome_settle(struct connections *cs, struct welcome *w)
{
    struct connection *c = w->connection;
    uint64_t head = log_head(cs->room->log);

    c->welcome = NULL;
    welcome_place(cs, c, w, head - (w->after - w->joins), head);
    welcome_free(w);
}

void welcome_cancel(struct connection *c)
{
    if (c->welcome == NULL)
        return;
    list_remove(&c->welcome->waiter.entry);
    welcome_free(c->welcome);
    c->welcome = NULL;
}
