/*
 * address.c: parses addresses of options and operands, and formats those of peers.
 */
#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "number.h"

#define NO_URL "no URL is accepted, but host, host:port, [ipv6]:port, :port, *:port or a path"

static const char *address_set_host(struct address *address, const char *host, size_t len)
{
    if (len >= sizeof address->host)
        return "host name too long";
    memcpy(address->host, host, len);
    address->host[len] = '\0';
    return NULL;
}

static const char *address_set_port(struct address *address, const char *port)
{
    unsigned long number;
    size_t len = strlen(port);

    if (len == 0)
        return "missing port";
    if (strspn(port, "0123456789") != len)
        return "port is not a number";
    if (!number_parse(port, len, 65535, &number))
        return "port out of range";
    address->port[number_write(address->port, number)] = '\0';
    return NULL;
}

/* `[ipv6]` and what may follow. */
static const char *address_parse_bracket(struct address *address, const char *text)
{
    const char *end = strchr(text, ']');
    const char *error;

    if (end == NULL)
        return "missing ]";
    if (end == text + 1)
        return "empty address";
    if (end[1] != '\0' && end[1] != ':')
        return "no port after ]";
    error = address_set_host(address, text + 1, (size_t)(end - text - 1));
    if (error == NULL && end[1] == ':')
        error = address_set_port(address, end + 2);
    return error;
}

const char *address_parse(struct address *address, const char *text)
{
    const char *colon = strchr(text, ':');
    const char *error;

    *address = (struct address){
        .kind = ADDRESS_INET, .host = CHAT_DEFAULT_HOST, .port = CHAT_DEFAULT_PORT};
    if (*text == '\0')
        return "empty address";
    if (strstr(text, "://") != NULL)
        return NO_URL;
    if (strchr(text, '/') != NULL) {
        *address = (struct address){.kind = ADDRESS_PATH, .path = text};
        return NULL;
    }
    if (*text == '[')
        return address_parse_bracket(address, text);
    if (colon == NULL || strchr(colon + 1, ':') != NULL) /* a bare IPv6 address has many */
        colon = text + strlen(text);
    if (colon > text) {
        error = address_set_host(address, text, (size_t)(colon - text));
        if (error != NULL)
            return error;
    }
    if (strcmp(address->host, "*") == 0) {
        address->kind = ADDRESS_ANY;
        address->host[0] = '\0';
    }
    return *colon == ':' ? address_set_port(address, colon + 1) : NULL;
}

/* The address of an IPv4 peer of a socket for both families, or NULL. */
static const unsigned char *address_mapped(const struct in6_addr *address)
{
    static const unsigned char prefix[12] = {[10] = 0xFF, [11] = 0xFF};

    if (memcmp(address->s6_addr, prefix, sizeof prefix) != 0)
        return NULL;
    return address->s6_addr + sizeof prefix;
}

/* An interface may have any bytes but `/`, `:` and white space in its name. */
static bool address_scope_is_plain(const char *name)
{
    for (; *name != '\0'; name++)
        if (*name <= ' ' || *name > '~' || *name == ']')
            return false;
    return true;
}

/* `%eth0` where the address is of one link alone. Returns the end of the text. */
static char *address_write_scope(char *at, uint32_t scope)
{
    char name[IF_NAMESIZE];

    if (scope == 0)
        return at;
    *at++ = '%';
    if (if_indextoname(scope, name) == NULL || !address_scope_is_plain(name))
        return at + number_write(at, scope);
    memcpy(at, name, strlen(name));
    return at + strlen(name);
}

void address_format(char out[PEER_TEXT_MAX], const struct sockaddr *peer)
{
    char host[INET6_ADDRSTRLEN] = "";
    char *at = out;
    uint32_t scope = 0;
    bool bracket = false;
    in_port_t port;

    if (peer->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, peer, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        port = in.sin_port;
    } else if (peer->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, peer, sizeof in6);
        const unsigned char *mapped = address_mapped(&in6.sin6_addr);
        bracket = mapped == NULL;
        inet_ntop(bracket ? AF_INET6 : AF_INET, bracket ? (const void *)&in6.sin6_addr : mapped,
            host, sizeof host);
        port = in6.sin6_port;
        scope = in6.sin6_scope_id;
    } else {
        memcpy(out, "local", sizeof "local");
        return;
    }
    if (bracket)
        *at++ = '[';
    memcpy(at, host, strlen(host));
    at = address_write_scope(at + strlen(host), scope);
    if (bracket)
        *at++ = ']';
    *at++ = ':';
    at[number_write(at, ntohs(port))] = '\0';
}
