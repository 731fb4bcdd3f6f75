/*
 * keys.h: what a terminal sends, as keys.
 *
 * A pure state machine. Bytes go in, in any cut; keys come out. It knows what xterm, rxvt, the
 * Linux console and what is compatible with them send for keys, mouse reports of every kind, pastes
 * in brackets, and answers to questions that an earlier program has asked.
 *
 * A terminal sends a sequence at once, and a user may type its beginning: Alt with [ is ESC [. So
 * nothing that is half received lasts: the caller waits for more for keys_pause() ms and then calls
 * keys_expire(). What was typed behind such a beginning and belongs to no sequence is text. Ctrl-C
 * is Ctrl-C wherever it comes.
 */
#ifndef CLIENT_KEYS_H
#define CLIENT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_code {
    KEY_NONE,      /* all bytes are used up */
    KEY_CHARACTER, /* key.character; with a modifier in ASCII, letters small where that is Ctrl */
    KEY_ENTER,
    KEY_TAB,
    KEY_BACKSPACE,
    KEY_DELETE,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_UP,
    KEY_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_PASTE_BEGIN, /* the keys up to KEY_PASTE_END are pasted text */
    KEY_PASTE_END,
    KEY_UNKNOWN /* another one, or a report */
};

/* Of key.modifiers. */
#define KEY_SHIFT 1u
#define KEY_ALT 2u
#define KEY_CTRL 4u

struct key {
    enum key_code code;
    unsigned modifiers;
    uint32_t character; /* a scalar value; U+FFFD for bytes that are no UTF-8 */
};

/* Longer sequences than that of any key we know are passed over. */
#define KEYS_SEQUENCE_MAX 32

enum keys_state {
    KEYS_TEXT,
    KEYS_ESCAPE,    /* behind ESC */
    KEYS_CSI,       /* behind ESC [, up to a final byte */
    KEYS_LINUX,     /* behind ESC [ [, one byte */
    KEYS_SS3,       /* behind ESC O, up to a final byte */
    KEYS_STRING,    /* behind ESC ] or ESC P, up to a control character */
    KEYS_MOUSE,     /* behind ESC [ M, three bytes, or characters */
    KEYS_MOUSE_REST /* behind these, the rest of a character */
};

/* Zeroed memory is one that has received nothing. */
struct keys {
    enum keys_state state;
    bool pasting;
    bool after_cr;                    /* a LF now belongs to the Return before */
    bool escaped;                     /* another ESC was before the one of the sequence: Alt */
    char sequence[KEYS_SEQUENCE_MAX]; /* parameters of the sequence under way; or those bytes
                                         of a void one that are text, [given, length) */
    size_t length;
    size_t given;
    unsigned reported; /* bytes of a mouse report */
    char utf8[4];      /* the beginning of a character */
    size_t utf8_length;
};

/* The next key out of [*at, end); moves *at behind what it took. Call it until KEY_NONE. */
struct key keys_next(struct keys *, const char **at, const char *end);

/* How many ms after the last byte keys_expire() is due; -1: never, nothing is half received. */
int keys_pause(const struct keys *);
/* Ends what is half received. Returns a key that it was; to be called until KEY_NONE. */
struct key keys_expire(struct keys *);

#endif
