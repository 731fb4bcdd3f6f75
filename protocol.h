/*
 * protocol.h: the lines that chatd, its workers, chat and the transcript have in common, parsed;
 * chat-protocol(7) describes them. wire/ is the layer below: lines, text, names, timestamps.
 *
 * The functions are pure: they allocate nothing, do no I/O, and do not depend on the locale.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/name.h"
#include "wire/span.h"
#include "wire/stamp.h"

/* ---- Limits ----------------------------------------------------------------------------- */

#define CHAT_VERSION "0.2.0"

/* What the programs are called: PROGPREFIX of the Makefile stands before both names. */
#ifndef PROGPREFIX
#define PROGPREFIX ""
#endif
#define CHAT_PROGRAM PROGPREFIX "chat"
#define CHATD_PROGRAM PROGPREFIX "chatd"

/* A client's line as sent: before cleaning, without its end. */
#define LINE_IN_MAX 4096
/* The same line after cleaning: a malformed byte becomes the three bytes of U+FFFD. */
#define LINE_CLEAN_MAX (3 * LINE_IN_MAX)
/* A server's line with its LF: more than a timestamp, two names and a cleaned line. */
#define LINE_OUT_MAX 16384
/* A `here` line with its LF. */
#define LINE_HERE_MAX 4096
/* A token: 16 random bytes in hexadecimal digits. */
#define TOKEN_LEN 32
/* The minutes of a /ban. */
#define BAN_DEFAULT 60
#define BAN_MAX UINT32_MAX

/* ---- What clients send ------------------------------------------------------------------ */

enum command {
    CMD_EMPTY, /* an empty line */
    CMD_TEXT,  /* a message; before the name, the name */
    CMD_UNKNOWN,
    /* before the name only */
    CMD_HISTORY,
    CMD_SINCE,
    CMD_POST,
    CMD_PASS,
    CMD_TOKEN,
    CMD_RESUME,
    /* before and after */
    CMD_USERS,
    /* after the name only */
    CMD_MSG,
    CMD_ME,
    CMD_NICK,
    CMD_HELP,
    CMD_QUIT,
    /* after the name only, and of operators only */
    CMD_KICK,
    CMD_BAN,
    CMD_UNBAN
};

/*
 * A client's line, parsed; the spans point into it. For CMD_TEXT, text is the message, without the
 * first slash of "//". For CMD_MSG, CMD_KICK, CMD_BAN and CMD_UNBAN, name is the first argument and
 * text is what follows it; for CMD_BAN, minutes is the number between them, or BAN_DEFAULT. For
 * other commands, text is what follows the word and one space, or, for CMD_HISTORY, CMD_SINCE and
 * CMD_RESUME, any number of spaces. Missing arguments are empty.
 */
struct request {
    enum command command;
    struct span name;
    struct span text;
    unsigned long minutes;
};

/*
 * Parses a line that was sent before (named false) or after (named true) the name. Commands of the
 * other phase are CMD_UNKNOWN. The case of a command word does not matter.
 */
struct request request_parse(const char *line, size_t len, bool named);

/* True for an HTTP request line of any method, and for the first LINE_IN_MAX bytes of one. */
bool line_is_http(const char *line, size_t len);

/* True for a header of version 1 of the PROXY protocol, and for the beginning of one. */
bool line_is_proxy(const char *line, size_t len);

/* ---- What the server sends -------------------------------------------------------------- */

enum verb {
    VERB_HERE,
    VERB_USERS,
    VERB_YOU,
    VERB_JOIN,
    VERB_QUIT,
    VERB_NICK,
    VERB_MSG,
    VERB_ME,
    VERB_POST,
    VERB_TOKEN,
    VERB_RESUMED,
    VERB_PRIV,
    VERB_NOTE,
    VERB_GAP,
    VERB_ERROR
};

/* The first argument of `error`: chat-protocol(7), ERROR CODES. */
enum error_code {
    ERROR_OTHER, /* a code that this version does not know */
    ERROR_TOO_LONG,
    ERROR_UNKNOWN_COMMAND,
    ERROR_USAGE,
    ERROR_NO_SUCH_USER,
    ERROR_BUSY,
    ERROR_LOGIN_TIMEOUT,
    ERROR_FULL,
    ERROR_PASSWORD,
    ERROR_NOT_ALLOWED,
    ERROR_NOT_RECORDED
};

/* The code as it is sent; "" for ERROR_OTHER. */
const char *error_word(enum error_code);

/*
 * A server's line, parsed; the spans point into it.
 *   here        text: the names
 *   users       count
 *   you join    name
 *   quit        name, word: the reason, text: what may follow
 *   nick        name: old, word: new
 *   msg me post name, text
 *   token       word
 *   resumed     count
 *   priv        name: from, word: to, text
 *   note        text
 *   gap         count, mine
 *   error       word and error: the code, text
 */
struct event {
    uint64_t stamp;
    enum verb verb;
    struct span name;
    struct span word;
    struct span text;
    unsigned long count;
    unsigned long mine;
    bool counted; /* false if the line has `?` for count */
    enum error_code error;
};

/* False if there is no timestamp, the verb is unknown, or an argument is missing or wrong. */
bool event_parse(struct event *, const char *line, size_t len);
/* The verb of a line of this server's own: nothing else of it is looked at. */
bool event_verb(enum verb *, const char *line, size_t len);
/* join quit nick msg me post: the events of the room, which have an order. */
bool verb_is_room(enum verb);
/* msg me post priv: text of a user. */
bool verb_is_message(enum verb);

/* ---- Between hub and worker ------------------------------------------------------------- */

/*
 * A line that begins with this byte, which clean text cannot contain, is a control word between
 * worker and hub. After an upgrade the hub is newer than the workers that were there before, so
 * words are added and never changed or reused. A worker ignores a word that it does not know; the
 * hub knows every word that has ever existed.
 */
#define CONTROL_BYTE '\001'
/* Raised whenever a word is added. */
#define CONTROL_VERSION 2

/* Worker to hub. No line follows CONTROL_LEFT, CONTROL_LOST and CONTROL_NO_PROXY. */

/* In place of a line that was too long. */
#define CONTROL_TOO_LONG "\001too-long\n"
/* Followed by a cleaned line and LF: the client's last line, which had no line end. */
#define CONTROL_LAST "\001last "
/* The client has ended its side. */
#define CONTROL_LEFT "\001left\n"
/* The connection broke, or the worker has carried out CONTROL_END. */
#define CONTROL_LOST "\001lost\n"
/* One telnet DO TIMING-MARK, which the hub answers. */
#define CONTROL_TIMING_MARK "\001timing-mark\n"
/* Version 0.1's workers sent it at SIGTERM. */
#define CONTROL_KICKED "\001kicked\n"

/* With an address of ip_port_format() and LF behind it: the client's, as a proxy has told it. */
#define CONTROL_PROXY "\001proxy "
/* The proxy has told no address: its own stays. */
#define CONTROL_PROXY_SELF "\001proxy-self\n"
/* The first bytes are no PROXY header where there must be one, or are one where there must not. */
#define CONTROL_NO_PROXY "\001no-proxy\n"

/* Hub to worker: nothing else goes that way. */

/* Relay the complete lines that the client's socket holds now, send CONTROL_LOST, and exit. */
#define CONTROL_END "\001end\n"
/* Followed by the title and LF: the process's title for ps(1). */
#define CONTROL_TITLE "\001title "

#endif
