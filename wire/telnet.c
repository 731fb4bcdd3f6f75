/*
 * telnet.c: a state machine over the bytes of a client.
 */
#include "telnet.h"

#include <string.h>

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

/* The part of a command that was read last. */
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
        /* A command here: the end of the subnegotiation is missing. */
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
            /* Not a command: both bytes are data. The 0xFF may be of the previous buffer. */
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
