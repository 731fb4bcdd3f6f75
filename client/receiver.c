/* receiver.c: reads lines, prints events, and connects again. */
#include "receiver.h"

#include "../compat/compat.h"
#include "../wire/text.h"
#include "clock.h"
#include "command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_MAX 65536
/* The receiver's buffers are on its stack; some systems give threads little. */
#define RECEIVER_STACK ((size_t)1 << 20)

/* Until memory may be there again, in ms. */
#define SHORTAGE_PAUSE 10

/* How far the present connection has come. Each connection begins anew. */
enum receiver_progress {
    RECEIVER_NOTHING,  /* no line has come that a chatd sends */
    RECEIVER_ANSWERED, /* one has */
    RECEIVER_LISTED,   /* the list is complete: notes are the greeting */
    RECEIVER_OPENED    /* the welcome is complete */
};

/* The state of the thread. */
struct receiver {
    struct client *client;
    unsigned long messages; /* received, for -C */
    enum receiver_progress progress;
    bool away;   /* the connection was lost, and the user was told */
    bool kicked; /* this connection ends because an operator has removed the member */
    struct line_splitter splitter;
    char held[LINE_OUT_MAX + 1];
    char read[READ_MAX];
    char clean[3 * LINE_OUT_MAX];
};

/* ---- One line ------------------------------------------------------------------------ */

/* The client asks for these itself, and a token is a secret. */
static bool verb_is_secret(enum verb verb)
{
    return verb == VERB_TOKEN || verb == VERB_RESUMED;
}

/* Whether an error is shown like an event; else it is a message. */
static bool error_is_shown(const struct console *console)
{
    return console->setup.format == CONSOLE_WIRE || console->setup.format == CONSOLE_BOT ||
           (console->setup.format == CONSOLE_PRETTY && console->screen);
}

static void receiver_show(struct receiver *receiver, const struct event *event, struct span line)
{
    struct console *console = &receiver->client->console;

    if (event->verb == VERB_ERROR && !error_is_shown(console))
        console_note(console, "not accepted: %.*s", (int)event->text.len, event->text.at);
    else if (!verb_is_secret(event->verb))
        console_event(console, event, line);
}

/* The server says which of its commands is missing; a user of chat sets a variable instead. */
static bool error_wants_secret(const struct client *client, const struct event *event)
{
    return client->options->secret == NULL && event->error == ERROR_PASSWORD;
}

/* A server that only asks for patience makes no progress: -w goes on. */
static void client_hear(struct client *client, const struct event *event)
{
    if (client->session.state != SESSION_LOGIN || event->verb != VERB_NOTE) {
        connection_hear(&client->connection);
    } else {
        connection_answered(&client->connection);
        snprintf(client->why, sizeof client->why, "%.*s", (int)event->text.len, event->text.at);
    }
}

/* What an event has changed. */
struct receiver_step {
    enum session_state before;
    enum session_state after;
    bool own;    /* a message that this session has sent */
    bool kicked; /* this session's quit, by an operator */
};

static bool state_is_refusal(enum session_state state)
{
    return state == SESSION_FULL || state == SESSION_REFUSED;
}

static bool event_is_kick(const struct session *session, const struct event *event)
{
    return session->state == SESSION_OPEN && event->verb == VERB_QUIT &&
           span_equal(event->name, session->me) && span_equal(event->word, "kicked");
}

/* Hands an event to the session. */
static struct receiver_step receiver_step(struct client *client, const struct event *event)
{
    struct session *session = &client->session;
    struct receiver_step step;

    pthread_mutex_lock(&client->lock);
    step = (struct receiver_step){.before = session->state,
        .own = session_is_own(session, event),
        .kicked = event_is_kick(session, event)};
    client_hear(client, event);
    session_event(session, event);
    step.after = session->state;
    if (state_is_refusal(step.after))
        snprintf(client->why, sizeof client->why, "%.*s%s", (int)event->text.len, event->text.at,
            error_wants_secret(client, event) ? " (set CHAT_PASS)" : "");
    if (step.kicked)
        snprintf(client->why, sizeof client->why, "%.*s", (int)event->text.len, event->text.at);
    pthread_mutex_unlock(&client->lock);
    return step;
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

/* A verb of a later chatd: shown with the wire's own lines only. */
static enum client_end receiver_unknown(struct receiver *receiver, struct span line)
{
    uint64_t stamp;

    if (!stamp_parse(line.at, line.len, &stamp))
        return CLIENT_NOT_CHATD;
    if (!receiver_has_enough(receiver))
        console_line(&receiver->client->console, line);
    return CLIENT_ON;
}

static void receiver_progress(struct receiver *receiver, struct receiver_step step, enum verb verb)
{
    if (receiver->progress == RECEIVER_NOTHING)
        receiver->progress = RECEIVER_ANSWERED;
    if (step.before == SESSION_LOGIN && verb == VERB_USERS)
        receiver->progress = RECEIVER_LISTED;
    if (step.before == SESSION_LOGIN && step.after == SESSION_OPEN) {
        receiver->progress = RECEIVER_OPENED;
        dialer_reset(&receiver->client->dialer);
    }
}

/* -q hides the greeting, which stands between the list and `you`. */
static bool receiver_hides(const struct receiver *receiver, const struct event *event)
{
    return receiver->progress == RECEIVER_LISTED && event->verb == VERB_NOTE &&
           receiver->client->options->output.quiet;
}

static enum client_end receiver_line(struct receiver *receiver, struct span raw)
{
    struct span line = {receiver->clean, text_clean(receiver->clean, raw.at, raw.len)};
    struct receiver_step step;
    struct event event;

    if (!event_parse(&event, line.at, line.len))
        return receiver_unknown(receiver, line);
    step = receiver_step(receiver->client, &event);
    receiver_progress(receiver, step, event.verb);
    receiver->kicked = receiver->kicked || step.kicked;
    if (state_is_refusal(step.after))
        return CLIENT_REJECTED;
    if (receiver_has_enough(receiver))
        return CLIENT_ON;
    if (!receiver_hides(receiver, &event))
        receiver_show(receiver, &event, line);
    if (verb_is_message(event.verb) && !step.own)
        receiver_count(receiver);
    return CLIENT_ON;
}

/* ---- One connection ------------------------------------------------------------------ */

/* What the loop may be waiting for. */
struct receiver_marks {
    enum session_state state;
    enum connection_state connection;
    unsigned long answered;
    bool enough;
};

static struct receiver_marks receiver_marks(struct client *client)
{
    struct receiver_marks marks;

    pthread_mutex_lock(&client->lock);
    marks = (struct receiver_marks){
        .state = client->session.state,
        .connection = client->connection.state,
        .answered = client->session.queue.answered,
        .enough = client->enough,
    };
    pthread_mutex_unlock(&client->lock);
    return marks;
}

static bool receiver_marks_equal(const struct receiver_marks *a, const struct receiver_marks *b)
{
    return a->state == b->state && a->connection == b->connection && a->answered == b->answered &&
           a->enough == b->enough;
}

static enum client_end receiver_lines(struct receiver *receiver, const char *at, const char *end)
{
    struct span line;

    for (;;) {
        enum client_end how = CLIENT_NOT_CHATD;
        switch (line_next(&receiver->splitter, &at, end, &line)) {
        case LINE_NONE:
            return CLIENT_ON;
        case LINE_TOO_LONG:
            return CLIENT_NOT_CHATD;
        case LINE_READY:
            how = receiver_line(receiver, line);
        }
        if (how != CLIENT_ON)
            return how;
    }
}

/* Lines end with LF, or with CR NUL, which two reads may bring. */
static bool bytes_may_end_line(const char *bytes, size_t len)
{
    return memchr(bytes, '\n', len) != NULL || memchr(bytes, '\0', len) != NULL;
}

/* Takes what came in one read. Half a line does not count against silence. */
static enum client_end receiver_take(struct receiver *receiver, size_t len)
{
    struct client *client = receiver->client;
    const char *end = receiver->read + len;
    struct receiver_marks before, after;
    enum client_end how;

    if (!bytes_may_end_line(receiver->read, len))
        return receiver_lines(receiver, receiver->read, end);
    before = receiver_marks(client);
    if (before.connection == CONNECTION_MADE) /* keys are no longer for the command of -c */
        console_start(&client->console);
    console_begin(&client->console);
    how = receiver_lines(receiver, receiver->read, end);
    if (!console_end(&client->console))
        return CLIENT_OUTPUT;
    after = receiver_marks(client);
    if (receiver->away && after.state == SESSION_OPEN) {
        receiver->away = false;
        console_say(&client->console, "back again");
    }
    if (!receiver_marks_equal(&before, &after))
        client_wake(client);
    return how;
}

/* Waits for bytes and reads them; 0 at the end of the stream, also after an error. */
static size_t receiver_read(struct receiver *receiver)
{
    int fd = receiver->client->connection.fd;
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    for (;;) {
        ssize_t n = read(fd, receiver->read, sizeof receiver->read);
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

/* Bytes that cannot begin a line of a chatd, which begins with a year. */
static bool receiver_heard_garbage(const struct receiver *receiver)
{
    char first = receiver->held[0];

    return receiver->progress == RECEIVER_NOTHING && receiver->splitter.len > 0 &&
           (first < '0' || first > '9');
}

static enum client_end receiver_connection(struct receiver *receiver)
{
    enum client_end how = CLIENT_ON;
    size_t n;

    receiver->progress = RECEIVER_NOTHING;
    receiver->kicked = false;
    line_splitter_init(&receiver->splitter, receiver->held, LINE_OUT_MAX);
    while (how == CLIENT_ON && (n = receiver_read(receiver)) > 0)
        how = receiver_take(receiver, n);
    if (how != CLIENT_ON)
        return how;
    if (receiver_heard_garbage(receiver))
        return CLIENT_NOT_CHATD;
    if (receiver->kicked)
        return CLIENT_KICKED;
    return receiver->progress == RECEIVER_NOTHING ? CLIENT_UNANSWERED : CLIENT_GONE;
}

/* ---- From one connection to the next ------------------------------------------------- */

/*
 * Takes the connection down. True where another one may do better after such an end: without end
 * for a member, else until the time for the first connection is over.
 */
static bool client_may_return(struct client *client, enum client_end how)
{
    const struct session *session = &client->session;
    bool may;

    pthread_mutex_lock(&client->lock);
    may = how == CLIENT_GONE || how == CLIENT_KICKED || how == CLIENT_UNANSWERED ||
          (how == CLIENT_REJECTED && session->state == SESSION_FULL);
    if (session->me[0] == '\0' && clock_left(client->first_until) == 0)
        may = false;
    if (!client->options->keep || session_is_done(session))
        may = false;
    connection_drop(&client->connection, CONNECTION_DOWN);
    pthread_mutex_unlock(&client->lock);
    client_wake(client);
    return may;
}

static void receiver_say_away(struct receiver *receiver, enum client_end how)
{
    struct console *console = &receiver->client->console;

    if (receiver->away)
        return;
    receiver->away = true;
    if (how == CLIENT_REJECTED)
        console_say(console, "the room is full; trying again");
    else if (how == CLIENT_KICKED)
        console_say(console, "you were kicked out; trying to come back");
    else if (how == CLIENT_UNANSWERED)
        console_say(console, "%s: no answer; trying again", client_server(receiver->client));
    else
        console_say(console, "the server went away; trying to come back");
}

static void receiver_adopt(struct client *client, const struct dialed *dialed)
{
    console_restart(&client->console);
    pthread_mutex_lock(&client->lock);
    connection_adopt(&client->connection, dialed->fd, dialed->command);
    session_connect(&client->session);
    pthread_mutex_unlock(&client->lock);
    client_wake(client);
}

/* Makes another connection after that end. Returns CLIENT_ON, or where the time for a first one is
 * over why there is none. */
static enum client_end receiver_return(struct receiver *receiver, enum client_end how)
{
    struct client *client = receiver->client;
    int64_t until = client->session.me[0] != '\0' ? -1 : client->first_until;
    struct dialed dialed;

    receiver_say_away(receiver, how);
    if (client->connection.command > 0)
        command_end(client->connection.command, 0);
    if (client->options->command != NULL)
        console_lend(&client->console);
    if (!dialer_move_on(&client->dialer) || receiver->progress != RECEIVER_OPENED)
        dialer_pause(&client->dialer, until);
    if (clock_left(until) == 0)
        return how;
    dialed = dialer_dial(&client->dialer, &client->console, until);
    if (dialed.fd >= 0) {
        receiver_adopt(client, &dialed);
        return CLIENT_ON;
    }
    client->unreached = dialed.failure.status;
    return CLIENT_UNREACHED;
}

/* Connection after connection; returns why there is no other. */
static enum client_end receiver_run(struct receiver *receiver)
{
    struct client *client = receiver->client;

    for (;;) {
        enum client_end how = receiver_connection(receiver);
        if (!client_may_return(client, how))
            return how;
        how = receiver_return(receiver, how);
        if (how != CLIENT_ON)
            return how;
    }
}

void *receiver_main(void *argument)
{
    struct client *client = argument;
    struct receiver receiver = {.client = client};
    enum client_end how = receiver_run(&receiver);

    pthread_mutex_lock(&client->lock);
    if (how == CLIENT_GONE && client->connection.state == CONNECTION_SILENT)
        how = CLIENT_WAITED;
    client->end = how;
    pthread_mutex_unlock(&client->lock);
    client_wake(client);
    return NULL;
}

/* Signals are the loop's. */
bool receiver_start(struct client *client)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, RECEIVER_STACK);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, receiver_main, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    errno = error;
    return error == 0;
}
