/* accounts.c: the questions, their helpers, and the rule about names. */
#include "accounts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "compat/poller.h"
#include "connection.h"
#include "room.h"

/* Helpers for one source. */
#define HELPERS_EACH 2
/* Starting one suspends the hub for a moment. */
#define STARTS_MAX 2
/* How long a helper may take, and how long a question may wait for one. */
#define HELPER_US 15000000u
#define QUEUED_US 60000000u
/*
 * How long an answer is kept, and how many are at most. A name may need three slow lookups, one
 * after the other: the first answer is still there with the last.
 */
#define KNOWN_US (2 * HELPER_US + 1000000u)
#define KNOWN_MAX 1000
/* A helper that cannot be started is tried again after this time. */
#define START_RETRY_US 100000u
/* `+NAME LF` or `- LF`. */
#define REPLY_MAX (NAME_LEN_MAX + 2)

/* QUEUED -> RUNNING -> KNOWN, QUEUED -> KNOWN. */
enum account_state { ACCOUNT_QUEUED, ACCOUNT_RUNNING, ACCOUNT_KNOWN };

enum account_answer { ANSWER_NONE, ANSWER_LOGIN, ANSWER_FAILED };

/* One question, and its answer. It owns the descriptor. */
struct account {
    struct watch watch;
    struct table_entry entry;
    struct list place;   /* in the list of its state */
    struct list waiting; /* struct connection, in the order of their coming */
    enum account_state state;
    enum account_answer answer; /* KNOWN */
    bool is_ready;              /* RUNNING: the helper's end can be read */
    struct source_key asker;
    uint64_t at; /* QUEUED, RUNNING: the latest end; KNOWN: since then */
    int fd;      /* of the helper's pair; -1: there is no helper */
    pid_t pid;
    size_t reply_len;
    char reply[REPLY_MAX];
    char kind;                   /* 'u': key is a uid, 'n': a name */
    char key[NAME_LEN_MAX + 1];  /* of what is asked */
    char name[NAME_LEN_MAX + 1]; /* LOGIN: its name, clean */
};

/* ---- The table ------------------------------------------------------------------------------- */

bool accounts_init(struct accounts *accounts, const struct table_seed *seed)
{
    list_init(&accounts->queued);
    list_init(&accounts->running);
    list_init(&accounts->known);
    return table_init(&accounts->table, seed);
}

static struct account *account_at(struct list *place)
{
    return LIST_ENTRY(struct account, place, place);
}

static uint64_t question_hash(const struct accounts *accounts, char kind, const char *key)
{
    char question[NAME_LEN_MAX + 2] = {kind};

    strcpy(question + 1, key);
    return table_hash(&accounts->table, question, strlen(question));
}

static struct account *account_find(const struct accounts *accounts, char kind, const char *key)
{
    struct table_entry *entry = table_first(&accounts->table, question_hash(accounts, kind, key));

    for (; entry != NULL; entry = table_next(entry)) {
        struct account *account = TABLE_ENTRY(struct account, entry, entry);

        if (account->kind == kind && strcmp(account->key, key) == 0)
            return account;
    }
    return NULL;
}

static void account_free(struct accounts *accounts, struct account *account)
{
    list_remove(&account->place);
    table_remove(&accounts->table, &account->entry);
    free(account);
}

/* Forgets answers that are old, and the oldest where there are too many. */
static void known_expire(struct accounts *accounts, uint64_t now)
{
    while (!list_is_empty(&accounts->known)) {
        struct account *oldest = account_at(accounts->known.next);

        if (now - oldest->at < KNOWN_US && accounts->known_count <= KNOWN_MAX)
            return;
        accounts->known_count--;
        account_free(accounts, oldest);
    }
}

/* ---- Helpers --------------------------------------------------------------------------------- */

static void helper_close(struct connections *cs, struct account *account)
{
    if (account->fd == -1)
        return;
    poller_remove(cs->config->poller, account->fd);
    close(account->fd);
    account->fd = -1;
    cs->accounts->running_count--;
    cs->accounts->all_wait = false;
}

void accounts_free(struct connections *cs)
{
    struct accounts *accounts = cs->accounts;
    struct list *const lists[] = {&accounts->queued, &accounts->running, &accounts->known};

    if (accounts->known.next == NULL) /* accounts_init() was not reached */
        return;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        while (!list_is_empty(lists[i])) {
            helper_close(cs, account_at(lists[i]->next));
            account_free(accounts, account_at(lists[i]->next));
        }
    table_free(&accounts->table);
}

/* A session that has given its name is logged in; others go on with the line that they stopped at.
 */
static void waiter_resume(struct connections *cs, struct connection *c)
{
    if (c->session == SESSION_NAMED)
        list_append(&cs->logins, &c->waiting);
    else
        connection_unpause(cs, c);
}

static void account_settle(
    struct connections *cs, struct account *account, enum account_answer answer)
{
    helper_close(cs, account);
    if (answer == ANSWER_FAILED)
        report_stranger(cs->config->report, cs->turn.now, LOG_WARNING,
            "%s %s: the account cannot be looked up", account->kind == 'u' ? "uid" : "login",
            account->key);
    account->state = ACCOUNT_KNOWN;
    account->answer = answer;
    account->at = cs->turn.now;
    list_remove(&account->place);
    list_append(&cs->accounts->known, &account->place);
    cs->accounts->known_count++;
    while (!list_is_empty(&account->waiting))
        waiter_resume(cs, LIST_ENTRY(struct connection, waiting, list_take(&account->waiting)));
}

/* What a helper has said in all. */
static enum account_answer reply_parse(struct account *account)
{
    size_t len = account->reply_len;

    if (len < 2 || account->reply[len - 1] != '\n')
        return ANSWER_FAILED;
    if (account->reply[0] == '-' && len == 2)
        return ANSWER_NONE;
    if (account->reply[0] != '+' || !name_is_clean(account->reply + 1, len - 2))
        return ANSWER_FAILED;
    memcpy(account->name, account->reply + 1, len - 2);
    account->name[len - 2] = '\0';
    return ANSWER_LOGIN;
}

static void reply_read(struct connections *cs, struct account *account)
{
    ssize_t n = 1;

    account->is_ready = false;
    while (n > 0 && account->reply_len < REPLY_MAX) {
        n = recv(
            account->fd, account->reply + account->reply_len, REPLY_MAX - account->reply_len, 0);
        account->reply_len += n > 0 ? (size_t)n : 0;
    }
    if (n == -1 && error_passes(errno))
        return;
    account_settle(cs, account, n == 0 ? reply_parse(account) : ANSWER_FAILED);
}

static void helper_give_up(struct connections *cs, struct account *account)
{
    cs->config->end_lookup(cs->config->context, account->pid);
    account_settle(cs, account, ANSWER_FAILED);
}

static bool helper_start(struct connections *cs, struct account *account)
{
    const struct hub_config *config = cs->config;

    account->pid = config->start_lookup(config->context, account->kind, account->key, &account->fd);
    if (account->pid == -1)
        return false;
    cs->accounts->running_count++;
    if (poller_set(config->poller, account->fd, POLLIN, &account->watch) == -1) {
        config->end_lookup(config->context, account->pid);
        helper_close(cs, account);
        return false;
    }
    account->state = ACCOUNT_RUNNING;
    account->at = cs->turn.now + HELPER_US;
    list_remove(&account->place);
    list_append(&cs->accounts->running, &account->place);
    return true;
}

static size_t helpers_for(const struct accounts *accounts, const struct source_key *asker)
{
    size_t count = 0;

    for (struct list *at = accounts->running.next; at != &accounts->running; at = at->next)
        count += source_key_equal(&account_at(at)->asker, asker);
    return count;
}

static bool may_start(const struct accounts *accounts, const struct account *account)
{
    return helpers_for(accounts, &account->asker) < HELPERS_EACH;
}

/* The first question of a source that has not enough helpers; NULL: there is none. One source may
 * have thousands in the queue: they are looked through once for each helper that ends. */
static struct account *question_next(struct accounts *accounts)
{
    if (accounts->all_wait)
        return NULL;
    for (struct list *at = accounts->queued.next; at != &accounts->queued; at = at->next)
        if (may_start(accounts, account_at(at)))
            return account_at(at);
    accounts->all_wait = true;
    return NULL;
}

static void helpers_start(struct connections *cs)
{
    struct accounts *accounts = cs->accounts;
    struct account *next;

    if (cs->turn.now < accounts->start_at)
        return;
    for (int i = 0; i < STARTS_MAX && accounts->running_count < LOOKUPS_MAX; i++) {
        next = question_next(accounts);
        if (next == NULL)
            return;
        if (!helper_start(cs, next)) {
            accounts->start_at = cs->turn.now + START_RETRY_US;
            return;
        }
    }
}

void account_ready(struct account *account)
{
    account->is_ready = true;
}

struct account *account_of_watch(struct watch *watch)
{
    return LIST_ENTRY(struct account, watch, watch);
}

void accounts_turn(struct connections *cs)
{
    struct accounts *accounts = cs->accounts;
    struct list *next;

    for (struct list *at = accounts->running.next; at != &accounts->running; at = next) {
        next = at->next;
        if (account_at(at)->is_ready)
            reply_read(cs, account_at(at));
        else if (cs->turn.now >= account_at(at)->at)
            helper_give_up(cs, account_at(at));
    }
    while (
        !list_is_empty(&accounts->queued) && cs->turn.now >= account_at(accounts->queued.next)->at)
        account_settle(cs, account_at(accounts->queued.next), ANSWER_FAILED);
    helpers_start(cs);
}

uint64_t accounts_due(const struct connections *cs)
{
    struct accounts *accounts = cs->accounts;
    uint64_t due = TIME_NEVER;

    /* Each list is in the order of its times. */
    if (!list_is_empty(&accounts->running))
        due = account_at(accounts->running.next)->at;
    if (!list_is_empty(&accounts->queued) && account_at(accounts->queued.next)->at < due)
        due = account_at(accounts->queued.next)->at;
    if (accounts->running_count < LOOKUPS_MAX && question_next(accounts) != NULL)
        return accounts->start_at > cs->turn.now ? accounts->start_at : cs->turn.now;
    return due;
}

/* ---- Questions ------------------------------------------------------------------------------- */

static struct account *account_new(
    struct connections *cs, const struct connection *c, char kind, const char *key)
{
    struct accounts *accounts = cs->accounts;
    struct account *account = calloc(1, sizeof(*account));

    if (account == NULL)
        return NULL;
    account->watch.kind = WATCH_ACCOUNT;
    account->fd = -1;
    account->kind = kind;
    strcpy(account->key, key);
    account->asker = c->source->key;
    account->at = cs->turn.now + QUEUED_US;
    list_init(&account->place);
    list_init(&account->waiting);
    list_append(&accounts->queued, &account->place);
    accounts->all_wait &= !may_start(accounts, account);
    table_add(&accounts->table, &account->entry, question_hash(accounts, kind, key));
    return account;
}

/* READY: *account has the answer. */
static enum account_result account_ask(struct connections *cs, struct connection *c, char kind,
    const char *key, const struct account **account)
{
    struct account *found;

    known_expire(cs->accounts, cs->turn.now);
    found = account_find(cs->accounts, kind, key);
    if (found == NULL)
        found = account_new(cs, c, kind, key);
    if (found == NULL)
        return ACCOUNT_LATER;
    *account = found;
    if (found->state == ACCOUNT_KNOWN)
        return ACCOUNT_READY;
    list_remove(&c->waiting);
    list_append(&found->waiting, &c->waiting);
    if (c->session != SESSION_NAMED)
        connection_pause(cs, c, PAUSE_ACCOUNT, TIME_NEVER);
    return ACCOUNT_WAITS;
}

enum account_result account_prove(struct connections *cs, struct connection *c)
{
    const struct account *account;
    enum account_result result;
    char uid[24];

    if (cs->config->start_lookup == NULL || !c->origin.local || c->login_name[0] != '\0')
        return ACCOUNT_READY;
    snprintf(uid, sizeof(uid), "%lu", (unsigned long)c->origin.uid);
    result = account_ask(cs, c, 'u', uid, &account);
    if (result != ACCOUNT_READY)
        return result;
    if (account->answer == ANSWER_LOGIN)
        memcpy(c->login_name, account->name, sizeof(c->login_name));
    else
        snprintf(c->login_name, sizeof(c->login_name), "uid_%s", uid);
    return ACCOUNT_READY;
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* uid_N */
static bool is_number(const char *name)
{
    static const char prefix[] = "uid_";
    size_t len = sizeof(prefix) - 1;
    char folded[NAME_LEN_MAX + 1];

    name_fold(folded, name);
    return strncmp(folded, prefix, len) == 0 && folded[len] != '\0' &&
           strspn(folded + len, "0123456789") == strlen(folded + len);
}

/* READY: *reserved says whether the name itself is a login that the client has not proved. */
static enum account_result login_ask(
    struct connections *cs, struct connection *c, const char *name, bool *reserved)
{
    const struct account *account;
    enum account_result result;

    *reserved = false;
    if (name_equal(name, c->login_name))
        return ACCOUNT_READY;
    if (is_number(name)) {
        *reserved = true;
        return ACCOUNT_READY;
    }
    result = account_ask(cs, c, 'n', name, &account);
    if (result == ACCOUNT_READY)
        *reserved = account->answer != ANSWER_NONE;
    return result;
}

/*
 * READY: *reserved says whether the name is a login, or a login with a suffix, that the client has
 * not proved. No login begins with `~`, and none has a colon, as an address does.
 */
static enum account_result form_ask(
    struct connections *cs, struct connection *c, const char *name, bool *reserved)
{
    char base[NAME_LEN_MAX + 1];
    enum account_result result;

    *reserved = false;
    if (name[0] == '~' || strchr(name, ':') != NULL || name_equal(name, c->login_name))
        return ACCOUNT_READY;
    result = login_ask(cs, c, name, reserved);
    if (result != ACCOUNT_READY || *reserved || !name_base(base, name))
        return result;
    return login_ask(cs, c, base, reserved);
}

static void name_mark(char name[NAME_LEN_MAX + 1])
{
    char marked[NAME_LEN_MAX + 2] = "~";

    strcpy(marked + 1, name);
    (void)name_clean(name, marked, strlen(marked));
}

static bool form_is_free(
    const struct connections *cs, const char *form, enum person_kind kind, const char *own)
{
    return (own != NULL && name_equal(form, own)) || room_is_free(cs->room, form, kind);
}

/*
 * The first free form decides: all others are in the mask, though nobody has looked them up. Where
 * the room's order is that of a stream, others may take it first; then the next form is given
 * unasked, rather than a suffix beyond the mask.
 */
enum account_result account_reserve(struct connections *cs, struct connection *c,
    char wanted[NAME_LEN_MAX + 1], enum person_kind kind, const char *own, names_mask *mask)
{
    char form[NAME_LEN_MAX + 1];
    enum account_result result;
    bool reserved = false;

    *mask = 0;
    if (cs->config->start_lookup == NULL || wanted[0] == '~')
        return ACCOUNT_READY;
    result = form_ask(cs, c, wanted, &reserved);
    if (result != ACCOUNT_READY)
        return result;
    if (reserved) {
        name_mark(wanted);
        return ACCOUNT_READY;
    }
    *mask = cs->cluster == NULL ? ~(names_mask)0 : 0;
    strcpy(form, wanted);
    for (unsigned n = 1; n <= NAMES_MASK_BITS; name_suffixed(form, wanted, ++n)) {
        if (!form_is_free(cs, form, kind, own))
            continue;
        result = n == 1 ? ACCOUNT_READY : form_ask(cs, c, form, &reserved);
        if (result != ACCOUNT_READY)
            return result;
        if (!reserved) {
            *mask &= ~((names_mask)1 << (n - 1));
            break;
        }
        *mask |= (names_mask)1 << (n - 1);
    }
    return ACCOUNT_READY;
}
