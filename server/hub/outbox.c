/*
 * outbox.c: what goes out to one member: the log from his cursor on, and between its lines the
 * items that are his alone, each at the position at which it is due. Nothing is copied per member
 * but those items; the log's bytes go from the ring to the pair.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hub_private.h"

/* Pieces for one sendmsg(2), and how many bytes of them: more than a pair takes at once. */
#define PIECES_MAX 16
#define SEND_MAX (512u * 1024u)

struct item *item_new(size_t len)
{
    struct item *item = malloc(sizeof(*item) + len);

    if (item == NULL)
        return NULL;
    memset(item, 0, sizeof(*item));
    item->len = len;
    return item;
}

__attribute__((format(printf, 2, 0))) static struct item *item_vsay(
    struct hub *hub, const char *format, va_list ap)
{
    char line[LINE_OUT_MAX];
    struct item *item;
    int n;

    hub_stamp_text(hub, line);
    line[STAMP_LEN] = ' ';
    n = vsnprintf(line + STAMP_LEN + 1, sizeof(line) - STAMP_LEN - 2, format, ap);
    if (n < 0 || (item = item_new(STAMP_LEN + 2 + (size_t)n)) == NULL)
        return NULL;
    memcpy(item->bytes, line, item->len - 1);
    item->bytes[item->len - 1] = '\n';
    return item;
}

struct item *item_say(struct hub *hub, const char *format, ...)
{
    struct item *item;
    va_list ap;

    va_start(ap, format);
    item = item_vsay(hub, format, ap);
    va_end(ap);
    return item;
}

struct item *item_blob(struct blob *blob)
{
    struct item *item = item_new(0);

    if (item == NULL)
        return NULL;
    item->kind = ITEM_BLOB;
    item->blob = blob;
    item->len = blob->len;
    blob->refs++;
    return item;
}

void blob_release(struct blob *blob)
{
    if (blob != NULL && --blob->refs == 0)
        free(blob);
}

void item_free(struct item *item)
{
    blob_release(item->blob);
    free(item);
}

/* What an item costs its member's cap: a shared list is charged as if it were a page. */
static size_t item_cost(const struct item *item)
{
    size_t cost = sizeof(*item);

    switch (item->kind) {
    case ITEM_BYTES:
        cost += item->len;
        break;
    case ITEM_BLOB:
        cost += 4096;
        break;
    case ITEM_GAP:
        cost += GAP_TEXT_MAX; /* its length changes when it is written */
        break;
    }
    return cost;
}

void outbox_remove(struct outbox *out, struct item *before)
{
    struct item **place = before == NULL ? &out->first : &before->next;
    struct item *item = *place;

    *place = item->next;
    if (out->last == item)
        out->last = before;
    out->bytes -= item_cost(item);
    item_free(item);
}

void outbox_clear(struct outbox *out)
{
    while (out->first != NULL)
        outbox_remove(out, NULL);
}

void outbox_mark(struct hub *hub, struct member *m)
{
    if (m->dirty)
        return;
    m->dirty = true;
    m->next_dirty = hub->dirty_first;
    hub->dirty_first = m;
}

void outbox_put_at(struct hub *hub, struct member *m, struct item *item)
{
    struct outbox *out = &m->out;

    if (m->deaf) {
        item_free(item);
        return;
    }
    if (out->last == NULL)
        out->first = item;
    else
        out->last->next = item;
    out->last = item;
    out->bytes += item_cost(item);
    outbox_mark(hub, m);
}

void outbox_close(const struct hub *hub, struct outbox *out)
{
    if (out->limit > log_head(hub->log))
        out->limit = log_head(hub->log);
}

uint64_t outbox_end(const struct hub *hub, const struct outbox *out)
{
    uint64_t head = log_head(hub->log);

    return out->limit < head ? out->limit : head;
}

void outbox_put(struct hub *hub, struct member *m, struct item *item)
{
    item->due = item->after = outbox_end(hub, &m->out);
    outbox_put_at(hub, m, item);
}

bool outbox_say(struct hub *hub, struct member *m, const char *format, ...)
{
    struct item *item;
    va_list ap;

    va_start(ap, format);
    item = item_vsay(hub, format, ap);
    va_end(ap);
    if (item == NULL)
        return false;
    outbox_put(hub, m, item);
    return true;
}

/* Up to where this member may have the log now. */
static uint64_t log_end(const struct hub *hub, const struct outbox *out)
{
    if (!out->reads_log)
        return out->cursor;
    if (out->ahead)
        return out->limit < log_head(hub->log) ? out->limit : log_head(hub->log);
    return out->limit < hub->shown ? out->limit : hub->shown;
}

bool outbox_is_done(const struct outbox *out)
{
    return out->first == NULL && (!out->reads_log || out->cursor >= out->limit);
}

uint64_t outbox_needs(const struct outbox *out)
{
    return out->cursor > out->moved_to ? out->cursor : out->moved_to;
}

void gap_stamp(struct hub *hub, struct item *gap)
{
    uint64_t next = log_stamp_from(hub->log, gap->after);

    if (next != 0)
        stamp_format(gap->bytes, next - 1);
    else
        hub_stamp_text(hub, gap->bytes);
}

static void gap_write(struct hub *hub, struct item *item)
{
    char count[24] = "?";
    int n;

    if (item->counted)
        snprintf(count, sizeof(count), "%llu", (unsigned long long)item->count);
    gap_stamp(hub, item);
    n = snprintf(item->bytes + STAMP_LEN, GAP_TEXT_MAX - STAMP_LEN, " gap %s %llu\n", count,
        (unsigned long long)item->mine);
    item->len = STAMP_LEN + (size_t)n;
}

static struct iovec item_piece(struct hub *hub, struct item *item)
{
    struct iovec piece;
    char *bytes = item->kind == ITEM_BLOB ? item->blob->bytes : item->bytes;

    if (item->kind == ITEM_GAP && item->sent == 0)
        gap_write(hub, item);
    piece.iov_base = bytes + item->sent;
    piece.iov_len = item->len - item->sent;
    return piece;
}

/* The next bytes to send, in order, as pieces; their number and total. */
static int outbox_gather(
    struct hub *hub, struct outbox *out, struct iovec pieces[PIECES_MAX], size_t *total)
{
    uint64_t end = log_end(hub, out);
    uint64_t at = out->cursor;
    struct item *item = out->first;
    int n = 0;

    *total = 0;
    while (n + 2 < PIECES_MAX && *total < SEND_MAX) {
        uint64_t stop = item != NULL && item->due < end ? item->due : end;

        if (at < stop) {
            if (stop - at > SEND_MAX)
                stop = at + SEND_MAX;
            n += log_bytes(hub->log, at, stop, pieces + n);
            *total += (size_t)(stop - at);
            at = stop;
        } else if (item != NULL && item->due == at && item->shown <= hub->shown) {
            pieces[n] = item_piece(hub, item);
            *total += pieces[n++].iov_len;
            at = item->after;
            item = item->next;
        } else {
            break;
        }
    }
    return n;
}

/* So many bytes of what was gathered have gone. */
static void outbox_advance(const struct hub *hub, struct outbox *out, size_t sent)
{
    uint64_t end = log_end(hub, out);

    while (sent > 0) {
        struct item *item = out->first;
        uint64_t stop = item != NULL && item->due < end ? item->due : end;
        size_t part;

        if (out->cursor < stop) {
            part = stop - out->cursor < sent ? (size_t)(stop - out->cursor) : sent;
            out->cursor += part;
        } else {
            part = item->len - item->sent < sent ? item->len - item->sent : sent;
            item->sent += part;
            if (item->sent == item->len) {
                out->cursor = item->after;
                outbox_remove(out, NULL);
            }
        }
        sent -= part;
    }
}

void outbox_deafen(struct member *m)
{
    m->deaf = true;
    m->blocked = false;
    m->out.limit = m->out.cursor;
    outbox_clear(&m->out);
}

void outbox_flush(struct hub *hub, struct member *m)
{
    struct iovec pieces[PIECES_MAX];
    struct msghdr msg = {.msg_iov = pieces};
    size_t total;
    ssize_t sent;
    int n;

    while (!m->blocked && !m->deaf && !m->shut) {
        n = outbox_gather(hub, &m->out, pieces, &total);
        if (n == 0)
            return;
        msg.msg_iovlen = (size_t)n;
        sent = sendmsg(m->fd, &msg, MSG_NOSIGNAL);
        if (sent == -1 && errno == EINTR)
            continue;
        if (sent == -1 &&
            (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM)) {
            m->blocked = true;
        } else if (sent == -1) {
            outbox_deafen(m);
        } else {
            outbox_advance(hub, &m->out, (size_t)sent);
            m->progress = hub->now;
            m->blocked = (size_t)sent < total;
        }
    }
}

/* An item that stands for the log's lines in [from, to). */
static struct item *gap_new(struct hub *hub, const struct member *m, uint64_t from, uint64_t to)
{
    struct item *item = item_new(GAP_TEXT_MAX);

    if (item == NULL)
        return NULL;
    item->kind = ITEM_GAP;
    item->due = from;
    item->after = to;
    item->counted = true;
    item->count = log_count(hub->log, to) - log_count(hub->log, from);
    item->mine = log_count_by(hub->log, from, to, m->id);
    return item;
}

void outbox_insert(struct outbox *out, struct item *before, struct item *item)
{
    struct item **place = before == NULL ? &out->first : &before->next;

    item->next = *place;
    *place = item;
    if (item->next == NULL)
        out->last = item;
    out->bytes += item_cost(item);
}

/* A line that has been sent in part is kept, so that it is never cut. */
static bool keep_line_end(struct hub *hub, struct outbox *out)
{
    uint64_t end = log_line_from(hub->log, out->cursor);
    struct item *item;
    struct iovec piece[2];
    int n;

    if (end == out->cursor || (out->first != NULL && out->first->due == out->cursor))
        return true;
    item = item_new((size_t)(end - out->cursor));
    if (item == NULL)
        return false;
    n = log_bytes(hub->log, out->cursor, end, piece);
    memcpy(item->bytes, piece[0].iov_base, piece[0].iov_len);
    if (n == 2)
        memcpy(item->bytes + piece[0].iov_len, piece[1].iov_base, piece[1].iov_len);
    item->due = out->cursor;
    item->after = end;
    outbox_insert(out, NULL, item);
    return true;
}

/*
 * Stands a gap over [from, to) behind the item before, by growing that one where it is a gap that
 * nothing was sent of. Returns the item that now ends at to; NULL without memory.
 */
static struct item *add_gap(
    struct hub *hub, struct member *m, struct item *before, uint64_t from, uint64_t to)
{
    struct item *gap = gap_new(hub, m, from, to);

    if (gap == NULL)
        return NULL;
    hub->counters.gaps++;
    hub->counters.skipped += gap->count;
    m->skipped += gap->count;
    if (before != NULL && before->kind == ITEM_GAP && before->sent == 0) {
        before->after = to;
        before->count += gap->count;
        before->mine += gap->mine;
        item_free(gap);
        return before;
    }
    outbox_insert(&m->out, before, gap);
    return gap;
}

bool outbox_move_ahead(struct hub *hub, struct member *m, uint64_t target)
{
    struct outbox *out = &m->out;
    struct item *before = NULL;
    uint64_t at;

    if (target > out->limit)
        target = out->limit;
    if (out->cursor >= target) /* where a leaver has stopped, the log may be gone */
        return true;
    if (!keep_line_end(hub, out))
        return false;
    /* Every place from the cursor on is either an item's or, from here on, a gap's. */
    for (at = out->cursor; at < target;) {
        struct item *item = before == NULL ? out->first : before->next;
        uint64_t stop = item != NULL && item->due < target ? item->due : target;

        if (item != NULL && item->due == at) {
            before = item;
            at = item->after;
            out->moved_to = at;
            continue;
        }
        before = add_gap(hub, m, before, at, stop);
        if (before == NULL)
            return false;
        at = stop;
        out->moved_to = at;
    }
    return true;
}
