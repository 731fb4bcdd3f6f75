/*
 * record.h: lines of a room that are kept: what somebody heard, or what a transcript holds.
 */
#ifndef RECORD_H
#define RECORD_H

#include "harness.h"

/* Zeroed memory is an empty one. Lines are NUL-terminated, without their LF; all are owned. */
struct record {
    char **lines;
    size_t count;
    size_t room;
};

void record_add(struct record *, const char *line, size_t len);
/* Adds the line that was taken from a connection last, of which conn_read() gave the words. */
void record_add_words(struct record *, const char *words);
void record_clear(struct record *);
/*
 * What a transcript holds now, in place of what was in the record: whole lines, each of them a room
 * event or a gap, clean, and with a greater stamp than the line before it.
 */
void record_read(struct record *, const char *path);
/* As far as it is written by now: the last line may be half one. */
void record_read_growing(struct record *, const char *path);
/* Reads again and again until that many lines are there that match. */
void record_await(struct record *, const char *path, size_t lines, const char *pattern);

/* What stands behind the stamp of a line. */
const char *record_words(const struct record *, size_t line);
/* The first line at or behind from whose words match; count where there is none. */
size_t record_find(const struct record *, size_t from, const char *pattern);
/* How many do. */
size_t record_count(const struct record *, const char *pattern);
/* The sum of the gaps' counts. */
unsigned long record_missing(const struct record *);
/* Drops what is not msg, me or post. */
void record_keep_messages(struct record *);
/* The whole holds the part, line by line, from that line of it on. */
void record_holds(const struct record *whole, size_t from, const struct record *part);
/* They are the same. */
void record_equal(const struct record *, const struct record *);

#endif
