/* children.c: starts, reaps and kills, and knows which kind each process is. */
#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "protocol.h"
#include "server/hub/codec.h"
#include "server/hub/config.h"
#include "server/worker/worker.h"

#define WORKER_NAME CHATD_PROGRAM ": worker"
#define WRITER_NAME CHATD_PROGRAM ": writer"
#define QUESTION_NAME CHATD_PROGRAM ": handover"
#define OPENER_NAME CHATD_PROGRAM ": opener"
#define REMAINDER_NAME CHATD_PROGRAM ": remainder"
#define ACCESS_NAME CHATD_PROGRAM ": access rules"
#define ENGINE_NAME CHATD_PROGRAM ": engine"
#define LOOKUP_NAME CHATD_PROGRAM ": lookup"
/* Space in a process's arguments for the title that ps(1) shows. */
#define TITLE_SPACE 160

/* ---- Roles ----------------------------------------------------------------------------------- */

static bool role_is(int argc, char **argv, int wanted, const char *name)
{
    return argc == wanted && strcmp(argv[0], name) == 0;
}

enum child_kind children_role(int argc, char **argv)
{
    if (role_is(argc, argv, 3, WORKER_NAME))
        return CHILD_WORKER;
    if (role_is(argc, argv, 4, WRITER_NAME))
        return CHILD_WRITER;
    if (role_is(argc, argv, 3, OPENER_NAME))
        return CHILD_OPENER;
    if (role_is(argc, argv, 2, REMAINDER_NAME))
        return CHILD_REMAINDER;
    if (role_is(argc, argv, 2, ACCESS_NAME))
        return CHILD_ACCESS;
    if (role_is(argc, argv, 3, ENGINE_NAME))
        return CHILD_ENGINE;
    if (role_is(argc, argv, 3, LOOKUP_NAME))
        return CHILD_LOOKUP;
    return role_is(argc, argv, 2, QUESTION_NAME) ? CHILD_QUESTION : CHILD_NONE;
}

/* ---- Starting -------------------------------------------------------------------------------- */

bool children_init(struct children *c, const char *argv0, const struct report *r)
{
    c->program = self_exe(c->path, sizeof(c->path), argv0);
    if (c->program == NULL)
        report(r, LOG_ERR, "%s: cannot find the program's own path: %s", argv0, strerror(errno));
    return c->program != NULL;
}

int children_confine(struct children *c, enum sandbox_mode mode, const struct report *r)
{
    c->sandbox = SANDBOX_NONE;
    if (mode == SANDBOX_OFF) {
        report(r, LOG_NOTICE, "sandbox: off");
        return 0;
    }
    c->sandbox = sandbox_probe();
    if (mode == SANDBOX_REQUIRE && c->sandbox != SANDBOX_FILTER) {
        report(r, LOG_ERR, "-S require: this system has no filter (only: %s)",
            sandbox_name(c->sandbox));
        return EX_NOPERM;
    }
    report(r, LOG_NOTICE, "sandbox: %s", sandbox_name(c->sandbox));
    return 0;
}

/* Starts this image with fd as 0 and one end of a new pair as 1; the other end is *pair. */
static pid_t start_image(const struct children *c, char *const argv[], int fd, int *pair)
{
    int ends[2];
    int error;
    pid_t pid;

    if (socketpair_cloexec_nonblock(ends) == -1)
        return -1;
    pid = spawn_worker(c->program, argv, fd, ends[1]);
    error = errno;
    close(ends[1]);
    if (pid == -1)
        close(ends[0]);
    else
        *pair = ends[0];
    errno = error;
    return pid;
}

static char *title_space(char space[TITLE_SPACE + 1])
{
    memset(space, '-', TITLE_SPACE);
    space[TITLE_SPACE] = '\0';
    return space;
}

pid_t children_start_worker(const struct children *c, int client, bool proxied, int *pair)
{
    char name[] = WORKER_NAME;
    char mode[] = {sandbox_letter(c->sandbox), proxied ? WORKER_PROXY : '\0', '\0'};
    char space[TITLE_SPACE + 1];
    char *argv[] = {name, mode, title_space(space), NULL};

    return start_image(c, argv, client, pair);
}

void children_signal_worker(pid_t pid, int sig)
{
    kill(pid, sig);
}

/* Notes what was started; the caller has seen that there is space. */
static bool others_add(struct children *c, enum child_kind kind, pid_t pid)
{
    if (pid == -1)
        return false;
    c->others[c->count++] = (struct child){.kind = kind, .pid = pid};
    return true;
}

static bool others_have_space(const struct children *c)
{
    if (c->count < CHILDREN_OTHERS_MAX)
        return true;
    errno = EAGAIN;
    return false;
}

/* Lookups that are not reaped take no more than their share of the table. */
static bool lookups_have_space(const struct children *c)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++)
        count += c->others[i].kind == CHILD_LOOKUP;
    if (count < LOOKUPS_MAX)
        return others_have_space(c);
    errno = EAGAIN;
    return false;
}

bool children_start_writer(struct children *c, int file, const char *path, bool sync, int *pair)
{
    char name[] = WRITER_NAME;
    char mode[] = {sandbox_letter(c->sandbox), sync ? 's' : '-', '\0'};
    char space[TITLE_SPACE + 1];
    char *argv[] = {name, (char *)path, mode, title_space(space), NULL};

    return others_have_space(c) && others_add(c, CHILD_WRITER, start_image(c, argv, file, pair));
}

bool children_start_opener(struct children *c, int file, const char *path, bool sync, int *pair)
{
    char name[] = OPENER_NAME;
    char mode[] = {sync ? 's' : '-', '\0'};
    char *argv[] = {name, mode, (char *)path, NULL};

    return others_have_space(c) && others_add(c, CHILD_OPENER, start_image(c, argv, file, pair));
}

bool children_start_remainder(struct children *c, int lines, int pair)
{
    char name[] = REMAINDER_NAME;
    char space[TITLE_SPACE + 1];
    char *argv[] = {name, title_space(space), NULL};

    return others_have_space(c) &&
           others_add(c, CHILD_REMAINDER, spawn_worker(c->program, argv, lines, pair));
}

/* A process without a pair; fd -1: it has no descriptor but /dev/null. */
static bool start_alone(
    struct children *c, enum child_kind kind, const char *program, char *const argv[], int fd)
{
    int null = others_have_space(c) ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
    bool done;
    int error;

    if (null == -1)
        return false;
    done = others_add(c, kind, spawn_worker(program, argv, fd == -1 ? null : fd, null));
    error = errno;
    close(null);
    errno = error;
    return done;
}

/* The engine has nothing but its pair. */
bool children_start_engine(struct children *c, int *pair)
{
    char name[] = ENGINE_NAME;
    char mode[] = {sandbox_letter(c->sandbox), '\0'};
    char space[TITLE_SPACE + 1];
    char *argv[] = {name, mode, title_space(space), NULL};
    int null = others_have_space(c) ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
    bool done;
    int error;

    if (null == -1)
        return false;
    done = others_add(c, CHILD_ENGINE, start_image(c, argv, null, pair));
    error = errno;
    close(null);
    errno = error;
    return done;
}

bool children_start_question(struct children *c, const char *program, char *version)
{
    char name[] = QUESTION_NAME;
    char *argv[] = {name, version, NULL};

    return start_alone(c, CHILD_QUESTION, program, argv, -1);
}

bool children_start_access(struct children *c, int answer, const char *path)
{
    char name[] = ACCESS_NAME;
    char *argv[] = {name, (char *)path, NULL};

    return start_alone(c, CHILD_ACCESS, c->program, argv, answer);
}

pid_t children_start_lookup(struct children *c, char kind, const char *key, int *pair)
{
    char name[] = LOOKUP_NAME;
    char kinds[] = {kind, '\0'};
    char *argv[] = {name, kinds, (char *)key, NULL};
    int null = lookups_have_space(c) ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
    pid_t pid;
    int error;

    if (null == -1)
        return -1;
    pid = start_image(c, argv, null, pair);
    error = errno;
    close(null);
    (void)others_add(c, CHILD_LOOKUP, pid);
    errno = error;
    return pid;
}

/* ---- Ending ---------------------------------------------------------------------------------- */

bool children_have(const struct children *c, enum child_kind kind)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->others[i].kind == kind)
            return true;
    return false;
}

void children_kill(const struct children *c, enum child_kind kind)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->others[i].kind == kind)
            kill(c->others[i].pid, SIGKILL);
}

void children_end(const struct children *c, pid_t pid)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->others[i].pid == pid)
            kill(pid, SIGKILL);
}

/* Takes a pid out of the table. */
static enum child_kind others_remove(struct children *c, pid_t pid)
{
    for (size_t i = 0; i < c->count; i++) {
        enum child_kind kind = c->others[i].kind;

        if (c->others[i].pid != pid)
            continue;
        c->others[i] = c->others[--c->count];
        return kind;
    }
    return CHILD_WORKER;
}

bool children_reap(struct children *c, struct child *child, int *status)
{
    child->pid = waitpid(-1, status, WNOHANG);
    if (child->pid <= 0)
        return false;
    child->kind = others_remove(c, child->pid);
    return true;
}

/* ---- The next program ------------------------------------------------------------------------ */

void children_state(struct children *c, struct codec *codec)
{
    codec_size(codec, &c->count);
    if (c->count > CHILDREN_OTHERS_MAX) {
        codec->bad = true;
        c->count = 0;
    }
    for (size_t i = 0; i < c->count; i++) {
        c->others[i].kind =
            (enum child_kind)codec_choice(codec, (unsigned)c->others[i].kind, CHILD_LOOKUP + 1);
        codec_int(codec, &c->others[i].pid);
    }
}
