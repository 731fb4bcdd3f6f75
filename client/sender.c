/*
 * sender.c: from the input to the server, and everything that has to do with leaving.
 */
#include "client.h"

#include "../compat/compat.h"
#include "clock.h"
#include "command.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define READ_MAX 65536
/*
 * Keys that wait for their turn: a large paste while the server takes nothing, and behind it the
 * Ctrl-C of a user who does not want to wait, which can only be found by reading on. What is more
 * stays in the terminal. Memory that was never used is none.
 */
#define KEYS_MAX ((size_t)4 << 20)
/* How long a leaving client waits for the server's goodbye, in ms. */
#define LEAVE_GRACE 1000
/* An ESC that nothing follows for that long was the key, in ms. */
#define ESCAPE_PAUSE 100
/* How long a bot may go on when there is nothing more to hear, in ms. */
#define BOT_GRACE 2000

/* Where lines come from, and what was read of them and not taken yet. */
struct input {
    int fd; /* -1: nothing to read, or no more */
    bool over;
    const char *at; /* for the session */
    const char *end;
    bool lf_due;  /* after these */
    size_t texts; /* of -m that have been taken */
    const char *keys;
    const char *keys_end;
    char bytes[KEYS_MAX];
};

/* The thread's own. */
struct sender {
    struct client *client;
    struct input input;
    pid_t bot;          /* -1: none, or it has ended */
    bool wants_write;   /* the server's socket is full */
    int64_t leave_at;   /* -W; -1: never, or it is past */
    int64_t give_up_at; /* while leaving */
    int status;         /* to leave with; -1: not leaving */
    int signal;         /* to die of */
    int bot_status;     /* of its end, as wait(2) tells it */
};

/* All was answered: were all accepted? Whoever types has seen what was not. */
static int client_verdict(const struct client *client)
{
    return client->session.refused > 0 && !client->console.keyboard ? EXIT_NO : EX_OK;
}

/* ---- Leaving ------------------------------------------------------------------------- */

/* No more input is wanted: the keyboard goes back. */
static void input_stop(struct sender *sender)
{
    struct input *input = &sender->input;
    struct span keys = {input->keys, (size_t)(input->keys_end - input->keys)};

    input->over = true;
    input->fd = -1;
    input->keys = input->keys_end;
    console_stop(&sender->client->console, keys);
}

/* Leaves without waiting for answers, but with a goodbye, and no line cut. */
static void sender_leave(struct sender *sender, int status)
{
    struct client *client = sender->client;

    if (sender->status >= 0) {
        sender->give_up_at = clock_now();
        return;
    }
    sender->status = status;
    pthread_mutex_lock(&client->lock);
    session_abandon(&client->session);
    pthread_mutex_unlock(&client->lock);
    input_stop(sender);
    sender->give_up_at = clock_now() + LEAVE_GRACE;
}

static void sender_die(struct sender *sender, int signal)
{
    sender->signal = signal;
    sender_leave(sender, EX_OK);
}

/*
 * The input has ended: leaves when all is answered. If that is so already and the connection is
 * gone, there is no reason to wait until it is back.
 */
static void sender_finish(struct sender *sender)
{
    struct client *client = sender->client;
    const struct session *session = &client->session;
    bool settled;
    int status;

    pthread_mutex_lock(&client->lock);
    session_input_end(&client->session);
    settled = !client->up && session->me[0] != '\0' && session->unanswered == 0;
    status = client_verdict(client);
    pthread_mutex_unlock(&client->lock);
    input_stop(sender);
    if (settled)
        sender_leave(sender, status);
}

static bool sender_is_over(struct sender *sender)
{
    struct client *client = sender->client;
    bool over, up;

    pthread_mutex_lock(&client->lock);
    over = client->end != CLIENT_ON;
    up = client->up;
    pthread_mutex_unlock(&client->lock);
    if (over)
        return true;
    return sender->give_up_at >= 0 && (!up || clock_left(sender->give_up_at) == 0);
}

/* ---- To the server ------------------------------------------------------------------- */

/* Hands the kernel what it takes now. True where there is more. */
static bool link_write(struct client *client)
{
    for (;;) {
        struct span bytes = session_pending(&client->session);
        ssize_t n;
        if (bytes.len == 0)
            return false;
        n = write(client->link, bytes.at, bytes.len);
        if (n < 0 && errno != EINTR && error_passes(errno))
            return true;
        if (n < 0 && errno != EINTR) { /* the receiver sees the end after all that has come */
            client->up = false;
            shutdown(client->link, SHUT_RDWR);
            return false;
        }
        if (n > 0)
            session_sent(&client->session, (size_t)n);
    }
}

/*
 * All is said: tells the server so. Commands that carry a connection often keep the end of the
 * stream to themselves (nc, openssl s_client), so through them it is said in words too.
 */
static void link_finish(struct client *client)
{
    if (client->options->command != NULL) {
        session_say_goodbye(&client->session);
        link_write(client);
    }
    shutdown(client->link, SHUT_WR);
    client->shut = true;
    client->heard = clock_now();
}

static void sender_write(struct sender *sender)
{
    struct client *client = sender->client;

    sender->wants_write = false;
    pthread_mutex_lock(&client->lock);
    if (client->up && !client->shut) {
        sender->wants_write = link_write(client);
        if (client->up && session_is_done(&client->session))
            link_finish(client);
    }
    /* With -C nothing is owed any more, and what a server goes on saying is no reason to stay. */
    if (client->shut && client->enough && sender->give_up_at < 0)
        sender->give_up_at = clock_now() + LEAVE_GRACE;
    pthread_mutex_unlock(&client->lock);
}

/* ---- The input ----------------------------------------------------------------------- */

/* The next line that was typed, out of the keys that were. */
static bool input_edit(struct sender *sender)
{
    struct console *console = &sender->client->console;
    struct input *input = &sender->input;
    struct span line;

    while (input->keys < input->keys_end) {
        switch (console_feed(console, &input->keys, input->keys_end)) {
        case EDITOR_NONE:
            return false;
        case EDITOR_LINE:
            line = editor_line(console->editor);
            input->at = line.at;
            input->end = line.at + line.len;
            input->lf_due = true;
            return true;
        case EDITOR_INTERRUPT:
            sender_leave(sender, EX_OK);
            return false;
        case EDITOR_SUSPEND:
            console_suspend(console);
            break;
        case EDITOR_END:
            sender_finish(sender);
            return false;
        }
    }
    return false;
}

/* The next text of -m. */
static bool input_text(struct sender *sender)
{
    const struct options *options = sender->client->options;
    struct input *input = &sender->input;

    if (input->texts == options->texts_count) {
        sender_finish(sender);
        return false;
    }
    input->at = options->texts[input->texts++];
    input->end = input->at + strlen(input->at);
    input->lf_due = true;
    return true;
}

/* Finds more to send in what has been read; false where there is no more. */
static bool input_next(struct sender *sender)
{
    struct input *input = &sender->input;

    if (input->lf_due) {
        input->lf_due = false;
        input->at = "\n";
        input->end = input->at + 1;
        return true;
    }
    if (input->over)
        return false;
    if (sender->client->options->mode == MODE_POST)
        return input_text(sender);
    return input_edit(sender);
}

/* Gives the session what it takes. */
static void sender_feed(struct sender *sender)
{
    struct client *client = sender->client;
    struct input *input = &sender->input;
    bool full, ended;

    do {
        pthread_mutex_lock(&client->lock);
        input->at += session_input(&client->session, input->at, (size_t)(input->end - input->at));
        ended = client->session.ended;
        full = input->at < input->end;
        pthread_mutex_unlock(&client->lock);
    } while (!full && !ended && input_next(sender));
    if (ended && !input->over) /* /quit */
        sender_finish(sender);
}

/* True where reading can bring something that can be used. */
static bool sender_wants_input(struct sender *sender)
{
    const struct input *input = &sender->input;
    bool wants;

    if (input->fd < 0)
        return false;
    if (sender->client->console.editor != NULL)
        return (size_t)(input->keys_end - input->keys) < KEYS_MAX;
    pthread_mutex_lock(&sender->client->lock);
    wants = session_wants_input(&sender->client->session);
    pthread_mutex_unlock(&sender->client->lock);
    return wants && input->at == input->end && !input->lf_due;
}

/*
 * Keys are read behind those that are not used up; there is room for one at least. While a line of
 * theirs finds no room, Ctrl-C would wait with the others: the user who is waiting too means it at
 * once.
 */
static ssize_t input_read_keys(struct sender *sender)
{
    struct input *input = &sender->input;
    size_t left = (size_t)(input->keys_end - input->keys);
    ssize_t n;

    if (left > 0 && input->keys > input->bytes)
        memmove(input->bytes, input->keys, left);
    input->keys = input->bytes;
    input->keys_end = input->bytes + left;
    n = read(input->fd, input->bytes + left, KEYS_MAX - left);
    if (n <= 0)
        return n;
    input->keys_end += n;
    if (input->at < input->end && memchr(input->keys, '\003', left + (size_t)n) != NULL)
        sender_leave(sender, EX_OK);
    return n;
}

static void input_failed(struct sender *sender)
{
    if (error_passes(errno)) {
        if (errno == EAGAIN && sender->client->options->mode == MODE_BOT && sender->bot < 0)
            sender_finish(sender); /* it has ended, and so has what it said */
        return;
    }
    console_say(&sender->client->console, "standard input: %s", strerror(errno));
    sender_leave(sender, EX_IOERR);
}

static void sender_read(struct sender *sender)
{
    struct input *input = &sender->input;
    ssize_t n;

    if (sender->client->console.editor != NULL) {
        n = input_read_keys(sender);
    } else {
        n = read(input->fd, input->bytes, READ_MAX);
        input->at = input->bytes;
        input->end = input->bytes + (n > 0 ? n : 0);
    }
    if (n < 0)
        input_failed(sender);
    else if (n == 0 && sender->bot >= 0)
        input->fd = -1; /* it may still want to listen */
    else if (n == 0)
        sender_finish(sender);
}

/* ---- Signals and clocks -------------------------------------------------------------- */

/* Ctrl-C, as a signal: who sits at it leaves; a pipeline is broken off. */
static void sender_interrupted(struct sender *sender)
{
    struct client *client = sender->client;
    struct input *input = &sender->input;
    enum options_mode mode = client->options->mode;
    size_t len;

    if (input->fd >= 0 && input->at == input->end &&
        console_clear_line(&client->console, input->bytes, READ_MAX, &len)) {
        input->at = input->bytes;
        input->end = input->bytes + len;
        return;
    }
    if (client->console.keyboard || mode == MODE_RECEIVE || mode == MODE_BOT)
        sender_leave(sender, EX_OK);
    else
        sender_die(sender, SIGINT);
}

static void sender_reap(struct sender *sender)
{
    int status;

    if (sender->bot < 0 || waitpid(sender->bot, &status, WNOHANG) != sender->bot)
        return;
    sender->bot = -1;
    sender->bot_status = status;
    if (sender->input.fd < 0 && !sender->input.over)
        sender_finish(sender);
}

static void sender_take_signals(struct sender *sender)
{
    static const int deadly[] = {SIGTERM, SIGHUP, SIGQUIT};
    struct console *console = &sender->client->console;

    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        if (signals_take(deadly[i]))
            sender_die(sender, deadly[i]);
    if (signals_take(SIGINT))
        sender_interrupted(sender);
    if (signals_take(SIGTSTP))
        console_suspend(console);
    if (signals_take(SIGCONT))
        console_continue(console);
    if (signals_take(SIGWINCH))
        console_resize(console);
    if (signals_take(SIGCHLD))
        sender_reap(sender);
}

/* When the server must have said something; -1 where it need not. */
static int64_t silence_ends(struct client *client)
{
    int64_t end = -1;

    pthread_mutex_lock(&client->lock);
    if (client->shut && client->options->command != NULL)
        end = client->heard + (client->session.state == SESSION_LISTED ? 0 : LEAVE_GRACE);
    else if (client->patience >= 0 && client->up &&
             (client->shut || client->session.state == SESSION_LOGIN))
        end = client->heard + client->patience;
    pthread_mutex_unlock(&client->lock);
    return end;
}

/* A silent server at the end has nothing more to say; at the beginning it is none. */
static void sender_end_silence(struct sender *sender)
{
    struct client *client = sender->client;

    pthread_mutex_lock(&client->lock);
    if (client->shut) {
        sender->give_up_at = clock_now();
    } else {
        client->silent = true;
        client->up = false;
        shutdown(client->link, SHUT_RDWR);
    }
    pthread_mutex_unlock(&client->lock);
}

static void sender_look_at_clocks(struct sender *sender)
{
    struct client *client = sender->client;
    int64_t silence = silence_ends(client);

    if (silence >= 0 && clock_left(silence) == 0)
        sender_end_silence(sender);
    if (sender->leave_at >= 0 && clock_left(sender->leave_at) == 0) {
        sender->leave_at = -1;
        sender_leave(sender, EXIT_NO);
    }
}

/* -C messages have come: nothing more is wanted, but what was taken is still sent. */
static void sender_look_at_count(struct sender *sender)
{
    struct client *client = sender->client;
    bool enough;

    pthread_mutex_lock(&client->lock);
    enough = client->enough;
    if (enough)
        session_input_stop(&client->session);
    pthread_mutex_unlock(&client->lock);
    if (enough && !sender->input.over)
        sender_finish(sender);
}

/* What there is to see is looked at after this. */
static void sender_wake_up(struct client *client)
{
    char bytes[64];

    if (read(client->wake[0], bytes, sizeof bytes) < 0)
        return; /* it is still there the next time */
    pthread_mutex_lock(&client->lock);
    client->woken = false;
    pthread_mutex_unlock(&client->lock);
}

static void sender_wait(struct sender *sender)
{
    struct client *client = sender->client;
    bool reads = sender_wants_input(sender);
    bool ended_bot = client->options->mode == MODE_BOT && sender->bot < 0;
    bool escape = reads && console_in_escape(&client->console);
    struct pollfd fds[] = {
        {.fd = client->wake[0], .events = POLLIN},
        {.fd = reads ? sender->input.fd : -1, .events = POLLIN},
        {.fd = sender->wants_write ? client->link : -1, .events = POLLOUT},
    };
    int64_t until =
        clock_earlier(silence_ends(client), clock_earlier(sender->leave_at, sender->give_up_at));

    if (escape)
        until = clock_earlier(until, clock_now() + ESCAPE_PAUSE);
    if (poll(fds, 3, reads && ended_bot ? 0 : clock_left(until)) < 0)
        return; /* a signal; the others are looked at the next time */
    if (fds[0].revents != 0)
        sender_wake_up(client);
    if (fds[1].revents != 0 || (reads && ended_bot))
        sender_read(sender);
    else if (escape)
        console_pause(&client->console);
}

/* ---- The end ------------------------------------------------------------------------- */

/* How it stands in the end; a receiver that has more to receive goes on meanwhile. */
struct outcome {
    enum client_end end;
    enum session_state state;
    bool silent;
    bool done;
    unsigned long unanswered;
    unsigned long present;
    int verdict;
};

static struct outcome client_outcome(struct client *client)
{
    const struct session *session = &client->session;
    struct outcome outcome;

    pthread_mutex_lock(&client->lock);
    outcome = (struct outcome){
        .end = client->end,
        .state = session->state,
        .silent = client->silent,
        .done = session_is_done(session),
        .unanswered = session->unanswered,
        .present = session->present,
        .verdict = client_verdict(client),
    };
    pthread_mutex_unlock(&client->lock);
    return outcome;
}

static void say_unconfirmed(struct console *console, const char *why, unsigned long lines)
{
    console_say(console, "%snot confirmed: %lu line%s", why, lines, lines == 1 ? "" : "s");
}

/* The server ended it, or has no more to say: did all go well? */
static int outcome_result(const struct outcome *outcome, struct console *console)
{
    if (outcome->state == SESSION_LISTED)
        return outcome->present > 0 ? EX_OK : EXIT_NO;
    if (outcome->done)
        return outcome->verdict;
    if (outcome->unanswered > 0)
        say_unconfirmed(console, "the server went away; ", outcome->unanswered);
    else
        console_say(console, "the server went away");
    return EX_UNAVAILABLE;
}

/* To be called when the receiver has ended, or has nothing more to receive. */
static int client_status(struct client *client, const struct outcome *outcome)
{
    const struct options *options = client->options;
    const char *where = options->command != NULL ? options->command : options->server;
    struct console *console = &client->console;
    bool full = outcome->state == SESSION_FULL;

    switch (outcome->end) {
    case CLIENT_STRANGER:
        console_say(console, "%s: %sthat is no chatd", where, outcome->silent ? "no answer; " : "");
        return EX_PROTOCOL;
    case CLIENT_TURNED_AWAY:
        console_say(console, "%s: %s", full ? "the room is full" : "refused", client->why);
        return full ? EX_TEMPFAIL : EX_NOPERM;
    case CLIENT_OUTPUT:
        console_say(console, "standard output: %s", strerror(console->error));
        return EX_IOERR;
    case CLIENT_ON:
    case CLIENT_GONE:
        break;
    }
    return outcome_result(outcome, console);
}

/* Who leaves by himself is told, too, what may not have arrived. */
static int sender_status(struct sender *sender)
{
    struct client *client = sender->client;
    struct outcome outcome = client_outcome(client);

    if (sender->status < 0)
        return client_status(client, &outcome);
    if (outcome.unanswered > 0)
        say_unconfirmed(&client->console, "", outcome.unanswered);
    return sender->status;
}

/*
 * Nothing more comes for the bot: it may finish, unless somebody wants all this to end now. One
 * that has ended badly by itself is an answer.
 */
static int sender_end_bot(struct sender *sender, int status)
{
    struct console *console = &sender->client->console;

    if (sender->bot >= 0) {
        console_close(console);
        command_end(sender->bot, sender->signal == 0 ? BOT_GRACE : 0);
        return status;
    }
    if (sender->bot_status == 0 || status != EX_OK)
        return status;
    if (WIFEXITED(sender->bot_status))
        console_say(console, "the bot ended with status %d", WEXITSTATUS(sender->bot_status));
    else
        console_say(console, "the bot ended by signal %d", WTERMSIG(sender->bot_status));
    return EXIT_NO;
}

int sender_run(struct client *client, int input, pid_t bot, int *signal)
{
    static struct sender sender;
    int status;

    sender.client = client;
    sender.bot = bot;
    sender.status = -1;
    sender.input.fd = input;
    sender.input.at = sender.input.end = sender.input.bytes;
    sender.input.keys = sender.input.keys_end = sender.input.bytes;
    sender.input.over = input < 0 && client->options->mode != MODE_POST;
    sender.give_up_at = -1;
    sender.leave_at = client->leave_at;
    sender_reap(&sender); /* a bot may have ended before its end could be caught */
    while (!sender_is_over(&sender)) {
        sender_feed(&sender);
        sender_write(&sender);
        sender_wait(&sender);
        sender_take_signals(&sender);
        sender_look_at_count(&sender);
        sender_look_at_clocks(&sender);
    }
    input_stop(&sender);
    *signal = sender.signal;
    status = sender_status(&sender);
    return client->options->mode == MODE_BOT ? sender_end_bot(&sender, status) : status;
}
