/* Whom the kernel kills when memory runs out: see compat.h. */
#include "os.h"

#include "compat.h"

#if defined(__linux__)

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * In thousandths of the memory that there is (or that the cgroup may use): a process is judged as
 * if it used so much more than it does. With half of it a worker is chosen before its parent, but
 * not before a program that has eaten most of the machine.
 */
#define RAISE 500
#define HIGHEST 1000

/* Writes value, of at most four digits, without a NUL; the length. No stdio: that would touch more
 * of the stack than a worker ever does. */
static size_t score_write(char out[5], int value)
{
    size_t len = 0;

    if (value < 0) {
        out[len++] = '-';
        value = -value;
    }
    for (int unit = 1000; unit > 0; unit /= 10)
        if (value >= unit || unit == 1)
            out[len++] = (char)('0' + value / unit % 10);
    return len;
}

void oom_score_raise(void)
{
    char text[16];
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    ssize_t n;

    if (fd == -1)
        return;
    n = read(fd, text, sizeof text - 1);
    if (n > 0) {
        text[n] = '\0';
        int score = atoi(text) + RAISE;
        n = write(fd, text, score_write(text, score < HIGHEST ? score : HIGHEST));
        (void)n; /* where /proc is read-only the kernel judges by size alone */
    }
    close(fd);
}

#else

void oom_score_raise(void)
{
}

#endif
