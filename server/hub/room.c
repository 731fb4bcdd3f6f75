/* room.c: room_apply() and the events that it makes. */
#include "room.h"

#include <stdlib.h>
#include <string.h>

#include "link.h"

bool room_init(struct room *room, struct log *log, struct log *held, const struct table_seed *seed)
{
    *room = (struct room){.log = log};
    hold_init(&room->hold, held);
    list_init(&room->members);
    list_init(&room->posters);
    nodes_init(&room->nodes);
    room->names = names_new(seed);
    return room->names != NULL && table_init(&room->by_number, seed) &&
           table_init(&room->by_token, seed);
}

static void persons_free(struct list *persons)
{
    while (!list_is_empty(persons))
        free(LIST_ENTRY(struct person, entry, list_take(persons)));
}

void room_free(struct room *room)
{
    persons_free(&room->members);
    persons_free(&room->posters);
    nodes_free(&room->nodes);
    table_free(&room->by_number);
    table_free(&room->by_token);
    names_free(room->names);
    shared_release(room->users);
    hold_free(&room->hold);
    log_free(room->log);
}

struct log *room_lines(const struct room *room)
{
    return room->hold.lines != NULL ? room->hold.lines : room->log;
}

uint64_t room_time(const struct room *room, uint64_t wall)
{
    return wall > room->stamp ? wall : room->stamp;
}

struct person *room_find(const struct room *room, const char *name)
{
    return names_find(room->names, name);
}

struct person *room_find_poster(const struct room *room, const char *name)
{
    for (struct list *at = room->posters.next; at != &room->posters; at = at->next) {
        struct person *person = LIST_ENTRY(struct person, entry, at);

        if (name_equal(person->name, name))
            return person;
    }
    return NULL;
}

/* Nodes count their persons: the numbers lie side by side, and no client chooses one. Persons of
 * several nodes may have the same. Every request of a member is looked up by it. */
static uint64_t number_hash(uint32_t number)
{
    return (uint64_t)number * 0x9E3779B97F4A7C15u;
}

struct person *room_find_number(const struct room *room, const struct node *node, uint32_t number)
{
    struct table_entry *entry = table_first(&room->by_number, number_hash(number));

    for (; entry != NULL; entry = table_next(entry)) {
        struct person *person = TABLE_ENTRY(struct person, by_number, entry);

        if (person->node == node && person->number == number)
            return person;
    }
    return NULL;
}

struct person *room_find_token(const struct room *room, const char *token)
{
    struct table_entry *entry =
        table_first(&room->by_token, table_hash(&room->by_token, token, strlen(token)));

    while (entry != NULL && strcmp(TABLE_ENTRY(struct person, by_token, entry)->token, token) != 0)
        entry = table_next(entry);
    return entry == NULL ? NULL : TABLE_ENTRY(struct person, by_token, entry);
}

bool room_is_free(const struct room *room, const char *name, enum person_kind kind)
{
    return names_are_free(room->names, name, kind == PERSON_POSTER);
}

/* The users list is out of date. */
static void members_changed(struct room *room)
{
    shared_release(room->users);
    room->users = NULL;
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* "STAMP verb a[ b][ text]" */
struct event_text {
    const char *verb;
    const char *a;
    const char *b; /* NULL: none */
    struct span text;
};

/* Finds the line of that stamp that the transcript gave. False: it gave none. */
static bool known_find(const struct room *room, uint64_t stamp, uint64_t *from, uint64_t *to)
{
    struct log_line line;

    *from = log_after(room->log, stamp - 1);
    if (*from == log_head(room->log))
        return false;
    *to = log_line(room->log, *from, &line);
    return line.stamp == stamp;
}

static bool line_equal(
    const struct log *log, uint64_t from, uint64_t to, const struct iovec *parts, int n)
{
    char bytes[LINE_OUT_MAX];

    for (int i = 0; i < n; i++) {
        if (parts[i].iov_len == 0)
            continue; /* an empty text may have no address */
        if (parts[i].iov_len > to - from)
            return false;
        log_copy(log, from, from + parts[i].iov_len, bytes);
        if (memcmp(bytes, parts[i].iov_base, parts[i].iov_len) != 0)
            return false;
        from += parts[i].iov_len;
    }
    return from == to;
}

/* What it gave of that time is not in the log any more, or a gap line stands behind it. */
static bool known_is_gone(const struct room *room, uint64_t stamp)
{
    return log_dropped_after(room->log, stamp - 1);
}

/* Events are missing: before that stamp, or behind all that the transcript gave, where that is
 * later. One line is enough for all that it does not have. */
static void gap_append(struct room *room, uint64_t stamp)
{
    static const char gap[] = " gap ? 0\n";
    char line[STAMP_LEN + sizeof(gap) - 1];
    struct iovec part = {line, sizeof(line)};

    if (stamp <= room->known) {
        stamp = room->known;
        log_note_dropped(room->log, stamp);
    }
    stamp_format_next(&room->stamp_memo, line, stamp);
    memcpy(line + STAMP_LEN, gap, sizeof(gap) - 1);
    log_append(room_lines(room), &part, 1, (struct log_line){.stamp = stamp});
}

/* An event is not appended. The transcript of another room, or of a machine that was alone, does
 * not have it. */
static void known_compare(struct room *room, const struct iovec *parts, int n)
{
    uint64_t from;
    uint64_t to;

    if (!known_is_gone(room, room->stamp) &&
        !(known_find(room, room->stamp, &from, &to) && line_equal(room->log, from, to, parts, n)))
        gap_append(room, room->stamp);
}

static void event_append(struct room *room, const struct room_request *request,
    const struct event_text *event, struct room_outcome *outcome)
{
    char head[STAMP_LEN + 16 + 2 * (NAME_LEN_MAX + 1)];
    bool message =
        request->kind == ROOM_SAY || request->kind == ROOM_ACT || request->kind == ROOM_POST;
    char *at = head + STAMP_LEN;
    struct iovec parts[3];
    char lf = '\n';

    room->stamp = request->time > room->stamp ? request->time : room->stamp + 1;
    stamp_format_next(&room->stamp_memo, head, room->stamp);
    *at++ = ' ';
    at = stpcpy(at, event->verb);
    *at++ = ' ';
    at = stpcpy(at, event->a);
    if (event->b != NULL) {
        *at++ = ' ';
        at = stpcpy(at, event->b);
    }
    if (event->text.len > 0)
        *at++ = ' ';
    parts[0] = (struct iovec){head, (size_t)(at - head)};
    parts[1] = (struct iovec){(char *)event->text.at, event->text.len};
    parts[2] = (struct iovec){&lf, 1};
    outcome->stamp = room->stamp;
    if (room->stamp <= room->known) {
        known_compare(room, parts, 3);
        return;
    }
    outcome->start = log_append(room_lines(room), parts, 3,
        (struct log_line){.stamp = room->stamp, .author = request->author, .message = message});
    outcome->end = log_head(room_lines(room));
    room->urgent |= request->author != 0 || message;
}

/* ---- Requests -------------------------------------------------------------------------------- */

/* Makes it one of a node's, by its number there. */
static void person_settle(
    struct room *room, struct person *person, struct node *node, uint32_t number)
{
    person->node = node;
    person->number = number;
    if (node == NULL)
        return;
    list_append(&node->persons, &person->of_node);
    table_add(&room->by_number, &person->by_number, number_hash(number));
}

static void person_unsettle(struct room *room, struct person *person)
{
    if (person->node == NULL)
        return;
    list_remove(&person->of_node);
    table_remove(&room->by_number, &person->by_number);
}

static void person_set_token(struct room *room, struct person *person, const char *token)
{
    if (token == NULL || token[0] == '\0')
        return;
    strcpy(person->token, token);
    table_add(
        &room->by_token, &person->by_token, table_hash(&room->by_token, token, strlen(token)));
}

static void person_list(struct room *room, struct person *person)
{
    bool member = person->kind == PERSON_MEMBER;

    list_append(member ? &room->members : &room->posters, &person->entry);
    room->member_count += member;
}

/* Posters hold no name for themselves alone. */
static struct person *name_holder(struct person *person)
{
    return person->kind == PERSON_MEMBER ? person : NULL;
}

/* Where several machines share the room: a number is one person's, and so is a token, which may
 * have gone on elsewhere while the login was under way. */
static bool login_is_void(const struct room *room, const struct room_request *request)
{
    return room_find_number(room, request->node, request->number) != NULL ||
           (request->token != NULL && request->token[0] != '\0' &&
               room_find_token(room, request->token) != NULL);
}

static enum room_result apply_login(
    struct room *room, const struct room_request *request, struct room_outcome *outcome)
{
    struct person *person;

    if (request->node != NULL && login_is_void(room, request))
        return ROOM_NOBODY;
    person = calloc(1, sizeof(*person));
    if (person == NULL)
        return ROOM_LATER;
    person->kind = request->posting;
    if (!names_take(
            room->names, request->name, name_holder(person), request->reserved, person->name)) {
        free(person);
        return ROOM_LATER;
    }
    strcpy(person->login, request->login);
    outcome->person = person;
    person_list(room, person);
    person_settle(room, person, request->node, request->number);
    person_set_token(room, person, request->token);
    if (person->kind == PERSON_MEMBER) {
        members_changed(room);
        event_append(
            room, request, &(struct event_text){"join", person->name, NULL, {NULL, 0}}, outcome);
    }
    person->joined = room->stamp != 0 ? room->stamp : request->time;
    return ROOM_DONE;
}

static enum room_result apply_rename(
    struct room *room, const struct room_request *request, struct room_outcome *outcome)
{
    struct person *person = request->person;
    char old[NAME_LEN_MAX + 1];

    memcpy(old, person->name, sizeof(old));
    if (strcmp(old, request->name) == 0) /* since it was asked for */
        return ROOM_TAKEN;
    names_change(room->names, old, request->name, request->reserved, person->name);
    if (name_equal(old, person->name) && !name_equal(old, request->name)) {
        memcpy(person->name, old, sizeof(old));
        return ROOM_TAKEN;
    }
    members_changed(room);
    event_append(
        room, request, &(struct event_text){"nick", old, person->name, {NULL, 0}}, outcome);
    return ROOM_DONE;
}

/* The person leaves the room; the event has this reason and text. */
static void person_part(struct room *room, const struct room_request *request,
    struct person *person, const char *reason, struct room_outcome *outcome)
{
    outcome->parted = person->link;
    outcome->node = person->node;
    outcome->source = person->source;
    outcome->person = person;
    if (person->kind == PERSON_MEMBER) {
        room->member_count--;
        members_changed(room);
        event_append(room, request,
            &(struct event_text){"quit", person->name, reason, request->text}, outcome);
    }
    names_release(room->names, person->name);
    list_remove(&person->entry);
    person_unsettle(room, person);
    if (person->token[0] != '\0')
        table_remove(&room->by_token, &person->by_token);
    free(person);
}

static enum room_result apply_leave(
    struct room *room, const struct room_request *request, struct room_outcome *outcome)
{
    person_part(room, request, request->person, request->reason, outcome);
    return ROOM_DONE;
}

static enum room_result apply_message(struct room *room, const struct room_request *request,
    const char *verb, struct room_outcome *outcome)
{
    event_append(room, request,
        &(struct event_text){verb, request->person->name, NULL, request->text}, outcome);
    return ROOM_DONE;
}

/* Its client is at another node now, or again at this one, and none of its names and events change.
 * What is stored for it under the old number finds nobody. */
static enum room_result apply_resume(
    struct room *room, const struct room_request *request, struct room_outcome *outcome)
{
    struct person *person = room_find_token(room, request->token);

    if (person == NULL || strcmp(person->login, request->login) != 0 ||
        room_find_number(room, request->node, request->number) != NULL)
        return ROOM_NOBODY;
    outcome->person = person;
    outcome->parted = person->link;
    outcome->node = person->node;
    person->link = NULL;
    person_unsettle(room, person);
    person_settle(room, person, request->node, request->number);
    return ROOM_DONE;
}

/* The member of that name, or the poster that began first, as it is at this place. */
static enum room_result apply_kick(
    struct room *room, const struct room_request *request, struct room_outcome *outcome)
{
    struct person *person = room_find(room, request->name);

    if (person == NULL)
        person = room_find_poster(room, request->name);
    if (person == NULL)
        return ROOM_NOBODY;
    person_part(room, request, person, "kicked", outcome);
    return ROOM_DONE;
}

/* One person of a node that has ended leaves. */
static enum room_result apply_node_end(
    struct room *room, const struct room_request *request, struct room_outcome *outcome)
{
    struct list *persons = &request->node->persons;

    if (list_is_empty(persons))
        return ROOM_DONE;
    person_part(room, request, LIST_ENTRY(struct person, of_node, persons->next), "lost", outcome);
    return ROOM_MORE;
}

static enum room_result apply_node_start(
    struct room *room, const struct room_request *request, struct room_outcome *outcome)
{
    struct node *node = request->node;

    if (apply_node_end(room, request, outcome) == ROOM_MORE)
        return ROOM_MORE;
    node->state = NODE_RUNNING;
    node->incarnation = request->incarnation;
    node->batch = 0;
    node->heard = room->nodes.clock;
    node->reads = 1;
    room->nodes.size = request->size;
    return ROOM_DONE;
}

static enum room_result apply_node_stop(
    struct room *room, const struct room_request *request, struct room_outcome *outcome)
{
    if (apply_node_end(room, request, outcome) == ROOM_MORE)
        return ROOM_MORE;
    request->node->state = NODE_OFF;
    return ROOM_DONE;
}

static enum room_result apply_form(struct room *room, unsigned form)
{
    if (form <= room->nodes.form || form > nodes_read(&room->nodes))
        return ROOM_NOBODY;
    room->nodes.form = form;
    return ROOM_DONE;
}

/* Only a request that was stored can come when its person is gone, or has another part. */
static bool has_its_person(const struct room_request *request)
{
    const struct person *person = request->person;

    switch (request->kind) {
    case ROOM_SAY:
    case ROOM_ACT:
    case ROOM_RENAME:
    case ROOM_KICK:
        return person != NULL && person->kind == PERSON_MEMBER;
    case ROOM_POST:
        return person != NULL && person->kind == PERSON_POSTER;
    case ROOM_LEAVE:
        return person != NULL;
    case ROOM_LOGIN:
    case ROOM_RESUME:
    case ROOM_BAN:
    case ROOM_NODE_START:
    case ROOM_NODE_STOP:
    case ROOM_NODE_READS:
    case ROOM_FORM:
    case ROOM_HASH:
    case ROOM_PART:
    case ROOM_STAMP:
    case ROOM_COMPARE:
    case ROOM_REQUESTS:
        break;
    }
    return true;
}

enum room_result room_apply(
    struct room *room, const struct room_request *request, struct room_outcome *outcome)
{
    uint64_t head = log_head(room_lines(room));

    *outcome = (struct room_outcome){.start = head, .end = head, .stamp = room->stamp};
    if (!has_its_person(request))
        return ROOM_NOBODY;
    switch (request->kind) {
    case ROOM_LOGIN:
        return apply_login(room, request, outcome);
    case ROOM_SAY:
        return apply_message(room, request, "msg", outcome);
    case ROOM_ACT:
        return apply_message(room, request, "me", outcome);
    case ROOM_POST:
        return apply_message(room, request, "post", outcome);
    case ROOM_RENAME:
        return apply_rename(room, request, outcome);
    case ROOM_LEAVE:
        return apply_leave(room, request, outcome);
    case ROOM_RESUME:
        return apply_resume(room, request, outcome);
    case ROOM_KICK:
        return apply_kick(room, request, outcome);
    case ROOM_BAN:
        break;
    case ROOM_NODE_START:
        return apply_node_start(room, request, outcome);
    case ROOM_NODE_STOP:
        return apply_node_stop(room, request, outcome);
    case ROOM_NODE_READS:
        request->node->reads = request->form;
        break;
    case ROOM_FORM:
        return apply_form(room, request->form);
    case ROOM_HASH:
        request->node->told_place = request->part.place;
        request->node->told_hash = request->part.hash;
        break;
    case ROOM_STAMP:
        room->stamp = request->stamp > room->stamp ? request->stamp : room->stamp;
        break;
    case ROOM_COMPARE:
        nodes_want_place(&room->nodes, request->part.place);
        break;
    case ROOM_PART:
    case ROOM_REQUESTS:
        break;
    }
    return ROOM_DONE;
}

/* ---- What was before ------------------------------------------------------------------------- */

void room_remember(struct room *room, struct span line, struct log_line facts)
{
    char lf = '\n';
    struct iovec parts[2] = {{(char *)line.at, line.len}, {&lf, 1}};

    if (facts.stamp > room->stamp)
        room->stamp = facts.stamp;
    log_append(room->log, parts, 2, facts);
}

void room_remember_gap(struct room *room, uint64_t stamp)
{
    if (stamp > room->stamp)
        room->stamp = stamp;
    log_note_dropped(room->log, stamp);
}

void room_remember_absent(struct room *room, const char *name, uint64_t time)
{
    struct room_request request = {.kind = ROOM_LEAVE, .time = time};
    struct room_outcome outcome;

    event_append(room, &request, &(struct event_text){"quit", name, "lost", {NULL, 0}}, &outcome);
}

void room_note_missing(struct room *room)
{
    uint64_t from;
    uint64_t to;

    if (room->stamp > room->known || (room->stamp != 0 && !known_is_gone(room, room->stamp) &&
                                         !known_find(room, room->stamp, &from, &to)))
        gap_append(room, room->stamp);
}

bool room_clear(struct room *room)
{
    const struct table_seed *seed = room->by_token.seed;

    if (room->stamp > room->known)
        room->known = room->stamp;
    persons_free(&room->members);
    persons_free(&room->posters);
    room->member_count = 0;
    members_changed(room);
    nodes_free(&room->nodes);
    nodes_init(&room->nodes);
    table_free(&room->by_number);
    table_free(&room->by_token);
    names_free(room->names);
    room->names = names_new(seed);
    return room->names != NULL && table_init(&room->by_number, seed) &&
           table_init(&room->by_token, seed);
}

void room_note_lost(struct room *room, uint64_t time)
{
    gap_append(room, time);
}

bool room_restore(struct room *room, struct person *person)
{
    if (!names_put(room->names, person->name, name_holder(person)))
        return false;
    person_list(room, person);
    person_settle(room, person, person->node, person->number);
    if (person->token[0] != '\0')
        table_add(&room->by_token, &person->by_token,
            table_hash(&room->by_token, person->token, strlen(person->token)));
    return true;
}
