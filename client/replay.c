/* replay.c: compares the room's events with the lines without an answer. */
#include "replay.h"

#include <string.h>

/* Where the lines that were wholly written end. */
static size_t queue_whole_lines(const struct queue *queue)
{
    size_t at = queue->sent;

    while (at > queue->start && queue->bytes[at - 1] != '\n')
        at--;
    return at;
}

void replay_begin(struct replay *replay, struct queue *queue, const char *me)
{
    queue->taken = queue->start;
    queue->delivered = queue_whole_lines(queue);
    *replay = (struct replay){.answer = REPLAY_SILENCE};
    memcpy(replay->then, me, sizeof replay->then);
}

void replay_connect(struct replay *replay)
{
    replay->answer = REPLAY_SILENCE;
}

/* ---- Events -------------------------------------------------------------------------- */

static bool text_is_of(const struct event *event, struct request request, enum command command)
{
    return request.command == command && request.text.len == event->text.len &&
           memcmp(request.text.at, event->text.at, event->text.len) == 0;
}

/* The event is what the server made of this line, which one had sent as `then`. */
static bool event_is_of(const struct event *event, struct request request)
{
    switch (event->verb) {
    case VERB_MSG:
    case VERB_POST:
        return text_is_of(event, request, CMD_TEXT);
    case VERB_ME:
        return text_is_of(event, request, CMD_ME);
    case VERB_NICK:
        return request.command == CMD_NICK;
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
        return false;
    }
    return false;
}

/* Lines before the one that this event echoes left none: they were refused, or private. */
static void replay_take_line(struct replay *replay, struct queue *queue, const struct event *event)
{
    struct span line;

    for (size_t at = queue->taken;; at += line.len + 1) {
        line = queue_line(queue, at, queue->delivered);
        if (line.at == NULL)
            return;
        if (event_is_of(event, request_parse(line.at, line.len, true))) {
            queue->taken = at + line.len + 1;
            replay->echoes++;
            return;
        }
    }
}

/*
 * Events with the name that the old session had are the server's receipts for lines that it had
 * taken, in their order; the session's own quit is the last.
 */
static void replay_room_event(struct replay *replay, struct queue *queue, const struct event *event)
{
    if (replay->then[0] == '\0' || !span_equal(event->name, replay->then))
        return;
    if (event->verb == VERB_QUIT) {
        replay->then[0] = '\0';
        return;
    }
    replay_take_line(replay, queue, event);
    if (event->verb == VERB_NICK && event->word.len <= NAME_LEN_MAX) {
        memcpy(replay->then, event->word.at, event->word.len);
        replay->then[event->word.len] = '\0';
    }
}

void replay_event(struct replay *replay, struct queue *queue, const struct event *event)
{
    if (event->verb == VERB_RESUMED) {
        replay->answer = event->counted ? REPLAY_COUNT : REPLAY_UNKNOWN;
        replay->count = event->count;
    } else if (event->verb == VERB_GAP) {
        replay->gap = true;
    } else if (verb_is_room(event->verb)) {
        replay_room_event(replay, queue, event);
    }
}

/* ---- The end ------------------------------------------------------------------------- */

static bool command_is_for_room(enum command command)
{
    return command == CMD_TEXT || command == CMD_ME || command == CMD_NICK;
}

/*
 * The server has answered replay->count lines in all: those of which it could not tell are not sent
 * again. Where one of them left no event, the answer was an error.
 */
static unsigned long replay_drop_counted(
    const struct replay *replay, struct queue *queue, bool sees_events)
{
    unsigned long count = replay->count > queue->answered ? replay->count - queue->answered : 0;
    unsigned long echoes = 0;
    struct request request;

    queue->sent = queue->delivered;
    for (; count > 0 && queue_oldest(queue, &request); count--) {
        if (command_is_for_room(request.command))
            echoes++;
        queue_answer(queue);
    }
    if (!sees_events || replay->gap || echoes <= replay->echoes)
        return 0;
    return echoes - replay->echoes;
}

/* A second private line, or kick of somebody who has come back, is worse than none. */
static bool command_is_once(enum command command)
{
    return command == CMD_MSG || command == CMD_KICK || command == CMD_BAN || command == CMD_UNBAN;
}

/*
 * It is not known which of the lines behind the last known one the server had taken. Room lines
 * would have come back as events; lines that must not be sent twice are dropped.
 */
static unsigned long replay_drop_once(struct queue *queue, struct losses *losses)
{
    unsigned long dropped = 0;
    size_t to = queue->start;
    struct span line;

    for (size_t at = queue->start; at < queue->end; at += line.len + 1) {
        line = queue_line(queue, at, queue->end);
        if (line.at == NULL)
            break;
        if (at < queue->delivered &&
            command_is_once(request_parse(line.at, line.len, true).command)) {
            losses_add(losses, LOSS_ONCE, line);
            dropped++;
            continue;
        }
        memmove(queue->bytes + to, line.at, line.len + 1);
        to += line.len + 1;
    }
    queue->count -= dropped;
    queue->end = to;
    return dropped;
}

static unsigned long replay_drop_taken(struct queue *queue, struct losses *losses)
{
    queue->sent = queue->taken;
    while (queue->start < queue->taken && queue_answer(queue))
        continue;
    return queue->start < queue->delivered ? replay_drop_once(queue, losses) : 0;
}

unsigned long replay_end(
    struct replay *replay, struct queue *queue, bool sees_events, struct losses *losses)
{
    unsigned long lost;

    if (replay->answer == REPLAY_COUNT) {
        lost = replay_drop_counted(replay, queue, sees_events);
        losses_add_lines(losses, LOSS_REFUSED, lost);
    } else {
        lost = replay_drop_taken(queue, losses);
    }
    queue->taken = queue->delivered = queue->sent = queue->start;
    return lost;
}
