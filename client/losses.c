/* losses.c: counts the lines, and formats the message. */
#include "losses.h"

#include "../wire/text.h"

#include <stdio.h>
#include <string.h>

void losses_add(struct losses *losses, enum loss_reason reason, struct span text)
{
    struct loss *loss = &losses->of[reason];
    size_t len = text_cut(text.at, text.len, LOSS_TEXT_MAX);

    if (loss->lines++ > 0 || len == 0)
        return;
    memcpy(loss->text, text.at, len);
    memcpy(loss->text + len, len < text.len ? "..." : "", len < text.len ? sizeof "..." : 1);
}

void losses_add_lines(struct losses *losses, enum loss_reason reason, unsigned long lines)
{
    losses->of[reason].lines += lines;
}

/* `TEXT`, `TEXT and 2 more lines`, or `3 lines`. */
static void loss_name(const struct loss *loss, char *out, size_t size)
{
    unsigned long others = loss->lines - (loss->text[0] != '\0');
    const char *plural = others == 1 ? "" : "s";

    if (loss->text[0] == '\0')
        snprintf(out, size, "%lu line%s", others, plural);
    else if (others > 0)
        snprintf(out, size, "%s and %lu more line%s", loss->text, others, plural);
    else
        snprintf(out, size, "%s", loss->text);
}

bool losses_tell(struct losses *losses, char *out, size_t size)
{
    static const char *const words[LOSS_REASONS] = {
        [LOSS_TOO_LONG] = " (the command is too long)",
        [LOSS_ONCE] = " (the connection was lost, and it is not sent twice)",
        [LOSS_REFUSED] = " (refused while the connection was lost)",
        [LOSS_LEFT] = "",
    };
    char name[LOSS_TEXT_MAX + 64];

    for (int reason = 0; reason < LOSS_REASONS; reason++) {
        struct loss *loss = &losses->of[reason];
        if (loss->lines == 0)
            continue;
        loss_name(loss, name, sizeof name);
        snprintf(out, size, "not sent: %s%s", name, words[reason]);
        *loss = (struct loss){.lines = 0};
        return true;
    }
    return false;
}
