/* nats.c: a parser that may stop after any byte, and a writer for each operation. */
#include "nats.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "wire/number.h"

/* ---- Words of a line: separated by any number of blanks ---------------------------------------
 */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void blanks_skip(struct span *line)
{
    while (line->len > 0 && is_blank(*line->at)) {
        line->at++;
        line->len--;
    }
}

/* Takes the next word; an empty one at the end of the line. */
static struct span word_take(struct span *line)
{
    struct span word = {line->at, 0};

    blanks_skip(line);
    word.at = line->at;
    while (word.len < line->len && !is_blank(line->at[word.len]))
        word.len++;
    line->at += word.len;
    line->len -= word.len;
    return word;
}

/* Takes the last word. */
static struct span last_word_take(struct span *line)
{
    struct span word = {line->at, 0};

    while (line->len > 0 && is_blank(line->at[line->len - 1]))
        line->len--;
    while (word.len < line->len && !is_blank(line->at[line->len - word.len - 1]))
        word.len++;
    line->len -= word.len;
    word.at += line->len;
    return word;
}

static bool size_of(struct span word, size_t *size)
{
    unsigned long value;

    if (!number_parse(word.at, word.len, NATS_CONTENT_LIMIT, &value))
        return false;
    *size = value;
    return true;
}

/* ---- Operations ------------------------------------------------------------------------------ */

/* How much of the input an operation has, and what its line is. */
struct found {
    size_t line_len;  /* with its end */
    struct span rest; /* of the line, behind its first word */
};

/*
 * MSG subject sid [reply] size
 * HMSG subject sid [reply] size_of_headers size_of_all
 * What follows the subject is looked at from both ends, for the reply may be missing.
 */
static bool message_line_parse(
    struct span line, bool has_headers, struct nats_operation *op, size_t *headers, size_t *all)
{
    unsigned long sid;
    struct span word;

    op->subject = word_take(&line);
    word = word_take(&line);
    if (!number_parse(word.at, word.len, ULONG_MAX, &sid) || !size_of(last_word_take(&line), all))
        return false;
    op->sid = sid;
    *headers = 0;
    if (has_headers && (!size_of(last_word_take(&line), headers) || *headers > *all))
        return false;
    op->reply = word_take(&line);
    return word_take(&line).len == 0;
}

/* What follows the line must be there and end as it should. */
static enum nats_kind content_find(
    struct nats_operation *op, struct span after, size_t headers, size_t all)
{
    if (after.len < all + 2)
        return NATS_MORE;
    if (memcmp(after.at + all, NATS_END, 2) != 0)
        return NATS_BAD;
    op->headers = (struct span){after.at, headers};
    op->payload = (struct span){after.at + headers, all - headers};
    return NATS_MESSAGE;
}

static enum nats_kind message_take(struct nats_parser *parser, struct span *rest,
    const struct found *found, bool has_headers, struct nats_operation *op)
{
    struct span after = {rest->at + found->line_len, rest->len - found->line_len};
    enum nats_kind kind;
    size_t headers;
    size_t all;

    if (!message_line_parse(found->rest, has_headers, op, &headers, &all))
        return NATS_BAD;
    if (all > NATS_CONTENT_MAX) {
        op->too_large = true;
        parser->skip = all + 2;
        *rest = after;
        return NATS_MESSAGE;
    }
    kind = content_find(op, after, headers, all);
    if (kind == NATS_MESSAGE)
        *rest = (struct span){after.at + all + 2, after.len - all - 2};
    return kind;
}

/* The words of an error are in single quotes. */
static struct span words_unquote(struct span words)
{
    blanks_skip(&words);
    while (words.len > 0 && is_blank(words.at[words.len - 1]))
        words.len--;
    if (words.len >= 2 && words.at[0] == '\'' && words.at[words.len - 1] == '\'')
        return (struct span){words.at + 1, words.len - 2};
    return words;
}

static enum nats_kind line_kind(struct span name)
{
    if (span_equal_caseless(name, "info"))
        return NATS_INFO;
    if (span_equal_caseless(name, "ping"))
        return NATS_PING;
    if (span_equal_caseless(name, "pong"))
        return NATS_PONG;
    if (span_equal_caseless(name, "+ok"))
        return NATS_OK;
    return span_equal_caseless(name, "-err") ? NATS_ERROR : NATS_BAD;
}

static enum nats_kind operation_take(struct nats_parser *parser, struct span *rest,
    const struct found *found, struct span name, struct nats_operation *op)
{
    enum nats_kind kind = line_kind(name);

    /* Only INFO may be longer, however the line was cut on its way. */
    if (found->line_len > NATS_LINE_MAX && kind != NATS_INFO)
        return NATS_BAD;
    if (span_equal_caseless(name, "msg"))
        return message_take(parser, rest, found, false, op);
    if (span_equal_caseless(name, "hmsg"))
        return message_take(parser, rest, found, true, op);
    op->text = kind == NATS_ERROR ? words_unquote(found->rest) : found->rest;
    blanks_skip(&op->text);
    rest->at += found->line_len;
    rest->len -= found->line_len;
    return kind;
}

static void skip_some(struct nats_parser *parser, struct span *rest)
{
    size_t len = parser->skip < rest->len ? parser->skip : rest->len;

    parser->skip -= len;
    rest->at += len;
    rest->len -= len;
}

/* Whether a line without an end can still become one. */
static bool may_go_on(struct span begun)
{
    struct span line = begun;

    return begun.len <= NATS_LINE_MAX ||
           (begun.len <= NATS_INFO_MAX && span_equal_caseless(word_take(&line), "info"));
}

enum nats_kind nats_next(struct nats_parser *parser, struct span *rest, struct nats_operation *op)
{
    struct found found;
    const char *lf;
    struct span name;

    *op = (struct nats_operation){.kind = NATS_MORE};
    if (rest->len == 0)
        return NATS_MORE;
    skip_some(parser, rest);
    if (rest->len == 0)
        return NATS_MORE;
    lf = memchr(rest->at, '\n', rest->len < NATS_INFO_MAX ? rest->len : NATS_INFO_MAX);
    if (lf == NULL)
        return op->kind = may_go_on(*rest) ? NATS_MORE : NATS_BAD;
    found.line_len = (size_t)(lf - rest->at) + 1;
    found.rest = (struct span){rest->at, found.line_len - 1};
    if (found.rest.len > 0 && found.rest.at[found.rest.len - 1] == '\r')
        found.rest.len--;
    name = word_take(&found.rest);
    op->kind = operation_take(parser, rest, &found, name, op);
    if (op->kind == NATS_MORE || op->kind == NATS_BAD)
        *op = (struct nats_operation){.kind = op->kind};
    return op->kind;
}

/* ---- Headers --------------------------------------------------------------------------------- */

/* Takes a line without its end; false behind the last. */
static bool header_line_take(struct span *headers, struct span *line)
{
    const char *lf = headers->len > 0 ? memchr(headers->at, '\n', headers->len) : NULL;

    if (lf == NULL)
        return false;
    *line = (struct span){headers->at, (size_t)(lf - headers->at)};
    headers->at += line->len + 1;
    headers->len -= line->len + 1;
    if (line->len > 0 && line->at[line->len - 1] == '\r')
        line->len--;
    return line->len > 0;
}

unsigned nats_status(struct span headers, struct span *words)
{
    struct span line;
    struct span word;
    unsigned long status;

    *words = (struct span){headers.at, 0};
    if (!header_line_take(&headers, &line) || !span_equal_caseless(word_take(&line), "nats/1.0"))
        return 0;
    word = word_take(&line);
    if (word.len != 3 || !number_parse(word.at, word.len, 999, &status))
        return 0;
    blanks_skip(&line);
    *words = line;
    return (unsigned)status;
}

struct span nats_header(struct span headers, const char *name)
{
    struct span line;

    (void)header_line_take(&headers, &line);
    while (header_line_take(&headers, &line)) {
        const char *colon = memchr(line.at, ':', line.len);
        struct span found = {line.at, colon != NULL ? (size_t)(colon - line.at) : 0};

        if (colon == NULL || !span_equal_caseless(found, name))
            continue;
        line.at += found.len + 1;
        line.len -= found.len + 1;
        blanks_skip(&line);
        return line;
    }
    return (struct span){name, 0};
}

/* ---- What is said to a server ---------------------------------------------------------------- */

/* Text that is written with a bound. */
struct text {
    char *at;
    size_t len;
    size_t size;
    bool full; /* something did not fit */
};

static void text_put(struct text *text, const char *bytes, size_t len)
{
    if (text->full || len > text->size - text->len) {
        text->full = true;
        return;
    }
    memcpy(text->at + text->len, bytes, len);
    text->len += len;
}

static void text_add(struct text *text, const char *string)
{
    text_put(text, string, strlen(string));
}

/* A member of a JSON object, behind another one. */
static void text_add_member(struct text *text, const char *name, struct span value)
{
    static const char hex[] = "0123456789abcdef";

    text_add(text, ",\"");
    text_add(text, name);
    text_add(text, "\":\"");
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        char escape[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

        if (c < 0x20 || c == '"' || c == '\\')
            text_put(text, escape, sizeof(escape));
        else
            text_put(text, value.at + i, 1);
    }
    text_add(text, "\"");
}

static void text_add_credentials(struct text *text, struct span credentials)
{
    const char *colon = credentials.len > 0 ? memchr(credentials.at, ':', credentials.len) : NULL;
    size_t len;

    if (credentials.len == 0)
        return;
    if (colon == NULL) {
        text_add_member(text, "auth_token", credentials);
        return;
    }
    len = (size_t)(colon - credentials.at);
    text_add_member(text, "user", (struct span){credentials.at, len});
    text_add_member(text, "pass", (struct span){colon + 1, credentials.len - len - 1});
}

size_t nats_write_connect(
    char out[NATS_CONNECT_MAX], struct span credentials, const char *name, const char *version)
{
    struct text text = {.at = out, .size = NATS_CONNECT_MAX};

    text_add(&text, "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,"
                    "\"headers\":true,\"no_responders\":true,\"echo\":true,\"protocol\":1");
    text_add_member(&text, "lang", (struct span){"C", 1});
    text_add_member(&text, "name", (struct span){name, strlen(name)});
    text_add_member(&text, "version", (struct span){version, strlen(version)});
    text_add_credentials(&text, credentials);
    text_add(&text, "}" NATS_END);
    return text.full ? 0 : text.len;
}

size_t nats_write_sub(char out[NATS_HEAD_MAX], const char *subject, uint64_t sid)
{
    int len =
        snprintf(out, NATS_HEAD_MAX, "SUB %s %llu" NATS_END, subject, (unsigned long long)sid);

    return len > 0 && len < NATS_HEAD_MAX ? (size_t)len : 0;
}

size_t nats_write_unsub(char out[NATS_HEAD_MAX], uint64_t sid)
{
    return (size_t)snprintf(out, NATS_HEAD_MAX, "UNSUB %llu" NATS_END, (unsigned long long)sid);
}

size_t nats_write_pub(
    char out[NATS_HEAD_MAX], struct span subject, const char *reply, size_t payload)
{
    int len;

    if (subject.len >= NATS_HEAD_MAX)
        return 0;
    len = snprintf(out, NATS_HEAD_MAX, "PUB %.*s %s%s%zu" NATS_END, (int)subject.len, subject.at,
        reply, *reply == '\0' ? "" : " ", payload);
    return len > 0 && len < NATS_HEAD_MAX ? (size_t)len : 0;
}

size_t nats_write_hpub(char out[NATS_HEAD_MAX], struct span subject, const char *reply,
    const struct nats_header *header, size_t payload)
{
    char headers[128];
    int len = snprintf(headers, sizeof(headers), "NATS/1.0" NATS_END "%s: %llu" NATS_END NATS_END,
        header->name, (unsigned long long)header->value);

    if (len < 0 || (size_t)len >= sizeof(headers) || subject.len >= NATS_HEAD_MAX)
        return 0;
    len = snprintf(out, NATS_HEAD_MAX, "HPUB %.*s %s%s%d %zu" NATS_END "%s", (int)subject.len,
        subject.at, reply, *reply == '\0' ? "" : " ", len, (size_t)len + payload, headers);
    return len > 0 && len < NATS_HEAD_MAX ? (size_t)len : 0;
}
