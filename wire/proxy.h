/*
 * proxy.h: the header of the PROXY protocol, versions 1 and 2 (haproxy, nginx and others): what a
 * proxy says of the connection that it passes on, before the client's first byte.
 */
#ifndef WIRE_PROXY_H
#define WIRE_PROXY_H

#include <stddef.h>

#include "ip.h"

/* A longer header is refused. The specification wants receivers to take that much. */
#define PROXY_HEADER_MAX 536
#define PROXY_SIGNATURE_LEN 12

enum proxy_result {
    PROXY_MORE,    /* it may become one: more bytes are wanted, and fit into PROXY_HEADER_MAX */
    PROXY_ADDRESS, /* it tells the client's address */
    PROXY_NONE,    /* it tells none: UNKNOWN, LOCAL, or an address of another family */
    PROXY_INVALID
};

/* Of PROXY_ADDRESS; len also of PROXY_NONE. */
struct proxy_header {
    size_t len; /* the client's bytes begin behind it */
    struct ip ip;
    unsigned port;
};

/*
 * Parses the header at the beginning of these bytes, which are all that came so far.
 * The result does not depend on how much of what follows is there.
 */
enum proxy_result proxy_parse(struct proxy_header *, const char *bytes, size_t len);

/* The beginning of version 2; it is not text. */
extern const char proxy_signature[PROXY_SIGNATURE_LEN];

#endif
