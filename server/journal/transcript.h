/*
 * transcript.h: the transcript's file: opening, locking, and where its lines begin and end.
 *
 * The file holds the events of the room, a line each, as they are on the wire, and gap lines; see
 * chatd(8), THE TRANSCRIPT. Functions that can fail give the reason, for the log, in why.
 */
#ifndef SERVER_JOURNAL_TRANSCRIPT_H
#define SERVER_JOURNAL_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct event;
struct report;

/* 9999-01-01: a line with a later timestamp is not an event. New timestamps follow the last one, so
 * the last one must leave some. */
#define TRANSCRIPT_STAMP_MAX 253370764800000000u
/* Bytes of a reason, NUL included. */
#define TRANSCRIPT_WHY_MAX 160

/* Opens the file for reading and appending, and creates it if it is missing. Returns the
 * descriptor, or -1; also if it is not a regular file, or not this user's alone. */
int transcript_open(const char *path, char why[TRANSCRIPT_WHY_MAX]);

/* Takes the lock, which all processes share that inherit this descriptor. Does not wait. */
bool transcript_lock(int fd, char why[TRANSCRIPT_WHY_MAX]);
/* While a start waits for the lock, this is called once a second. */
struct transcript_waiter {
    void (*waits)(void *context);
    void *context;
};
/* The same at a start: waits for the writer of an earlier server while the file grows, and 10
 * seconds more. For a running server it waits 10 seconds. */
bool transcript_lock_waiting(int fd, const char *path, const struct report *,
    const struct transcript_waiter *, char why[TRANSCRIPT_WHY_MAX]);
/* Marks the file as that of this process, a running server: until it exits, or closes any
 * descriptor of the file. Keeps errno. */
void transcript_mark(int fd);

/* Whether this is a transcript: it has a valid line, or is empty but for NUL bytes or an incomplete
 * first line. Reads up to the first valid line. */
bool transcript_check(int fd, char why[TRANSCRIPT_WHY_MAX]);
/* Synchronizes the directory, so that the file's name is on the disk. */
bool transcript_sync_name(const char *path, char why[TRANSCRIPT_WHY_MAX]);

/* Parses a line of the file, without its end. False if it is none of a room, not clean, or has a
 * timestamp behind TRANSCRIPT_STAMP_MAX. */
bool transcript_parse(struct event *, const char *line, size_t len);
/* Where the first line begins: behind NUL bytes and a byte order mark. False with errno. */
bool transcript_find_begin(int fd, off_t *begin);
/* Where the last line ends, behind its LF; 0 if there is none. False with errno. */
bool transcript_find_end(int fd, off_t *end);

#endif
