/*
 * address.h: addresses of servers and clients as text.
 */
#ifndef WIRE_ADDRESS_H
#define WIRE_ADDRESS_H

struct sockaddr;

#define CHAT_DEFAULT_HOST "127.0.0.1"
#define CHAT_DEFAULT_PORT "65432"
/* "[" + 39 bytes of IPv6 + "%" + 15 bytes of an interface's name + "]:65535" + NUL. */
#define PEER_TEXT_MAX 64

enum address_kind {
    ADDRESS_INET, /* host and port */
    ADDRESS_ANY,  /* port on every address: `*`, `*:port` */
    ADDRESS_PATH  /* a Unix-domain stream socket */
};

/* Not resolved. path points into the text that was parsed. */
struct address {
    enum address_kind kind;
    char host[256];
    char port[6];
    const char *path;
};

/*
 * Parses `host`, `host:port`, `[ipv6]`, `[ipv6]:port`, a bare IPv6 address, `:port`, `*`, `*:port`,
 * or a path (a text with a `/`, but without `://`). Missing parts get the defaults. Returns NULL,
 * or what is wrong with the text, to be printed after "ADDRESS: ".
 */
const char *address_parse(struct address *, const char *text);

/*
 * Writes `192.0.2.7:5555`, `[2001:db8::1]:5555` or `[fe80::1%eth0]:5555`; IPv4-mapped addresses as
 * IPv4, and `local` for another family. The system is asked for the name of a scope.
 */
void address_format(char out[PEER_TEXT_MAX], const struct sockaddr *);

#endif
