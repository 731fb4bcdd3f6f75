/* buffer.c: moves its bytes to the front when there is no space behind them. */
#include "buffer.h"

#include <errno.h>
#include <string.h>

#include "compat/compat.h"

void buffer_init(struct buffer *b, char *memory, size_t size)
{
    *b = (struct buffer){.at = memory, .size = size};
}

void buffer_clear(struct buffer *b)
{
    b->start = b->end = 0;
}

struct span buffer_bytes(const struct buffer *b)
{
    return (struct span){b->at + b->start, b->end - b->start};
}

void buffer_drop(struct buffer *b, size_t len)
{
    b->start += len;
    if (b->start == b->end)
        buffer_clear(b);
}

size_t buffer_space(const struct buffer *b)
{
    return b->size - (b->end - b->start);
}

/* Moves what is in it to the front. */
static void buffer_compact(struct buffer *b)
{
    if (b->start == 0)
        return;
    memmove(b->at, b->at + b->start, b->end - b->start);
    b->end -= b->start;
    b->start = 0;
}

bool buffer_add(struct buffer *b, const char *bytes, size_t len)
{
    if (len > buffer_space(b))
        return false;
    if (len > b->size - b->end)
        buffer_compact(b);
    if (len > 0)
        memcpy(b->at + b->end, bytes, len);
    b->end += len;
    return true;
}

bool buffer_receive(struct buffer *b, int fd)
{
    ssize_t n;

    buffer_compact(b);
    if (b->end == b->size)
        return true;
    n = socket_recv(fd, b->at + b->end, b->size - b->end);
    if (n > 0)
        b->end += (size_t)n;
    if (n == 0)
        errno = 0;
    return n > 0 || (n == -1 && error_passes(errno));
}

bool buffer_send(struct buffer *b, int fd)
{
    while (b->start < b->end) {
        ssize_t n = socket_send(fd, b->at + b->start, b->end - b->start);

        if (n == -1)
            return error_passes(errno);
        buffer_drop(b, (size_t)n);
    }
    return true;
}
