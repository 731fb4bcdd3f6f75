/*
 * bot.h: the command of -e, between two pipes.
 */
#ifndef CLIENT_BOT_H
#define CLIENT_BOT_H

#include <stdbool.h>
#include <sys/types.h>

struct bot {
    pid_t pid;  /* -1: none, or it has ended */
    int status; /* of its end, as wait(2) tells it */
    int output; /* what it prints is read here, without waiting; -1: none */
    int input;  /* its standard input; -1: none */
};

/* Two pipes, one each way: a bot may close one and go on with the other. False with errno. */
bool bot_start(struct bot *, const char *command);
/* True once, when it has ended. */
bool bot_reap(struct bot *);
/* Waits at most grace_ms for its end, then sends SIGTERM. Its input must be closed before. */
void bot_end(struct bot *, int grace_ms);

#endif
