/* options.c: getopt(), the environment, and the usage text. */
#include "options.h"

#include "../compat/compat.h"
#include "../protocol.h"
#include "../wire/number.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* To connect, and for a server to say something where it must, in ms. */
#define PATIENCE_DEFAULT 10000
#define PATIENCE_UNSET (-2)
/* `host:port`, with brackets. */
#define SERVER_TEXT_MAX 300

/* `--help` and `--version` are the option '-' with an argument. */
static const char options_known[] = ":hkpqrsVlxn:m:H:C:W:w:b:e:c:-:";

static const char options_usage[] =
    "usage: " CHAT_PROGRAM " [-hkpqrsV] [-n NAME] [-m TEXT]... [-l] [-H LINES] [-C COUNT]\n"
    "            [-W SECONDS] [-w SECONDS] [-b WHEN] [-x] [-e COMMAND] [-c COMMAND]\n"
    "            [ADDRESS[,ADDRESS]... | HOST PORT]\n";

static const char options_help[] =
    "Join the room of the chatd at ADDRESS: host, host:port, [ipv6]:port, or a socket's\n"
    "path; else $CHAT_SERVER, else " CHAT_DEFAULT_HOST ":" CHAT_DEFAULT_PORT ".\n"
    "Several addresses, separated by commas, are tried in order.\n"
    "\n"
    "  -n NAME     your name (else $CHAT_NAME, else chat asks on a terminal)\n"
    "  -m TEXT     post this line without joining, and exit; may be repeated\n"
    "  -s          post standard input, line by line, without joining\n"
    "  -r          receive only: never read standard input\n"
    "  -l          list the members, one a line, and exit\n"
    "  -x          print the protocol's own lines\n"
    "  -H LINES    past messages wanted (20 on a terminal, 0 elsewhere and with -C)\n"
    "  -C COUNT    leave after that many messages from others\n"
    "  -W SECONDS  leave SECONDS after the start\n"
    "  -w SECONDS  give up connecting after SECONDS (10; never with -c)\n"
    "  -k          reconnect when the connection is lost, and resume\n"
    "  -q          quiet: no joins, quits and greeting\n"
    "  -p          plain: no colour, no line editing, no wrapping\n"
    "  -b WHEN     ring the bell: off, mention (of your name, or in private), or all\n"
    "  -e COMMAND  run a bot: COMMAND reads the protocol's lines and writes yours\n"
    "  -c COMMAND  reach the server through COMMAND's standard input and output\n"
    "  -h, -V      this help; the version and the C library\n"
    "\n"
    "In the room: /msg NAME TEXT, /me TEXT, /nick NAME, /users, /help, /quit [TEXT],\n"
    "/ignore [NAME], /unignore NAME, and for operators /kick NAME [TEXT],\n"
    "/ban NAME [MINUTES [TEXT]], /unban NAME.\n";

static int usage_error(const char *what, const char *detail)
{
    fprintf(stderr, CHAT_PROGRAM ": %s%s\n%s", what, detail, options_usage);
    return EX_USAGE;
}

/* Two texts, one behind the other, on standard output. */
static int print_text(const char *text, const char *more)
{
    if (fputs(text, stdout) >= 0 && fputs(more, stdout) >= 0 && fflush(stdout) == 0)
        return EX_OK;
    perror(CHAT_PROGRAM ": standard output");
    return EX_IOERR;
}

static int print_help(void)
{
    return print_text(options_usage, options_help);
}

static int print_version(void)
{
    char libc[64];
    char more[80];

    libc_name(libc, sizeof(libc));
    snprintf(more, sizeof(more), "libc: %s\n", libc);
    return print_text(CHAT_PROGRAM " " CHAT_VERSION "\n", more);
}

static int option_long(const char *word)
{
    if (strcmp(word, "help") == 0)
        return print_help();
    if (strcmp(word, "version") == 0)
        return print_version();
    return usage_error("unknown option --", word);
}

static int option_number(int option, unsigned long min, unsigned long max, unsigned long *value)
{
    if (number_parse(optarg, strlen(optarg), max, value) && *value >= min)
        return -1;
    fprintf(stderr, CHAT_PROGRAM ": -%c takes a number from %lu to %lu, not %s\n%s", option, min,
        max, optarg, options_usage);
    return EX_USAGE;
}

static int option_bell(struct options *options)
{
    if (strcmp(optarg, "off") == 0)
        options->bell = BELL_OFF;
    else if (strcmp(optarg, "mention") == 0)
        options->bell = BELL_MENTION;
    else if (strcmp(optarg, "all") == 0)
        options->bell = BELL_ALL;
    else
        return usage_error("-b takes off, mention or all, not ", optarg);
    return -1;
}

static int option_mode(struct options *options, enum options_mode mode)
{
    if (options->mode != MODE_TALK && options->mode != mode)
        return usage_error("only one of -e, -l, -m and -s can be given", "");
    options->mode = mode;
    return -1;
}

static int option_wrong(int option)
{
    const char letter[] = {(char)optopt, '\0'};

    return usage_error(option == ':' ? "no argument for -" : "unknown option -", letter);
}

static int option_text(struct options *options)
{
    if (optarg[strspn(optarg, "\r\n")] == '\0')
        return usage_error("-m takes a text that is not empty", "");
    options->texts[options->texts_count++] = optarg;
    return option_mode(options, MODE_POST);
}

static int option_patience(struct options *options)
{
    unsigned long seconds;
    int status = option_number('w', 1, OPTIONS_SECONDS_MAX, &seconds);

    if (status < 0)
        options->patience = 1000 * (int64_t)seconds;
    return status;
}

/* One option; like options_parse(). */
static int option_take(struct options *options, int option)
{
    switch (option) {
    case '-':
        return option_long(optarg);
    case 'h':
        return print_help();
    case 'V':
        return print_version();
    case 'k':
        options->keep = true;
        return -1;
    case 'p':
        options->output.plain = true;
        return -1;
    case 'q':
        options->output.quiet = true;
        return -1;
    case 'r':
        options->receive_only = true;
        return -1;
    case 'x':
        options->output.raw = true;
        return -1;
    case 'l':
        return option_mode(options, MODE_LIST);
    case 's':
        return option_mode(options, MODE_SEND);
    case 'm':
        return option_text(options);
    case 'e':
        options->bot = optarg;
        return option_mode(options, MODE_BOT);
    case 'c':
        options->command = optarg;
        return -1;
    case 'n':
        options->name = optarg;
        return -1;
    case 'b':
        return option_bell(options);
    case 'H':
        return option_number(option, 0, HISTORY_MAX, &options->history);
    case 'C':
        return option_number(option, 1, OPTIONS_UNSET - 1, &options->count);
    case 'W':
        return option_number(option, 1, OPTIONS_SECONDS_MAX, &options->leave_after);
    case 'w':
        return option_patience(options);
    default:
        return option_wrong(option);
    }
}

static const char *environment_get(const char *variable)
{
    const char *value = getenv(variable);

    return value != NULL && *value != '\0' ? value : NULL;
}

/* ---- Addresses ----------------------------------------------------------------------- */

/* One element of the list; path addresses point into text. Like options_parse(). */
static int addresses_add(struct options *options, const char *text)
{
    struct address *address = &options->addresses[options->addresses_count++];
    const char *error = address_parse(address, text);

    if (error == NULL && address->kind == ADDRESS_ANY)
        error = "not an address to connect to";
    if (error == NULL)
        return -1;
    fprintf(stderr, CHAT_PROGRAM ": %s: %s\n", text, error);
    return EX_USAGE;
}

static size_t addresses_in(const char *list)
{
    size_t count = 1;

    while ((list = strchr(list, ',')) != NULL) {
        count++;
        list++;
    }
    return count;
}

/* A comma always separates. */
static int addresses_parse(struct options *options)
{
    char *at = options->addresses_text = strdup(options->server);
    int status = -1;

    options->addresses = calloc(addresses_in(options->server), sizeof *options->addresses);
    if (at == NULL || options->addresses == NULL) {
        perror("chat");
        return EX_OSERR;
    }
    while (status < 0 && at != NULL) {
        char *comma = strchr(at, ',');
        if (comma != NULL)
            *comma++ = '\0';
        status = addresses_add(options, at);
        at = comma;
    }
    return status;
}

static bool host_has_port(const char *host)
{
    const char *colon = strchr(host, ':');

    if (*host == '[')
        return strstr(host, "]:") != NULL;
    return colon != NULL && strchr(colon + 1, ':') == NULL;
}

/* HOST PORT becomes one address. */
static int options_host_port(struct options *options, const char *host, const char *port)
{
    static char text[SERVER_TEXT_MAX];
    bool brackets = *host != '[' && strchr(host, ':') != NULL;
    unsigned long number;
    int len;

    if (!number_parse(port, strlen(port), 65535, &number))
        return usage_error(
            port[0] == '-' ? "options come before the address: " : "not a port number: ", port);
    if (strpbrk(host, ",/") != NULL || host_has_port(host))
        return usage_error("a port number follows the name or the address of one host, not ", host);
    len = snprintf(text, sizeof text, brackets ? "[%s]:%s" : "%s:%s", host, port);
    if (len < 0 || (size_t)len >= sizeof text)
        return usage_error("too long: ", host);
    options->server = text;
    return -1;
}

static int options_addresses(struct options *options, int count, char *const *operands)
{
    int status = -1;

    if (count > 0 && options->command != NULL)
        return usage_error("an address and -c exclude each other: ", operands[0]);
    if (options->command != NULL)
        return -1;
    if (count > 2)
        return usage_error("more than one address: ", operands[1]);
    if (count == 2)
        status = options_host_port(options, operands[0], operands[1]);
    else
        options->server = count == 1 ? operands[0] : environment_get("CHAT_SERVER");
    if (options->server == NULL)
        options->server = CHAT_DEFAULT_HOST ":" CHAT_DEFAULT_PORT;
    return status < 0 ? addresses_parse(options) : status;
}

/* ---- All of it ----------------------------------------------------------------------- */

/* What the environment gives, and what the options make together. */
static int options_complete(struct options *options)
{
    if (options->receive_only && options->mode == MODE_SEND)
        return usage_error("-r and -s exclude each other", "");
    if (options->receive_only && options->mode == MODE_TALK)
        options->mode = MODE_RECEIVE;
    if (options->patience == PATIENCE_UNSET) /* a command may ask its user for a password */
        options->patience = options->command != NULL ? -1 : PATIENCE_DEFAULT;
    if (options->name == NULL)
        options->name = environment_get("CHAT_NAME");
    options->secret = environment_get("CHAT_PASS");
    if (options->secret != NULL &&
        (strchr(options->secret, '\n') != NULL || strlen(options->secret) > SESSION_SECRET_MAX))
        return usage_error("CHAT_PASS must be a line that the wire takes", "");
    return -1;
}

int options_parse(struct options *options, int argc, char **argv)
{
    int status = -1;
    int option;

    *options = (struct options){.history = OPTIONS_UNSET, .patience = PATIENCE_UNSET};
    options->texts = calloc((size_t)argc + 1, sizeof *options->texts);
    if (options->texts == NULL) {
        perror("chat");
        return EX_OSERR;
    }
    while (status < 0 && (option = getopt(argc, argv, options_known)) != -1)
        status = option_take(options, option);
    if (status < 0)
        status = options_addresses(options, argc - optind, argv + optind);
    if (status < 0)
        status = options_complete(options);
    return status;
}
