/*
 * storm.h: a process that opens connections at a steady rate and closes each of them at once.
 * Linux only.
 */
#ifndef BENCH_STORM_H
#define BENCH_STORM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* What a connection does between connect(2) and close(2). */
enum storm_kind {
    STORM_NONE,   /* there is no storm */
    STORM_SILENT, /* nothing */
    STORM_RESET,  /* nothing, and it is closed by a reset */
    STORM_BYTES,  /* sends a few bytes without a line end */
    STORM_LOGIN,  /* sends a name: a session that comes and goes */
};

struct storm {
    enum storm_kind kind;
    unsigned sources; /* how many addresses of 127.2.0.0/16 it comes from; 0: the default one */
    pid_t pid;
    int control;
};

struct storm_result {
    uint64_t opened;
    uint64_t failed; /* the listener's queue was full */
    double seconds;
};

/* KIND or KIND:SOURCES, where KIND is none, silent, reset, bytes or login. False if it is not. */
bool storm_parse(struct storm *, const char *);

/* Begins. Ends the program on failure. */
void storm_start(
    struct storm *, const struct sockaddr_storage *, socklen_t len, unsigned per_second);

/* Ends it and waits for its process. */
void storm_stop(struct storm *, struct storm_result *);

#endif
