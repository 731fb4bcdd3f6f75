/*
 * options.h: what the command line and the environment ask of chat.
 */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include "../protocol.h"
#include "../wire/address.h"

#include <stddef.h>

/* What the program is this time. */
enum options_mode {
    MODE_TALK,    /* input and output */
    MODE_RECEIVE, /* -r alone: output */
    MODE_SEND,    /* -s: input, as posts */
    MODE_POST,    /* -m: texts of the command line, as posts */
    MODE_LIST,    /* -l */
    MODE_BOT      /* -e: input and output are a command's */
};

enum options_bell { BELL_DEFAULT, BELL_OFF, BELL_MENTION, BELL_ALL };

/* The largest number of seconds that fits into milliseconds of an int, with room to add. */
#define OPTIONS_SECONDS_MAX 1000000ul
/* Not given. */
#define OPTIONS_UNSET (~0ul)
#define HISTORY_MAX 1000000000ul

/* How events are printed. */
struct options_output {
    bool raw;   /* -x */
    bool quiet; /* -q */
    bool plain; /* -p */
};

/* All other pointers are into argv or the environment. */
struct options {
    enum options_mode mode;
    const char *name;   /* NULL: ask */
    const char **texts; /* -m; allocated once, for the life of the program */
    size_t texts_count;
    unsigned long history;     /* or OPTIONS_UNSET */
    unsigned long count;       /* -C; 0: no limit */
    unsigned long leave_after; /* -W, seconds; 0: never */
    int64_t patience;          /* -w, ms; -1: without end */
    enum options_bell bell;
    bool receive_only; /* -r */
    bool keep;         /* -k */
    struct options_output output;
    const char *bot;           /* -e */
    const char *command;       /* -c: instead of an address */
    const char *server;        /* the addresses as written */
    struct address *addresses; /* the same, parsed; allocated once */
    size_t addresses_count;    /* 0 with -c */
    char *addresses_text;      /* what paths among them point into; allocated once */
    const char *secret;        /* NULL: none */
};

/*
 * Reads both. Returns -1 to go on, or else the status to exit with: help and version have been
 * printed (0), or what was wrong (64).
 */
int options_parse(struct options *, int argc, char **argv);

#endif
