/* queue.c: a window of bytes: answered, sent, waiting. */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

bool queue_init(struct queue *queue)
{
    *queue = (struct queue){.bytes = malloc(QUEUE_WINDOW + QUEUE_SLACK)};
    return queue->bytes != NULL;
}

void queue_free(struct queue *queue)
{
    free(queue->bytes);
    queue->bytes = NULL;
}

bool queue_has_room(const struct queue *queue)
{
    return queue->end - queue->start < QUEUE_WINDOW;
}

/* Moves what is unanswered to the front of the memory. */
static void queue_compact(struct queue *queue)
{
    size_t gone = queue->start;

    memmove(queue->bytes, queue->bytes + gone, queue->end - gone);
    queue->start = 0;
    queue->taken -= gone;
    queue->delivered -= gone;
    queue->sent -= gone;
    queue->end -= gone;
}

static void queue_add(struct queue *queue, const char *bytes, size_t len)
{
    if (queue->end + len > QUEUE_WINDOW + QUEUE_SLACK)
        queue_compact(queue);
    memcpy(queue->bytes + queue->end, bytes, len);
    queue->end += len;
}

void queue_put_quit(struct queue *queue, struct span line)
{
    queue_add(queue, line.at, line.len);
    queue_add(queue, "\n", 1);
}

void queue_put(struct queue *queue, const char *prefix, struct span text)
{
    queue_add(queue, prefix, strlen(prefix));
    queue_add(queue, text.at, text.len);
    queue_add(queue, "\n", 1);
    queue->count++;
}

struct span queue_unsent(const struct queue *queue)
{
    return (struct span){queue->bytes + queue->sent, queue->end - queue->sent};
}

/* Where the first line begins of which nothing was written. */
static size_t queue_unsent_lines(const struct queue *queue)
{
    size_t at = queue->sent;

    while (at < queue->end && at > queue->start && queue->bytes[at - 1] != '\n')
        at++;
    return at;
}

void queue_drop_unsent(struct queue *queue, struct losses *losses)
{
    size_t from = queue_unsent_lines(queue);
    struct span line;

    for (size_t at = from; at < queue->end; at += line.len + 1) {
        line = queue_line(queue, at, queue->end);
        if (line.at == NULL)
            break;
        if (request_parse(line.at, line.len, true).command == CMD_QUIT)
            continue;
        losses_add(losses, LOSS_LEFT, line);
        queue->count--;
    }
    queue->end = from;
}

unsigned long queue_count_sent(const struct queue *queue)
{
    size_t to = queue_unsent_lines(queue);
    unsigned long lines = 0;

    for (size_t at = queue->start; at < to; at++)
        lines += queue->bytes[at] == '\n';
    return lines < queue->count ? lines : queue->count;
}

struct span queue_line(const struct queue *queue, size_t at, size_t limit)
{
    const char *begin = queue->bytes + at;
    const char *lf = at < limit ? memchr(begin, '\n', limit - at) : NULL;

    return (struct span){lf != NULL ? begin : NULL, lf != NULL ? (size_t)(lf - begin) : 0};
}

bool queue_oldest(const struct queue *queue, struct request *request)
{
    struct span line = queue_line(queue, queue->start, queue->sent);

    if (line.at == NULL)
        return false;
    *request = request_parse(line.at, line.len, true);
    return request->command != CMD_QUIT;
}

bool queue_answer(struct queue *queue)
{
    struct request request;

    if (!queue_oldest(queue, &request))
        return false;
    queue->start += queue_line(queue, queue->start, queue->sent).len + 1;
    if (queue->taken < queue->start)
        queue->taken = queue->start;
    if (queue->delivered < queue->start)
        queue->delivered = queue->start;
    queue->answered++;
    queue->count--;
    return true;
}
