/* undo.c: saves copies of the edited text, and restores them. */
#include "undo.h"

#include <stdlib.h>
#include <string.h>

static void undo_drop(struct undo *undo, size_t i)
{
    undo->bytes -= undo->steps[i].len;
    free(undo->steps[i].text);
    undo->len--;
    memmove(undo->steps + i, undo->steps + i + 1, (undo->len - i) * sizeof undo->steps[0]);
}

void undo_save(struct undo *undo, const struct edit_buffer *edit)
{
    struct undo_step step = {NULL, edit->len, edit->cursor, edit->pasted_from, edit->pasted_to};

    step.text = malloc(edit->len + 1);
    if (step.text == NULL)
        return;
    if (edit->len > 0)
        memcpy(step.text, edit->text, edit->len);
    while (
        undo->len > 0 && (undo->len == UNDO_STEPS_MAX || undo->bytes + edit->len > UNDO_BYTES_MAX))
        undo_drop(undo, 0);
    undo->steps[undo->len++] = step;
    undo->bytes += step.len;
}

static bool step_is(const struct undo_step *step, const struct edit_buffer *edit)
{
    return step->len == edit->len &&
           (step->len == 0 || memcmp(step->text, edit->text, step->len) == 0);
}

bool undo_back(struct undo *undo, struct edit_buffer *edit)
{
    const struct undo_step *step;

    while (undo->len > 0 && step_is(&undo->steps[undo->len - 1], edit))
        undo_drop(undo, undo->len - 1); /* the change had no effect */
    if (undo->len == 0)
        return false;
    step = &undo->steps[undo->len - 1];
    if (edit_set(edit, (struct span){step->text, step->len})) {
        edit->cursor = step->cursor;
        edit->pasted_from = step->pasted_from;
        edit->pasted_to = step->pasted_to;
    }
    undo_drop(undo, undo->len - 1);
    return true;
}

void undo_clear(struct undo *undo)
{
    while (undo->len > 0)
        undo_drop(undo, undo->len - 1);
}
