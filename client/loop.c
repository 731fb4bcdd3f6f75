/* loop.c: one poll loop over input, server, signals and deadlines. */
#include "loop.h"

#include "../compat/compat.h"
#include "clock.h"
#include "outcome.h"
#include "signals.h"
#include "waiting.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* How long a leaving client waits for the server's goodbye, in ms. */
#define LEAVE_GRACE 1000
/* How long a bot may go on after its input has ended, in ms. */
#define BOT_GRACE 2000

/*
 * STAYING to FINISHING: the input has ended, or -C is reached. STAYING and FINISHING to LEAVING:
 * the user, a clock or a signal wants to leave now. A server that ends it ends each of them.
 */
enum leaving {
    STAYING,
    FINISHING, /* when all is answered, and the server has ended the connection */
    LEAVING    /* with a goodbye, and without waiting for answers: until give_up_at */
};

/* Between two looks at whether the server takes more, in ms; doubled each time. */
#define WRITE_PAUSE_FIRST 2
#define WRITE_PAUSE_MOST 100

/* The state of the main thread. */
struct loop {
    struct client *client;
    struct input *input;
    struct bot *bot; /* NULL: none */
    enum leaving leaving;
    enum connection_more more; /* to write, and when */
    int pause;                 /* before that, for a server that takes no more, in ms */
    struct waiting waiting;    /* at a keyboard */
    int out;                   /* standard output, watched for the end of its reader; -1: no more */
    int64_t leave_at;          /* -W; -1: never, or it is past */
    int64_t give_up_at; /* what still comes is not waited for any longer; -1: not yet known */
    int status;         /* LEAVING with this; else -1 */
    int signal;         /* to die of */
};

/* ---- Leaving ------------------------------------------------------------------------- */

/* What is not sent by now is not sent any more; left: lines that the session has not taken. */
static void loop_abandon(struct loop *loop, unsigned long left)
{
    struct session *session = &loop->client->session;

    pthread_mutex_lock(&loop->client->lock);
    session_abandon(session);
    losses_add_lines(&session->losses, LOSS_LEFT, left);
    pthread_mutex_unlock(&loop->client->lock);
}

/* Tells which lines are not sent. */
static void loop_say_losses(struct loop *loop)
{
    struct client *client = loop->client;
    char text[256];
    bool told;

    do {
        pthread_mutex_lock(&client->lock);
        told = losses_tell(&client->session.losses, text, sizeof text);
        pthread_mutex_unlock(&client->lock);
        if (told)
            console_say(&client->console, "%s", text);
    } while (told);
}

/* Leaves without waiting for answers, but with a goodbye, and no line cut. */
static void loop_leave(struct loop *loop, int status)
{
    struct client *client = loop->client;

    if (loop->leaving == LEAVING) {
        loop->give_up_at = clock_now();
        return;
    }
    loop->leaving = LEAVING;
    loop->status = status;
    loop_abandon(loop, input_lines_left(loop->input));
    input_stop(loop->input, &client->console);
    loop->give_up_at = clock_now() + LEAVE_GRACE;
}

static void loop_die(struct loop *loop, int signal)
{
    loop->signal = signal;
    loop_leave(loop, EX_OK);
}

/*
 * All is answered, and there is no reason to wait until the connection is back. A user who has said
 * nothing does not wait for the first welcome either.
 */
static bool client_is_settled(const struct client *client)
{
    const struct session *session = &client->session;

    if (session->queue.count > 0)
        return false;
    if (client->console.keyboard && session->state == SESSION_LOGIN)
        return true;
    return !connection_is_alive(&client->connection) && session->me[0] != '\0';
}

/* The input has ended: leaves when all is answered. */
static void loop_finish(struct loop *loop)
{
    struct client *client = loop->client;
    bool settled;
    int status;

    pthread_mutex_lock(&client->lock);
    session_input_end(&client->session);
    settled = client_is_settled(client);
    status = outcome_verdict(client);
    pthread_mutex_unlock(&client->lock);
    input_stop(loop->input, &client->console);
    waiting_quit(&loop->waiting);
    if (settled)
        loop_leave(loop, status);
    else if (loop->leaving == STAYING)
        loop->leaving = FINISHING;
}

static bool loop_is_over(struct loop *loop)
{
    struct client *client = loop->client;
    bool over, up;

    pthread_mutex_lock(&client->lock);
    over = client->end != CLIENT_ON;
    up = connection_is_alive(&client->connection);
    pthread_mutex_unlock(&client->lock);
    if (over)
        return true;
    return loop->give_up_at >= 0 && (!up || clock_left(loop->give_up_at) == 0);
}

/* ---- To the server ------------------------------------------------------------------- */

static void loop_write(struct loop *loop)
{
    struct client *client = loop->client;
    struct connection *connection = &client->connection;

    loop->more = CONNECTION_DONE;
    pthread_mutex_lock(&client->lock);
    if (connection_is_open(connection)) {
        loop->more = connection_write(connection, &client->session);
        if (connection_is_open(connection) && session_is_done(&client->session))
            connection_finish(connection, &client->session);
    }
    /*
     * With -C nothing more is expected, and a server that goes on talking is no reason to stay; nor
     * is one that does not say goodbye to a user.
     */
    if (connection->state == CONNECTION_SHUT && loop->give_up_at < 0 &&
        (client->enough || client->console.keyboard))
        loop->give_up_at = clock_now() + LEAVE_GRACE;
    pthread_mutex_unlock(&client->lock);
    if (loop->more != CONNECTION_LATER)
        loop->pause = WRITE_PAUSE_FIRST;
    else if (loop->pause < WRITE_PAUSE_MOST)
        loop->pause *= 2;
}

/* ---- The input ----------------------------------------------------------------------- */

/* Gives the session what it takes of the bytes that there are; false where it takes no more. */
static bool loop_offer(struct loop *loop)
{
    struct client *client = loop->client;
    struct span bytes = input_pending(loop->input);
    size_t taken;
    bool ended;

    pthread_mutex_lock(&client->lock);
    taken = session_input(&client->session, bytes.at, bytes.len);
    ended = client->session.input != SESSION_TAKES;
    pthread_mutex_unlock(&client->lock);
    input_take(loop->input, taken);
    if (ended && !input_is_over(loop->input)) /* /quit */
        loop_finish(loop);
    return !ended && taken == bytes.len;
}

static void loop_feed(struct loop *loop)
{
    struct console *console = &loop->client->console;

    while (loop_offer(loop)) {
        switch (input_next(loop->input, console)) {
        case INPUT_BYTES:
            break;
        case INPUT_INTERRUPT:
            loop_leave(loop, EX_OK);
            return;
        case INPUT_ENDED:
            loop_finish(loop);
            return;
        case INPUT_NOTHING:
        case INPUT_FAILED:
            return;
        }
    }
}

/* With -c the keyboard is lent now and then. */
static bool loop_owns_keys(struct loop *loop)
{
    return loop->client->options->command == NULL || console_owns_keys(&loop->client->console);
}

/* True where reading can bring something that can be used. */
static bool loop_wants_input(struct loop *loop)
{
    bool wants;

    if (!input_can_read(loop->input) || !loop_owns_keys(loop))
        return false;
    if (loop->client->console.keyboard) /* for Ctrl-C */
        return true;
    pthread_mutex_lock(&loop->client->lock);
    wants = session_wants_input(&loop->client->session);
    pthread_mutex_unlock(&loop->client->lock);
    return wants;
}

static bool bot_has_ended(const struct bot *bot)
{
    return bot != NULL && bot->pid < 0;
}

static void loop_read(struct loop *loop)
{
    switch (input_read(loop->input, &loop->client->console)) {
    case INPUT_BYTES:
        break;
    case INPUT_NOTHING: /* a bot that has ended says no more */
        if (bot_has_ended(loop->bot))
            loop_finish(loop);
        break;
    case INPUT_INTERRUPT:
        loop_leave(loop, EX_OK);
        break;
    case INPUT_ENDED:
        if (loop->bot != NULL && loop->bot->pid > 0)
            loop->input->fd = -1; /* it may still want to listen */
        else
            loop_finish(loop);
        break;
    case INPUT_FAILED:
        console_say(&loop->client->console, "standard input: %s", strerror(errno));
        loop_leave(loop, EX_IOERR);
        break;
    }
}

/* ---- Signals and clocks -------------------------------------------------------------- */

/* Ctrl-C, as a signal: a user leaves; a pipeline is broken off. */
static void loop_interrupted(struct loop *loop)
{
    struct client *client = loop->client;
    enum options_mode mode = client->options->mode;

    if (input_is_over(loop->input))
        console_interrupted(&client->console);
    if (client->console.keyboard || mode == MODE_RECEIVE || mode == MODE_BOT)
        loop_leave(loop, EX_OK);
    else
        loop_die(loop, SIGINT);
}

static void loop_reap(struct loop *loop)
{
    if (loop->bot != NULL && bot_reap(loop->bot) && loop->input->fd < 0 &&
        !input_is_over(loop->input))
        loop_finish(loop);
}

static void loop_take_signals(struct loop *loop)
{
    static const int deadly[] = {SIGTERM, SIGHUP, SIGQUIT};
    struct console *console = &loop->client->console;

    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        if (signals_take(deadly[i]))
            loop_die(loop, deadly[i]);
    if (signals_take(SIGINT))
        loop_interrupted(loop);
    if (signals_take(SIGTSTP))
        console_suspend(console);
    if (signals_take(SIGCONT))
        console_continue(console);
    if (signals_take(SIGWINCH))
        console_resize(console);
    if (signals_take(SIGCHLD))
        loop_reap(loop);
}

/* When the server must have said something, and when the path is looked at. */
struct connection_clocks {
    int64_t silence_ends;
    int64_t looks_at;
};

static struct connection_clocks loop_connection_clocks(struct loop *loop)
{
    struct client *client = loop->client;
    struct connection_clocks clocks;

    pthread_mutex_lock(&client->lock);
    clocks.silence_ends = connection_silence_ends(&client->connection, &client->session);
    clocks.looks_at = connection_looks_at(&client->connection);
    pthread_mutex_unlock(&client->lock);
    return clocks;
}

static void loop_look_at_path(struct loop *loop)
{
    pthread_mutex_lock(&loop->client->lock);
    connection_look(&loop->client->connection);
    pthread_mutex_unlock(&loop->client->lock);
}

/* The server was silent for too long. */
static void loop_end_silence(struct loop *loop)
{
    struct client *client = loop->client;

    pthread_mutex_lock(&client->lock);
    if (client->connection.state == CONNECTION_SHUT)
        loop->give_up_at = clock_now();
    else
        connection_drop(&client->connection, CONNECTION_SILENT);
    pthread_mutex_unlock(&client->lock);
}

static void loop_look_at_clocks(struct loop *loop)
{
    struct connection_clocks clocks = loop_connection_clocks(loop);

    if (clock_left(clocks.silence_ends) == 0)
        loop_end_silence(loop);
    if (clock_left(clocks.looks_at) == 0)
        loop_look_at_path(loop);
    if (loop->leave_at >= 0 && clock_left(loop->leave_at) == 0) {
        loop->leave_at = -1;
        loop_leave(loop, EXIT_NO);
    }
}

/* -C messages have come: nothing more is wanted, but what was taken is still sent. */
static void loop_look_at_count(struct loop *loop)
{
    struct client *client = loop->client;
    bool enough;

    pthread_mutex_lock(&client->lock);
    enough = client->enough;
    if (enough)
        session_input_stop(&client->session);
    pthread_mutex_unlock(&client->lock);
    if (enough && !input_is_over(loop->input))
        loop_finish(loop);
}

/* ---- Lines that wait ----------------------------------------------------------------- */

static void loop_count_waiting(struct loop *loop)
{
    struct client *client = loop->client;
    bool changed;

    if (!client->console.keyboard)
        return;
    pthread_mutex_lock(&client->lock);
    changed = waiting_look(&loop->waiting, &client->session.queue,
        connection_is_open(&client->connection) && client->session.state == SESSION_OPEN);
    pthread_mutex_unlock(&client->lock);
    if (changed)
        console_waiting(&client->console, loop->waiting.shown);
}

/* Tells a user who wants to leave what is waiting, and leaves without it after a while. */
static void loop_look_at_quit(struct loop *loop)
{
    unsigned long lines = loop->waiting.shown;

    if (loop->leaving != FINISHING)
        return;
    if (waiting_tells(&loop->waiting))
        console_say(&loop->client->console,
            "%lu line%s waiting for the server; leaving in %d seconds, or at once with Ctrl-C",
            lines, lines == 1 ? " is" : "s are", WAITING_PATIENCE / 1000);
    if (waiting_is_over(&loop->waiting))
        loop_leave(loop, EX_UNAVAILABLE);
}

/* ---- Standard output ----------------------------------------------------------------- */

/* A pipe and a socket have a reader that can go away; a client that prints nothing needs none. */
static int loop_watched_out(const struct client *client)
{
    enum console_format format = client->console.setup.format;
    struct stat out;

    if (format == CONSOLE_NOTHING || client->options->mode == MODE_BOT)
        return -1;
    if (fstat(STDOUT_FILENO, &out) < 0 || !(S_ISFIFO(out.st_mode) || S_ISSOCK(out.st_mode)))
        return -1;
    return STDOUT_FILENO;
}

/* In a silent room no write would fail. */
static void loop_end_out(struct loop *loop)
{
    loop->out = -1;
    if (loop->leaving == LEAVING)
        return;
    console_say(&loop->client->console, "standard output: %s", strerror(EPIPE));
    loop_leave(loop, EX_IOERR);
}

/* ---- Waiting ------------------------------------------------------------------------- */

/* The loop looks at everything after this. */
static void loop_wake_up(struct loop *loop)
{
    char bytes[64];

    while (read(loop->client->wake[0], bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        continue;
}

static int64_t loop_wakes_at(struct loop *loop)
{
    struct connection_clocks clocks = loop_connection_clocks(loop);
    const int64_t deadlines[] = {
        clocks.silence_ends,
        clocks.looks_at,
        loop->leave_at,
        loop->give_up_at,
        loop->leaving != LEAVING ? waiting_due(&loop->waiting) : -1,
        loop->more == CONNECTION_LATER ? clock_now() + loop->pause : -1,
    };
    int64_t earliest = -1;

    for (size_t i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++)
        earliest = clock_earlier(earliest, deadlines[i]);
    return earliest;
}

static void loop_wait(struct loop *loop)
{
    struct client *client = loop->client;
    bool reads = loop_wants_input(loop);
    bool last_read = reads && bot_has_ended(loop->bot);
    int64_t console_due;
    struct pollfd fds[] = {
        {.fd = client->wake[0], .events = POLLIN},
        {.fd = reads ? loop->input->fd : -1, .events = POLLIN},
        {.fd = loop->more == CONNECTION_FULL ? client->connection.fd : -1, .events = POLLOUT},
        {.fd = loop->out},
        console_poll(&client->console, &console_due),
    };
    int64_t until = clock_earlier(console_due, loop_wakes_at(loop));

    if (poll(fds, 5, last_read ? 0 : clock_left(until)) < 0)
        return; /* a signal; the others are looked at the next time */
    if (fds[0].revents != 0)
        loop_wake_up(loop);
    if ((fds[1].revents != 0 && loop_owns_keys(loop)) || last_read)
        loop_read(loop);
    else
        console_tick(&client->console);
    if (fds[3].revents != 0)
        loop_end_out(loop);
}

/* ---- All of it ----------------------------------------------------------------------- */

/* Nothing more comes for the bot: it may finish, unless a signal wants all this to end now. */
static int loop_end_bot(struct loop *loop, int status)
{
    struct console *console = &loop->client->console;

    if (loop->bot->pid < 0)
        return outcome_with_bot(console, loop->bot, status);
    console_close(console);
    bot_end(loop->bot, loop->signal == 0 ? BOT_GRACE : 0);
    return status;
}

int loop_run(struct client *client, struct input *input, struct bot *bot, int *signal)
{
    struct loop loop = {.client = client,
        .input = input,
        .bot = bot,
        .pause = WRITE_PAUSE_FIRST,
        .out = loop_watched_out(client),
        .leave_at = client->leave_at,
        .give_up_at = -1,
        .status = -1};
    unsigned long left;
    int status;

    waiting_init(&loop.waiting);
    loop_reap(&loop); /* a bot may have ended before its end could be caught */
    while (!loop_is_over(&loop)) {
        loop_feed(&loop);
        loop_write(&loop);
        loop_say_losses(&loop);
        loop_count_waiting(&loop);
        loop_look_at_quit(&loop);
        loop_wait(&loop);
        loop_take_signals(&loop);
        loop_look_at_count(&loop);
        loop_look_at_clocks(&loop);
    }
    left = input_lines_left(input);
    input_stop(input, &client->console);
    *signal = loop.signal;
    status = outcome_status(client, loop.status);
    if (loop.leaving != LEAVING && outcome_loses_lines(client))
        loop_abandon(&loop, left);
    loop_say_losses(&loop);
    return bot != NULL ? loop_end_bot(&loop, status) : status;
}
