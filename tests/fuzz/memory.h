/*
 * memory.h: the large memory of a hub is used again by the next one: the files in memory of its
 * logs, and its buffer for input. To make, map and unmap it takes longer than most inputs. A file
 * is blank each time. While one is not mapped, or the buffer is freed, an access is an error as
 * before. memory_file_blank(), mmap(2), munmap(2), input_init() and input_free() are wrapped by the
 * linker.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>

/* For close(2): false where it is no such file. */
bool memory_close(int fd);

#endif
