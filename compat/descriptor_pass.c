/* Descriptors between processes: see compat.h. */
#include "os.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "compat.h"

union control {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(sizeof(int))];
};

bool descriptor_send(int socket, const void *bytes, size_t len, int fd)
{
    union control control;
    struct iovec part = {(void *)bytes, len};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};

    memset(&control, 0, sizeof(control));
    if (fd != -1) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control.bytes);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    return sendmsg(socket, &msg, MSG_NOSIGNAL) == (ssize_t)len;
}

ssize_t descriptor_receive(int socket, void *bytes, size_t len, int *fd)
{
    union control control;
    struct iovec part = {bytes, len};
    struct msghdr msg = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control.bytes)};
    ssize_t n = recvmsg(socket, &msg, 0);
    struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

    *fd = -1;
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(fd, CMSG_DATA(header), sizeof(*fd));
        (void)fcntl(*fd, F_SETFD, FD_CLOEXEC);
    }
    return n;
}
