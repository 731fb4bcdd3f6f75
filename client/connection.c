/* connection.c: replaces the descriptor, and reads and writes it. */
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
    connection->heard = connection->looked = clock_now();
    path_begin(&connection->path, connection->fd);
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

/* One write(2) of what there is room for; false where no more can be done now. */
static bool connection_write_some(struct connection *connection, struct session *session,
    struct span bytes, enum connection_more *more)
{
    size_t room = path_room(&connection->path, connection->fd);
    ssize_t n;

    *more = CONNECTION_LATER;
    if (room == 0)
        return false;
    n = write(connection->fd, bytes.at, bytes.len < room ? bytes.len : room);
    if (n > 0) {
        session_sent(session, (size_t)n);
        path_written(&connection->path, (size_t)n);
    }
    if (n >= 0 || errno == EINTR)
        return true;
    *more = CONNECTION_FULL;
    if (!error_passes(errno)) { /* the receiver sees the end after all that has come */
        connection_drop(connection, CONNECTION_DOWN);
        *more = CONNECTION_DONE;
    }
    return false;
}

enum connection_more connection_write(struct connection *connection, struct session *session)
{
    enum connection_more more;
    struct span bytes;

    do {
        bytes = session_pending(session);
        if (bytes.len == 0)
            return CONNECTION_DONE;
    } while (connection_write_some(connection, session, bytes, &more));
    return more;
}

int64_t connection_looks_at(const struct connection *connection)
{
    if (!connection_is_alive(connection) || !path_is_watched(&connection->path))
        return -1;
    return connection->looked + PATH_LOOK;
}

void connection_look(struct connection *connection)
{
    connection->looked = clock_now();
    if (path_is_dead(&connection->path, connection->fd))
        connection_drop(connection, CONNECTION_DOWN);
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
