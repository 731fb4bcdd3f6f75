/* nats_client.c: answers INFO, PING and errors; messages go to feed.c. */
#include "nats_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "direct.h"
#include "feed.h"
#include "json.h"
#include "pair.h"
#include "protocol.h"
#include "upstream.h"

/* ---- Operations ------------------------------------------------------------------------------ */

static void login_send(struct upstream *u, uint64_t now)
{
    char name[64];
    char line[NATS_CONNECT_MAX];

    (void)snprintf(
        name, sizeof(name), CHATD_PROGRAM " %.*s", (int)u->setup->node.len, u->setup->node.at);
    upstream_say(u, line, nats_write_connect(line, u->setup->credentials, name, CHAT_VERSION));
    upstream_say(u, NATS_PING_LINE, strlen(NATS_PING_LINE));
    upstream_enter(u, UPSTREAM_LOGIN, now + UPSTREAM_CONNECT_US);
}

/* False: the connection is given up, for a limit below which no request fits into a batch. */
static bool take_max_payload(struct upstream *u, struct json number, uint64_t now)
{
    char words[FRAME_TEXT_MAX];
    uint64_t max_payload;

    if (!json_number(number, &max_payload))
        return true;
    if (max_payload >= BATCH_MIN) {
        u->max_payload = max_payload;
        return true;
    }
    (void)snprintf(words, sizeof(words), "the server's max_payload is %llu bytes; %d are needed",
        (unsigned long long)max_payload, BATCH_MIN);
    upstream_lose_server(u, ENGINE_UNUSABLE, words, now);
    return false;
}

static void take_info(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    struct json info;

    if (!json_parse(&info, op->text) || info.kind != JSON_OBJECT) {
        upstream_lose_server(u, u->failure, "not a NATS server", now);
        return;
    }
    if (!take_max_payload(u, json_member(info, "max_payload"), now))
        return;
    u->has_jetstream = json_member(info, "jetstream").kind == JSON_TRUE;
    servers_learn(&u->servers, json_member(info, "connect_urls"));
    if (u->phase != UPSTREAM_GREETING)
        return;
    if (json_member(info, "tls_required").kind == JSON_TRUE)
        upstream_lose_server(
            u, ENGINE_UNUSABLE, "the server requires TLS, which is not spoken here", now);
    else
        login_send(u, now);
}

static bool words_have(struct span words, const char *part)
{
    size_t len = strlen(part);

    for (size_t i = 0; i + len <= words.len; i++)
        if (span_equal_caseless((struct span){words.at + i, len}, part))
            return true;
    return false;
}

static void take_error(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    char words[FRAME_TEXT_MAX];
    bool refuses = words_have(op->text, "authorization") ||
                   words_have(op->text, "authentication") || words_have(op->text, "permissions");

    (void)snprintf(words, sizeof(words), "%.*s", (int)op->text.len, op->text.at);
    upstream_lose_server(u, refuses ? ENGINE_REFUSED : u->failure, words, now);
}

static void operation_handle(struct upstream *u, const struct nats_operation *op, uint64_t now)
{
    switch (op->kind) {
    case NATS_INFO:
        take_info(u, op, now);
        break;
    case NATS_MESSAGE:
        if (u->phase >= UPSTREAM_FINDING && !direct_take(u, op))
            feed_take(u, op, now);
        break;
    case NATS_PING:
        upstream_say(u, NATS_PONG_LINE, strlen(NATS_PONG_LINE));
        break;
    case NATS_PONG:
        if (u->phase == UPSTREAM_LOGIN)
            feed_open(u, now);
        break;
    case NATS_ERROR:
        take_error(u, op, now);
        break;
    case NATS_BAD:
        upstream_lose_server(u, u->failure, "not a NATS server", now);
        break;
    case NATS_OK:
    case NATS_MORE:
        break;
    }
}

/* ---- The turn -------------------------------------------------------------------------------- */

void nats_client_wait(const struct upstream *u, struct pollfd *pfd)
{
    /* poll(2) would report the end of a connection again and again while it is not read. */
    *pfd = (struct pollfd){.fd = pair_has_space(u->pair) ? u->fd : -1};
    if (u->phase == UPSTREAM_AWAY)
        return;
    if (u->phase == UPSTREAM_CONNECTING || u->out.end > u->out.start)
        pfd->events |= POLLOUT;
    if (u->phase != UPSTREAM_CONNECTING && upstream_may_read(u))
        pfd->events |= POLLIN;
}

static void operations_take(struct upstream *u, uint64_t now)
{
    struct span rest = buffer_bytes(&u->in);
    struct nats_operation op;
    int fd = u->fd;

    while (u->fd == fd && fd != -1 && upstream_may_read(u) &&
           nats_next(&u->parser, &rest, &op) != NATS_MORE)
        operation_handle(u, &op, now);
    if (u->fd != fd || fd == -1)
        return;
    buffer_drop(&u->in, u->in.end - u->in.start - rest.len);
    u->waits_for_hub = rest.len > 0 && !upstream_may_read(u);
}

void nats_client_read(struct upstream *u, short revents, uint64_t now)
{
    if (u->phase == UPSTREAM_AWAY || revents == 0)
        return;
    if (u->phase == UPSTREAM_CONNECTING) {
        upstream_connected(u, now);
        return;
    }
    if (!buffer_receive(&u->in, u->fd)) {
        int error = errno;

        operations_take(u, now); /* its last words may say why */
        errno = error;
        if (u->phase != UPSTREAM_AWAY)
            upstream_fail(u, now);
        return;
    }
    operations_take(u, now);
}

static const char *overdue_words(enum upstream_phase phase)
{
    if (phase == UPSTREAM_CONNECTING)
        return "no connection in time";
    return phase == UPSTREAM_GREETING || phase == UPSTREAM_LOGIN ? "no greeting in time"
                                                                 : "no answer in time";
}

static void phase_overdue(struct upstream *u, uint64_t now)
{
    if (u->phase == UPSTREAM_AWAY)
        upstream_connect(u, now);
    else if (u->phase >= UPSTREAM_FINDING && now - u->times.patience < UPSTREAM_PATIENCE_US)
        feed_ask(u, now);
    else
        upstream_lose(u, overdue_words(u->phase), now);
}

void nats_client_turn(struct upstream *u, uint64_t now)
{
    if (u->waits_for_hub)
        operations_take(u, now);
    if (now >= u->times.due)
        phase_overdue(u, now);
    feed_turn(u, now);
    if (u->phase > UPSTREAM_CONNECTING && !buffer_send(&u->out, u->fd))
        upstream_fail(u, now);
}

uint64_t nats_client_due(const struct upstream *u)
{
    uint64_t due = feed_due(u);

    if (u->waits_for_hub && upstream_may_read(u))
        return 0;
    return u->times.due < due ? u->times.due : due;
}
