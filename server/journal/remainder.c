/* remainder.c: see remainder.h. The writer's answers are read and discarded. */
#include "remainder.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol.h"
#include "server/process.h"

#define LINES_FD 0
#define WRITER_FD 1
#define PIECE 65536

/* The writer must not wait for space for answers that nobody reads. False: it has exited. */
static bool discard_answers(void)
{
    char answers[PIECE];
    ssize_t n;

    while ((n = recv(WRITER_FD, answers, sizeof(answers), 0)) > 0)
        ;
    return n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* Sends all of it. False: the writer has exited. */
static bool hand_over(const char *bytes, size_t len)
{
    while (len > 0) {
        struct pollfd pfd = {.fd = WRITER_FD, .events = POLLIN | POLLOUT};
        ssize_t n = send(WRITER_FD, bytes, len, MSG_NOSIGNAL);

        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (n == -1 && !error_passes(errno)) {
            return false;
        }
        if (!discard_answers())
            return false;
        if (len > 0)
            (void)poll(&pfd, 1, -1);
    }
    return true;
}

_Noreturn void remainder_main(const struct proctitle *title)
{
    char buf[PIECE];
    ssize_t n;

    process_begin(title, CHATD_PROGRAM ": remainder");
    while ((n = read(LINES_FD, buf, sizeof(buf))) > 0)
        if (!hand_over(buf, (size_t)n))
            break;
    _exit(n == 0 ? 0 : 1);
}
