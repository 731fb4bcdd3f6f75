/*
 * chat.c: the client. Sets up what the options ask for, starts the receiver (client/receiver.c),
 * is the sender (client/sender.c), and puts everything back.
 */
#include "client/client.h"
#include "client/clock.h"
#include "client/command.h"
#include "client/signals.h"
#include "compat/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

/* Seconds to connect, and for a server to say something where it must. */
#define PATIENCE_DEFAULT 10
/* Past events on a terminal. */
#define HISTORY_DEFAULT 20
/* The receiver's buffers are on its stack; some systems give threads little. */
#define RECEIVER_STACK ((size_t)1 << 20)
/* How long a command that carried the connection may take to end, in ms. */
#define COMMAND_GRACE 200

/* How often, and after how many ms, a byte is tried again that the kernel has no memory for. */
#define WAKE_TRIES 1000
#define WAKE_PAUSE 1

/* What is needed to run, and to clean up after. */
struct setup {
    struct options options;
    int bot_in;  /* what a bot says; -1 */
    int bot_out; /* what it hears; -1 */
    pid_t bot;   /* -1 */
};

static int fail(int status, const char *what)
{
    fprintf(stderr, "chat: %s: %s\n", what, strerror(errno));
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

static bool pipe_cloexec(int fds[2])
{
    if (pipe(fds) < 0)
        return false;
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    return true;
}

/* ---- The connection ------------------------------------------------------------------ */

int client_connect(struct client *client, pid_t *command, struct connect_failure *failure)
{
    const struct options *options = client->options;
    int64_t patience = client->patience >= 0 ? client->patience : PATIENCE_DEFAULT * 1000;

    *command = -1;
    if (options->command != NULL)
        return connect_command(options->command, command, failure);
    return connect_server(
        &options->address, clock_earlier(clock_now() + patience, client->leave_at), failure);
}

/* The first connection. Returns -1, or the status to exit with. */
static int link_open(struct client *client)
{
    struct connect_failure failure;

    client->link = client_connect(client, &client->command, &failure);
    if (client->link >= 0)
        return -1;
    if (clock_left(client->leave_at) == 0) /* the answer that -W gives, whatever is the reason */
        return EXIT_NO;
    console_say(&client->console, "%s", failure.text);
    return failure.status;
}

/*
 * While the user was thinking about a name, which no server waits for without end: one that has
 * said something has said that, and another connection is needed. Returns like link_open().
 */
static int link_renew(struct client *client)
{
    struct pollfd ready = {.fd = client->link, .events = POLLIN};

    if (poll(&ready, 1, 0) == 0)
        return -1;
    close(client->link);
    if (client->command > 0)
        command_end(client->command, 0);
    return link_open(client);
}

void client_wake(struct client *client)
{
    bool woken;

    pthread_mutex_lock(&client->lock);
    woken = client->woken;
    client->woken = true;
    pthread_mutex_unlock(&client->lock);
    /* There is room for it, so nothing can keep it from the pipe for long. */
    for (int i = 0; !woken && i < WAKE_TRIES && write(client->wake[1], "", 1) < 0; i++)
        poll(NULL, 0, WAKE_PAUSE);
}

/* ---- The name ------------------------------------------------------------------------ */

/* Asks on the terminal. Returns -1, or the status to exit with where there is no answer. */
static int name_ask(const struct client *client, char *answer, size_t size)
{
    static const char question[] = "chat: your name: ";
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    int awake;
    ssize_t n;

    write_all(STDERR_FILENO, question, sizeof question - 1);
    do {
        awake = poll(&ready, 1, clock_left(client->leave_at));
        n = awake > 0 ? read(STDIN_FILENO, answer, size - 1) : awake;
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        write_all(STDERR_FILENO, "\n", 1);
        return awake == 0 ? EXIT_NO : EX_OK;
    }
    answer[n] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return -1;
}

static bool name_is_asked(const struct options *options)
{
    return options->mode != MODE_LIST && options->name == NULL && !options->receive_only &&
           isatty(STDIN_FILENO);
}

static void name_set(struct client *client, const char *answer)
{
    const struct options *options = client->options;

    if (options->mode != MODE_LIST &&
        !session_name(&client->session, options->name != NULL ? options->name : answer))
        console_say(&client->console, "no name was given: your address will be your name");
}

/* ---- Setting up ---------------------------------------------------------------------- */

static enum console_format format_choose(const struct options *options)
{
    if (options->raw || options->mode == MODE_BOT)
        return CONSOLE_WIRE;
    switch (options->mode) {
    case MODE_TALK:
    case MODE_RECEIVE:
    case MODE_BOT:
        return CONSOLE_PRETTY;
    case MODE_SEND:
    case MODE_POST:
        return CONSOLE_NOTHING;
    case MODE_LIST:
        return CONSOLE_NAMES;
    }
    return CONSOLE_NOTHING;
}

static bool mode_reads_input(enum options_mode mode)
{
    return mode == MODE_TALK || mode == MODE_SEND;
}

static bool setup_session(struct client *client)
{
    const struct options *options = client->options;
    struct session_setup setup = {
        .kind = SESSION_MEMBER,
        .secret = options->secret,
        .history = options->history,
        .keep = options->keep,
    };

    if (options->mode == MODE_LIST)
        setup.kind = SESSION_LISTER;
    else if (options->mode == MODE_POST || options->mode == MODE_SEND)
        setup.kind = SESSION_POSTER;
    /* Who counts messages means those that are still to come, unless he asks for others. */
    if (options->history == OPTIONS_UNSET)
        setup.history = client->console.screen && options->count == 0 ? HISTORY_DEFAULT : 0;
    /* What is typed may be a command, and a bot speaks the wire's language; all else is data. */
    setup.commands = client->console.keyboard || options->mode == MODE_BOT;
    return session_init(&client->session, &setup);
}

/* Two pipes, one each way: a bot may close one and go on with the other. */
static bool setup_bot(struct setup *setup)
{
    int hears[2], says[2];

    if (!pipe_cloexec(hears) || !pipe_cloexec(says))
        return false;
    setup->bot = command_start(setup->options.bot, hears[0], says[1]);
    close(hears[0]);
    close(says[1]);
    setup->bot_out = hears[1];
    setup->bot_in = says[0];
    fcntl(setup->bot_in, F_SETFL, O_NONBLOCK);
    return setup->bot > 0;
}

static void setup_console(struct client *client, const struct setup *setup)
{
    const struct options *options = client->options;

    console_init(
        &client->console, &(struct console_setup){
                              .out = options->mode == MODE_BOT ? setup->bot_out : STDOUT_FILENO,
                              .is_bot = options->mode == MODE_BOT,
                              .wants_keys = mode_reads_input(options->mode),
                              .plain = options->plain,
                              .quiet = options->quiet,
                              .bell = options->bell != BELL_OFF,
                              .format = format_choose(options),
                          });
}

static void setup_signals(struct client *client)
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

/* Signals are the sender's. */
static bool receiver_start(struct client *client)
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

/* ---- Running ------------------------------------------------------------------------- */

/* In the room, to its end. */
static int client_talk(struct client *client, const struct setup *setup, int *signal)
{
    int input = -1;

    if (setup->options.mode == MODE_BOT)
        input = setup->bot_in;
    else if (mode_reads_input(setup->options.mode))
        input = STDIN_FILENO;
    setup_signals(client);
    client->up = true;
    client->heard = clock_now();
    session_connect(&client->session);
    console_start(&client->console);
    if (!receiver_start(client)) {
        console_stop(&client->console, (struct span){"", 0});
        return fail(EX_OSERR, "thread");
    }
    return sender_run(client, input, setup->bot, signal);
}

/* Whatever has become of it. */
static void link_close(struct client *client)
{
    pthread_mutex_lock(&client->lock);
    if (client->link >= 0)
        shutdown(client->link, SHUT_RDWR);
    if (client->command > 0)
        command_end(client->command, COMMAND_GRACE);
    pthread_mutex_unlock(&client->lock);
}

static int client_run(struct client *client, struct setup *setup, int *signal)
{
    char answer[4096] = "";
    int status;

    if (!pipe_cloexec(client->wake))
        return fail(EX_OSERR, "pipe");
    fcntl(client->wake[0], F_SETFL, O_NONBLOCK);
    fcntl(client->wake[1], F_SETFL, O_NONBLOCK);
    signals_init(client->wake[1]);
    status = link_open(client); /* nobody is asked for a name where nobody listens */
    if (status < 0 && name_is_asked(&setup->options)) {
        status = name_ask(client, answer, sizeof answer);
        if (status < 0)
            status = link_renew(client);
    }
    if (status >= 0)
        return status;
    if (setup->options.mode == MODE_BOT && !setup_bot(setup))
        return fail(EX_OSERR, setup->options.bot);
    setup_console(client, setup);
    if (!setup_session(client))
        return fail(EX_OSERR, "memory");
    name_set(client, answer);
    return client_talk(client, setup, signal);
}

int main(int argc, char **argv)
{
    static struct client client;
    static struct setup setup = {.bot_in = -1, .bot_out = -1, .bot = -1};
    int signal = 0;
    int status;

    descriptors_hold();
    status = options_parse(&setup.options, argc, argv);
    if (status >= 0)
        return status;
    screen_locale();
    client = (struct client){.options = &setup.options, .link = -1, .command = -1};
    client.leave_at = -1;
    if (setup.options.leave_after > 0)
        client.leave_at = clock_now() + 1000 * (int64_t)setup.options.leave_after;
    client.patience = PATIENCE_DEFAULT * 1000;
    if (setup.options.patience != OPTIONS_UNSET)
        client.patience = 1000 * (int64_t)setup.options.patience;
    else if (setup.options.command != NULL)
        client.patience = -1; /* it may be asking somebody for a password */
    pthread_mutex_init(&client.lock, NULL);
    status = client_run(&client, &setup, &signal);
    link_close(&client);
    if (signal != 0)
        signals_suffer(signal);
    /* Not exit(): the receiver may be waiting for a terminal or a pipe that takes nothing. */
    _exit(status);
}
