/* input.c: reads standard input or keys, and hands out lines. */
#include "input.h"

#include "../compat/compat.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define READ_MAX 65536

void input_init(struct input *input, enum input_source source, int fd)
{
    input->source = source;
    input->fd = source != INPUT_NONE ? fd : -1;
    input->pending = (struct span){input->bytes, 0};
    input->lf_due = false;
    input->keys = input->keys_end = input->bytes;
}

void input_init_texts(struct input *input, const char *const *texts, size_t count)
{
    input_init(input, INPUT_TEXTS, -1);
    input->texts = texts;
    input->texts_end = texts + count;
}

/* ---- For the session ----------------------------------------------------------------- */

struct span input_pending(const struct input *input)
{
    return input->pending;
}

void input_take(struct input *input, size_t len)
{
    input->pending.at += len;
    input->pending.len -= len;
}

/* Puts bytes that lie in input->bytes where input_pending() finds them. */
static void input_give(struct input *input, size_t len)
{
    input->pending = (struct span){input->bytes, len};
}

/* A line, with the LF that it has not. */
static enum input_event input_line(struct input *input, struct span line)
{
    input->pending = line;
    input->lf_due = true;
    return INPUT_BYTES;
}

/* The next line that was typed, out of the keys that were. */
static enum input_event input_edit(struct input *input, struct console *console)
{
    for (;;) {
        switch (console_feed(console, &input->keys, input->keys_end)) {
        case EDITOR_NONE:
        case EDITOR_TOO_LONG:
        case EDITOR_REFUSED:
        case EDITOR_REDRAW:
            return INPUT_NOTHING;
        case EDITOR_LINE:
            return input_line(input, editor_line(console->editor));
        case EDITOR_INTERRUPT:
            return INPUT_INTERRUPT;
        case EDITOR_SUSPEND:
            console_suspend(console);
            break;
        case EDITOR_END:
            return INPUT_ENDED;
        }
    }
}

static enum input_event input_text(struct input *input)
{
    const char *text;

    if (input->texts == input->texts_end)
        return INPUT_ENDED;
    text = *input->texts++;
    return input_line(input, (struct span){text, strlen(text)});
}

enum input_event input_next(struct input *input, struct console *console)
{
    if (input->lf_due) {
        input->lf_due = false;
        input->pending = (struct span){"\n", 1};
        return INPUT_BYTES;
    }
    switch (input->source) {
    case INPUT_KEYS:
        return input_edit(input, console);
    case INPUT_TEXTS:
        return input_text(input);
    case INPUT_NONE:
    case INPUT_PIPE:
    case INPUT_BOT:
    case INPUT_TYPED:
    case INPUT_OVER:
        break;
    }
    return INPUT_NOTHING;
}

/* ---- Reading ------------------------------------------------------------------------- */

bool input_can_read(const struct input *input)
{
    if (input->fd < 0)
        return false;
    if (input->source == INPUT_KEYS)
        return (size_t)(input->keys_end - input->keys) < INPUT_MAX;
    if (input->source == INPUT_TYPED)
        return input->pending.len <= INPUT_MAX - READ_MAX;
    return input->pending.len == 0 && !input->lf_due;
}

/* Tries again where that may help at once. */
static ssize_t input_read_bytes(int fd, char *bytes, size_t size)
{
    ssize_t n;

    do
        n = read(fd, bytes, size);
    while (n < 0 && error_passes(errno) && errno != EAGAIN);
    return n;
}

static enum input_event input_read_nothing(ssize_t n)
{
    if (n == 0)
        return INPUT_ENDED;
    return errno == EAGAIN ? INPUT_NOTHING : INPUT_FAILED;
}

static enum input_event input_read_lines(struct input *input)
{
    ssize_t n = input_read_bytes(input->fd, input->bytes, READ_MAX);

    if (n <= 0)
        return input_read_nothing(n);
    input_give(input, (size_t)n);
    return INPUT_BYTES;
}

/* A terminal gives one line at a time; it is read behind those that are not taken yet. */
static enum input_event input_read_typed(struct input *input, struct console *console)
{
    size_t left = input->pending.len;
    char *line = input->bytes + left;
    ssize_t n;

    if (left > 0)
        memmove(input->bytes, input->pending.at, left);
    n = input_read_bytes(input->fd, line, READ_MAX);
    input_give(input, left);
    if (n <= 0)
        return input_read_nothing(n);
    switch (console_typed(console, (struct span){line, (size_t)n})) {
    case EDITOR_LINE:
        input_give(input, left + (size_t)n);
        break;
    case EDITOR_INTERRUPT:
        return INPUT_INTERRUPT;
    case EDITOR_NONE:
    case EDITOR_TOO_LONG:
    case EDITOR_REFUSED:
    case EDITOR_REDRAW:
    case EDITOR_SUSPEND:
    case EDITOR_END:
        break;
    }
    return INPUT_BYTES;
}

/* Half a sequence at the end is text. */
static enum input_event input_read_pipe(struct input *input)
{
    char *bytes = input->bytes + COLOUR_MAX;
    ssize_t n = input_read_bytes(input->fd, bytes, READ_MAX);

    if (n < 0 || (n == 0 && input->colour.len == 0))
        return input_read_nothing(n);
    if (n == 0)
        input_give(input, colour_filter_end(&input->colour, input->bytes));
    else
        input_give(input, colour_filter(&input->colour, input->bytes, bytes, (size_t)n));
    return INPUT_BYTES;
}

/* Keys are read behind those that are not used up; there is room for one at least. */
static enum input_event input_read_keys(struct input *input, struct console *console)
{
    size_t left = (size_t)(input->keys_end - input->keys);
    ssize_t n;

    if (left > 0 && input->keys > input->bytes)
        memmove(input->bytes, input->keys, left);
    input->keys = input->bytes;
    input->keys_end = input->bytes + left;
    n = input_read_bytes(input->fd, input->bytes + left, INPUT_MAX - left);
    if (n <= 0)
        return input_read_nothing(n);
    input->keys_end += n;
    if (left == 0)
        console_arrived(console, (struct span){input->keys, (size_t)n});
    if (input->pending.len > 0 && memchr(input->keys, '\003', left + (size_t)n) != NULL)
        return INPUT_INTERRUPT;
    return INPUT_BYTES;
}

enum input_event input_read(struct input *input, struct console *console)
{
    switch (input->source) {
    case INPUT_KEYS:
        return input_read_keys(input, console);
    case INPUT_TYPED:
        return input_read_typed(input, console);
    case INPUT_PIPE:
        return input_read_pipe(input);
    case INPUT_NONE:
    case INPUT_BOT:
    case INPUT_TEXTS:
    case INPUT_OVER:
        break;
    }
    return input_read_lines(input);
}

bool input_is_empty(struct input *input)
{
    struct pollfd ready = {.fd = input->fd, .events = POLLIN};

    return input->source == INPUT_PIPE && poll(&ready, 1, 0) > 0 &&
           input_read_pipe(input) == INPUT_ENDED;
}

bool input_is_over(const struct input *input)
{
    return input->source == INPUT_NONE || input->source == INPUT_OVER;
}

/* Lines that end in one of these; the last may have no end. */
static unsigned long input_lines(const char *at, const char *end, const char *ends)
{
    unsigned long lines = 0;
    bool open = false;

    for (; at < end; at++) {
        bool is_end = strchr(ends, *at) != NULL && *at != '\0';
        lines += is_end;
        open = !is_end;
    }
    return lines + open;
}

unsigned long input_lines_left(const struct input *input)
{
    struct span pending = input->pending;
    unsigned long lines = input_lines(pending.at, pending.at + pending.len, "\n");

    if (input->source == INPUT_KEYS)
        lines += input_lines(input->keys, input->keys_end, "\r");
    if (input->source == INPUT_TEXTS)
        lines += (unsigned long)(input->texts_end - input->texts);
    return lines;
}

void input_stop(struct input *input, struct console *console)
{
    struct span keys = {input->keys, (size_t)(input->keys_end - input->keys)};

    input->source = INPUT_OVER;
    input->fd = -1;
    input->keys = input->keys_end;
    console_stop(console, keys);
}
