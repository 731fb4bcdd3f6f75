/* keys.c: the escape sequences, and the state between the bytes of one. */
#include "keys.h"

#include "../wire/unicode.h"
#include "../wire/utf8.h"

#include <stdlib.h>
#include <string.h>

#define CONTROL_C 0x03
#define CONTROL_BACKSPACE 0x08
#define CONTROL_ESCAPE 0x1B
#define CONTROL_DELETE 0x7F

/* For the rest of a sequence, in ms: the default of readline. Packets rarely split a sequence. */
#define SEQUENCE_PAUSE 500
/* For the rest of a paste, in ms. */
#define PASTE_PAUSE 900

static const char paste_end[] = "\x1b[201~";

static struct key key_plain(enum key_code code)
{
    return (struct key){.code = code};
}

static struct key key_character(uint32_t character, unsigned modifiers)
{
    return (struct key){KEY_CHARACTER, modifiers, character};
}

/* ---- Text ---- */

/* The length of a character by its first byte; 1 for an invalid one. */
static size_t utf8_expected(char first)
{
    unsigned char byte = (unsigned char)first;

    if (byte < 0xC2 || byte > 0xF4)
        return 1;
    return byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/* Removes a character from the held bytes. An incomplete one stays, unless it is the last. */
static bool utf8_take(struct keys *keys, bool last, struct key *key)
{
    uint32_t cp;
    size_t n;

    if (keys->utf8_length == 0)
        return false;
    n = utf8_decode(keys->utf8, keys->utf8_length, &cp);
    if (!last && cp == UTF8_BAD && n == keys->utf8_length && n < utf8_expected(keys->utf8[0]))
        return false;
    keys->utf8_length -= n;
    memmove(keys->utf8, keys->utf8 + n, keys->utf8_length);
    *key = key_character(cp == UTF8_BAD ? CHAR_REPLACEMENT : cp, 0);
    return true;
}

/* ---- Sequences ---- */

static void sequence_begin(struct keys *keys, enum keys_state state)
{
    keys->state = state;
    keys->length = keys->given = keys->reported = 0;
}

/* A sequence that is too long matches no key. Its last byte is replaced. */
static void sequence_add(struct keys *keys, char byte)
{
    if (keys->length == KEYS_SEQUENCE_MAX)
        keys->length--;
    keys->sequence[keys->length++] = byte;
}

/*
 * True if these bytes may be typed text after Alt-[ and not a sequence: never in a paste, nor with
 * parameters that only reports have.
 */
static bool sequence_may_be_typed(const struct keys *keys)
{
    bool private = keys->length > 0 && memchr("<=>?", keys->sequence[0], 4) != NULL;

    return !keys->pasting && !private;
}

/*
 * The bytes are not a sequence: the key was Alt with the character after ESC. The bytes after that
 * are text, which keys_next() returns.
 */
static struct key sequence_void(struct keys *keys, char alt)
{
    keys->state = KEYS_TEXT;
    return key_character((unsigned char)alt, KEY_ALT);
}

static struct key sequence_done(struct keys *keys, struct key key)
{
    if (keys->escaped && key.code != KEY_UNKNOWN)
        key.modifiers |= KEY_ALT;
    sequence_begin(keys, KEYS_TEXT);
    return key;
}

/* From xterm's parameter: 1 plus the bits Shift, Alt, Ctrl, Meta. */
static unsigned modifiers_from(unsigned long number)
{
    unsigned bits = number > 0 && number <= 16 ? (unsigned)number - 1 : 0;

    return (bits & (KEY_SHIFT | KEY_ALT | KEY_CTRL)) | ((bits & 8) != 0 ? KEY_ALT : 0);
}

static const struct {
    char final;
    unsigned char number; /* before ~ */
    enum key_code code;
    unsigned modifiers;
} csi_keys[] = {
    {'A', 0, KEY_UP, 0},
    {'B', 0, KEY_DOWN, 0},
    {'C', 0, KEY_RIGHT, 0},
    {'D', 0, KEY_LEFT, 0},
    {'F', 0, KEY_END, 0},
    {'H', 0, KEY_HOME, 0},
    {'Z', 0, KEY_TAB, KEY_SHIFT},
    {'a', 0, KEY_UP, KEY_SHIFT},
    {'b', 0, KEY_DOWN, KEY_SHIFT},
    {'c', 0, KEY_RIGHT, KEY_SHIFT},
    {'d', 0, KEY_LEFT, KEY_SHIFT},
    {'~', 1, KEY_HOME, 0},
    {'~', 3, KEY_DELETE, 0},
    {'~', 4, KEY_END, 0},
    {'~', 7, KEY_HOME, 0},
    {'~', 8, KEY_END, 0},
    {'~', 200, KEY_PASTE_BEGIN, 0},
    {'~', 201, KEY_PASTE_END, 0},
};

/* rxvt encodes modifiers in the final byte. */
static char csi_final(char final, unsigned *modifiers)
{
    *modifiers = 0;
    if (final == '$' || final == '@')
        *modifiers |= KEY_SHIFT;
    if (final == '^' || final == '@')
        *modifiers |= KEY_CTRL;
    return *modifiers != 0 ? '~' : final;
}

static struct key csi_key(struct keys *keys, char byte)
{
    struct key key = {.code = KEY_UNKNOWN};
    unsigned modifiers;
    char final = csi_final(byte, &modifiers);
    char parameters[KEYS_SEQUENCE_MAX + 1];
    unsigned long number;
    char *rest;

    memcpy(parameters, keys->sequence, keys->length);
    parameters[keys->length] = '\0';
    number = strtoul(parameters, &rest, 10);
    if (*rest == ';')
        modifiers |= modifiers_from(strtoul(rest + 1, &rest, 10));
    if (*rest != '\0')
        return key;
    for (size_t i = 0; i < sizeof csi_keys / sizeof csi_keys[0]; i++) {
        if (csi_keys[i].final == final && (final != '~' || csi_keys[i].number == number))
            key = (struct key){csi_keys[i].code, modifiers | csi_keys[i].modifiers, 0};
    }
    return key;
}

/* True if a terminal may send this sequence. If not, it was typed. */
static bool csi_is_plausible(const struct keys *keys, char final)
{
    if (!sequence_may_be_typed(keys) || (final >= 'A' && final <= 'Z'))
        return true;
    if (keys->length == 0)
        return final >= 'a' && final <= 'd';
    return keys->length < KEYS_SEQUENCE_MAX && strchr("~^$@abcdntuy", final) != NULL;
}

static struct key csi_end(struct keys *keys, char final)
{
    struct key key = csi_key(keys, final);

    if (!csi_is_plausible(keys, final)) {
        sequence_add(keys, final);
        return sequence_void(keys, '[');
    }
    if (key.code == KEY_PASTE_END && !keys->pasting)
        key.code = KEY_UNKNOWN;
    if (key.code == KEY_PASTE_BEGIN || key.code == KEY_PASTE_END) {
        keys->pasting = key.code == KEY_PASTE_BEGIN;
        keys->escaped = false;
    }
    return sequence_done(keys, key);
}

static struct key csi_byte(struct keys *keys, char byte)
{
    if (keys->length == 0 && byte == '[') {
        sequence_begin(keys, KEYS_LINUX);
        return key_plain(KEY_NONE);
    }
    if (keys->length == 0 && byte == 'M') {
        sequence_begin(keys, KEYS_MOUSE);
        return key_plain(KEY_NONE);
    }
    if (byte >= '@' || (byte == '$' && sequence_may_be_typed(keys)))
        return csi_end(keys, byte);
    sequence_add(keys, byte);
    if ((byte < '0' || keys->length == KEYS_SEQUENCE_MAX) && sequence_may_be_typed(keys))
        return sequence_void(keys, '[');
    return key_plain(KEY_NONE);
}

/* Function keys of the Linux console. */
static struct key linux_byte(struct keys *keys, char byte)
{
    if ((byte >= 'A' && byte <= 'E') || keys->pasting)
        return sequence_done(keys, key_plain(KEY_UNKNOWN));
    sequence_add(keys, '[');
    sequence_add(keys, byte);
    return sequence_void(keys, '[');
}

static const struct {
    char final;
    enum key_code code;
    unsigned modifiers;
} ss3_keys[] = {
    {'A', KEY_UP, 0},
    {'B', KEY_DOWN, 0},
    {'C', KEY_RIGHT, 0},
    {'D', KEY_LEFT, 0},
    {'F', KEY_END, 0},
    {'H', KEY_HOME, 0},
    {'M', KEY_ENTER, 0},
    {'a', KEY_UP, KEY_CTRL},
    {'b', KEY_DOWN, KEY_CTRL},
    {'c', KEY_RIGHT, KEY_CTRL},
    {'d', KEY_LEFT, KEY_CTRL},
};

/* Cursor keys in application mode. A digit before the final byte encodes modifiers. */
static struct key ss3_byte(struct keys *keys, char byte)
{
    struct key key = {.code = KEY_UNKNOWN};
    unsigned long number = keys->length > 0 ? (unsigned long)(keys->sequence[0] - '0') : 0;

    sequence_add(keys, byte);
    if (byte >= '0' && byte <= '9' && keys->length == 1)
        return key_plain(KEY_NONE);
    if (!(byte >= 'A' && byte <= 'Z') && !(byte >= 'a' && byte <= 'd') && !keys->pasting)
        return sequence_void(keys, 'O');
    for (size_t i = 0; i < sizeof ss3_keys / sizeof ss3_keys[0]; i++) {
        if (ss3_keys[i].final == byte)
            key = (struct key){ss3_keys[i].code, ss3_keys[i].modifiers | modifiers_from(number), 0};
    }
    return sequence_done(keys, key);
}

/* ---- Reports ---- */

/*
 * Replies begin with a digit or one of a few other characters, and end at a control character, such
 * as the ESC of a string terminator.
 */
static struct key string_byte(struct keys *keys, char byte)
{
    char opening = keys->sequence[0];
    bool begins = keys->length == 1 && !keys->pasting;

    if (begins && strchr(opening == ']' ? "0123456789lLI" : "0123456789>!", byte) == NULL) {
        keys->sequence[0] = byte;
        return sequence_void(keys, opening);
    }
    sequence_add(keys, byte);
    return key_plain(KEY_NONE);
}

/* Three bytes, which may be NUL; in xterm's mode 1005, three characters of one or two bytes. */
static struct key mouse_byte(struct keys *keys, unsigned char byte)
{
    bool continues = byte >= 0x80 && byte < 0xC0 && keys->length > 0 &&
                     (unsigned char)keys->sequence[0] >= 0xC2 &&
                     (unsigned char)keys->sequence[0] < 0xE0;

    keys->sequence[0] = (char)byte;
    keys->length = 1;
    if (!continues)
        keys->reported++;
    if (keys->reported < 3)
        return key_plain(KEY_NONE);
    sequence_done(keys, key_plain(KEY_NONE));
    keys->state = KEYS_MOUSE_REST;
    return key_plain(KEY_UNKNOWN);
}

/* ---- Bytes ---- */

/* A printable ASCII character after ESC. */
static struct key escape_byte(struct keys *keys, char byte)
{
    switch (byte) {
    case '[':
        sequence_begin(keys, KEYS_CSI);
        break;
    case 'O':
        sequence_begin(keys, KEYS_SS3);
        break;
    case 'P':
    case ']':
        sequence_begin(keys, KEYS_STRING);
        sequence_add(keys, byte);
        break;
    default:
        return sequence_done(keys, key_character((unsigned char)byte, KEY_ALT));
    }
    return key_plain(KEY_NONE);
}

static struct key control_key(unsigned char byte)
{
    switch (byte) {
    case '\r':
    case '\n':
        return key_plain(KEY_ENTER);
    case '\t':
        return key_plain(KEY_TAB);
    case CONTROL_BACKSPACE:
    case CONTROL_DELETE:
        return key_plain(KEY_BACKSPACE);
    default:
        return key_character(byte + (byte > 0 && byte <= 26 ? 'a' - 1u : '@'), KEY_CTRL);
    }
}

/* A control character ends any sequence. */
static struct key control_byte(struct keys *keys, unsigned char byte)
{
    struct key key = control_key(byte);
    bool alt = keys->state == KEYS_ESCAPE;
    bool end_of_crlf = byte == '\n' && keys->after_cr;

    sequence_begin(keys, byte == CONTROL_ESCAPE ? KEYS_ESCAPE : KEYS_TEXT);
    keys->escaped = alt && byte == CONTROL_ESCAPE;
    keys->after_cr = byte == '\r';
    if (byte == CONTROL_ESCAPE || end_of_crlf)
        return key_plain(KEY_NONE);
    if (alt)
        key.modifiers |= KEY_ALT;
    return key;
}

/*
 * In a paste, Ctrl-C was typed because the end of the paste is missing, or pasted by a terminal
 * that does not filter it. In the second case the end of the paste has usually been read with it:
 * then the text before the end must not be taken for keys.
 */
static struct key interrupt_byte(struct keys *keys, const char **at, const char *end)
{
    size_t len = sizeof paste_end - 1;

    for (const char *from = *at; keys->pasting && (size_t)(end - from) >= len; from++) {
        if (memcmp(from, paste_end, len) == 0) {
            *at = from + len;
            break;
        }
    }
    *keys = (struct keys){0};
    return key_character('c', KEY_CTRL);
}

/* An incomplete sequence with bytes in it that may be typed text. */
static bool sequence_is_half_typed(const struct keys *keys)
{
    return (keys->state == KEYS_CSI || keys->state == KEYS_SS3) && keys->length > 0 &&
           sequence_may_be_typed(keys);
}

static struct key sequence_give_up(struct keys *keys)
{
    return sequence_void(keys, keys->state == KEYS_CSI ? '[' : 'O');
}

static struct key ascii_byte(struct keys *keys, char byte)
{
    switch (keys->state) {
    case KEYS_ESCAPE:
        return escape_byte(keys, byte);
    case KEYS_CSI:
        return csi_byte(keys, byte);
    case KEYS_LINUX:
        return linux_byte(keys, byte);
    case KEYS_SS3:
        return ss3_byte(keys, byte);
    case KEYS_STRING:
        return string_byte(keys, byte);
    case KEYS_TEXT:
    case KEYS_MOUSE:
    case KEYS_MOUSE_REST:
        break;
    }
    keys->state = KEYS_TEXT;
    return key_character((unsigned char)byte, 0);
}

/* A byte of a non-ASCII character. */
static struct key utf8_byte(struct keys *keys, char byte)
{
    bool continues = ((unsigned char)byte & 0xC0) == 0x80;

    if (keys->state == KEYS_STRING || (keys->state == KEYS_MOUSE_REST && continues))
        return key_plain(KEY_NONE);
    keys->state = KEYS_TEXT;
    keys->utf8[keys->utf8_length++] = byte;
    return key_plain(KEY_NONE);
}

static bool byte_is_control(unsigned char byte)
{
    return byte < 0x20 || byte == CONTROL_DELETE;
}

static struct key keys_byte(struct keys *keys, const char **at, const char *end)
{
    unsigned char byte = (unsigned char)*(*at)++;

    if (byte == CONTROL_C)
        return interrupt_byte(keys, at, end);
    if (keys->state == KEYS_MOUSE && (byte == '\0' || !byte_is_control(byte)))
        return mouse_byte(keys, byte);
    if (byte_is_control(byte))
        return control_byte(keys, byte);
    keys->after_cr = false;
    return byte < 0x80 ? ascii_byte(keys, (char)byte) : utf8_byte(keys, (char)byte);
}

/* The next character of a void sequence. */
static bool sequence_give(struct keys *keys, struct key *key)
{
    if (keys->state != KEYS_TEXT || keys->given == keys->length)
        return false;
    *key = key_character((unsigned char)keys->sequence[keys->given++], 0);
    if (keys->given == keys->length)
        keys->given = keys->length = 0;
    return true;
}

struct key keys_next(struct keys *keys, const char **at, const char *end)
{
    struct key key = {.code = KEY_NONE};

    while (key.code == KEY_NONE) {
        unsigned char next = *at < end ? (unsigned char)**at : 0;
        bool ascii = *at < end && next < 0x80;

        if (sequence_give(keys, &key) || utf8_take(keys, ascii, &key) || *at == end)
            break;
        if (sequence_is_half_typed(keys) && next != CONTROL_C && (byte_is_control(next) || !ascii))
            key = sequence_give_up(keys);
        else
            key = keys_byte(keys, at, end);
    }
    return key;
}

/* ---- Pauses ---- */

int keys_pause(const struct keys *keys)
{
    if (keys->state != KEYS_TEXT || keys->utf8_length > 0 || keys->after_cr)
        return SEQUENCE_PAUSE;
    return keys->pasting ? PASTE_PAUSE : -1;
}

struct key keys_expire(struct keys *keys)
{
    struct key key = {.code = KEY_NONE};

    keys->after_cr = false;
    if (sequence_give(keys, &key) || utf8_take(keys, true, &key))
        return key;
    if (sequence_is_half_typed(keys))
        return sequence_give_up(keys);
    if (keys->state != KEYS_TEXT)
        return sequence_done(keys, key_plain(KEY_UNKNOWN));
    if (keys->pasting) {
        keys->pasting = false;
        return key_plain(KEY_PASTE_END);
    }
    return key;
}
