/* completion.c: finds candidates by what stands before the word. */
#include "completion.h"

#include <string.h>
#include <strings.h>

static const char *const commands[] = {"/msg", "/me", "/nick", "/users", "/help", "/quit",
    "/ignore", "/unignore", "/kick", "/ban", "/unban", NULL};

/* True for the word after that command. */
static bool word_is_after(const struct edit_buffer *edit, size_t word, const char *command)
{
    return word == strlen(command) && strncasecmp(edit->text, command, word) == 0;
}

static enum completion_kind completion_choose(const struct edit_buffer *edit, size_t word)
{
    if (word == 0 && edit->len > 0 && edit->text[0] == '/')
        return COMPLETION_COMMANDS;
    if (word_is_after(edit, word, "/msg "))
        return COMPLETION_PARTNERS;
    return word_is_after(edit, word, "/unignore ") ? COMPLETION_IGNORED : COMPLETION_NAMES;
}

static bool completion_begin(struct completion *completion, const struct edit_buffer *edit)
{
    size_t word = edit_blank_word_start(edit, edit->cursor);

    if (edit->cursor - word > NAME_LEN_MAX)
        return false;
    completion->kind = completion_choose(edit, word);
    completion->word = word;
    completion->len = edit->cursor - word;
    completion->next = 0;
    if (completion->len > 0)
        memcpy(completion->prefix, edit->text + word, completion->len);
    completion->prefix[completion->len] = '\0';
    return true;
}

static const char *completion_candidate(const struct completion *completion, size_t i)
{
    if (completion->kind == COMPLETION_COMMANDS)
        return commands[i];
    return completion->names != NULL ? completion->names(completion->context, completion->kind, i)
                                     : NULL;
}

/* The next candidate that matches; the first one again after the last. NULL: none matches. */
static const char *completion_find(struct completion *completion)
{
    size_t len = strlen(completion->prefix);
    const char *name;

    for (int pass = 0; pass < 2; pass++) {
        while ((name = completion_candidate(completion, completion->next)) != NULL) {
            completion->next++;
            if (*name != '\0' && strncasecmp(name, completion->prefix, len) == 0)
                return name;
        }
        completion->next = 0;
    }
    return NULL;
}

bool completion_step(struct completion *completion, struct edit_buffer *edit)
{
    const char *name = NULL;
    char word[NAME_LEN_MAX + 3];

    if (completion->active || completion_begin(completion, edit))
        name = completion_find(completion);
    completion->active = name != NULL && strlen(name) <= NAME_LEN_MAX;
    if (!completion->active)
        return false;
    strcpy(word, name);
    strcat(word, completion->word == 0 && completion->kind != COMPLETION_COMMANDS ? ": " : " ");
    if (edit_replace(edit, completion->word, completion->word + completion->len,
            (struct span){word, strlen(word)}))
        completion->len = strlen(word);
    return true;
}

void completion_leave(struct completion *completion)
{
    completion->active = false;
}
