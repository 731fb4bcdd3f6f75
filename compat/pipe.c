/* A pipe that no program gets: see compat.h. */
#include "os.h"

#include "compat.h"

#include <fcntl.h>
#include <unistd.h>

bool pipe_cloexec(int fds[2])
{
    if (pipe(fds) < 0)
        return false;
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    return true;
}
