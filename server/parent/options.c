/* options.c: parses and checks the options, and keeps the words for another start. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "compat/compat.h"
#include "path.h"
#include "protocol.h"
#include "server/hub/log.h"
#include "server/sandbox.h"
#include "wire/number.h"

static const char synopsis[] =
    "usage: " CHATD_PROGRAM
    " [-adhsvV] [-l ADDRESS]... [-H LINES] [-m CLIENTS] [-i CLIENTS] [-L SECONDS]\n"
    "             [-r RATE] [-w SECONDS] [-b BYTES] [-S auto|require|off] [-M MODE]\n"
    "             [-t FILE] [-u USER] [-p FILE] [-k FILE] [-A FILE] [-g FILE] [-x SECONDS]\n"
    "             [-c URL [-N NODE] [-K FILE]]\n";
static const char usage_text[] =
    "  -l ADDRESS  listen there: host:port, [ipv6%scope]:port, *:port, or a path with / in it;\n"
    "              may be given again (default " CHAT_DEFAULT_HOST ":" CHAT_DEFAULT_PORT ")\n"
    "  -H LINES    past messages for a client that asks for no number (default 20)\n"
    "  -m CLIENTS  most clients at once (default: what descriptors and processes allow)\n"
    "  -i CLIENTS  most connections from one source (default 0: no limit)\n"
    "  -L SECONDS  a session must have given its name by then (default 60)\n"
    "  -r RATE     lines a second from one client (default 0: no limit)\n"
    "  -w SECONDS  how long the room waits for readers that are a whole log behind (default 1)\n"
    "  -b BYTES    the room's log in memory (default 4194304)\n"
    "  -S MODE     the sandbox: auto, require, off (default auto)\n"
    "  -M MODE     mode of Unix-domain sockets (default 0660)\n"
    "  -t FILE     transcript: appended to, and read back for history at start\n"
    "  -s          write each message to disk before it is delivered\n"
    "  -a          names over Unix-domain sockets are login names, and nobody else gets one\n"
    "  -u USER     give up root for USER\n"
    "  -p FILE     write the process ID there, and lock it\n"
    "  -k FILE     its first line is the secret that /pass must give\n"
    "  -A FILE     access rules: who is admitted, who is an operator\n"
    "  -g FILE     its lines greet those who join\n"
    "  -c URL      one room on several machines, in a NATS cluster:\n"
    "              nats://HOST[:PORT][,HOST[:PORT]].../ROOM\n"
    "  -N NODE     this machine's name there (default: the host's, up to the first dot)\n"
    "  -K FILE     user:password, or a token, for the cluster\n"
    "  -d          detach: return when the room is ready, and log to syslog\n"
    "  -x SECONDS  exit when the room has been empty for SECONDS (default: never)\n"
    "  -v          log more: the ends of workers, and, on a terminal, joins and quits\n"
    "  -h, -V      this help; the version, the C library and the sandbox\n";

static _Noreturn void usage_error(const char *what, const char *why)
{
    fprintf(stderr, CHATD_PROGRAM ": %s: %s\n%s", what, why, synopsis);
    exit(EX_USAGE);
}

static unsigned long number_option(
    int option, const char *text, unsigned long min, unsigned long max)
{
    char what[3] = {'-', (char)option, '\0'};
    char why[128];
    unsigned long value;

    if (!number_parse(text, strlen(text), max, &value) || value < min) {
        snprintf(why, sizeof(why), "wants a number from %lu to %lu", min, max);
        usage_error(what, why);
    }
    return value;
}

/* Seconds, such as 2, 0.2 or .2, in microseconds. */
static uint64_t seconds_option(int option, const char *text, unsigned long max)
{
    char what[3] = {'-', (char)option, '\0'};
    char why[128];
    uint64_t us;

    if (!number_parse_fraction(text, strlen(text), max, &us)) {
        snprintf(why, sizeof(why), "wants seconds, from 0 to %lu", max);
        usage_error(what, why);
    }
    return us;
}

/* The same where 0 is none. */
static uint64_t positive_seconds_option(int option, const char *text, unsigned long max)
{
    char what[3] = {'-', (char)option, '\0'};
    uint64_t us = seconds_option(option, text, max);

    if (us == 0)
        usage_error(what, "wants more than 0 seconds");
    return us;
}

static enum sandbox_mode sandbox_option(const char *text)
{
    if (strcmp(text, "auto") == 0)
        return SANDBOX_AUTO;
    if (strcmp(text, "require") == 0)
        return SANDBOX_REQUIRE;
    if (strcmp(text, "off") == 0)
        return SANDBOX_OFF;
    usage_error("-S", "wants auto, require or off");
}

static mode_t mode_option(const char *text)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    if (text[0] < '0' || text[0] > '7' || *end != '\0' || mode > 0777)
        usage_error("-M", "wants an octal mode, such as 0660");
    return (mode_t)mode;
}

static void address_option(struct options *o, const char *text)
{
    struct address address;
    const char *why = address_parse(&address, text);

    if (why != NULL)
        usage_error(text[0] == '\0' ? "-l" : text, why);
    if (o->address_count == LISTENERS_MAX)
        usage_error("-l", "too many addresses");
    o->addresses[o->address_count++] = text;
}

/* If an option is given twice, the last one counts. */
static char *path_option(int option, const char *text)
{
    char what[3] = {'-', (char)option, '\0'};
    char *path = text[0] == '\0' ? NULL : path_absolute(text);

    if (path == NULL)
        usage_error(what, text[0] == '\0' ? "wants a file" : strerror(errno));
    return path;
}

static void cluster_option(int option, const char *why)
{
    char what[3] = {'-', (char)option, '\0'};

    if (why != NULL)
        usage_error(what, why);
}

static void options_default(struct options *o)
{
    memset(o, 0, sizeof(*o));
    o->mode = 0660;
    o->hub.log_bytes = 4u << 20;
    o->hub.history = 20;
    o->hub.login_us = 60 * 1000000u;
    o->hub.wait_us = 1000000u;
}

static _Noreturn void print_and_exit(const char *text, const char *more)
{
    fputs(text, stdout);
    fputs(more, stdout);
    exit(fflush(stdout) == 0 ? 0 : EX_IOERR);
}

/* One line that names the program, then what it runs with. */
static _Noreturn void version_and_exit(void)
{
    char libc[64];
    char more[128];

    libc_name(libc, sizeof(libc));
    snprintf(more, sizeof(more), "libc: %s\nsandbox: %s\n", libc, sandbox_name(sandbox_probe()));
    print_and_exit(CHATD_PROGRAM " " CHAT_VERSION "\n", more);
}

/* The options that are numbers. */
static void option_number(struct options *o, int c, const char *text)
{
    switch (c) {
    case 'b':
        o->hub.log_bytes = number_option(c, text, LOG_BYTES_MIN, LOG_BYTES_MAX);
        break;
    case 'H':
        o->hub.history = (unsigned)number_option(c, text, 0, 1000000000);
        break;
    case 'i':
        o->clients_each = number_option(c, text, 0, 1000000);
        break;
    case 'L':
        o->hub.login_us = positive_seconds_option(c, text, 86400);
        break;
    case 'm':
        o->clients = number_option(c, text, 1, 1000000);
        break;
    case 'r':
        o->hub.rate = (unsigned)number_option(c, text, 0, 1000000);
        break;
    case 'w':
        o->hub.wait_us = seconds_option(c, text, 3600);
        break;
    case 'x':
        o->empty_us = positive_seconds_option(c, text, 100000000);
        break;
    default:
        usage_error(
            (char[]){'-', (char)optopt, '\0'}, c == ':' ? "wants an argument" : "no such option");
    }
}

static void option_take(struct options *o, int c, const char *text)
{
    switch (c) {
    case 'h':
        print_and_exit(synopsis, usage_text);
    case 'V':
        version_and_exit();
    case 'v':
        o->verbose = true;
        break;
    case 'l':
        address_option(o, text);
        break;
    case 'a':
        o->authenticated = true;
        break;
    case 'c':
        cluster_option(c, cluster_url_parse(&o->cluster, text));
        break;
    case 'N':
        cluster_option(c, cluster_node_parse(&o->cluster, text));
        break;
    case 'K':
        o->cluster.credentials_file = path_option(c, text);
        break;
    case 'd':
        o->detach = true;
        break;
    case 'A':
        o->access_file = path_option(c, text);
        break;
    case 'g':
        o->greeting_file = path_option(c, text);
        break;
    case 'k':
        o->secret_file = path_option(c, text);
        break;
    case 'p':
        o->pid_file = path_option(c, text);
        break;
    case 'u':
        o->user = text;
        break;
    case 't':
        o->transcript = path_option(c, text);
        break;
    case 's':
        o->hub.sync = true;
        break;
    case 'S':
        o->sandbox = sandbox_option(text);
        break;
    case 'M':
        o->mode = mode_option(text);
        break;
    default:
        option_number(o, c, text);
        break;
    }
}

static size_t count_letters(int argc, char **argv)
{
    size_t count = 0;

    for (int i = 0; i < argc; i++)
        count += strlen(argv[i]);
    return count;
}

/* The file that an option names, as an absolute path; NULL: it names none. */
static char *option_path(const struct options *o, int c)
{
    switch (c) {
    case 'A':
        return o->access_file;
    case 'g':
        return o->greeting_file;
    case 'k':
        return o->secret_file;
    case 'p':
        return o->pid_file;
    case 'K':
        return o->cluster.credentials_file;
    case 't':
        return o->transcript;
    default:
        return NULL;
    }
}

/* What another start from anywhere shall be given to mean the same. */
static void option_keep(struct options *o, size_t *count, int c, char *text)
{
    char *option;

    if (c == 'l')
        return;
    if (option_path(o, c) != NULL)
        text = option_path(o, c);
    option = malloc(3);
    if (option == NULL)
        usage_error("options", strerror(errno));
    option[0] = '-';
    option[1] = (char)c;
    option[2] = '\0';
    o->again[(*count)++] = option;
    if (text != NULL)
        o->again[(*count)++] = text;
}

/* `--help` and `--version` are the option '-' with an argument. */
static int option_long(const char *word)
{
    if (strcmp(word, "help") == 0)
        return 'h';
    if (strcmp(word, "version") == 0)
        return 'V';
    usage_error(word - 2, "no such option"); /* with its dashes */
}

static void options_check_cluster(struct cluster_options *cluster)
{
    if (cluster->servers == NULL && cluster->node[0] != '\0')
        usage_error("-N", "is for a room in a cluster, -c URL");
    if (cluster->servers == NULL && cluster->credentials_file != NULL)
        usage_error("-K", "is for a room in a cluster, -c URL");
    if (cluster->servers != NULL && cluster->node[0] == '\0')
        cluster_option('c', cluster_node_default(cluster));
}

void options_read(struct options *o, int argc, char **argv)
{
    size_t kept = 1;
    int c;

    options_default(o);
    /* A word of the command line gives as many options as it has letters. */
    o->again = calloc(count_letters(argc, argv) * 2 + 2, sizeof(char *));
    if (o->again == NULL)
        usage_error("options", strerror(errno));
    o->again[0] = argv[0];
    while ((c = getopt(argc, argv, ":adhsvVA:b:c:g:H:i:K:k:L:l:M:m:N:p:r:S:t:u:w:x:-:")) != -1) {
        c = c == '-' ? option_long(optarg) : c;
        optarg = strchr("adhsvV", c) != NULL ? NULL : optarg;
        option_take(o, c, optarg);
        option_keep(o, &kept, c, optarg);
    }
    if (optind < argc)
        usage_error(argv[optind], "no arguments are wanted");
    if (o->hub.sync && o->transcript == NULL)
        usage_error("-s", "needs a transcript, -t FILE");
    options_check_cluster(&o->cluster);
}
