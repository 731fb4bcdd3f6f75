/* line.c: see line.h. */
#include "line.h"

#include <string.h>

void line_splitter_init(struct line_splitter *splitter, char *held, size_t max)
{
    *splitter = (struct line_splitter){.held = held, .max = max};
}

/*
 * Adds n bytes to the line under way; ended says that a LF follows them. A line is known to be too
 * long as soon as it holds more than max bytes besides one CR that its LF may still take away: the
 * answer depends on the bytes so far and not on how they came.
 */
static enum line_result line_take(
    struct line_splitter *splitter, const char *bytes, size_t n, bool ended, struct span *line)
{
    size_t len = splitter->len + n;
    char last = '\0';

    line->at = bytes;
    if (n > 0)
        last = bytes[n - 1];
    else if (splitter->len > 0)
        last = splitter->held[splitter->len - 1];
    if (splitter->len > 0 || !ended) {
        size_t room = splitter->max + 1 - splitter->len;
        memcpy(splitter->held + splitter->len, bytes, n < room ? n : room);
        line->at = splitter->held;
    }

    line->len = last == '\r' ? len - 1 : len;
    if (line->len > splitter->max) {
        line->len = splitter->max;
        splitter->len = 0;
        splitter->skipping = !ended;
        return LINE_TOO_LONG;
    }
    splitter->len = ended ? 0 : len;
    return ended ? LINE_READY : LINE_NONE;
}

enum line_result line_next(
    struct line_splitter *splitter, const char **at, const char *end, struct span *line)
{
    while (*at < end) {
        const char *begin = *at;
        const char *lf = memchr(begin, '\n', (size_t)(end - begin));
        const char *stop = lf != NULL ? lf : end;

        *at = lf != NULL ? lf + 1 : end;
        if (splitter->skipping) {
            splitter->skipping = lf == NULL;
            continue;
        }
        enum line_result result =
            line_take(splitter, begin, (size_t)(stop - begin), lf != NULL, line);
        if (result != LINE_NONE)
            return result;
    }
    return LINE_NONE;
}

enum line_result line_last(struct line_splitter *splitter, struct span *line)
{
    size_t len = splitter->len;

    splitter->len = 0;
    splitter->skipping = false;
    if (len == 0)
        return LINE_NONE;
    line->at = splitter->held;
    line->len = splitter->held[len - 1] == '\r' ? len - 1 : len;
    return LINE_READY;
}
