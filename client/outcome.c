/* outcome.c: the status and the message for each kind of end. */
#include "outcome.h"

#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

/* How it stands in the end; a receiver that has more to receive goes on meanwhile. */
struct outcome {
    enum client_end end;
    enum session_state state;
    bool done;
    unsigned long unanswered;
    unsigned long present;
    int verdict;
};

int outcome_verdict(const struct client *client)
{
    return client->session.refused > 0 ? EXIT_NO : EX_OK;
}

bool outcome_loses_lines(struct client *client)
{
    enum client_end end;

    pthread_mutex_lock(&client->lock);
    end = client->end;
    pthread_mutex_unlock(&client->lock);
    return client->console.keyboard || (end != CLIENT_REJECTED && end != CLIENT_NOT_CHATD);
}

static struct outcome outcome_look(struct client *client)
{
    const struct session *session = &client->session;
    struct outcome outcome;

    pthread_mutex_lock(&client->lock);
    outcome = (struct outcome){
        .end = client->end,
        .state = session->state,
        .done = session_is_done(session),
        .unanswered = queue_count_sent(&session->queue),
        .present = session->present,
        .verdict = outcome_verdict(client),
    };
    pthread_mutex_unlock(&client->lock);
    return outcome;
}

static void say_unconfirmed(struct console *console, unsigned long lines)
{
    if (lines > 0)
        console_say(console, "not confirmed: %lu line%s", lines, lines == 1 ? "" : "s");
}

/* The server ended it, or has no more to say: did all go well? */
static int outcome_result(const struct outcome *outcome, struct console *console)
{
    unsigned long lines = outcome->unanswered;

    if (outcome->state == SESSION_LISTED)
        return outcome->present > 0 ? EX_OK : EXIT_NO;
    if (outcome->done)
        return outcome->verdict;
    if (lines > 0)
        console_say(console, "the server went away; not confirmed: %lu line%s", lines,
            lines == 1 ? "" : "s");
    else
        console_say(console, "the server went away");
    return EX_UNAVAILABLE;
}

static int outcome_by_server(struct client *client, const struct outcome *outcome)
{
    const char *where = client_server(client);
    struct console *console = &client->console;
    bool full = outcome->state == SESSION_FULL;

    switch (outcome->end) {
    case CLIENT_KICKED:
        console_say(
            console, "you were kicked out%s%s", *client->why != '\0' ? ": " : "", client->why);
        say_unconfirmed(console, outcome->unanswered);
        return EX_NOPERM;
    case CLIENT_UNANSWERED:
        console_say(console, "%s: no answer", where);
        return EX_UNAVAILABLE;
    case CLIENT_NOT_CHATD:
        console_say(console, "%s: not a chatd server", where);
        return EX_PROTOCOL;
    case CLIENT_REJECTED:
        console_say(console, full ? "the room is full: %s" : "refused: %s", client->why);
        return full ? EX_TEMPFAIL : EX_NOPERM;
    case CLIENT_WAITED:
        console_say(
            console, "%s: try later%s%s", where, *client->why != '\0' ? ": " : "", client->why);
        return EX_TEMPFAIL;
    case CLIENT_UNREACHED:
        return client->unreached;
    case CLIENT_OUTPUT:
        console_say(console, "standard output: %s", strerror(console->output.error));
        return EX_IOERR;
    case CLIENT_ON:
    case CLIENT_GONE:
        break;
    }
    return outcome_result(outcome, console);
}

/* A user who leaves is told, too, what may not have arrived. */
int outcome_status(struct client *client, int chosen)
{
    struct outcome outcome = outcome_look(client);

    if (chosen < 0)
        return outcome_by_server(client, &outcome);
    say_unconfirmed(&client->console, outcome.unanswered);
    return chosen;
}

int outcome_with_bot(struct console *console, const struct bot *bot, int status)
{
    if (bot->status == 0 || status != EX_OK)
        return status;
    if (WIFEXITED(bot->status))
        console_say(console, "the bot ended with status %d", WEXITSTATUS(bot->status));
    else
        console_say(console, "the bot ended by signal %d", WTERMSIG(bot->status));
    return EXIT_NO;
}
