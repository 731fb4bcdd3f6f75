/* access_file.c: reads the file, at the start or in a child, and takes the rules over. */
#include "access_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "server/hub/codec.h"
#include "timeout.h"

#define FILE_MAX (1u << 20)
/* Warnings beyond this are left out. */
#define NOTES_MAX 4096
/* How long the process may take. */
#define ANSWER_US 60000000u

/* What was found in the file. */
struct reading {
    const char *path;
    bool valid;
    struct access rules;
    struct access_fault fault;
    char notes[NOTES_MAX]; /* warnings, each with an LF */
};

/* ---- Reading --------------------------------------------------------------------------------- */

/* Logins and groups as the C library knows them. One that cannot be looked up is not known. */
static bool find_name(void *context, size_t line, enum rule_who who, const char *name, uint32_t *id)
{
    struct reading *r = context;
    const struct passwd *pw = who == WHO_USER ? getpwnam(name) : NULL;
    const struct group *gr = who == WHO_GROUP ? getgrnam(name) : NULL;
    size_t len = strlen(r->notes);

    if (pw != NULL)
        *id = pw->pw_uid;
    else if (gr != NULL)
        *id = gr->gr_gid;
    else
        snprintf(r->notes + len, sizeof(r->notes) - len,
            "%s:%zu: %s is no %s here; the rule matches nobody\n", r->path, line, name,
            who == WHO_USER ? "login" : "group");
    return pw != NULL || gr != NULL;
}

static bool reading_fail(struct reading *r, const char *why)
{
    snprintf(r->fault.why, sizeof(r->fault.why), "%s", why);
    return false;
}

/* Fills buf as far as the file goes. */
static bool file_read(struct reading *r, char *buf, size_t size, size_t *len)
{
    struct stat st;
    int fd = open(r->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    ssize_t n = 1;

    if (fd == -1 || fstat(fd, &st) == -1) {
        reading_fail(r, strerror(errno));
        n = -1;
    } else if (!S_ISREG(st.st_mode)) {
        reading_fail(r, "not a regular file");
        n = -1;
    }
    for (*len = 0; n > 0 && *len<size; *len += n> 0 ? (size_t)n : 0) {
        n = read(fd, buf + *len, size - *len);
        if (n == -1)
            reading_fail(r, strerror(errno));
    }
    if (fd != -1)
        close(fd);
    return n != -1;
}

static void reading_make(struct reading *r, const char *path)
{
    char *text = malloc(FILE_MAX + 1);
    size_t len;

    *r = (struct reading){.path = path};
    if (text == NULL)
        reading_fail(r, strerror(errno));
    else if (!file_read(r, text, FILE_MAX + 1, &len))
        ;
    else if (len > FILE_MAX)
        reading_fail(r, "more than 1 MiB");
    else
        r->valid = access_parse(&r->rules, text, len, find_name, r, &r->fault);
    free(text);
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void report_notes(char *notes, const struct report *to)
{
    char *lf;

    for (char *note = notes; (lf = strchr(note, '\n')) != NULL; note = lf + 1) {
        *lf = '\0';
        report(to, LOG_WARNING, "%s", note);
    }
}

static void report_fault(const struct reading *r, const struct report *to, const char *result)
{
    if (r->fault.line > 0)
        report(to, LOG_ERR, "%s:%zu: %s%s", r->path, r->fault.line, r->fault.why, result);
    else
        report(to, LOG_ERR, "%s: %s%s", r->path, r->fault.why, result);
}

/* Takes over what was read. False, after a report, where it is not valid. */
static bool reading_take(struct access_file *a, struct reading *r, const char *result)
{
    if (!r->valid) {
        report_fault(r, a->report, result);
        return false;
    }
    report_notes(r->notes, a->report);
    access_free(&a->rules);
    a->rules = r->rules;
    return true;
}

int access_file_load(struct access_file *a)
{
    struct reading r;

    if (a->path == NULL)
        return 0;
    reading_make(&r, a->path);
    return reading_take(a, &r, "") ? 0 : EX_CONFIG;
}

void access_file_free(struct access_file *a)
{
    access_free(&a->rules);
    if (a->answer != -1)
        close(a->answer);
    a->answer = -1;
}

/* ---- The process ----------------------------------------------------------------------------- */

static void reading_state(struct reading *r, struct codec *c)
{
    codec_bool(c, &r->valid);
    codec_size(c, &r->fault.line);
    codec_text(c, r->fault.why, sizeof(r->fault.why));
    codec_text(c, r->notes, sizeof(r->notes));
    access_state(&r->rules, c);
}

_Noreturn void access_file_main(const char *path)
{
    struct codec c = {0};
    struct reading r;

    reading_make(&r, path);
    reading_state(&r, &c);
    _exit(!c.bad && write_all(STDIN_FILENO, c.buf, c.len) ? 0 : 1);
}

/* Reads what the process has written; false where it has not ended as it should. */
static bool answer_read(int fd, struct reading *r)
{
    struct codec c = {.loading = true};
    struct stat st;
    bool done;

    if (fstat(fd, &st) == -1 || st.st_size <= 0 || lseek(fd, 0, SEEK_SET) == -1)
        return false;
    c.buf = malloc((size_t)st.st_size);
    if (c.buf == NULL)
        return false;
    c.len = (size_t)st.st_size;
    done = read(fd, c.buf, c.len) == st.st_size;
    if (done)
        reading_state(r, &c);
    done = done && !c.bad && c.at == c.len;
    free(c.buf);
    return done;
}

static void reader_start(struct access_file *a, uint64_t now)
{
    a->answer = memory_file_blank(0);
    if (a->answer != -1 && children_start_access(a->children, a->answer, a->path)) {
        a->until = now + ANSWER_US;
        return;
    }
    report(a->report, LOG_ERR, "%s: cannot be read: %s; the old rules stay in force", a->path,
        strerror(errno));
    if (a->answer != -1)
        close(a->answer);
    a->answer = -1;
}

void access_file_reload(struct access_file *a, uint64_t now)
{
    if (a->path == NULL)
        return;
    if (a->answer != -1)
        a->again = true;
    else
        reader_start(a, now);
}

bool access_file_answered(struct access_file *a, uint64_t now)
{
    struct reading r = {.path = a->path};
    bool again = a->again;
    bool taken;

    if (a->answer == -1)
        return false;
    if (!answer_read(a->answer, &r)) {
        access_free(&r.rules);
        r.valid = false;
        reading_fail(&r, "cannot be read: no answer");
    }
    close(a->answer);
    a->answer = -1;
    a->again = false;
    taken = reading_take(a, &r, "; the old rules stay in force");
    if (taken)
        report(a->report, LOG_NOTICE, "%s: %zu rule%s in force", a->path, a->rules.count,
            a->rules.count == 1 ? "" : "s");
    if (again)
        reader_start(a, now);
    return taken;
}

int access_file_turn(struct access_file *a, uint64_t now)
{
    if (a->answer == -1)
        return -1;
    if (now >= a->until)
        children_kill(a->children, CHILD_ACCESS);
    return now >= a->until ? 100 : timeout_until(a->until, now);
}

/* ---- The next program ------------------------------------------------------------------------ */

void access_file_state(struct access_file *a, struct codec *c)
{
    access_state(&a->rules, c);
    codec_fd(c, &a->answer);
    codec_bool(c, &a->again);
    codec_u64(c, &a->until);
}
