/* chorus.c: see chorus.h. */
#include "chorus.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 64

/* ---- What is heard ---- */

/* One of its own lines has come back, or what stands for it has. */
static void singer_echo(struct singer *singer, const struct event *event)
{
    unsigned long number = strtoul(event->text.at, NULL, 10);
    ensure(number == singer->answered, "%s: line %lu instead of %lu", singer->name, number,
        singer->answered);
    singer->answered++;
    singer->echoed++;
}

static bool is_own(const struct singer *singer, const struct event *event)
{
    size_t len = strlen(singer->name);
    return event->name.len == len && memcmp(event->name.at, singer->name, len) == 0;
}

static void singer_gap(struct singer *singer, const struct event *event)
{
    ensure(event->counted, "a gap of nobody knows how many");
    singer->answered += event->mine;
    singer->mine += event->mine;
}

/* Takes a line of the server, before the name and after. */
static void singer_line(struct singer *singer, const char *words)
{
    const struct event *event = &singer->conn.event;
    if (verb_is_room(event->verb)) {
        ensure(event->stamp > singer->last, "%s has heard this: %s", singer->name, words);
        singer->last = event->stamp;
    }
    if (verb_is_room(event->verb) || event->verb == VERB_GAP)
        record_add_words(&singer->heard, words);
    if (event->verb == VERB_GAP)
        singer_gap(singer, event);
    else if (event->verb == VERB_MSG && is_own(singer, event))
        singer_echo(singer, event);
    else if (event->verb == VERB_TOKEN)
        span_copy(singer->token, sizeof singer->token, event->word);
    else if (event->verb == VERB_PRIV)
        singer->private ++;
    else if (event->verb == VERB_YOU && event->stamp > singer->last)
        singer->last = event->stamp; /* its own join, which it is not told of */
    else if (event->verb == VERB_ERROR) {
        singer->answered++;
        singer->refused++;
    }
}

void singer_hear(struct singer *singer)
{
    for (const char *words; (words = conn_read_now(&singer->conn)) != NULL;)
        singer_line(singer, words);
}

/* ---- What is said ---- */

static void line_make(struct singer *singer)
{
    size_t len = singer->length == 0 ? 64 : singer->length;
    if (singer->out == NULL)
        singer->out = malloc(len + 32);
    ensure(singer->out != NULL, "no memory");
    memset(singer->out, '.', len);
    singer->out[sprintf(singer->out, "%lu ", singer->said)] = '.';
    singer->out[len - 1] = '\n';
    singer->out_len = len;
    singer->out_at = 0;
}

void singer_say(struct singer *singer, unsigned long ahead)
{
    while (singer->out_len > 0 || singer->said < singer->answered + ahead) {
        if (singer->out_len == 0)
            line_make(singer);
        ssize_t n = conn_send_some(
            &singer->conn, singer->out + singer->out_at, singer->out_len - singer->out_at);
        if (n <= 0)
            return;
        singer->out_at += (size_t)n;
        if (singer->out_at < singer->out_len)
            return;
        singer->out_len = 0;
        singer->said++;
    }
}

/* ---- Coming and going ---- */

/*
 * `resumed COUNT` says how many lines have been answered; those whose echo was lost on the way are
 * among the events that follow. Returns the answers in all; `?` gives ULONG_MAX.
 */
static unsigned long singer_resume(struct singer *singer)
{
    conn_expect(&singer->conn, "resumed *");
    const struct event *event = &singer->conn.event;
    if (!event->counted)
        return ULONG_MAX;
    unsigned long answers = singer->before + event->count;
    ensure(answers >= singer->answered && answers <= singer->said,
        "%s: %lu lines resumed, %lu said, %lu answered", singer->name, answers, singer->said,
        singer->answered);
    return answers;
}

static void singer_prepare(struct singer *singer)
{
    char stamp[STAMP_LEN];
    if (singer->last == 0) {
        conn_say(&singer->conn, "/history 0");
    } else {
        stamp_format(stamp, singer->last);
        conn_say(&singer->conn, "/since %.*s", STAMP_LEN, stamp);
    }
    if (singer->resumes)
        conn_say(&singer->conn, "/token");
}

void singer_join(struct singer *singer, const struct server *server)
{
    if (singer->conn.bytes != NULL)
        conn_close(&singer->conn);
    conn_open(&singer->conn, server);
    bool again = singer->token[0] != '\0';
    if (again)
        conn_say(&singer->conn, "/resume %s", singer->token);
    singer_prepare(singer);
    conn_say(&singer->conn, "%s", singer->name);
    unsigned long answers = again ? singer_resume(singer) : ULONG_MAX;
    do {
        const char *words = conn_read(&singer->conn);
        ensure(words != NULL, "the end instead of a welcome");
        singer_line(singer, words);
    } while (singer->conn.event.verb != VERB_YOU);
    ensure(is_own(singer, &singer->conn.event), "%s has another name", singer->name);
    if (answers == ULONG_MAX)
        singer->before = singer->answered;
    else
        ensure(answers == singer->answered, "%lu lines were taken, %lu came", answers,
            singer->answered);
    singer->said = singer->answered;
    singer->out_len = 0;
}

void singer_end(struct singer *singer)
{
    conn_close(&singer->conn);
    record_clear(&singer->heard);
    free(singer->out);
    singer->out = NULL;
}

/* ---- All together ---- */

void chorus_step(struct singer *singers, size_t count, unsigned long ahead, int ms)
{
    struct pollfd ready[MANY];
    ensure(count <= MANY, "too many");
    for (size_t i = 0; i < count; i++) {
        struct singer *singer = &singers[i];
        bool more = singer->out_len > 0 || singer->said < singer->answered + ahead;
        ready[i] = (struct pollfd){
            singer->conn.over ? -1 : singer->conn.fd, (short)(more ? POLLIN | POLLOUT : POLLIN), 0};
    }
    if (poll(ready, (nfds_t)count, ms) <= 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (ready[i].revents & (POLLIN | POLLHUP | POLLERR))
            singer_hear(&singers[i]);
        if (ready[i].revents & POLLOUT)
            singer_say(&singers[i], ahead);
    }
}

void chorus_talk(struct singer *singers, size_t count, unsigned long ahead, int64_t ms)
{
    int64_t end = clock_ms() + ms;
    for (int64_t left; (left = end - clock_ms()) > 0;)
        chorus_step(singers, count, ahead, (int)left);
}

static unsigned long fewest_answers(const struct singer *singers, size_t count)
{
    unsigned long fewest = singers[0].answered;
    for (size_t i = 1; i < count; i++)
        fewest = singers[i].answered < fewest ? singers[i].answered : fewest;
    return fewest;
}

void chorus_talk_until(
    struct singer *singers, size_t count, unsigned long ahead, unsigned long answers)
{
    int64_t deadline = deadline_in(30000);
    while (fewest_answers(singers, count) < answers) {
        ensure(
            clock_ms() < deadline, "%lu answers of %lu", fewest_answers(singers, count), answers);
        chorus_step(singers, count, ahead, 100);
    }
}

static bool all_is_answered(const struct singer *singers, size_t count)
{
    bool all = true;
    for (size_t i = 0; i < count; i++)
        all = all && singers[i].out_len == 0 && singers[i].said == singers[i].answered &&
              singers[i].last == singers[0].last;
    return all;
}

void chorus_rest(struct singer *singers, size_t count)
{
    int64_t deadline = deadline_in(30000);
    while (!all_is_answered(singers, count)) {
        for (size_t i = 0; i < count; i++)
            ensure(!singers[i].conn.over, "the server has closed %s", singers[i].name);
        ensure(clock_ms() < deadline, "not everything is answered: %s said %lu, %lu answered",
            singers[0].name, singers[0].said, singers[0].answered);
        chorus_step(singers, count, 0, 100);
    }
}

static bool all_is_over(const struct singer *singers, size_t count)
{
    bool over = true;
    for (size_t i = 0; i < count; i++)
        over = over && singers[i].conn.over;
    return over;
}

void chorus_hear_end(struct singer *singers, size_t count)
{
    int64_t deadline = deadline_in(10000);
    while (!all_is_over(singers, count)) {
        ensure(clock_ms() < deadline, "the server does not close");
        for (size_t i = 0; i < count; i++)
            singers[i].out_len = 0;
        chorus_step(singers, count, 0, 100);
    }
    for (size_t i = 0; i < count; i++)
        singer_hear(&singers[i]); /* what was read together with the end */
}

void chorus_agrees(const struct singer *singers, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct record *a = &singers[0].heard;
        const struct record *b = &singers[i].heard;
        size_t k = 0;
        for (size_t j = 0; j < a->count && k < b->count; j++, k++) {
            j = record_find(a, j, "msg *");
            k = record_find(b, k, "msg *");
            if (j == a->count || k == b->count)
                break;
            ensure(strcmp(a->lines[j], b->lines[k]) == 0, "%s heard \"%s\", %s \"%s\"",
                singers[0].name, a->lines[j], singers[i].name, b->lines[k]);
        }
    }
}
