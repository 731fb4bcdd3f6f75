/*
 * test_wire_ip.c: IP addresses and ranges.
 */
#include "bytes.h"
#include "wire/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- Text ---- */

static const struct {
    const char *text;
    const char *written; /* NULL: it is no range */
} range_rows[] = {
    {"192.0.2.7", "192.0.2.7"},
    {"192.0.2.7/32", "192.0.2.7"},
    {"192.0.2.7/24", "192.0.2.7/24"},
    {"0.0.0.0/0", "0.0.0.0/0"},
    {"::1", "::1"},
    {"2001:DB8:0:0::1/64", "2001:db8::1/64"},
    {"::/0", "::/0"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127"},
    {"::ffff:192.0.2.7", "192.0.2.7"},
    {"::ffff:192.0.2.7/104", "192.0.2.7/8"},
    {"::ffff:192.0.2.7/95", NULL},
    {"::ffff:192.0.2.7/129", NULL},
    {"192.0.2.7/33", NULL},
    {"2001:db8::/129", NULL},
    {"192.0.2.7/", NULL},
    {"/24", NULL},
    {"/", NULL},
    {"", NULL},
    {"192.0.2.7/-1", NULL},
    {"192.0.2.7/ 8", NULL},
    {"192.0.2.7/8/8", NULL},
    {"192.0.2", NULL},
    {"192.0.2.256", NULL},
    {"192.0.2.7:80", NULL},
    {" 192.0.2.7", NULL},
    {"192.0.2.7 ", NULL},
    {"[::1]", NULL},
    {"fe80::1%eth0", NULL},
    {"localhost", NULL},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255.255", NULL},
};

START_TEST(range_table)
{
    char written[IP_TEXT_MAX];
    struct ip_range range;
    const char *text = range_rows[_i].text;
    bool parsed = ip_range_parse(&range, text, strlen(text));

    ck_assert_msg(parsed == (range_rows[_i].written != NULL), "%s", text);
    if (!parsed)
        return;
    ip_range_format(written, &range);
    ck_assert_str_eq(written, range_rows[_i].written);
}
END_TEST

START_TEST(text_ends_where_it_is_said_to_end)
{
    struct ip ip;
    struct ip_range range;

    ck_assert(ip_parse(&ip, "192.0.2.77", 9));
    ck_assert_int_eq(ip.bytes[3], 7);
    ck_assert(!ip_parse(&ip, "192.0.2.7\0", 10));
    ck_assert(ip_range_parse(&range, "192.0.2.7/24", 11));
    ck_assert_uint_eq(range.bits, 2);
}
END_TEST

/* ---- Ranges ---- */

static const struct {
    const char *range;
    const char *ip;
    bool in;
} in_rows[] = {
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.128/25", "192.0.2.127", false},
    {"192.0.2.128/25", "192.0.2.200", true},
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.6", false},
    {"0.0.0.0/0", "255.1.2.3", true},
    {"0.0.0.0/0", "::1", false},
    {"::/0", "127.0.0.1", false},
    {"::/0", "fe80::1", true},
    {"2001:db8::/64", "2001:db8::ffff:1", true},
    {"2001:db8::/64", "2001:db8:0:1::1", false},
    {"2001:db8::/61", "2001:db8:0:7::1", true},
    {"2001:db8::/61", "2001:db8:0:8::1", false},
    {"192.0.2.0/24", "::ffff:192.0.2.9", true},
    {"::ffff:192.0.2.0/120", "192.0.2.9", true},
};

START_TEST(in_table)
{
    struct ip_range range;
    struct ip ip;

    ck_assert(ip_range_parse(&range, in_rows[_i].range, strlen(in_rows[_i].range)));
    ck_assert(ip_parse(&ip, in_rows[_i].ip, strlen(in_rows[_i].ip)));
    ck_assert_msg(
        ip_range_has(&range, &ip) == in_rows[_i].in, "%s in %s", in_rows[_i].ip, in_rows[_i].range);
}
END_TEST

/* ---- With a port ---- */

static const struct {
    const char *text;
    const char *written; /* NULL: it is wrong */
} port_rows[] = {
    {"192.0.2.7:5555", "192.0.2.7:5555"},
    {"0.0.0.0:0", "0.0.0.0:0"},
    {"[2001:DB8::1]:65535", "[2001:db8::1]:65535"},
    {"[::ffff:192.0.2.7]:1", "192.0.2.7:1"},
    {"192.0.2.7:65536", NULL},
    {"192.0.2.7:", NULL},
    {"192.0.2.7", NULL},
    {":5555", NULL},
    {"", NULL},
    {"[]:1", NULL},
    {"[192.0.2.7]:1", NULL},
    {"[2001:db8::1]", NULL},
    {"[2001:db8::1]5555", NULL},
    {"[2001:db8::1:5555", NULL},
    {"2001:db8::1:5555", NULL},
    {"[fe80::1%eth0]:1", NULL},
    {"192.0.2.7:5555 ", NULL},
    {" 192.0.2.7:5555", NULL},
    {"[", NULL},
};

START_TEST(port_table)
{
    const char *text = port_rows[_i].text;
    char *copy = bytes_copy((struct span){text, strlen(text)});
    char written[IP_PORT_TEXT_MAX];
    struct ip ip;
    unsigned port;
    bool parsed = ip_port_parse(&ip, &port, copy, strlen(text));

    free(copy);
    ck_assert_msg(parsed == (port_rows[_i].written != NULL), "%s", text);
    if (!parsed)
        return;
    ip_port_format(written, &ip, port);
    ck_assert_str_eq(written, port_rows[_i].written);
}
END_TEST

/* ---- Sockets' addresses ---- */

START_TEST(of_sockets)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(7)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = 3};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct ip v4;
    struct ip v6;

    inet_pton(AF_INET, "192.0.2.7", &in.sin_addr);
    v4 = ip_of((struct sockaddr *)&in);
    ck_assert(v4.version == IP_V4 && memcmp(v4.bytes, "\xC0\0\2\7", 5) == 0 && v4.scope == 0);
    inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
    v6 = ip_of((struct sockaddr *)&in6);
    ck_assert(v6.version == IP_V6 && v6.bytes[15] == 1 && v6.scope == 3 && ip_is_link_local(&v6));
    inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
    v6 = ip_of((struct sockaddr *)&in6);
    ck_assert(memcmp(&v6, &v4, sizeof v6) == 0 && !ip_is_link_local(&v6));
    ck_assert(ip_of((struct sockaddr *)&un).version == IP_NONE);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {range_table, COUNT_OF(range_rows), 60},
        {text_ends_where_it_is_said_to_end, 1, 60},
        {in_table, COUNT_OF(in_rows), 60},
        {port_table, COUNT_OF(port_rows), 60},
        {of_sockets, 1, 60},
    };

    return tests_run("wire_ip", tests, COUNT_OF(tests));
}
