/* accounts.c: see accounts.h. */
#include "accounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>

#include "compat/compat.h"
#include "protocol.h"

struct account {
    uid_t uid;
    size_t place;                /* in the passwd file */
    char name[NAME_LEN_MAX + 1]; /* as a name in the room */
    char folded[NAME_LEN_MAX + 1];
};

static int compare_uids(const void *a, const void *b)
{
    const struct account *x = a;
    const struct account *y = b;

    if (x->uid != y->uid)
        return x->uid < y->uid ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static int compare_names(const void *a, const void *b)
{
    const struct account *const *x = a;
    const struct account *const *y = b;

    return strcmp((*x)->folded, (*y)->folded);
}

/* Grows by doubling: a count that is a power of two is full. */
static bool account_add(void *context, uid_t uid, const char *name)
{
    struct accounts *accounts = context;
    struct account *account;

    if ((accounts->count & (accounts->count - 1)) == 0) {
        size_t room = accounts->count == 0 ? 1 : 2 * accounts->count;
        struct account *all = realloc(accounts->all, room * sizeof(*all));

        if (all == NULL)
            return false;
        accounts->all = all;
    }
    account = &accounts->all[accounts->count];
    if (name_clean(account->name, name, strlen(name)) == 0)
        return true;
    name_fold(account->folded, account->name);
    account->uid = uid;
    account->place = accounts->count++;
    return true;
}

static bool accounts_sort(struct accounts *accounts)
{
    if (accounts->count == 0)
        return true;
    accounts->by_name = malloc(accounts->count * sizeof(accounts->by_name[0]));
    if (accounts->by_name == NULL)
        return false;
    qsort(accounts->all, accounts->count, sizeof(accounts->all[0]), compare_uids);
    for (size_t i = 0; i < accounts->count; i++)
        accounts->by_name[i] = &accounts->all[i];
    qsort(accounts->by_name, accounts->count, sizeof(accounts->by_name[0]), compare_names);
    return true;
}

bool accounts_read(struct accounts *accounts)
{
    struct accounts found = {0};

    if (!passwd_each(account_add, &found) || !accounts_sort(&found)) {
        int error = errno;

        accounts_free(&found);
        errno = error;
        return false;
    }
    accounts_free(accounts);
    *accounts = found;
    return true;
}

int accounts_load(struct accounts *accounts, const struct report *r)
{
    if (accounts_read(accounts))
        return 0;
    report(r, LOG_ERR, "the list of logins: %s", strerror(errno));
    return EX_OSERR;
}

void accounts_free(struct accounts *accounts)
{
    free(accounts->by_name);
    free(accounts->all);
    *accounts = (struct accounts){0};
}

const char *accounts_name(const struct accounts *accounts, uid_t uid)
{
    size_t low = 0;
    size_t high = accounts->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (accounts->all[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < accounts->count && accounts->all[low].uid == uid ? accounts->all[low].name : NULL;
}

bool accounts_have(const struct accounts *accounts, const char *folded)
{
    struct account key;
    const struct account *wanted = &key;

    if (accounts->count == 0 || strlen(folded) > NAME_LEN_MAX)
        return false;
    strcpy(key.folded, folded);
    return bsearch(&wanted, accounts->by_name, accounts->count, sizeof(wanted), compare_names) !=
           NULL;
}
