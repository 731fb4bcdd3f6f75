/*
 * codec.h: writes values to a buffer and reads them back, by the same calls: a structure's form is
 * described once, by one function, for both ways. Used for what one hub hands to the next, and for
 * snapshots in a room's stream.
 *
 * Numbers are 8 bytes, least significant first; bytes have their length before them. Reading is
 * checked: what does not fit sets bad, and everything after is zero.
 */
#ifndef SERVER_CODEC_H
#define SERVER_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec {
    bool loading;
    bool keep_fds; /* when writing: descriptors shall outlive an exec */
    bool bad;      /* no memory, or not what was expected */
    char *buf;     /* written: allocated, the caller frees it; read: the caller's */
    size_t len;    /* bytes in buf */
    size_t at;     /* loading: how far it is read */
    size_t room;   /* writing: what is allocated */
};

void codec_u64(struct codec *, uint64_t *);
void codec_u32(struct codec *, uint32_t *);
void codec_size(struct codec *, size_t *);
void codec_int(struct codec *, int *); /* negative ones too */
void codec_bool(struct codec *, bool *);
/* A number of an enum, below count. */
unsigned codec_choice(struct codec *, unsigned value, unsigned count);
/* A string in a buffer of that size. */
void codec_text(struct codec *, char *text, size_t size);
/* Bytes of a length that both sides know. */
void codec_bytes(struct codec *, void *bytes, size_t len);
/* Allocated bytes, at most max of them; NULL where there are none. */
void codec_block(struct codec *, char **bytes, size_t *len, size_t max);
/* An open descriptor, or -1. It is close-on-exec again after loading. */
void codec_fd(struct codec *, int *fd);

#endif
