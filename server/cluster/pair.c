/* pair.c: writes frames for the hub into the pair's buffer. */
#include "pair.h"

#include <string.h>

void pair_init(struct pair *p, int fd)
{
    p->fd = fd;
    p->told_len = 0;
    buffer_init(&p->in, p->in_bytes, sizeof(p->in_bytes));
    buffer_init(&p->out, p->out_bytes, sizeof(p->out_bytes));
}

bool pair_has_space(const struct pair *p)
{
    return buffer_space(&p->out) >= PAIR_SPACE;
}

void pair_tell_state(struct pair *p, const struct frame_state *state)
{
    char out[FRAME_STATE_MAX];
    size_t len = frame_state_write(out, state);

    if (len == p->told_len && memcmp(out, p->told, len) == 0)
        return;
    if (!buffer_add(&p->out, out, len))
        return;
    memcpy(p->told, out, len);
    p->told_len = len;
}

void pair_tell_message(struct pair *p, const struct frame_message *message)
{
    char head[FRAME_HEAD + FRAME_MESSAGE_HEAD];

    frame_message_write(head, message);
    (void)buffer_add(&p->out, head, sizeof(head));
    (void)buffer_add(&p->out, message->bytes.at, message->bytes.len);
}

void pair_tell_end(struct pair *p, const struct frame_end *end)
{
    char out[FRAME_END_SIZE];

    frame_end_write(out, end);
    (void)buffer_add(&p->out, out, sizeof(out));
}

void pair_tell_question(struct pair *p, const struct frame_letter *question)
{
    char out[FRAME_LETTER_MAX];

    (void)buffer_add(&p->out, out, frame_letter_write(out, FRAME_ASKED, question));
}

void pair_tell_answer(struct pair *p, const struct frame_answered *answered)
{
    char out[FRAME_ANSWERED_MAX];

    (void)buffer_add(&p->out, out, frame_answered_write(out, answered));
}
