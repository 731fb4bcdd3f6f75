/*
 * access.h: the access rules of -A: which clients are admitted, which of them are operators, and
 * which peers are proxies that tell the addresses of their clients; see chatd(8), ACCESS RULES.
 *
 * Text becomes rules, and rules are compared with clients: no file is opened here. Logins and
 * groups are looked up by a function of the caller's, once, when the text is parsed.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/hub/config.h"
#include "wire/ip.h"

struct codec;

/* A line of the file, without its end. */
#define ACCESS_LINE_MAX 1024
#define ACCESS_RULES_MAX 10000
/* Fits what is wrong with a file. */
#define ACCESS_WHY_MAX 128

enum rule_action { RULE_ALLOW, RULE_DENY, RULE_OPERATOR, RULE_PROXY };

enum rule_who {
    WHO_ALL,
    WHO_ADDRESS,
    WHO_USER,
    WHO_GROUP,
    WHO_NOBODY /* a user or group that is not known here */
};

struct rule {
    enum rule_action action;
    enum rule_who who;
    struct ip_range range; /* WHO_ADDRESS */
    uint32_t id;           /* WHO_USER, WHO_GROUP */
};

/* Zeroed memory admits every client. access_free() ends it. */
struct access {
    struct rule *rules; /* in the order of the file */
    size_t count;
    bool lists_clients; /* it has an `allow` or `operator`: others are refused */
};

/* Finds the number of a login (WHO_USER) or of a group; line counts from 1. False: not known. */
typedef bool access_find(
    void *context, size_t line, enum rule_who who, const char *name, uint32_t *id);

/* What is wrong, and in which line; 0: not with a line. */
struct access_fault {
    size_t line;
    char why[ACCESS_WHY_MAX];
};

/* Fills an empty one with the rules of a text. False where it is wrong; then it is empty. */
bool access_parse(struct access *, const char *text, size_t len, access_find *find, void *context,
    struct access_fault *fault);
void access_free(struct access *);
/* Writes the rules, or fills an empty one; see codec.h. */
void access_state(struct access *, struct codec *);

/* The first allow, deny or operator that matches a client decides. fd: its socket, or -1. */
enum standing access_standing(const struct access *, const struct origin *, int fd);
/* Connections from there begin with a PROXY header. */
bool access_is_proxy(const struct access *, const struct origin *);

#endif
