/* greeting.c: formats the notes once for all who join in a turn. */
#include "greeting.h"

#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "wire/stamp.h"

static const char note[] = " note ";

bool greeting_is_set(const struct connections *cs)
{
    return cs->config->greeting != NULL && cs->config->greeting[0] != '\0';
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

/* Writes "STAMP note LINE" for each line. Returns the end. */
static char *greeting_write(char *out, const char *text, uint64_t time)
{
    char stamp[STAMP_LEN + 1];

    stamp_format(stamp, time);
    while (*text != '\0') {
        size_t len = strcspn(text, "\n") + 1;

        memcpy(out, stamp, STAMP_LEN);
        memcpy(out + STAMP_LEN, note, sizeof(note) - 1);
        out += STAMP_LEN + sizeof(note) - 1;
        memcpy(out, text, len);
        out += len;
        text += len;
    }
    return out;
}

struct shared *greeting_now(struct connections *cs)
{
    const char *text = cs->config->greeting;
    size_t size = strlen(text) + count_lines(text) * (STAMP_LEN + sizeof(note));
    struct shared *notes;

    if (cs->greeting != NULL)
        return cs->greeting;
    notes = malloc(sizeof(*notes) + size);
    if (notes == NULL)
        return NULL;
    *notes = (struct shared){.refs = 1};
    notes->len = (size_t)(greeting_write(notes->bytes, text, connections_time(cs)) - notes->bytes);
    cs->greeting = notes;
    return notes;
}

void greeting_forget(struct connections *cs)
{
    shared_release(cs->greeting);
    cs->greeting = NULL;
}
