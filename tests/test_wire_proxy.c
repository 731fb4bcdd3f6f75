/*
 * test_wire_proxy.c: headers of the PROXY protocol, cut at every place.
 */
#include "bytes.h"
#include "wire/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xC0\0\2\7\x7F\0\0\1\x15\xB3\xFF\xA0"
#define V6 "\x20\1\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x15\xB3\xFF\xA0"
#define MAPPED                                                                                     \
    "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\0\2\7\0\0\0\0\0\0\0\0\0\0\xFF\xFF\x7F\0\0\1\x15\xB3\xFF\xA0"
#define LONG_V6 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

static const struct {
    struct span header;
    enum proxy_result result;
    const char *address; /* of PROXY_ADDRESS */
} rows[] = {
    {S("PROXY TCP4 192.0.2.7 127.0.0.1 5555 65432\r\n"), PROXY_ADDRESS, "192.0.2.7:5555"},
    {S("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_ADDRESS,
        "255.255.255.255:65535"},
    {S("PROXY TCP6 2001:db8::1 ::1 5555 65432\r\n"), PROXY_ADDRESS, "[2001:db8::1]:5555"},
    {S("PROXY TCP6 ::ffff:192.0.2.7 ::1 5555 65432\r\n"), PROXY_ADDRESS, "192.0.2.7:5555"},
    {S("PROXY TCP6 " LONG_V6 " " LONG_V6 " 65535 65535\r\n"), PROXY_ADDRESS, "[" LONG_V6 "]:65535"},
    {S("PROXY UNKNOWN\r\n"), PROXY_NONE, NULL},
    {S("PROXY UNKNOWN " LONG_V6 " " LONG_V6 " 65535 65535\r\n"), PROXY_NONE, NULL},
    {S("PROXY UNKNOWN whatever this is\r\n"), PROXY_NONE, NULL},
    {S("PROXY UNKNOWN " SIXTY SIXTY "\r\n"), PROXY_INVALID, NULL},
    {S("PROXY UNKNOWN\n"), PROXY_INVALID, NULL},
    {S("PROXY UNKNOWNS\r\n"), PROXY_INVALID, NULL},
    {S("PROXY \r\n"), PROXY_INVALID, NULL},
    {S("PROXY \n"), PROXY_INVALID, NULL},
    {S("PROXY TCP4\r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP4 192.0.2.7 127.0.0.1 5555\r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP4 192.0.2.7 127.0.0.1 5555 \r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP4 192.0.2.7 127.0.0.1 5555 65432 1\r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP4 192.0.2.7 127.0.0.1 5555 65432 \r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP4 192.0.2.7  127.0.0.1 5555 65432\r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP4 192.0.2.7 127.0.0.1 5555 65536\r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP4 192.0.2.7 127.0.0.1 -1 65432\r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP4 192.0.2.256 127.0.0.1 5555 65432\r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP4 2001:db8::1 ::1 5555 65432\r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP6 192.0.2.7 127.0.0.1 5555 65432\r\n"), PROXY_INVALID, NULL},
    {S("PROXY TCP6 fe80::1%eth0 ::1 5555 65432\r\n"), PROXY_INVALID, NULL},
    {S("PROXY UDP4 192.0.2.7 127.0.0.1 5555 65432\r\n"), PROXY_INVALID, NULL},
    {S("proxy TCP4 192.0.2.7 127.0.0.1 5555 65432\r\n"), PROXY_INVALID, NULL},
    {S("ann\n"), PROXY_INVALID, NULL},
    {S("\n"), PROXY_INVALID, NULL},
    {S("\r\n\r\nann\r\n"), PROXY_INVALID, NULL},
    {S("GET / HTTP/1.1\r\n"), PROXY_INVALID, NULL},
    {S(SIGNATURE "\x21\x11\0\x0C" V4), PROXY_ADDRESS, "192.0.2.7:5555"},
    {S(SIGNATURE "\x21\x11\0\x13" V4 "\4\0\4more"), PROXY_ADDRESS, "192.0.2.7:5555"},
    {S(SIGNATURE "\x21\x21\0\x24" V6), PROXY_ADDRESS, "[2001:db8::1]:5555"},
    {S(SIGNATURE "\x21\x21\0\x24" MAPPED), PROXY_ADDRESS, "192.0.2.7:5555"},
    {S(SIGNATURE "\x20\x11\0\x0C" V4), PROXY_NONE, NULL},
    {S(SIGNATURE "\x20\0\0\0"), PROXY_NONE, NULL},
    {S(SIGNATURE "\x21\0\0\0"), PROXY_NONE, NULL},
    {S(SIGNATURE "\x21\x31\0\x04path"), PROXY_NONE, NULL},
    {S(SIGNATURE "\x21\x11\0\x0B\xC0\0\2\7\x7F\0\0\1\x15\xB3\xFF"), PROXY_INVALID, NULL},
    {S(SIGNATURE "\x21\x21\0\x0C" V4), PROXY_INVALID, NULL},
    {S(SIGNATURE "\x21\x12\0\x0C" V4), PROXY_INVALID, NULL},
    {S(SIGNATURE "\x21\x41\0\x0C" V4), PROXY_INVALID, NULL},
    {S(SIGNATURE "\x22\x11\0\x0C"), PROXY_INVALID, NULL},
    {S(SIGNATURE "\x11\x11\0\x0C"), PROXY_INVALID, NULL},
    {S(SIGNATURE "\x31\x11\0\x0C"), PROXY_INVALID, NULL},
    {S(SIGNATURE "\x21\x11\2\x09"), PROXY_INVALID, NULL},
};

static void is_as_said(size_t i, enum proxy_result result, const struct proxy_header *header)
{
    char address[IP_PORT_TEXT_MAX];

    must(result == rows[i].result);
    if (result == PROXY_INVALID)
        return;
    must(header->len == rows[i].header.len);
    if (result == PROXY_NONE)
        return;
    ip_port_format(address, &header->ip, header->port);
    ck_assert_str_eq(address, rows[i].address);
}

/* However little of it has come, the answer is that more is wanted, or the last one. */
START_TEST(cut_at_every_place)
{
    struct span whole = rows[_i].header;
    struct proxy_header header;
    enum proxy_result result = PROXY_MORE;

    for (size_t len = 0; len <= whole.len; len++) {
        char *copy = bytes_copy((struct span){whole.at, len});

        result = proxy_parse(&header, copy, len);
        free(copy);
        must(len == whole.len || result == PROXY_MORE || result == PROXY_INVALID);
        if (result == PROXY_INVALID)
            break;
    }
    is_as_said((size_t)_i, result, &header);
}
END_TEST

/* What follows does not change it. */
START_TEST(with_more_behind)
{
    static const char more[] = "ann\nhello\n\0\xFF" SIXTY SIXTY;
    struct span whole = rows[_i].header;
    struct proxy_header header;
    char *bytes = must_allocate(whole.len + sizeof more);
    size_t len =
        (size_t)(bytes_put(bytes_put(bytes, whole.at, whole.len), more, sizeof more) - bytes);

    is_as_said((size_t)_i, proxy_parse(&header, bytes, len), &header);
    free(bytes);
}
END_TEST

/* The longest that is taken; nothing ever wants more. */
START_TEST(limits)
{
    char bytes[PROXY_HEADER_MAX] = SIGNATURE "\x21\x11\2\x08" V4;
    struct proxy_header header;

    ck_assert_int_eq(proxy_parse(&header, bytes, sizeof bytes - 1), PROXY_MORE);
    ck_assert_int_eq(proxy_parse(&header, bytes, sizeof bytes), PROXY_ADDRESS);
    ck_assert_uint_eq(header.len, PROXY_HEADER_MAX);
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "PROXY UNKNOWN ", 14);
    ck_assert_int_eq(proxy_parse(&header, bytes, 106), PROXY_MORE);
    ck_assert_int_eq(proxy_parse(&header, bytes, 107), PROXY_INVALID);
    ck_assert_int_eq(proxy_parse(&header, NULL, 0), PROXY_MORE);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {cut_at_every_place, COUNT_OF(rows), 60},
        {with_more_behind, COUNT_OF(rows), 60},
        {limits, 1, 60},
    };

    return tests_run("wire_proxy", tests, COUNT_OF(tests));
}
