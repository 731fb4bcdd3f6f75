/* operator.c: see operator.h. */
#include "operator.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "bans.h"
#include "ending.h"
#include "link.h"
#include "room.h"
#include "submit.h"
#include "wire/text.h"

#define MINUTE_US 60000000u

/* error: NULL without memory. */
static enum taken refuse(struct connections *cs, struct connection *c, struct item *error)
{
    if (error == NULL)
        return LINE_LATER;
    connection_put(cs, c, error);
    connection_count_answer(cs, c, &cs->counters.refused);
    return LINE_TAKEN;
}

/* What a command is refused with where it names somebody; a name can be as long as a line. */
static enum taken refuse_name(
    struct connections *cs, struct connection *c, const char *before, struct span name)
{
    int len = (int)text_cut(name.at, name.len, NAME_LEN_MAX);

    return refuse(cs, c, item_text(connections_time(cs), "%s %.*s", before, len, name.at));
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

/* The member of that name, or the poster that began first; NULL: nobody here has it. */
static struct person *person_find(const struct connections *cs, struct span name)
{
    char text[NAME_LEN_MAX + 1];
    struct person *person;

    if (name.len > NAME_LEN_MAX)
        return NULL;
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    person = room_find(cs->room, text);
    return person != NULL ? person : room_find_poster(cs->room, text);
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
        session_end(cs, both[i], ENDING_KICKED, "kicked", text);
    }
}

void operator_end(struct connections *cs, struct connection *c, struct span text)
{
    session_kick(cs, c, "note an operator has removed you from the room", text);
}

/* The answer to a command that has ended a session; it was made before, so it cannot fail. */
static void answer_behind(struct connections *cs, struct connection *c, struct item *note)
{
    stamp_format(note->bytes, connections_time(cs)); /* not before the quit's */
    connection_put(cs, c, note);
    connection_count_answer(cs, c, &cs->counters.answered);
}

static enum taken kick(
    struct connections *cs, struct connection *c, struct connection *target, struct span text)
{
    const char *name = target->person->name;
    char source[SOURCE_TEXT_MAX];
    struct item *note;

    source_format(source, &target->source->key);
    note = item_text(connections_time(cs), "note %s (%s) was kicked", name, source);
    if (note == NULL)
        return LINE_LATER;
    report(cs->config->report, LOG_NOTICE, "%s: %s kicks %s (%s)", c->peer, c->person->name, name,
        target->peer);
    operator_end(cs, target, text);
    answer_behind(cs, c, note);
    return LINE_TAKEN;
}

/* ---- A person of any machine ----------------------------------------------------------------- */

/* Nobody may have the name any more where the room comes to it: the answer is one of two. */
#define KICKED " note %s was kicked\n"
#define KICKED_NOBODY " error no-such-user nobody here is called %s\n"
#define ANSWER_MAX (STAMP_LEN + sizeof(KICKED_NOBODY) + NAME_LEN_MAX)

static enum taken kick_anywhere(
    struct connections *cs, struct connection *c, const struct person *target, struct span text)
{
    struct submission kick = {.connection = c,
        .request = {.kind = ROOM_KICK,
            .time = cs->turn.wall,
            .person = c->person,
            .name = target->name,
            .text = text},
        .answer = item_new(ANSWER_MAX)};

    if (kick.answer == NULL)
        return LINE_LATER;
    /* What comes back may have no name: it is kept here. */
    memset(kick.answer->bytes, 0, ANSWER_MAX);
    strcpy(kick.answer->bytes, target->name);
    if (submit(cs, &kick)) {
        report(cs->config->report, LOG_NOTICE, "%s: %s kicks %s", c->peer, c->person->name,
            target->name);
        return LINE_TAKEN;
    }
    item_free(kick.answer);
    return LINE_LATER;
}

void operator_kicked(struct connections *cs, const struct submission *s, enum room_result result,
    const struct room_outcome *outcome)
{
    bool done = result == ROOM_DONE;
    struct item *answer = s->answer;
    char name[NAME_LEN_MAX + 1];

    (void)outcome; /* the session is ended where it is */
    strcpy(name, answer->bytes);
    snprintf(
        answer->bytes + STAMP_LEN, ANSWER_MAX - STAMP_LEN, done ? KICKED : KICKED_NOBODY, name);
    answer->len = strlen(answer->bytes + STAMP_LEN) + STAMP_LEN;
    stamp_format(answer->bytes, connections_time(cs));
    connection_put(cs, s->connection, answer);
    connection_count_answer(
        cs, s->connection, done ? &cs->counters.answered : &cs->counters.refused);
}

/* ---- Bans ------------------------------------------------------------------------------------ */

/* As it is said to both: `is banned for 60 minutes`. */
static void banned_format(char out[64], const char *is, unsigned long minutes)
{
    snprintf(out, 64, "%s banned for %lu minute%s", is, minutes, minutes == 1 ? "" : "s");
}

static enum taken ban(struct connections *cs, struct connection *c, struct connection *target,
    const struct request *request)
{
    const struct source_key *key = &target->source->key;
    const char *name = target->person->name;
    char source[SOURCE_TEXT_MAX];
    char banned[64];
    struct item *note;

    source_format(source, key);
    banned_format(banned, "is", request->minutes);
    note = item_text(connections_time(cs), "note %s (%s) %s", name, source, banned);
    if (note == NULL ||
        !bans_put(&cs->bans, key, name, cs->turn.now + (uint64_t)request->minutes * MINUTE_US)) {
        item_free(note);
        return LINE_LATER;
    }
    report(cs->config->report, LOG_NOTICE, "%s: %s says that %s (%s) %s", c->peer, c->person->name,
        name, source, banned);
    banned_format(banned, "note you are", request->minutes);
    session_kick(cs, target, banned, request->text);
    answer_behind(cs, c, note);
    return LINE_TAKEN;
}

static enum taken unban(struct connections *cs, struct connection *c, struct span name)
{
    int len = (int)text_cut(name.at, name.len, NAME_LEN_MAX);
    struct item *note =
        item_text(connections_time(cs), "note %.*s is not banned any more", len, name.at);

    if (note == NULL)
        return LINE_LATER;
    if (!bans_lift(&cs->bans, name, cs->turn.now)) {
        item_free(note);
        return refuse_name(cs, c, "error no-such-user no ban was put on", name);
    }
    report(cs->config->report, LOG_NOTICE, "%s: %s lifts the ban of %.*s", c->peer, c->person->name,
        len, name.at);
    answer_behind(cs, c, note);
    return LINE_TAKEN;
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* How a command is given. */
static const char *usage_of(const struct request *request)
{
    return request->command == CMD_KICK  ? "/kick NAME [TEXT]"
           : request->command == CMD_BAN ? "/ban NAME [MINUTES [TEXT]]"
                                         : "/unban NAME";
}

/* A command for somebody who is here. */
static enum taken target_line(struct connections *cs, struct connection *c,
    const struct request *request, struct person *person)
{
    struct connection *target = connection_of(cs, person);

    if (request->command == CMD_KICK && cs->cluster != NULL)
        return kick_anywhere(cs, c, person, request->text);
    if (target == NULL)
        return refuse(cs, c,
            item_text(connections_time(cs),
                "error not-allowed %s is at another machine: an operator there can do that",
                person->name));
    if (request->command == CMD_KICK)
        return kick(cs, c, target, request->text);
    if (!bans_have_space(&cs->bans, cs->turn.now))
        return refuse(cs, c,
            item_text(connections_time(cs),
                "error busy %d bans are in force, and no more are possible", BANS_MAX));
    return ban(cs, c, target, request);
}

enum taken operator_line(
    struct connections *cs, struct connection *c, const struct request *request)
{
    struct person *person;

    if (request->name.len == 0 || (request->command == CMD_BAN && request->minutes == 0))
        return refuse(cs, c, item_text(connections_time(cs), "error usage %s", usage_of(request)));
    if (request->command == CMD_UNBAN)
        return unban(cs, c, request->name);
    person = person_find(cs, request->name);
    if (person == NULL)
        return refuse_name(cs, c, "error no-such-user nobody here is called", request->name);
    if (person == c->person)
        return refuse(cs, c,
            item_text(
                connections_time(cs), "error usage %s is you; /quit leaves", c->person->name));
    return target_line(cs, c, request, person);
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

/* A proxy has not told yet who it is: that is compared then. */
static bool is_unknown(const struct connection *c)
{
    return c->is_proxied && (c->in.state == INPUT_SILENT || c->in.state == INPUT_HEADER);
}

/* A session that ends here drains, and its record stays in the list meanwhile. */
bool operators_review(struct connections *cs)
{
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        struct connection *c = LIST_ENTRY(struct connection, all, at);
        enum standing standing;

        if (c->session == SESSION_LEFT || is_unknown(c))
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
