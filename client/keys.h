/*
 * keys.h: decodes the bytes of a terminal into keys.
 *
 * A pure state machine: any split of the bytes gives the same keys. It knows the sequences of
 * xterm, rxvt, the Linux console and compatible terminals for keys, mouse reports in all formats,
 * bracketed pastes, and late replies to queries of an earlier program.
 *
 * A terminal sends a sequence at once, but a user may type the beginning of one: Alt-[ is ESC [. No
 * incomplete sequence is kept for long: the caller waits keys_pause() ms for more bytes and then
 * calls keys_expire(). Characters after such a beginning that belong to no sequence are text.
 * Ctrl-C is recognised in every state.
 */
#ifndef CLIENT_KEYS_H
#define CLIENT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_code {
    KEY_NONE,      /* no more input */
    KEY_CHARACTER, /* key.character; ASCII if a modifier is set, in lower case with Ctrl */
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
    KEY_UNKNOWN /* any other key, or a report */
};

/* Bits of key.modifiers. */
#define KEY_SHIFT 1u
#define KEY_ALT 2u
#define KEY_CTRL 4u

struct key {
    enum key_code code;
    unsigned modifiers;
    uint32_t character; /* a scalar value; U+FFFD for malformed UTF-8 */
};

/* Longer than the sequence of any key. */
#define KEYS_SEQUENCE_MAX 32

enum keys_state {
    KEYS_TEXT,
    KEYS_ESCAPE,    /* after ESC */
    KEYS_CSI,       /* after ESC [, up to a final byte */
    KEYS_LINUX,     /* after ESC [ [, one byte */
    KEYS_SS3,       /* after ESC O, up to a final byte */
    KEYS_STRING,    /* after ESC ] or ESC P, up to a control character */
    KEYS_MOUSE,     /* after ESC [ M, three bytes or characters */
    KEYS_MOUSE_REST /* after these, continuation bytes of the last character */
};

/* The decoder. Zeroed memory is its initial state. given <= length <= KEYS_SEQUENCE_MAX. */
struct keys {
    enum keys_state state;
    bool pasting;
    bool after_cr;                    /* a LF now is the rest of CR LF */
    bool escaped;                     /* ESC ESC: the sequence has Alt */
    char sequence[KEYS_SEQUENCE_MAX]; /* parameters; after a void sequence, text of which
                                         [given, length) is still to be returned */
    size_t length;
    size_t given;
    unsigned reported; /* characters of a mouse report so far */
    char utf8[4];      /* an incomplete character */
    size_t utf8_length;
};

/* Returns the next key in [*at, end) and advances *at. Call it until it returns KEY_NONE. */
struct key keys_next(struct keys *, const char **at, const char *end);

/* When to call keys_expire(), in ms after the last byte. -1: nothing is incomplete. */
int keys_pause(const struct keys *);
/* Ends an incomplete key or paste. Returns the key that it was. Call it until KEY_NONE. */
struct key keys_expire(struct keys *);

#endif
