/*
 * fuzz_editor.c: a keyboard's bytes through the decoder and the line editor. Any cut gives the same
 * lines; what is finished is clean; what is drawn is clean text and the few sequences that the
 * editor knows; the cursor stands in the text; and after a pause a key is a key.
 *
 * The input: two bytes for the size of the terminal, and then what is typed. A byte 0xFE, which is
 * no text, is a pause; 0xFD is a message that arrives, 0xFF another size. Ctrl-C is left out: where
 * it stands in a paste, the end of that may lie behind it or not, as the cuts are.
 *
 * Most inputs shall be quick: only where the highest three bits of the first byte are set the line
 * is drawn for each byte, may be filled by pasting what was killed again and again, and has any
 * number of sizes.
 */
#include "client/editor.h"
#include "fuzz.h"
#include "wire/text.h"

#include <stdbool.h>

#define TYPED_MAX 4096
/* A draw takes as long as the line is: one waits for this share of what was typed before. */
#define DRAW_SHARE 4
/* Each may double the line: it grows sixteenfold, but is not full. */
#define YANKS_MAX 4
/* With each the line is drawn. */
#define SIZES_MAX 6
#define CTRL_C 0x03
#define CTRL_U 0x15
#define CTRL_Y 0x19
#define PAUSE 0xFE
#define SIZE 0xFF

struct session {
    struct editor *editor;
    bool thorough;
    size_t typed;      /* bytes */
    size_t typed_last; /* of them, those before the last draw */
    struct outbuf drawn;
    struct outbuf lines; /* all that was finished, with LF each, and the names of other events */
};

static const char *some_name(void *context, enum completion_kind kind, size_t i)
{
    static const char *const names[] = {"ann", "Anna", "",
        "b\xC3\xA9"
        "a",
        NULL};

    (void)context;
    (void)kind;
    return names[i];
}

static void session_event(struct session *session, enum editor_event event)
{
    static const char *const names[] = {[EDITOR_INTERRUPT] = "interrupt",
        [EDITOR_TOO_LONG] = "too long",
        [EDITOR_REFUSED] = "refused",
        [EDITOR_REDRAW] = "redraw",
        [EDITOR_SUSPEND] = "suspend",
        [EDITOR_END] = "end"};
    struct span line;

    if (event == EDITOR_LINE) {
        line = editor_line(session->editor);
        must(text_is_clean(line.at, line.len));
        outbuf_add(&session->lines, line.at, line.len);
    } else {
        outbuf_puts(&session->lines, names[event]);
    }
    outbuf_puts(&session->lines, "\n");
    if (event == EDITOR_REDRAW) {
        editor_clear(session->editor, &session->drawn);
        editor_show(session->editor, &session->drawn);
    }
}

static void session_type(struct session *session, const char *at, const char *end)
{
    enum editor_event event;

    session->typed += (size_t)(end - at);
    while ((event = editor_feed(session->editor, &at, end)) != EDITOR_NONE)
        session_event(session, event);
    must(at == end);
    if (!session->thorough && session->typed - session->typed_last <= session->typed / DRAW_SHARE)
        return;
    session->typed_last = session->typed;
    editor_refresh(session->editor, &session->drawn);
}

static void session_pause(struct session *session)
{
    enum editor_event event;

    while ((event = editor_expire(session->editor)) != EDITOR_NONE)
        session_event(session, event);
    must(editor_pause(session->editor) < 0);
    must(!editor_is_pasting(session->editor));
}

static bool is_thorough(const uint8_t *data)
{
    return data[0] >> 5 == 7;
}

/* What happens beside the keyboard. */
static void session_other(struct session *session, unsigned char byte, uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    if (byte == PAUSE)
        session_pause(session);
    if (byte == 0xFD) {
        editor_hide(session->editor, &session->drawn);
        outbuf_puts(&session->drawn, "message\n");
        editor_show(session->editor, &session->drawn);
    }
    if (byte == SIZE)
        editor_resize(session->editor, *random >> 24 & 31, *random >> 16 & 127);
    editor_refresh(session->editor, &session->drawn);
}

/* Clean text, CR, LF, BEL, and CSI with a letter that moves or erases, or bracketed paste. */
static void drawn_check(const struct outbuf *drawn)
{
    const char *at = drawn->at;
    const char *end = at + drawn->len;

    while (at < end) {
        size_t len = 0;

        if (*at == '\x1b') {
            must(end - at > 2 && at[1] == '[');
            for (len = 2; at + len < end && at[len] < '@'; len++)
                must((at[len] >= '0' && at[len] <= '9') || at[len] == '?');
            must(at + len < end && strchr("ABCHJKhl", at[len]) != NULL);
            at += len + 1;
        } else if (strchr("\r\n\a", *at) != NULL) {
            at++;
        } else {
            while (at + len < end && (unsigned char)at[len] >= 0x20 && at[len] != '\x7f')
                len++;
            must(len > 0);
            at += len;
        }
    }
}

static struct session *session_run(const uint8_t *data, size_t size, size_t step)
{
    struct session *session = must_allocate(sizeof *session);
    const char *at = (const char *)data + 2;
    const char *end = (const char *)data + size;
    const char enter[] = "\r";
    uint32_t random = data[0];

    session->thorough = is_thorough(data);
    session->editor = editor_new("> ", data[0] & 31, data[1] & 127);
    must(session->editor != NULL);
    editor_complete_from(session->editor, some_name, NULL);
    editor_start(session->editor, &session->drawn);
    while (at < end) {
        const char *stop = at;
        while (stop < end && (unsigned char)*stop < 0xFD && stop < at + step)
            stop++;
        session_type(session, at, stop);
        if (stop < end && (unsigned char)*stop >= 0xFD)
            session_other(session, (unsigned char)*stop++, &random);
        at = stop;
    }
    session_pause(session);
    session_type(session, enter, enter + 1);
    editor_stop(session->editor, &session->drawn);
    drawn_check(&session->drawn);
    editor_free(session->editor);
    return session;
}

static void session_free(struct session *session)
{
    outbuf_free(&session->drawn);
    outbuf_free(&session->lines);
    free(session);
}

/* A copy of the input, without what is left out. */
static uint8_t *keys_copy(const uint8_t *data, size_t size)
{
    uint8_t *typed = must_allocate(size);
    size_t yanks = 0;
    size_t sizes = 0;

    memcpy(typed, data, size);
    for (size_t i = 2; i < size; i++) {
        if (typed[i] == CTRL_C)
            typed[i] = CTRL_U;
        if (is_thorough(data))
            continue;
        if (typed[i] == CTRL_Y && ++yanks > YANKS_MAX)
            typed[i] = CTRL_U;
        if (typed[i] == SIZE && ++sizes > SIZES_MAX)
            typed[i] = PAUSE;
    }
    return typed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session *whole, *bytes;
    uint8_t *typed;

    if (size < 2 || size > TYPED_MAX)
        return 0;
    screen_locale();
    typed = keys_copy(data, size);
    whole = session_run(typed, size, TYPED_MAX);
    bytes = session_run(typed, size, 1);
    must(whole->lines.len == bytes->lines.len);
    must(memcmp(whole->lines.at, bytes->lines.at, whole->lines.len) == 0);
    session_free(whole);
    session_free(bytes);
    free(typed);
    return 0;
}
