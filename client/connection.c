/*
 * connection.c: see connection.h.
 */
#include "connection.h"

#include "../compat/compat.h"
#include "clock.h"
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long the command of -c may take for the server's goodbye, and then to end, in ms. */
#define COMMAND_SILENCE 1000
#define COMMAND_GRACE 200

void connection_init(struct connection *connection, const struct options *options)
{
    *connection = (struct connection){.options = options, .fd = -1, .command = -1};
}

void connection_adopt(struct connection *connection, int fd, pid_t command)
{
    if (connection->fd < 0) {
        connection->fd = fd;
    } else {
        dup2(fd, connection->fd);
        fcntl(connection->fd, F_SETFD, FD_CLOEXEC);
        close(fd);
    }
    connection->command = command;
    connection->state = CONNECTION_MADE;
    connection->heard = clock_now();
}

bool connection_is_open(const struct connection *connection)
{
    return connection->state == CONNECTION_MADE || connection->state == CONNECTION_UP;
}

bool connection_is_alive(const struct connection *connection)
{
    return connection_is_open(connection) || connection->state == CONNECTION_SHUT;
}

void connection_answered(struct connection *connection)
{
    if (connection->state == CONNECTION_MADE)
        connection->state = CONNECTION_UP;
}

void connection_hear(struct connection *connection)
{
    connection_answered(connection);
    connection->heard = clock_now();
}

bool connection_write(struct connection *connection, struct session *session)
{
    for (;;) {
        struct span bytes = session_pending(session);
        ssize_t n;
        if (bytes.len == 0)
            return false;
        n = write(connection->fd, bytes.at, bytes.len);
        if (n < 0 && errno != EINTR && error_passes(errno))
            return true;
        if (n < 0 && errno != EINTR) { /* the receiver sees the end after all that has come */
            connection_drop(connection, CONNECTION_DOWN);
            return false;
        }
        if (n > 0)
            session_sent(session, (size_t)n);
    }
}

/*
 * Commands that carry a connection often keep the end of the stream to themselves (nc, openssl
 * s_client), so through them it is said in words too.
 */
void connection_finish(struct connection *connection, struct session *session)
{
    if (connection->options->command != NULL) {
        session_say_goodbye(session);
        connection_write(connection, session);
    }
    if (!connection_is_open(connection))
        return;
    shutdown(connection->fd, SHUT_WR);
    connection->state = CONNECTION_SHUT;
    connection->heard = clock_now();
}

void connection_drop(struct connection *connection, enum connection_state why)
{
    if (connection->state != CONNECTION_SILENT)
        connection->state = why;
    shutdown(connection->fd, SHUT_RDWR);
}

int64_t connection_silence_ends(const struct connection *connection, const struct session *session)
{
    bool up = connection_is_open(connection) && session->state == SESSION_LOGIN;

    if (connection->state == CONNECTION_SHUT && connection->options->command != NULL)
        return connection->heard + (session->state == SESSION_LISTED ? 0 : COMMAND_SILENCE);
    if (connection->options->patience >= 0 && (up || connection->state == CONNECTION_SHUT))
        return connection->heard + connection->options->patience;
    return -1;
}

void connection_close(struct connection *connection)
{
    if (connection->fd >= 0)
        shutdown(connection->fd, SHUT_RDWR);
    if (connection->command > 0)
        command_end(connection->command, COMMAND_GRACE);
}
