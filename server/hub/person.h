/*
 * person.h: who is in the room or posts to it: a name and how it came about. A person is not a
 * connection: a person can change the connection, and a connection may have no person.
 */
#ifndef SERVER_HUB_PERSON_H
#define SERVER_HUB_PERSON_H

#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "protocol.h"
#include "source.h"
#include "table.h"

struct link;
struct node;

enum person_kind {
    PERSON_MEMBER, /* in the room and on its list */
    PERSON_POSTER  /* has a name, but never joined */
};

/* From a login to its leave. Owned by the room; made and freed by room_apply() alone. */
struct person {
    struct list entry; /* among the members, in the order of their joins */
    enum person_kind kind;
    struct link *link;            /* the way out to this person; NULL: there is none now */
    size_t place;                 /* its number in a snapshot */
    uint64_t joined;              /* the stamp of the join; of a poster: of the room's last event */
    char name[NAME_LEN_MAX + 1];  /* in the room */
    char login[NAME_LEN_MAX + 1]; /* proved by the kernel; empty: none is */
    /* Where several machines share the room: */
    struct node *node;        /* whose person it is; NULL: there is one machine */
    uint32_t number;          /* its number there */
    struct source_key source; /* at this node: of its session, which may be over already */
    struct list of_node;      /* among the persons of its node */
    struct table_entry by_number;
    struct table_entry by_token;
    char token[TOKEN_LEN + 1]; /* with which its session is resumed at another node; empty: none */
};

#endif
