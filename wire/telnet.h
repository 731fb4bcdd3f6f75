/*
 * telnet.h: removes telnet commands from a byte stream (RFC 854, RFC 860).
 */
#ifndef WIRE_TELNET_H
#define WIRE_TELNET_H

#include <stddef.h>

/* All zero at the beginning of a stream. */
struct telnet_filter {
    unsigned char state;
    unsigned timing_marks; /* DO TIMING-MARK commands that the caller has not answered yet */
};

/* The answer to DO TIMING-MARK. */
#define TELNET_WONT_TIMING_MARK "\xff\xfc\x06"

/*
 * Removes commands from buf[0 .. *len) in place. A command may be split between calls. Returns the
 * beginning of the data that is left and sets *len to its length. The beginning is buf or buf - 1:
 * an 0xFF at the end of the previous buffer that was not a command after all is put back there, so
 * buf[-1] must be writable. IAC IAC is the data byte 0xFF. A LF ends an unfinished command and is
 * data.
 */
char *telnet_filter(struct telnet_filter *, char *buf, size_t *len);

#endif
