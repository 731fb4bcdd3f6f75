/* direct.c: see direct.h. */
#include "direct.h"

#include <stdio.h>
#include <string.h>

#include "pair.h"
#include "upstream.h"

/* Not below `chat.`: a stream that somebody has made for `chat.>` would store it. */
#define SUBJECT "chat-priv.%.*s.%.*s"
/* Answers go to inboxes, so that no question makes a node publish elsewhere. */
#define INBOX "_INBOX."

static void subject_set(
    char out[NATS_SUBJECT_MAX], const struct frame_setup *setup, struct span node)
{
    (void)snprintf(out, NATS_SUBJECT_MAX, SUBJECT, (int)setup->room.len, setup->room.at,
        (int)node.len, node.at);
}

/* There is a connection that has accepted the login, and space for so much. */
static bool can_publish(const struct upstream *u, size_t len)
{
    return u->phase >= UPSTREAM_FINDING && upstream_may_publish(u, len);
}

void direct_open(struct upstream *u)
{
    char subject[NATS_SUBJECT_MAX];

    subject_set(subject, u->setup, u->setup->node);
    upstream_subscribe(u, subject, SID_QUESTIONS);
    upstream_subscribe_inbox(u, 'q', SID_REPLIES);
}

/* ---- To other nodes -------------------------------------------------------------------------- */

bool direct_ask(struct upstream *u, struct span payload, uint64_t now)
{
    char subject[NATS_SUBJECT_MAX];
    char reply[NATS_SUBJECT_MAX];
    struct frame_ask ask;

    if (!frame_ask_read(&ask, payload))
        return false;
    if (now >= ask.until) /* the hub does not wait any more */
        return true;
    if (!can_publish(u, ask.bytes.len)) {
        pair_tell_answer(u->pair, &(struct frame_answered){.number = ask.number});
        return true;
    }
    subject_set(subject, u->setup, ask.node);
    upstream_inbox(u, reply, 'q', ask.number);
    upstream_publish(u, subject, reply, ask.bytes);
    return true;
}

bool direct_answer(struct upstream *u, struct span payload)
{
    char subject[NATS_SUBJECT_MAX];
    struct frame_letter answer;

    if (!frame_letter_read(&answer, FRAME_ANSWER, payload))
        return false;
    if (!can_publish(u, answer.bytes.len))
        return true;
    memcpy(subject, answer.reply.at, answer.reply.len);
    subject[answer.reply.len] = '\0';
    upstream_publish(u, subject, "", answer.bytes);
    return true;
}

/* ---- From them ------------------------------------------------------------------------------- */

static void take_question(struct upstream *u, const struct nats_operation *op)
{
    const struct frame_letter question = {.reply = op->reply, .bytes = op->payload};
    size_t inbox = strlen(INBOX);

    if (op->reply.len > inbox && memcmp(op->reply.at, INBOX, inbox) == 0)
        pair_tell_question(u->pair, &question);
}

/* A server says 503 where no node listens. */
static void take_reply(struct upstream *u, const struct nats_operation *op)
{
    struct span words;
    struct frame_answered answered = {
        .number = upstream_inbox_number(op->subject), .bytes = op->payload};

    if (nats_status(op->headers, &words) != 0)
        answered.bytes.len = 0;
    pair_tell_answer(u->pair, &answered);
}

bool direct_take(struct upstream *u, const struct nats_operation *op)
{
    if (op->sid == SID_QUESTIONS)
        take_question(u, op);
    else if (op->sid == SID_REPLIES)
        take_reply(u, op);
    return op->sid == SID_QUESTIONS || op->sid == SID_REPLIES;
}
