/* operator.c: /kick, /ban, /unban, and sessions that new access rules end. */
#include "operator.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "bans.h"
#include "ending.h"
#include "link.h"
#include "room.h"
#include "server/cluster/cluster.h"
#include "submit.h"
#include "wire/text.h"

#define MINUTE_US 60000000u
/* Fits what says for how long somebody is banned. */
#define BANNED_MAX 64
#define REMOVED "note an operator has removed you from the room"

/* error: NULL without memory. */
static enum taken operator_refuse(struct connections *cs, struct connection *c, struct item *error)
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

    return operator_refuse(cs, c, item_text(connections_time(cs), "%s %.*s", before, len, name.at));
}

/* ---- Finding --------------------------------------------------------------------------------- */

/* A person that is passing from one connection to another has no way out, and is looked for. */
static struct connection *connection_of_person(
    const struct connections *cs, const struct person *person)
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

/* The answer to a command that has ended a session; it was made before, so it cannot fail. */
static void answer_behind(struct connections *cs, struct connection *c, struct item *note)
{
    stamp_format(note->bytes, connections_time(cs)); /* not before the quit's */
    connection_put(cs, c, note);
    connection_count_answer(cs, c, &cs->counters.answered);
}

static enum taken member_kick(
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
    session_kick(cs, target, REMOVED, text);
    answer_behind(cs, c, note);
    return LINE_TAKEN;
}

/* As it is said to both: `is banned for 60 minutes`. */
static void banned_format(char out[BANNED_MAX], const char *is, unsigned long minutes)
{
    snprintf(out, BANNED_MAX, "%s banned for %lu minute%s", is, minutes, minutes == 1 ? "" : "s");
}

/* ---- A room on several machines -------------------------------------------------------------- */

/* Nobody may have the name any more where the stream brings the kick. */
#define KICKED_NOBODY " error no-such-user nobody here is called %s\n"
#define WHO_MAX (NAME_LEN_MAX + SOURCE_TEXT_MAX + 4)
#define ANSWER_MAX (STAMP_LEN + sizeof(KICKED_NOBODY) + WHO_MAX + BANNED_MAX)

/* What an answer holds until it is decided: `ben`, or `ben (127.0.0.2)` of a session that is here.
 */
static struct item *who_new(const struct person *person, const struct connection *here)
{
    struct item *answer = item_new(ANSWER_MAX);
    char source[SOURCE_TEXT_MAX];

    if (answer == NULL)
        return NULL;
    memset(answer->bytes, 0, ANSWER_MAX);
    if (here != NULL)
        source_format(source, &here->source->key);
    snprintf(answer->bytes, WHO_MAX, here != NULL ? "%s (%s)" : "%s%s", person->name,
        here != NULL ? source : "");
    return answer;
}

/* A kick, or one with a ban. */
static enum taken kick_anywhere(struct connections *cs, struct connection *c,
    const struct person *person, const struct request *request)
{
    bool bans = request->command == CMD_BAN;
    struct submission kick = {.connection = c,
        .request = {.kind = ROOM_KICK,
            .time = cs->turn.wall,
            .person = c->person,
            .name = person->name,
            .minutes = bans ? (uint32_t)request->minutes : 0,
            .text = request->text},
        .answer = who_new(person, connection_of_person(cs, person))};

    if (kick.answer == NULL || !submit(cs, &kick)) {
        item_free(kick.answer);
        return LINE_LATER;
    }
    if (bans)
        report(cs->config->report, LOG_NOTICE, "%s: %s bans %s", c->peer, c->person->name,
            person->name);
    else
        report(cs->config->report, LOG_NOTICE, "%s: %s kicks %s", c->peer, c->person->name,
            person->name);
    return LINE_TAKEN;
}

void operator_kicked(struct connections *cs, const struct submission *s, enum room_result result,
    const struct room_outcome *outcome)
{
    bool done = result == ROOM_DONE;
    struct item *answer = s->answer;
    char *text = answer->bytes + STAMP_LEN;
    char banned[BANNED_MAX] = "was kicked";
    char who[WHO_MAX];

    (void)outcome; /* the session is ended where it is */
    strcpy(who, answer->bytes);
    if (s->request.minutes > 0)
        banned_format(banned, "is", s->request.minutes);
    if (done) {
        snprintf(text, ANSWER_MAX - STAMP_LEN, " note %s %s\n", who, banned);
    } else {
        who[strcspn(who, " ")] = '\0';
        snprintf(text, ANSWER_MAX - STAMP_LEN, KICKED_NOBODY, who);
    }
    answer->len = STAMP_LEN + strlen(text);
    stamp_format(answer->bytes, connections_time(cs));
    connection_put(cs, s->connection, answer);
    connection_count_answer(
        cs, s->connection, done ? &cs->counters.answered : &cs->counters.refused);
}

/* One that was stored some time ago ends so much sooner; what is loaded at a start is over. NULL
 * where it is not put. */
static struct ban *ban_put(struct connections *cs, const struct room_request *ban)
{
    uint64_t length = ban->minutes * (uint64_t)MINUTE_US;
    uint64_t age = cs->turn.wall > ban->time ? cs->turn.wall - ban->time : 0;
    uint64_t now = cs->turn.now;

    if (!cs->cluster->was_running || age >= length || !bans_have_space(&cs->bans, now))
        return NULL;
    return bans_put(&cs->bans, &ban->source, ban->name, now + length - age);
}

/* Only here the source of the session is known. A user of this machine is nobody elsewhere. */
void operator_ban_source(
    struct connections *cs, const struct source_key *key, const struct room_request *kick)
{
    struct submission ban = {.request = {.kind = ROOM_BAN,
                                 .time = cs->turn.wall,
                                 .name = kick->name,
                                 .minutes = kick->minutes,
                                 .source = *key}};

    struct ban *put = ban_put(cs, &ban.request);

    if (put != NULL)
        put->told = !source_key_is_address(key);
    if (source_key_is_address(key) && !submit(cs, &ban))
        cs->bans.to_tell = true;
}

void operator_end(struct connections *cs, struct connection *c, const struct room_request *kick)
{
    char banned[BANNED_MAX];

    if (kick->minutes == 0) {
        session_kick(cs, c, REMOVED, kick->text);
        return;
    }
    banned_format(banned, "note you are", kick->minutes);
    session_kick(cs, c, banned, kick->text);
}

void operator_ban(struct connections *cs, const struct room_request *ban)
{
    struct ban *put;

    if (ban->minutes == 0 && cs->cluster->was_running) {
        bans_lift(&cs->bans, (struct span){ban->name, strlen(ban->name)}, cs->turn.now);
        return;
    }
    put = ban_put(cs, ban);
    if (put != NULL)
        put->told = true;
}

static bool ban_tell(struct connections *cs, const struct ban *ban)
{
    uint64_t left = ban->until - cs->turn.now;
    const struct submission s = {.request = {.kind = ROOM_BAN,
                                     .time = cs->turn.wall,
                                     .name = ban->name,
                                     .minutes = (uint32_t)((left + MINUTE_US - 1) / MINUTE_US),
                                     .source = ban->key}};

    return cluster_has_room(cs->cluster) && submit(cs, &s);
}

void operator_tell_bans(struct connections *cs)
{
    struct list *all = &cs->bans.all;

    if (!cs->bans.to_tell)
        return;
    for (struct list *at = all->next; at != all; at = at->next) {
        const struct ban *ban = LIST_ENTRY(const struct ban, all, at);

        if (!ban->told && ban->until > cs->turn.now && !ban_tell(cs, ban))
            return;
    }
    cs->bans.to_tell = false;
}

/* The other nodes have those of addresses, too. */
static bool unban_everywhere(struct connections *cs, struct connection *c, struct span name)
{
    char text[NAME_LEN_MAX + 1] = "";
    const struct submission ban = {
        .connection = c, .request = {.kind = ROOM_BAN, .time = cs->turn.wall, .name = text}};

    memcpy(text, name.at, name.len);
    return submit(cs, &ban);
}

/* ---- Bans ------------------------------------------------------------------------------------ */

static enum taken member_ban(struct connections *cs, struct connection *c,
    struct connection *target, const struct request *request)
{
    const struct source_key *key = &target->source->key;
    const char *name = target->person->name;
    char source[SOURCE_TEXT_MAX];
    char banned[BANNED_MAX];
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

static enum taken name_unban(struct connections *cs, struct connection *c, struct span name)
{
    int len = (int)text_cut(name.at, name.len, NAME_LEN_MAX);
    struct item *note =
        item_text(connections_time(cs), "note %.*s is not banned any more", len, name.at);

    if (note == NULL)
        return LINE_LATER;
    if (!bans_have_name(&cs->bans, name, cs->turn.now)) {
        item_free(note);
        return refuse_name(cs, c, "error no-such-user no ban was put on", name);
    }
    if (cs->cluster != NULL && !unban_everywhere(cs, c, name)) {
        item_free(note);
        return LINE_LATER;
    }
    bans_lift(&cs->bans, name, cs->turn.now);
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
    struct connection *target = connection_of_person(cs, person);

    if (request->command == CMD_BAN && !bans_have_space(&cs->bans, cs->turn.now))
        return operator_refuse(cs, c,
            item_text(connections_time(cs),
                "error busy %d bans are in force, and no more are possible", BANS_MAX));
    if (cs->cluster != NULL)
        return kick_anywhere(cs, c, person, request);
    if (target == NULL) /* its connection ends in this turn */
        return refuse_name(cs, c, "error no-such-user nobody here is called", request->name);
    if (request->command == CMD_KICK)
        return member_kick(cs, c, target, request->text);
    return member_ban(cs, c, target, request);
}

enum taken operator_line(
    struct connections *cs, struct connection *c, const struct request *request)
{
    struct person *person;

    if (request->name.len == 0 || (request->command == CMD_BAN && request->minutes == 0))
        return operator_refuse(
            cs, c, item_text(connections_time(cs), "error usage %s", usage_of(request)));
    if (request->command == CMD_UNBAN)
        return name_unban(cs, c, request->name);
    person = person_find(cs, request->name);
    if (person == NULL)
        return refuse_name(cs, c, "error no-such-user nobody here is called", request->name);
    if (person == c->person)
        return operator_refuse(cs, c,
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
