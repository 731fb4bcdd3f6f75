/* batch.c: writes and checks the head of a batch, and checks names of nodes. */
#include "batch.h"

#include <string.h>

#include "big_endian.h"

/* "CB", the form, the length of the node's name. */
#define FIXED 4
#define NUMBERS 24

size_t batch_id_write(char out[BATCH_HEAD_MAX], const struct batch_id *id)
{
    char *at = out + FIXED;

    memcpy(out, "CB", 2);
    out[2] = (char)(id->form == 0 ? 1 : id->form);
    out[3] = (char)id->node.len;
    memcpy(at, id->node.at, id->node.len);
    at += id->node.len;
    u64_put(at, id->incarnation);
    u64_put(at + 8, id->nonce);
    u64_put(at + 16, id->number);
    return FIXED + id->node.len + NUMBERS;
}

size_t batch_id_read(struct batch_id *id, struct span bytes)
{
    const char *at = bytes.at;
    size_t len;

    if (bytes.len < FIXED || memcmp(at, "CB", 2) != 0 || at[2] == 0)
        return 0;
    id->form = (uint8_t)at[2];
    len = (unsigned char)at[3];
    if (len == 0 || len > NODE_NAME_MAX || bytes.len < FIXED + len + NUMBERS)
        return 0;
    id->node = (struct span){at + FIXED, len};
    at += FIXED + len;
    id->incarnation = u64_get(at);
    id->nonce = u64_get(at + 8);
    id->number = u64_get(at + 16);
    return FIXED + len + NUMBERS;
}

bool batch_id_equal(const struct batch_id *a, const struct batch_id *b)
{
    return a->incarnation == b->incarnation && a->nonce == b->nonce && a->number == b->number &&
           a->node.len == b->node.len && memcmp(a->node.at, b->node.at, a->node.len) == 0;
}

bool batch_name_is_valid(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];

        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' &&
            c != '_')
            return false;
    }
    return name.len > 0 && name.len <= NODE_NAME_MAX;
}
