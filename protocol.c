/*
 * protocol.c: see protocol.h. In its order: lines, telnet, text, names, stamps, requests, events,
 * addresses.
 */
#include "protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* What stands in the place of what must not pass. */
#define CHAR_REPLACEMENT 0xFFFDu
/* A reader needs a few marks on a letter (Vietnamese 2, Hebrew 4); a prankster hundreds. */
#define MARKS_MAX 8

/* ---- Small pieces ----------------------------------------------------------------------- */

static bool span_is(struct span span, const char *word)
{
    return span.len == strlen(word) && memcmp(span.at, word, span.len) == 0;
}

/* Takes all up to the next space or the end off the front; the space stays. */
static struct span span_take_word(struct span *rest)
{
    const char *space = memchr(rest->at, ' ', rest->len);
    struct span word = {rest->at, space != NULL ? (size_t)(space - rest->at) : rest->len};

    rest->at += word.len;
    rest->len -= word.len;
    return word;
}

static bool span_skip_space(struct span *rest)
{
    if (rest->len == 0 || *rest->at != ' ')
        return false;
    rest->at++;
    rest->len--;
    return true;
}

/* Writes value in decimal, without a NUL; returns the number of digits (20 at most). */
static size_t number_write(char *out, unsigned long value)
{
    char digits[24];
    size_t n = 0;

    do {
        digits[sizeof digits - ++n] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    memcpy(out, digits + sizeof digits - n, n);
    return n;
}

bool number_parse(const char *s, size_t len, unsigned long max, unsigned long *value)
{
    unsigned long sum = 0;

    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        unsigned long digit = (unsigned long)(s[i] - '0');
        if (digit > max || sum > (max - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

/* ---- Lines ------------------------------------------------------------------------------ */

void line_splitter_init(struct line_splitter *splitter, char *held, size_t max)
{
    *splitter = (struct line_splitter){.held = held, .max = max};
}

/*
 * Adds n bytes to the line under way; ended says that a LF follows them. A line is known to be too
 * long as soon as it holds more than max bytes besides one CR that its LF may still take away: the
 * answer depends on the bytes so far and not on how they came.
 */
static enum line_result line_take(
    struct line_splitter *splitter, const char *bytes, size_t n, bool ended, struct span *line)
{
    size_t len = splitter->len + n;
    char last = '\0';

    line->at = bytes;
    if (n > 0)
        last = bytes[n - 1];
    else if (splitter->len > 0)
        last = splitter->held[splitter->len - 1];
    if (splitter->len > 0 || !ended) {
        size_t room = splitter->max + 1 - splitter->len;
        memcpy(splitter->held + splitter->len, bytes, n < room ? n : room);
        line->at = splitter->held;
    }

    line->len = last == '\r' ? len - 1 : len;
    if (line->len > splitter->max) {
        line->len = splitter->max;
        splitter->len = 0;
        splitter->skipping = !ended;
        return LINE_TOO_LONG;
    }
    splitter->len = ended ? 0 : len;
    return ended ? LINE_READY : LINE_NONE;
}

enum line_result line_next(
    struct line_splitter *splitter, const char **at, const char *end, struct span *line)
{
    while (*at < end) {
        const char *begin = *at;
        const char *lf = memchr(begin, '\n', (size_t)(end - begin));
        const char *stop = lf != NULL ? lf : end;

        *at = lf != NULL ? lf + 1 : end;
        if (splitter->skipping) {
            splitter->skipping = lf == NULL;
            continue;
        }
        enum line_result result =
            line_take(splitter, begin, (size_t)(stop - begin), lf != NULL, line);
        if (result != LINE_NONE)
            return result;
    }
    return LINE_NONE;
}

enum line_result line_last(struct line_splitter *splitter, struct span *line)
{
    size_t len = splitter->len;

    splitter->len = 0;
    splitter->skipping = false;
    if (len == 0)
        return LINE_NONE;
    line->at = splitter->held;
    line->len = splitter->held[len - 1] == '\r' ? len - 1 : len;
    return LINE_READY;
}

/* ---- Telnet ----------------------------------------------------------------------------- */

enum telnet_byte {
    TELNET_COMMANDS = 236, /* EOF, the first byte that is a command after IAC (RFC 1184) */
    TELNET_SE = 240,
    TELNET_SB = 250,
    TELNET_WILL = 251,
    TELNET_WONT = 252,
    TELNET_DO = 253,
    TELNET_DONT = 254,
    TELNET_IAC = 255
};

#define TELNET_TIMING_MARK 6

/* Where in a command the stream is; what was seen last. */
enum telnet_state { IN_DATA, IN_IAC, IN_DO, IN_OPTION, IN_SB, IN_SB_IAC };

static enum telnet_state telnet_command(unsigned char command)
{
    switch (command) {
    case TELNET_SB:
        return IN_SB;
    case TELNET_DO:
        return IN_DO;
    case TELNET_WILL:
    case TELNET_WONT:
    case TELNET_DONT:
        return IN_OPTION;
    default:
        return IN_DATA;
    }
}

/* The state after one more byte of a command. */
static enum telnet_state telnet_step(struct telnet_filter *filter, unsigned char byte)
{
    switch ((enum telnet_state)filter->state) {
    case IN_IAC:
        return telnet_command(byte);
    case IN_DO:
        if (byte == TELNET_TIMING_MARK)
            filter->timing_marks++;
        break;
    case IN_SB:
        return byte == TELNET_IAC ? IN_SB_IAC : IN_SB;
    case IN_SB_IAC:
        /* A command in here means that the end of the subnegotiation was forgotten. */
        if (byte == TELNET_IAC || byte < TELNET_COMMANDS)
            return IN_SB;
        return telnet_command(byte);
    case IN_DATA:
    case IN_OPTION:
        break;
    }
    return IN_DATA;
}

char *telnet_filter(struct telnet_filter *filter, char *buf, size_t *len)
{
    const char *in = buf;
    const char *end = buf + *len;
    char *begin = buf;
    char *out = buf;

    while (in < end) {
        unsigned char byte = (unsigned char)*in;

        if (filter->state == IN_DATA) {
            const char *iac = memchr(in, TELNET_IAC, (size_t)(end - in));
            size_t n = (size_t)((iac != NULL ? iac : end) - in);
            if (out != in)
                memmove(out, in, n);
            out += n;
            in += n;
            if (iac != NULL) {
                filter->state = IN_IAC;
                in++;
            }
        } else if (filter->state == IN_IAC && byte < TELNET_COMMANDS) {
            /* No command: both bytes are data. The 0xFF may have been the last buffer's. */
            if (out == in)
                out = --begin;
            *out++ = (char)TELNET_IAC;
            filter->state = IN_DATA;
        } else if (filter->state == IN_IAC && byte == TELNET_IAC) {
            *out++ = *in++;
            filter->state = IN_DATA;
        } else if (byte == '\n') {
            filter->state = IN_DATA;
        } else {
            filter->state = (unsigned char)telnet_step(filter, byte);
            in++;
        }
    }
    *len = (size_t)(out - begin);
    return begin;
}

/* ---- Characters ------------------------------------------------------------------------- */

size_t utf8_decode(const char *s, size_t len, uint32_t *cp)
{
    const unsigned char *bytes = (const unsigned char *)s;
    uint32_t sum = bytes[0];
    /* What the next byte may be; only after some first bytes it is less than 80-BF (table 3-7). */
    unsigned char low = 0x80, high = 0xBF;
    size_t size;

    *cp = UTF8_BAD;
    if (sum < 0x80) {
        *cp = sum;
        return 1;
    } else if (sum >= 0xC2 && sum <= 0xDF) {
        size = 2;
        sum &= 0x1F;
    } else if (sum >= 0xE0 && sum <= 0xEF) {
        size = 3;
        low = sum == 0xE0 ? 0xA0 : low;
        high = sum == 0xED ? 0x9F : high;
        sum &= 0x0F;
    } else if (sum >= 0xF0 && sum <= 0xF4) {
        size = 4;
        low = sum == 0xF0 ? 0x90 : low;
        high = sum == 0xF4 ? 0x8F : high;
        sum &= 0x07;
    } else {
        return 1;
    }
    for (size_t i = 1; i < size; i++) {
        if (i == len || bytes[i] < low || bytes[i] > high)
            return i;
        sum = sum << 6 | (bytes[i] & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    *cp = sum;
    return size;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

struct char_range {
    uint32_t first;
    uint32_t last;
};

/*
 * Controls but TAB; bidi controls; U+2028 and 2029; noncharacters (those at the end of each plane
 * are found by arithmetic); surrogates; interlinear annotation; and of Default_Ignorable_Code_Point
 * (which holds the tags) all but ZWNJ, ZWJ and the variation selectors. Unicode 14.0.0; nothing has
 * been added to these since.
 */
static const struct char_range forbidden_ranges[] = {{0x0000, 0x0008}, {0x000A, 0x001F},
    {0x007F, 0x009F}, {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C}, {0x115F, 0x1160},
    {0x17B4, 0x17B5}, {0x180E, 0x180E}, {0x200B, 0x200B}, {0x200E, 0x200F}, {0x2028, 0x202E},
    {0x2060, 0x206F}, {0x3164, 0x3164}, {0xD800, 0xDFFF}, {0xFDD0, 0xFDEF}, {0xFEFF, 0xFEFF},
    {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE00FF},
    {0xE01F0, 0xE0FFF}, {0x110000, UINT32_MAX}};

/*
 * General categories Mn and Me without those of them that are forbidden (034F, 17B4, 17B5).
 * Unicode 14.0.0.
 */
static const struct char_range combining_ranges[] = {{0x0300, 0x034E}, {0x0350, 0x036F},
    {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x05BF, 0x05BF}, {0x05C1, 0x05C2}, {0x05C4, 0x05C5},
    {0x05C7, 0x05C7}, {0x0610, 0x061A}, {0x064B, 0x065F}, {0x0670, 0x0670}, {0x06D6, 0x06DC},
    {0x06DF, 0x06E4}, {0x06E7, 0x06E8}, {0x06EA, 0x06ED}, {0x0711, 0x0711}, {0x0730, 0x074A},
    {0x07A6, 0x07B0}, {0x07EB, 0x07F3}, {0x07FD, 0x07FD}, {0x0816, 0x0819}, {0x081B, 0x0823},
    {0x0825, 0x0827}, {0x0829, 0x082D}, {0x0859, 0x085B}, {0x0898, 0x089F}, {0x08CA, 0x08E1},
    {0x08E3, 0x0902}, {0x093A, 0x093A}, {0x093C, 0x093C}, {0x0941, 0x0948}, {0x094D, 0x094D},
    {0x0951, 0x0957}, {0x0962, 0x0963}, {0x0981, 0x0981}, {0x09BC, 0x09BC}, {0x09C1, 0x09C4},
    {0x09CD, 0x09CD}, {0x09E2, 0x09E3}, {0x09FE, 0x09FE}, {0x0A01, 0x0A02}, {0x0A3C, 0x0A3C},
    {0x0A41, 0x0A42}, {0x0A47, 0x0A48}, {0x0A4B, 0x0A4D}, {0x0A51, 0x0A51}, {0x0A70, 0x0A71},
    {0x0A75, 0x0A75}, {0x0A81, 0x0A82}, {0x0ABC, 0x0ABC}, {0x0AC1, 0x0AC5}, {0x0AC7, 0x0AC8},
    {0x0ACD, 0x0ACD}, {0x0AE2, 0x0AE3}, {0x0AFA, 0x0AFF}, {0x0B01, 0x0B01}, {0x0B3C, 0x0B3C},
    {0x0B3F, 0x0B3F}, {0x0B41, 0x0B44}, {0x0B4D, 0x0B4D}, {0x0B55, 0x0B56}, {0x0B62, 0x0B63},
    {0x0B82, 0x0B82}, {0x0BC0, 0x0BC0}, {0x0BCD, 0x0BCD}, {0x0C00, 0x0C00}, {0x0C04, 0x0C04},
    {0x0C3C, 0x0C3C}, {0x0C3E, 0x0C40}, {0x0C46, 0x0C48}, {0x0C4A, 0x0C4D}, {0x0C55, 0x0C56},
    {0x0C62, 0x0C63}, {0x0C81, 0x0C81}, {0x0CBC, 0x0CBC}, {0x0CBF, 0x0CBF}, {0x0CC6, 0x0CC6},
    {0x0CCC, 0x0CCD}, {0x0CE2, 0x0CE3}, {0x0D00, 0x0D01}, {0x0D3B, 0x0D3C}, {0x0D41, 0x0D44},
    {0x0D4D, 0x0D4D}, {0x0D62, 0x0D63}, {0x0D81, 0x0D81}, {0x0DCA, 0x0DCA}, {0x0DD2, 0x0DD4},
    {0x0DD6, 0x0DD6}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x0EB1, 0x0EB1},
    {0x0EB4, 0x0EBC}, {0x0EC8, 0x0ECD}, {0x0F18, 0x0F19}, {0x0F35, 0x0F35}, {0x0F37, 0x0F37},
    {0x0F39, 0x0F39}, {0x0F71, 0x0F7E}, {0x0F80, 0x0F84}, {0x0F86, 0x0F87}, {0x0F8D, 0x0F97},
    {0x0F99, 0x0FBC}, {0x0FC6, 0x0FC6}, {0x102D, 0x1030}, {0x1032, 0x1037}, {0x1039, 0x103A},
    {0x103D, 0x103E}, {0x1058, 0x1059}, {0x105E, 0x1060}, {0x1071, 0x1074}, {0x1082, 0x1082},
    {0x1085, 0x1086}, {0x108D, 0x108D}, {0x109D, 0x109D}, {0x135D, 0x135F}, {0x1712, 0x1714},
    {0x1732, 0x1733}, {0x1752, 0x1753}, {0x1772, 0x1773}, {0x17B7, 0x17BD}, {0x17C6, 0x17C6},
    {0x17C9, 0x17D3}, {0x17DD, 0x17DD}, {0x180B, 0x180D}, {0x180F, 0x180F}, {0x1885, 0x1886},
    {0x18A9, 0x18A9}, {0x1920, 0x1922}, {0x1927, 0x1928}, {0x1932, 0x1932}, {0x1939, 0x193B},
    {0x1A17, 0x1A18}, {0x1A1B, 0x1A1B}, {0x1A56, 0x1A56}, {0x1A58, 0x1A5E}, {0x1A60, 0x1A60},
    {0x1A62, 0x1A62}, {0x1A65, 0x1A6C}, {0x1A73, 0x1A7C}, {0x1A7F, 0x1A7F}, {0x1AB0, 0x1ACE},
    {0x1B00, 0x1B03}, {0x1B34, 0x1B34}, {0x1B36, 0x1B3A}, {0x1B3C, 0x1B3C}, {0x1B42, 0x1B42},
    {0x1B6B, 0x1B73}, {0x1B80, 0x1B81}, {0x1BA2, 0x1BA5}, {0x1BA8, 0x1BA9}, {0x1BAB, 0x1BAD},
    {0x1BE6, 0x1BE6}, {0x1BE8, 0x1BE9}, {0x1BED, 0x1BED}, {0x1BEF, 0x1BF1}, {0x1C2C, 0x1C33},
    {0x1C36, 0x1C37}, {0x1CD0, 0x1CD2}, {0x1CD4, 0x1CE0}, {0x1CE2, 0x1CE8}, {0x1CED, 0x1CED},
    {0x1CF4, 0x1CF4}, {0x1CF8, 0x1CF9}, {0x1DC0, 0x1DFF}, {0x20D0, 0x20F0}, {0x2CEF, 0x2CF1},
    {0x2D7F, 0x2D7F}, {0x2DE0, 0x2DFF}, {0x302A, 0x302D}, {0x3099, 0x309A}, {0xA66F, 0xA672},
    {0xA674, 0xA67D}, {0xA69E, 0xA69F}, {0xA6F0, 0xA6F1}, {0xA802, 0xA802}, {0xA806, 0xA806},
    {0xA80B, 0xA80B}, {0xA825, 0xA826}, {0xA82C, 0xA82C}, {0xA8C4, 0xA8C5}, {0xA8E0, 0xA8F1},
    {0xA8FF, 0xA8FF}, {0xA926, 0xA92D}, {0xA947, 0xA951}, {0xA980, 0xA982}, {0xA9B3, 0xA9B3},
    {0xA9B6, 0xA9B9}, {0xA9BC, 0xA9BD}, {0xA9E5, 0xA9E5}, {0xAA29, 0xAA2E}, {0xAA31, 0xAA32},
    {0xAA35, 0xAA36}, {0xAA43, 0xAA43}, {0xAA4C, 0xAA4C}, {0xAA7C, 0xAA7C}, {0xAAB0, 0xAAB0},
    {0xAAB2, 0xAAB4}, {0xAAB7, 0xAAB8}, {0xAABE, 0xAABF}, {0xAAC1, 0xAAC1}, {0xAAEC, 0xAAED},
    {0xAAF6, 0xAAF6}, {0xABE5, 0xABE5}, {0xABE8, 0xABE8}, {0xABED, 0xABED}, {0xFB1E, 0xFB1E},
    {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0x101FD, 0x101FD}, {0x102E0, 0x102E0}, {0x10376, 0x1037A},
    {0x10A01, 0x10A03}, {0x10A05, 0x10A06}, {0x10A0C, 0x10A0F}, {0x10A38, 0x10A3A},
    {0x10A3F, 0x10A3F}, {0x10AE5, 0x10AE6}, {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC},
    {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11001, 0x11001}, {0x11038, 0x11046},
    {0x11070, 0x11070}, {0x11073, 0x11074}, {0x1107F, 0x11081}, {0x110B3, 0x110B6},
    {0x110B9, 0x110BA}, {0x110C2, 0x110C2}, {0x11100, 0x11102}, {0x11127, 0x1112B},
    {0x1112D, 0x11134}, {0x11173, 0x11173}, {0x11180, 0x11181}, {0x111B6, 0x111BE},
    {0x111C9, 0x111CC}, {0x111CF, 0x111CF}, {0x1122F, 0x11231}, {0x11234, 0x11234},
    {0x11236, 0x11237}, {0x1123E, 0x1123E}, {0x112DF, 0x112DF}, {0x112E3, 0x112EA},
    {0x11300, 0x11301}, {0x1133B, 0x1133C}, {0x11340, 0x11340}, {0x11366, 0x1136C},
    {0x11370, 0x11374}, {0x11438, 0x1143F}, {0x11442, 0x11444}, {0x11446, 0x11446},
    {0x1145E, 0x1145E}, {0x114B3, 0x114B8}, {0x114BA, 0x114BA}, {0x114BF, 0x114C0},
    {0x114C2, 0x114C3}, {0x115B2, 0x115B5}, {0x115BC, 0x115BD}, {0x115BF, 0x115C0},
    {0x115DC, 0x115DD}, {0x11633, 0x1163A}, {0x1163D, 0x1163D}, {0x1163F, 0x11640},
    {0x116AB, 0x116AB}, {0x116AD, 0x116AD}, {0x116B0, 0x116B5}, {0x116B7, 0x116B7},
    {0x1171D, 0x1171F}, {0x11722, 0x11725}, {0x11727, 0x1172B}, {0x1182F, 0x11837},
    {0x11839, 0x1183A}, {0x1193B, 0x1193C}, {0x1193E, 0x1193E}, {0x11943, 0x11943},
    {0x119D4, 0x119D7}, {0x119DA, 0x119DB}, {0x119E0, 0x119E0}, {0x11A01, 0x11A0A},
    {0x11A33, 0x11A38}, {0x11A3B, 0x11A3E}, {0x11A47, 0x11A47}, {0x11A51, 0x11A56},
    {0x11A59, 0x11A5B}, {0x11A8A, 0x11A96}, {0x11A98, 0x11A99}, {0x11C30, 0x11C36},
    {0x11C38, 0x11C3D}, {0x11C3F, 0x11C3F}, {0x11C92, 0x11CA7}, {0x11CAA, 0x11CB0},
    {0x11CB2, 0x11CB3}, {0x11CB5, 0x11CB6}, {0x11D31, 0x11D36}, {0x11D3A, 0x11D3A},
    {0x11D3C, 0x11D3D}, {0x11D3F, 0x11D45}, {0x11D47, 0x11D47}, {0x11D90, 0x11D91},
    {0x11D95, 0x11D95}, {0x11D97, 0x11D97}, {0x11EF3, 0x11EF4}, {0x16AF0, 0x16AF4},
    {0x16B30, 0x16B36}, {0x16F4F, 0x16F4F}, {0x16F8F, 0x16F92}, {0x16FE4, 0x16FE4},
    {0x1BC9D, 0x1BC9E}, {0x1CF00, 0x1CF2D}, {0x1CF30, 0x1CF46}, {0x1D167, 0x1D169},
    {0x1D17B, 0x1D182}, {0x1D185, 0x1D18B}, {0x1D1AA, 0x1D1AD}, {0x1D242, 0x1D244},
    {0x1DA00, 0x1DA36}, {0x1DA3B, 0x1DA6C}, {0x1DA75, 0x1DA75}, {0x1DA84, 0x1DA84},
    {0x1DA9B, 0x1DA9F}, {0x1DAA1, 0x1DAAF}, {0x1E000, 0x1E006}, {0x1E008, 0x1E018},
    {0x1E01B, 0x1E021}, {0x1E023, 0x1E024}, {0x1E026, 0x1E02A}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E8D0, 0x1E8D6}, {0x1E944, 0x1E94A},
    {0xE0100, 0xE01EF}};

static bool ranges_hold(const struct char_range *ranges, size_t n, uint32_t cp)
{
    size_t low = 0;

    while (n > 0) {
        size_t half = n / 2;
        if (cp > ranges[low + half].last) {
            low += half + 1;
            n -= half + 1;
        } else if (cp < ranges[low + half].first) {
            n = half;
        } else {
            return true;
        }
    }
    return false;
}

bool char_is_forbidden(uint32_t cp)
{
    if ((cp & 0xFFFE) == 0xFFFE)
        return true;
    return ranges_hold(forbidden_ranges, sizeof forbidden_ranges / sizeof forbidden_ranges[0], cp);
}

bool char_is_combining(uint32_t cp)
{
    return ranges_hold(combining_ranges, sizeof combining_ranges / sizeof combining_ranges[0], cp);
}

bool char_is_space(uint32_t cp)
{
    return (cp >= 0x09 && cp <= 0x0D) || cp == 0x20 || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F ||
           cp == 0x205F || cp == 0x3000;
}

static bool char_is_joiner(uint32_t cp)
{
    return cp == 0x200C || cp == 0x200D;
}

static bool char_is_selector(uint32_t cp)
{
    return (cp >= 0xFE00 && cp <= 0xFE0F) || (cp >= 0xE0100 && cp <= 0xE01EF) ||
           (cp >= 0x180B && cp <= 0x180F);
}

/* Blocks that most text is made of, and that no table has anything of. */
static bool char_is_ordinary(uint32_t cp)
{
    return (cp >= 0x20 && cp <= 0x7E) || (cp >= 0xC0 && cp <= 0x2FF) ||
           (cp >= 0x370 && cp <= 0x482) || (cp >= 0x3400 && cp <= 0xA66E) ||
           (cp >= 0xAC00 && cp <= 0xD7FF) || (cp >= 0x1F000 && cp <= 0x1FAFF);
}

enum char_kind { CHAR_BASE, CHAR_MARK, CHAR_JOINER, CHAR_FORBIDDEN };

static enum char_kind char_kind(uint32_t cp)
{
    if (char_is_ordinary(cp))
        return CHAR_BASE;
    if (char_is_forbidden(cp))
        return CHAR_FORBIDDEN;
    if (char_is_joiner(cp))
        return CHAR_JOINER;
    return char_is_combining(cp) ? CHAR_MARK : CHAR_BASE;
}

/* ---- Text ------------------------------------------------------------------------------- */

/* True where one of the eight bytes is not printable ASCII (20-7E). */
static bool word_has_special(const char *s)
{
    const uint64_t ones = UINT64_MAX / 0xFF;
    uint64_t word;

    memcpy(&word, s, sizeof word);
    /*
     * With no high bit set, adding 1 to each byte sets it for 7F only, and subtracting 20 sets it
     * for less than 20 only; a borrow can go wrong only above a byte that is itself found.
     */
    return ((word | (word + ones) | (word - 0x20 * ones)) & 0x80 * ones) != 0;
}

/* How many bytes at the front are printable ASCII or TAB. */
static size_t ascii_prefix(const char *s, size_t len)
{
    size_t at = 0;

    for (;;) {
        if (len - at >= 8 && !word_has_special(s + at))
            at += 8;
        else if (at < len && ((s[at] >= 0x20 && s[at] < 0x7F) || s[at] == '\t'))
            at++;
        else
            return at;
    }
}

/*
 * How many bytes at the front may pass as they are. *marks is the number of combining marks on the
 * base before s, and after the prefix.
 */
static size_t clean_prefix(const char *s, size_t len, unsigned *marks)
{
    size_t at = 0;

    while (at < len) {
        uint32_t cp;
        size_t n = ascii_prefix(s + at, len - at);
        if (n > 0) {
            *marks = 0;
            at += n;
            continue;
        }
        n = utf8_decode(s + at, len - at, &cp);
        switch (char_kind(cp)) {
        case CHAR_BASE:
            *marks = 0;
            break;
        case CHAR_MARK:
            if (*marks == MARKS_MAX)
                return at;
            ++*marks;
            break;
        case CHAR_JOINER:
            break;
        case CHAR_FORBIDDEN:
            return at;
        }
        at += n;
    }
    return at;
}

size_t text_clean(char *dst, const char *src, size_t len)
{
    size_t out = 0;
    size_t at = 0;
    unsigned marks = 0;

    while (at < len) {
        size_t n = clean_prefix(src + at, len - at, &marks);
        memcpy(dst + out, src + at, n);
        out += n;
        at += n;
        if (at == len)
            break;
        uint32_t cp;
        at += utf8_decode(src + at, len - at, &cp);
        if (!char_is_combining(cp)) {
            out += utf8_encode(CHAR_REPLACEMENT, dst + out);
            marks = 0;
        }
    }
    return out;
}

bool text_is_clean(const char *s, size_t len)
{
    unsigned marks = 0;

    return clean_prefix(s, len, &marks) == len;
}

/* Where the character that s[at] is a byte of begins: at most three bytes before. */
static size_t char_begin(const char *s, size_t len, size_t at)
{
    for (size_t back = 1; back <= 3 && back <= at; back++) {
        uint32_t cp;
        size_t begin = at - back;
        if (((unsigned char)s[begin] & 0xC0) != 0x80)
            return begin + utf8_decode(s + begin, len - begin, &cp) > at ? begin : at;
    }
    return at;
}

size_t text_cut(const char *s, size_t len, size_t max)
{
    size_t first, cut;
    uint32_t cp;

    if (len <= max)
        return len;
    cut = first = char_begin(s, len, max);
    while (cut > 0) {
        utf8_decode(s + cut, len - cut, &cp);
        if (!char_is_combining(cp))
            return cut;
        cut = char_begin(s, len, cut - 1);
    }
    return first;
}

/* ---- Names ------------------------------------------------------------------------------ */

static struct span name_trim(const char *raw, size_t len)
{
    size_t begin = 0, end, at, n;
    uint32_t cp;

    for (; begin < len; begin += n) {
        n = utf8_decode(raw + begin, len - begin, &cp);
        if (cp != '/' && !char_is_space(cp))
            break;
    }
    for (end = at = begin; at < len; at += n) {
        n = utf8_decode(raw + at, len - at, &cp);
        if (!char_is_space(cp))
            end = at + n;
    }
    return (struct span){raw + begin, end - begin};
}

/* What cannot stand in a name whatever is around it. */
static bool char_is_nameless(uint32_t cp)
{
    return cp == ':' || cp == CHAR_REPLACEMENT || char_is_space(cp) || char_is_joiner(cp) ||
           char_is_selector(cp) || char_is_forbidden(cp);
}

size_t name_clean(char out[NAME_LEN_MAX + 1], const char *raw, size_t len)
{
    struct span name = name_trim(raw, len);
    size_t used = 0;
    unsigned marks = 0;
    bool based = false; /* a character that was asked for is there to carry marks */

    for (size_t at = 0, n; at < name.len; at += n) {
        uint32_t cp;
        n = utf8_decode(name.at + at, name.len - at, &cp);
        bool mark = char_is_combining(cp);
        bool garbage = char_is_nameless(cp) || (mark && !based);
        size_t size = garbage ? 1 : n;

        if (mark && !garbage && ++marks > MARKS_MAX)
            continue;
        if (used + size > NAME_LEN_MAX)
            break;
        memcpy(out + used, garbage ? "_" : name.at + at, size);
        used += size;
        if (garbage || !mark) {
            based = !garbage;
            marks = 0;
        }
    }
    out[used] = '\0';
    return used;
}

bool name_is_clean(const char *s, size_t len)
{
    char clean[NAME_LEN_MAX + 1];

    return len > 0 && len <= NAME_LEN_MAX && name_clean(clean, s, len) == len &&
           memcmp(clean, s, len) == 0;
}

size_t name_suffixed(char out[NAME_LEN_MAX + 1], const char *name, unsigned n)
{
    char suffix[24] = "_";
    size_t size = 1 + number_write(suffix + 1, n);
    size_t base = text_cut(name, strlen(name), NAME_LEN_MAX - size);

    memcpy(out, name, base);
    memcpy(out + base, suffix, size);
    out[base + size] = '\0';
    return base + size;
}

void name_fold(char out[NAME_LEN_MAX + 1], const char *name)
{
    size_t i;

    for (i = 0; i < NAME_LEN_MAX && name[i] != '\0'; i++)
        out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    out[i] = '\0';
}

/* ---- Stamps ----------------------------------------------------------------------------- */

#define DAYS_PER_400_YEARS 146097u
/* From 0000-03-01 to 1970-01-01. Years that begin in March have their leap day at the end. */
#define DAYS_BEFORE_1970 719468u
#define US_PER_SECOND 1000000u
#define SECONDS_PER_DAY 86400u

struct date {
    unsigned year;
    unsigned month; /* 1 to 12 */
    unsigned day;   /* 1 to 31 */
};

/* The first day of a month, counted from March, in days from the year's first of March. */
static unsigned days_before_month(unsigned from_march)
{
    return (153 * from_march + 2) / 5;
}

static struct date date_of_days(unsigned days)
{
    days += DAYS_BEFORE_1970;
    unsigned cycle = days / DAYS_PER_400_YEARS;
    unsigned rest = days % DAYS_PER_400_YEARS;
    /* A leap day every 4 years (1460 days before one), none every 100, one every 400. */
    unsigned year = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    unsigned day = rest - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * day + 2) / 153;
    struct date date = {.month = month < 10 ? month + 3 : month - 9};

    date.day = day - days_before_month(month) + 1;
    date.year = 400 * cycle + year + (date.month <= 2);
    return date;
}

static unsigned days_of_date(struct date date)
{
    unsigned year = date.year - (date.month <= 2);
    unsigned month = date.month > 2 ? date.month - 3 : date.month + 9;

    return 365 * year + year / 4 - year / 100 + year / 400 + days_before_month(month) + date.day -
           1 - DAYS_BEFORE_1970;
}

static void pair_write(char *out, unsigned value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
}

void stamp_format(char out[STAMP_LEN], uint64_t us)
{
    uint64_t seconds = us / US_PER_SECOND;
    unsigned second = (unsigned)(seconds % SECONDS_PER_DAY);
    unsigned micro = (unsigned)(us % US_PER_SECOND);
    struct date date = date_of_days((unsigned)(seconds / SECONDS_PER_DAY));

    memcpy(out, "0000-00-00T00:00:00.000000Z", STAMP_LEN);
    pair_write(out, date.year / 100);
    pair_write(out + 2, date.year % 100);
    pair_write(out + 5, date.month);
    pair_write(out + 8, date.day);
    pair_write(out + 11, second / 3600);
    pair_write(out + 14, second / 60 % 60);
    pair_write(out + 17, second % 60);
    pair_write(out + 20, micro / 10000);
    pair_write(out + 22, micro / 100 % 100);
    pair_write(out + 24, micro % 100);
}

/* A field of a stamp: digits alone, not above max. */
static bool digits_parse(const char *s, size_t len, unsigned long max, unsigned *value)
{
    unsigned long number;

    if (!number_parse(s, len, max, &number))
        return false;
    *value = (unsigned)number;
    return true;
}

bool stamp_parse(const char *s, size_t len, uint64_t *us)
{
    struct date date;
    unsigned hour, minute, second, micro;

    if (len < STAMP_LEN || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' ||
        s[16] != ':' || s[19] != '.' || s[26] != 'Z')
        return false;
    if (!digits_parse(s, 4, 9999, &date.year) || !digits_parse(s + 5, 2, 12, &date.month) ||
        !digits_parse(s + 8, 2, 31, &date.day) || !digits_parse(s + 11, 2, 23, &hour) ||
        !digits_parse(s + 14, 2, 59, &minute) || !digits_parse(s + 17, 2, 59, &second) ||
        !digits_parse(s + 20, 6, 999999, &micro))
        return false;
    if (date.year < 1970 || date.month == 0 || date.day == 0)
        return false;
    /* A day that its month does not have comes back as another one. */
    unsigned days = days_of_date(date);
    if (date_of_days(days).day != date.day)
        return false;
    *us = ((uint64_t)days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second) * US_PER_SECOND +
          micro;
    return true;
}

/* ---- What clients send ------------------------------------------------------------------------
 */

enum phase { BEFORE_NAME = 1, AFTER_NAME = 2 };

static const struct {
    char word[8];
    enum command command;
    int phases;
} commands[] = {
    {"msg", CMD_MSG, AFTER_NAME},
    {"me", CMD_ME, AFTER_NAME},
    {"nick", CMD_NICK, AFTER_NAME},
    {"users", CMD_USERS, BEFORE_NAME | AFTER_NAME},
    {"help", CMD_HELP, AFTER_NAME},
    {"quit", CMD_QUIT, AFTER_NAME},
    {"history", CMD_HISTORY, BEFORE_NAME},
    {"since", CMD_SINCE, BEFORE_NAME},
    {"post", CMD_POST, BEFORE_NAME},
    {"pass", CMD_PASS, BEFORE_NAME},
    {"token", CMD_TOKEN, BEFORE_NAME},
    {"resume", CMD_RESUME, BEFORE_NAME},
};

static enum command command_find(struct span word, enum phase phase)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if ((commands[i].phases & (int)phase) != 0 && span_is(word, commands[i].word))
            return commands[i].command;
    }
    return CMD_UNKNOWN;
}

struct request request_parse(const char *line, size_t len, bool named)
{
    struct span rest = {line, len};
    struct request request = {.command = CMD_TEXT, .name = {line + len, 0}, .text = rest};

    if (len == 0 && named)
        request.command = CMD_EMPTY;
    if (len == 0 || line[0] != '/')
        return request;
    rest.at++;
    rest.len--;
    if (named && rest.len > 0 && *rest.at == '/') {
        request.text = rest;
        return request;
    }
    request.command = command_find(span_take_word(&rest), named ? AFTER_NAME : BEFORE_NAME);
    span_skip_space(&rest);
    if (request.command == CMD_MSG) {
        while (span_skip_space(&rest))
            ;
        request.name = span_take_word(&rest);
        span_skip_space(&rest);
    }
    request.text = rest;
    return request;
}

/* RFC 9110, 5.6.2: what a method is made of; scripts of a page may choose any. */
static bool char_is_token(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool line_is_http(const char *line, size_t len)
{
    static const char version[] = " HTTP/";
    const size_t version_len = sizeof version - 1;
    size_t method = 0;

    while (method < len && char_is_token(line[method]))
        method++;
    if (method == 0 || method == len || line[method] != ' ')
        return false;
    const char *target = line + method + 1;
    size_t rest = len - method - 1;
    if (len >= LINE_IN_MAX && *target == '/')
        return true;
    for (size_t number_len = 1; number_len <= 3; number_len += 2) { /* "2", "1.1" */
        if (rest < version_len + number_len + 1)
            return false;
        const char *number = target + rest - number_len;
        if (memcmp(number - version_len, version, version_len) == 0)
            return char_is_digit(number[0]) &&
                   (number_len == 1 || (number[1] == '.' && char_is_digit(number[2])));
    }
    return false;
}

/* ---- What the server sends ---------------------------------------------------------------------
 */

/* What may follow a verb, after one space each. */
enum event_arg {
    ARG_END,
    ARG_NAME,        /* into name */
    ARG_NAME_2,      /* into word */
    ARG_NAMES,       /* one or more, into text */
    ARG_WORD,        /* into word */
    ARG_TEXT,        /* all that is left, into text */
    ARG_TEXT_MAYBE,  /* the same, or nothing, not even the space */
    ARG_COUNT,       /* into count */
    ARG_COUNT_MAYBE, /* the same, or `?` */
    ARG_MINE         /* into mine */
};

static const struct {
    char word[8];
    enum verb verb;
    enum event_arg args[4];
} verbs[] = {
    {"msg", VERB_MSG, {ARG_NAME, ARG_TEXT}},
    {"me", VERB_ME, {ARG_NAME, ARG_TEXT}},
    {"join", VERB_JOIN, {ARG_NAME}},
    {"quit", VERB_QUIT, {ARG_NAME, ARG_WORD, ARG_TEXT_MAYBE}},
    {"nick", VERB_NICK, {ARG_NAME, ARG_NAME_2}},
    {"post", VERB_POST, {ARG_NAME, ARG_TEXT}},
    {"priv", VERB_PRIV, {ARG_NAME, ARG_NAME_2, ARG_TEXT}},
    {"note", VERB_NOTE, {ARG_TEXT}},
    {"error", VERB_ERROR, {ARG_WORD, ARG_TEXT}},
    {"gap", VERB_GAP, {ARG_COUNT_MAYBE, ARG_MINE}},
    {"here", VERB_HERE, {ARG_NAMES}},
    {"users", VERB_USERS, {ARG_COUNT}},
    {"you", VERB_YOU, {ARG_NAME}},
    {"token", VERB_TOKEN, {ARG_WORD}},
    {"resumed", VERB_RESUMED, {ARG_COUNT_MAYBE}},
};

static bool name_take(struct span *rest, struct span *name)
{
    *name = span_take_word(rest);
    return name->len > 0 && name->len <= NAME_LEN_MAX;
}

static bool names_take(struct span *rest, struct span *names)
{
    struct span name;

    *names = *rest;
    do {
        if (!name_take(rest, &name))
            return false;
    } while (span_skip_space(rest));
    return true;
}

static bool count_take(struct span *rest, unsigned long *count)
{
    struct span word = span_take_word(rest);

    return number_parse(word.at, word.len, UINT32_MAX, count);
}

static bool event_take_arg(struct event *event, enum event_arg arg, struct span *rest)
{
    if (arg == ARG_TEXT_MAYBE && rest->len == 0)
        return true;
    if (!span_skip_space(rest))
        return false;
    switch (arg) {
    case ARG_END:
        break;
    case ARG_NAME:
        return name_take(rest, &event->name);
    case ARG_NAME_2:
        return name_take(rest, &event->word);
    case ARG_NAMES:
        return names_take(rest, &event->text);
    case ARG_WORD:
        event->word = span_take_word(rest);
        return event->word.len > 0;
    case ARG_TEXT:
    case ARG_TEXT_MAYBE:
        event->text = *rest;
        rest->at += rest->len;
        rest->len = 0;
        return true;
    case ARG_COUNT_MAYBE:
        if (rest->len > 0 && *rest->at == '?') {
            event->counted = false;
            rest->at++;
            rest->len--;
            return true;
        }
        return count_take(rest, &event->count);
    case ARG_COUNT:
        return count_take(rest, &event->count);
    case ARG_MINE:
        return count_take(rest, &event->mine);
    }
    return false;
}

bool event_parse(struct event *event, const char *line, size_t len)
{
    const struct span none = {line + len, 0};
    struct span rest, word;
    size_t i = 0;

    *event = (struct event){.name = none, .word = none, .text = none, .counted = true};
    if (!stamp_parse(line, len, &event->stamp))
        return false;
    rest = (struct span){line + STAMP_LEN, len - STAMP_LEN};
    if (!span_skip_space(&rest))
        return false;
    word = span_take_word(&rest);
    while (!span_is(word, verbs[i].word)) {
        if (++i == sizeof verbs / sizeof verbs[0])
            return false;
    }
    event->verb = verbs[i].verb;
    for (const enum event_arg *arg = verbs[i].args; *arg != ARG_END; arg++) {
        if (!event_take_arg(event, *arg, &rest))
            return false;
    }
    return rest.len == 0;
}

bool verb_is_room(enum verb verb)
{
    switch (verb) {
    case VERB_JOIN:
    case VERB_QUIT:
    case VERB_NICK:
    case VERB_MSG:
    case VERB_ME:
    case VERB_POST:
        return true;
    case VERB_HERE:
    case VERB_USERS:
    case VERB_YOU:
    case VERB_TOKEN:
    case VERB_RESUMED:
    case VERB_PRIV:
    case VERB_NOTE:
    case VERB_GAP:
    case VERB_ERROR:
        break;
    }
    return false;
}

bool verb_is_message(enum verb verb)
{
    return verb == VERB_PRIV || verb == VERB_MSG || verb == VERB_ME || verb == VERB_POST;
}

/* ---- Addresses ----------------------------------------------------------------------------------
 */

static const char *address_set_host(struct address *address, const char *host, size_t len)
{
    if (len >= sizeof address->host)
        return "host name too long";
    memcpy(address->host, host, len);
    address->host[len] = '\0';
    return NULL;
}

static const char *address_set_port(struct address *address, const char *port)
{
    unsigned long number;
    size_t len = strlen(port);

    if (len == 0)
        return "missing port";
    if (strspn(port, "0123456789") != len)
        return "port is not a number";
    if (!number_parse(port, len, 65535, &number))
        return "port out of range";
    address->port[number_write(address->port, number)] = '\0';
    return NULL;
}

/* `[ipv6]` and what may follow. */
static const char *address_parse_bracket(struct address *address, const char *text)
{
    const char *end = strchr(text, ']');
    const char *error;

    if (end == NULL)
        return "missing ]";
    if (end == text + 1)
        return "empty address";
    if (end[1] != '\0' && end[1] != ':')
        return "no port after ]";
    error = address_set_host(address, text + 1, (size_t)(end - text - 1));
    if (error == NULL && end[1] == ':')
        error = address_set_port(address, end + 2);
    return error;
}

const char *address_parse(struct address *address, const char *text)
{
    const char *colon = strchr(text, ':');
    const char *error;

    *address = (struct address){
        .kind = ADDRESS_INET, .host = CHAT_DEFAULT_HOST, .port = CHAT_DEFAULT_PORT};
    if (*text == '\0')
        return "empty address";
    if (strchr(text, '/') != NULL) {
        *address = (struct address){.kind = ADDRESS_PATH, .path = text};
        return NULL;
    }
    if (*text == '[')
        return address_parse_bracket(address, text);
    if (colon == NULL || strchr(colon + 1, ':') != NULL) /* a bare IPv6 address has many */
        colon = text + strlen(text);
    if (colon > text) {
        error = address_set_host(address, text, (size_t)(colon - text));
        if (error != NULL)
            return error;
    }
    if (strcmp(address->host, "*") == 0) {
        address->kind = ADDRESS_ANY;
        address->host[0] = '\0';
    }
    return *colon == ':' ? address_set_port(address, colon + 1) : NULL;
}

/* The address of an IPv4 peer of a socket for both families, or NULL. */
static const unsigned char *address_mapped(const struct in6_addr *address)
{
    static const unsigned char prefix[12] = {[10] = 0xFF, [11] = 0xFF};

    if (memcmp(address->s6_addr, prefix, sizeof prefix) != 0)
        return NULL;
    return address->s6_addr + sizeof prefix;
}

void address_format(char out[PEER_TEXT_MAX], const struct sockaddr *peer)
{
    char host[INET6_ADDRSTRLEN] = "";
    char *at = out;
    bool bracket = false;
    in_port_t port;

    if (peer->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, peer, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        port = in.sin_port;
    } else if (peer->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, peer, sizeof in6);
        const unsigned char *mapped = address_mapped(&in6.sin6_addr);
        bracket = mapped == NULL;
        inet_ntop(bracket ? AF_INET6 : AF_INET, bracket ? (const void *)&in6.sin6_addr : mapped,
            host, sizeof host);
        port = in6.sin6_port;
    } else {
        memcpy(out, "local", sizeof "local");
        return;
    }
    if (bracket)
        *at++ = '[';
    memcpy(at, host, strlen(host));
    at += strlen(host);
    if (bracket)
        *at++ = ']';
    *at++ = ':';
    at[number_write(at, ntohs(port))] = '\0';
}
