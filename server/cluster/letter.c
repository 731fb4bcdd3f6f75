/* letter.c: see letter.h. */
#include "letter.h"

#include <string.h>

#include "big_endian.h"

#define FORM 1
/* "CL", the form, the length of the node's name. */
#define FIXED 4
#define PERSON (8 + 8 + 4)

static char *person_put(char *at, struct incarnation incarnation, uint32_t number)
{
    u64_put(at, incarnation.number);
    u64_put(at + 8, incarnation.random);
    u32_put(at + 16, number);
    return at + PERSON;
}

static const char *person_get(const char *at, struct incarnation *incarnation, uint32_t *number)
{
    *incarnation = (struct incarnation){u64_get(at), u64_get(at + 8)};
    *number = u32_get(at + 16);
    return at + PERSON;
}

size_t letter_write(char out[LETTER_MAX], const struct letter *letter)
{
    char *at = out + FIXED;

    memcpy(out, "CL", 2);
    out[2] = FORM;
    out[3] = (char)letter->node.len;
    memcpy(at, letter->node.at, letter->node.len);
    at = person_put(at + letter->node.len, letter->from, letter->sender);
    at = person_put(at, letter->to, letter->receiver);
    u64_put(at, letter->sequence);
    memcpy(at + 8, letter->text.at, letter->text.len);
    return (size_t)(at - out) + 8 + letter->text.len;
}

bool letter_read(struct letter *letter, struct span bytes)
{
    const char *at = bytes.at;
    size_t len;

    if (bytes.len < FIXED || memcmp(at, "CL", 2) != 0 || at[2] != FORM)
        return false;
    letter->node = (struct span){at + FIXED, (unsigned char)at[3]};
    len = FIXED + letter->node.len + 2 * PERSON + 8;
    if (bytes.len <= len || bytes.len - len > LINE_CLEAN_MAX || !batch_name_is_valid(letter->node))
        return false;
    at = person_get(at + FIXED + letter->node.len, &letter->from, &letter->sender);
    at = person_get(at, &letter->to, &letter->receiver);
    letter->sequence = u64_get(at);
    letter->text = (struct span){at + 8, bytes.len - len};
    return true;
}

enum letter_answer letter_answer_read(struct span bytes)
{
    if (bytes.len == 1 && bytes.at[0] == LETTER_DELIVERED)
        return LETTER_DELIVERED;
    return bytes.len == 1 && bytes.at[0] == LETTER_NOBODY ? LETTER_NOBODY : LETTER_BUSY;
}
