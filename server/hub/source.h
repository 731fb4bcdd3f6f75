/*
 * source.h: where connections come from. A source is an IPv4 address, an IPv6 network of 64 bits
 * (for a link-local address: the address with its scope), or the user of a Unix-domain peer. Limits
 * and bans are for a source, because one attacker has all addresses of a network.
 *
 * Every connection belongs to one source from its admission to its end. Sessions without a name
 * are listed by source in the order of arrival, so that the source that has most of them is known
 * at any time, without looking at others.
 */
#ifndef SERVER_HUB_SOURCE_H
#define SERVER_HUB_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "list.h"
#include "table.h"
#include "timers.h"
#include "wire/ip.h"

/* Kind, address, scope. */
#define SOURCE_KEY_LEN 21
/* Fits every source as text. */
#define SOURCE_TEXT_MAX (IP_TEXT_MAX + 16)

/* The other end of a connection, by the word of the kernel or of a trusted proxy. */
struct origin {
    bool local;   /* a Unix-domain socket */
    uid_t uid;    /* of a local one */
    struct ip ip; /* of others */
};

/* Identifies a source. */
struct source_key {
    unsigned char bytes[SOURCE_KEY_LEN];
};

/*
 * From the first of its connections to the end of the last, and longer while what it has done
 * (rate_at, pass_at) still counts.
 * nameless_count <= connections
 */
struct source {
    struct table_entry entry;
    struct source_key key;
    size_t connections;    /* before the name, members, posters, draining */
    size_t nameless_count; /* how many are in: */
    struct list nameless;  /* sessions without a name, in the order of arrival */
    struct list equals;    /* among the sources with as many of them, or without a connection */
    struct list waiting;   /* sessions whose beginning waits */
    struct timer timer;    /* for the first of them */
    struct list guesses;   /* sessions whose secret waits to be looked at */
    uint64_t rate_at;      /* -r: see rate.h; of the beginnings of sessions */
    uint64_t pass_at;      /* no secret from there is looked at before that */
    uint64_t idle_since;   /* it has had no connection since then */
};

/* All sources. */
struct sources {
    struct table table;
    struct list *by_count; /* the sources with n nameless sessions, at n - 1 */
    size_t count_room;     /* of by_count */
    size_t most;           /* the largest nameless_count <= count_room */
    size_t nameless;       /* sessions without a name, of all sources */
    struct timers timers;  /* struct source */
    struct list idle;      /* sources without a connection, in the order in which they became so */
};

struct source_key source_key(const struct origin *);
/* It is one of an address or a network: the same on every machine. */
bool source_key_is_address(const struct source_key *);
bool source_key_equal(const struct source_key *, const struct source_key *);
/* `192.0.2.7`, `2001:db8::/64`, `uid 1000`. */
void source_format(char out[SOURCE_TEXT_MAX], const struct source_key *);

/* False without memory; sources_free() then too. */
bool sources_init(struct sources *, const struct table_seed *);
/* There must be no connection left. */
void sources_free(struct sources *);

/* NULL where it has had no connection for some time. */
struct source *source_find(const struct sources *, const struct source_key *);
/* Counts one connection of the source, and makes that where it is new. NULL without memory. */
struct source *source_enter(struct sources *, const struct source_key *, uint64_t now);
/* The connection has ended. The last one frees the source, as soon as nothing of it counts. */
void source_leave(struct sources *, struct source *, uint64_t now);

/*
 * After the connections that were handed over: what a source has done still counts. One that has no
 * connection was idle since that time; these come in that order. False without memory.
 */
bool source_restore(struct sources *, const struct source *past);

/* The session of one of its connections has no name yet. entry is its place in the list. False
 * without memory. */
bool source_add_nameless(struct sources *, struct source *, struct list *entry);
/* The session has a name, or is over. An entry that is in no list is ignored. */
void source_remove_nameless(struct sources *, struct source *, struct list *entry);
/* The oldest nameless session of the source that has most of them; NULL: there is none. */
struct list *sources_oldest_nameless(const struct sources *);

#endif
