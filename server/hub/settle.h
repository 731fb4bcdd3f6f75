/*
 * settle.h: with -s: lines that the writer has confirmed, or that the disk has refused (hold.h),
 * and the answers, welcomes and resumptions that wait for them.
 */
#ifndef SERVER_HUB_SETTLE_H
#define SERVER_HUB_SETTLE_H

struct connections;

/* Once a turn, after journal_read(). Without memory the rest follows in the next turn. */
void settle_lines(struct connections *);

#endif
