/* senders.c: the numbering of lines, and the checks of answers and of the order of events. */
#include "senders.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 64

/* ---- What is heard ---- */

/* One of its own lines has come back, or what stands for it has. */
static void sender_echo(struct sender *sender, const struct event *event)
{
    unsigned long number = strtoul(event->text.at, NULL, 10);
    ensure(number == sender->answered, "%s: line %lu instead of %lu", sender->name, number,
        sender->answered);
    sender->answered++;
    sender->echoed++;
}

static bool is_own(const struct sender *sender, const struct event *event)
{
    size_t len = strlen(sender->name);
    return event->name.len == len && memcmp(event->name.at, sender->name, len) == 0;
}

static void sender_gap(struct sender *sender, const struct event *event)
{
    ensure(event->counted, "a gap of nobody knows how many");
    sender->answered += event->mine;
    sender->mine += event->mine;
}

/* Takes a line of the server, before the name and after. */
static void sender_line(struct sender *sender, const char *words)
{
    const struct event *event = &sender->conn.event;
    if (verb_is_room(event->verb)) {
        ensure(event->stamp > sender->last, "%s has heard this: %s", sender->name, words);
        sender->last = event->stamp;
    }
    if (verb_is_room(event->verb) || event->verb == VERB_GAP)
        record_add_words(&sender->heard, words);
    if (event->verb == VERB_GAP)
        sender_gap(sender, event);
    else if (event->verb == VERB_MSG && is_own(sender, event))
        sender_echo(sender, event);
    else if (event->verb == VERB_TOKEN)
        span_copy(sender->token, sizeof sender->token, event->word);
    else if (event->verb == VERB_PRIV)
        sender->private ++;
    else if (event->verb == VERB_YOU && event->stamp > sender->last)
        sender->last = event->stamp; /* its own join, which it is not told of */
    else if (event->verb == VERB_ERROR) {
        sender->answered++;
        sender->refused++;
    }
}

void sender_hear(struct sender *sender)
{
    for (const char *words; (words = conn_read_now(&sender->conn)) != NULL;)
        sender_line(sender, words);
}

/* ---- What is said ---- */

static void line_make(struct sender *sender)
{
    size_t len = sender->length == 0 ? 64 : sender->length;
    if (sender->out == NULL)
        sender->out = malloc(len + 32);
    ensure(sender->out != NULL, "no memory");
    memset(sender->out, '.', len);
    sender->out[sprintf(sender->out, "%lu ", sender->said)] = '.';
    sender->out[len - 1] = '\n';
    sender->out_len = len;
    sender->out_at = 0;
}

void sender_say(struct sender *sender, unsigned long ahead)
{
    while (sender->out_len > 0 || sender->said < sender->answered + ahead) {
        if (sender->out_len == 0)
            line_make(sender);
        ssize_t n = conn_send_some(
            &sender->conn, sender->out + sender->out_at, sender->out_len - sender->out_at);
        if (n <= 0)
            return;
        sender->out_at += (size_t)n;
        if (sender->out_at < sender->out_len)
            return;
        sender->out_len = 0;
        sender->said++;
    }
}

/* ---- Coming and going ---- */

/*
 * `resumed COUNT` says how many lines have been answered; those whose echo was lost on the way are
 * among the events that follow. Returns the answers in all; `?` gives ULONG_MAX.
 */
static unsigned long sender_resume(struct sender *sender)
{
    conn_expect(&sender->conn, "resumed *");
    const struct event *event = &sender->conn.event;
    if (!event->counted)
        return ULONG_MAX;
    unsigned long answers = sender->before + event->count;
    ensure(answers >= sender->answered && answers <= sender->said,
        "%s: %lu lines resumed, %lu said, %lu answered", sender->name, answers, sender->said,
        sender->answered);
    return answers;
}

static void sender_prepare(struct sender *sender)
{
    char stamp[STAMP_LEN];
    if (sender->last == 0) {
        conn_say(&sender->conn, "/history 0");
    } else {
        stamp_format(stamp, sender->last);
        conn_say(&sender->conn, "/since %.*s", STAMP_LEN, stamp);
    }
    if (sender->resumes)
        conn_say(&sender->conn, "/token");
}

void sender_join(struct sender *sender, const struct server *server)
{
    if (sender->conn.bytes != NULL)
        conn_close(&sender->conn);
    conn_open(&sender->conn, server);
    bool again = sender->token[0] != '\0';
    if (again)
        conn_say(&sender->conn, "/resume %s", sender->token);
    sender_prepare(sender);
    conn_say(&sender->conn, "%s", sender->name);
    unsigned long answers = again ? sender_resume(sender) : ULONG_MAX;
    do {
        const char *words = conn_read(&sender->conn);
        ensure(words != NULL, "the end instead of a welcome");
        sender_line(sender, words);
    } while (sender->conn.event.verb != VERB_YOU);
    ensure(is_own(sender, &sender->conn.event), "%s has another name", sender->name);
    if (answers == ULONG_MAX)
        sender->before = sender->answered;
    else
        ensure(answers == sender->answered, "%lu lines were taken, %lu came", answers,
            sender->answered);
    sender->said = sender->answered;
    sender->out_len = 0;
}

void sender_end(struct sender *sender)
{
    conn_close(&sender->conn);
    record_clear(&sender->heard);
    free(sender->out);
    sender->out = NULL;
}

/* ---- All together ---- */

void senders_step(struct sender *senders, size_t count, unsigned long ahead, int ms)
{
    struct pollfd ready[MANY];
    ensure(count <= MANY, "too many");
    for (size_t i = 0; i < count; i++) {
        struct sender *sender = &senders[i];
        bool more = sender->out_len > 0 || sender->said < sender->answered + ahead;
        ready[i] = (struct pollfd){
            sender->conn.over ? -1 : sender->conn.fd, (short)(more ? POLLIN | POLLOUT : POLLIN), 0};
    }
    if (poll(ready, (nfds_t)count, ms) <= 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (ready[i].revents & (POLLIN | POLLHUP | POLLERR))
            sender_hear(&senders[i]);
        if (ready[i].revents & POLLOUT)
            sender_say(&senders[i], ahead);
    }
}

void senders_talk(struct sender *senders, size_t count, unsigned long ahead, int64_t ms)
{
    int64_t end = clock_ms() + ms;
    for (int64_t left; (left = end - clock_ms()) > 0;)
        senders_step(senders, count, ahead, (int)left);
}

static unsigned long fewest_answers(const struct sender *senders, size_t count)
{
    unsigned long fewest = senders[0].answered;
    for (size_t i = 1; i < count; i++)
        fewest = senders[i].answered < fewest ? senders[i].answered : fewest;
    return fewest;
}

void senders_talk_until(
    struct sender *senders, size_t count, unsigned long ahead, unsigned long answers)
{
    int64_t deadline = deadline_in(30000);
    while (fewest_answers(senders, count) < answers) {
        ensure(
            clock_ms() < deadline, "%lu answers of %lu", fewest_answers(senders, count), answers);
        senders_step(senders, count, ahead, 100);
    }
}

static bool all_is_answered(const struct sender *senders, size_t count)
{
    bool all = true;
    for (size_t i = 0; i < count; i++)
        all = all && senders[i].out_len == 0 && senders[i].said == senders[i].answered &&
              senders[i].last == senders[0].last;
    return all;
}

void senders_rest(struct sender *senders, size_t count)
{
    int64_t deadline = deadline_in(30000);
    while (!all_is_answered(senders, count)) {
        for (size_t i = 0; i < count; i++)
            ensure(!senders[i].conn.over, "the server has closed %s", senders[i].name);
        ensure(clock_ms() < deadline, "not everything is answered: %s said %lu, %lu answered",
            senders[0].name, senders[0].said, senders[0].answered);
        senders_step(senders, count, 0, 100);
    }
}

static bool all_is_over(const struct sender *senders, size_t count)
{
    bool over = true;
    for (size_t i = 0; i < count; i++)
        over = over && senders[i].conn.over;
    return over;
}

void senders_hear_end(struct sender *senders, size_t count)
{
    int64_t deadline = deadline_in(10000);
    while (!all_is_over(senders, count)) {
        ensure(clock_ms() < deadline, "the server does not close");
        for (size_t i = 0; i < count; i++)
            senders[i].out_len = 0;
        senders_step(senders, count, 0, 100);
    }
    for (size_t i = 0; i < count; i++)
        sender_hear(&senders[i]); /* what was read together with the end */
}

void senders_agree(const struct sender *senders, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct record *a = &senders[0].heard;
        const struct record *b = &senders[i].heard;
        size_t k = 0;
        for (size_t j = 0; j < a->count && k < b->count; j++, k++) {
            j = record_find(a, j, "msg *");
            k = record_find(b, k, "msg *");
            if (j == a->count || k == b->count)
                break;
            ensure(strcmp(a->lines[j], b->lines[k]) == 0, "%s heard \"%s\", %s \"%s\"",
                senders[0].name, a->lines[j], senders[i].name, b->lines[k]);
        }
    }
}
