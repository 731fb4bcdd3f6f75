/* frame.c: writes and checks each kind of frame. */
#include "frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "batch.h"
#include "big_endian.h"
#include "wire/text.h"

void frame_head_write(char out[FRAME_HEAD], enum frame_kind kind, size_t payload)
{
    u32_put(out, (uint32_t)payload);
    out[4] = (char)kind;
}

enum frame_result frame_next(struct frame *frame, struct span *rest)
{
    size_t len;

    if (rest->len < FRAME_HEAD)
        return FRAME_NONE;
    len = u32_get(rest->at);
    if (len > FRAME_PAYLOAD_MAX)
        return FRAME_BAD;
    if (rest->len - FRAME_HEAD < len)
        return FRAME_NONE;
    frame->kind = (uint8_t)rest->at[4];
    frame->payload = (struct span){rest->at + FRAME_HEAD, len};
    rest->at += FRAME_HEAD + len;
    rest->len -= FRAME_HEAD + len;
    return FRAME_READY;
}

bool frames_send(int fd, const char *frames, size_t len, size_t *sent)
{
    while (*sent < len) {
        ssize_t n = send(fd, frames + *sent, len - *sent, MSG_NOSIGNAL);

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return false;
        *sent += (size_t)n;
    }
    return true;
}

/* ---- Fields: a length of 2 bytes before each ------------------------------------------------- */

static char *field_put(char *at, struct span field)
{
    *at++ = (char)(field.len >> 8);
    *at++ = (char)field.len;
    if (field.len > 0)
        memcpy(at, field.at, field.len);
    return at + field.len;
}

static bool field_take(struct span *rest, size_t max, struct span *field)
{
    size_t len;

    if (rest->len < 2)
        return false;
    len = (size_t)(unsigned char)rest->at[0] << 8 | (unsigned char)rest->at[1];
    if (len > max || rest->len - 2 < len)
        return false;
    *field = (struct span){rest->at + 2, len};
    rest->at += 2 + len;
    rest->len -= 2 + len;
    return true;
}

/* ---- Payloads -------------------------------------------------------------------------------- */

size_t frame_setup_write(char out[FRAME_SETUP_MAX], const struct frame_setup *setup)
{
    char *at = out + FRAME_HEAD;

    if (!batch_name_is_valid(setup->room) || !batch_name_is_valid(setup->node) ||
        setup->credentials.len > FRAME_CREDENTIALS_MAX || setup->servers.len > FRAME_SERVERS_MAX)
        return 0;
    u64_put(at, setup->next);
    u64_put(at + 8, setup->back);
    u64_put(at + 16, setup->time);
    at[24] = (char)setup->watches;
    at = field_put(at + 25, setup->room);
    at = field_put(at, setup->node);
    at = field_put(at, setup->credentials);
    at = field_put(at, setup->servers);
    frame_head_write(out, FRAME_SETUP, (size_t)(at - out) - FRAME_HEAD);
    return (size_t)(at - out);
}

bool frame_setup_read(struct frame_setup *setup, struct span payload)
{
    if (payload.len < 25 || (unsigned char)payload.at[24] > 1)
        return false;
    setup->next = u64_get(payload.at);
    setup->back = u64_get(payload.at + 8);
    setup->time = u64_get(payload.at + 16);
    setup->watches = payload.at[24] == 1;
    payload.at += 25;
    payload.len -= 25;
    return field_take(&payload, NODE_NAME_MAX, &setup->room) &&
           field_take(&payload, NODE_NAME_MAX, &setup->node) &&
           field_take(&payload, FRAME_CREDENTIALS_MAX, &setup->credentials) &&
           field_take(&payload, FRAME_SERVERS_MAX, &setup->servers) && payload.len == 0 &&
           batch_name_is_valid(setup->room) && batch_name_is_valid(setup->node);
}

size_t frame_state_write(char out[FRAME_STATE_MAX], const struct frame_state *state)
{
    size_t len =
        state->text.len > 0 ? text_cut(state->text.at, state->text.len, FRAME_TEXT_MAX) : 0;

    frame_head_write(out, FRAME_STATE, 5 + len);
    out[FRAME_HEAD] = (char)state->state;
    u32_put(out + FRAME_HEAD + 1, state->batch_max);
    if (len > 0)
        memcpy(out + FRAME_HEAD + 5, state->text.at, len);
    return FRAME_HEAD + 5 + len;
}

bool frame_state_read(struct frame_state *state, struct span payload)
{
    if (payload.len < 5 || payload.len > 5 + FRAME_TEXT_MAX ||
        (unsigned char)payload.at[0] > ENGINE_GONE)
        return false;
    state->state = (enum engine_state)payload.at[0];
    state->batch_max = u32_get(payload.at + 1);
    state->text = (struct span){payload.at + 5, payload.len - 5};
    return state->batch_max == 0 ||
           (state->batch_max >= BATCH_MIN && state->batch_max <= BATCH_MAX);
}

void frame_message_write(
    char out[FRAME_HEAD + FRAME_MESSAGE_HEAD], const struct frame_message *message)
{
    frame_head_write(out, FRAME_MESSAGE, FRAME_MESSAGE_HEAD + message->bytes.len);
    u64_put(out + FRAME_HEAD, message->sequence);
    u64_put(out + FRAME_HEAD + 8, message->time);
}

bool frame_message_read(struct frame_message *message, struct span payload)
{
    if (payload.len < FRAME_MESSAGE_HEAD)
        return false;
    message->sequence = u64_get(payload.at);
    message->time = u64_get(payload.at + 8);
    message->bytes =
        (struct span){payload.at + FRAME_MESSAGE_HEAD, payload.len - FRAME_MESSAGE_HEAD};
    return true;
}

void frame_end_write(char out[FRAME_END_SIZE], const struct frame_end *end)
{
    frame_head_write(out, FRAME_END, 16);
    u64_put(out + FRAME_HEAD, end->sequence);
    u64_put(out + FRAME_HEAD + 8, end->size);
}

bool frame_end_read(struct frame_end *end, struct span payload)
{
    if (payload.len != 16)
        return false;
    end->sequence = u64_get(payload.at);
    end->size = u64_get(payload.at + 8);
    return true;
}

/* ---- A stream that is gone ------------------------------------------------------------------- */

size_t frame_renew_write(char out[FRAME_RENEW_MAX], const struct frame_renew *renew)
{
    frame_head_write(out, FRAME_RENEW, 8 + renew->bytes.len);
    u64_put(out + FRAME_HEAD, renew->last);
    memcpy(out + FRAME_HEAD + 8, renew->bytes.at, renew->bytes.len);
    return FRAME_HEAD + 8 + renew->bytes.len;
}

bool frame_renew_read(struct frame_renew *renew, struct span payload)
{
    if (payload.len <= 8 || payload.len > 8 + FRAME_RENEWAL_MAX)
        return false;
    renew->last = u64_get(payload.at);
    renew->bytes = (struct span){payload.at + 8, payload.len - 8};
    return true;
}

/* ---- Questions and answers ------------------------------------------------------------------- */

static char *rest_put(char *at, struct span bytes)
{
    if (bytes.len > 0)
        memcpy(at, bytes.at, bytes.len);
    return at + bytes.len;
}

size_t frame_ask_write(char out[FRAME_ASK_MAX], const struct frame_ask *ask)
{
    char *at = out + FRAME_HEAD;

    if (!batch_name_is_valid(ask->node) || ask->bytes.len > FRAME_QUESTION_MAX)
        return 0;
    u64_put(at, ask->number);
    u64_put(at + 8, ask->until);
    at = field_put(at + 16, ask->node);
    at = rest_put(at, ask->bytes);
    frame_head_write(out, FRAME_ASK, (size_t)(at - out) - FRAME_HEAD);
    return (size_t)(at - out);
}

bool frame_ask_read(struct frame_ask *ask, struct span payload)
{
    if (payload.len < 16)
        return false;
    ask->number = u64_get(payload.at);
    ask->until = u64_get(payload.at + 8);
    payload.at += 16;
    payload.len -= 16;
    if (!field_take(&payload, NODE_NAME_MAX, &ask->node) || !batch_name_is_valid(ask->node))
        return false;
    ask->bytes = payload;
    return payload.len <= FRAME_QUESTION_MAX;
}

/* A subject without blanks, which would end it, and without wildcards. */
static bool subject_is_valid(struct span subject)
{
    for (size_t i = 0; i < subject.len; i++)
        if (subject.at[i] <= ' ' || subject.at[i] > '~' || subject.at[i] == '*' ||
            subject.at[i] == '>')
            return false;
    return subject.len > 0 && subject.len <= FRAME_SUBJECT_MAX;
}

static size_t letter_max(enum frame_kind kind)
{
    return kind == FRAME_ANSWER ? FRAME_ANSWER_MAX : FRAME_QUESTION_MAX;
}

size_t frame_letter_write(
    char out[FRAME_LETTER_MAX], enum frame_kind kind, const struct frame_letter *letter)
{
    char *at = out + FRAME_HEAD;

    if (!subject_is_valid(letter->reply) || letter->bytes.len > letter_max(kind))
        return 0;
    at = rest_put(field_put(at, letter->reply), letter->bytes);
    frame_head_write(out, kind, (size_t)(at - out) - FRAME_HEAD);
    return (size_t)(at - out);
}

bool frame_letter_read(struct frame_letter *letter, enum frame_kind kind, struct span payload)
{
    if (!field_take(&payload, FRAME_SUBJECT_MAX, &letter->reply) ||
        !subject_is_valid(letter->reply))
        return false;
    letter->bytes = payload;
    return payload.len <= letter_max(kind);
}

size_t frame_answered_write(char out[FRAME_ANSWERED_MAX], const struct frame_answered *answered)
{
    struct span bytes = answered->bytes;

    if (bytes.len > FRAME_ANSWER_MAX)
        bytes.len = FRAME_ANSWER_MAX;
    frame_head_write(out, FRAME_ANSWERED, 8 + bytes.len);
    u64_put(out + FRAME_HEAD, answered->number);
    return (size_t)(rest_put(out + FRAME_HEAD + 8, bytes) - out);
}

bool frame_answered_read(struct frame_answered *answered, struct span payload)
{
    if (payload.len < 8 || payload.len > 8 + FRAME_ANSWER_MAX)
        return false;
    answered->number = u64_get(payload.at);
    answered->bytes = (struct span){payload.at + 8, payload.len - 8};
    return true;
}
