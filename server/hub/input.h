/*
 * input.h: what workers relay: from the bytes in their pairs to whole lines, one at a time, each
 * checked again. A line that cannot be taken now is kept and comes again; none is lost.
 */
#ifndef SERVER_HUB_INPUT_H
#define SERVER_HUB_INPUT_H

#include <stdbool.h>
#include <stddef.h>

struct connection;
struct connections;

/*
 * The buffer that all reads go through. Without memory to keep what is left of one, that stays in
 * the buffer, and nothing is read until there is.
 */
struct input_buffer {
    char *bytes;
    struct connection *stuck; /* whose input is still in it; NULL: none */
    size_t stuck_len;
};

/* False without memory. */
bool input_init(struct input_buffer *);
void input_free(struct input_buffer *);
/* Reads once from every connection in the queue, as long as the room has space for what it says. */
void input_read_all(struct connections *, struct input_buffer *);
/* Before records are freed: nothing of one whose input is closed is left in the buffer. */
void input_forget_closed(struct input_buffer *);
/* The pair is ready, as the poller says. */
void input_ready(struct connections *, struct connection *, short revents);

#endif
