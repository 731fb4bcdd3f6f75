/* private.c: see private.h. */
#include "private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "room.h"
#include "server/cluster/cluster.h"
#include "server/cluster/letter.h"
#include "wire/text.h"

/* For an answer of another node. */
#define ANSWER_US 5000000u
/* A letter is not kept longer, so that its sender still gets the answer. */
#define KEEP_US 4000000u
/* No error is longer: two names and the words. */
#define ERROR_MAX (STAMP_LEN + 2 * NAME_LEN_MAX + 128)

/* ---- The sender's end ------------------------------------------------------------------------ */

bool private_is_elsewhere(const struct connections *cs, const struct person *person)
{
    return cs->cluster != NULL && person->node != NULL &&
           person->node != cluster_node(cs->cluster, cs->room);
}

/* The echo, with space for an error in its place. */
static struct item *echo_new(const struct connection *c, const struct person *to, struct span text)
{
    size_t len = STAMP_LEN + strlen(" priv   \n") + strlen(c->person->name) + strlen(to->name);
    struct item *echo = item_new(len + text.len > ERROR_MAX ? len + text.len : ERROR_MAX);
    char *at;

    if (echo == NULL)
        return NULL;
    echo->len = len + text.len;
    at = stpcpy(echo->bytes + STAMP_LEN, " priv ");
    at = stpcpy(stpcpy(stpcpy(stpcpy(at, c->person->name), " "), to->name), " ");
    memcpy(at, text.at, text.len);
    at[text.len] = '\n';
    return echo;
}

static void error_write(struct item *, const char *format, va_list)
    __attribute__((format(printf, 2, 0)));

static void error_write(struct item *item, const char *format, va_list ap)
{
    char *at = item->bytes + STAMP_LEN;
    int len = vsnprintf(at, ERROR_MAX - STAMP_LEN, format, ap);

    at[len] = '\n';
    item->len = STAMP_LEN + (size_t)len + 1;
}

/* The line has its answer, which is the echo, or what was written in its place. */
static void echo_release(struct connections *cs, struct connection *c, uint64_t *counter)
{
    struct item *item = c->private.echo;

    stamp_format(item->bytes, connections_time(cs));
    c->private.echo = NULL;
    deadline_set(cs, c, DEADLINE_PRIVATE, TIME_NEVER);
    connection_put(cs, c, item);
    connection_count_answer(cs, c, counter);
    connection_unpause(cs, c);
}

static void private_refuse(struct connections *cs, struct connection *c, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void private_refuse(struct connections *cs, struct connection *c, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    error_write(c->private.echo, format, ap);
    va_end(ap);
    echo_release(cs, c, &cs->counters.refused);
}

static bool letter_send(
    struct connections *cs, struct connection *c, const struct person *to, struct span text)
{
    struct cluster *cluster = cs->cluster;
    const struct letter letter = {.node = cluster->config.node,
        .from = cluster->incarnation,
        .sender = c->person->number,
        .to = to->node->incarnation,
        .receiver = to->number,
        .sequence = cluster->inbox.sequence,
        .text = text};
    char bytes[LETTER_MAX];
    const struct frame_ask question = {.number = c->private.number,
        .until = cs->turn.now + ANSWER_US,
        .node = {to->node->name, strlen(to->node->name)},
        .bytes = {bytes, letter_write(bytes, &letter)}};

    return cluster_has_engine(cluster) && mailbox_ask(&cluster->mailbox, &question);
}

enum taken private_send(
    struct connections *cs, struct connection *c, const struct person *to, struct span text)
{
    struct private *p = &c->private;

    p->echo = echo_new(c, to, text);
    if (p->echo == NULL)
        return LINE_LATER;
    strcpy(p->to, to->name);
    p->number = (uint64_t)++cs->cluster->mailbox.asked << 32 | c->out.link.author;
    if (!letter_send(cs, c, to, text)) {
        private_refuse(cs, c, " error busy the node of %s cannot be reached now", p->to);
        return LINE_TAKEN;
    }
    connection_pause(cs, c, PAUSE_PRIVATE, TIME_NEVER);
    deadline_set(cs, c, DEADLINE_PRIVATE, cs->turn.now + ANSWER_US);
    return LINE_TAKEN;
}

void private_late(struct connections *cs, struct connection *c)
{
    if (c->private.echo != NULL)
        private_refuse(cs, c, " error busy the node of %s does not answer; they may have got it",
            c->private.to);
}

void private_forget(struct connections *cs, struct connection *c)
{
    uint64_t *discarded = &cs->counters.discarded;

    if (c->private.echo == NULL)
        return;
    item_free(c->private.echo);
    c->private.echo = NULL;
    deadline_set(cs, c, DEADLINE_PRIVATE, TIME_NEVER);
    connection_count_answer(cs, c, discarded);
}

/* Somebody who has gone on elsewhere meanwhile is still here. */
static void answer_nobody(struct connections *cs, struct connection *c)
{
    const char *to = c->private.to;

    if (room_find(cs->room, to) == NULL)
        private_refuse(cs, c, " error no-such-user nobody here is called %s", to);
    else
        private_refuse(cs, c, " error busy %s cannot take a private message now", to);
}

static void answer_take(struct connections *cs, struct span payload)
{
    struct frame_answered read;
    struct connection *c;

    if (!frame_answered_read(&read, payload))
        return;
    c = connection_by_author(cs, (uint32_t)read.number);
    if (c == NULL || c->private.echo == NULL || c->private.number != read.number)
        return;
    if (read.bytes.len == 0) {
        private_refuse(cs, c, " error busy the node of %s cannot be reached now", c->private.to);
        return;
    }
    switch (letter_answer_read(read.bytes)) {
    case LETTER_DELIVERED:
        echo_release(cs, c, &cs->counters.echoed);
        break;
    case LETTER_NOBODY:
        answer_nobody(cs, c);
        break;
    case LETTER_BUSY:
        private_refuse(cs, c, " error busy %s cannot take a private message now", c->private.to);
        break;
    }
}

/* ---- The receiver's end ---------------------------------------------------------------------- */

/* The member of that incarnation and number; NULL: there is none. */
static struct person *member_find(
    const struct room *room, const struct node *node, struct incarnation in, uint32_t number)
{
    struct person *person = NULL;

    if (node != NULL && node->state == NODE_RUNNING && incarnation_equal(node->incarnation, in))
        person = room_find_number(room, node, number);
    return person != NULL && person->kind == PERSON_MEMBER ? person : NULL;
}

/* The text is checked like any client's: another machine may have been taken over, or know another
 * version of Unicode. NULL without memory, and where nothing is left. */
static struct item *private_new(
    struct connections *cs, const struct person *from, const struct person *to, struct span text)
{
    char clean[3 * LINE_CLEAN_MAX];
    size_t len = text_clean(clean, text.at, text.len);

    len = len == 0 ? 0 : text_cut(clean, len, LINE_CLEAN_MAX);
    if (len == 0)
        return NULL;
    return item_text(
        connections_time(cs), "priv %s %s %.*s", from->name, to->name, (int)len, clean);
}

static enum letter_answer letter_deliver(struct connections *cs, const struct letter *letter)
{
    const struct room *room = cs->room;
    const struct node *here = cluster_node(cs->cluster, room);
    const struct person *from =
        member_find(room, nodes_find(&room->nodes, letter->node), letter->from, letter->sender);
    const struct person *to = member_find(room, here, letter->to, letter->receiver);
    struct connection *c;
    struct item *item;

    if (to == NULL)
        return LETTER_NOBODY;
    if (from == NULL || from->node == here || to->link == NULL || to->link->bytes > QUEUE_MAX)
        return LETTER_BUSY;
    c = connection_by_author(cs, to->link->author);
    item = c == NULL ? NULL : private_new(cs, from, to, letter->text);
    if (item == NULL)
        return LETTER_BUSY;
    connection_put(cs, c, item);
    return LETTER_DELIVERED;
}

static void letter_answer_send(struct connections *cs, struct span reply, enum letter_answer answer)
{
    const char byte = (char)answer;
    const struct frame_letter frame = {.reply = reply, .bytes = {&byte, 1}};

    (void)mailbox_answer(&cs->cluster->mailbox, &frame);
}

/* Another program may have this node's name, with another incarnation: only one of them answers. */
static bool is_for_this(const struct cluster *cluster, const struct letter *letter)
{
    return incarnation_equal(letter->to, cluster->incarnation);
}

static void letter_take(struct connections *cs, struct span payload)
{
    struct cluster *cluster = cs->cluster;
    struct frame_letter frame;
    struct letter letter;

    if (!frame_letter_read(&frame, FRAME_ASKED, payload))
        return;
    if (!letter_read(&letter, frame.bytes))
        letter_answer_send(cs, frame.reply, LETTER_BUSY);
    else if (!is_for_this(cluster, &letter))
        return;
    else if (letter.sequence <= cluster_applied(cluster))
        letter_answer_send(cs, frame.reply, letter_deliver(cs, &letter));
    else if (!mailbox_keep(&cluster->mailbox, &frame, letter.sequence, cs->turn.now + KEEP_US))
        letter_answer_send(cs, frame.reply, LETTER_BUSY);
}

bool private_take(struct connections *cs)
{
    struct frame frame;

    if (!cluster_take_direct(cs->cluster, &frame))
        return false;
    if (frame.kind == FRAME_ASKED)
        letter_take(cs, frame.payload);
    else
        answer_take(cs, frame.payload);
    return true;
}

void private_turn(struct connections *cs)
{
    struct cluster *cluster = cs->cluster;
    uint64_t applied = cluster_applied(cluster);
    struct letter letter;
    struct kept *kept;

    while ((kept = mailbox_take(&cluster->mailbox, applied, cs->turn.now)) != NULL) {
        bool reached = kept->sequence <= applied && letter_read(&letter, kept->letter.bytes) &&
                       is_for_this(cluster, &letter);

        letter_answer_send(
            cs, kept->letter.reply, reached ? letter_deliver(cs, &letter) : LETTER_BUSY);
        free(kept);
    }
}
