/*
 * telnet.h: takes telnet commands out of a stream (RFC 854, RFC 860).
 */
#ifndef WIRE_TELNET_H
#define WIRE_TELNET_H

#include <stddef.h>

/* Zeroed memory is a fresh filter. */
struct telnet_filter {
    unsigned char state;
    unsigned timing_marks; /* DO TIMING-MARKs seen so far; the caller answers and subtracts */
};

/* IAC WONT TIMING-MARK, the answer to each of them. */
#define TELNET_WONT_TIMING_MARK "\xff\xfc\x06"

/*
 * Takes telnet commands out of buf[0 .. *len), in place, whatever the cuts. buf[-1] must be
 * writable: an 0xFF that turns out not to begin a command goes back there if it came at the end of
 * an earlier buffer. Returns where the remaining bytes begin (buf or buf - 1) and their number in
 * *len. IAC IAC is the byte 0xFF. A LF ends an unfinished command and is never swallowed.
 */
char *telnet_filter(struct telnet_filter *, char *buf, size_t *len);

#endif
