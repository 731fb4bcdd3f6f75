/*
 * proxy.h: connections that come through a trusted proxy: the client's address is told by their
 * worker, once, before any line.
 */
#ifndef SERVER_HUB_PROXY_H
#define SERVER_HUB_PROXY_H

#include "connection.h"
#include "wire/span.h"

/*
 * The worker has read the proxy's header, in INPUT_HEADER. address: of the client, or empty: the
 * proxy has told none, and its own stays. From here on it is the connection's, for access rules,
 * bans, -i and -r, which have not been asked before.
 */
enum taken proxy_line(struct connections *, struct connection *, struct span address);
/* There is no header where one must be, or there is one where none must be. */
enum taken proxy_refuse(struct connections *, struct connection *);

#endif
