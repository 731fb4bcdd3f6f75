/*
 * fuzz_access.c: whatever a file of access rules holds, it is parsed or one of its lines is wrong;
 * what was parsed is the same after it was handed over; and a rule more at its end changes nothing
 * for a client that a rule before it has matched.
 */
#include "fuzz.h"
#include "server/hub/codec.h"
#include "server/parent/access.h"

static bool account_find(
    void *context, size_t line, enum rule_who who, const char *name, uint32_t *id)
{
    must(line > 0 && strlen(name) > 0 && strlen(name) <= ACCESS_LINE_MAX);
    must(who == WHO_USER || who == WHO_GROUP);
    (void)context;
    *id = (unsigned char)name[0];
    return name[0] != 'x';
}

static const struct origin origins[] = {
    {.local = true, .uid = 'a'},
    {.local = true, .uid = 0},
    {.ip = {.version = IP_V4, .bytes = {192, 0, 2, 7}}},
    {.ip = {.version = IP_V6, .bytes = {0x20, 0x01, 0x0d, 0xb8}}},
    {.ip = {.version = IP_NONE}},
};
#define ORIGINS (sizeof origins / sizeof origins[0])

static void same_after_handover(struct access *access)
{
    struct access other = {0};
    struct codec c = {0};

    access_state(access, &c);
    c.loading = true;
    access_state(&other, &c);
    must(!c.bad && c.at == c.len);
    for (size_t i = 0; i < ORIGINS; i++) {
        must(access_standing(access, &origins[i], -1) == access_standing(&other, &origins[i], -1));
        must(access_is_proxy(access, &origins[i]) == access_is_proxy(&other, &origins[i]));
    }
    access_free(&other);
    free(c.buf);
}

/* `deny all` at the end refuses those whom no rule has matched, and nobody else. */
static void more_at_the_end(const struct access *access, const char *text, size_t size)
{
    static const char more[] = "\ndeny all\n";
    char *longer = must_allocate(size + sizeof more);
    struct access_fault fault;
    struct access other = {0};

    memcpy(longer, text, size);
    memcpy(longer + size, more, sizeof more - 1);
    if (access_parse(&other, longer, size + sizeof more - 1, account_find, NULL, &fault))
        for (size_t i = 0; i < ORIGINS; i++) {
            enum standing before = access_standing(access, &origins[i], -1);
            enum standing after = access_standing(&other, &origins[i], -1);

            must(after == before || (before == STANDING_CLIENT && after == STANDING_REFUSED));
        }
    access_free(&other);
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = must_copy(data, size);
    struct access access = {0};
    struct access_fault fault = {0};

    if (access_parse(&access, text, size, account_find, NULL, &fault)) {
        must(access.count <= ACCESS_RULES_MAX);
        same_after_handover(&access);
        more_at_the_end(&access, text, size);
    } else {
        must(fault.line > 0 && fault.why[0] != '\0' && access.rules == NULL);
    }
    access_free(&access);
    free(text);
    return 0;
}
