/*
 * nats.h: nats-servers of one's own, for tests: with JetStream in directories of their own, on an
 * address that no other running test has. libcheck kills them with the test's process group.
 */
#ifndef TESTS_NATS_H
#define TESTS_NATS_H

#include "harness.h"

#define NATS_SERVERS_MAX 3

/* The first option of servers without JetStream. */
#define NATS_NO_JETSTREAM "# no JetStream"

/* A server of a cluster, or the only one. */
struct nats {
    pid_t pid; /* -1 when it is gone */
    unsigned place;
    unsigned count;             /* of the cluster */
    const char *const *options; /* of its own */
};

/* False, after test_skip(), where the program is not installed. */
bool nats_is_there(void);
/* Starts them all, and waits until they have found each other; options end with NULL. */
void nats_start(struct nats *, unsigned count, const char *const options[]);
/* Starts again one that is gone. */
void nats_restart(struct nats *);
/* SIGKILL, and waits for its end. */
void nats_kill(struct nats *);
/* The same with SIGTERM: it writes what it has. */
void nats_end(struct nats *);
/* Writes `ADDRESS:PORT` of a server. */
void nats_address(unsigned place, char out[ADDRESS_TEXT_MAX]);
/* The addresses of all, separated by commas. */
void nats_list(unsigned count, char *out, size_t size);

/*
 * Sends a request to a server and writes the answer's payload, NUL-terminated. False where none
 * comes in time. The payload may be NULL.
 */
bool nats_ask(unsigned place, const char *subject, const char *payload, char *out, size_t size);
/* Stores so many messages of one byte, and waits until they are. */
void nats_fill(unsigned place, const char *subject, unsigned count);
/* Waits until one of the servers leads the room's stream and the others that run have all that it
 * has; *leader is its place. False where that takes too long. */
bool nats_has_leader(const struct nats *, unsigned count, const char *room, unsigned *leader);
/* The same; it must not take too long. */
unsigned nats_leader(const struct nats *, unsigned count, const char *room);

#endif
