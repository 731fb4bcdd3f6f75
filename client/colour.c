/* colour.c: the state within a sequence, from byte to byte. */
#include "colour.h"

#include <stdbool.h>
#include <string.h>

enum colour_result {
    COLOUR_NONE,  /* the last byte does not go on what is held */
    COLOUR_PART,  /* it does */
    COLOUR_WHOLE, /* and ends it */
};

/* What the next byte makes of what is held. */
static enum colour_result colour_next(const struct colour_filter *filter, char byte)
{
    if (filter->len == 0)
        return byte == '\x1b' ? COLOUR_PART : COLOUR_NONE;
    if (filter->len == 1)
        return byte == '[' ? COLOUR_PART : COLOUR_NONE;
    if (byte == 'm' || byte == 'K')
        return COLOUR_WHOLE;
    if (((byte >= '0' && byte <= '9') || byte == ';' || byte == ':') && filter->len < COLOUR_MAX)
        return COLOUR_PART;
    return COLOUR_NONE;
}

size_t colour_filter_end(struct colour_filter *filter, char *out)
{
    size_t len = filter->len;

    memcpy(out, filter->held, len);
    filter->len = 0;
    return len;
}

size_t colour_filter(struct colour_filter *filter, char *out, const char *in, size_t len)
{
    size_t written = 0;

    for (size_t i = 0; i < len; i++) {
        char byte = in[i];
        enum colour_result result = colour_next(filter, byte);
        if (result == COLOUR_NONE && filter->len > 0) { /* it was none; this may begin another */
            written += colour_filter_end(filter, out + written);
            result = colour_next(filter, byte);
        }
        if (result == COLOUR_PART)
            filter->held[filter->len++] = byte;
        else if (result == COLOUR_WHOLE)
            filter->len = 0;
        else
            out[written++] = byte;
    }
    return written;
}
