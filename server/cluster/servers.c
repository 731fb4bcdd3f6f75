/* servers.c: parses addresses, looks them up and tries them in turn. */
#include "servers.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "wire/number.h"

/* ---- The list -------------------------------------------------------------------------------- */

/* What a host's name or address can have in it. It may come from a server. */
static bool host_is_plain(struct span host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.at[i];

        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') &&
            (c == '\0' || strchr("-._:%", c) == NULL))
            return false;
    }
    return host.len > 0 && host.len < SERVER_HOST_MAX;
}

static bool server_set(struct nats_server *server, struct span host, struct span port)
{
    unsigned long number;

    if (!host_is_plain(host) || !number_parse(port.at, port.len, 65535, &number) || number == 0)
        return false;
    memcpy(server->host, host.at, host.len);
    server->host[host.len] = '\0';
    server->port[number_write(server->port, number)] = '\0';
    return true;
}

static bool server_parse(struct nats_server *server, struct span text)
{
    struct span port = {SERVERS_DEFAULT_PORT, strlen(SERVERS_DEFAULT_PORT)};
    struct span host = text;
    size_t colon = text.len;

    while (colon > 0 && text.at[colon - 1] >= '0' && text.at[colon - 1] <= '9')
        colon--;
    if (colon > 0 && text.at[colon - 1] == ':') {
        host.len = colon - 1;
        port = (struct span){text.at + colon, text.len - colon};
    }
    if (host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        host = (struct span){host.at + 1, host.len - 2};
    else if (host.len > 0 && memchr(host.at, ':', host.len) != NULL)
        return false;
    return server_set(server, host, port);
}

static bool servers_have(const struct servers *servers, const struct nats_server *server)
{
    for (size_t i = 0; i < servers->count; i++)
        if (strcmp(servers->at[i].host, server->host) == 0 &&
            strcmp(servers->at[i].port, server->port) == 0)
            return true;
    return false;
}

static bool servers_add(struct servers *servers, struct span text)
{
    struct nats_server server;

    if (!server_parse(&server, text))
        return false;
    if (servers_have(servers, &server))
        return true;
    if (servers->count == SERVERS_MAX)
        return false;
    servers->at[servers->count++] = server;
    return true;
}

bool servers_set(struct servers *servers, struct span list)
{
    for (;;) {
        const char *comma = list.len > 0 ? memchr(list.at, ',', list.len) : NULL;
        size_t len = comma != NULL ? (size_t)(comma - list.at) : list.len;

        if (!servers_add(servers, (struct span){list.at, len}))
            return false;
        if (comma == NULL)
            break;
        list.at += len + 1;
        list.len -= len + 1;
    }
    servers->given = servers->count;
    servers->current = servers->count - 1; /* the first is the next */
    return true;
}

void servers_learn(struct servers *servers, struct json urls)
{
    char text[SERVER_NAME_MAX];
    struct json url;
    size_t place = 0;
    size_t len;

    if (urls.kind != JSON_ARRAY)
        return;
    servers->count = servers->given;
    while ((url = json_element(urls, &place)).kind != JSON_NONE) {
        len = json_string(url, text, sizeof(text));
        (void)servers_add(servers, (struct span){text, len});
    }
    if (servers->current >= servers->count)
        servers->current = servers->count - 1;
}

/* ---- Addresses ------------------------------------------------------------------------------- */

/* An address needs no lookup. */
static int server_look_up(const struct nats_server *server, struct addrinfo **found)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    int error = getaddrinfo(server->host, server->port, &hints, found);

    if (error != EAI_NONAME)
        return error;
    hints.ai_flags = AI_NUMERICSERV;
    return getaddrinfo(server->host, server->port, &hints, found);
}

const struct addrinfo *servers_next(struct servers *servers, int *error)
{
    const struct addrinfo *address = servers->next;

    if (address == NULL) {
        servers_leave(servers);
        servers->current = (servers->current + 1) % servers->count;
        *error = server_look_up(&servers->at[servers->current], &servers->found);
        if (*error != 0)
            servers->found = NULL;
        address = servers->found;
    }
    if (address != NULL)
        servers->next = address->ai_next;
    return address;
}

bool servers_are_tried(const struct servers *servers)
{
    return servers->next == NULL && servers->current == servers->count - 1;
}

void servers_leave(struct servers *servers)
{
    if (servers->found != NULL)
        freeaddrinfo(servers->found);
    servers->found = NULL;
    servers->next = NULL;
}

void servers_name(const struct servers *servers, char out[SERVER_NAME_MAX])
{
    const struct nats_server *server = &servers->at[servers->current];
    bool bracket = strchr(server->host, ':') != NULL;

    (void)snprintf(out, SERVER_NAME_MAX, "%s%s%s:%s", bracket ? "[" : "", server->host,
        bracket ? "]" : "", server->port);
}
