/*
 * protocol.h: the language that chatd, its workers, chat and the transcript share.
 *
 * Pure functions: bytes in, values out. Nothing here allocates, does I/O, looks at the locale or
 * keeps state of its own; memory is always the caller's. chat-protocol(7) is the same in prose.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

/* ---- Limits ----------------------------------------------------------------------------- */

#define CHAT_VERSION "0.1.0"
#define CHAT_DEFAULT_HOST "127.0.0.1"
#define CHAT_DEFAULT_PORT "65432"

/* A client's line: bytes as sent, before its line end and before cleaning. */
#define LINE_IN_MAX 4096
/* The same line cleaned: one bad byte becomes the three bytes of U+FFFD. */
#define LINE_CLEAN_MAX (3 * LINE_IN_MAX)
/* A server's line with its LF. 27 (stamp) + 2 names + a cleaned line fit with room to spare. */
#define LINE_OUT_MAX 16384
/* A `here` line with its LF. */
#define LINE_HERE_MAX 4096
#define NAME_LEN_MAX 64
/* 2026-11-22T21:42:07.123456Z */
#define STAMP_LEN 27
/* "[" + INET6_ADDRSTRLEN + "]:65535" + NUL, rounded up. */
#define PEER_TEXT_MAX 64

/* A piece of somebody else's bytes: not NUL-terminated, valid as long as they are. */
struct span {
    const char *at;
    size_t len;
};

/* ---- Lines: any cut of a stream gives the same lines ------------------------------------ */

/*
 * Splits a byte stream into lines. A line ends with LF; one CR before the LF is dropped. Partial
 * lines are held in memory that the caller lends (max + 1 bytes, as long as the splitter lives).
 */
struct line_splitter {
    char *held;
    size_t max;
    size_t len;
    bool skipping;
};

enum line_result {
    LINE_NONE,    /* the input is used up */
    LINE_READY,   /* *line is a whole line, without its end */
    LINE_TOO_LONG /* *line is the first max bytes; the rest up to LF is skipped. Told once. */
};

void line_splitter_init(struct line_splitter *, char *held, size_t max);

/*
 * Takes the next line from the bytes [*at, end) and moves *at behind what it used. *line points
 * into the input or into the held memory and is valid until the next call or until the input goes.
 * Call it until LINE_NONE; then all of the input has been taken.
 */
enum line_result line_next(
    struct line_splitter *, const char **at, const char *end, struct span *line);

/*
 * The stream has ended: the last, unterminated line, if there is one that is not being skipped
 * (LINE_READY, or LINE_NONE). One CR at its end is dropped. The splitter is empty afterwards.
 */
enum line_result line_last(struct line_splitter *, struct span *line);

/* ---- Telnet (RFC 854, RFC 860) ---------------------------------------------------------- */

/* Zeroed memory is a fresh filter. */
struct telnet_filter {
    unsigned char state;
    unsigned timing_marks; /* DO TIMING-MARKs seen so far; the caller answers and subtracts */
};

/* IAC WONT TIMING-MARK, the answer to each of them. */
#define TELNET_WONT_TIMING_MARK "\xff\xfc\x06"

/*
 * Takes telnet commands out of buf[0 .. *len), in place, whatever the cuts. buf[-1] must be
 * writable: an 0xFF that turns out not to begin a command goes back there if it came at the end of
 * an earlier buffer. Returns where the remaining bytes begin (buf or buf - 1) and their number in
 * *len. IAC IAC is the byte 0xFF. A LF ends an unfinished command and is never swallowed.
 */
char *telnet_filter(struct telnet_filter *, char *buf, size_t *len);

/* ---- Text that is safe to print --------------------------------------------------------- */

/*
 * Decodes one character of s (len >= 1): its bytes' number, and its code point in *cp; for a
 * malformed sequence the length of its maximal subpart (Unicode 3.9, U+FFFD substitution), and
 * UTF8_BAD.
 */
#define UTF8_BAD 0xFFFFFFFFu
size_t utf8_decode(const char *s, size_t len, uint32_t *cp);
/* Writes cp (a scalar value) to out, at most 4 bytes; returns their number. */
size_t utf8_encode(uint32_t cp, char out[4]);

/* True for what contract 2.4 replaces by U+FFFD: controls, bidi controls, invisible characters. */
bool char_is_forbidden(uint32_t cp);
/* General categories Mn and Me, variation selectors among them, without what is forbidden. */
bool char_is_combining(uint32_t cp);
/* Property White_Space. */
bool char_is_space(uint32_t cp);

/*
 * Cleans len bytes (of one line, without its end) into dst, which holds 3 * len bytes and does not
 * overlap src; returns the cleaned length. Idempotent. What is forbidden or malformed becomes
 * U+FFFD, combining marks after the eighth on one base are dropped, the rest is copied.
 */
size_t text_clean(char *dst, const char *src, size_t len);
/* True where text_clean() would change nothing. Fast for ASCII. */
bool text_is_clean(const char *s, size_t len);
/*
 * The longest prefix of s of at most max bytes (max >= 4) that ends between characters, len where
 * all of it fits. Never 0 unless len is. A combining mark is kept with its base where that is
 * possible.
 */
size_t text_cut(const char *s, size_t len, size_t max);

/* ---- Names ------------------------------------------------------------------------------ */

/*
 * Makes a name of what somebody asked for: contract 2.3. out gets at most NAME_LEN_MAX bytes and a
 * NUL. Returns the length; 0 means that nothing was left and the address is the name. Idempotent.
 */
size_t name_clean(char out[NAME_LEN_MAX + 1], const char *raw, size_t len);
/* name_clean() would return exactly these bytes, at least one. */
bool name_is_clean(const char *s, size_t len);
/* name with "_n" behind it, the base shortened between characters where needed; the length. */
size_t name_suffixed(char out[NAME_LEN_MAX + 1], const char *name, unsigned n);
/* Folds ASCII case: two names are the same name if their folded forms are equal. */
void name_fold(char out[NAME_LEN_MAX + 1], const char *name);

/* ---- Stamps ----------------------------------------------------------------------------- */

/* Microseconds since 1970-01-01T00:00:00Z, of years 1970 to 9999. out gets STAMP_LEN bytes. */
void stamp_format(char out[STAMP_LEN], uint64_t us);
/* The reverse; false unless s begins with exactly such a stamp (len >= STAMP_LEN). */
bool stamp_parse(const char *s, size_t len, uint64_t *us);

/* ---- What clients send ------------------------------------------------------------------ */

enum command {
    CMD_EMPTY, /* an empty line */
    CMD_TEXT,  /* a message, or before the name: the name */
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
    CMD_QUIT
};

/*
 * One line of a client. For CMD_TEXT, text is the message with the leading slash of "//" gone.
 * For CMD_MSG, name and text are the two arguments. For the others text is all that follows the
 * command word and one space. Arguments that are missing are empty.
 */
struct request {
    enum command command;
    struct span name;
    struct span text;
};

/*
 * Reads a line that was sent before (named false) or after (named true) the name. Commands of the
 * other phase are CMD_UNKNOWN. Command words are lower case and end at a space or the line's end.
 */
struct request request_parse(const char *line, size_t len, bool named);

/* An HTTP request line, whatever its method (or the beginning of one that is too long to be seen
 * whole). */
bool line_is_http(const char *line, size_t len);

/* Decimal digits only, at most max; false otherwise. */
bool number_parse(const char *s, size_t len, unsigned long max, unsigned long *value);

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

/*
 * A server's line taken apart; the spans point into it.
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
 *   error       word: the code, text
 */
struct event {
    uint64_t stamp;
    enum verb verb;
    struct span name;
    struct span word;
    struct span text;
    unsigned long count;
    unsigned long mine;
    bool counted; /* false where the wire says `?` for count */
};

/* False where this is no line of a chatd (no stamp, unknown verb, missing arguments). */
bool event_parse(struct event *, const char *line, size_t len);
/* join quit nick msg me post: lines of the room's one order, which a /since can name. */
bool verb_is_room(enum verb);
/* msg me post priv: what people call messages. */
bool verb_is_message(enum verb);

/* ---- Between hub and worker ------------------------------------------------------------- */

/*
 * A line that begins with this byte, which no clean text can hold, is said by a worker to the hub
 * or by the hub to a worker, and stops there. The word follows at once.
 */
#define CONTROL_BYTE '\001'
/* worker to hub: a line stood here that was too long */
#define CONTROL_TOO_LONG "\001too-long\n"
/* worker to hub: the client has said goodbye; its connection broke; the worker got SIGTERM.
 * No line follows. */
#define CONTROL_LEFT "\001left\n"
#define CONTROL_LOST "\001lost\n"
#define CONTROL_KICKED "\001kicked\n"
/* hub to worker: read what the client's socket holds now, pass on its whole lines, then say lost */
#define CONTROL_END "\001end\n"
/* hub to worker, with the title and LF behind it: what ps(1) shows */
#define CONTROL_TITLE "\001title "

/* ---- Addresses -------------------------------------------------------------------------- */

enum address_kind {
    ADDRESS_INET, /* host and port */
    ADDRESS_ANY,  /* port on every address: `*`, `*:port` */
    ADDRESS_PATH  /* a Unix-domain stream socket */
};

/* An address as somebody wrote it. path points into the text it was parsed from. */
struct address {
    enum address_kind kind;
    char host[256];
    char port[6];
    const char *path;
};

/*
 * Parses `host`, `host:port`, `[ipv6]`, `[ipv6]:port`, a bare IPv6 address, `:port`, `*`, `*:port`,
 * or a path (whatever contains a `/`). Missing parts get the defaults. Returns NULL, or what is
 * wrong with the text, fit to stand behind "ADDRESS: ".
 */
const char *address_parse(struct address *, const char *text);

/* Writes `192.0.2.7:5555` or `[2001:db8::1]:5555`; IPv4-mapped addresses as IPv4. */
void address_format(char out[PEER_TEXT_MAX], const struct sockaddr *);

#endif
