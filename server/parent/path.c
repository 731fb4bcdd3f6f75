/* path.c: joins a relative path to the working directory. */
#include "path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *path_absolute(const char *path)
{
    char here[4096];
    size_t size;
    char *out;

    if (path[0] == '/' || getcwd(here, sizeof(here)) == NULL)
        return strdup(path);
    size = strlen(here) + 1 + strlen(path) + 1;
    out = malloc(size);
    if (out != NULL)
        snprintf(out, size, "%s/%s", here, path);
    return out;
}
