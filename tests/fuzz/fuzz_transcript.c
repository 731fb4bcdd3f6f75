/*
 * fuzz_transcript.c: any bytes as a transcript. A file without a line of a room is left alone; else
 * what stands behind the last line end is cut off, and not a byte before it is changed. The room
 * knows the events of the file's end, each line that is one and is later than those before, and
 * says a quit for everybody who is in the room by these. Then the writer goes on: the file grows by
 * the new events, and a second start finds the same, nobody in the room, and nothing to repair.
 *
 * The input: a byte of options, then the file. 0xFF there stands for 20000 times the byte before,
 * or for 40 times where that is a line end, if the file does not get too long by it. A file
 * that begins with "long!", which is not part of it, may have several such runs: most faults are
 * found in short ones.
 */
#include "compat/compat.h"
#include "compat/poller.h"
#include "fuzz.h"
#include "protocol.h"
#include "server/hub/hub.h"
#include "server/journal/readback.h"
#include "server/journal/transcript.h"
#include "server/journal/writer.h"
#include "server/process.h"
#include "server/report.h"
#include "wire/line.h"
#include "wire/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define PATH_SIZE 512
#define FILE_MAX 24000
#define FILE_LONG_MAX 120000
#define LONG_RUN 20000
#define LINES_RUN 40
#define TURNS_MAX 10000
#define SECOND 1000000u

/* What a file says, by the plainest reading of it. */
struct account {
    bool accepted;
    size_t begin;       /* of the first line */
    size_t good;        /* up to behind the last line end */
    size_t from;        /* what is read begins here */
    struct text events; /* of the part that is read, with their LFs */
    uint64_t last;      /* stamp */
    bool gap;           /* there is a gap line */
    uint64_t gap_last;  /* the latest stamp of those behind the last event */
    size_t here_count;
    size_t here_size;
    char (*here)[NAME_LEN_MAX + 1];
};

/* A room with that file, and a client that looks at what it remembers. */
struct room {
    struct report report;
    struct hub_config config;
    struct poller *poller;
    struct hub *hub;
    uint64_t now;
    int fd;   /* the client's end of its socket */
    int pair; /* its worker's end of the pair, and the hub's */
    int hub_pair;
    struct text heard;
};

static uint64_t random_state;

/* The same in each execution. */
bool random_bytes(void *buf, size_t len)
{
    uint8_t *bytes = buf;

    for (size_t i = 0; i < len; i++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(random_state >> 56);
    }
    return true;
}

static bool texts_equal(const struct text *a, const struct text *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->at, b->at, a->len) == 0);
}

/* ---- What the file says ---- */

static size_t here_find(const struct account *account, struct span name)
{
    size_t i = 0;

    while (i < account->here_count && (strlen(account->here[i]) != name.len ||
                                          strncasecmp(account->here[i], name.at, name.len) != 0))
        i++;
    return i;
}

static void here_add(struct account *account, struct span name)
{
    if (here_find(account, name) < account->here_count)
        return;
    if (account->here_count == account->here_size) {
        account->here_size = 2 * account->here_size + 16;
        account->here = realloc(account->here, account->here_size * sizeof account->here[0]);
        must(account->here != NULL);
    }
    memcpy(account->here[account->here_count], name.at, name.len);
    account->here[account->here_count++][name.len] = '\0';
}

static void here_remove(struct account *account, struct span name)
{
    size_t i = here_find(account, name);

    if (i < account->here_count)
        memcpy(account->here[i], account->here[--account->here_count], NAME_LEN_MAX + 1);
}

static void here_follow(struct account *account, const struct event *event)
{
    if (event->verb == VERB_QUIT || event->verb == VERB_NICK)
        here_remove(account, event->name);
    else if (event->verb != VERB_POST)
        here_add(account, event->name);
    if (event->verb == VERB_NICK)
        here_add(account, event->word);
}

static bool is_valid(struct event *event, struct span line)
{
    return event_parse(event, line.at, line.len) && text_is_clean(line.at, line.len) &&
           event->stamp <= TRANSCRIPT_STAMP_MAX;
}

static void account_line(struct account *account, struct span line)
{
    struct event event;

    if (!is_valid(&event, line))
        return;
    if (event.verb == VERB_GAP) {
        account->gap = true;
        if (event.stamp > account->gap_last)
            account->gap_last = event.stamp;
    }
    if (!verb_is_room(event.verb) || event.stamp <= account->last)
        return;
    account->last = event.stamp;
    account->gap_last = 0;
    here_follow(account, &event);
    text_add(&account->events, line.at, line.len);
    text_add(&account->events, "\n", 1);
}

/* The next line, if it is short enough to be one. */
static bool line_take(struct line_splitter *splitter, const char **at, const char *end,
    struct span *line, enum line_result *result)
{
    *result = line_next(splitter, at, end, line);
    return *result != LINE_NONE;
}

/* The lines that begin in [from, to); the one that goes on behind from - 1 is none of them. */
static void account_part(struct account *account, const struct text *file, size_t from, size_t to)
{
    char held[LINE_OUT_MAX];
    struct line_splitter splitter;
    bool whole = from == account->begin;
    const char *at = file->at + (whole ? from : from - 1);
    enum line_result result;
    struct span line;

    line_splitter_init(&splitter, held, sizeof held - 1);
    for (; line_take(&splitter, &at, file->at + to, &line, &result); whole = true)
        if (whole && result == LINE_READY)
            account_line(account, line);
}

/* A file with a valid line in it, or with nothing but the torn beginning of one. */
static bool account_accepts(const struct account *account, const struct text *file)
{
    static const char form[] = "0000-00-00T00:00:00.000000Z";
    char held[LINE_OUT_MAX];
    struct line_splitter splitter;
    size_t len = file->len - account->begin;
    const char *begin;
    const char *at;
    enum line_result result;
    struct event event;
    struct span line;

    if (len == 0)
        return true;
    begin = at = file->at + account->begin;
    line_splitter_init(&splitter, held, sizeof held - 1);
    while (account->good > account->begin &&
           line_take(&splitter, &at, file->at + account->good, &line, &result))
        if (result == LINE_READY && is_valid(&event, line))
            return true;
    for (size_t i = 0; i < len && i < STAMP_LEN; i++)
        if (form[i] == '0' ? begin[i] < '0' || begin[i] > '9' : begin[i] != form[i])
            return false;
    return len < LINE_OUT_MAX && memchr(begin, '\n', len) == NULL;
}

static size_t begin_of(const struct text *file)
{
    size_t begin = 0;

    while (begin < file->len && file->at[begin] == '\0')
        begin++;
    if (file->len - begin >= 3 && memcmp(file->at + begin, "\xef\xbb\xbf", 3) == 0)
        begin += 3;
    return begin;
}

static struct account account_of(const struct text *file, size_t log_size)
{
    struct account account = {.begin = begin_of(file)};
    uint64_t gap_last = 0; /* of the parts before */
    size_t to;

    account.good = file->len;
    while (account.good > 0 && file->at[account.good - 1] != '\n')
        account.good--;
    account.accepted = account_accepts(&account, file);
    if (account.begin > account.good)
        account.begin = account.good;
    to = account.good;
    do {
        account.from = to - account.begin > log_size ? to - log_size : account.begin;
        account.gap_last = 0;
        if (to > account.from)
            account_part(&account, file, account.from, to);
        to =
            account.from + LINE_OUT_MAX < account.good ? account.from + LINE_OUT_MAX : account.good;
        gap_last = account.gap_last > gap_last ? account.gap_last : gap_last;
    } while (account.last == 0 && account.from > account.begin);
    account.gap_last = gap_last;
    return account;
}

static void account_free(struct account *account)
{
    free(account->events.at);
    free(account->here);
}

/* What the file says last; there must be some stamps left behind it. */
static uint64_t account_end(const struct account *account)
{
    return account->last > account->gap_last ? account->last : account->gap_last;
}

/* ---- The file ---- */

static char path[PATH_SIZE];
static int contents = -1; /* what the target itself writes and reads it by */

static void file_remove(void)
{
    (void)unlink(path);
}

/* One file for all inputs, in memory where there is such a place. */
static void file_make(void)
{
    const char *dir = getenv("TMPDIR");

    if (dir == NULL)
        dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    must(snprintf(path, PATH_SIZE, "%s/fuzz_transcript.XXXXXX", dir) < PATH_SIZE);
    contents = mkstemp(path);
    must(contents != -1 && atexit(file_remove) == 0);
}

static void file_write(const struct text *text)
{
    must(ftruncate(contents, 0) == 0);
    must(pwrite(contents, text->len > 0 ? text->at : "", text->len, 0) == (ssize_t)text->len);
}

static struct text file_read(void)
{
    struct text text = {0};
    struct stat status;

    must(fstat(contents, &status) == 0);
    text.len = text.size = (size_t)status.st_size;
    text.at = must_allocate(text.size);
    must(pread(contents, text.at, text.len, 0) == (ssize_t)text.len);
    return text;
}

/* The length of the mark; 0: there is none. A fuzzer would see what memcmp() compares. */
static size_t long_mark(const uint8_t *data, size_t size)
{
    static const char mark[] = "long!";
    size_t i = 0;

    while (i < sizeof mark - 1 && i < size && data[i] == (uint8_t)mark[i])
        i++;
    return mark[i] == '\0' ? i : 0;
}

/* The input's bytes, the runs written out as far as there may be so many. */
static struct text file_expand(const uint8_t *data, size_t size, size_t most)
{
    static char bytes[FILE_LONG_MAX];
    size_t len = 0;

    for (size_t i = 0; i < size && len < most; i++) {
        char byte = data[i] == 0xFF && i > 0 ? bytes[len - 1] : (char)data[i];
        size_t times = data[i] != 0xFF || i == 0 ? 1 : byte == '\n' ? LINES_RUN : LONG_RUN;
        if (times > most - len)
            continue;
        memset(bytes + len, byte, times);
        len += times;
    }
    return (struct text){.at = must_copy(bytes, len), .len = len, .size = len};
}

/* As chatd does it; -1: it is no transcript. */
static int file_open(void)
{
    char why[TRANSCRIPT_WHY_MAX];
    int fd = transcript_open(path, why);

    must(fd != -1 && transcript_lock(fd, why));
    if (transcript_check(fd, why))
        return fd;
    must(strcmp(why, "is no transcript of a room") == 0);
    close(fd);
    return -1;
}

/* ---- The room ---- */

static void signal_nobody(void *context, pid_t pid, int number)
{
    (void)context;
    (void)pid;
    (void)number;
}

static pid_t worker_start(void *context, int client, bool proxied, int *pair)
{
    struct room *room = context;

    (void)proxied;
    (void)client;
    *pair = room->hub_pair;
    return 1000;
}

static void room_open(struct room *room, size_t log_bytes, bool sync)
{
    *room = (struct room){.fd = -1, .pair = -1, .now = SECOND};
    room->report = (struct report){.to = REPORT_SYSLOG, .syslog = -1, .level = LOG_DEBUG};
    room->poller = poller_new();
    room->config = (struct hub_config){.log_bytes = log_bytes,
        .sync = sync,
        .login_us = 60 * SECOND,
        .wait_us = SECOND,
        .poller = room->poller,
        .report = &room->report,
        .start_worker = worker_start,
        .signal_worker = signal_nobody,
        .context = room};
    room->hub = hub_new(&room->config);
    must(room->poller != NULL && room->hub != NULL);
}

static void room_turn(struct room *room)
{
    struct poller_event events[8];
    int n = poller_wait(room->poller, 0, NULL, events, 8);
    static char bytes[65536]; /* a sanitizer marks a local one in each call */
    ssize_t got;

    for (int i = 0; i < n; i++)
        hub_ready(room->hub, events[i].tag, events[i].revents);
    room->now += SECOND / 100;
    (void)hub_turn(room->hub, room->now);
    while (room->fd != -1 && (got = recv(room->fd, bytes, sizeof bytes, 0)) > 0)
        text_add(&room->heard, bytes, (size_t)got);
}

/* A poster that posts nothing, but asks for all that there was, is no event itself. */
static void room_look(struct room *room)
{
    static const char asks[] = "/resume x\n/since 1970-01-01T00:00:00.000000Z\n/post\nlooker\n";
    struct client client = {.peer = "192.0.2.1:1"};
    int sockets[2];
    int pair[2];

    must(socketpair_cloexec_nonblock(sockets) == 0 && socketpair_cloexec_nonblock(pair) == 0);
    client.fd = sockets[0];
    room->fd = sockets[1];
    room->pair = pair[1];
    room->hub_pair = pair[0];
    must(hub_admit(room->hub, &client, room->now));
    must(send(room->fd, "x", 1, 0) == 1);
    must(send(room->pair, asks, sizeof asks - 1, 0) == (ssize_t)sizeof asks - 1);
    room_turn(room);
    for (size_t before = 1; before != room->heard.len || before == 0;) {
        before = room->heard.len;
        room_turn(room);
        room_turn(room);
    }
}

static void room_close(struct room *room)
{
    hub_free(room->hub);
    poller_free(room->poller);
    if (room->fd != -1) {
        close(room->fd);
        close(room->pair);
    }
    free(room->heard.at);
}

/* ---- What the room remembers ---- */

/* Takes the events out of what the looker heard; a gap before them says that there were more. */
static struct text heard_events(const struct text *heard, bool *gap)
{
    struct text events = {0};
    uint64_t last = 0;
    const char *at = heard->at;
    const char *end = at + heard->len;
    struct event event;

    *gap = false;
    for (const char *lf; at < end; at = lf + 1) {
        lf = memchr(at, '\n', (size_t)(end - at));
        must(lf != NULL);
        must(text_is_clean(at, (size_t)(lf - at)));
        must(event_parse(&event, at, (size_t)(lf - at)));
        if (event.verb == VERB_GAP) {
            must(!*gap && events.len == 0 && !event.counted);
            *gap = true;
        }
        if (!verb_is_room(event.verb))
            continue;
        must(event.stamp > last);
        last = event.stamp;
        text_add(&events, at, (size_t)(lf + 1 - at));
    }
    return events;
}

/* The quits at the end are those of all who were here, in any order, later than all that was. */
static void quits_check(const struct account *account, const char *at, const char *end)
{
    size_t count = 0;
    uint64_t last = account_end(account);
    struct event event;

    for (const char *lf; at < end; at = lf + 1, count++) {
        lf = memchr(at, '\n', (size_t)(end - at));
        must(event_parse(&event, at, (size_t)(lf - at)));
        must(event.verb == VERB_QUIT && event.word.len == 4 && event.text.len == 0);
        must(memcmp(event.word.at, "lost", 4) == 0 && event.stamp > last);
        must(here_find(account, event.name) < account->here_count);
        last = event.stamp;
    }
    must(count == account->here_count);
}

/* The looker has heard all the events that the log can hold, and what is new. */
static void memory_check(const struct account *account, const struct room *room, bool whole)
{
    bool gap;
    struct text events = heard_events(&room->heard, &gap);

    if (whole) {
        must(events.len >= account->events.len);
        must(account->events.len == 0 ||
             memcmp(events.at, account->events.at, account->events.len) == 0);
        if (account->here_count > 0 || events.len > account->events.len)
            quits_check(account, events.at + account->events.len, events.at + events.len);
        must(gap == (account->from > account->begin || account->gap));
    }
    must(events.len <= account->events.len + account->here_count * (STAMP_LEN + 80));
    free(events.at);
}

/* ---- The writer, a function that takes itself for a process ---- */

#define FILE_FD 0
#define HUB_FD 1

static struct {
    struct room *room; /* NULL: it does not run */
    int pair;          /* what it knows as HUB_FD */
    int status;        /* of its exit */
    jmp_buf end;
} writer;

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
ssize_t __wrap_socket_recv(int fd, void *bytes, size_t size);
ssize_t __wrap_socket_send(int fd, const void *bytes, size_t len);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap___poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);

_Noreturn void __wrap__exit(int status)
{
    if (writer.room == NULL)
        __real__exit(status);
    writer.status = status;
    longjmp(writer.end, 1);
}

ssize_t __wrap_socket_recv(int fd, void *bytes, size_t size)
{
    must(fd == HUB_FD);
    return recv(writer.pair, bytes, size, 0);
}

ssize_t __wrap_socket_send(int fd, const void *bytes, size_t len)
{
    must(fd == HUB_FD);
    return send(writer.pair, bytes, len, MSG_NOSIGNAL);
}

static bool writer_has_input(void)
{
    char byte;

    return recv(writer.pair, &byte, 1, MSG_PEEK) != -1 || errno != EAGAIN;
}

/* While the writer waits the hub has its turns. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (writer.room == NULL)
        return __real_poll(fds, count, timeout);
    must(count == 1 && fds->fd == HUB_FD && timeout == -1); /* its file takes everything */
    for (int i = 0; fds->events == POLLIN && !writer_has_input(); i++) {
        must(i < TURNS_MAX);
        room_turn(writer.room);
    }
    if (fds->events == POLLOUT)
        room_turn(writer.room);
    fds->revents = fds->events;
    return 1;
}

int __wrap___poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
    must(count * sizeof *fds <= room);
    return __wrap_poll(fds, count, timeout);
}

/* Signals are the fuzzer's. */
void process_begin(const struct proctitle *title, const char *name)
{
    (void)title;
    (void)name;
}

/* As chatd does it, but for the process. Its file is standard input, which nobody reads. */
static void writer_run(struct room *room, int file, bool sync)
{
    static int nothing = -1;
    struct proctitle title = {0};
    int pair[2];

    if (nothing == -1)
        nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    must(dup2(file, FILE_FD) == FILE_FD);
    close(file);
    must(socketpair_cloexec_nonblock(pair) == 0);
    must(hub_set_writer(room->hub, pair[0], room->now));
    hub_stop(room->hub, room->now);
    writer.room = room;
    writer.pair = pair[1];
    if (setjmp(writer.end) == 0)
        writer_main(&title, path, sync ? "os" : "o-");
    writer.room = NULL;
    must(writer.status == 0);
    close(writer.pair);
    must(dup2(nothing, FILE_FD) == FILE_FD);
}

/* A room's life: a start, what the writer adds, and the end. Returns how much that was. */
static size_t room_live(size_t log_bytes, bool sync)
{
    struct text before = file_read();
    struct account account = account_of(&before, log_bytes);
    struct room room;

    room_open(&room, log_bytes, sync);
    int fd = file_open();
    must(fd != -1);
    must(readback(fd, path, room.hub, &room.report));
    writer_run(&room, fd, sync);
    for (int i = 0; !hub_is_done(room.hub); i++) {
        must(i < TURNS_MAX);
        room_turn(&room);
    }
    room_close(&room);
    struct text after = file_read();
    size_t added = after.len - account.good;
    must(after.len >= account.good);
    must(account.good == 0 || memcmp(after.at, before.at, account.good) == 0);
    if (added > 0 || account.here_count > 0)
        quits_check(&account, after.at + account.good, after.at + after.len);
    account_free(&account);
    free(before.at);
    free(after.at);
    return added;
}

/* Two lives: those whom the first has found in the room are not there any more in the second. */
static void lives_check(const struct text *file, size_t log_bytes, bool sync)
{
    struct account account = account_of(file, log_bytes);

    if (account.accepted && account_end(&account) < TRANSCRIPT_STAMP_MAX - SECOND) {
        (void)room_live(log_bytes, sync);
        must(room_live(log_bytes, sync) == 0);
    }
    account_free(&account);
}

/* ---- One file ---- */

static void account_check(const struct text *file, size_t log_bytes)
{
    struct account account = account_of(file, log_bytes);
    struct room room;

    room_open(&room, log_bytes, false);
    int fd = file_open();
    must((fd != -1) == account.accepted);
    if (fd != -1) {
        must(readback(fd, path, room.hub, &room.report));
        close(fd);
        room_look(&room);
        memory_check(&account, &room, account.events.len + account.here_count * 120 < log_bytes);
    }
    room_close(&room);
    struct text after = file_read();
    struct text good = {.at = file->at, .len = account.accepted ? account.good : file->len};
    must(texts_equal(&after, &good));
    account_free(&account);
    free(after.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    if (path[0] == '\0')
        file_make();
    random_state = 1;
    size_t log_bytes = (data[0] & 1) != 0 ? 65536 : 1 << 17;
    size_t mark = long_mark(data + 1, size - 1);
    size_t most = mark > 0 ? FILE_LONG_MAX : FILE_MAX;
    struct text file = file_expand(data + 1 + mark, size - 1 - mark, most);
    file_write(&file);
    account_check(&file, log_bytes);
    struct text once = file_read();
    if (!texts_equal(&once, &file))
        account_check(&once, log_bytes);
    if ((data[0] & 2) != 0)
        lives_check(&file, log_bytes, (data[0] & 4) != 0);
    free(once.at);
    free(file.at);
    return 0;
}
