/* access.c: parses lines into rules, and compares a client with them. */
#include "access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat/compat.h"
#include "server/hub/codec.h"
#include "wire/span.h"

/* ---- Words ----------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Removes blanks at both ends. */
static struct span span_trim(struct span span)
{
    while (span.len > 0 && is_blank(span.at[0])) {
        span.at++;
        span.len--;
    }
    while (span.len > 0 && is_blank(span.at[span.len - 1]))
        span.len--;
    return span;
}

/* Takes what stands before the first blank off the front of a trimmed span. */
static struct span word_take(struct span *rest)
{
    struct span word = {rest->at, 0};

    while (word.len < rest->len && !is_blank(rest->at[word.len]))
        word.len++;
    *rest = span_trim((struct span){rest->at + word.len, rest->len - word.len});
    return word;
}

/* A comment begins with a # at the start of a word: logins may have one inside. */
static struct span comment_remove(struct span line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.at[i] == '#' && (i == 0 || is_blank(line.at[i - 1])))
            return (struct span){line.at, i};
    return line;
}

/* ---- Parsing --------------------------------------------------------------------------------- */

/* While a text is parsed. */
struct parser {
    struct access *access;
    size_t room; /* of access->rules */
    size_t line;
    access_find *find;
    void *context;
    struct access_fault *fault;
};

/* False, for the caller to return. word is part of the message, if it is not empty. */
static bool parser_fail(struct parser *p, struct span word, const char *why)
{
    int len = word.len < 40 ? (int)word.len : 40;

    p->fault->line = p->line;
    snprintf(p->fault->why, sizeof(p->fault->why), "%.*s%s%s", len, word.len > 0 ? word.at : "",
        word.len > 0 ? ": " : "", why);
    return false;
}

static bool action_parse(struct parser *p, struct span word, enum rule_action *action)
{
    static const char *const words[] = {
        [RULE_ALLOW] = "allow",
        [RULE_DENY] = "deny",
        [RULE_OPERATOR] = "operator",
        [RULE_PROXY] = "proxy",
    };

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (span_equal(word, words[i])) {
            *action = (enum rule_action)i;
            return true;
        }
    return parser_fail(p, word, "no such rule; there are allow, deny, operator and proxy");
}

/* A login or group is all that is left of the line: some systems have blanks in them. */
static bool name_parse(struct parser *p, struct rule *rule, enum rule_who who, struct span name)
{
    char text[ACCESS_LINE_MAX + 1];

    if (name.len == 0)
        return parser_fail(p, name, who == WHO_USER ? "user wants a login" : "group wants a name");
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    rule->who = p->find(p->context, p->line, who, text, &rule->id) ? who : WHO_NOBODY;
    return true;
}

static bool address_parse_word(struct parser *p, struct rule *rule, struct span word)
{
    rule->who = WHO_ADDRESS;
    return ip_range_parse(&rule->range, word.at, word.len) ||
           parser_fail(p, word, "no ADDRESS or ADDRESS/BITS");
}

static bool who_parse(struct parser *p, struct rule *rule, struct span rest)
{
    struct span word = word_take(&rest);
    bool proxy = rule->action == RULE_PROXY;

    if (word.len == 0)
        return parser_fail(p, word,
            proxy ? "proxy wants ADDRESS or ADDRESS/BITS"
                  : "who is missing: all, ADDRESS, ADDRESS/BITS, user LOGIN or group GROUP");
    if (!proxy && span_equal(word, "user"))
        return name_parse(p, rule, WHO_USER, rest);
    if (!proxy && span_equal(word, "group"))
        return name_parse(p, rule, WHO_GROUP, rest);
    if (rest.len > 0)
        return parser_fail(p, rest, "a rule has nothing more behind this");
    rule->who = WHO_ALL;
    return (!proxy && span_equal(word, "all")) || address_parse_word(p, rule, word);
}

/* Grows by doubling. */
static bool rule_add(struct parser *p, const struct rule *rule)
{
    struct access *access = p->access;

    if (access->count == ACCESS_RULES_MAX)
        return parser_fail(p, (struct span){NULL, 0}, "too many rules");
    if (access->count == p->room) {
        size_t room = p->room == 0 ? 16 : 2 * p->room;
        struct rule *rules = realloc(access->rules, room * sizeof(rules[0]));

        if (rules == NULL)
            return parser_fail(p, (struct span){NULL, 0}, "no memory");
        access->rules = rules;
        p->room = room;
    }
    access->rules[access->count++] = *rule;
    access->lists_clients |= rule->action == RULE_ALLOW || rule->action == RULE_OPERATOR;
    return true;
}

static bool line_parse(struct parser *p, struct span line)
{
    struct rule rule = {.action = RULE_ALLOW};
    struct span rest = span_trim(comment_remove(line));

    if (line.len > ACCESS_LINE_MAX || (line.len > 0 && memchr(line.at, '\0', line.len) != NULL))
        return parser_fail(p, (struct span){NULL, 0}, "too long, or no text");
    return rest.len == 0 || (action_parse(p, word_take(&rest), &rule.action) &&
                                who_parse(p, &rule, rest) && rule_add(p, &rule));
}

/* Some editors put a byte order mark before the text. Returns its length. */
static size_t mark_length(const char *text, size_t len)
{
    static const char mark[] = "\xef\xbb\xbf";
    const size_t mark_len = sizeof(mark) - 1;

    return len >= mark_len && memcmp(text, mark, mark_len) == 0 ? mark_len : 0;
}

bool access_parse(struct access *access, const char *text, size_t len, access_find *find,
    void *context, struct access_fault *fault)
{
    struct parser p = {.access = access, .find = find, .context = context, .fault = fault};
    size_t mark = mark_length(text, len);

    text += mark;
    len -= mark;
    while (len > 0) {
        const char *lf = memchr(text, '\n', len);
        size_t line = lf == NULL ? len : (size_t)(lf - text);
        size_t taken = lf == NULL ? len : line + 1;

        p.line++;
        if (!line_parse(&p, (struct span){text, line})) {
            access_free(access);
            return false;
        }
        text += taken;
        len -= taken;
    }
    return true;
}

void access_free(struct access *access)
{
    free(access->rules);
    *access = (struct access){0};
}

/* ---- Handing over ---------------------------------------------------------------------------- */

static void rule_state(struct rule *rule, struct codec *c)
{
    struct ip *ip = &rule->range.ip;

    rule->action = (enum rule_action)codec_choice(c, rule->action, RULE_PROXY + 1);
    rule->who = (enum rule_who)codec_choice(c, rule->who, WHO_NOBODY + 1);
    ip->version = (enum ip_version)codec_choice(c, ip->version, IP_V6 + 1);
    codec_bytes(c, ip->bytes, sizeof(ip->bytes));
    codec_u32(c, &rule->range.bits);
    codec_u32(c, &rule->id);
    c->bad |= rule->range.bits > 8 * sizeof(ip->bytes);
}

void access_state(struct access *access, struct codec *c)
{
    codec_bool(c, &access->lists_clients);
    codec_size(c, &access->count);
    c->bad |= access->count > ACCESS_RULES_MAX;
    if (c->loading && !c->bad && access->count > 0) {
        access->rules = calloc(access->count, sizeof(access->rules[0]));
        c->bad |= access->rules == NULL;
    }
    for (size_t i = 0; i < access->count && !c->bad; i++)
        rule_state(&access->rules[i], c);
    if (c->loading && c->bad)
        access_free(access);
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static bool rule_matches(const struct rule *rule, const struct origin *origin, int fd)
{
    switch (rule->who) {
    case WHO_ALL:
        return true;
    case WHO_ADDRESS:
        return !origin->local && ip_range_has(&rule->range, &origin->ip);
    case WHO_USER:
        return origin->local && origin->uid == rule->id;
    case WHO_GROUP:
        return origin->local && fd != -1 && socket_peer_in_group(fd, rule->id);
    case WHO_NOBODY:
        break;
    }
    return false;
}

enum standing access_standing(const struct access *access, const struct origin *origin, int fd)
{
    for (size_t i = 0; i < access->count; i++) {
        const struct rule *rule = &access->rules[i];

        if (rule->action == RULE_PROXY || !rule_matches(rule, origin, fd))
            continue;
        return rule->action == RULE_DENY       ? STANDING_REFUSED
               : rule->action == RULE_OPERATOR ? STANDING_OPERATOR
                                               : STANDING_CLIENT;
    }
    return access->lists_clients ? STANDING_REFUSED : STANDING_CLIENT;
}

bool access_is_proxy(const struct access *access, const struct origin *origin)
{
    for (size_t i = 0; i < access->count; i++)
        if (access->rules[i].action == RULE_PROXY && rule_matches(&access->rules[i], origin, -1))
            return true;
    return false;
}
