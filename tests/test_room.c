/*
 * test_room.c: room_apply() is deterministic: rooms that are given the same requests have the same
 * bytes in their logs, whatever the seeds of their tables, the sizes of their logs, whether they
 * hold lines for the disk, and in whatever process. $ROOM_SEED is a single seed to try.
 */
#define room harness_room /* the harness has a struct of that name, too */
#include "harness.h"
#undef room
#include "server/hub/link.h"
#include "server/hub/room.h"
#include "server/hub/table.h"
#include "server/hub/users.h"
#include "wire/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#define PERSONS 60
#define REQUESTS 5000
#define TEXT_SIZE (8u << 20)

/* A room, and all that came out of it: each request's result, its event, now and then the list. */
struct world {
    struct table_seed seed;
    struct room room;
    struct person *persons[PERSONS]; /* NULL: nobody */
    char *text;
    size_t len;
    uint64_t last;
    uint32_t random;
};

/* How a world differs from another without a difference to what comes out of it. */
struct setting {
    struct table_seed seed;
    size_t log_bytes;
    bool holds;
    bool forgets; /* its names are put back into a new table now and then */
};

static const struct setting settings[] = {
    {{{0, 0}}, 8u << 20, false, false},
    {{{1, 2}}, LOG_BYTES_MIN, false, true},
    {{{UINT64_MAX, 99}}, 1u << 20, true, true},
};

static uint32_t random_next(struct world *w, uint32_t limit)
{
    w->random = w->random * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)w->random * limit) >> 32);
}

static void world_open(struct world *w, const struct setting *setting, uint32_t number)
{
    memset(w, 0, sizeof *w);
    w->random = number;
    w->seed = setting->seed;
    w->text = malloc(TEXT_SIZE);
    ensure(w->text != NULL && room_init(&w->room, log_new(setting->log_bytes),
                                  setting->holds ? log_new(setting->log_bytes) : NULL, &w->seed),
        "no memory");
}

static void world_close(struct world *w)
{
    room_free(&w->room);
    free(w->text);
}

static void text_append(struct world *w, const char *bytes, size_t len)
{
    ensure(w->len + len < TEXT_SIZE, "too much");
    memcpy(w->text + w->len, bytes, len);
    w->len += len;
}

/* ---- Requests -------------------------------------------------------------------------------- */

#define SIXTY "sixty_bytes_sixty_bytes_sixty_bytes_sixty_bytes_sixty_bytes_"

static const char *const wanted[] = {"ann", "ANN", "ann_2", "ben", "Ben_3", "bob_9", "bob", "_",
    SIXTY "four", SIXTY "f_10", SIXTY "\xc3\xa9\xc3\xa9", "\xe4\xbd\xa0\xe5\xa5\xbd",
    "192.0.2.1:5"};

static names_mask random_mask(struct world *w)
{
    return random_next(w, 4) == 0 ? random_next(w, UINT32_MAX) : 0;
}

/* Mostly a little later, sometimes a clock that was stepped. */
static uint64_t random_time(struct world *w, uint64_t before)
{
    switch (random_next(w, 20)) {
    case 0:
        return before - random_next(w, 1000000);
    case 1:
        return before + random_next(w, 100000000);
    }
    return before + random_next(w, 3);
}

/* What is wrong with an event that was made? */
static void event_check(struct world *w, const char *line, size_t len)
{
    struct event event;

    ensure(len > 0 && line[len - 1] == '\n' && event_parse(&event, line, len - 1), "%.60s", line);
    ensure(text_is_clean(line, len - 1) && verb_is_room(event.verb), "%.60s", line);
    ensure(event.stamp > w->last, "out of order: %.60s", line);
    w->last = event.stamp;
}

/* Applies it and notes down what came of it. */
static enum room_result apply(
    struct world *w, const struct room_request *request, struct room_outcome *outcome)
{
    char line[LINE_OUT_MAX];
    enum room_result result = room_apply(&w->room, request, outcome);
    size_t len = (size_t)(outcome->end - outcome->start);

    ensure(result != ROOM_LATER && len < sizeof line, "no memory");
    log_copy(room_lines(&w->room), outcome->start, outcome->end, line);
    if (len > 0)
        event_check(w, line, len);
    else
        len = (size_t)snprintf(line, sizeof line, "nothing, %d\n", (int)result);
    text_append(w, line, len);
    return result;
}

static void request_login(struct world *w, struct room_request *request, size_t which)
{
    struct room_outcome outcome;

    request->kind = ROOM_LOGIN;
    request->name = wanted[random_next(w, COUNT_OF(wanted))];
    request->reserved = random_mask(w);
    request->posting = random_next(w, 5) == 0 ? PERSON_POSTER : PERSON_MEMBER;
    request->login = random_next(w, 5) == 0 ? "root" : "";
    (void)apply(w, request, &outcome);
    w->persons[which] = outcome.person;
    ensure(outcome.person != NULL, "no person");
    if (request->posting == PERSON_MEMBER)
        ensure(room_find(&w->room, outcome.person->name) == outcome.person, "no member is found");
    else
        ensure(room_find(&w->room, outcome.person->name) == NULL &&
                   room_find_poster(&w->room, outcome.person->name) != NULL,
            "no poster is found");
    ensure(outcome.person->joined == w->room.stamp || w->room.stamp == 0, "the stamp of the join");
}

static void rename_to(struct world *w, struct room_request *request)
{
    struct person *person = request->person;
    struct room_outcome outcome;
    char before[NAME_LEN_MAX + 1];
    enum room_result result;

    request->kind = ROOM_RENAME;
    request->name = wanted[random_next(w, COUNT_OF(wanted))];
    request->reserved = random_mask(w);
    strcpy(before, person->name);
    if (strcmp(before, request->name) == 0)
        return; /* nobody asks for that */
    result = apply(w, request, &outcome);
    ensure((strcmp(before, person->name) == 0) == (result == ROOM_TAKEN), "%s became %s", before,
        person->name);
    ensure(strcasecmp(before, person->name) == 0 || room_find(&w->room, before) != person,
        "the old name is still held");
    ensure(room_find(&w->room, person->name) == person, "the new name is not");
}

static void request_leave(struct world *w, struct room_request *request, size_t which)
{
    static const char *const reasons[] = {"left", "lost", "kicked", "crashed"};
    struct room_outcome outcome;
    char before[NAME_LEN_MAX + 1];

    request->kind = ROOM_LEAVE;
    request->reason = reasons[random_next(w, COUNT_OF(reasons))];
    strcpy(before, request->person->name);
    (void)apply(w, request, &outcome);
    ensure(room_find(&w->room, before) == NULL, "%s is still there", before);
    w->persons[which] = NULL;
}

static void request_make(struct world *w, uint64_t *time)
{
    static const char *const texts[] = {"", "x", "hello, world", "  two  ", "\xe4\xbd\xa0"};
    size_t which = random_next(w, PERSONS);
    const char *text = texts[random_next(w, COUNT_OF(texts))];
    struct room_request request = {.time = *time = random_time(w, *time),
        .author = random_next(w, 1000),
        .person = w->persons[which],
        .text = {text, strlen(text)}};
    struct room_outcome outcome;

    if (request.person == NULL) {
        request_login(w, &request, which);
        return;
    }
    request.kind = request.person->kind == PERSON_POSTER ? ROOM_POST : ROOM_SAY;
    switch (random_next(w, 8)) {
    case 0:
        request_leave(w, &request, which);
        return;
    case 1:
    case 2:
        if (request.person->kind == PERSON_MEMBER)
            rename_to(w, &request);
        return;
    case 3:
        request.kind = request.kind == ROOM_POST ? ROOM_POST : ROOM_ACT;
        break;
    }
    if (request.text.len == 0) /* no line without text is said */
        request.text = (struct span){"y", 1};
    (void)apply(w, &request, &outcome);
}

/* ---- What is looked at between requests ------------------------------------------------------ */

static bool both_post(const struct person *a, const struct person *b)
{
    return a->kind == PERSON_POSTER && b->kind == PERSON_POSTER;
}

/* Every name once, but that posters share theirs with each other; members in the list. */
static void persons_check(const struct world *w)
{
    size_t members = 0;

    for (size_t i = 0; i < PERSONS; i++) {
        const struct person *person = w->persons[i];

        if (person == NULL)
            continue;
        members += person->kind == PERSON_MEMBER;
        for (size_t k = 0; k < i; k++)
            ensure(w->persons[k] == NULL || both_post(w->persons[k], person) ||
                       strcasecmp(w->persons[k]->name, person->name) != 0,
                "%s is there twice", person->name);
    }
    ensure(members == w->room.member_count, "%zu members instead of %zu", w->room.member_count,
        members);
}

static void list_note(struct world *w)
{
    struct shared *list = users_new(&w->room, 0);

    ensure(list != NULL, "no memory");
    users_write(&w->room, list, 1);
    text_append(w, list->bytes, list->len);
    shared_release(list);
}

/* Names in a table without hints decide the same. */
static void names_forget(struct world *w)
{
    struct names *again = names_new(&w->seed);

    ensure(again != NULL, "no memory");
    for (size_t i = 0; i < PERSONS; i++)
        if (w->persons[i] != NULL)
            ensure(names_put(again, w->persons[i]->name,
                       w->persons[i]->kind == PERSON_MEMBER ? w->persons[i] : NULL),
                "twice");
    names_free(w->room.names);
    w->room.names = again;
}

static void world_run(struct world *w, const struct setting *setting, uint32_t number)
{
    uint64_t time = 1800000000000000;

    world_open(w, setting, number);
    for (int i = 0; i < REQUESTS; i++) {
        request_make(w, &time);
        if (i % 50 == 0) {
            persons_check(w);
            list_note(w);
        }
        if (setting->forgets && i % 70 == 0)
            names_forget(w);
    }
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static uint32_t seed_number(int i)
{
    const char *one = getenv("ROOM_SEED");
    uint32_t number = one != NULL ? (uint32_t)atoi(one) : (uint32_t)i * 7919u;

    printf("seed %u\n", number);
    fflush(stdout);
    return number;
}

static void text_check(const struct world *w, const char *text, size_t len)
{
    size_t at = 0;

    while (at < len && at < w->len && w->text[at] == text[at])
        at++;
    ensure(at == len && at == w->len, "they differ at %zu: %.80s", at, w->text + at);
}

START_TEST(one_process)
{
    static struct world first;
    static struct world other;
    uint32_t number = seed_number(_i);

    world_run(&first, &settings[0], number);
    for (size_t i = 1; i < COUNT_OF(settings); i++) {
        world_run(&other, &settings[i], number);
        text_check(&first, other.text, other.len);
        world_close(&other);
    }
    world_close(&first);
}
END_TEST

/* The other one runs in a child, whose memory and addresses are its own. */
START_TEST(two_processes)
{
    static struct world world;
    uint32_t number = seed_number(_i);
    char *text = malloc(TEXT_SIZE);
    size_t len = 0;
    ssize_t n = 1;
    int status;
    int out[2];
    pid_t pid;

    ensure(text != NULL && pipe(out) == 0, "pipe: %s", strerror(errno));
    pid = fork();
    ensure(pid != -1, "fork: %s", strerror(errno));
    if (pid == 0) {
        void *shift = malloc(123456); /* addresses differ */

        world_run(&world, &settings[1 + _i % 2], number);
        for (size_t at = 0; at < world.len; at += (size_t)n)
            if ((n = write(out[1], world.text + at, world.len - at)) == -1)
                _exit(1);
        free(shift);
        _exit(0);
    }
    close(out[1]);
    while (n > 0 && (n = read(out[0], text + len, TEXT_SIZE - len)) > 0)
        len += (size_t)n;
    close(out[0]);
    ensure(waitpid(pid, &status, 0) == pid && status == 0, "the child failed");
    world_run(&world, &settings[0], number);
    text_check(&world, text, len);
    world_close(&world);
    free(text);
}
END_TEST

/* Stamps only grow, though the clock steps back; somebody's word is urgent, a join is not. */
START_TEST(stamps_and_urgency)
{
    struct table_seed seed = {{3, 4}};
    struct room room;
    struct room_outcome outcome;
    struct room_request request = {.kind = ROOM_LOGIN, .time = 500, .name = "ann", .login = ""};

    ensure(room_init(&room, log_new(0), NULL, &seed), "no memory");
    ensure(room_time(&room, 7) == 7, "nothing has happened");
    ensure(room_apply(&room, &request, &outcome) == ROOM_DONE && outcome.stamp == 500, "500");
    ensure(!room.urgent, "a join");
    request = (struct room_request){
        .kind = ROOM_SAY, .time = 3, .author = 1, .person = outcome.person, .text = {"x", 1}};
    ensure(room_apply(&room, &request, &outcome) == ROOM_DONE && outcome.stamp == 501, "501");
    ensure(room.urgent, "a message");
    ensure(room_time(&room, 7) == 501 && room_time(&room, 502) == 502, "no line is older");
    room_remember_gap(&room, 900);
    request.time = 0;
    ensure(room_apply(&room, &request, &outcome) == ROOM_DONE && outcome.stamp == 901, "901");
    room_remember_absent(&room, "gone", 5);
    ensure(room.stamp == 902, "902");
    room_free(&room);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {one_process, 10, 30},
        {two_processes, 4, 30},
        {stamps_and_urgency, 1, 5},
    };

    return tests_run("room", tests, COUNT_OF(tests));
}
