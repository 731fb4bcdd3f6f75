/* ip.c: parses, formats and compares addresses and ranges. */
#include "ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "number.h"

#define V4_LEN 4
#define V4_BITS 32u
#define V6_BITS 128u
/* What stands before the IPv4 address in an IPv4-mapped one. */
#define MAPPED_LEN 12
#define MAPPED_BITS 96u

static struct ip ip_from_v4(const void *bytes)
{
    struct ip ip = {.version = IP_V4};

    memcpy(ip.bytes, bytes, V4_LEN);
    return ip;
}

static struct ip ip_from_v6(const struct in6_addr *address, uint32_t scope)
{
    static const unsigned char mapped[MAPPED_LEN] = {[10] = 0xFF, [11] = 0xFF};
    struct ip ip = {.version = IP_V6, .scope = scope};

    if (memcmp(address->s6_addr, mapped, MAPPED_LEN) == 0)
        return ip_from_v4(address->s6_addr + MAPPED_LEN);
    memcpy(ip.bytes, address->s6_addr, IP_BYTES_MAX);
    return ip;
}

struct ip ip_of(const struct sockaddr *sa)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (sa->sa_family == AF_INET) {
        memcpy(&in, sa, sizeof in);
        return ip_from_v4(&in.sin_addr);
    }
    if (sa->sa_family != AF_INET6)
        return (struct ip){.version = IP_NONE};
    memcpy(&in6, sa, sizeof in6);
    return ip_from_v6(&in6.sin6_addr, in6.sin6_scope_id);
}

struct ip ip_from_bytes(const unsigned char *bytes, enum ip_version version)
{
    struct in6_addr address;

    if (version == IP_V4)
        return ip_from_v4(bytes);
    memcpy(&address, bytes, sizeof address);
    return ip_from_v6(&address, 0);
}

bool ip_is_link_local(const struct ip *ip)
{
    return ip->version == IP_V6 && ip->bytes[0] == 0xFE && (ip->bytes[1] & 0xC0) == 0x80;
}

/* ---- Text ------------------------------------------------------------------------------------ */

bool ip_parse(struct ip *ip, const char *text, size_t len)
{
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;

    if (len == 0 || len >= sizeof copy || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, &v4) == 1)
        *ip = ip_from_v4(&v4);
    else if (inet_pton(AF_INET6, copy, &v6) == 1)
        *ip = ip_from_v6(&v6, 0);
    else
        return false;
    return true;
}

/* The bits of a range as somebody wrote it, who may have written IPv4 as IPv6. */
static bool range_set_bits(struct ip_range *range, bool written_as_v6, unsigned long bits)
{
    bool mapped = written_as_v6 && range->ip.version == IP_V4;

    if (bits > (written_as_v6 ? V6_BITS : V4_BITS) || (mapped && bits < MAPPED_BITS))
        return false;
    range->bits = (unsigned)bits - (mapped ? MAPPED_BITS : 0);
    return true;
}

bool ip_range_parse(struct ip_range *range, const char *text, size_t len)
{
    const char *slash = memchr(text, '/', len);
    size_t ip_len = slash == NULL ? len : (size_t)(slash - text);
    bool v6 = memchr(text, ':', ip_len) != NULL;
    unsigned long bits = v6 ? V6_BITS : V4_BITS;

    return ip_parse(&range->ip, text, ip_len) &&
           (slash == NULL || number_parse(slash + 1, len - ip_len - 1, V6_BITS, &bits)) &&
           range_set_bits(range, v6, bits);
}

bool ip_range_has(const struct ip_range *range, const struct ip *ip)
{
    size_t whole = range->bits / 8;
    unsigned rest = range->bits % 8;

    if (ip->version != range->ip.version || memcmp(ip->bytes, range->ip.bytes, whole) != 0)
        return false;
    return rest == 0 || (ip->bytes[whole] ^ range->ip.bytes[whole]) >> (8 - rest) == 0;
}

void ip_range_format(char out[IP_TEXT_MAX], const struct ip_range *range)
{
    bool v4 = range->ip.version == IP_V4;
    char *at;

    inet_ntop(v4 ? AF_INET : AF_INET6, range->ip.bytes, out, INET6_ADDRSTRLEN);
    if (range->bits == (v4 ? V4_BITS : V6_BITS))
        return;
    at = out + strlen(out);
    *at++ = '/';
    at[number_write(at, range->bits)] = '\0';
}

/* ---- With a port ----------------------------------------------------------------------------- */

void ip_port_format(char out[IP_PORT_TEXT_MAX], const struct ip *ip, unsigned port)
{
    bool v4 = ip->version == IP_V4;
    char *at = out;

    if (!v4)
        *at++ = '[';
    inet_ntop(v4 ? AF_INET : AF_INET6, ip->bytes, at, INET6_ADDRSTRLEN);
    at += strlen(at);
    if (!v4)
        *at++ = ']';
    *at++ = ':';
    at[number_write(at, port)] = '\0';
}

bool ip_port_parse(struct ip *ip, unsigned *port, const char *text, size_t len)
{
    bool bracket = len > 0 && text[0] == '[';
    const char *end = len == 0 ? NULL : memchr(text, bracket ? ']' : ':', len);
    size_t ip_len = end == NULL ? 0 : (size_t)(end - text);
    size_t rest = ip_len + bracket; /* where the colon is */
    unsigned long number;

    if (end == NULL || rest >= len || text[rest] != ':' ||
        !number_parse(text + rest + 1, len - rest - 1, 65535, &number) ||
        !ip_parse(ip, text + bracket, ip_len - bracket) ||
        bracket != (memchr(text, ':', ip_len) != NULL))
        return false;
    *port = (unsigned)number;
    return true;
}
