/*
 * status.h: the report to the operator: lines that begin with "status:", one for each thing and one
 * for each connection.
 */
#ifndef SERVER_HUB_STATUS_H
#define SERVER_HUB_STATUS_H

struct connections;

void status_report(const struct connections *);

#endif
