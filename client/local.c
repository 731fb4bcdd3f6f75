/* local.c: /ignore, /unignore, and what chat adds to /help. */
#include "local.h"

#include "../compat/compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX 1024

struct local {
    struct view *view;
    struct outbuf *out;
};

/* Answers in the form of a notice of the server. */
static void local_answer(const struct local *local, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void local_answer(const struct local *local, const char *format, ...)
{
    char text[ANSWER_MAX];
    struct event event = {.verb = VERB_NOTE, .stamp = (uint64_t)time(NULL) * 1000000};
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    event.text = (struct span){text, strlen(text)};
    view_event(local->view, &event, local->out);
}

static void list_ignored(const struct local *local)
{
    const struct ignored *ignored = &local->view->people.ignored;
    char names[ANSWER_MAX] = "";
    size_t len = 0;

    for (size_t i = 0; i < ignored->len && len < sizeof names; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, " %s", ignored->names[i]);
    if (len > 0)
        local_answer(local, "ignored:%s", names);
    else
        local_answer(local, "nobody is ignored");
}

static void local_ignore(const struct local *local, const char *name)
{
    if (*name == '\0')
        list_ignored(local);
    else if (ignored_add(&local->view->people.ignored, name))
        local_answer(local, "%s is ignored", name);
    else
        local_answer(local, "%d names are ignored already", IGNORED_MAX);
}

static void local_unignore(const struct local *local, const char *name)
{
    if (*name == '\0')
        local_answer(local, "use: /unignore NAME");
    else if (ignored_remove(&local->view->people.ignored, name))
        local_answer(local, "%s is not ignored any more", name);
    else
        local_answer(local, "%s was not ignored", name);
}

/* The server answers too, with its own commands. */
static void local_help(const struct local *local)
{
    local_answer(
        local, "chat's own commands: /ignore [NAME], /unignore NAME; for its keys see chat(1)");
}

static const struct {
    const char *word;
    void (*command)(const struct local *, const char *name);
} commands[] = {{"/ignore", local_ignore}, {"/unignore", local_unignore}};

bool local_command(struct view *view, struct span line, struct outbuf *out)
{
    const struct local local = {view, out};
    struct span word = span_take_word(&line);
    char name[NAME_LEN_MAX + 1];

    name_clean(name, line.at, line.len);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (span_equal_caseless(word, commands[i].word)) {
            commands[i].command(&local, name);
            return true;
        }
    }
    if (span_equal_caseless(word, "/help"))
        local_help(&local);
    if (span_equal_caseless(word, "/nick"))
        asked_set(&view->people.asked, line); /* the server may give another name */
    return false;
}
