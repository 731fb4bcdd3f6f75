/*
 * nodes.h: hubs of three nodes that share a room: each is a stage of its own, with mock clients and
 * a mock engine, and the stream between them is the test's. For the programs test_cluster*.c.
 */
#ifndef NODES_H
#define NODES_H

#define room harness_room /* the harness has a struct of that name, too */
#include "bytes.h"
#include "mocks.h"
#undef room
#include "server/cluster/batch.h"

#define SECOND 1000000u
#define NODES 3

extern struct stage nodes[NODES]; /* hub is NULL: closed */
extern struct stream stream;
extern const char *const names[NODES];

/* An empty stream, in the form that it had, and all nodes. The configuration may be NULL. */
void nodes_open(const struct hub_config *);
/* All of them come to rest: what one stores moves the others. */
void nodes_settle(void);
/* So much time passes at all nodes, in steps of a second. */
void nodes_wait(uint64_t us);
void node_close(size_t i);
void nodes_close(void);

/* A client of that node that has given this name; what it is sent is read as the test goes. */
struct mock *join(size_t node, const char *name);
/* The same with a token, of TOKEN_LEN and a NUL; what else it was sent has been read. */
struct mock *join_with_token(size_t node, const char *name, char *token);
/* The nodes, with ann at the first and ben at the second, who have seen each other. */
void two_join(struct mock **ann, struct mock **ben);
/* The client says a line, and all nodes come to rest. */
void say(struct mock *, const char *line);
/* What it is sent next, without the stamp. */
void expect(struct mock *, const char *want);
void expect_nothing(struct mock *);
void read_all(struct mock *);
/* Reads up to the token that it is sent, and copies that: TOKEN_LEN and a NUL. */
const char *token_of(struct mock *, char *out);

/* Messages of nobody, until there are so many. */
void stream_fill(size_t count);
/* The incarnation of the node that has stored something last. */
struct incarnation incarnation_of(const char *node);
/* The hash of its room that the node has told last, and its place. */
struct snapshot_part hash_of(const char *node);
/* The number of the last batch that the node has stored. */
uint64_t batch_of(const char *node);
/* A line of that time, of this machine's clock; valid for seven more calls. */
const char *line_at(uint64_t time, const char *text);

/* The hash of each node's room is the same at the next place. */
void states_agree(void);
/* The users list and the history of every node is the same, byte for byte but for the stamps of
 * lines that are no events; and states_agree(). */
void nodes_agree(void);

#endif
