/* proxy.c: parses the text of version 1 and the bytes of version 2. */
#include "proxy.h"

#include <string.h>

#include "number.h"
#include "span.h"

const char proxy_signature[PROXY_SIGNATURE_LEN] = {
    '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

/* ---- Version 1: a line of text --------------------------------------------------------------- */

/* With its line end. */
#define V1_MAX 107
#define V1_PREFIX "PROXY "
#define V1_PREFIX_LEN 6

static bool port_parse(struct span word, unsigned *port)
{
    unsigned long number;

    if (!number_parse(word.at, word.len, 65535, &number))
        return false;
    *port = (unsigned)number;
    return true;
}

/* Addresses are written as their family is called. */
static bool address_parse_as(struct span word, bool v6, struct ip *ip)
{
    bool colon = word.len > 0 && memchr(word.at, ':', word.len) != NULL;

    return colon == v6 && ip_parse(ip, word.at, word.len);
}

/* `SOURCE DESTINATION PORT PORT` */
static enum proxy_result v1_addresses(struct proxy_header *header, struct span line, bool v6)
{
    struct span words[4];
    struct ip to;
    unsigned to_port;

    for (int i = 0; i < 4; i++) {
        words[i] = span_take_word(&line);
        if (span_skip_space(&line) != (i < 3))
            return PROXY_INVALID;
    }
    if (line.len > 0 || !address_parse_as(words[0], v6, &header->ip) ||
        !address_parse_as(words[1], v6, &to) || !port_parse(words[2], &header->port) ||
        !port_parse(words[3], &to_port))
        return PROXY_INVALID;
    return PROXY_ADDRESS;
}

static enum proxy_result v1_parse(struct proxy_header *header, const char *bytes, size_t len)
{
    size_t max = len < V1_MAX ? len : V1_MAX;
    const char *lf = memchr(bytes, '\n', max);
    struct span line = {bytes + V1_PREFIX_LEN, 0};
    struct span family;

    if (lf == NULL)
        return len < V1_MAX ? PROXY_MORE : PROXY_INVALID;
    header->len = (size_t)(lf + 1 - bytes);
    if (header->len < V1_PREFIX_LEN + 2 || lf[-1] != '\r')
        return PROXY_INVALID;
    line.len = header->len - V1_PREFIX_LEN - 2;
    family = span_take_word(&line);
    if (span_equal(family, "UNKNOWN"))
        return PROXY_NONE;
    if (!span_skip_space(&line) || !(span_equal(family, "TCP4") || span_equal(family, "TCP6")))
        return PROXY_INVALID;
    return v1_addresses(header, line, span_equal(family, "TCP6"));
}

/* ---- Version 2: binary ----------------------------------------------------------------------- */

/* Signature, version and command, family, length; then addresses and more. */
#define V2_HEAD_LEN 16
#define V2_VERSION 2
#define V2_V4_LEN 12
#define V2_V6_LEN 36

enum v2_command { V2_LOCAL, V2_PROXY };
enum v2_family { V2_UNSPECIFIED = 0x00, V2_TCP4 = 0x11, V2_TCP6 = 0x21, V2_UNIX = 0x31 };

static unsigned number16_read(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static enum proxy_result v2_addresses(
    struct proxy_header *header, const unsigned char *at, size_t len, unsigned family)
{
    bool v6 = family == V2_TCP6;

    if (family == V2_UNSPECIFIED || family == V2_UNIX)
        return PROXY_NONE;
    if ((family != V2_TCP4 && !v6) || len < (v6 ? V2_V6_LEN : V2_V4_LEN))
        return PROXY_INVALID;
    header->ip = ip_from_bytes(at, v6 ? IP_V6 : IP_V4);
    header->port = number16_read(at + (v6 ? V2_V6_LEN : V2_V4_LEN) - 4);
    return PROXY_ADDRESS;
}

static enum proxy_result v2_parse(struct proxy_header *header, const char *bytes, size_t len)
{
    const unsigned char *at = (const unsigned char *)bytes;
    unsigned command;

    if (len < V2_HEAD_LEN)
        return PROXY_MORE;
    command = at[PROXY_SIGNATURE_LEN] & 0x0Fu;
    header->len = V2_HEAD_LEN + number16_read(at + V2_HEAD_LEN - 2);
    if (at[PROXY_SIGNATURE_LEN] >> 4 != V2_VERSION || command > V2_PROXY ||
        header->len > PROXY_HEADER_MAX)
        return PROXY_INVALID;
    if (len < header->len)
        return PROXY_MORE;
    if (command == V2_LOCAL)
        return PROXY_NONE;
    return v2_addresses(
        header, at + V2_HEAD_LEN, header->len - V2_HEAD_LEN, at[PROXY_SIGNATURE_LEN + 1]);
}

/* ---- Both ------------------------------------------------------------------------------------ */

static bool begins_as(const char *bytes, size_t len, const char *prefix, size_t prefix_len)
{
    return memcmp(bytes, prefix, len < prefix_len ? len : prefix_len) == 0;
}

enum proxy_result proxy_parse(struct proxy_header *header, const char *bytes, size_t len)
{
    *header = (struct proxy_header){0};
    if (len == 0)
        return PROXY_MORE;
    if (begins_as(bytes, len, V1_PREFIX, V1_PREFIX_LEN))
        return len < V1_PREFIX_LEN ? PROXY_MORE : v1_parse(header, bytes, len);
    if (begins_as(bytes, len, proxy_signature, PROXY_SIGNATURE_LEN))
        return v2_parse(header, bytes, len);
    return PROXY_INVALID;
}
