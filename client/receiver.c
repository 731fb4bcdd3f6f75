/*
 * receiver.c: from the server to the screen.
 */
#include "client.h"

#include "../compat/compat.h"
#include "../wire/text.h"
#include "clock.h"
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_MAX 65536

/* Between two attempts to find the server again, in ms; doubled each time, up to the most. */
#define RETRY_FIRST 100
#define RETRY_MOST 30000
/* Until memory may be there again, in ms. */
#define SHORTAGE_PAUSE 10

/* The thread's own. */
struct receiver {
    struct client *client;
    unsigned long messages; /* received, for -C */
    bool stranger;          /* nothing has come on this connection that a chatd says */
    bool away;              /* the connection was lost, and the user told so */
    int delay;              /* before the next attempt, in ms */
    struct line_splitter splitter;
    char held[LINE_OUT_MAX + 1];
    char read[READ_MAX];
    char clean[3 * LINE_OUT_MAX];
};

/* ---- One line ------------------------------------------------------------------------ */

/* The client asks for these on its own account, and a token is as good as a key. */
static bool verb_is_secret(enum verb verb)
{
    return verb == VERB_TOKEN || verb == VERB_RESUMED;
}

/* Whether an error is shown like an event; else it is a message. */
static bool error_is_shown(const struct console *console)
{
    return console->setup.format == CONSOLE_WIRE ||
           (console->setup.format == CONSOLE_PRETTY && console->screen);
}

static void receiver_show(struct receiver *receiver, const struct event *event, struct span line)
{
    struct console *console = &receiver->client->console;

    if (event->verb == VERB_ERROR && !error_is_shown(console))
        console_say(console, "not accepted: %.*s", (int)event->text.len, event->text.at);
    else if (!verb_is_secret(event->verb))
        console_event(console, event, line);
}

/* The server tells what to say to it; a user of chat puts it into the environment. */
static bool error_wants_secret(const struct client *client, const struct event *event)
{
    static const char code[] = "password";

    return client->options->secret == NULL && event->word.len == sizeof code - 1 &&
           memcmp(event->word.at, code, sizeof code - 1) == 0;
}

/* Hands an event to the session; returns the state before it. */
static enum session_state receiver_note(
    struct client *client, const struct event *event, enum session_state *after)
{
    enum session_state before;

    pthread_mutex_lock(&client->lock);
    before = client->session.state;
    session_event(&client->session, event);
    *after = client->session.state;
    if (*after == SESSION_FULL || *after == SESSION_REFUSED)
        snprintf(client->why, sizeof client->why, "%.*s%s", (int)event->text.len, event->text.at,
            error_wants_secret(client, event) ? " (set CHAT_PASS)" : "");
    pthread_mutex_unlock(&client->lock);
    return before;
}

static void receiver_count(struct receiver *receiver)
{
    struct client *client = receiver->client;

    if (++receiver->messages != client->options->count)
        return;
    pthread_mutex_lock(&client->lock);
    client->enough = true;
    pthread_mutex_unlock(&client->lock);
}

static bool receiver_has_enough(const struct receiver *receiver)
{
    unsigned long count = receiver->client->options->count;

    return count > 0 && receiver->messages >= count;
}

static enum client_end receiver_line(struct receiver *receiver, struct span raw)
{
    struct span line = {receiver->clean, text_clean(receiver->clean, raw.at, raw.len)};
    enum session_state before, after;
    struct event event;
    uint64_t stamp;

    if (!event_parse(&event, line.at, line.len)) /* what a later chatd may say is passed over */
        return stamp_parse(line.at, line.len, &stamp) ? CLIENT_ON : CLIENT_STRANGER;
    receiver->stranger = false;
    before = receiver_note(receiver->client, &event, &after);
    if (after == SESSION_FULL || after == SESSION_REFUSED)
        return CLIENT_TURNED_AWAY;
    if (before == SESSION_LOGIN && after == SESSION_OPEN)
        receiver->delay = RETRY_FIRST;
    if (receiver_has_enough(receiver))
        return CLIENT_ON;
    receiver_show(receiver, &event, line);
    if (verb_is_message(event.verb))
        receiver_count(receiver);
    return CLIENT_ON;
}

/* ---- One connection ------------------------------------------------------------------ */

/* What the sender may be waiting for. */
struct receiver_marks {
    enum session_state state;
    unsigned long unanswered;
    bool enough;
};

static struct receiver_marks receiver_marks(struct client *client)
{
    struct receiver_marks marks;

    pthread_mutex_lock(&client->lock);
    marks =
        (struct receiver_marks){client->session.state, client->session.unanswered, client->enough};
    client->heard = clock_now();
    pthread_mutex_unlock(&client->lock);
    return marks;
}

static enum client_end receiver_lines(struct receiver *receiver, const char *at, const char *end)
{
    struct span line;

    for (;;) {
        enum client_end how = CLIENT_STRANGER;
        switch (line_next(&receiver->splitter, &at, end, &line)) {
        case LINE_NONE:
            return CLIENT_ON;
        case LINE_TOO_LONG:
            return CLIENT_STRANGER;
        case LINE_READY:
            how = receiver_line(receiver, line);
        }
        if (how != CLIENT_ON)
            return how;
    }
}

/* Takes what came in one read. Half a line is no sign of life: a chatd does not dribble. */
static enum client_end receiver_take(struct receiver *receiver, size_t len)
{
    struct client *client = receiver->client;
    const char *end = receiver->read + len;
    struct receiver_marks before, after;
    enum client_end how;

    if (memchr(receiver->read, '\n', len) == NULL)
        return receiver_lines(receiver, receiver->read, end);
    before = receiver_marks(client);
    console_begin(&client->console);
    how = receiver_lines(receiver, receiver->read, end);
    if (!console_end(&client->console))
        return CLIENT_OUTPUT;
    after = receiver_marks(client);
    if (receiver->away && after.state == SESSION_OPEN) {
        receiver->away = false;
        console_say(&client->console, "back again");
    }
    if (before.state != after.state || before.unanswered != after.unanswered ||
        before.enough != after.enough)
        client_wake(client);
    return how;
}

/* Reads what there is, waiting for it; 0 at the end of the stream, whatever kind of end. */
static size_t receiver_read(struct receiver *receiver)
{
    int link = receiver->client->link;
    struct pollfd ready = {.fd = link, .events = POLLIN};

    for (;;) {
        ssize_t n = read(link, receiver->read, sizeof receiver->read);
        if (n >= 0)
            return (size_t)n;
        if (!error_passes(errno))
            return 0;
        if (errno == EAGAIN)
            poll(&ready, 1, -1);
        else
            poll(NULL, 0, SHORTAGE_PAUSE);
    }
}

/* Whoever begins like this and says no line is no chatd, however it ended. */
static bool receiver_heard_garbage(const struct receiver *receiver)
{
    char first = receiver->held[0];

    return receiver->stranger && receiver->splitter.len > 0 && (first < '0' || first > '9');
}

static enum client_end receiver_connection(struct receiver *receiver)
{
    enum client_end how = CLIENT_ON;
    size_t n;

    receiver->stranger = true;
    line_splitter_init(&receiver->splitter, receiver->held, LINE_OUT_MAX);
    while (how == CLIENT_ON && (n = receiver_read(receiver)) > 0)
        how = receiver_take(receiver, n);
    if (how == CLIENT_ON)
        how = receiver_heard_garbage(receiver) ? CLIENT_STRANGER : CLIENT_GONE;
    return how;
}

/* ---- From one connection to the next ------------------------------------------------- */

/* After this end another connection may do better. Takes the link down. */
static bool client_may_return(struct client *client, enum client_end how)
{
    bool known, may;

    pthread_mutex_lock(&client->lock);
    known = client->session.me[0] != '\0'; /* it was a room, and we were in it */
    may = how == CLIENT_GONE && (known || !client->silent);
    if (how == CLIENT_TURNED_AWAY && client->session.state == SESSION_FULL)
        may = known;
    if (!client->options->keep || session_is_done(&client->session))
        may = false;
    client->up = false;
    shutdown(client->link, SHUT_RDWR);
    pthread_mutex_unlock(&client->lock);
    client_wake(client);
    return may;
}

/* Waits a while, and the next time about twice as long; nobody comes back with all the others. */
static void receiver_pause(struct receiver *receiver)
{
    struct timespec now;
    int half = receiver->delay / 2;

    clock_gettime(CLOCK_REALTIME, &now);
    poll(NULL, 0, half + (int)((now.tv_nsec / 1000 + getpid()) % half));
    receiver->delay = receiver->delay < RETRY_MOST / 2 ? 2 * receiver->delay : RETRY_MOST;
}

/* The new connection takes the place of the old one. */
static void receiver_adopt(struct client *client, int fd, pid_t command)
{
    console_restart(&client->console);
    pthread_mutex_lock(&client->lock);
    dup2(fd, client->link);
    fcntl(client->link, F_SETFD, FD_CLOEXEC);
    client->command = command;
    client->up = true;
    client->shut = false;
    client->silent = false;
    client->heard = clock_now();
    session_connect(&client->session);
    pthread_mutex_unlock(&client->lock);
    close(fd);
    client_wake(client);
}

static void receiver_return(struct receiver *receiver)
{
    struct client *client = receiver->client;
    struct connect_failure failure;
    pid_t command;
    int fd;

    if (!receiver->away)
        console_say(&client->console, "the server went away; trying to come back");
    receiver->away = true;
    if (client->command > 0)
        command_end(client->command, 0);
    do {
        receiver_pause(receiver);
        fd = client_connect(client, &command, &failure);
    } while (fd < 0);
    receiver_adopt(client, fd, command);
}

void *receiver_main(void *argument)
{
    struct client *client = argument;
    struct receiver receiver = {.client = client, .delay = RETRY_FIRST};
    enum client_end how = receiver_connection(&receiver);

    while (client_may_return(client, how)) {
        receiver_return(&receiver);
        how = receiver_connection(&receiver);
    }
    pthread_mutex_lock(&client->lock);
    client->end = how == CLIENT_GONE && client->silent ? CLIENT_STRANGER : how;
    pthread_mutex_unlock(&client->lock);
    client_wake(client);
    return NULL;
}
