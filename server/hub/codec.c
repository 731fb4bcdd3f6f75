/* codec.c: each value to the end of the buffer, or from where it is read. */
#include "codec.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* The place of the next len bytes; NULL without memory (encoding), or at the end (decoding). */
static char *place_next(struct codec *c, size_t len)
{
    char *at;

    if (c->bad)
        return NULL;
    if (c->loading) {
        if (c->len - c->at < len) {
            c->bad = true;
            return NULL;
        }
        at = c->buf + c->at;
        c->at += len;
        return at;
    }
    if (c->room - c->len < len) {
        size_t room = (c->room + len) * 2;
        char *buf = realloc(c->buf, room);

        if (buf == NULL) {
            c->bad = true;
            return NULL;
        }
        c->buf = buf;
        c->room = room;
    }
    at = c->buf + c->len;
    c->len += len;
    return at;
}

void codec_bytes(struct codec *c, void *bytes, size_t len)
{
    char *at = place_next(c, len);

    if (at == NULL || len == 0) {
        if (c->loading && len > 0)
            memset(bytes, 0, len);
        return;
    }
    if (c->loading)
        memcpy(bytes, at, len);
    else
        memcpy(at, bytes, len);
}

void codec_u64(struct codec *c, uint64_t *value)
{
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(*value >> (8 * i));
    codec_bytes(c, bytes, sizeof(bytes));
    *value = 0;
    for (int i = 0; i < 8; i++)
        *value |= (uint64_t)bytes[i] << (8 * i);
}

void codec_u32(struct codec *c, uint32_t *value)
{
    uint64_t wide = *value;

    codec_u64(c, &wide);
    c->bad |= wide > UINT32_MAX;
    *value = (uint32_t)wide;
}

void codec_size(struct codec *c, size_t *value)
{
    uint64_t wide = *value;

    codec_u64(c, &wide);
    c->bad |= wide > SIZE_MAX;
    *value = (size_t)wide;
}

void codec_int(struct codec *c, int *value)
{
    uint32_t bits = (uint32_t)*value;

    codec_u32(c, &bits);
    memcpy(value, &bits, sizeof(bits));
}

void codec_bool(struct codec *c, bool *value)
{
    uint64_t wide = *value;

    codec_u64(c, &wide);
    c->bad |= wide > 1;
    *value = wide == 1;
}

unsigned codec_choice(struct codec *c, unsigned value, unsigned count)
{
    uint64_t wide = value;

    codec_u64(c, &wide);
    c->bad |= wide >= count;
    return c->loading && c->bad ? 0 : (unsigned)wide;
}

void codec_text(struct codec *c, char *text, size_t size)
{
    size_t len = c->loading ? 0 : strlen(text);

    codec_size(c, &len);
    if (len >= size) {
        c->bad = true;
        len = 0;
    }
    codec_bytes(c, text, len);
    if (c->loading) {
        c->bad |= memchr(text, '\0', len) != NULL;
        text[c->bad ? 0 : len] = '\0';
    }
}

void codec_block(struct codec *c, char **bytes, size_t *len, size_t max)
{
    codec_size(c, len);
    if (*len > max || (c->loading && *len > c->len - c->at)) {
        c->bad = true;
        *len = 0;
    }
    if (c->loading) {
        *bytes = *len == 0 ? NULL : malloc(*len);
        if (*bytes == NULL) {
            c->bad |= *len > 0;
            *len = 0;
        }
    }
    codec_bytes(c, *bytes, *len);
}

void codec_fd(struct codec *c, int *fd)
{
    codec_int(c, fd);
    if (*fd == -1 || (!c->loading && c->bad)) /* no memory to write it: it is still in use */
        return;
    if (*fd < 0 || c->bad) {
        c->bad = true;
        *fd = -1;
        return;
    }
    if (fcntl(*fd, F_SETFD, !c->loading && c->keep_fds ? 0 : FD_CLOEXEC) == -1)
        c->bad = true;
}
