/* handover.c: the check by a child, the state's file, and exec. */
#include "handover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "protocol.h"
#include "wire/number.h"

/* The descriptor of the state, in decimal. */
#define VARIABLE "CHATD_HANDOVER"
#define ANSWER_US 5000000u
/* The exit status that means yes. Not 0: many programs exit with 0 for any arguments. */
#define ANSWER_YES 89

_Noreturn void handover_answer(const char *version)
{
    unsigned long asked;
    bool yes = number_parse(version, strlen(version), 1000000, &asked) && asked == HANDOVER_VERSION;

    _exit(yes ? ANSWER_YES : 1);
}

static void question_start(struct handover *h, uint64_t now)
{
    char version[16];

    snprintf(version, sizeof(version), "%d", HANDOVER_VERSION);
    h->step = HANDOVER_ASKING;
    h->until = now + ANSWER_US;
    if (children_start_question(h->children, h->program, version))
        return;
    report(h->report, LOG_ERR, "no upgrade: %s: %s", h->program, strerror(errno));
    h->step = HANDOVER_NONE;
}

void handover_ask(struct handover *h, uint64_t now)
{
    switch (h->step) {
    case HANDOVER_NONE:
        question_start(h, now);
        break;
    case HANDOVER_ASKING:
    case HANDOVER_ASKING_AGAIN:
        h->step = HANDOVER_ASKING_AGAIN;
        break;
    case HANDOVER_AGREED:
        break;
    }
}

void handover_answered(struct handover *h, int status)
{
    bool again = h->step == HANDOVER_ASKING_AGAIN;

    if (WIFEXITED(status) && WEXITSTATUS(status) == ANSWER_YES) {
        h->step = HANDOVER_AGREED;
        return;
    }
    report(h->report, LOG_ERR, "no upgrade: %s does not %s version %d of the state", h->program,
        WIFEXITED(status) ? "understand" : "answer whether it understands", HANDOVER_VERSION);
    h->step = HANDOVER_NONE;
    if (again)
        question_start(h, clock_us());
}

int handover_turn(struct handover *h, uint64_t now)
{
    if (h->step != HANDOVER_ASKING && h->step != HANDOVER_ASKING_AGAIN)
        return -1;
    if (now >= h->until)
        children_kill(h->children, CHILD_QUESTION);
    return now >= h->until ? 100 : (int)((h->until - now) / 1000) + 1;
}

/* Executes the program with the codec's bytes in a file. Returns where that failed. */
static void program_exec(const struct handover *h, const struct codec *c, char *const argv[])
{
    char number[16];
    int fd = memory_file(c->buf, c->len);

    if (fd != -1) {
        snprintf(number, sizeof(number), "%d", fd);
        if (setenv(VARIABLE, number, 1) == 0)
            execv(h->program, argv);
    }
    report(h->report, LOG_ERR, "no upgrade: %s: %s", h->program, strerror(errno));
    unsetenv(VARIABLE);
    if (fd != -1)
        close(fd);
}

void handover_exec(struct handover *h, handover_state *state, void *context, char *const argv[])
{
    struct codec c = {.keep_fds = true};
    uint64_t version = HANDOVER_VERSION;

    h->since = clock_us();
    codec_u64(&c, &version);
    codec_u64(&c, &h->since);
    if (state(context, &c) && !c.bad)
        program_exec(h, &c, argv);
    else
        report(h->report, LOG_ERR, "no upgrade: no memory for the state");
    h->step = HANDOVER_NONE;
    c.keep_fds = false;
    c.len = 0;
    c.bad = false;
    (void)state(context, &c);
    free(c.buf);
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

int handover_read(struct handover *h, struct codec *c, handover_state *state, void *context)
{
    uint64_t version = 0;

    codec_u64(c, &version);
    codec_u64(c, &h->since);
    if (version != HANDOVER_VERSION || !state(context, c) || c->bad || c->at != c->len) {
        report(h->report, LOG_ERR, "the state of the old program cannot be read");
        return EX_SOFTWARE;
    }
    free(c->buf);
    return 0;
}
