/* memory.c: see memory.h. */
#include "memory.h"
#include "compat/compat.h"
#include "fuzz.h"
#include "server/hub/input.h"

#include <sys/mman.h>
#include <unistd.h>

/* More are never open at once: a room's, and those of the one that takes it over. */
#define FILES_MAX 8
/* Of a hub, and of the one that takes its room over. */
#define BUFFERS_MAX 2
/* Of what input.c allocates; were that more, a sanitizer would see it. */
#define BUFFER_SIZE 131072

/* A file in memory, which stays open and mapped. */
struct file {
    int fd;
    size_t len; /* 0: there is none */
    void *at;
    bool in_use;
};

static struct file files[FILES_MAX];

int __real_memory_file_blank(size_t len);
int __wrap_memory_file_blank(size_t len);
int __real_munmap(void *at, size_t len);
int __wrap_munmap(void *at, size_t len);
bool __wrap_input_init(struct input_buffer *buffer);
void __wrap_input_free(struct input_buffer *buffer);

static struct file *file_new(size_t len)
{
    size_t i = 0;

    while (i < FILES_MAX && files[i].len > 0)
        i++;
    must(i < FILES_MAX);
    files[i] = (struct file){.fd = __real_memory_file_blank(len), .len = len};
    must(files[i].fd != -1);
    files[i].at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, files[i].fd, 0);
    must(files[i].at != MAP_FAILED);
    return &files[i];
}

/* NULL: it is not one of these. */
static struct file *file_of(int fd)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        if (files[i].in_use && files[i].fd == fd)
            return &files[i];
    return NULL;
}

int __wrap_memory_file_blank(size_t len)
{
    struct file *file = NULL;

    for (size_t i = 0; i < FILES_MAX && file == NULL; i++)
        if (!files[i].in_use && files[i].len == len)
            file = &files[i];
    if (file == NULL)
        file = file_new(len);
    bytes_allow(file->at, len);
    memset(file->at, 0, len);
    bytes_forbid(file->at, len);
    file->in_use = true;
    return file->fd;
}

/* With 64-bit offsets it is the second one. */
#define WRAP_MMAP(name)                                                                            \
    void *__real_##name(void *at, size_t len, int access, int flags, int fd, off_t from)           \
        __attribute__((weak));                                                                     \
    void *__wrap_##name(void *at, size_t len, int access, int flags, int fd, off_t from);          \
    void *__wrap_##name(void *at, size_t len, int access, int flags, int fd, off_t from)           \
    {                                                                                              \
        struct file *file = file_of(fd);                                                           \
                                                                                                   \
        if (file == NULL)                                                                          \
            return __real_##name(at, len, access, flags, fd, from);                                \
        must(at == NULL && len == file->len && from == 0);                                         \
        bytes_allow(file->at, len);                                                                \
        return file->at;                                                                           \
    }

WRAP_MMAP(mmap)
WRAP_MMAP(mmap64)

int __wrap_munmap(void *at, size_t len)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        if (files[i].len > 0 && files[i].at == at) {
            must(len == files[i].len);
            bytes_forbid(at, len);
            return 0;
        }
    return __real_munmap(at, len);
}

bool memory_close(int fd)
{
    struct file *file = file_of(fd);

    if (file != NULL)
        file->in_use = false;
    return file != NULL;
}

/* ---- The hub's buffer for what workers say ---- */

static char *buffers[BUFFERS_MAX];

bool __wrap_input_init(struct input_buffer *buffer)
{
    size_t i = 0;

    while (i < BUFFERS_MAX && buffers[i] == NULL)
        i++;
    *buffer = (struct input_buffer){.bytes = i < BUFFERS_MAX ? buffers[i] : malloc(BUFFER_SIZE)};
    must(buffer->bytes != NULL);
    bytes_allow(buffer->bytes, BUFFER_SIZE);
    if (i < BUFFERS_MAX)
        buffers[i] = NULL;
    return true;
}

void __wrap_input_free(struct input_buffer *buffer)
{
    size_t i = 0;

    while (i < BUFFERS_MAX && buffers[i] != NULL)
        i++;
    must(i < BUFFERS_MAX);
    bytes_forbid(buffer->bytes, BUFFER_SIZE);
    buffers[i] = buffer->bytes;
}
