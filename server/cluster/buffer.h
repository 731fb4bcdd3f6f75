/*
 * buffer.h: bytes between a socket and the code, in memory of a fixed size.
 *
 *   start <= end <= size
 */
#ifndef SERVER_CLUSTER_BUFFER_H
#define SERVER_CLUSTER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/span.h"

struct buffer {
    char *at;
    size_t size;
    size_t start; /* what is in it is [start, end) */
    size_t end;
};

void buffer_init(struct buffer *, char *memory, size_t size);
void buffer_clear(struct buffer *);
/* What is in it, valid until something is added. */
struct span buffer_bytes(const struct buffer *);
/* Removes bytes from the front. */
void buffer_drop(struct buffer *, size_t len);
/* How much can be added. */
size_t buffer_space(const struct buffer *);
/* Adds all of it; false where it does not fit. */
bool buffer_add(struct buffer *, const char *bytes, size_t len);

/*
 * Receives once, as much as fits. False at the end of the stream (errno 0) and after an error; true
 * where nothing is there.
 */
bool buffer_receive(struct buffer *, int fd);
/* Sends what the socket takes. False after an error. */
bool buffer_send(struct buffer *, int fd);

#endif
