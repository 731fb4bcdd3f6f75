/*
 * ip.h: IP addresses as values, and ranges of them.
 */
#ifndef WIRE_IP_H
#define WIRE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

/* IPv6 with its NUL, `/128` included. */
#define IP_TEXT_MAX 50
#define IP_BYTES_MAX 16
/* IPv6 in brackets with `:65535` and its NUL. */
#define IP_PORT_TEXT_MAX 56

enum ip_version { IP_NONE, IP_V4, IP_V6 };

/* The bytes are in network order; those of IPv4 are the first four, and the others are zero. */
struct ip {
    enum ip_version version;
    uint32_t scope; /* the interface of a link-local address; 0: none */
    unsigned char bytes[IP_BYTES_MAX];
};

/* The addresses that have the first bits in common with ip. */
struct ip_range {
    struct ip ip;
    unsigned bits;
};

/* The address of a socket; an IPv4-mapped one is IPv4. IP_NONE for other families. */
struct ip ip_of(const struct sockaddr *);
/* The address with these 4 or 16 bytes; an IPv4-mapped one is IPv4. version is IP_V4 or IP_V6. */
struct ip ip_from_bytes(const unsigned char *bytes, enum ip_version version);
/* fe80::/10. */
bool ip_is_link_local(const struct ip *);

/* Parses `192.0.2.7` or `2001:db8::1`, without port, brackets or scope. False for other text. */
bool ip_parse(struct ip *, const char *text, size_t len);
/* Parses `ADDRESS` or `ADDRESS/BITS`. Bits of ADDRESS behind the first BITS do not matter. */
bool ip_range_parse(struct ip_range *, const char *text, size_t len);
/* The address is in the range. Scopes are not compared. */
bool ip_range_has(const struct ip_range *, const struct ip *);

/*
 * Writes and parses an address with a port: `192.0.2.7:5555`, `[2001:db8::1]:5555`. Scopes are
 * neither written nor accepted. False for other text.
 */
void ip_port_format(char out[IP_PORT_TEXT_MAX], const struct ip *, unsigned port);
bool ip_port_parse(struct ip *, unsigned *port, const char *text, size_t len);

/* Writes an address as ip_parse() takes it, and a range with its bits if they are not all. */
void ip_range_format(char out[IP_TEXT_MAX], const struct ip_range *);

#endif
