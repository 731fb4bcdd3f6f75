/* cluster_options.c: parses the URL of -c and checks the names. */
#include "cluster_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/cluster/frame.h"
#include "server/cluster/servers.h"

#define SCHEME "nats://"
#define NAME_RULE "wants 1 to 32 letters, digits, '-' and '_'"

static bool node_name_copy(char out[NODE_NAME_MAX + 1], const char *name, size_t len)
{
    if (!batch_name_is_valid((struct span){name, len}))
        return false;
    memcpy(out, name, len);
    out[len] = '\0';
    return true;
}

/* By the engine's own rule: a list that it refuses would end each engine at its start. */
static bool servers_are_valid(const char *text, size_t len)
{
    struct servers servers = {.count = 0};

    return len <= FRAME_SERVERS_MAX && servers_set(&servers, (struct span){text, len});
}

const char *cluster_url_parse(struct cluster_options *o, const char *text)
{
    const char *servers = text + strlen(SCHEME);
    const char *slash;

    if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
        return "wants nats://HOST[:PORT][,HOST[:PORT]].../ROOM";
    if (strchr(text, '@') != NULL)
        return "takes no credentials, which others could read: put them into the file of -K";
    slash = strchr(servers, '/');
    if (slash == NULL || !node_name_copy(o->room, slash + 1, strlen(slash + 1)))
        return NAME_RULE " as the room, behind the servers and a slash";
    if (!servers_are_valid(servers, (size_t)(slash - servers)))
        return "wants servers as HOST or HOST:PORT, with commas between them";
    free(o->servers);
    o->servers = strdup(servers);
    if (o->servers == NULL)
        return strerror(errno);
    o->servers[slash - servers] = '\0';
    return NULL;
}

const char *cluster_node_parse(struct cluster_options *o, const char *text)
{
    return node_name_copy(o->node, text, strlen(text)) ? NULL : NAME_RULE;
}

const char *cluster_node_default(struct cluster_options *o)
{
    char host[256] = "";

    if (gethostname(host, sizeof(host) - 1) == -1 ||
        !node_name_copy(o->node, host, strcspn(host, ".")))
        return "the host's name is no name for a node: give one with -N";
    return NULL;
}
