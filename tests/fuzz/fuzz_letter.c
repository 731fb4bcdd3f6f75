/*
 * fuzz_letter.c: what other nodes send beside the stream: any bytes as a frame's payload and as a
 * letter. What is read points into the bytes, and writes the same bytes again.
 */
#include "fuzz.h"
#include "server/cluster/frame.h"
#include "server/cluster/letter.h"

static void within(struct span part, struct span whole)
{
    must(part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len));
}

static void letter_check(struct span bytes)
{
    static char out[LETTER_MAX];
    struct letter letter;

    (void)letter_answer_read(bytes);
    if (!letter_read(&letter, bytes))
        return;
    within(letter.node, bytes);
    within(letter.text, bytes);
    must(letter.text.len > 0 && letter.text.len <= LINE_CLEAN_MAX);
    must(letter_write(out, &letter) == bytes.len && memcmp(out, bytes.at, bytes.len) == 0);
}

static void ask_check(struct span payload)
{
    static char out[FRAME_ASK_MAX];
    struct frame_ask ask;

    if (!frame_ask_read(&ask, payload))
        return;
    must(frame_ask_write(out, &ask) == FRAME_HEAD + payload.len);
    must(memcmp(out + FRAME_HEAD, payload.at, payload.len) == 0);
}

static void frame_letter_check(struct span payload, enum frame_kind kind)
{
    static char out[FRAME_LETTER_MAX];
    struct frame_letter letter;

    if (!frame_letter_read(&letter, kind, payload))
        return;
    must(frame_letter_write(out, kind, &letter) == FRAME_HEAD + payload.len);
    must(memcmp(out + FRAME_HEAD, payload.at, payload.len) == 0);
    letter_check(letter.bytes);
}

static void answered_check(struct span payload)
{
    char out[FRAME_ANSWERED_MAX];
    struct frame_answered answered;

    if (!frame_answered_read(&answered, payload))
        return;
    must(frame_answered_write(out, &answered) == FRAME_HEAD + payload.len);
    must(memcmp(out + FRAME_HEAD, payload.at, payload.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = must_copy(data, size);
    struct span bytes = {copy, size};

    letter_check(bytes);
    ask_check(bytes);
    frame_letter_check(bytes, FRAME_ASKED);
    frame_letter_check(bytes, FRAME_ANSWER);
    answered_check(bytes);
    free(copy);
    return 0;
}
