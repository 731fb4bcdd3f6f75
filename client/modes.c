/* modes.c: tcgetattr(), tcsetattr(), and typed input that the terminal still holds. */
#include "modes.h"

#include <signal.h>
#include <unistd.h>

void modes_take(struct modes *modes, enum modes_editing editing)
{
    struct termios now;

    if (!modes->changed && tcgetattr(STDIN_FILENO, &modes->before) < 0)
        return;
    now = modes->before;
    switch (editing) {
    case MODES_KERNEL:
        now.c_cc[VEOL] = now.c_cc[VINTR];
        now.c_cc[VINTR] = _POSIX_VDISABLE;
        break;
    case MODES_EDITOR:
        now.c_iflag &= ~(tcflag_t)IXON;
        now.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
        now.c_cc[VMIN] = 1;
        now.c_cc[VTIME] = 0;
        break;
    }
    modes->changed = true;
    tcsetattr(STDIN_FILENO, TCSANOW, &now);
}

/* In the background, SIGTTOU would stop the program. */
void modes_give(struct modes *modes, bool drops)
{
    sigset_t stop, mask;

    if (!modes->changed)
        return;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &stop, &mask);
    if (drops)
        tcflush(STDIN_FILENO, TCIFLUSH);
    tcsetattr(STDIN_FILENO, TCSANOW, &modes->before);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    modes->changed = false;
}

bool modes_is_interrupt(const struct modes *modes, char c)
{
    cc_t interrupt = modes->before.c_cc[VINTR];

    return modes->changed && interrupt != _POSIX_VDISABLE && (cc_t)c == interrupt;
}

/* Reads the input queue, including an unfinished line. Returns the number of bytes. */
static size_t modes_drain(char *bytes, size_t size)
{
    struct termios modes;
    struct termios keys;
    ssize_t n;

    if (tcgetattr(STDIN_FILENO, &modes) < 0)
        return 0;
    keys = modes;
    keys.c_lflag &= ~(tcflag_t)ICANON;
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    n = read(STDIN_FILENO, bytes, size);
    tcsetattr(STDIN_FILENO, TCSANOW, &modes);
    return n > 0 ? (size_t)n : 0;
}

/* A last line without an end counts. */
unsigned long modes_drop_typed(void)
{
    unsigned long lines = 0;
    bool open = false;
    char bytes[4096];
    size_t len;

    if (tcgetpgrp(STDIN_FILENO) != getpgrp())
        return 0;
    while ((len = modes_drain(bytes, sizeof bytes)) > 0) {
        for (size_t i = 0; i < len; i++)
            lines += bytes[i] == '\n';
        open = bytes[len - 1] != '\n';
    }
    return lines + open;
}
