/* client.c: sets up what is shared, and wakes the main thread by a pipe. */
#include "client.h"

#include "../compat/compat.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* How often, and after how many ms, a byte is tried again that the kernel has no memory for. */
#define WAKE_TRIES 1000
#define WAKE_PAUSE 1

bool client_init(struct client *client, const struct options *options)
{
    *client = (struct client){.options = options, .leave_at = -1, .wake = {-1, -1}};
    dialer_init(&client->dialer, options);
    connection_init(&client->connection, options);
    if (options->leave_after > 0)
        client->leave_at = clock_now() + 1000 * (int64_t)options->leave_after;
    pthread_mutex_init(&client->lock, NULL);
    if (!pipe_cloexec(client->wake))
        return false;
    fcntl(client->wake[0], F_SETFL, O_NONBLOCK);
    fcntl(client->wake[1], F_SETFL, O_NONBLOCK);
    return true;
}

const char *client_server(const struct client *client)
{
    const struct options *options = client->options;

    return options->command != NULL ? options->command : options->server;
}

void client_wake(struct client *client)
{
    for (int i = 0; i < WAKE_TRIES && write(client->wake[1], "", 1) < 0; i++) {
        if (errno == EAGAIN || !error_passes(errno))
            return; /* a full pipe wakes as well */
        poll(NULL, 0, WAKE_PAUSE);
    }
}
