/*
 * fuzz_event.c: a line that passes for a chatd's can be put together again from what was read out
 * of it. (Counts may have had zeros before them.)
 */
#include "fuzz.h"
#include "protocol.h"

#include <stdbool.h>

/* A space and the span. */
static void text_add_span(struct text *text, struct span span)
{
    text_add(text, " ", 1);
    text_add(text, span.at, span.len);
}

static const char *verb_word(enum verb verb)
{
    switch (verb) {
    case VERB_HERE:
        return "here";
    case VERB_USERS:
        return "users";
    case VERB_YOU:
        return "you";
    case VERB_JOIN:
        return "join";
    case VERB_QUIT:
        return "quit";
    case VERB_NICK:
        return "nick";
    case VERB_MSG:
        return "msg";
    case VERB_ME:
        return "me";
    case VERB_POST:
        return "post";
    case VERB_TOKEN:
        return "token";
    case VERB_RESUMED:
        return "resumed";
    case VERB_PRIV:
        return "priv";
    case VERB_NOTE:
        return "note";
    case VERB_GAP:
        return "gap";
    case VERB_ERROR:
        return "error";
    }
    abort();
}

static bool verb_counts(enum verb verb)
{
    return verb == VERB_USERS || verb == VERB_RESUMED || verb == VERB_GAP;
}

/* Names and words are never empty where they are wanted. */
static void event_write(struct text *text, const struct event *event)
{
    char stamp[STAMP_LEN];
    const char *word = verb_word(event->verb);
    bool texted = event->verb == VERB_HERE || event->verb == VERB_NOTE ||
                  event->verb == VERB_ERROR || verb_is_message(event->verb);

    stamp_format(stamp, event->stamp);
    text_add(text, stamp, STAMP_LEN);
    text_add_span(text, (struct span){word, strlen(word)});
    if (event->name.len > 0)
        text_add_span(text, event->name);
    if (event->word.len > 0)
        text_add_span(text, event->word);
    if (event->text.len > 0 || texted)
        text_add_span(text, event->text);
}

static void span_check(struct span span, const char *line, size_t len)
{
    must(span.at >= line && span.len <= len && span.at + span.len <= line + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = must_copy(data, size);
    struct text back = {.at = must_allocate(size + STAMP_LEN + 32), .size = size + STAMP_LEN + 32};
    struct event event;

    if (event_parse(&event, line, size)) {
        span_check(event.name, line, size);
        span_check(event.word, line, size);
        span_check(event.text, line, size);
        must(event.name.len <= NAME_LEN_MAX);
        event_write(&back, &event);
        must(back.len <= size && memcmp(back.at, line, back.len) == 0);
        /* The text of a quit may be nothing behind a space. */
        bool empty = event.verb == VERB_QUIT && back.len + 1 == size && line[back.len] == ' ';
        must(back.len == size || empty || verb_counts(event.verb));
    }
    free(back.at);
    free(line);
    return 0;
}
