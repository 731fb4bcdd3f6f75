/*
 * options.h: what the command line asks of chatd.
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cluster_options.h"
#include "listener.h"
#include "server/hub/hub.h"

enum sandbox_mode { SANDBOX_AUTO, SANDBOX_REQUIRE, SANDBOX_OFF };

/* Paths of files are absolute and allocated, for the life of the program. */
struct options {
    const char *addresses[LISTENERS_MAX];
    size_t address_count;
    unsigned long clients; /* 0: what the system allows */
    unsigned long clients_each;
    enum sandbox_mode sandbox;
    struct cluster_options cluster;
    bool verbose;
    bool detach;
    bool authenticated;  /* names are login names, where the kernel knows them */
    char *transcript;    /* NULL: none; whether it is synchronized (-s) is in hub */
    char *pid_file;      /* NULL: none */
    char *secret_file;   /* NULL: no secret is asked for */
    char *access_file;   /* NULL: every client is admitted */
    char *greeting_file; /* NULL: none */
    const char *user;    /* whom to give up root for; NULL: stay */
    uint64_t empty_us;   /* exit when the room has been empty for this time; 0: never */
    mode_t mode;
    struct hub_config hub;
    char **again; /* the same options for another start: no addresses, every path absolute */
};

/*
 * Reads them; what is not given has its default, but for the addresses. Exits after -h and -V, and
 * where the command line is wrong. Call it before any chdir().
 */
void options_read(struct options *, int argc, char **argv);

#endif
