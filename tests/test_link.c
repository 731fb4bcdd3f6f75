/*
 * test_link.c: the way out to one reader against a plain list of the lines that it is to be given:
 * the log's, its own between them, and gaps. sendmsg(2) is led through this file, which takes as
 * many bytes as the test says, or fails.
 */
#include "harness.h"
#include "server/hub/link.h"
#include "server/hub/log.h"
#include "wire/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ME 7
#define TOKENS_MAX 20000

/* ---- The socket ------------------------------------------------------------------------------ */

static struct {
    char *bytes; /* all that was taken */
    size_t len;
    size_t size;
    size_t budget; /* so many bytes more are taken; then EAGAIN */
    int error;     /* the next call fails with it; 0: it does not */
    unsigned calls;
} taken;

ssize_t __wrap_sendmsg(int, const struct msghdr *, int);
/* Its name where time_t has 64 bits and a long has 32. */
ssize_t __wrap___sendmsg64(int, const struct msghdr *, int);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    size_t done = 0;

    (void)flags;
    ensure(fd == 42 && msg->msg_iovlen > 0 && msg->msg_iovlen <= 16, "a wrong call");
    taken.calls++;
    errno = taken.error != 0 ? taken.error : EAGAIN;
    if (taken.error != 0 || taken.budget == 0) {
        taken.error = 0;
        return -1;
    }
    for (size_t i = 0; i < (size_t)msg->msg_iovlen && taken.budget > 0; i++) {
        size_t len = msg->msg_iov[i].iov_len;

        ensure(len > 0, "an empty piece");
        len = len < taken.budget ? len : taken.budget;
        if (taken.size - taken.len < len) {
            taken.size = 2 * taken.size + len;
            taken.bytes = realloc(taken.bytes, taken.size);
            ensure(taken.bytes != NULL, "no memory");
        }
        memcpy(taken.bytes + taken.len, msg->msg_iov[i].iov_base, len);
        taken.len += len;
        taken.budget -= len;
        done += len;
    }
    return (ssize_t)done;
}

ssize_t __wrap___sendmsg64(int fd, const struct msghdr *msg, int flags)
{
    return __wrap_sendmsg(fd, msg, flags);
}

/* ---- What the reader is to be given ---------------------------------------------------------- */

enum token_kind { TOKEN_LINE, TOKEN_ITEM, TOKEN_GAP };

struct token {
    enum token_kind kind;
    uint64_t start; /* of a line, in the log */
    uint64_t count; /* of a gap */
    uint64_t mine;
    bool by_me;
    char text[80]; /* of a line or an item: behind the stamp, or its beginning */
};

static struct {
    struct token tokens[TOKENS_MAX];
    size_t count;
    struct log *log;
    struct link link;
    uint64_t stamp;
    uint64_t skipped;
    unsigned number;
    uint32_t seed;
} model;

static uint32_t random_next(uint32_t limit)
{
    model.seed = model.seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)model.seed * limit) >> 32);
}

static void model_open(uint32_t seed)
{
    memset(&model, 0, sizeof model);
    taken.len = 0;
    taken.budget = taken.calls = 0;
    model.seed = seed;
    model.stamp = 1000000;
    model.log = log_new(LOG_BYTES_MIN);
    ensure(model.log != NULL, "no memory");
    link_init(&model.link, 42, ME, 0);
}

static void model_close(void)
{
    link_clear(&model.link);
    ensure(model.link.bytes == 0, "%zu bytes are left", model.link.bytes);
    log_free(model.log);
}

static struct token *token_add(enum token_kind kind)
{
    struct token *token = &model.tokens[model.count++];

    ensure(model.count < TOKENS_MAX, "too many");
    *token = (struct token){.kind = kind};
    snprintf(token->text, sizeof token->text, "msg x %u", model.number++);
    return token;
}

/* A line of the log; a token where the reader is to have it. */
static void line_append(size_t pad)
{
    bool by_me = random_next(4) == 0;
    bool wanted = model.link.follows && log_head(model.log) < model.link.limit;
    struct token *token = token_add(TOKEN_LINE);
    char line[LINE_OUT_MAX];
    int len = STAMP_LEN;
    struct iovec part = {line, 0};

    stamp_format(line, ++model.stamp);
    len += snprintf(line + len, sizeof line - (size_t)len, " %s %0*d\n", token->text, (int)pad, 0);
    part.iov_len = (size_t)len;
    token->by_me = by_me;
    token->start = log_append(
        model.log, &part, 1, (struct log_line){.stamp = model.stamp, .author = by_me ? ME : 1});
    model.count -= !wanted;
}

static void item_put(void)
{
    struct token *token = token_add(TOKEN_ITEM);
    struct item *item = item_text(model.stamp, "%s", token->text);

    ensure(item != NULL, "no memory");
    item->due = item->after = link_end(&model.link, log_head(model.log));
    link_put(&model.link, item);
}

/* Whole lines that were taken, and whether half of one was. */
static size_t lines_taken(bool *half)
{
    size_t count = 0;

    for (size_t i = 0; i < taken.len; i++)
        count += taken.bytes[i] == '\n';
    *half = taken.len > 0 && taken.bytes[taken.len - 1] != '\n';
    return count;
}

/* The lines before target that are not begun become gaps, one for each run of them. */
static void model_skip(uint64_t target)
{
    bool half;
    size_t from = lines_taken(&half);
    size_t out = from + half;

    for (size_t i = out; i < model.count; i++) {
        struct token token = model.tokens[i];
        bool joins = out > from + half && model.tokens[out - 1].kind == TOKEN_GAP;

        if (token.kind == TOKEN_LINE && token.start < target) {
            model.skipped++;
            token = (struct token){.kind = TOKEN_GAP, .count = 1, .mine = token.by_me};
        }
        if (token.kind == TOKEN_GAP && joins) {
            model.tokens[out - 1].count += token.count;
            model.tokens[out - 1].mine += token.mine;
        } else {
            model.tokens[out++] = token;
        }
    }
    model.count = out;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static void token_compare(const struct token *token, const char *line, size_t len, uint64_t *last)
{
    struct event event;

    ensure(event_parse(&event, line, len), "no line of a server: %.*s", (int)len, line);
    if (token->kind == TOKEN_GAP) {
        ensure(event.verb == VERB_GAP && event.count == token->count && event.mine == token->mine,
            "%.*s instead of %llu %llu", (int)len, line, (unsigned long long)token->count,
            (unsigned long long)token->mine);
        ensure(event.stamp > *last, "a gap that is too old: %.*s", (int)len, line);
        return;
    }
    ensure(len > STAMP_LEN + strlen(token->text) &&
               memcmp(line + STAMP_LEN + 1, token->text, strlen(token->text)) == 0,
        "%.60s instead of %s", line, token->text);
    ensure(token->kind != TOKEN_LINE || event.stamp > *last, "%.60s is out of order", line);
    if (token->kind == TOKEN_LINE)
        *last = event.stamp;
}

static void output_check(void)
{
    const char *at = taken.bytes;
    const char *end = at + taken.len;
    uint64_t last = 0;
    size_t i = 0;

    for (const char *lf; at < end; at = lf + 1, i++) {
        lf = memchr(at, '\n', (size_t)(end - at));
        ensure(
            lf != NULL && i < model.count, "%zu lines, and %zu bytes more", i, (size_t)(end - at));
        token_compare(&model.tokens[i], at, (size_t)(lf - at), &last);
    }
    ensure(i == model.count, "%zu lines instead of %zu", i, model.count);
}

static void send_some(size_t budget)
{
    struct link *link = &model.link;

    taken.budget = budget;
    if (link->state == LINK_BLOCKED)
        link->state = LINK_READY;
    link_send(link, model.log, log_head(model.log), 99);
    ensure(link_is_open(link), "broken");
}

static void send_all(void)
{
    send_some(SIZE_MAX);
    ensure(model.link.state == LINK_READY && model.link.first == NULL, "something is left");
    output_check();
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* Lines and items between them, cut at every byte, and then at two. */
START_TEST(cut_anywhere)
{
    size_t len = 0;

    for (size_t cut = 0; cut == 0 || cut < len; cut++) {
        model_open(1);
        item_put();
        line_append(3); /* before it follows the log: not for this reader */
        link_follow(&model.link, log_head(model.log), LINK_NO_LIMIT);
        for (int i = 0; i < 5; i++) {
            line_append((size_t)i);
            if (i % 2 == 0)
                item_put();
            item_put();
        }
        ensure(cut == 0 || link_pending(&model.link, log_head(model.log)) == len, "pending");
        send_some(cut);
        ensure(taken.len == cut, "%zu taken", taken.len);
        ensure(cut == 0 || model.link.progress == 99, "no progress");
        ensure(link_pending(&model.link, log_head(model.log)) == (cut == 0 ? 0 : len) - cut ||
                   cut == 0,
            "pending behind %zu", cut);
        send_some(cut % 13 + 1);
        send_all();
        len = taken.len;
        model_close();
    }
}
END_TEST

/* Anything at any time, with gaps. */
START_TEST(at_random)
{
    uint64_t back = 0;

    model_open((uint32_t)_i);
    link_follow(&model.link, 0, LINK_NO_LIMIT);
    for (int step = 0; step < 4000; step++) {
        uint64_t head = log_head(model.log);

        switch (random_next(6)) {
        case 0:
            item_put();
            break;
        case 1:
        case 2:
            /* What the hub sees to: the reader's place is never overwritten. */
            if (log_room(model.log, link_needs(&model.link)) > 3000)
                line_append(random_next(20) == 0 ? random_next(2000) : random_next(50));
            break;
        case 3:
            send_some(random_next(300));
            break;
        case 4:
            if (random_next(10) == 0)
                send_all();
            break;
        default:
            back = random_next(60000);
            back = log_line_from(model.log, head < back ? 0 : head - back);
            if (back >= log_tail(model.log) && random_next(3) == 0) {
                model_skip(back);
                ensure(link_skip(&model.link, model.log, back), "no memory");
                ensure(link_needs(&model.link) >= back, "what was given up is needed");
            }
            break;
        }
    }
    if (_i % 2 == 0) {
        link_stop(&model.link, log_head(model.log));
        line_append(5); /* not for this reader */
        item_put();
    }
    send_all();
    ensure(link_is_done(&model.link) == (_i % 2 == 0), "done");
    ensure(model.link.skipped == model.skipped, "%llu skipped",
        (unsigned long long)model.link.skipped);
    ensure(model.skipped > 0, "no gap");
    model_close();
}
END_TEST

/* All that fits goes out in one call. */
START_TEST(one_call)
{
    model_open(1);
    link_follow(&model.link, 0, LINK_NO_LIMIT);
    for (int i = 0; i < 6; i++) {
        item_put();
        line_append(1000);
    }
    send_all();
    ensure(taken.calls == 1, "%u calls", taken.calls);
    taken.calls = 0;
    send_some(SIZE_MAX);
    ensure(taken.calls == 0, "a call without anything to send");
    line_append(1);
    send_all();
    ensure(taken.calls == 1, "%u calls", taken.calls);
    model_close();
}
END_TEST

static const struct {
    int error;
    enum link_state state;
} errors[] = {
    {EAGAIN, LINK_BLOCKED},
    {ENOBUFS, LINK_BLOCKED},
    {ENOMEM, LINK_BLOCKED},
    {EINTR, LINK_READY},
    {EPIPE, LINK_PIPE},
    {ECONNRESET, LINK_RESET},
    {ETIMEDOUT, LINK_RESET},
    {EHOSTUNREACH, LINK_RESET},
};

START_TEST(what_fails)
{
    struct link *link = &model.link;

    model_open(1);
    link_follow(link, 0, LINK_NO_LIMIT);
    item_put();
    line_append(9);
    taken.error = errors[_i].error;
    taken.budget = SIZE_MAX;
    link_send(link, model.log, log_head(model.log), 5);
    ensure(link->state == errors[_i].state, "state %d", link->state);
    if (link_is_open(link)) {
        link->state = LINK_READY;
        send_all();
    } else {
        ensure(link->bytes == 0 && link->first == NULL && link_is_done(link), "the queue is kept");
        ensure(link_needs(link) == LINK_NO_LIMIT, "it needs something of the log");
        item_put(); /* is freed */
        ensure(link->bytes == 0, "the queue grows");
        link_send(link, model.log, log_head(model.log), 5);
        ensure(taken.len == 0, "something was sent");
    }
    model_close();
}
END_TEST

/* A reader is given nothing that is not visible yet, nor an answer that stands behind it. */
START_TEST(what_is_visible)
{
    uint64_t visible;

    model_open(1);
    link_follow(&model.link, 0, LINK_NO_LIMIT);
    line_append(1);
    visible = log_head(model.log);
    item_put();
    line_append(1);
    item_put();
    model.link.last->visible = log_head(model.log);
    taken.budget = SIZE_MAX;
    link_send(&model.link, model.log, 0, 0);
    ensure(taken.len == 0 && taken.calls == 0, "too early");
    link_send(&model.link, model.log, visible, 0);
    model.count -= 2;
    output_check();
    model.count += 2;
    send_all();
    model_close();
}
END_TEST

/* What several readers share is freed with the last of them. */
START_TEST(what_is_shared)
{
    struct shared *shared = malloc(sizeof *shared + 10);
    struct token *token;
    struct item *item;

    model_open(1);
    ensure(shared != NULL, "no memory");
    *shared = (struct shared){.refs = 1, .len = 0};
    for (int i = 0; i < 2; i++) {
        item = item_shared(shared);
        item_free(item);
    }
    ensure(shared->refs == 1, "%u references", shared->refs);
    free(shared);
    shared = malloc(sizeof *shared + 200);
    ensure(shared != NULL, "no memory");
    token = token_add(TOKEN_ITEM);
    *shared = (struct shared){.refs = 1};
    stamp_format(shared->bytes, 5);
    shared->len = STAMP_LEN + (size_t)sprintf(shared->bytes + STAMP_LEN, " %s\n", token->text);
    item = item_shared(shared);
    ensure(item != NULL && shared->refs == 2, "a reference");
    link_put(&model.link, item);
    ensure(model.link.bytes >= SHARED_COST, "it costs something");
    shared_release(shared);
    send_some(STAMP_LEN);
    send_all();
    model_close();
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {cut_anywhere, 1, 10},
        {at_random, 20, 30},
        {one_call, 1, 5},
        {what_fails, COUNT_OF(errors), 5},
        {what_is_visible, 1, 5},
        {what_is_shared, 1, 5},
    };

    return tests_run("link", tests, COUNT_OF(tests));
}
