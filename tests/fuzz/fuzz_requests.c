/*
 * fuzz_requests.c: what other nodes may store: any bytes as messages of a stream, applied to two
 * rooms whose hashes and memories differ. Both have the same lines, every line is one of the
 * room's, and nobody is there twice. A message is: two bytes with its length, one with the seconds
 * before it, its bytes; where these do not begin with a header, one is put before them.
 */
#include "fuzz.h"
#include "server/cluster/apply.h"
#include "server/cluster/renewal.h"
#include "server/hub/link.h"
#include "server/hub/log.h"
#include "wire/text.h"

#define TIME 1800000000000000u

struct world {
    struct table_seed seed;
    struct room room;
    uint64_t time;
    uint64_t last; /* stamp */
};

static void world_open(struct world *w, uint64_t key)
{
    *w = (struct world){.seed = {{key, ~key}}, .time = TIME};
    must(room_init(&w->room, log_new(0), NULL, &w->seed));
}

static void world_apply(struct world *w, const char *bytes, size_t len, uint64_t time)
{
    struct apply apply;
    enum room_result result;
    struct room_outcome outcome;
    enum apply_step step;

    apply_begin(&apply, &w->room, (struct span){bytes, len}, time);
    while ((step = apply_next(&apply, &w->room, &result, &outcome)) != STEP_DONE)
        must(step != STEP_LATER);
}

/* The members are those that the names say, each of a node that knows it. */
static void persons_check(struct world *w)
{
    size_t count = 0;

    for (struct list *at = w->room.members.next; at != &w->room.members; at = at->next) {
        struct person *person = LIST_ENTRY(struct person, entry, at);

        count++;
        must(person->kind == PERSON_MEMBER);
        must(room_find(&w->room, person->name) == person);
        must(room_find_number(&w->room, person->node, person->number) == person);
    }
    must(count == w->room.member_count);
}

static void lines_check(const struct log *log, uint64_t pos, uint64_t *last)
{
    char line[LINE_OUT_MAX];
    struct log_line facts;
    struct event event;

    for (uint64_t next; pos < log_head(log); pos = next) {
        next = log_line(log, pos, &facts);
        log_copy(log, pos, next, line);
        must(event_parse(&event, line, (size_t)(next - pos) - 1) && verb_is_room(event.verb));
        must(text_is_safe(line, (size_t)(next - pos) - 1));
        must(facts.stamp > *last);
        *last = facts.stamp;
    }
}

/* Most inputs have no header of their own: they are the next batch of the first incarnation. */
static size_t message_make(char *out, const uint8_t *data, size_t len, uint64_t *number)
{
    const struct batch_id head = {{"n", 1}, 1, 2, *number, 1};
    size_t at = 0;

    if (len < 2 || memcmp(data, "CB", 2) != 0) {
        at = batch_id_write(out, &head);
        ++*number;
    }
    memcpy(out + at, data, len);
    return at + len;
}

static void logs_compare(const struct log *a, const struct log *b)
{
    size_t len = (size_t)(log_head(a) - log_tail(a));
    char *mine = must_allocate(len);
    char *other = must_allocate(len);

    must(log_head(a) == log_head(b) && log_tail(a) == log_tail(b));
    log_copy(a, log_tail(a), log_head(a), mine);
    log_copy(b, log_tail(b), log_head(b), other);
    must(memcmp(mine, other, len) == 0);
    free(mine);
    free(other);
}

/* One message to both; returns how many bytes of the input it has taken. */
static size_t message_take(struct world w[2], const uint8_t *data, size_t size, uint64_t *number)
{
    static char message[UINT16_MAX + BATCH_HEAD_MAX];
    const struct log *log = w[0].room.log;
    uint64_t before = log_head(log);
    size_t len = (size_t)data[0] << 8 | data[1];
    struct renewal_note note;
    size_t whole;
    char *copy;

    w[0].time += data[2] * (uint64_t)1000000;
    len = len > size - 3 ? size - 3 : len;
    whole = message_make(message, data + 3, len, number);
    copy = must_copy(message, whole);
    if (renewal_read(&note, (struct span){copy, whole}))
        must(batch_name_is_valid(note.node));
    world_apply(&w[0], copy, whole, w[0].time);
    world_apply(&w[1], copy, whole, w[0].time);
    free(copy);
    lines_check(log, before < log_tail(log) ? log_tail(log) : before, &w[0].last);
    persons_check(&w[0]);
    return 3 + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w[2];
    uint64_t number = 1;

    world_open(&w[0], 1);
    world_open(&w[1], 77);
    while (size >= 3) {
        size_t taken = message_take(w, data, size, &number);

        data += taken;
        size -= taken;
    }
    logs_compare(w[0].room.log, w[1].room.log);
    room_free(&w[0].room);
    room_free(&w[1].room);
    return 0;
}
