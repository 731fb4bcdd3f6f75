/* journal.c: the link to the writer, its answers, and what members may see by them. */
#include "journal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "compat/compat.h"
#include "compat/poller.h"
#include "server/hub/codec.h"
#include "server/hub/log.h"
#include "server/hub/room.h"
#include "server/hub/timers.h"
#include "server/report.h"
#include "writer.h"

/* Without -s: how long members wait for a writer that takes nothing. */
#define SLOW_US 200000u
/* The same for one that starts: a busy machine is no slow disk. */
#define STARTING_US 2000000u
/* When to try again after an allocation has failed. */
#define RETRY_US 100000u
/* With -s: how long the disk may confirm nothing until that is logged, and until members get a
 * note. */
#define UNCONFIRMED_US 1000000u
#define HANGING_US 3000000u
/* No connection's author number: MINE is 0 in the file's gap lines. */
#define WRITER_AUTHOR LOG_AUTHOR_MAX

void journal_init(struct journal *j, bool sync)
{
    memset(j, 0, sizeof(*j));
    j->watch.kind = WATCH_WRITER;
    j->sync = sync;
    link_init(&j->link, -1, WRITER_AUTHOR, 0);
}

bool journal_has_writer(const struct journal *j)
{
    return j->state != JOURNAL_NONE && j->state != JOURNAL_ABSENT;
}

void journal_close(struct journal *j, struct poller *poller)
{
    if (!journal_has_writer(j))
        return;
    poller_remove(poller, j->link.fd);
    close(j->link.fd);
    link_clear(&j->link);
    j->link.fd = -1;
    j->watch.events = 0;
    while (j->words_len > 0 && j->words[j->words_len - 1] != '\n')
        j->words_len--; /* an incomplete word */
    j->words_old = j->words_len;
    j->state = JOURNAL_ABSENT;
}

/* The writer's last words may be unread if a write noticed its end, or if the next writer was
 * started before the end of the pair was noticed. */
static void last_words_read(struct journal *j)
{
    int tries = 10;

    while (j->words_len < sizeof(j->words) && tries > 0) {
        ssize_t n = recv(j->link.fd, j->words + j->words_len, sizeof(j->words) - j->words_len, 0);

        if (n > 0)
            j->words_len += (size_t)n;
        else if (n == -1 && error_passes(errno))
            tries--;
        else
            return;
    }
}

static void writer_lose(struct journal *j, struct poller *poller, const struct report *r)
{
    if (j->state == JOURNAL_STARTING || j->state == JOURNAL_WRITING)
        report(r, LOG_WARNING, "the transcript's writer has ended");
    if (journal_has_writer(j))
        last_words_read(j);
    journal_close(j, poller);
}

bool journal_set_writer(
    struct journal *j, int fd, struct poller *poller, const struct report *r, uint64_t now)
{
    writer_lose(j, poller, r); /* one whose end was not noticed yet */
    if (poller_set(poller, fd, POLLIN, &j->watch) == -1)
        return false;
    link_init(&j->link, fd, WRITER_AUTHOR, now);
    j->watch.events = POLLIN;
    j->state = JOURNAL_STARTING;
    j->leaving = false;
    j->revents = 0;
    return true;
}

void journal_miss_writer(struct journal *j)
{
    j->health = JOURNAL_FAILING;
}

void journal_finish(struct journal *j)
{
    j->leaving = true;
}

/* The file has every line before pos, or a gap line in place of those that are missing. */
static void file_to(struct journal *j, const struct log *lines, uint64_t pos)
{
    j->filed = pos;
    j->filed_count = log_count(lines, pos);
    if (pos > j->kept)
        j->kept = pos;
}

void journal_begin(struct journal *j, const struct room *room)
{
    file_to(j, room_lines(room), log_head(room_lines(room)));
}

/* ---- The writer's words ---------------------------------------------------------------------- */

/* Counts the events in [from, to) that the file should have. With -s the messages among them were
 * refused and do not count. */
static uint64_t count_missing(
    const struct journal *j, const struct log *lines, uint64_t from, uint64_t to)
{
    struct log_line line;
    uint64_t count = 0;

    if (!j->sync)
        return log_count(lines, to) - log_count(lines, from);
    while (from < to) {
        from = log_line(lines, from, &line);
        count += !line.message;
    }
    return count;
}

/* Counts the events missing from a file that ends with this stamp if it goes on at from; begin is
 * the first position that it could go on at. */
static uint64_t count_gap(
    const struct journal *j, const struct log *lines, uint64_t stamp, uint64_t begin, uint64_t from)
{
    if (from > begin)
        return count_missing(j, lines, begin, from);
    if (j->filed != 0 && log_dropped_after(lines, stamp))
        return log_count(lines, from) - j->filed_count;
    return 0;
}

/*
 * The first word of a writer: its file ends with this stamp, so it gets the lines after it. It does
 * not get lines that are in an earlier file, which was moved away, nor lines that were refused. A
 * gap line is queued for events that are missing. False without memory; nothing has changed then.
 */
static bool writer_begins(struct journal *j, const struct log *lines, uint64_t stamp)
{
    uint64_t begin = log_after(lines, stamp);
    struct item *gap = NULL;
    uint64_t count;
    uint64_t from;

    if (begin < j->filed)
        begin = j->filed;
    from = j->sync && begin < j->kept ? j->kept : begin;
    count = count_gap(j, lines, stamp, begin, from);
    if (count > 0 && (gap = item_gap_unknown()) == NULL)
        return false;
    j->state = JOURNAL_WRITING;
    j->kept = j->settle_to = from;
    j->refusing = false;
    link_follow(&j->link, from, LINK_NO_LIMIT);
    if (gap != NULL) {
        gap->count = count;
        gap->due = gap->after = from;
        link_put(&j->link, gap);
    } else {
        file_to(j, lines, from);
    }
    return true;
}

/* The lines before pos are in the file or, if lost, never will be. */
static void account_to(struct journal *j, uint64_t pos, bool lost)
{
    j->refusing = lost;
    if (pos > j->settle_to)
        j->settle_to = pos;
    if (pos > j->kept)
        j->kept = pos;
}

/* Parses a word that is name and a stamp. */
static bool word_stamp(struct span word, const char *name, uint64_t *stamp)
{
    size_t len = strlen(name);

    return word.len > len && memcmp(word.at, name, len) == 0 &&
           stamp_parse(word.at + len, word.len - len, stamp);
}

/* With -s: the disk has answered, which ends JOURNAL_SLOW and JOURNAL_HANGING. */
static void disk_answers(struct journal *j, const struct report *r)
{
    if (!j->sync || (j->health != JOURNAL_SLOW && j->health != JOURNAL_HANGING))
        return;
    report(r, LOG_NOTICE, "the disk answers again");
    j->health = JOURNAL_WELL;
}

/* old: it comes from a writer that has exited. False without memory: call it again later. */
static bool word_apply(
    struct journal *j, const struct log *lines, const struct report *r, struct span word, bool old)
{
    size_t warn = strlen(WRITER_WARN);
    size_t gone = strlen(WRITER_GONE) - 1;
    uint64_t stamp;

    if (word_stamp(word, WRITER_KEPT, &stamp)) {
        disk_answers(j, r);
        if (journal_fails(j))
            j->health = JOURNAL_WELL;
        if (j->state == JOURNAL_STARTING && !old) {
            return writer_begins(j, lines, stamp);
        } else if (log_after(lines, stamp) > j->filed) {
            file_to(j, lines, log_after(lines, stamp));
            account_to(j, j->filed, false);
        }
    } else if (word_stamp(word, WRITER_LOST, &stamp)) {
        disk_answers(j, r);
        if (j->health != JOURNAL_GONE)
            j->health = JOURNAL_FAILING;
        account_to(j, log_after(lines, stamp), true);
    } else if (word.len == gone && memcmp(word.at, WRITER_GONE, gone) == 0) {
        j->health = JOURNAL_GONE;
    } else if (word.len > warn && memcmp(word.at, WRITER_WARN, warn) == 0) {
        report(r, LOG_WARNING, "%.*s", (int)(word.len - warn), word.at + warn);
    }
    return true;
}

/* True if the held lines up to the last word's position are settled, so the next word may be taken.
 */
static bool is_settled(const struct journal *j, const struct room *room)
{
    return !j->sync || room->hold.settled >= j->settle_to;
}

static void words_apply(struct journal *j, struct room *room, const struct report *r, uint64_t now)
{
    size_t at = 0;
    const char *lf;

    while (now >= j->retry_at && is_settled(j, room) &&
           (lf = memchr(j->words + at, '\n', j->words_len - at)) != NULL) {
        struct span word = {j->words + at, (size_t)(lf - (j->words + at))};

        if (word_apply(j, room_lines(room), r, word, at < j->words_old))
            at += word.len + 1;
        else
            j->retry_at = now + RETRY_US;
    }
    if (at == 0 && j->words_len == sizeof(j->words))
        at = is_settled(j, room) ? j->words_len : 0; /* too long for a word: discard it */
    j->words_len -= at;
    j->words_old -= at < j->words_old ? at : j->words_old;
    memmove(j->words, j->words + at, j->words_len);
}

void journal_ready(struct journal *j, short revents)
{
    if ((revents & (POLLOUT | POLLHUP | POLLERR)) != 0 && j->link.state == LINK_BLOCKED)
        j->link.state = LINK_READY;
    j->revents = revents;
}

void journal_read(struct journal *j, struct room *room, struct poller *poller,
    const struct report *r, uint64_t now)
{
    size_t room_left = sizeof(j->words) - j->words_len;
    ssize_t n;

    if (journal_has_writer(j) && (j->revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
        room_left > 0) {
        j->revents = 0;
        n = recv(j->link.fd, j->words + j->words_len, room_left, 0);
        if (n > 0)
            j->words_len += (size_t)n;
        else if (n == 0 || errno == ECONNRESET)
            writer_lose(j, poller, r);
    }
    words_apply(j, room, r, now);
    /* There is no writer and none could be started: with -s messages are refused. */
    if (j->state == JOURNAL_ABSENT && j->health == JOURNAL_FAILING && j->words_len == 0)
        account_to(j, log_head(room_lines(room)), true);
}

/* ---- Settling -------------------------------------------------------------------------------- */

bool journal_next(const struct journal *j, const struct room *room, struct settled *out)
{
    const struct hold *hold = &room->hold;
    struct log_line line;

    if (!j->sync || hold->lines == NULL || hold->settled >= j->settle_to || hold_is_empty(hold))
        return false;
    out->start = hold->settled;
    out->end = log_line(hold->lines, hold->settled, &line);
    out->author = line.author;
    out->refused = j->refusing && line.message;
    return true;
}

void journal_settle(struct journal *j, struct room *room, const struct settled *settled)
{
    struct hold *hold = &room->hold;
    struct iovec pieces[2];
    struct log_line line;
    int n;

    (void)j;
    if (!settled->refused) {
        (void)log_line(hold->lines, settled->start, &line);
        n = log_bytes(hold->lines, settled->start, settled->end, pieces);
        log_append(room->log, pieces, n, line);
    }
    hold->settled = settled->end;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void journal_listen(struct journal *j, struct poller *poller)
{
    short events = (short)(POLLIN | (j->link.state == LINK_BLOCKED ? POLLOUT : 0));

    if (events != j->watch.events && poller_set(poller, j->link.fd, events, &j->watch) == 0)
        j->watch.events = events;
}

/* The writer was sent every line. */
static bool has_all(const struct journal *j, const struct room *room)
{
    return j->link.first == NULL && j->link.cursor >= log_head(room_lines(room));
}

/* Ends the writer's input, if it is to finish: when it was sent everything, so that a slow one
 * still gets all lines at a stop; at once if its file is gone. */
static void writer_end_input(struct journal *j, const struct room *room)
{
    if (!j->leaving || (j->health != JOURNAL_GONE && !has_all(j, room)))
        return;
    (void)shutdown(j->link.fd, SHUT_WR);
    link_break(&j->link, LINK_SHUT);
    j->state = JOURNAL_FINISHING;
}

/* While lines wait, without -s: when members get them all the same. */
static uint64_t slow_at(const struct journal *j)
{
    return j->waiting_since + (j->state == JOURNAL_STARTING ? STARTING_US : SLOW_US);
}

/* Without -s: the position up to which members may see the log: what the writer was sent, or, if it
 * has taken nothing for too long, the head. */
static uint64_t find_visible(
    struct journal *j, const struct room *room, const struct report *r, uint64_t now)
{
    uint64_t head = log_head(room->log);
    uint64_t handed = j->kept;

    if (j->link.follows && log_line_at(room->log, j->link.cursor) > handed)
        handed = log_line_at(room->log, j->link.cursor);
    if (handed >= head) {
        if (j->health == JOURNAL_SLOW) {
            report(r, LOG_NOTICE, "the transcript has caught up");
            j->health = JOURNAL_WELL;
        }
        j->waiting_since = 0;
        return head;
    }
    if (j->waiting_since == 0 || handed > j->visible)
        j->waiting_since = now;
    j->visible = handed;
    if (j->health == JOURNAL_WELL && now >= slow_at(j)) {
        j->health = JOURNAL_SLOW;
        report(
            r, LOG_WARNING, "the disk is slow: members get lines before the transcript has them");
    }
    return j->health == JOURNAL_WELL ? handed : head;
}

/* With -s: notices when the disk has confirmed no held line for UNCONFIRMED_US and HANGING_US. See
 * disk_answers() for the end of that state. */
static void watch_disk(
    struct journal *j, const struct room *room, const struct report *r, uint64_t now)
{
    uint64_t settled = room->hold.settled;

    if (hold_is_empty(&room->hold)) {
        j->waiting_since = 0;
        return;
    }
    if (j->waiting_since == 0 || settled != j->visible)
        j->waiting_since = now;
    j->visible = settled;
    if ((j->health == JOURNAL_WELL || j->health == JOURNAL_FAILING) &&
        now - j->waiting_since >= UNCONFIRMED_US) {
        j->health = JOURNAL_SLOW;
        report(r, LOG_WARNING, "the disk does not answer: messages and logins wait for it");
    }
    if (j->health == JOURNAL_SLOW && now - j->waiting_since >= HANGING_US)
        j->health = JOURNAL_HANGING;
}

uint64_t journal_write(struct journal *j, struct room *room, struct poller *poller,
    const struct report *r, uint64_t now)
{
    if (j->state == JOURNAL_WRITING) {
        link_send(&j->link, room_lines(room), log_head(room_lines(room)), now);
        if (link_is_open(&j->link))
            writer_end_input(j, room);
        else
            writer_lose(j, poller, r);
    }
    if (journal_has_writer(j))
        journal_listen(j, poller);
    if (j->state == JOURNAL_NONE)
        return log_head(room->log);
    if (!j->sync)
        return find_visible(j, room, r, now);
    watch_disk(j, room, r, now);
    return log_head(room->log);
}

bool journal_is_unsure(const struct journal *j, const struct room *room)
{
    return j->state == JOURNAL_ABSENT && log_line_at(room_lines(room), j->link.cursor) > j->kept;
}

bool journal_wants_file(const struct journal *j)
{
    return j->health == JOURNAL_GONE;
}

bool journal_fails(const struct journal *j)
{
    return j->health == JOURNAL_FAILING || j->health == JOURNAL_GONE;
}

uint64_t journal_needs(const struct journal *j)
{
    return j->state == JOURNAL_NONE ? LINK_NO_LIMIT : j->kept;
}

void journal_skip(struct journal *j, const struct room *room, uint64_t target)
{
    if (j->state == JOURNAL_NONE || j->sync || j->kept >= target)
        return;
    if (j->state == JOURNAL_WRITING && link_needs(&j->link) < target &&
        !link_skip(&j->link, room->log, target))
        return;
    j->kept = target;
}

uint64_t journal_due(const struct journal *j, const struct room *room)
{
    if (is_settled(j, room) && memchr(j->words, '\n', j->words_len) != NULL)
        return j->retry_at; /* there are words to take, perhaps when there is memory */
    if (j->waiting_since == 0 || j->health == JOURNAL_HANGING || j->health == JOURNAL_GONE)
        return TIME_NEVER;
    if (j->sync)
        return j->waiting_since + (j->health == JOURNAL_SLOW ? HANGING_US : UNCONFIRMED_US);
    return j->health == JOURNAL_WELL ? slow_at(j) : TIME_NEVER;
}

/* ---- The end --------------------------------------------------------------------------------- */

bool journal_is_done(const struct journal *j, const struct room *room)
{
    return j->state == JOURNAL_NONE ||
           (j->state == JOURNAL_ABSENT && j->kept >= log_head(room_lines(room)));
}

uint64_t journal_unwritten(const struct journal *j, const struct room *room)
{
    const struct log *lines = room_lines(room);
    uint64_t all = log_count(lines, log_head(lines));

    if (j->state == JOURNAL_NONE)
        return 0;
    return j->sync ? count_missing(j, lines, j->filed, j->kept) + all - log_count(lines, j->kept)
                   : all - j->filed_count;
}

bool journal_write_rest(struct journal *j, const struct room *room, int fd, int *pair)
{
    const struct log *lines = room_lines(room);

    *pair = -1;
    if (j->state == JOURNAL_FINISHING)
        return has_all(j, room);
    if (j->state != JOURNAL_WRITING || !link_copy(&j->link, lines, log_head(lines), fd))
        return false;
    *pair = j->link.fd;
    return true;
}

/* ---- Handing over ---------------------------------------------------------------------------- */

/* The gap lines that are queued for the writer, with what was sent of them. */
static void gaps_state(struct journal *j, struct codec *c)
{
    size_t count = 0;

    for (struct item *item = j->link.first; item != NULL; item = item->next)
        count++;
    codec_size(c, &count);
    for (struct item *item = j->link.first; count > 0 && !c->bad; count--) {
        size_t room = c->loading ? 0 : item->room;

        codec_size(c, &room);
        if (c->loading && (room > LINE_OUT_MAX || (item = item_new(room)) == NULL)) {
            c->bad = true;
            return;
        }
        item->kind = codec_choice(c, item->kind, ITEM_ECHO + 1);
        codec_u64(c, &item->due);
        codec_u64(c, &item->after);
        codec_u64(c, &item->count);
        codec_size(c, &item->len);
        codec_size(c, &item->sent);
        c->bad |= item->len > room || item->sent > item->len;
        if (!c->bad)
            codec_bytes(c, item->bytes, item->len);
        if (c->loading)
            link_restore(&j->link, item, false);
        item = c->loading ? NULL : item->next;
    }
}

void journal_state(struct journal *j, struct codec *c)
{
    j->state = codec_choice(c, j->state, JOURNAL_ABSENT + 1);
    j->health = codec_choice(c, j->health, JOURNAL_GONE + 1);
    codec_bool(c, &j->sync);
    codec_bool(c, &j->refusing);
    codec_bool(c, &j->leaving);
    codec_u64(c, &j->settle_to);
    codec_u64(c, &j->kept);
    codec_u64(c, &j->filed);
    codec_u64(c, &j->filed_count);
    codec_u64(c, &j->visible);
    codec_u64(c, &j->waiting_since);
    codec_size(c, &j->words_len);
    codec_size(c, &j->words_old);
    codec_bytes(c, j->words, sizeof(j->words));
    c->bad |= j->words_len > sizeof(j->words) || j->words_old > j->words_len;
    codec_fd(c, &j->link.fd);
    j->link.state = codec_choice(c, j->link.state, LINK_RESET + 1);
    codec_bool(c, &j->link.follows);
    codec_u64(c, &j->link.cursor);
    codec_u64(c, &j->link.moved_to);
    codec_u64(c, &j->link.limit);
    gaps_state(j, c);
    if (c->loading)
        j->revents = POLLIN;
}

bool journal_restored(struct journal *j, struct poller *poller)
{
    if (!journal_has_writer(j))
        return true;
    j->watch.events = 0;
    journal_listen(j, poller);
    return j->watch.events != 0;
}
