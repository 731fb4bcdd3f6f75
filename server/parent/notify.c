/* notify.c: reads the manager's environment and sends it datagrams. */
#include "notify.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/hub/codec.h"
#include "wire/number.h"

#define SAY_MAX 512

/* The variable's value; 0 if it is unset or not a number. */
static unsigned long number_variable(const char *name)
{
    const char *text = getenv(name);
    unsigned long value = 0;

    if (text != NULL && !number_parse(text, strlen(text), INT_MAX, &value))
        value = 0;
    return value;
}

int notify_sockets(void)
{
    unsigned long count = number_variable("LISTEN_FDS");

    if (number_variable("LISTEN_PID") != (unsigned long)getpid())
        count = 0;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return count > INT_MAX - NOTIFY_FIRST_FD ? 0 : (int)count;
}

/* The variable has the device and inode of the manager's stream; stderr may have been redirected.
 */
bool notify_reads_stderr(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    unsigned long long device;
    unsigned long long inode;
    struct stat st;

    return text != NULL && sscanf(text, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* "/path", or "@name" in the abstract namespace. */
static bool address_fill(struct notify *n, const char *text)
{
    size_t len = strlen(text);

    n->address.sun_family = AF_UNIX;
    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof(n->address.sun_path))
        return false;
    memcpy(n->address.sun_path, text, len + 1);
    n->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    if (text[0] == '@') {
        n->address.sun_path[0] = '\0';
        n->len--;
    }
    return true;
}

void notify_open(struct notify *n)
{
    const char *text = getenv("NOTIFY_SOCKET");

    *n = (struct notify){.fd = -1};
    if (text != NULL && address_fill(n, text)) {
        n->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        if (n->fd != -1)
            (void)fcntl(n->fd, F_SETFD, FD_CLOEXEC);
    }
    unsetenv("NOTIFY_SOCKET");
}

void notify_say(const struct notify *n, const char *format, ...)
{
    char text[SAY_MAX];
    va_list ap;
    int len;

    if (n->fd == -1)
        return;
    va_start(ap, format);
    len = vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    if (len > 0)
        (void)sendto(n->fd, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1,
            MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&n->address, n->len);
}

void notify_state(struct notify *n, struct codec *c)
{
    codec_fd(c, &n->fd);
    codec_bytes(c, &n->address, sizeof(n->address));
    codec_u32(c, &n->len);
}
