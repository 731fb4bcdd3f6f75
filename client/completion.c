/* completion.c: see completion.h. */
#include "completion.h"

#include <string.h>
#include <strings.h>

static bool completion_begin(struct completion *completion, const struct edit_buffer *edit)
{
    size_t word = edit_word_start(edit, edit->cursor);

    if (completion->names == NULL || edit->cursor - word > NAME_LEN_MAX)
        return false;
    completion->word = word;
    completion->len = edit->cursor - word;
    completion->next = 0;
    memcpy(completion->prefix, edit->text + word, completion->len);
    completion->prefix[completion->len] = '\0';
    return true;
}

/* The next name that fits, the first one again behind the last; NULL where none does. */
static const char *completion_find(struct completion *completion)
{
    size_t len = strlen(completion->prefix);
    const char *name;

    for (int pass = 0; pass < 2; pass++) {
        while ((name = completion->names(completion->context, completion->next)) != NULL) {
            completion->next++;
            if (strncasecmp(name, completion->prefix, len) == 0)
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
    strcat(word, completion->word == 0 ? ": " : " ");
    if (edit_replace(edit, completion->word, completion->word + completion->len,
            (struct span){word, strlen(word)}))
        completion->len = strlen(word);
    return true;
}

void completion_leave(struct completion *completion)
{
    completion->active = false;
}
