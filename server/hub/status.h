/*
 * status.h: the report to the operator: lines that begin with "status:", one for each thing and one
 * for each connection.
 */
#ifndef SERVER_HUB_STATUS_H
#define SERVER_HUB_STATUS_H

#include <stddef.h>

struct connections;

void status_report(const struct connections *);
/* The room's cluster and its nodes in a line of less than size bytes; empty: there is none. */
void status_describe_cluster(const struct connections *, char *out, size_t size);

#endif
