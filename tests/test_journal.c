/*
 * test_journal.c: the transcript from the hub's side: what members may see and when, what a writer
 * is handed, one after the other, and what its words settle. The test is the writer; the room has
 * no clients.
 */
#define room harness_room /* the harness has a struct of that name, too */
#include "harness.h"
#undef room
#include "compat/compat.h"
#include "compat/poller.h"
#include "server/hub/codec.h"
#include "server/hub/room.h"
#include "server/hub/table.h"
#include "server/hub/timers.h"
#include "server/journal/journal.h"
#include "server/journal/writer.h"
#include "server/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#define SECOND 1000000u
#define STAMP(n) (1800000000000000u + (n))

static struct {
    struct room room;
    struct journal journal;
    struct poller *poller;
    struct report report;
    struct person *ann;
    uint64_t now;
    uint64_t visible;
    int fd; /* the writer's end of its pair; -1: closed */
    char got[1 << 20];
    size_t len;
} fixture;

static const struct table_seed seed = {{5, 6}};

/* ---- The room -------------------------------------------------------------------------------- */

/* Somebody's event number n, at STAMP(n). */
static void event_append(enum room_request_kind kind, unsigned n, size_t pad)
{
    char text[LINE_OUT_MAX];
    struct room_request request = {.kind = kind,
        .time = STAMP(n),
        .person = fixture.ann,
        .author = 1,
        .name = "ann",
        .login = "",
        .reason = "left"};
    struct room_outcome outcome;

    request.text =
        (struct span){text, (size_t)snprintf(text, sizeof text, "%u %0*d", n, (int)pad, 0)};
    if (kind == ROOM_RENAME)
        request.name = n % 2 == 0 ? "amy" : "ann";
    ensure(room_apply(&fixture.room, &request, &outcome) == ROOM_DONE && outcome.stamp == STAMP(n),
        "event %u", n);
    if (kind == ROOM_LOGIN)
        fixture.ann = outcome.person;
}

static void message_append(unsigned n)
{
    event_append(ROOM_SAY, n, 1);
}

/* What a turn of the hub does with the journal. True where the pair was ready. */
static bool journal_run(void)
{
    struct journal *j = &fixture.journal;
    struct poller_event events[4];
    struct settled line;
    uint64_t visible;
    int count = poller_wait(fixture.poller, 0, NULL, events, 4);

    for (int n = count; n > 0; n--)
        journal_ready(j, events[n - 1].revents);
    journal_read(j, &fixture.room, fixture.poller, &fixture.report, fixture.now);
    while (journal_next(j, &fixture.room, &line))
        journal_settle(j, &fixture.room, &line);
    visible = journal_write(j, &fixture.room, fixture.poller, &fixture.report, fixture.now);
    if (visible > fixture.visible)
        fixture.visible = visible;
    return count > 0;
}

/* Turns as long as there is something to do. */
static void journal_settle_all(void)
{
    for (int i = 0; i < 100; i++)
        if (!journal_run() && journal_due(&fixture.journal, &fixture.room) > fixture.now)
            return;
    ck_abort_msg("it does not come to rest");
}

static void fixture_open(bool sync)
{
    memset(&fixture, 0, sizeof fixture);
    fixture.fd = -1;
    fixture.now = SECOND;
    fixture.report = (struct report){.to = REPORT_SYSLOG, .syslog = -1, .level = LOG_DEBUG};
    fixture.poller = poller_new();
    ensure(fixture.poller != NULL && room_init(&fixture.room, log_new(LOG_BYTES_MIN),
                                         sync ? log_new(LOG_BYTES_MIN) : NULL, &seed),
        "no memory");
    journal_init(&fixture.journal, sync);
    journal_begin(&fixture.journal, &fixture.room);
    event_append(ROOM_LOGIN, 1, 0);
}

static void fixture_close(void)
{
    if (fixture.fd != -1)
        close(fixture.fd);
    journal_close(&fixture.journal, fixture.poller);
    room_free(&fixture.room);
    poller_free(fixture.poller);
}

/* ---- The writer ------------------------------------------------------------------------------ */

static void writer_come(void)
{
    int pair[2];

    if (fixture.fd != -1)
        close(fixture.fd);
    ensure(socketpair_cloexec_nonblock(pair) == 0, "socketpair");
    ensure(
        journal_set_writer(&fixture.journal, pair[0], fixture.poller, &fixture.report, fixture.now),
        "no memory");
    fixture.fd = pair[1];
    fixture.len = 0;
}

static void writer_die(void)
{
    close(fixture.fd);
    fixture.fd = -1;
    journal_settle_all();
    ensure(fixture.journal.state == JOURNAL_ABSENT, "its death is not seen");
}

static void writer_says(const char *word, unsigned n)
{
    char line[64];
    char stamp[STAMP_LEN + 1] = {0};
    int len;

    stamp_format(stamp, n == 0 ? 0 : STAMP(n));
    len = snprintf(line, sizeof line, "%s%s\n", word, stamp);
    ensure(write(fixture.fd, line, (size_t)len) == len, "write");
}

/* All that it was handed since the last time, as a string. */
static const char *writer_gets(void)
{
    ssize_t n;

    fixture.len = 0;
    while ((n = recv(fixture.fd, fixture.got + fixture.len, sizeof fixture.got - 1 - fixture.len,
                0)) > 0)
        fixture.len += (size_t)n;
    fixture.got[fixture.len] = '\0';
    return fixture.got;
}

/* The numbers of the events in what it was handed, as "1 2 g3 4": a gap is its count. */
static const char *numbers_got(void)
{
    static char numbers[65536];
    const char *at = writer_gets();
    char *out = numbers;

    numbers[0] = '\0';
    for (const char *lf; (lf = strchr(at, '\n')) != NULL; at = lf + 1) {
        struct event event;

        ensure(event_parse(&event, at, (size_t)(lf - at)), "%.40s", at);
        if (event.verb == VERB_GAP)
            out += sprintf(out, "g%lu ", event.count);
        else
            out += sprintf(out, "%llu ", (unsigned long long)(event.stamp - STAMP(0)));
    }
    ensure(*at == '\0', "half a line: %.40s", at);
    return numbers;
}

static void expect_numbers(const char *wanted)
{
    const char *got = numbers_got();

    ensure(strcmp(got, wanted) == 0, "\"%s\" instead of \"%s\"", got, wanted);
}

static uint64_t head(void)
{
    return log_head(fixture.room.log);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* No transcript: everything is visible at once, and nothing is needed. */
START_TEST(none)
{
    fixture_open(false);
    message_append(2);
    journal_settle_all();
    ensure(
        fixture.visible == head() && journal_needs(&fixture.journal) == LINK_NO_LIMIT, "visible");
    ensure(journal_is_done(&fixture.journal, &fixture.room) &&
               journal_due(&fixture.journal, &fixture.room) == TIME_NEVER,
        "nothing is to be done");
    fixture_close();
}
END_TEST

/* Members see what the writer was handed, not more. */
START_TEST(visible_when_handed)
{
    fixture_open(false);
    writer_come();
    journal_settle_all();
    ensure(fixture.visible == 0, "before the writer has said a word");
    ensure(!journal_is_done(&fixture.journal, &fixture.room), "it has not begun");
    writer_says(WRITER_KEPT, 0);
    journal_settle_all();
    expect_numbers("1 ");
    ensure(fixture.visible == head(), "the first line");
    message_append(2);
    message_append(3);
    journal_settle_all();
    expect_numbers("2 3 ");
    ensure(fixture.visible == head() && journal_needs(&fixture.journal) < head(), "not kept yet");
    writer_says(WRITER_KEPT, 3);
    journal_settle_all();
    ensure(journal_needs(&fixture.journal) == head(), "kept");
    ensure(!journal_is_done(&fixture.journal, &fixture.room), "its writer has not exited");
    writer_die();
    ensure(journal_is_done(&fixture.journal, &fixture.room), "it has");
    fixture_close();
}
END_TEST

/* A writer that takes nothing is waited for, for 200 ms; then the room goes on, until it has caught
 * up. No line is shown in part. */
START_TEST(a_slow_writer)
{
    uint64_t before;
    unsigned n = 2;

    fixture_open(false);
    writer_come();
    writer_says(WRITER_KEPT, 0);
    journal_settle_all();
    while (fixture.journal.link.state == LINK_READY) {
        event_append(ROOM_SAY, n++, 3000);
        journal_settle_all();
        if (log_head(fixture.room.log) > 40000)
            (void)writer_gets();
        ensure(n < 1000, "the pair takes everything");
        if (n == 10) { /* from here on it reads no more */
            int small = 1;
            setsockopt(fixture.journal.link.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        }
    }
    before = fixture.visible;
    ensure(before < head() && log_line_from(fixture.room.log, before) == before, "half a line");
    fixture.now += SECOND / 10;
    journal_settle_all();
    ensure(fixture.visible == before, "too early");
    ensure(journal_due(&fixture.journal, &fixture.room) <= fixture.now + SECOND / 5,
        "nobody wakes it");
    fixture.now += SECOND / 5;
    journal_settle_all();
    ensure(fixture.visible == head() && fixture.journal.health == JOURNAL_SLOW,
        "the room stands still");
    while (fixture.journal.health == JOURNAL_SLOW) {
        (void)writer_gets();
        (void)journal_run();
    }
    ensure(fixture.visible == head() && fixture.journal.link.cursor == head(), "not caught up");
    fixture_close();
}
END_TEST

/* The next one goes on where the file ends, whatever the one before had been handed. */
START_TEST(one_after_the_other)
{
    fixture_open(false);
    writer_come();
    writer_says(WRITER_KEPT, 0);
    message_append(2);
    message_append(3);
    journal_settle_all();
    expect_numbers("1 2 3 ");
    writer_says(WRITER_KEPT, 1);
    journal_settle_all();
    writer_die();
    message_append(4);
    journal_settle_all();
    ensure(fixture.visible < head(), "members see what nobody has written");
    writer_come();
    writer_says(WRITER_KEPT, 2); /* it had written one more than it said */
    journal_settle_all();
    expect_numbers("3 4 ");
    ensure(fixture.visible == head(), "visible");
    writer_says(WRITER_KEPT, 4);
    journal_settle_all();
    writer_die();
    writer_come();
    writer_says(WRITER_KEPT, 0); /* another file: nothing comes again */
    message_append(5);
    journal_settle_all();
    expect_numbers("5 ");
    /* One that comes while the last one's end was not seen yet. */
    close(fixture.fd);
    fixture.fd = -1;
    writer_come();
    writer_says(WRITER_KEPT, 4);
    journal_settle_all();
    expect_numbers("5 ");
    fixture_close();
}
END_TEST

/* What the log has dropped meanwhile is counted. */
START_TEST(lines_that_are_gone)
{
    unsigned gap = 0;
    unsigned first = 0;

    fixture_open(false);
    writer_come();
    writer_says(WRITER_KEPT, 0);
    journal_settle_all();
    writer_says(WRITER_KEPT, 1);
    journal_settle_all();
    writer_die();
    for (unsigned n = 2; n <= 100; n++) {
        event_append(ROOM_SAY, n, 2000);
        journal_skip(&fixture.journal, &fixture.room, log_tail(fixture.room.log));
    }
    writer_come();
    writer_says(WRITER_KEPT, 1);
    journal_settle_all();
    ensure(sscanf(numbers_got(), "g%u %u", &gap, &first) == 2 && gap + 2 == first,
        "a gap of %u before %u", gap, first);
    ensure(gap > 50, "%u are gone", gap);
    fixture_close();
}
END_TEST

/* The writer has seen the end of what it is handed. */
static bool writer_sees_end(void)
{
    char byte;

    return recv(fixture.fd, &byte, 1, 0) == 0;
}

/* One that shall finish is handed all that there is, and the next one what comes behind it. */
START_TEST(finishing)
{
    fixture_open(false);
    writer_come();
    writer_says(WRITER_KEPT, 0);
    message_append(2);
    journal_settle_all();
    message_append(3);
    journal_finish(&fixture.journal);
    message_append(4);
    journal_settle_all();
    expect_numbers("1 2 3 4 ");
    ensure(writer_sees_end() && fixture.journal.state == JOURNAL_FINISHING, "it goes on");
    message_append(5);
    journal_settle_all();
    ensure(fixture.visible < head(), "members see what nobody has been handed");
    writer_says(WRITER_KEPT, 4);
    writer_die();
    writer_come();
    writer_says(WRITER_KEPT, 4);
    journal_settle_all();
    expect_numbers("5 ");
    ensure(fixture.visible == head(), "visible");
    fixture_close();
}
END_TEST

/* ---- -s -------------------------------------------------------------------------------------- */

/* A waiter's number, in the order in which waiters come out. */
static struct waiter waiters[10];

static const char *waiters_out(void)
{
    static char out[40];
    struct waiter *waiter;
    size_t n = 0;

    while ((waiter = hold_take(&fixture.room.hold)) != NULL)
        out[n++] = (char)('0' + (waiter - waiters));
    out[n] = '\0';
    return out;
}

static void wait_here(int number)
{
    hold_wait(&fixture.room.hold, &waiters[number], WAITER_ITEM);
}

/* Held lines come into the log as the file has them, and what waits behind them follows. */
START_TEST(held_and_settled)
{
    fixture_open(true);
    writer_come();
    writer_says(WRITER_KEPT, 0);
    journal_settle_all();
    expect_numbers("1 ");
    ensure(head() == 0 && fixture.visible == 0 && !hold_is_empty(&fixture.room.hold), "it is held");
    wait_here(0);
    message_append(2);
    wait_here(1);
    wait_here(2);
    message_append(3);
    wait_here(3);
    journal_settle_all();
    expect_numbers("2 3 ");
    ensure(strcmp(waiters_out(), "") == 0, "too early");
    writer_says(WRITER_KEPT, 1);
    journal_settle_all();
    ensure(strcmp(waiters_out(), "0") == 0 && head() > 0 && fixture.visible == head(), "the first");
    writer_says(WRITER_KEPT, 3);
    journal_settle_all();
    ensure(strcmp(waiters_out(), "123") == 0, "the others");
    ensure(hold_is_empty(&fixture.room.hold) && log_count(fixture.room.log, head()) == 3,
        "all of them");
    ensure(journal_needs(&fixture.journal) == log_head(room_lines(&fixture.room)),
        "nothing is needed");
    fixture_close();
}
END_TEST

/* A message that the disk refused is dropped; what is no message goes on. */
START_TEST(refused)
{
    struct settled line;

    fixture_open(true);
    writer_come();
    writer_says(WRITER_KEPT, 0);
    writer_says(WRITER_KEPT, 1);
    journal_settle_all();
    (void)writer_gets();
    message_append(2);
    event_append(ROOM_RENAME, 4, 0);
    message_append(5);
    journal_settle_all();
    expect_numbers("2 4 5 ");
    writer_says(WRITER_LOST, 5);
    for (int i = 0; i < 2; i++) {
        struct poller_event events[4];

        for (int n = poller_wait(fixture.poller, 0, NULL, events, 4); n > 0; n--)
            journal_ready(&fixture.journal, events[n - 1].revents);
        journal_read(&fixture.journal, &fixture.room, fixture.poller, &fixture.report, fixture.now);
    }
    ensure(journal_next(&fixture.journal, &fixture.room, &line) && line.refused && line.author == 1,
        "2");
    journal_settle(&fixture.journal, &fixture.room, &line);
    ensure(journal_next(&fixture.journal, &fixture.room, &line) && !line.refused, "4");
    journal_settle(&fixture.journal, &fixture.room, &line);
    ensure(journal_next(&fixture.journal, &fixture.room, &line) && line.refused, "5");
    journal_settle(&fixture.journal, &fixture.room, &line);
    ensure(!journal_next(&fixture.journal, &fixture.room, &line), "no more");
    ensure(log_count(fixture.room.log, head()) == 2, "the join and the rename");
    ensure(journal_fails(&fixture.journal), "what is said now is refused at once");
    writer_says(WRITER_KEPT, 5);
    journal_settle_all();
    ensure(!journal_fails(&fixture.journal), "it is well again");
    fixture_close();
}
END_TEST

/* Its last words count, also where its end is met by a write, or by its successor. */
START_TEST(last_words)
{
    fixture_open(true);
    writer_come();
    writer_says(WRITER_KEPT, 0);
    journal_settle_all();
    message_append(2);
    journal_settle_all();
    writer_says(WRITER_KEPT, 2);
    close(fixture.fd);
    fixture.fd = -1;
    if (_i == 0) {
        /* It was ready, but not for reading: this turn's write meets the end. */
        message_append(3);
        (void)journal_write(
            &fixture.journal, &fixture.room, fixture.poller, &fixture.report, fixture.now);
        ensure(fixture.journal.state == JOURNAL_ABSENT, "the end is not met");
    } else {
        writer_come();
    }
    journal_miss_writer(&fixture.journal);
    journal_settle_all();
    ensure(log_count(fixture.room.log, head()) == 2, "what was kept is refused");
    fixture_close();
}
END_TEST

/* ---- Words ----------------------------------------------------------------------------------- */

/* A writer that says nonsense, or half words, does no harm; what it says next is heard. */
START_TEST(nonsense)
{
    static const char words[] = "\n\001\n\001kept\n\001kept yesterday\n\001lost \nhello\n";
    static char rubbish[9000];
    char word[64];
    char stamp[STAMP_LEN + 1] = {0};

    fixture_open(_i == 1);
    writer_come();
    writer_says(WRITER_KEPT, 0);
    journal_settle_all();
    (void)writer_gets();
    memset(rubbish, 'x', sizeof rubbish);
    ensure(write(fixture.fd, rubbish, sizeof rubbish) == (ssize_t)sizeof rubbish, "write");
    for (int i = 0; i < 5; i++)
        journal_settle_all();
    ensure(write(fixture.fd, words, sizeof words - 1) == sizeof words - 1, "write");
    for (int i = 0; i < 5; i++)
        journal_settle_all();
    stamp_format(stamp, STAMP(1));
    snprintf(word, sizeof word, WRITER_KEPT "%s\n", stamp);
    for (size_t i = 0; word[i] != '\0'; i++) {
        ensure(write(fixture.fd, word + i, 1) == 1, "write");
        journal_settle_all();
    }
    ensure(journal_needs(&fixture.journal) == log_head(room_lines(&fixture.room)) &&
               fixture.visible == head() && head() > 0,
        "the word is not heard");
    writer_says(WRITER_KEPT, 900); /* of what was never said: all that there is */
    message_append(2);
    journal_settle_all();
    expect_numbers("2 ");
    fixture_close();
}
END_TEST

/* ---- Handing over ---------------------------------------------------------------------------- */

/* The journal of the next hub goes on, also with a writer that shall finish. */
START_TEST(handed_over)
{
    struct codec c = {0};

    fixture_open(false);
    writer_come();
    writer_says(WRITER_KEPT, 0);
    message_append(2);
    journal_settle_all();
    message_append(3);
    journal_finish(&fixture.journal);
    message_append(4);
    journal_state(&fixture.journal, &c);
    ensure(!c.bad, "no memory");
    poller_remove(fixture.poller, fixture.journal.link.fd);
    link_clear(&fixture.journal.link);
    journal_init(&fixture.journal, false);
    c.loading = true;
    journal_state(&fixture.journal, &c);
    ensure(!c.bad && c.at == c.len, "not taken");
    free(c.buf);
    ensure(journal_restored(&fixture.journal, fixture.poller), "no memory");
    journal_settle_all();
    expect_numbers("1 2 3 4 ");
    ensure(writer_sees_end(), "it goes on");
    writer_says(WRITER_KEPT, 4);
    writer_die();
    ensure(journal_is_done(&fixture.journal, &fixture.room) && fixture.visible == head(),
        "it stands still");
    fixture_close();
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {none, 1, 5},
        {visible_when_handed, 1, 5},
        {a_slow_writer, 1, 10},
        {one_after_the_other, 1, 5},
        {lines_that_are_gone, 1, 5},
        {finishing, 1, 5},
        {held_and_settled, 1, 5},
        {refused, 1, 5},
        {last_words, 2, 5},
        {nonsense, 2, 5},
        {handed_over, 1, 5},
    };

    return tests_run("journal", tests, COUNT_OF(tests));
}
