/* The size of a terminal's window: see compat.h. */
#include "os.h"

#include "compat.h"

#include <sys/ioctl.h>
#include <termios.h>

void terminal_size(int fd, unsigned *rows, unsigned *columns)
{
    *rows = 0;
    *columns = 0;
#ifdef TIOCGWINSZ
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
        *rows = size.ws_row;
        *columns = size.ws_col;
    }
#else
    (void)fd;
#endif
}
