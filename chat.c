/*
 * chat.c: the client. Sets up what the options ask for, starts the receiver (client/receiver.h),
 * is the loop (client/loop.h), and puts everything back.
 */
#include "client/ask.h"
#include "client/bot.h"
#include "client/client.h"
#include "client/clock.h"
#include "client/loop.h"
#include "client/outcome.h"
#include "client/receiver.h"
#include "client/signals.h"
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Past events on a terminal. */
#define HISTORY_DEFAULT 20

static int start_fail(int status, const char *what)
{
    fprintf(stderr, CHAT_PROGRAM ": %s: %s\n", what, strerror(errno));
    return status;
}

/*
 * Sees to it that no descriptor of ours is taken for one of the three that were closed: in their
 * place is something that can be neither read nor written.
 */
static void descriptors_hold(void)
{
    for (int fd = 0; fd < 3; fd++)
        while (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) >= 0)
            continue;
}

/* ---- The first connection ------------------------------------------------------------ */

/* Until when the first connection may take; -k uses all of it. */
static int64_t first_deadline(const struct client *client)
{
    int64_t patience = client->options->patience;

    return clock_earlier(patience >= 0 ? clock_now() + patience : -1, client->leave_at);
}

static bool mode_reads_input(enum options_mode mode)
{
    return mode == MODE_TALK || mode == MODE_SEND;
}

/* Lines that were typed meanwhile were meant for the room: a shell must not run them. */
static void drop_typed(struct client *client)
{
    unsigned long lines;

    if (!mode_reads_input(client->options->mode) || !isatty(STDIN_FILENO))
        return;
    lines = modes_drop_typed();
    if (lines > 0)
        console_say(&client->console, "not sent: %lu line%s", lines, lines == 1 ? "" : "s");
}

/* Returns -1, or the status to exit with. */
static int start_connection(struct client *client)
{
    const struct options *options = client->options;
    struct dialed dialed;

    if (options->keep)
        dialed = dialer_dial(&client->dialer, &client->console, first_deadline(client));
    else
        dialed = dialer_try(&client->dialer, client->leave_at);
    if (dialed.fd >= 0) {
        connection_adopt(&client->connection, dialed.fd, dialed.command);
        return -1;
    }
    if (clock_left(client->leave_at) == 0) /* -W has its own exit status, for any reason */
        dialed.failure.status = EXIT_NO;
    else if (!options->keep)
        console_say(&client->console, "%s%s", dialed.failure.text, dialed.failure.hint);
    drop_typed(client);
    return dialed.failure.status;
}

/*
 * After the user has thought about a name, which no server waits for without end: one that has
 * said something has said that, and another connection is needed. Returns like start_connection().
 */
static int renew_connection(struct client *client)
{
    struct pollfd ready = {.fd = client->connection.fd, .events = POLLIN};

    if (poll(&ready, 1, 0) == 0)
        return -1;
    return start_connection(client);
}

static bool name_is_asked(const struct options *options)
{
    return options->mode != MODE_LIST && options->name == NULL && !options->receive_only &&
           isatty(STDIN_FILENO);
}

/* Asks for a name where a server is reached; but before a command, which may ask something too. */
static int connect_and_ask(struct client *client, char *answer, size_t size)
{
    const struct options *options = client->options;
    int status = options->command == NULL ? start_connection(client) : -1;

    if (status < 0 && name_is_asked(options)) {
        status = ask_name(client->leave_at, answer, size);
        if (status < 0 && options->command == NULL)
            status = renew_connection(client);
    }
    if (status < 0 && options->command != NULL)
        status = start_connection(client);
    return status;
}

/* ---- Setting up ---------------------------------------------------------------------- */

static enum console_format format_choose(const struct options *options)
{
    if (options->mode == MODE_BOT)
        return CONSOLE_BOT;
    if (options->output.raw)
        return CONSOLE_WIRE;
    switch (options->mode) {
    case MODE_BOT:
    case MODE_TALK:
    case MODE_RECEIVE:
        return CONSOLE_PRETTY;
    case MODE_SEND:
    case MODE_POST:
        return CONSOLE_NOTHING;
    case MODE_LIST:
        return CONSOLE_NAMES;
    }
    return CONSOLE_NOTHING;
}

static enum view_notice bell_choose(enum options_bell bell)
{
    switch (bell) {
    case BELL_OFF:
        break;
    case BELL_DEFAULT:
    case BELL_MENTION:
        return NOTICE_MENTION;
    case BELL_ALL:
        return NOTICE_MESSAGE;
    }
    return NOTICE_NONE;
}

static void setup_console(struct client *client, const struct bot *bot)
{
    const struct options *options = client->options;

    console_init(
        &client->console, &(struct console_setup){
                              .out = options->mode == MODE_BOT ? bot->input : STDOUT_FILENO,
                              .wake = client->wake[1],
                              .wants_keys = mode_reads_input(options->mode),
                              .plain = options->output.plain,
                              .quiet = options->output.quiet,
                              .bell = bell_choose(options->bell),
                              .format = format_choose(options),
                          });
}

static enum session_kind session_choose(enum options_mode mode)
{
    if (mode == MODE_LIST)
        return SESSION_LISTER;
    return mode == MODE_POST || mode == MODE_SEND ? SESSION_POSTER : SESSION_MEMBER;
}

static bool setup_session(struct client *client, const char *answer)
{
    const struct options *options = client->options;
    const char *name = options->name != NULL ? options->name : answer;
    struct session_setup setup = {
        .kind = session_choose(options->mode),
        .secret = options->secret,
        .history = options->history,
        .keep = options->keep,
    };

    /* With -C the messages that count are those still to come, unless -H asks for others. */
    if (options->history == OPTIONS_UNSET)
        setup.history = client->console.screen && options->count == 0 ? HISTORY_DEFAULT : 0;
    /* What is typed may be a command, and a bot speaks the wire's language; all else is data. */
    setup.commands = client->console.keyboard || options->mode == MODE_BOT;
    if (!session_init(&client->session, &setup))
        return false;
    if (!session_name(&client->session, name) && options->mode != MODE_LIST)
        console_say(&client->console, "no name was given: your address will be your name");
    console_ask(&client->console, name);
    return true;
}

static enum input_source source_choose(const struct client *client)
{
    if (!mode_reads_input(client->options->mode))
        return INPUT_NONE;
    if (!client->console.keyboard)
        return INPUT_PIPE;
    return client->console.editor != NULL ? INPUT_KEYS : INPUT_TYPED;
}

static void setup_input(struct input *input, const struct client *client, const struct bot *bot)
{
    const struct options *options = client->options;

    if (options->mode == MODE_POST)
        input_init_texts(input, options->texts, options->texts_count);
    else if (options->mode == MODE_BOT)
        input_init(input, INPUT_BOT, bot->output);
    else
        input_init(input, source_choose(client), STDIN_FILENO);
}

static void setup_signals(const struct client *client)
{
    static const int always[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    static const int with_keyboard[] = {SIGQUIT, SIGTSTP, SIGCONT};

    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        signals_catch(always[i]);
    if (client->console.screen)
        signals_catch(SIGWINCH);
    if (!client->console.keyboard)
        return;
    for (size_t i = 0; i < sizeof with_keyboard / sizeof with_keyboard[0]; i++)
        signals_catch(with_keyboard[i]);
}

/* ---- Running ------------------------------------------------------------------------- */

/* In the room, to its end. */
static int conversation_run(
    struct client *client, struct input *input, struct bot *bot, int *signal)
{
    setup_signals(client);
    client->first_until = first_deadline(client);
    client->connection.heard = clock_now();
    session_connect(&client->session);
    if (client->options->command != NULL)
        console_lend(&client->console);
    else
        console_start(&client->console);
    if (!receiver_start(client)) {
        console_stop(&client->console, (struct span){"", 0});
        return start_fail(EX_OSERR, "thread");
    }
    return loop_run(client, input, client->options->mode == MODE_BOT ? bot : NULL, signal);
}

static int client_run(struct client *client, int *signal)
{
    static struct input input;
    struct bot bot = {.pid = -1, .output = -1, .input = -1};
    char answer[4096] = "";
    int status = connect_and_ask(client, answer, sizeof answer);

    if (status >= 0)
        return status;
    if (client->options->mode == MODE_BOT && !bot_start(&bot, client->options->bot))
        return start_fail(EX_OSERR, client->options->bot);
    setup_console(client, &bot);
    setup_input(&input, client, &bot);
    if (input_is_empty(&input)) /* there is nothing to join for */
        return EX_OK;
    if (!setup_session(client, answer))
        return start_fail(EX_OSERR, "memory");
    return conversation_run(client, &input, &bot, signal);
}

int main(int argc, char **argv)
{
    static struct client client;
    static struct options options;
    int signal = 0;
    int status;

    descriptors_hold();
    status = options_parse(&options, argc, argv);
    if (status >= 0)
        return status;
    screen_locale();
    if (!client_init(&client, &options))
        return start_fail(EX_OSERR, "pipe");
    signals_init(client.wake[1]);
    status = client_run(&client, &signal);
    pthread_mutex_lock(&client.lock);
    connection_close(&client.connection);
    pthread_mutex_unlock(&client.lock);
    console_finish(&client.console);
    if (signal != 0)
        signals_suffer(signal);
    /* Not exit(): the receiver may be waiting for a terminal or a pipe that takes nothing. */
    _exit(status);
}
