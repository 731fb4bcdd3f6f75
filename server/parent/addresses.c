/* addresses.c: the addresses of the command line, and the sockets of a service manager. */
#include "addresses.h"

#include <sysexits.h>

#include "bind.h"
#include "listener.h"
#include "notify.h"

static int address_open(struct listeners *ls, const char *text, mode_t mode)
{
    struct address address;
    const char *why = address_parse(&address, text);

    if (why != NULL)
        return listeners_fail(ls, EX_USAGE, text, why);
    switch (address.kind) {
    case ADDRESS_INET:
        return bind_host(ls, text, &address);
    case ADDRESS_ANY:
        return bind_any(ls, address.port);
    case ADDRESS_PATH:
        return bind_path(ls, address.path, mode);
    }
    return EX_SOFTWARE;
}

int addresses_open(
    struct listeners *ls, int adopted, const char *const *addresses, size_t count, mode_t mode)
{
    int status = 0;

    if (count == 0 && adopted == 0)
        return address_open(ls, CHAT_DEFAULT_HOST ":" CHAT_DEFAULT_PORT, mode);
    for (int i = 0; i < adopted && status == 0; i++)
        status = listeners_adopt(ls, NOTIFY_FIRST_FD + i);
    for (size_t i = 0; i < count && status == 0; i++)
        status = address_open(ls, addresses[i], mode);
    return status;
}
