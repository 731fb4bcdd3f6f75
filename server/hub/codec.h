/*
 * codec.h: encodes values into a buffer and decodes them, by the same calls, so that one function
 * describes the format of a structure for both directions. Used for the state of an upgrade, and
 * for snapshots in a room's stream.
 *
 * Numbers are 8 bytes, least significant first; blocks have their length before them. Decoding is
 * checked: a malformed value sets bad, and all values after it are zero.
 */
#ifndef SERVER_CODEC_H
#define SERVER_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec {
    bool loading;
    bool keep_fds; /* encoding: clear close-on-exec of descriptors */
    bool bad;      /* no memory, or a malformed value */
    char *buf;     /* encoding: allocated, the caller frees it; decoding: the caller's */
    size_t len;    /* bytes in buf */
    size_t at;     /* decoding: the next byte to read */
    size_t room;   /* encoding: bytes allocated */
};

void codec_u64(struct codec *, uint64_t *);
void codec_u32(struct codec *, uint32_t *);
void codec_size(struct codec *, size_t *);
void codec_int(struct codec *, int *); /* negative ones too */
void codec_bool(struct codec *, bool *);
/* A value of an enum, below count. */
unsigned codec_choice(struct codec *, unsigned value, unsigned count);
/* A string in a buffer of that size. */
void codec_text(struct codec *, char *text, size_t size);
/* Bytes of a fixed length. */
void codec_bytes(struct codec *, void *bytes, size_t len);
/* Allocated bytes, at most max of them; NULL where there are none. */
void codec_block(struct codec *, char **bytes, size_t *len, size_t max);
/* An open descriptor, or -1. It is close-on-exec again after loading. */
void codec_fd(struct codec *, int *fd);

#endif
