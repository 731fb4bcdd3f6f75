/* model.c: what each person does next, and whether what comes fits the idea. */
#include "model.h"
#include "mocks.h"
#include "server/hub/log.h"
#include "server/journal/writer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEOPLE 9
#define EVENTS_MAX 60000
#define NOWHERE SIZE_MAX
#define SESSIONS_MAX MOCKS_MAX
#define SERIALS_MAX 4000

/* ---- The idea of a room ---- */

struct names_set {
    char name[3 * PEOPLE][NAME_LEN_MAX + 1];
    size_t count;
};

struct happening {
    char *line;
    uint64_t stamp;
    enum verb verb;
    char name[NAME_LEN_MAX + 1];
    char word[NAME_LEN_MAX + 1]; /* nick: the new name; quit: the reason */
    char *text;                  /* in line */
    size_t present;              /* which of the sets was true after it */
};

/* The witness's book. */
struct book {
    struct happening events[EVENTS_MAX];
    size_t count;
    struct names_set sets[EVENTS_MAX];
    size_t set_count;
};

/* A line that was said and is not answered yet. */
enum kind {
    SAID_TEXT,
    SAID_ME,
    SAID_NICK,
    SAID_PRIV,
    SAID_USERS,
    SAID_HELP,
    SAID_WRONG,
    SAID_LONG
};

struct said {
    enum kind kind;
    unsigned serial;
    unsigned number;             /* of the session's lines, from 1 */
    size_t pad;                  /* how long its text is */
    char word[NAME_LEN_MAX + 1]; /* the name that it is about, or wants */
};

#define SAID_MAX 4096

/* One person: a session, over all its connections. */
struct person {
    struct mock *p;
    bool in;   /* has read its `you` on this connection */
    bool left; /* nothing more is said on this connection */
    bool gone; /* this connection is over */
    bool posts;
    bool resumes;        /* this connection resumes a session */
    bool resumable;      /* it has asked for a token */
    const char *goodbye; /* what the worker says last; NULL: nothing */
    char me[NAME_LEN_MAX + 1];
    char token[33];
    size_t at; /* the next event that it must be given; NOWHERE: not known */
    char last[STAMP_LEN + 1];

    char *out; /* what this connection is to be given, from given to len */
    size_t given;
    size_t len;
    struct said said[SAID_MAX];
    size_t said_count;
    unsigned numbers;
    unsigned quit; /* the number of a /quit on this connection; 0: none */
    unsigned session;
    unsigned serial; /* of its lines */

    struct names_set list; /* that is being read */
};

/* A mock of the transcript's writer, and its file: the stamps of its events. */
struct mock_writer {
    bool wanted;
    bool sync;
    int fd;              /* -1: it has died */
    char bytes[1 << 20]; /* what it was handed and has not answered */
    size_t len;
    uint64_t file[EVENTS_MAX];
    size_t count;
    size_t count_begun; /* when it began */
    uint64_t told;
    unsigned long lost;   /* events that the file did not take */
    unsigned long untold; /* events in the file of which its death left the hub in doubt */
    unsigned long missed; /* those that the hub has counted itself, in `gap` lines */
};

static struct mock_writer mock_writer;
static struct stage stage; /* these are too large for a stack */
static struct book book;
static struct person people[PEOPLE];
static struct mock *witness;
static uint32_t seed;
/* Of what there was enough to make a test of it. */
static struct {
    unsigned long gaps, mine, resumed, again, handovers;
} seen;
/* Of every session's lines: the last one that is in the book, and what became of private ones. */
static unsigned sessions;
static unsigned in_book[SESSIONS_MAX];
static char private_heard[SESSIONS_MAX][SERIALS_MAX]; /* 1: echoed, 2: heard, 4: nobody knows */

static uint32_t chance(uint32_t limit)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)seed * limit) >> 32);
}

static bool same(struct span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

static bool set_has(const struct names_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->name[i], name) == 0)
            return true;
    return false;
}

static void set_add(struct names_set *set, const char *name)
{
    ensure(!set_has(set, name), "%s is there twice", name);
    ensure(set->count < COUNT_OF(set->name), "more people than there are");
    strcpy(set->name[set->count++], name);
}

static void set_remove(struct names_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->name[i], name) == 0) {
            memmove(set->name[i], set->name[--set->count], sizeof set->name[i]);
            return;
        }
    ck_abort_msg("%s was not there", name);
}

static bool sets_equal(const struct names_set *a, const struct names_set *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (!set_has(b, a->name[i]))
            return false;
    return a->count == b->count;
}

/* Who is there before the event at that place. */
static const struct names_set *present_at(size_t place)
{
    return &book.sets[place == 0 ? 0 : book.events[place - 1].present];
}

/* ---- The book ---- */

static void book_clear(void)
{
    for (size_t i = 0; i < book.count; i++)
        free(book.events[i].line);
    book.count = 0;
    book.set_count = 1;
    book.sets[0].count = 0;
}

/* The texts are "SESSION.SERIAL" and padding. Each session's are there once, in their order. */
static void book_check_text(const char *text)
{
    unsigned id, serial;

    ensure(sscanf(text, "%u.%u", &id, &serial) == 2 && id < sessions, "who said that: %s", text);
    ensure(serial > in_book[id], "again, or too late: %.20s", text);
    in_book[id] = serial;
}

static void book_presence(struct happening *h)
{
    struct names_set *set = &book.sets[book.set_count];

    h->present = book.set_count - 1;
    if (h->verb != VERB_JOIN && h->verb != VERB_QUIT && h->verb != VERB_NICK)
        return;
    *set = book.sets[h->present];
    if (h->verb != VERB_JOIN)
        set_remove(set, h->name);
    if (h->verb != VERB_QUIT)
        set_add(set, h->verb == VERB_JOIN ? h->name : h->word);
    h->present = book.set_count++;
}

static void book_write(const struct mock *p)
{
    struct happening *h = &book.events[book.count];

    ensure(book.count < EVENTS_MAX, "the book is full");
    *h = (struct happening){
        .line = malloc(p->len + 1), .stamp = p->event.stamp, .verb = p->event.verb};
    ensure(h->line != NULL, "no memory");
    memcpy(h->line, p->text, p->len + 1);
    span_copy(h->name, sizeof h->name, p->event.name);
    span_copy(h->word, sizeof h->word, p->event.word);
    h->text = h->line + (p->event.text.at - p->text);
    book_presence(h);
    book.count++;
    if (verb_is_message(h->verb))
        book_check_text(h->text);
}

/* The witness reads everything; its own welcome comes first. */
static void book_read(void)
{
    while (mock_line(witness) != NULL) {
        ensure(verb_is_room(witness->event.verb), "the witness is told %s", witness->text);
        book_write(witness);
    }
}

/* Where the first event after that stamp stands, or will. */
static size_t book_after(uint64_t stamp)
{
    size_t low = 0;
    size_t high = book.count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (book.events[mid].stamp <= stamp)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Where the event with that stamp stands. */
static size_t book_find(uint64_t stamp)
{
    size_t after = book_after(stamp);

    ensure(after > 0 && book.events[after - 1].stamp == stamp, "it is not in the book");
    return after - 1;
}

/* ---- What people are told ---- */

static void said_drop(struct person *who)
{
    ensure(who->said_count > 0, "%s has asked nothing", who->me);
    who->said_count--;
    memmove(who->said, who->said + 1, who->said_count * sizeof who->said[0]);
}

static const struct said *said_first(const struct person *who)
{
    ensure(who->said_count > 0, "an answer without a question: %.80s", who->p->text);
    return &who->said[0];
}

/* The event, or the place in a gap, is the answer to its oldest line. */
static void answered_by(struct person *who, const struct happening *h)
{
    const struct said *said = said_first(who);
    unsigned id, serial;
    bool fits = false;

    switch (h->verb) {
    case VERB_MSG:
    case VERB_POST:
    case VERB_ME:
        fits = said->kind == (h->verb == VERB_ME ? SAID_ME : SAID_TEXT) &&
               sscanf(h->text, "%u.%u", &id, &serial) == 2 && id == who->session &&
               serial == said->serial && strlen(h->text) == said->pad;
        break;
    case VERB_NICK:
        fits = said->kind == SAID_NICK;
        strcpy(who->me, h->word);
        break;
    case VERB_HERE:
    case VERB_USERS:
    case VERB_YOU:
    case VERB_JOIN:
    case VERB_QUIT:
    case VERB_TOKEN:
    case VERB_RESUMED:
    case VERB_PRIV:
    case VERB_NOTE:
    case VERB_GAP:
    case VERB_ERROR:
        break;
    }
    ensure(fits, "%s is answered by %.80s", who->me, h->line);
    said_drop(who);
}

static bool is_own(const struct person *who, const struct happening *h)
{
    return strcmp(h->name, who->me) == 0 && (h->verb == VERB_MSG || h->verb == VERB_ME ||
                                                h->verb == VERB_NICK || h->verb == VERB_POST);
}

static void told_event(struct person *who)
{
    size_t place =
        who->at == NOWHERE || (who->posts && who->in) ? book_find(who->p->event.stamp) : who->at;
    const struct happening *h = &book.events[place];

    ensure(place < book.count && strcmp(h->line, who->p->text) == 0,
        "%s is told %.80s instead of %.80s", who->me, who->p->text, h->line);
    ensure(!who->posts || !who->in || is_own(who, h), "a poster is told %.80s", h->line);
    who->at = place + 1;
    if (who->in && is_own(who, h))
        answered_by(who, h);
    else if (h->verb == VERB_NICK && is_own(who, h))
        strcpy(who->me, h->word); /* in the past that is told again after a break */
}

static void told_gap(struct person *who)
{
    const struct event *e = &who->p->event;
    unsigned long mine = 0;

    ensure(!who->posts || !who->in, "a poster is told of a gap");
    if (!e->counted) {
        ensure(!who->in && e->mine == 0, "%s", who->p->text);
        who->at = NOWHERE;
        return;
    }
    ensure(e->count > 0, "%s", who->p->text);
    if (who->at == NOWHERE)
        return;
    for (unsigned long i = 0; i < e->count; i++) {
        const struct happening *h = &book.events[who->at++];

        ensure(who->at <= book.count, "a gap beyond the end");
        if (!is_own(who, h))
            continue;
        mine++;
        if (who->in)
            answered_by(who, h);
        else if (h->verb == VERB_NICK)
            strcpy(who->me, h->word);
    }
    seen.gaps++;
    seen.mine += mine;
    ensure(!who->in || mine == e->mine, "%s: %lu were", who->p->text, mine);
}

/* The place from which on it is told everything: after all the joins of its turn. */
static void find_place(struct person *who, size_t from)
{
    size_t place = from;

    while (!sets_equal(present_at(place), &who->list)) {
        ensure(place < book.count && book.events[place].verb == VERB_JOIN,
            "%s has a list that was never true", who->me);
        place++;
    }
    who->at = place;
}

static void told_list(struct person *who)
{
    const struct said *said;

    ensure(who->p->event.count == who->list.count, "%lu, and %zu names", who->p->event.count,
        who->list.count);
    if (!who->in)
        return; /* judged at `you` */
    said = said_first(who);
    ensure(said->kind == SAID_USERS, "a list that nobody asked for");
    ensure(
        who->posts || sets_equal(&who->list, present_at(who->at)), "%s has a wrong list", who->me);
    said_drop(who);
    who->list.count = 0;
}

/* As a client does it: the newest of all events, and of its own welcome. */
static void note_last(struct person *who)
{
    if (memcmp(who->last, who->p->text, STAMP_LEN) < 0)
        memcpy(who->last, who->p->text, STAMP_LEN);
}

static void told_you(struct person *who)
{
    size_t from = who->at;

    ensure(!who->in, "a second welcome");
    span_copy(who->me, sizeof who->me, who->p->event.name);
    who->in = true;
    note_last(who);
    if (who->posts)
        return;
    ensure(set_has(&who->list, who->me), "%s is not on its own list", who->me);
    if (from == NOWHERE)
        from = book_find(who->p->event.stamp) + 1;
    find_place(who, from);
    who->list.count = 0;
}

static void told_here(struct person *who)
{
    const struct span *names = &who->p->event.text;
    char name[NAME_LEN_MAX + 1];

    for (size_t at = 0; at < names->len;) {
        const char *blank = memchr(names->at + at, ' ', names->len - at);
        size_t len = blank == NULL ? names->len - at : (size_t)(blank - names->at) - at;

        span_copy(name, sizeof name, (struct span){names->at + at, len});
        set_add(&who->list, name);
        at += len + 1;
    }
}

static void told_private(struct person *who)
{
    const struct event *e = &who->p->event;
    char text[LINE_CLEAN_MAX + 1];
    unsigned id, serial;

    span_copy(text, sizeof text, e->text);
    ensure(sscanf(text, "%u.%u", &id, &serial) == 2 && id < sessions, "%s", text);
    if (id == who->session) {
        const struct said *said = said_first(who);

        ensure(said->kind == SAID_PRIV && said->serial == serial && strlen(text) == said->pad,
            "%s is answered by %s", who->me, who->p->text);
        private_heard[id][serial] |= 1;
        if (same(e->word, who->me))
            private_heard[id][serial] |= 2;
        said_drop(who);
        return;
    }
    ensure((private_heard[id][serial] & 2) == 0, "heard twice: %s", who->p->text);
    ensure(same(e->word, who->me), "%s is told %s", who->me, who->p->text);
    private_heard[id][serial] |= 2;
}

static void told_error(struct person *who)
{
    static const char *const codes[][2] = {
        [SAID_NICK] = {"usage", "not-allowed"},
        [SAID_PRIV] = {"no-such-user", "busy"},
        [SAID_ME] = {"not-allowed", "not-recorded"},
        [SAID_WRONG] = {"unknown-command", "usage"},
        [SAID_LONG] = {"too-long", ""},
        [SAID_TEXT] = {"not-recorded", ""},
        [SAID_USERS] = {"", ""},
        [SAID_HELP] = {"", ""},
    };
    const struct span code = who->p->event.word;
    const struct said *said;

    said = said_first(who);
    ensure(same(code, codes[said->kind][0]) || same(code, codes[said->kind][1]) ||
               (who->posts && same(code, "not-allowed")),
        "kind %d: %s", said->kind, who->p->text);
    said_drop(who);
}

/* `resumed N`: the first N lines of the session have been answered. */
static void told_resumed(struct person *who)
{
    ensure(who->resumes && !who->in, "not asked");
    ensure(who->p->event.counted, "the token is not known");
    seen.resumed++;
    while (who->said_count > 0 && who->said[0].number <= who->p->event.count) {
        if (who->said[0].kind == SAID_PRIV) /* whether it was heard, nobody knows */
            private_heard[who->session][who->said[0].serial] |= 4;
        said_drop(who);
    }
    ensure(who->p->event.count <= who->numbers, "%lu lines of %u (%s)", who->p->event.count,
        who->numbers, who->me);
    if (who->quit > who->p->event.count) /* the line was lost, and is not said again */
        who->numbers--;
    who->quit = 0;
}

/* Help, or that SIGTERM to the worker was a kick. */
static void told_note(struct person *who)
{
    if (who->left && strstr(who->p->text, "removed") != NULL)
        return;
    ensure(said_first(who)->kind == SAID_HELP, "%s", who->p->text);
    said_drop(who);
}

static void told(struct person *who)
{
    switch (who->p->event.verb) {
    case VERB_JOIN:
    case VERB_QUIT:
    case VERB_NICK:
    case VERB_MSG:
    case VERB_ME:
    case VERB_POST:
        told_event(who);
        note_last(who);
        break;
    case VERB_HERE:
        told_here(who);
        break;
    case VERB_USERS:
        told_list(who);
        break;
    case VERB_YOU:
        told_you(who);
        break;
    case VERB_TOKEN:
        span_copy(who->token, sizeof who->token, who->p->event.word);
        break;
    case VERB_RESUMED:
        told_resumed(who);
        break;
    case VERB_PRIV:
        told_private(who);
        break;
    case VERB_NOTE:
        told_note(who);
        break;
    case VERB_GAP:
        told_gap(who);
        break;
    case VERB_ERROR:
        told_error(who);
        break;
    }
}

/* ---- What people do ---- */

static void put(struct person *who, const char *text)
{
    size_t len = strlen(text);

    who->out = realloc(who->out, who->len + len + 1);
    ensure(who->out != NULL, "no memory");
    memcpy(who->out + who->len, text, len + 1);
    who->len += len;
}

static const char *const wanted[] = {"ann", "bob", "Bob", "two words", "bob_2", "\xe4\xbd\xa0"};

/* Writes the line for the first time, or, after a break, again. */
static void put_said(struct person *who, struct said *said)
{
    static const char *const wrong[] = {"/foo", "/me", "/nick", "/msg ann", "/", "/history 3"};
    char text[5000];
    char line[5200];

    snprintf(
        text, sizeof text, "%u.%u %0*d", who->session, said->serial, (int)(said->pad % 4000), 0);
    said->pad = strlen(text);
    switch (said->kind) {
    case SAID_TEXT:
        snprintf(line, sizeof line, "%s\n", text);
        break;
    case SAID_ME:
        snprintf(line, sizeof line, "/me %s\n", text);
        break;
    case SAID_NICK:
        snprintf(line, sizeof line, "/nick %s\n", said->word);
        break;
    case SAID_PRIV:
        snprintf(line, sizeof line, "/msg %s %s\n", said->word, text);
        break;
    case SAID_USERS:
        snprintf(line, sizeof line, "/users\n");
        break;
    case SAID_HELP:
        snprintf(line, sizeof line, "/help\n");
        break;
    case SAID_WRONG:
        snprintf(line, sizeof line, "%s\n", wrong[said->serial % COUNT_OF(wrong)]);
        break;
    case SAID_LONG:
        snprintf(line, sizeof line, CONTROL_TOO_LONG);
        break;
    }
    put(who, line);
}

static bool may_say(const struct person *who)
{
    return who->said_count < SAID_MAX && !who->left && who->serial < SERIALS_MAX - 1;
}

/* An unterminated last line. */
static void say_last(struct person *who)
{
    struct said *said = &who->said[who->said_count];

    if (!may_say(who) || who->resumable || !who->in)
        return;
    *said = (struct said){
        .kind = SAID_TEXT, .serial = ++who->serial, .number = ++who->numbers, .pad = chance(60)};
    who->said_count++;
    put(who, CONTROL_LAST);
    put_said(who, said);
}

static void say(struct person *who)
{
    struct said *said = &who->said[who->said_count];
    unsigned kind = chance(20);

    if (!may_say(who))
        return;
    *said = (struct said){.serial = ++who->serial, .number = ++who->numbers};
    said->kind = kind < 8 ? SAID_TEXT : (enum kind)(kind % 8);
    said->pad = chance(4) == 0 ? chance(4000) : chance(60);
    if (chance(10) == 0)
        put(who, "\n"); /* empty lines are not answered */
    if (said->kind == SAID_PRIV) {
        const struct person *to = &people[chance(PEOPLE)];
        snprintf(said->word, sizeof said->word, "%s", to->me[0] != '\0' ? to->me : "nobody");
    }
    if (said->kind == SAID_NICK)
        strcpy(said->word, wanted[chance(COUNT_OF(wanted))]);
    who->said_count++;
    put_said(who, said);
}

/* The hub had no memory for it: there is no such connection. */
static void turned_away(struct person *who)
{
    if (mock_is_admitted(who->p))
        return;
    mock_vanish(who->p);
    who->gone = true;
}

static void come(struct person *who)
{
    static const char *const pasts[] = {"", "/history 5\n", "/history 100000\n"};
    char line[100];

    free(who->out);
    *who = (struct person){
        .p = mock_add(&stage), .at = NOWHERE, .posts = chance(6) == 0, .session = sessions++};
    who->p->reads = chance(2) == 0;
    turned_away(who);
    who->resumable = chance(4) != 0;
    snprintf(line, sizeof line, "%s%s%s%s\n", who->posts ? "/post\n" : "",
        who->posts ? "" : pasts[chance(3)], who->resumable ? "/token\n" : "",
        chance(5) == 0 ? "" : wanted[chance(COUNT_OF(wanted))]);
    put(who, line);
}

/* The worker has relayed everything and says goodbye; its client has half-closed, or is gone. */
static void finish(struct person *who)
{
    struct mock *p = who->p;
    size_t len = strlen(who->goodbye);

    if (mock_give(p, who->goodbye, len) != len)
        return;
    if (strcmp(who->goodbye, CONTROL_LOST) == 0)
        mock_close(p);
    mock_exit(p);
    who->goodbye = NULL;
}

/* As much as the connection takes, or less. */
static void give(struct person *who, size_t max)
{
    size_t len = who->len - who->given;

    if (who->gone)
        return;
    who->given += mock_give(who->p, who->out + who->given, len < max ? len : max);
    if (who->given == who->len && who->goodbye != NULL)
        finish(who);
}

static void leave(struct person *who)
{
    if (who->left)
        return;
    switch (who->resumes ? 1 + chance(3) : chance(4)) {
    case 0:
        put(who, "/quit\n");
        who->quit = ++who->numbers;
        break;
    case 1:
        who->goodbye = CONTROL_LOST;
        break;
    case 2:
        say_last(who);
        who->goodbye = CONTROL_LEFT;
        break;
    default:
        who->goodbye = CONTROL_LEFT;
        break;
    }
    who->left = true;
}

static int some_status(void)
{
    static const int statuses[] = {SIGKILL, SIGSEGV, SIGTERM, 0};

    return statuses[chance(4)];
}

/*
 * The worker dies; that is found at once, or after the hub has seen the end of the pair. The client
 * is told the rest. One whose worker was not started yet is gone.
 */
static void die(struct person *who)
{
    struct mock *p = who->p;

    who->left = true;
    who->goodbye = NULL;
    if (p->process == PROCESS_NONE)
        mock_vanish(p);
    if (p->process != PROCESS_RUNNING)
        return;
    mock_die(p);
    if (chance(2) == 0)
        (void)stage_turn(&stage);
    if (chance(2) == 0)
        mock_reap(&stage, p, some_status());
}

/* Another connection for the same session, while the last one is there or after its end. */
static void come_back(struct person *who)
{
    char line[200];
    uint64_t stamp;

    if (who->token[0] == '\0' || who->last[0] == '\0')
        return;
    ensure(stamp_parse(who->last, STAMP_LEN, &stamp), "%s", who->last);
    who->p = mock_add(&stage);
    who->p->reads = chance(2) == 0;
    who->in = who->left = who->gone = false;
    who->goodbye = NULL;
    turned_away(who);
    who->resumes = who->resumable = true;
    who->list.count = 0;
    who->at = who->posts ? NOWHERE : book_after(stamp);
    free(who->out);
    who->out = NULL;
    who->given = who->len = 0;
    snprintf(line, sizeof line, "%s/token\n/resume %s\n/since %s\n%s\n",
        who->posts ? "/post\n" : "", who->token, who->last, who->me);
    put(who, line);
}

/* After the welcome: what the server has not taken is said again. */
static void say_again(struct person *who)
{
    who->resumes = false;
    seen.again += who->said_count;
    for (size_t i = 0; i < who->said_count; i++)
        put_said(who, &who->said[i]);
}

/* ---- The transcript ---- */

static void mock_writer_file(const char *at, const char *end)
{
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        struct event event;

        ensure(lf != NULL && event_parse(&event, at, (size_t)(lf - at)), "in the file: %.60s", at);
        if (event.verb == VERB_GAP) {
            mock_writer.missed += event.count;
        } else {
            ensure(verb_is_room(event.verb) && mock_writer.count < EVENTS_MAX, "in the file: %.60s",
                at);
            ensure(mock_writer.count == 0 || mock_writer.file[mock_writer.count - 1] < event.stamp,
                "again, or too late in the file: %.60s", at);
            mock_writer.file[mock_writer.count++] = event.stamp;
        }
        at = lf + 1;
    }
}

/* Counts the events, and notes the stamp of the last. */
static unsigned long mock_writer_count(const char *at, const char *end)
{
    unsigned long count = 0;
    uint64_t stamp;

    for (; at < end; at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1)
        if (strncmp(at + STAMP_LEN, " gap ", 5) != 0 && stamp_parse(at, STAMP_LEN, &stamp)) {
            mock_writer.told = stamp;
            count++;
        }
    return count;
}

/* Dies; what it was handed may be in the file, though nobody was told. */
static void mock_writer_die(void)
{
    const char *end =
        mock_writer.len == 0 ? mock_writer.bytes : mock_writer.bytes + mock_writer.len;

    while (end > mock_writer.bytes && end[-1] != '\n')
        end--;
    if (mock_writer.fd != -1 && chance(2) == 0) {
        mock_writer.untold += mock_writer_count(mock_writer.bytes, end);
        mock_writer_file(mock_writer.bytes, end);
    }
    if (mock_writer.fd != -1)
        close(mock_writer.fd);
    mock_writer.fd = -1;
    mock_writer.len = 0;
}

/* The hub has given it up, and may not have heard its last words either. */
static void mock_writer_given_up(void)
{
    mock_writer.untold += mock_writer.count - mock_writer.count_begun;
    mock_writer_die();
}

static void mock_writer_read(void)
{
    ssize_t n = -1;

    while (mock_writer.fd != -1 && (n = recv(mock_writer.fd, mock_writer.bytes + mock_writer.len,
                                        sizeof mock_writer.bytes - mock_writer.len, 0)) > 0)
        mock_writer.len += (size_t)n;
    if (n == 0)
        mock_writer_given_up();
}

static void mock_writer_tell(const char *word)
{
    char text[80];
    char stamp[STAMP_LEN];

    stamp_format(stamp, mock_writer.told);
    snprintf(text, sizeof text, "%s%.*s\n", word, STAMP_LEN, stamp);
    if (send(mock_writer.fd, text, strlen(text), MSG_NOSIGNAL) == -1)
        mock_writer_given_up();
}

/* Takes the whole lines that it has: the disk takes them, or does not. */
static void mock_writer_answer(bool takes)
{
    const char *end =
        mock_writer.len == 0 ? mock_writer.bytes : mock_writer.bytes + mock_writer.len;

    while (end > mock_writer.bytes && end[-1] != '\n')
        end--;
    if (end == mock_writer.bytes || mock_writer.fd == -1)
        return;
    if (takes)
        mock_writer_file(mock_writer.bytes, end);
    unsigned long count = mock_writer_count(mock_writer.bytes, end);
    mock_writer.lost += takes ? 0 : count;
    mock_writer.len -= (size_t)(end - mock_writer.bytes);
    memmove(mock_writer.bytes, end, mock_writer.len);
    mock_writer_tell(takes ? WRITER_KEPT : WRITER_LOST);
}

static void mock_writer_come(void)
{
    mock_writer.fd = writer_add(&stage);
    if (mock_writer.fd == -1)
        return;
    mock_writer.count_begun = mock_writer.count;
    mock_writer.told = mock_writer.count == 0 ? 0 : mock_writer.file[mock_writer.count - 1];
    mock_writer_tell(WRITER_KEPT);
}

static bool mock_writer_has(uint64_t stamp)
{
    size_t low = 0;
    size_t high = mock_writer.count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (mock_writer.file[mid] < stamp)
            low = mid + 1;
        else
            high = mid;
    }
    return low < mock_writer.count && mock_writer.file[low] == stamp;
}

static void mock_writer_act(void)
{
    if (!mock_writer.wanted)
        return;
    if (chance(3) == 0)
        mock_writer_read();
    if (mock_writer.fd == -1) {
        if (chance(20) == 0)
            mock_writer_come();
        else if (chance(40) == 0)
            hub_miss_writer(stage.hub);
        stage.poked = true;
        return;
    }
    if (chance(3) == 0)
        mock_writer_answer(chance(30) != 0);
    if (chance(400) == 0)
        mock_writer_die();
}

static void mock_writer_calm_down(void)
{
    if (!mock_writer.wanted)
        return;
    if (mock_writer.fd == -1)
        mock_writer_come();
    for (int i = 0; i < 3; i++) {
        stage_settle(&stage);
        mock_writer_read();
        mock_writer_answer(true);
    }
}

/* With -s nobody has been told what somebody said before it was in the file. */
static void mock_writer_judge(void)
{
    for (size_t i = 0; mock_writer.sync && i < book.count; i++)
        ensure(!verb_is_message(book.events[i].verb) || mock_writer_has(book.events[i].stamp),
            "nobody has written %.80s", book.events[i].line);
}

/* In the end the file has everything but what it says it lacks. */
static void mock_writer_judge_all(void)
{
    size_t missing = 0;

    if (!mock_writer.wanted)
        return;
    for (size_t i = 0; i < book.count; i++)
        missing += !mock_writer_has(book.events[i].stamp);
    /* Lines that were in the file before the writer died may have been refused since, without one.
     */
    ensure(mock_writer.count + missing >= book.count &&
               mock_writer.count + missing - book.count <= mock_writer.untold,
        "the file has events that nobody was told");
    ensure(missing <= mock_writer.lost + mock_writer.missed,
        "%zu are missing, %lu were lost, %lu in gaps", missing, mock_writer.lost,
        mock_writer.missed);
}

/* ---- Every worker's duties ---- */

/* The client of an old connection is gone, and its worker notices that, or the hub does. */
static void old_worker(struct mock *p, uint32_t looks)
{
    size_t len = strlen(CONTROL_LOST);

    if (chance(looks) == 0)
        mock_close(p);
    /* A newer connection may tell so, too. */
    if (p->process == PROCESS_RUNNING && chance(p->ends > 0 ? 2 : looks) == 0 &&
        mock_give(p, CONTROL_LOST, len) == len) {
        mock_close(p);
        mock_exit(p);
    }
    if (p->process == PROCESS_DEAD && chance(2) == 0)
        mock_reap(&stage, p, some_status());
}

/* What connections that nobody looks after any more still do. */
static void old_workers(uint32_t looks)
{
    for (size_t i = 0; i < stage.count; i++) {
        struct mock *p = &stage.mocks[i];
        bool owned = p == witness;

        for (size_t k = 0; k < PEOPLE; k++)
            owned |= people[k].p == p;
        if (!owned)
            old_worker(p, looks);
    }
}

/* The worker ends the line that it has begun: half a line before its goodbye would be a fault. */
static bool end_line(struct person *who)
{
    const char *lf;
    size_t len;
    size_t n;

    if (who->given == 0 || who->out[who->given - 1] == '\n')
        return true;
    lf = memchr(who->out + who->given, '\n', who->len - who->given);
    if (lf == NULL)
        return false;
    len = (size_t)(lf + 1 - who->out) - who->given;
    n = mock_give(who->p, who->out + who->given, len);
    who->given += n;
    return n == len;
}

/* The connection breaks; what is not given yet is said again on the next one. */
static void break_off(struct person *who)
{
    struct mock *old = who->p;

    if (who->gone || who->left || who->p->ended || !end_line(who))
        return;
    come_back(who);
    old->reads = true;
}

static void act(struct person *who)
{
    if (who->p == NULL || (who->gone && mock_is_over(who->p))) {
        if (who->p != NULL && chance(2) == 0 && !who->resumes)
            come_back(who);
        else
            come(who);
        return;
    }
    switch (chance(24)) {
    case 0:
        if (chance(8) == 0)
            leave(who);
        break;
    case 1:
        if (chance(16) == 0 && !who->gone)
            die(who);
        break;
    case 2:
        if (chance(10) == 0 && who->in)
            break_off(who);
        break;
    case 3:
        who->p->reads = !who->p->reads;
        break;
    case 4:
    case 5:
    case 6:
        mock_take(who->p, 1 + chance(3000));
        break;
    case 7:
    case 8:
    case 9:
        give(who, 1 + chance(200));
        break;
    case 10:
    case 11:
        give(who, SIZE_MAX);
        break;
    default:
        if (who->in || !who->resumes)
            say(who);
        break;
    }
}

/* ---- Judgement ---- */

static void look_after(struct person *who)
{
    if (who->p == NULL)
        return;
    while (mock_line(who->p) != NULL) {
        told(who);
        if (who->resumes && who->in)
            say_again(who);
    }
    who->gone |= who->p->ended || who->p->client == -1;
    if (who->p->process == PROCESS_DEAD)
        mock_reap(&stage, who->p, some_status());
}

/* Where calls fail, some things take their time. */
static void judge(void)
{
    void (*around)(bool) = stage.around;

    stage.around = NULL;
    stage_wait(&stage, around == NULL ? 0 : 300000);
    stage.around = around;
    book_read();
    mock_writer_judge();
    for (size_t i = 0; i < PEOPLE; i++)
        look_after(&people[i]);
}

/* Everybody says and hears all that it has to. */
static void calm_down(void)
{
    for (size_t round = 0; round < 200; round++) {
        for (size_t i = 0; i < PEOPLE; i++)
            if (people[i].p != NULL && !people[i].gone) {
                people[i].p->reads = true;
                give(&people[i], SIZE_MAX);
            }
        old_workers(2);
        mock_writer_calm_down();
        stage_wait(&stage, 1000000);
        judge();
    }
}

static void judge_all(void)
{
    struct names_set here = {.count = 0};

    for (size_t i = 0; i < PEOPLE; i++) {
        const struct person *who = &people[i];

        if (who->p == NULL || who->gone)
            continue;
        ensure(who->in && who->given == who->len, "%zu got no welcome", i);
        ensure(who->said_count == 0, "%s (%zu) waits for %zu answers", who->me, i, who->said_count);
        ensure(who->posts || who->at == book.count, "%s was not told everything", who->me);
        if (!who->posts)
            set_add(&here, who->me);
    }
    set_add(&here, "witness");
    ensure(sets_equal(&here, present_at(book.count)), "others are here than one should think");
}

static void room_enter_witness(void)
{
    witness = mock_add(&stage);
    mock_say(witness, "witness");
    mock_writer_calm_down();
    stage_settle(&stage);
    while (mock_line(witness) != NULL && witness->event.verb != VERB_YOU)
        continue;
    ensure(witness->event.verb == VERB_YOU, "the witness gets its welcome");
    /* Its own join is not told to it; it is the first event. */
    snprintf(witness->text + STAMP_LEN, 20, " join witness");
    witness->len = strlen(witness->text);
    ensure(event_parse(&witness->event, witness->text, witness->len), "a join");
    book_write(witness);
}

static void play_at_random(int steps)
{
    for (int step = 0; step < steps && stage.count < MOCKS_MAX - PEOPLE; step++) {
        for (uint32_t n = chance(6); n > 0; n--)
            act(&people[chance(PEOPLE)]);
        old_workers(50);
        mock_writer_act();
        if (chance(3) != 0)
            (void)stage_turn(&stage);
        if (chance(10) == 0)
            judge();
        if (chance(50) == 0)
            stage_wait(&stage, chance(300000));
        if (chance(100) == 0) {
            seen.handovers += stage_handover(&stage);
        }
    }
}
static void model_open(uint32_t number)
{
    struct hub_config config = {
        .log_bytes = number % 2 == 0 ? LOG_BYTES_MIN : 1u << 20,
        .wait_us = number % 3 == 0 ? 200000 : 0,
        .rate = number % 5 == 4 ? 100 : 0,
        .history = number % 4,
        .sync = number % 7 == 6,
    };

    book_clear();
    memset(people, 0, sizeof people);
    memset(in_book, 0, sizeof in_book);
    memset(private_heard, 0, sizeof private_heard);
    sessions = 0;
    seed = number;
    memset(&mock_writer, 0, sizeof mock_writer);
    mock_writer.fd = -1;
    mock_writer.wanted = number % 7 >= 5;
    mock_writer.sync = config.sync;
    stage_open(&stage, &config);
    if (mock_writer.wanted)
        mock_writer_come();
    room_enter_witness(); /* whose pair takes more than the others' */
    stage.pair_bytes = number % 4 < 2 ? 4096 : 0;
}

static void model_close(void)
{
    mock_writer_die();
    stage_close(&stage);
    for (size_t i = 0; i < PEOPLE; i++)
        free(people[i].out);
    book_clear();
}

void model_run(const struct model *model)
{
    printf("seed %u\n", model->seed);
    fflush(stdout);
    model_open(model->seed);
    stage.around = model->around;
    play_at_random(model->steps);
    if (model->calm != NULL)
        model->calm();
    calm_down();
    judge_all();
    mock_writer_judge_all();
    printf("%zu events, %u sessions, %zu connections, %lu gaps (%lu own lines), "
           "%lu sessions resumed (%lu lines again), %lu handovers\n",
        book.count, sessions, stage.count, seen.gaps, seen.mine, seen.resumed, seen.again,
        seen.handovers);
    model_close();
}
