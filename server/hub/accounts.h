/*
 * accounts.h: who the clients of Unix-domain sockets are, and which names are logins of this
 * machine (chatd(8), -a). Where accounts come from may be slow, so each is looked up by a helper
 * process, a few at a time, and only the client that needs the answer waits for it. Answers are
 * kept for some seconds.
 *
 * A login, say ann, reserves its name and ann_2, ann_3, ... for its user. uid_N is reserved for the
 * user of that number, who has no login.
 */
#ifndef SERVER_HUB_ACCOUNTS_H
#define SERVER_HUB_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "names.h"
#include "person.h"
#include "table.h"

struct account;
struct connection;
struct connections;

/* What was asked lately, is being asked, and is to be asked. */
struct accounts {
    struct table table;  /* struct account, by its question */
    struct list queued;  /* in the order of their questions */
    struct list running; /* a helper looks them up */
    struct list known;   /* in the order of their answers */
    size_t running_count;
    size_t known_count;
    bool all_wait;     /* no queued question may have a helper before another helper ends */
    uint64_t start_at; /* no helper is started before that: the last could not be */
};

/* False without memory; accounts_free() then too. */
bool accounts_init(struct accounts *, const struct table_seed *);
/* No connection waits any more. */
void accounts_free(struct connections *);

/* What has become of a question. */
enum account_result {
    ACCOUNT_READY,
    ACCOUNT_WAITS, /* the connection is taken up again when the answer is there */
    ACCOUNT_LATER  /* no memory: try again */
};

/* Finds out which login the client has proved: its login_name is set, or stays empty: none. */
enum account_result account_prove(struct connections *, struct connection *);
/*
 * Finds out which forms of a name a client must not be given in a login or rename. *mask is right
 * for the room as it is now: it also has forms that nobody needed to look up. own: the name that
 * the person has and that counts as free; NULL: none. A name that itself must not be given gets a
 * `~` in front.
 */
enum account_result account_reserve(struct connections *, struct connection *,
    char wanted[NAME_LEN_MAX + 1], enum person_kind, const char *own, names_mask *mask);

/* The helper's answer is ready to be read, or its end. */
void account_ready(struct account *);
/* The account whose watch this is. */
struct watch;
struct account *account_of_watch(struct watch *);
/* Once a turn: takes answers, gives up what takes too long, starts helpers. */
void accounts_turn(struct connections *);
/* When that is due at the latest; TIME_NEVER: when a helper answers. */
uint64_t accounts_due(const struct connections *);

#endif
