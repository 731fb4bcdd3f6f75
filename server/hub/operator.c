/* operator.c: see operator.h. */
#include "operator.h"

#include <string.h>
#include <syslog.h>

#include "ending.h"
#include "link.h"
#include "room.h"

static enum taken refuse(struct connections *cs, struct connection *c, const char *error)
{
    if (!connection_say(cs, c, "error %s", error))
        return LINE_LATER;
    connection_count_answer(cs, c, &cs->counters.refused);
    return LINE_TAKEN;
}

/* ---- Finding --------------------------------------------------------------------------------- */

/* A person that is passing from one connection to another has no way out, and is looked for. */
static struct connection *connection_of(const struct connections *cs, const struct person *person)
{
    if (person->link != NULL)
        return connection_by_author(cs, person->link->author);
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        struct connection *c = LIST_ENTRY(struct connection, all, at);

        if (c->person == person)
            return c;
    }
    return NULL;
}

/* The session of a member or poster; NULL: nobody here has that name. */
static struct connection *session_find(const struct connections *cs, struct span name)
{
    char text[NAME_LEN_MAX + 1];
    struct person *person;

    if (name.len > NAME_LEN_MAX)
        return NULL;
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    person = room_find(cs->room, text);
    if (person == NULL)
        person = room_find_poster(cs->room, text);
    return person == NULL ? NULL : connection_of(cs, person);
}

/* ---- Kicking --------------------------------------------------------------------------------- */

/*
 * Ends a session for good: a connection that waits to resume it ends first, for the session would
 * pass to it without a quit. The room has space for one event.
 */
static void session_kick(
    struct connections *cs, struct connection *c, const char *told, struct span text)
{
    struct connection *claimant = c->token == NULL ? NULL : c->token->claimant;
    struct connection *const both[] = {claimant, c};

    for (size_t i = 0; i < 2; i++) {
        if (both[i] == NULL)
            continue;
        (void)connection_say(cs, both[i], "%s%s%.*s", told, text.len > 0 ? ": " : "", (int)text.len,
            text.len > 0 ? text.at : "");
        session_end(cs, both[i], ENDING_SERVER, "kicked", text);
    }
}

/* The note is made first: what cannot fail comes last. */
static enum taken kick(
    struct connections *cs, struct connection *c, struct connection *target, struct span text)
{
    char source[SOURCE_TEXT_MAX];
    struct item *note;

    source_format(source, &target->source->key);
    note = item_text(connections_time(cs), "note %s (%s) was kicked", target->person->name, source);
    if (note == NULL)
        return LINE_LATER;
    report(cs->config->report, LOG_NOTICE, "%s: %s kicks %s (%s)", c->peer, c->person->name,
        target->person->name, target->peer);
    session_kick(cs, target, "note an operator has removed you from the room", text);
    stamp_format(note->bytes, connections_time(cs)); /* not before the quit's */
    connection_put(cs, c, note);
    connection_count_answer(cs, c, &cs->counters.answered);
    return LINE_TAKEN;
}

enum taken operator_line(
    struct connections *cs, struct connection *c, const struct request *request)
{
    struct connection *target;

    if (!c->is_operator)
        return refuse(cs, c, "not-allowed only an operator can do that");
    if (request->name.len == 0)
        return refuse(cs, c, "usage /kick NAME [TEXT]");
    target = session_find(cs, request->name);
    if (target == NULL)
        return refuse(cs, c, "no-such-user nobody here has that name");
    if (target == c)
        return refuse(cs, c, "usage /kick NAME, another one than yours; /quit leaves");
    return kick(cs, c, target, request->text);
}

/* ---- New rules ------------------------------------------------------------------------------- */

static void session_refuse(struct connections *cs, struct connection *c)
{
    struct span no_text = {NULL, 0};

    report_stranger(cs->config->report, cs->turn.now, LOG_INFO,
        "%s: %s is no longer admitted (pid %ld)", c->peer, connection_name(c), (long)c->worker.pid);
    if (c->person != NULL) {
        session_kick(cs, c, "note you are no longer admitted here", no_text);
        return;
    }
    (void)connection_say(cs, c, "error not-allowed you are not admitted here");
    session_end(cs, c, ENDING_SERVER, "lost", no_text);
}

/* A session that ends here drains, and its record stays in the list meanwhile. */
bool operators_review(struct connections *cs)
{
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        struct connection *c = LIST_ENTRY(struct connection, all, at);
        enum standing standing;

        if (c->session == SESSION_LEFT)
            continue;
        standing = cs->config->standing(cs->config->context, &c->origin, c->out.link.fd);
        c->is_operator = standing == STANDING_OPERATOR;
        if (standing != STANDING_REFUSED)
            continue;
        if (!connections_have_room(cs))
            return false;
        session_refuse(cs, c);
    }
    return true;
}
