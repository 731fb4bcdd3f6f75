/*
 * test_access.c: the rules of -A: parsing, comparing, handing over.
 */
#include "bytes.h"
#include "server/hub/codec.h"
#include "server/parent/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ann and bob have logins, the group is ops; blanks are in one of each. */
static bool account_find(
    void *context, size_t line, enum rule_who who, const char *name, uint32_t *id)
{
    static const struct {
        const char *name;
        enum rule_who who;
        uint32_t id;
    } known[] = {
        {"ann", WHO_USER, 1000},
        {"bob", WHO_USER, 1001},
        {"a b#c", WHO_USER, 1002},
        {"ops", WHO_GROUP, 1000},
        {"domain users", WHO_GROUP, 2000},
    };
    size_t *unknown = context;

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (known[i].who == who && strcmp(known[i].name, name) == 0) {
            *id = known[i].id;
            return true;
        }
    *unknown = line;
    return false;
}

/* ---- Files ---- */

static const struct {
    const char *text;
    size_t rules;
    size_t fault; /* the line; 0: it is right */
    const char *why;
} file_rows[] = {
    {"", 0, 0, NULL},
    {"\n \t\n# nothing\n  # more", 0, 0, NULL},
    {"allow all", 1, 0, NULL},
    {"allow all\n", 1, 0, NULL},
    {"\tallow \t all\t# everybody\r\n", 1, 0, NULL},
    {"allow 192.0.2.7\ndeny 192.0.2.0/24\noperator ::1\nproxy 2001:db8::/32\n", 4, 0, NULL},
    {"allow user ann\ndeny group ops\noperator user bob # boss\n", 3, 0, NULL},
    {"allow user a b#c\nallow group domain users\n", 2, 0, NULL},
    {"allow user nobody\nallow group nobody\n", 2, 0, NULL},
    {BOM "allow all\ndeny all\n", 2, 0, NULL},
    {BOM "# nothing", 0, 0, NULL},
    {BOM, 0, 0, NULL},
    {"allow all\n" BOM "deny all\n", 0, 2, BOM "deny: no such rule; *"},
    {"alow all\n", 0, 1, "alow: no such rule; *"},
    {"allow all\nALLOW all\n", 0, 2, "ALLOW: no such rule; *"},
    {"\n\nallow\n", 0, 3, "who is missing: *"},
    {"allow everybody\n", 0, 1, "everybody: no ADDRESS or ADDRESS/BITS"},
    {"allow 192.0.2.0/33\n", 0, 1, "192.0.2.0/33: no ADDRESS *"},
    {"allow localhost\n", 0, 1, "localhost: no ADDRESS *"},
    {"allow all all\n", 0, 1, "all: a rule has nothing more *"},
    {"allow 192.0.2.7 192.0.2.8", 0, 1, "192.0.2.8: a rule has nothing more *"},
    {"allow all#comment\n", 0, 1, "all#comment: no ADDRESS *"},
    {"allow user\n", 0, 1, "user wants a login"},
    {"allow group # ops\n", 0, 1, "group wants a name"},
    {"proxy\n", 0, 1, "proxy wants ADDRESS *"},
    {"proxy all\n", 0, 1, "all: no ADDRESS *"},
    {"proxy user ann\n", 0, 1, "ann: a rule has nothing more *"},
};

START_TEST(files)
{
    const char *text = file_rows[_i].text;
    char *copy = bytes_copy((struct span){text, strlen(text)});
    struct access access = {0};
    struct access_fault fault = {0};
    size_t unknown = 0;
    bool parsed = access_parse(&access, copy, strlen(text), account_find, &unknown, &fault);

    ck_assert_msg(parsed == (file_rows[_i].fault == 0), "%s: %s", text, fault.why);
    ck_assert_uint_eq(access.count, file_rows[_i].rules);
    ck_assert_uint_eq(fault.line, file_rows[_i].fault);
    if (!parsed)
        ck_assert_msg(pattern_match(file_rows[_i].why, fault.why), "%s: %s", text, fault.why);
    access_free(&access);
    free(copy);
}
END_TEST

START_TEST(limits)
{
    static char text[ACCESS_RULES_MAX * 16];
    struct access access = {0};
    struct access_fault fault;
    size_t unknown;
    char *at = text;

    ck_assert(!access_parse(&access, "allow all\0", 10, account_find, &unknown, &fault));
    memset(text, 'a', ACCESS_LINE_MAX + 2);
    memcpy(text, "allow user ", 11);
    ck_assert(access_parse(&access, text, ACCESS_LINE_MAX, account_find, &unknown, &fault));
    access_free(&access);
    ck_assert(!access_parse(&access, text, ACCESS_LINE_MAX + 1, account_find, &unknown, &fault));
    for (int i = 0; i < ACCESS_RULES_MAX; i++)
        at = bytes_put(at, "deny all\n", 9);
    ck_assert(access_parse(&access, text, (size_t)(at - text), account_find, &unknown, &fault));
    ck_assert_uint_eq(access.count, ACCESS_RULES_MAX);
    access_free(&access);
    at = bytes_put(at, "deny all\n", 9);
    ck_assert(!access_parse(&access, text, (size_t)(at - text), account_find, &unknown, &fault));
    ck_assert_uint_eq(fault.line, ACCESS_RULES_MAX + 1);
}
END_TEST

/* ---- Clients ---- */

#define MIXED                                                                                      \
    "deny 192.0.2.13\noperator 192.0.2.1\nallow 192.0.2.0/24\nproxy 203.0.113.0/24\n"              \
    "deny user bob\nallow user ann\nallow user nobody\n"

static const struct {
    const char *text;
    const char *who; /* an address, or a uid behind a # */
    enum standing standing;
    bool proxy;
} client_rows[] = {
    {"", "192.0.2.1", STANDING_CLIENT, false},
    {"deny all", "192.0.2.1", STANDING_REFUSED, false},
    {"deny all", "#0", STANDING_REFUSED, false},
    {"deny 192.0.2.1", "192.0.2.1", STANDING_REFUSED, false},
    {"deny 192.0.2.1", "192.0.2.2", STANDING_CLIENT, false},
    {"allow 192.0.2.1", "192.0.2.2", STANDING_REFUSED, false},
    {"allow 192.0.2.1", "#1000", STANDING_REFUSED, false},
    {"operator 192.0.2.1", "192.0.2.2", STANDING_REFUSED, false},
    {"operator 192.0.2.1\nallow all", "192.0.2.2", STANDING_CLIENT, false},
    {"allow all\noperator 192.0.2.1", "192.0.2.1", STANDING_CLIENT, false},
    {"proxy 192.0.2.1", "192.0.2.1", STANDING_CLIENT, true},
    {"proxy 192.0.2.1", "192.0.2.2", STANDING_CLIENT, false},
    {"proxy ::/0", "192.0.2.2", STANDING_CLIENT, false},
    {"proxy 0.0.0.0/0", "#0", STANDING_CLIENT, false},
    {"deny all\nproxy 192.0.2.1", "192.0.2.1", STANDING_REFUSED, true},
    {"allow 2001:db8::/48", "2001:db8:0:7::9", STANDING_CLIENT, false},
    {"allow 2001:db8::/48", "2001:db8:1::9", STANDING_REFUSED, false},
    {"operator all", "#0", STANDING_OPERATOR, false},
    {"allow 0.0.0.0/0\nallow ::/0", "#0", STANDING_REFUSED, false},
    {"allow group ops", "#1000", STANDING_REFUSED, false}, /* without a socket there is no group */
    {MIXED, "192.0.2.13", STANDING_REFUSED, false},
    {MIXED, "192.0.2.1", STANDING_OPERATOR, false},
    {MIXED, "192.0.2.14", STANDING_CLIENT, false},
    {MIXED, "203.0.113.9", STANDING_REFUSED, true},
    {MIXED, "#1000", STANDING_CLIENT, false},
    {MIXED, "#1001", STANDING_REFUSED, false},
    {MIXED, "#0", STANDING_REFUSED, false},
};

static struct origin origin_of(const char *who)
{
    struct origin origin = {.local = who[0] == '#'};

    if (origin.local)
        origin.uid = (uid_t)atoi(who + 1);
    else
        ck_assert(ip_parse(&origin.ip, who, strlen(who)));
    return origin;
}

/* As they were parsed, and as another program gets them. */
START_TEST(clients)
{
    const char *text = client_rows[_i].text;
    struct origin origin = origin_of(client_rows[_i].who);
    struct access both[2] = {{0}};
    struct access_fault fault;
    struct codec c = {0};
    size_t unknown;

    ck_assert(access_parse(&both[0], text, strlen(text), account_find, &unknown, &fault));
    access_state(&both[0], &c);
    c.loading = true;
    access_state(&both[1], &c);
    ck_assert(!c.bad && c.at == c.len);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_msg(access_standing(&both[i], &origin, -1) == client_rows[_i].standing, "%s: %s",
            text, client_rows[_i].who);
        ck_assert(access_is_proxy(&both[i], &origin) == client_rows[_i].proxy);
        access_free(&both[i]);
    }
    free(c.buf);
}
END_TEST

/* Rules that are cut off anywhere are not valid, and none of them is kept. */
START_TEST(what_is_cut_off)
{
    struct access access = {0};
    struct access_fault fault;
    struct codec c = {0};
    size_t unknown;
    size_t whole;

    ck_assert(access_parse(&access, MIXED, strlen(MIXED), account_find, &unknown, &fault));
    ck_assert_uint_eq(unknown, 7);
    access_state(&access, &c);
    access_free(&access);
    whole = c.len;
    c.loading = true;
    for (c.len = 0; c.len < whole; c.len++) {
        c.at = 0;
        c.bad = false;
        access_state(&access, &c);
        ck_assert(c.bad && access.rules == NULL && access.count == 0);
    }
    free(c.buf);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {files, COUNT_OF(file_rows), 60},
        {limits, 1, 60},
        {clients, COUNT_OF(client_rows), 60},
        {what_is_cut_off, 1, 60},
    };

    return tests_run("access", tests, COUNT_OF(tests));
}
