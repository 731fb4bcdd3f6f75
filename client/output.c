/* output.c: the queue, and writes to a descriptor that may block. */
#include "output.h"

#include "../compat/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define TERMINAL_PATH_MAX 256
/* Bytes that a blocking terminal accepts without waiting when poll(2) says ready, in practice. */
#define BLOCKING_PIECE ((size_t)256)
/* A terminal with room for one byte is ready, but accepts no newline. Until the next try, in ms. */
#define STALL_PAUSE 20

/* ---- Terminals ---- */

bool terminal_is_same(int a, int b)
{
    struct stat one, other;

    return isatty(a) && isatty(b) && fstat(a, &one) == 0 && fstat(b, &other) == 0 &&
           one.st_rdev == other.st_rdev;
}

int terminal_reopen(int fd)
{
    const int flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    char path[TERMINAL_PATH_MAX];
    int own = -1;

    if (ttyname_r(fd, path, sizeof path) == 0)
        own = open(path, flags);
    if (own >= 0 && !terminal_is_same(fd, own)) {
        close(own);
        own = -1;
    }
    /* After su(1) the terminal belongs to another user and can only be opened by this name. */
    if (own < 0 && tcgetsid(fd) == getsid(0))
        own = open("/dev/tty", flags);
    return own;
}

void message_write(int fd, const char *bytes, size_t len, int patience)
{
    struct pollfd ready = {.events = POLLOUT};

    ready.fd = isatty(fd) ? terminal_reopen(fd) : -1;
    if (ready.fd < 0) {
        write_all(fd, bytes, len);
        return;
    }
    while (len > 0) {
        ssize_t n = write(ready.fd, bytes, len);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (!error_passes(errno) || poll(&ready, 1, patience) == 0) {
            break;
        }
    }
    close(ready.fd);
}

/* ---- The output ---- */

void output_init(struct output *output, int fd)
{
    int own;

    *output = (struct output){.kind = OUTPUT_STREAM, .fd = fd};
    if (!isatty(fd))
        return;
    output->kind = OUTPUT_TERMINAL;
    own = terminal_reopen(fd);
    if (own >= 0)
        output->fd = own;
}

static void output_fail(struct output *output, int error)
{
    output->kind = OUTPUT_CLOSED;
    output->error = error;
    output->text.len = 0;
}

/* The size of the next write. It is small if the terminal could not be opened again. */
static size_t terminal_piece(const struct output *output)
{
    int flags = fcntl(output->fd, F_GETFL);
    struct pollfd ready = {.fd = output->fd, .events = POLLOUT};

    if (flags < 0 || (flags & O_NONBLOCK) != 0)
        return output->text.len;
    if (poll(&ready, 1, 0) <= 0)
        return 0;
    return output->text.len < BLOCKING_PIECE ? output->text.len : BLOCKING_PIECE;
}

bool output_offer(struct output *output)
{
    if (output->kind == OUTPUT_CLOSED)
        output->text.len = 0;
    while (output->kind == OUTPUT_TERMINAL && output->text.len > 0) {
        size_t piece = terminal_piece(output);
        ssize_t n = piece > 0 ? write(output->fd, output->text.at, piece) : 0;
        if (n > 0)
            outbuf_take(&output->text, (size_t)n);
        else if (n < 0 && !error_passes(errno))
            output_fail(output, errno);
        else if (n == 0 || errno != EINTR)
            break;
    }
    return output->text.len == 0;
}

static bool terminal_wait(struct output *output, pthread_mutex_t *lock, int patience)
{
    struct pollfd ready = {.fd = output->fd, .events = POLLOUT};
    size_t before = SIZE_MAX;
    int awake;

    while (!output_offer(output)) {
        bool stalls = output->text.len >= before;

        before = output->text.len;
        if (stalls && patience >= 0 && (patience -= STALL_PAUSE) <= 0)
            return false;
        pthread_mutex_unlock(lock);
        if (stalls)
            poll(NULL, 0, STALL_PAUSE);
        awake = poll(&ready, 1, patience);
        pthread_mutex_lock(lock);
        if (awake == 0)
            return false;
    }
    return true;
}

static void stream_write(struct output *output, pthread_mutex_t *lock)
{
    struct outbuf text = output->text;
    bool written;

    output->text = output->held;
    output->held = text;
    output->busy = true;
    pthread_mutex_unlock(lock);
    written = write_all(output->fd, text.at, text.len);
    pthread_mutex_lock(lock);
    output->busy = false;
    output->held.len = 0;
    if (!written)
        output_fail(output, errno);
}

bool output_wait(struct output *output, pthread_mutex_t *lock, int patience)
{
    while (output->kind == OUTPUT_STREAM && output->text.len > 0 && !output->busy)
        stream_write(output, lock);
    return output->kind == OUTPUT_STREAM || terminal_wait(output, lock, patience);
}

void output_close(struct output *output)
{
    if (output->kind != OUTPUT_CLOSED && !output->busy)
        close(output->fd);
    output->kind = OUTPUT_CLOSED;
}
