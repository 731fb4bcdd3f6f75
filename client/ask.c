/* ask.c: the question, and the answer as a line of the terminal. */
#include "ask.h"

#include "../compat/compat.h"
#include "../protocol.h"
#include "clock.h"
#include "outcome.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

int ask_name(int64_t deadline, char *answer, size_t size)
{
    static const char question[] = CHAT_PROGRAM ": your name: ";
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    int awake;
    ssize_t n;

    write_all(STDERR_FILENO, question, sizeof question - 1);
    do {
        awake = poll(&ready, 1, clock_left(deadline));
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
