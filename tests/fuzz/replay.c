/*
 * replay.c: runs a fuzz target without a fuzzer: replay_TARGET [FILE | DIRECTORY]...
 *
 * Each file is one input; without arguments the corpus is, tests/fuzz/corpus/TARGET. A target that
 * finds something wrong aborts, and the name printed last is that of the input.
 */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

#define PATH_SIZE 4096

static void input_run(const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "rb");

    fprintf(stderr, "%s\n", path);
    must(file != NULL && fstat(fileno(file), &status) == 0);
    size_t size = (size_t)status.st_size;
    char *bytes = must_allocate(size);
    must(fread(bytes, 1, size, file) == size);
    fclose(file);
    LLVMFuzzerTestOneInput((const uint8_t *)bytes, size);
    free(bytes);
}

/* Runs the file, or all files of the directory and of those in it; their number. */
static unsigned path_run(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned count = 0;

    if (dir == NULL) {
        input_run(path);
        return 1;
    }
    while ((entry = readdir(dir)) != NULL) {
        char inner[PATH_SIZE];
        if (entry->d_name[0] == '.')
            continue;
        must(snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < PATH_SIZE);
        count += path_run(inner);
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash != NULL ? slash + 1 : argv[0];
    char corpus[PATH_SIZE];
    unsigned count = 0;

    for (int i = 1; i < argc; i++)
        count += path_run(argv[i]);
    if (argc == 1) {
        must(strncmp(name, "replay_", 7) == 0);
        must(snprintf(corpus, sizeof corpus, "tests/fuzz/corpus/%s", name + 7) < PATH_SIZE);
        count = path_run(corpus);
    }
    printf("%u passed, 0 failed\n", count);
    return count > 0 ? 0 : 1;
}
