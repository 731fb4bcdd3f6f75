/* link.c: gathers the log's bytes and the items between into one sendmsg(2) per turn. */
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "compat/compat.h"
#include "log.h"

/* Pieces for one sendmsg(2), and how many bytes of them: more than a socket takes at once. */
#define PIECES_MAX 16
#define SEND_MAX (512u * 1024u)

/* ---- Items ----------------------------------------------------------------------------------- */

struct item *item_new(size_t len)
{
    struct item *item = malloc(sizeof(*item) + len);

    if (item == NULL)
        return NULL;
    memset(item, 0, sizeof(*item));
    list_init(&item->waiter.entry);
    item->room = item->len = len;
    return item;
}

struct item *item_vtext(uint64_t stamp, const char *format, va_list ap)
{
    char line[LINE_OUT_MAX];
    size_t room = sizeof(line) - STAMP_LEN - 2;
    struct item *item;
    int n;

    stamp_format(line, stamp);
    line[STAMP_LEN] = ' ';
    n = vsnprintf(line + STAMP_LEN + 1, room, format, ap);
    if (n < 0)
        return NULL;
    if ((size_t)n >= room)
        n = (int)room - 1;
    item = item_new(STAMP_LEN + 2 + (size_t)n);
    if (item == NULL)
        return NULL;
    memcpy(item->bytes, line, item->len - 1);
    item->bytes[item->len - 1] = '\n';
    return item;
}

struct item *item_text(uint64_t stamp, const char *format, ...)
{
    struct item *item;
    va_list ap;

    va_start(ap, format);
    item = item_vtext(stamp, format, ap);
    va_end(ap);
    return item;
}

struct item *item_shared(struct shared *shared)
{
    struct item *item = item_new(0);

    if (item == NULL)
        return NULL;
    item->kind = ITEM_SHARED;
    if (shared != NULL)
        item_share(item, shared);
    return item;
}

void item_share(struct item *item, struct shared *shared)
{
    item->shared = shared;
    item->len = shared->len;
    shared->refs++;
}

void shared_release(struct shared *shared)
{
    if (shared != NULL && --shared->refs == 0)
        free(shared);
}

void item_free(struct item *item)
{
    if (item == NULL)
        return;
    shared_release(item->shared);
    free(item);
}

/* What an item counts in its link's queue. */
static size_t item_cost(const struct item *item)
{
    size_t cost = sizeof(*item);

    switch (item->kind) {
    case ITEM_BYTES:
    case ITEM_ECHO:
        cost += item->len;
        break;
    case ITEM_SHARED:
        cost += SHARED_COST;
        break;
    case ITEM_GAP:
        cost += GAP_TEXT_MAX; /* its length changes when it is written */
        break;
    }
    return cost;
}

static void item_count(struct link *link, const struct item *item)
{
    link->bytes += item_cost(item);
    link->lists += item->kind == ITEM_SHARED;
}

static void item_uncount(struct link *link, const struct item *item)
{
    link->bytes -= item_cost(item);
    link->lists -= item->kind == ITEM_SHARED;
}

/* ---- Queueing -------------------------------------------------------------------------------- */

void link_init(struct link *link, int fd, uint32_t author, uint64_t now)
{
    *link = (struct link){.fd = fd, .author = author, .progress = now, .limit = LINK_NO_LIMIT};
    list_init(&link->stop.entry);
}

/* Puts an item behind before (NULL: first). */
static void item_insert(struct link *link, struct item *before, struct item *item)
{
    struct item **place = before == NULL ? &link->first : &before->next;

    item->next = *place;
    *place = item;
    if (item->next == NULL)
        link->last = item;
    item_count(link, item);
}

/* Takes the first item out and frees it. */
static void item_drop(struct link *link)
{
    struct item *item = link->first;

    link->first = item->next;
    if (link->first == NULL)
        link->last = NULL;
    item_uncount(link, item);
    item_free(item);
}

void link_clear(struct link *link)
{
    struct item *item;

    while (link->first != NULL)
        item_drop(link);
    while ((item = link->waiting) != NULL) {
        link->waiting = item->next;
        item_uncount(link, item);
        list_remove(&item->waiter.entry);
        item_free(item);
    }
    list_remove(&link->stop.entry);
}

bool link_is_open(const struct link *link)
{
    return link->state == LINK_READY || link->state == LINK_BLOCKED;
}

void link_put(struct link *link, struct item *item)
{
    if (link_is_open(link))
        item_insert(link, link->last, item);
    else
        item_free(item);
}

static void waiting_append(struct link *link, struct item *item)
{
    list_init(&item->waiter.entry);
    item->link = link;
    item->next = NULL;
    if (link->waiting == NULL)
        link->waiting = item;
    else
        link->waiting_last->next = item;
    link->waiting_last = item;
    item_count(link, item);
}

void link_wait(struct link *link, struct hold *hold, struct item *item)
{
    if (!link_is_open(link)) {
        item_free(item);
        return;
    }
    waiting_append(link, item);
    hold_wait(hold, &item->waiter, WAITER_ITEM);
}

void link_restore(struct link *link, struct item *item, bool waits)
{
    if (waits)
        waiting_append(link, item);
    else
        item_insert(link, link->last, item);
}

void link_resize(struct item *item, size_t len)
{
    item_uncount(item->link, item);
    item->len = len;
    item_count(item->link, item);
}

void link_settle(struct item *item, uint64_t head)
{
    struct link *link = item->link;

    link->waiting = item->next;
    item_uncount(link, item);
    item->due = item->after = link_end(link, head);
    item->visible = 0; /* what is settled is visible */
    link_put(link, item);
}

void link_follow(struct link *link, uint64_t cursor, uint64_t limit)
{
    link->follows = true;
    link->cursor = link->moved_to = cursor;
    link->limit = limit;
    for (struct item *item = link->first; item != NULL; item = item->next)
        item->due = item->after = cursor;
}

void link_stop(struct link *link, uint64_t limit)
{
    if (link->limit > limit)
        link->limit = limit;
}

uint64_t link_end(const struct link *link, uint64_t head)
{
    if (!link->follows)
        return link->cursor;
    return link->limit < head ? link->limit : head;
}

void link_break(struct link *link, enum link_state state)
{
    link->state = state;
    link->limit = link->cursor;
    link_clear(link);
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* Up to where this reader may have the log now. */
static uint64_t log_end(const struct link *link, uint64_t visible)
{
    if (!link->follows)
        return link->cursor;
    return link->limit < visible ? link->limit : visible;
}

bool link_is_done(const struct link *link)
{
    if (!link_is_open(link))
        return true;
    return link->first == NULL && link->waiting == NULL && list_is_empty(&link->stop.entry) &&
           (!link->follows || link->cursor >= link->limit);
}

bool link_waits(const struct link *link, uint64_t visible)
{
    return link->first != NULL && link->first->visible > visible;
}

uint64_t link_pending(const struct link *link, uint64_t head)
{
    uint64_t end = link_end(link, head);
    uint64_t pending = end > link->cursor ? end - link->cursor : 0;

    for (const struct item *item = link->first; item != NULL; item = item->next)
        pending += item->len - item->sent;
    for (const struct item *item = link->waiting; item != NULL; item = item->next)
        pending += item->len;
    return pending;
}

/* A reader has its lines in the order of their stamps: a gap is older than the event behind it. */
static void gap_write(struct item *item, const struct log *log)
{
    uint64_t next = log_stamp_from(log, item->after);
    char count[24] = "?";
    int n;

    if (item->count != UINT64_MAX)
        snprintf(count, sizeof(count), "%llu", (unsigned long long)item->count);
    stamp_format(item->bytes, next != 0 ? next - 1 : log_last_stamp(log));
    n = snprintf(item->bytes + STAMP_LEN, GAP_TEXT_MAX - STAMP_LEN, " gap %s %llu\n", count,
        (unsigned long long)item->mine);
    item->len = STAMP_LEN + (size_t)n;
}

static struct iovec item_piece(struct item *item, const struct log *log)
{
    char *bytes = item->kind == ITEM_SHARED ? item->shared->bytes : item->bytes;

    if (item->kind == ITEM_GAP && item->sent == 0)
        gap_write(item, log);
    return (struct iovec){bytes + item->sent, item->len - item->sent};
}

/* The next bytes to send, in order, as pieces; their number, and their total. */
static int link_gather(struct link *link, const struct log *log, uint64_t visible,
    struct iovec pieces[PIECES_MAX], size_t *total)
{
    uint64_t end = log_end(link, visible);
    uint64_t at = link->cursor;
    struct item *item = link->first;
    int n = 0;

    *total = 0;
    while (n + 2 < PIECES_MAX && *total < SEND_MAX) {
        uint64_t stop = item != NULL && item->due < end ? item->due : end;

        if (at < stop) {
            if (stop - at > SEND_MAX)
                stop = at + SEND_MAX;
            n += log_bytes(log, at, stop, pieces + n);
            *total += (size_t)(stop - at);
            at = stop;
        } else if (item != NULL && item->due == at && item->visible <= visible) {
            pieces[n] = item_piece(item, log);
            *total += pieces[n++].iov_len;
            at = item->after;
            item = item->next;
        } else {
            break;
        }
    }
    return n;
}

/* So many bytes of what was gathered have been sent. */
static void link_advance(struct link *link, uint64_t visible, size_t sent)
{
    uint64_t end = log_end(link, visible);

    while (sent > 0) {
        struct item *item = link->first;
        uint64_t stop = item != NULL && item->due < end ? item->due : end;
        size_t part;

        if (link->cursor < stop) {
            part = stop - link->cursor < sent ? (size_t)(stop - link->cursor) : sent;
            link->cursor += part;
        } else {
            part = item->len - item->sent < sent ? item->len - item->sent : sent;
            item->sent += part;
            if (item->sent == item->len) {
                link->cursor = item->after;
                item_drop(link);
            }
        }
        sent -= part;
    }
}

static bool is_temporary(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ENOMEM;
}

void link_send(struct link *link, const struct log *log, uint64_t visible, uint64_t now)
{
    struct iovec pieces[PIECES_MAX];
    struct msghdr msg = {.msg_iov = pieces};
    size_t total;
    ssize_t sent;
    int n;

    while (link->state == LINK_READY) {
        n = link_gather(link, log, visible, pieces, &total);
        if (n == 0)
            return;
        msg.msg_iovlen = (size_t)n;
        sent = sendmsg(link->fd, &msg, MSG_NOSIGNAL);
        if (sent >= 0) {
            link_advance(link, visible, (size_t)sent);
            link->progress = now;
            link->sent += (uint64_t)sent;
            if ((size_t)sent < total)
                link->state = LINK_BLOCKED;
        } else if (is_temporary(errno)) {
            link->state = LINK_BLOCKED;
        } else if (errno != EINTR) {
            link_break(link, errno == EPIPE ? LINK_PIPE : LINK_RESET);
        }
    }
}

bool link_copy(struct link *link, const struct log *log, uint64_t visible, int file)
{
    struct iovec pieces[PIECES_MAX];
    size_t total;
    int n;

    while ((n = link_gather(link, log, visible, pieces, &total)) > 0) {
        for (int i = 0; i < n; i++)
            if (!write_all(file, pieces[i].iov_base, pieces[i].iov_len))
                return false;
        link_advance(link, visible, total);
    }
    return true;
}

/* ---- Gaps ------------------------------------------------------------------------------------ */

uint64_t link_needs(const struct link *link)
{
    uint64_t from = link->cursor > link->moved_to ? link->cursor : link->moved_to;

    return link->follows && link_is_open(link) && from < link->limit ? from : LINK_NO_LIMIT;
}

struct item *item_gap_unknown(void)
{
    struct item *item = item_new(GAP_TEXT_MAX);

    if (item == NULL)
        return NULL;
    item->kind = ITEM_GAP;
    item->count = UINT64_MAX;
    return item;
}

/* An item that stands for the log's lines in [from, to). */
static struct item *gap_new(
    const struct link *link, const struct log *log, uint64_t from, uint64_t to)
{
    struct item *item = item_new(GAP_TEXT_MAX);

    if (item == NULL)
        return NULL;
    item->kind = ITEM_GAP;
    item->due = from;
    item->after = to;
    item->count = log_count(log, to) - log_count(log, from);
    item->mine = log_count_by(log, from, to, link->author);
    return item;
}

/* A line that has been sent in part is kept, so that it is never cut. */
static bool keep_line_end(struct link *link, const struct log *log)
{
    uint64_t end = log_line_from(log, link->cursor);
    struct item *item;

    if (end == link->cursor || (link->first != NULL && link->first->due == link->cursor))
        return true;
    item = item_new((size_t)(end - link->cursor));
    if (item == NULL)
        return false;
    log_copy(log, link->cursor, end, item->bytes);
    item->due = link->cursor;
    item->after = end;
    item_insert(link, NULL, item);
    return true;
}

/*
 * Puts a gap over [from, to) behind the item before, by growing that one where it is a gap of which
 * nothing was sent. Returns the item that now ends at to; NULL without memory.
 */
static struct item *add_gap(
    struct link *link, const struct log *log, struct item *before, uint64_t from, uint64_t to)
{
    struct item *gap = gap_new(link, log, from, to);

    if (gap == NULL)
        return NULL;
    link->skipped += gap->count;
    if (before != NULL && before->kind == ITEM_GAP && before->sent == 0 && before->after == from) {
        before->after = to;
        before->count += before->count == UINT64_MAX ? 0 : gap->count;
        before->mine += gap->mine;
        item_free(gap);
        return before;
    }
    item_insert(link, before, gap);
    return gap;
}

bool link_skip(struct link *link, const struct log *log, uint64_t target)
{
    struct item *before = NULL;
    uint64_t at;

    if (target > link->limit)
        target = link->limit;
    if (link->cursor >= target)
        return true;
    if (!keep_line_end(link, log))
        return false;
    /* Every place from the cursor on is either an item's or, from here on, a gap's. */
    for (at = link->cursor; at < target;) {
        struct item *item = before == NULL ? link->first : before->next;
        uint64_t stop = item != NULL && item->due < target ? item->due : target;

        if (item != NULL && item->due == at) {
            before = item;
            at = item->after;
        } else {
            before = add_gap(link, log, before, at, stop);
            if (before == NULL)
                return false;
            at = stop;
        }
        link->moved_to = at;
    }
    return true;
}
