/* mailbox.c: see mailbox.h. */
#include "mailbox.h"

#include <stdlib.h>
#include <string.h>

#include "server/hub/codec.h"

/* More is not kept for an engine that does not read: messages are refused then. */
#define MAILBOX_SIZE (1u << 20)
/* So much of it is sent before a batch has its turn, and the frame that exceeds it. */
#define PIECE_SIZE 65536u
/* Letters of others that wait, at most. */
#define KEPT_MAX 64u

bool mailbox_init(struct mailbox *m)
{
    *m = (struct mailbox){.out = malloc(MAILBOX_SIZE)};
    return m->out != NULL;
}

void mailbox_free(struct mailbox *m)
{
    struct kept *kept;

    while ((kept = m->first) != NULL) {
        m->first = kept->next;
        free(kept);
    }
    free(m->out);
}

/* ---- To the engine --------------------------------------------------------------------------- */

static bool has_space(const struct mailbox *m, size_t len)
{
    return MAILBOX_SIZE - m->out_len >= len;
}

/* A frame of that length was written behind the others; 0: it was not. */
static bool frame_add(struct mailbox *m, size_t len)
{
    m->out_len += len;
    return len > 0;
}

bool mailbox_ask(struct mailbox *m, const struct frame_ask *ask)
{
    return has_space(m, FRAME_ASK_MAX) && frame_add(m, frame_ask_write(m->out + m->out_len, ask));
}

bool mailbox_answer(struct mailbox *m, const struct frame_letter *answer)
{
    return has_space(m, FRAME_LETTER_MAX) &&
           frame_add(m, frame_letter_write(m->out + m->out_len, FRAME_ANSWER, answer));
}

bool mailbox_renew(struct mailbox *m, const struct frame_renew *renew)
{
    return has_space(m, FRAME_RENEW_MAX) &&
           frame_add(m, frame_renew_write(m->out + m->out_len, renew));
}

/* Where the next piece ends, if the last one is sent. */
static size_t piece_end(const struct mailbox *m)
{
    struct span rest = {m->out + m->sent, m->out_len - m->sent};
    struct frame frame;

    while (
        m->out_len - rest.len < m->sent + PIECE_SIZE && frame_next(&frame, &rest) == FRAME_READY) {}
    return m->out_len - rest.len;
}

bool mailbox_is_cut(const struct mailbox *m)
{
    return m->sent < m->piece;
}

bool mailbox_is_waiting(const struct mailbox *m)
{
    return m->sent < m->out_len;
}

bool mailbox_send(struct mailbox *m, int fd)
{
    if (!mailbox_is_cut(m))
        m->piece = piece_end(m);
    if (!frames_send(fd, m->out, m->piece, &m->sent))
        return false;
    if (m->sent == m->out_len)
        mailbox_forget(m);
    return true;
}

void mailbox_forget(struct mailbox *m)
{
    m->sent = m->piece = m->out_len = 0;
}

/* ---- Letters that wait ----------------------------------------------------------------------- */

static void copy_put(struct kept *kept, size_t at, struct span *span, struct span from)
{
    if (from.len > 0)
        memcpy(kept->bytes + at, from.at, from.len);
    *span = (struct span){kept->bytes + at, from.len};
}

bool mailbox_keep(
    struct mailbox *m, const struct frame_letter *letter, uint64_t sequence, uint64_t until)
{
    struct kept *kept;

    if (m->kept_count >= KEPT_MAX)
        return false;
    kept = malloc(sizeof(*kept) + letter->reply.len + letter->bytes.len);
    if (kept == NULL)
        return false;
    *kept = (struct kept){.sequence = sequence, .until = until};
    copy_put(kept, 0, &kept->letter.reply, letter->reply);
    copy_put(kept, letter->reply.len, &kept->letter.bytes, letter->bytes);
    if (m->last == NULL)
        m->first = kept;
    else
        m->last->next = kept;
    m->last = kept;
    m->kept_count++;
    return true;
}

struct kept *mailbox_take(struct mailbox *m, uint64_t sequence, uint64_t now)
{
    struct kept *before = NULL;
    struct kept *kept = m->first;

    while (kept != NULL && kept->sequence > sequence && kept->until > now) {
        before = kept;
        kept = kept->next;
    }
    if (kept == NULL)
        return NULL;
    if (before == NULL)
        m->first = kept->next;
    else
        before->next = kept->next;
    if (m->last == kept)
        m->last = before;
    m->kept_count--;
    return kept;
}

/* All wait equally long, so the first one is due first. */
uint64_t mailbox_due(const struct mailbox *m)
{
    return m->first == NULL ? UINT64_MAX : m->first->until;
}

/* ---- Handing over ---------------------------------------------------------------------------- */

void mailbox_state(struct mailbox *m, struct codec *c)
{
    codec_u32(c, &m->asked);
    codec_size(c, &m->out_len);
    codec_size(c, &m->sent);
    codec_size(c, &m->piece);
    c->bad |= m->out_len > MAILBOX_SIZE || m->piece > m->out_len || m->sent > m->piece;
    if (c->bad)
        mailbox_forget(m);
    codec_bytes(c, m->out, m->out_len);
}
