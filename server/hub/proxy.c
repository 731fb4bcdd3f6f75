/* proxy.c: takes the address that the worker tells, and admits or refuses the client. */
#include "proxy.h"

#include <string.h>
#include <syslog.h>

#include "ending.h"
#include "link.h"
#include "wire/ip.h"

static const struct span no_text = {NULL, 0};

static enum taken stranger_refuse(struct connections *cs, struct connection *c, const char *why)
{
    if (!connection_say(cs, c, "error %s", why))
        return LINE_LATER;
    report_stranger(cs->config->report, cs->turn.now, LOG_INFO, "%s: refused: %s", c->peer, why);
    session_end(cs, c, ENDING_SERVER, "lost", no_text);
    return LINE_TAKEN;
}

enum taken proxy_refuse(struct connections *cs, struct connection *c)
{
    return stranger_refuse(cs, c,
        c->in.state == INPUT_HEADER ? "not-allowed a PROXY header is wanted from you"
                                    : "not-allowed no PROXY header is taken from you");
}

/* What decides about a client where it is accepted, for one that was not known then. */
static enum taken stranger_admit(struct connections *cs, struct connection *c)
{
    const struct hub_config *config = cs->config;
    int fd = c->out.link.fd;
    const char *why = NULL;

    if (config->refusal != NULL)
        why = config->refusal(config->context, &c->origin, fd, cs->turn.now);
    if (why != NULL)
        return stranger_refuse(cs, c, why);
    c->is_operator = config->standing != NULL &&
                     config->standing(config->context, &c->origin, fd) == STANDING_OPERATOR;
    c->in.state = INPUT_OPEN;
    connection_begin(cs, c);
    return LINE_TAKEN;
}

/* A worker is not believed: what it says must be an address, and becomes text here. */
enum taken proxy_line(struct connections *cs, struct connection *c, struct span address)
{
    struct origin origin = {.local = false};
    char peer[IP_PORT_TEXT_MAX];
    unsigned port;

    if (address.len == 0)
        return stranger_admit(cs, c);
    if (!ip_port_parse(&origin.ip, &port, address.at, address.len)) {
        session_fault(cs, c, "an address that is none");
        return LINE_TAKEN;
    }
    if (!connection_move(cs, c, &origin))
        return LINE_LATER;
    ip_port_format(peer, &origin.ip, port);
    report_stranger(cs->config->report, cs->turn.now, LOG_DEBUG, "%s: is the proxy of %s (pid %ld)",
        c->peer, peer, (long)c->worker.pid);
    strcpy(c->peer, peer);
    return stranger_admit(cs, c);
}
