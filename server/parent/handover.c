/* handover.c: see handover.h. */
#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "protocol.h"
#include "wire/number.h"

/* The descriptor of the state, in decimal. */
#define VARIABLE "CHATD_HANDOVER"
#define ANSWER_US 5000000u
/* The exit status that means yes; 0 would be the answer of many a program to anything. */
#define ANSWER_YES 89

_Noreturn void handover_answer(const char *version)
{
    unsigned long asked;
    bool yes = number_parse(version, strlen(version), 1000000, &asked) && asked == HANDOVER_VERSION;

    _exit(yes ? ANSWER_YES : 1);
}

void handover_ask(struct handover *h, const struct report *r, uint64_t now)
{
    char name[] = HANDOVER_QUESTION;
    char version[16];
    char *argv[] = {name, version, NULL};
    int null;

    h->again = h->asking != 0;
    if (h->asking != 0 || h->agreed)
        return;
    snprintf(version, sizeof(version), "%d", HANDOVER_VERSION);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    h->asking = null == -1 ? -1 : spawn_worker(h->program, argv, null, null);
    if (h->asking == -1) {
        report(r, LOG_ERR, "no upgrade: %s: %s", h->program, strerror(errno));
        h->asking = 0;
    }
    h->until = now + ANSWER_US;
    if (null != -1)
        close(null);
}

bool handover_reaped(struct handover *h, pid_t pid, int status, const struct report *r)
{
    if (h->asking == 0 || pid != h->asking)
        return false;
    h->asking = 0;
    h->agreed = WIFEXITED(status) && WEXITSTATUS(status) == ANSWER_YES;
    if (!h->agreed)
        report(r, LOG_ERR, "no upgrade: %s does not %s version %d of the state", h->program,
            WIFEXITED(status) ? "understand" : "answer whether it understands", HANDOVER_VERSION);
    return true;
}

int handover_turn(struct handover *h, const struct report *r, uint64_t now)
{
    if (h->asking == 0 && h->again)
        handover_ask(h, r, now);
    if (h->asking == 0)
        return -1;
    if (now >= h->until)
        kill(h->asking, SIGKILL);
    return now >= h->until ? 100 : (int)((h->until - now) / 1000) + 1;
}

void handover_exec(
    struct handover *h, const struct codec *c, char *const argv[], const struct report *r)
{
    char number[16];
    int fd = memory_file();

    h->agreed = false;
    if (fd != -1 && write_all(fd, c->buf, c->len) && lseek(fd, 0, SEEK_SET) == 0) {
        snprintf(number, sizeof(number), "%d", fd);
        if (setenv(VARIABLE, number, 1) == 0)
            execv(h->program, argv);
    }
    report(r, LOG_ERR, "no upgrade: %s: %s", h->program, strerror(errno));
    unsetenv(VARIABLE);
    if (fd != -1)
        close(fd);
}

static bool read_all(int fd, char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = read(fd, bytes, len);

        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

bool handover_arrives(struct codec *c)
{
    const char *text = getenv(VARIABLE);
    unsigned long fd;
    struct stat st;

    if (text == NULL)
        return false;
    *c = (struct codec){.loading = true, .bad = true};
    if (number_parse(text, strlen(text), 1000000, &fd) && fstat((int)fd, &st) == 0) {
        c->len = (size_t)st.st_size;
        c->buf = malloc(c->len + 1);
        c->bad = c->buf == NULL || !read_all((int)fd, c->buf, c->len);
        close((int)fd);
    }
    unsetenv(VARIABLE);
    return true;
}
