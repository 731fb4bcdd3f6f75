/* random_bytes.c: bytes of getentropy(3). */
#include "os.h"

#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h>
#endif

#include "compat.h"

/* getentropy(3) is in glibc, musl, every BSD and POSIX.1-2024. */
bool random_bytes(void *buf, size_t len)
{
    return getentropy(buf, len) == 0;
}
