/*
 * hub_private.h: what the two files of hub.h share: hub.c, the turn, and hub_parent.c, what the
 * parent asks and tells.
 */
#ifndef SERVER_HUB_HUB_PRIVATE_H
#define SERVER_HUB_HUB_PRIVATE_H

#include "accounts.h"
#include "backpressure.h"
#include "config.h"
#include "connection.h"
#include "input.h"
#include "room.h"
#include "server/journal/journal.h"
#include "table.h"
#include "token.h"

struct hub {
    struct hub_config config;
    struct table_seed seed;
    struct room room;
    struct journal journal;
    struct tokens tokens;
    struct accounts accounts;
    struct connections connections;
    struct backpressure backpressure;
    struct input_buffer buffer;
    uint64_t sent_to;   /* all followers were given what was visible, up to here */
    uint64_t flush_at;  /* when they are woken for mere joins and quits, at the earliest */
    uint64_t logins_at; /* when logins are tried again; TIME_NEVER: none is waiting */
    uint64_t review_at; /* when sessions are compared with the rules; TIME_NEVER: no need */
    uint64_t ahead_at;  /* when timestamps ahead of the clock are reported next */
    bool stopping;
    bool start_failing; /* the last worker could not be started, and that was logged */
    bool disk_told;     /* members know that the disk hangs, see disk.h */
};

/* Reads the clocks. */
void hub_begin_turn(struct hub *, uint64_t now);
/* Ends all sessions, as far as the log has space. The quits of a server that stops are for the file
 * only: what clients get has ended before. */
void hub_end_sessions(struct hub *);

#endif
