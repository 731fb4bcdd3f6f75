/*
 * line.c: searches a stream for line ends and keeps what is incomplete.
 */
#include "line.h"

#include <string.h>

/*
 * LF and CR NUL are searched for in steps of this many bytes. In one step, the search for LF would
 * go to the end of the input once for each line that ends with CR NUL.
 */
#define WINDOW 512

void line_splitter_init(struct line_splitter *splitter, char *held, size_t max)
{
    *splitter = (struct line_splitter){.held = held, .max = max};
}

/* The first NUL in [from, end) with a CR before it, or NULL. The CR is not before begin. */
static const char *find_cr_nul(const char *begin, const char *from, const char *end)
{
    while (from < end) {
        const char *nul = memchr(from, '\0', (size_t)(end - from));
        if (nul == NULL || (nul > begin && nul[-1] == '\r'))
            return nul;
        from = nul + 1;
    }
    return NULL;
}

/* The LF or NUL that ends the line, or NULL. after_cr: the byte before begin is a CR of the line.
 */
static const char *find_line_end(const char *begin, const char *end, bool after_cr)
{
    const char *stop;

    if (after_cr && *begin == '\0')
        return begin;
    for (const char *at = begin; at < end; at = stop) {
        size_t window = (size_t)(end - at) < WINDOW ? (size_t)(end - at) : WINDOW;
        const char *lf = memchr(at, '\n', window);
        stop = lf != NULL ? lf : at + window;
        const char *nul = find_cr_nul(begin, at, stop);
        if (nul != NULL)
            return nul;
        if (lf != NULL)
            return lf;
    }
    return NULL;
}

/*
 * Adds n bytes to the line; ended: its LF or NUL follows. A line is too long as soon as it has more
 * than max bytes, not counting a CR that comes last and may belong to the line end. So the result
 * depends on the bytes so far, and not on how they were cut.
 */
static enum line_result line_complete(
    struct line_splitter *splitter, const char *bytes, size_t n, bool ended, struct span *line)
{
    size_t len = splitter->len + n;
    bool cr = n > 0 ? bytes[n - 1] == '\r' : splitter->after_cr;

    line->at = bytes;
    if (splitter->len > 0 || !ended) {
        size_t room = splitter->max + 1 - splitter->len;
        memcpy(splitter->held + splitter->len, bytes, n < room ? n : room);
        line->at = splitter->held;
    }
    splitter->after_cr = cr && !ended;

    line->len = cr ? len - 1 : len;
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
        const char *last = find_line_end(begin, end, splitter->after_cr);

        *at = last != NULL ? last + 1 : end;
        if (splitter->skipping) {
            splitter->skipping = last == NULL;
            splitter->after_cr = last == NULL && end[-1] == '\r';
            continue;
        }
        size_t n = (size_t)((last != NULL ? last : end) - begin);
        enum line_result result = line_complete(splitter, begin, n, last != NULL, line);
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
    splitter->after_cr = false;
    if (len == 0)
        return LINE_NONE;
    line->at = splitter->held;
    line->len = splitter->held[len - 1] == '\r' ? len - 1 : len;
    return LINE_READY;
}
