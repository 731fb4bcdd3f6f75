/*
 * log.h: the room's memory: one ring of finished lines.
 *
 * A position is the number of bytes that were appended before it; it only grows. Each reader keeps
 * a position (its cursor) and reads from there; the log knows no reader. An index of line starts
 * and authors beside the bytes makes history, /since and gaps a look-up instead of a scan. When the
 * ring is full, the oldest lines are dropped.
 *
 * Bytes and index are in a file without a name (memfd_create(2) where there is one) that is mapped:
 * an upgrade hands over its descriptor, and copies nothing.
 */
#ifndef SERVER_HUB_LOG_H
#define SERVER_HUB_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct codec;
struct log;

/* The smallest ring: a handful of the longest lines. */
#define LOG_BYTES_MIN 65536u
#define LOG_BYTES_MAX 0x40000000u
/* Authors are numbers up to this one. */
#define LOG_AUTHOR_MAX 0x7fffffffu

/* A line of the log, which ends with LF. stamp is the one at its beginning. */
struct log_line {
    uint64_t stamp;
    uint32_t author; /* the connection that sent it; 0: none */
    bool message;    /* msg, me, post: what /history counts */
};

/* A log of that many bytes; NULL with errno set where there is no memory. log_free() ends it. */
struct log *log_new(size_t bytes);
void log_free(struct log *);

size_t log_size(const struct log *);
/* Where the next line will begin; where the oldest line that is still here begins. */
uint64_t log_head(const struct log *);
uint64_t log_tail(const struct log *);
/* How many bytes can be appended before a byte at or behind keep (tail <= keep <= head) is dropped.
 */
size_t log_room(const struct log *, uint64_t keep);

/*
 * Appends one line, made of n parts, and drops as many old lines as it takes. It has at most
 * LINE_OUT_MAX bytes, and a stamp greater than all before it; a gap line may have the last one.
 * Returns where it begins.
 */
uint64_t log_append(struct log *, const struct iovec *parts, int n, struct log_line);

/*
 * The bytes [from, to) as at most two pieces; tail <= from <= to <= head. Returns the number of
 * pieces. They stay valid until the next log_append() that drops them.
 */
int log_bytes(const struct log *, uint64_t from, uint64_t to, struct iovec out[2]);
/* Copies these bytes. */
void log_copy(const struct log *, uint64_t from, uint64_t to, char *out);

/* The line that begins at pos (tail <= pos < head); returns where the next one begins. */
uint64_t log_line(const struct log *, uint64_t pos, struct log_line *);
/* Lines appended since the log began that begin before pos (tail <= pos <= head). */
uint64_t log_count(const struct log *, uint64_t pos);
/* The start of the first line at or behind pos; head if there is none. */
uint64_t log_line_from(const struct log *, uint64_t pos);
/* The start of the last line that begins at or before pos; head for head. */
uint64_t log_line_at(const struct log *, uint64_t pos);
/* The stamp of the first line at or behind pos; 0 if there is none. */
uint64_t log_stamp_from(const struct log *, uint64_t pos);
/* The newest stamp that is known, of a dropped line where no other is left; 0: none. */
uint64_t log_last_stamp(const struct log *);
/* How many of the lines that begin in [from, to) are by author. */
uint64_t log_count_by(const struct log *, uint64_t from, uint64_t to, uint32_t author);

/*
 * Where the history of n messages before pos begins: at the nth last message, but at most 5 n lines
 * back (or tail, where fewer are left).
 */
uint64_t log_back(const struct log *, uint64_t pos, uint64_t n);
/* Where the first line with a stamp after this one begins; head if there is none. */
uint64_t log_after(const struct log *, uint64_t stamp);
/* True where lines with a stamp after this one have been dropped. */
bool log_dropped_after(const struct log *, uint64_t stamp);
/* Tells the log that lines up to this stamp existed before its first one. */
void log_note_dropped(struct log *, uint64_t stamp);

/*
 * Writes the log, or makes a log that was written this one's content; see codec.h. The memory
 * itself is handed over. Positions and numbers stay what they were.
 */
void log_state(struct log *, struct codec *);

#endif
