/* How many processes there can be: see compat.h. */
#include "os.h"

#include "compat.h"

#include <sys/resource.h>

/* Takes the smaller one. */
static void limit_lower(struct process_limit *limit, unsigned long value, const char *name)
{
    if (value >= limit->count)
        return;
    limit->count = value;
    limit->name = name;
}

static void limit_by_user(struct process_limit *limit)
{
#ifdef RLIMIT_NPROC
    struct rlimit user;

    if (getrlimit(RLIMIT_NPROC, &user) == 0 && user.rlim_cur != RLIM_INFINITY)
        limit_lower(limit, (unsigned long)user.rlim_cur, "RLIMIT_NPROC");
#else
    (void)limit;
#endif
}

#if defined(__linux__)

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096

/* A file that holds one number; `max` and what cannot be read are no limit. */
static void limit_by_file(struct process_limit *limit, const char *path, const char *name)
{
    FILE *file = fopen(path, "re");
    unsigned long value;

    if (file == NULL)
        return;
    if (fscanf(file, "%lu", &value) == 1)
        limit_lower(limit, value, name);
    fclose(file);
}

/* The group's own limit and those of all above it. */
static void limit_by_groups(struct process_limit *limit, const char *mount, char *group)
{
    char path[2 * PATH_SIZE];
    char *slash;

    for (;;) {
        snprintf(path, sizeof path, "%s%s/pids.max", mount, group);
        limit_by_file(limit, path, "the limit on tasks (pids.max)");
        slash = strrchr(group, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

/* "0::/system.slice/chatd.service" is of the one hierarchy that there is now, "8:pids:/" of the one
 * for this limit that there was before. */
static void limit_by_cgroup(struct process_limit *limit)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[PATH_SIZE];

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *controllers = strchr(line, ':');
        char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');

        if (group == NULL)
            continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        if (controllers[1] == '\0')
            limit_by_groups(limit, "/sys/fs/cgroup", group);
        else if (strcmp(controllers + 1, "pids") == 0)
            limit_by_groups(limit, "/sys/fs/cgroup/pids", group);
    }
    if (file != NULL)
        fclose(file);
}

static void limit_by_system(struct process_limit *limit)
{
    limit_by_cgroup(limit);
    limit_by_file(limit, "/proc/sys/kernel/threads-max", "kernel.threads-max");
    limit_by_file(limit, "/proc/sys/kernel/pid_max", "kernel.pid_max");
}

#else

static void limit_by_system(struct process_limit *limit)
{
    (void)limit;
}

#endif

struct process_limit process_limit(bool privileged)
{
    struct process_limit limit = {.count = (unsigned long)-1, .name = "nothing"};

    if (!privileged)
        limit_by_user(&limit);
    limit_by_system(&limit);
    return limit;
}
