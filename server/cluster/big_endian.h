/*
 * big_endian.h: numbers as bytes, most significant first.
 */
#ifndef SERVER_CLUSTER_BIG_ENDIAN_H
#define SERVER_CLUSTER_BIG_ENDIAN_H

#include <stdint.h>

static inline void u32_put(char out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (char)(value >> (24 - 8 * i));
}

static inline uint32_t u32_get(const char in[4])
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++)
        value = value << 8 | (unsigned char)in[i];
    return value;
}

static inline void u64_put(char out[8], uint64_t value)
{
    u32_put(out, (uint32_t)(value >> 32));
    u32_put(out + 4, (uint32_t)value);
}

static inline uint64_t u64_get(const char in[8])
{
    return (uint64_t)u32_get(in) << 32 | u32_get(in + 4);
}

#endif
