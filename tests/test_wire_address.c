/*
 * test_wire_address.c: addresses that people write, and addresses as people read them.
 */
#include "bytes.h"
#include "wire/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NO_URL "no URL is accepted, but host, host:port, [ipv6]:port, :port, *:port or a path"
#define LABELS_250 SIXTY SIXTY SIXTY SIXTY TEN

static const struct {
    const char *text;
    const char *error;
    enum address_kind kind;
    const char *host; /* or the path */
    const char *port;
} address_rows[] = {
    {"localhost", NULL, ADDRESS_INET, "localhost", "65432"},
    {"localhost:99", NULL, ADDRESS_INET, "localhost", "99"},
    {"127.0.0.1:0", NULL, ADDRESS_INET, "127.0.0.1", "0"},
    {":5555", NULL, ADDRESS_INET, "127.0.0.1", "5555"},
    {":65535", NULL, ADDRESS_INET, "127.0.0.1", "65535"},
    {":000080", NULL, ADDRESS_INET, "127.0.0.1", "80"},
    {"*", NULL, ADDRESS_ANY, "", "65432"},
    {"*:0", NULL, ADDRESS_ANY, "", "0"},
    {"[::1]", NULL, ADDRESS_INET, "::1", "65432"},
    {"[::1]:7", NULL, ADDRESS_INET, "::1", "7"},
    {"::1", NULL, ADDRESS_INET, "::1", "65432"},
    {"::", NULL, ADDRESS_INET, "::", "65432"},
    {"fe80::1%eth0", NULL, ADDRESS_INET, "fe80::1%eth0", "65432"},
    {"[fe80::1%eth0]:7", NULL, ADDRESS_INET, "fe80::1%eth0", "7"},
    {"/run/chat", NULL, ADDRESS_PATH, "/run/chat", ""},
    {"./chat:7", NULL, ADDRESS_PATH, "./chat:7", ""},
    {"[/", NULL, ADDRESS_PATH, "[/", ""},
    {LABELS_250 "abcde:7", NULL, ADDRESS_INET, LABELS_250 "abcde", "7"},
    {LABELS_250 "abcdef:7", "host name too long", ADDRESS_INET, "", ""},
    {"[" LABELS_250 "abcdef]", "host name too long", ADDRESS_INET, "", ""},
    {"chat://host:7", NO_URL, ADDRESS_INET, "", ""},
    {"http://[::1]/", NO_URL, ADDRESS_INET, "", ""},
    {"unix:///run/chat", NO_URL, ADDRESS_INET, "", ""},
    {"://", NO_URL, ADDRESS_INET, "", ""},
    {"", "empty address", ADDRESS_INET, "", ""},
    {"[]", "empty address", ADDRESS_INET, "", ""},
    {"[]:7", "empty address", ADDRESS_INET, "", ""},
    {"[::1", "missing ]", ADDRESS_INET, "", ""},
    {"[::1]7", "no port after ]", ADDRESS_INET, "", ""},
    {":", "missing port", ADDRESS_INET, "", ""},
    {"host:", "missing port", ADDRESS_INET, "", ""},
    {"[::1]:", "missing port", ADDRESS_INET, "", ""},
    {"*:", "missing port", ADDRESS_INET, "", ""},
    {"host:http", "port is not a number", ADDRESS_INET, "", ""},
    {"host:-1", "port is not a number", ADDRESS_INET, "", ""},
    {"host: 1", "port is not a number", ADDRESS_INET, "", ""},
    {"host:65536", "port out of range", ADDRESS_INET, "", ""},
    {"host:99999999999999999999", "port out of range", ADDRESS_INET, "", ""},
};

START_TEST(address_table)
{
    struct address address;
    const char *error = address_parse(&address, address_rows[_i].text);

    ck_assert_pstr_eq(error, address_rows[_i].error);
    if (error != NULL)
        return;
    bool path = address_rows[_i].kind == ADDRESS_PATH;
    ck_assert_int_eq(address.kind, address_rows[_i].kind);
    ck_assert_str_eq(address.host, path ? "" : address_rows[_i].host);
    ck_assert_str_eq(address.port, address_rows[_i].port);
    ck_assert_ptr_eq(address.path, path ? address_rows[_i].text : NULL);
}
END_TEST

START_TEST(address_format_inet)
{
    char out[PEER_TEXT_MAX];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(5555)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    ck_assert_int_eq(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
    address_format(out, (struct sockaddr *)&in);
    ck_assert_str_eq(out, "192.0.2.7:5555");
    address_format(out, (struct sockaddr *)&un);
    ck_assert_str_eq(out, "local");
}
END_TEST

static const struct {
    const char *address;
    const char *text;
} inet6_rows[] = {
    {"::1", "[::1]:65535"},
    {"2001:db8::1", "[2001:db8::1]:65535"},
    {"::ffff:192.0.2.7", "192.0.2.7:65535"},
    {"::192.0.2.7", "[::192.0.2.7]:65535"},
    {"1111:2222:3333:4444:5555:6666:7777:8888", "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"},
};

START_TEST(address_format_inet6)
{
    char out[PEER_TEXT_MAX];
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};

    ck_assert_int_eq(inet_pton(AF_INET6, inet6_rows[_i].address, &in6.sin6_addr), 1);
    address_format(out, (struct sockaddr *)&in6);
    ck_assert_str_eq(out, inet6_rows[_i].text);
}
END_TEST

/* The longest text there is: the array has space for it. */
START_TEST(address_format_scope)
{
    char out[PEER_TEXT_MAX];
    char want[PEER_TEXT_MAX];
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    char name[IF_NAMESIZE];

    ck_assert_int_eq(
        inet_pton(AF_INET6, "fe80:2222:3333:4444:5555:6666:7777:8888", &in6.sin6_addr), 1);
    in6.sin6_scope_id = 1;
    ck_assert_ptr_nonnull(if_indextoname(1, name));
    address_format(out, (struct sockaddr *)&in6);
    snprintf(want, sizeof want, "[fe80:2222:3333:4444:5555:6666:7777:8888%%%s]:65535", name);
    ck_assert_str_eq(out, want);
    in6.sin6_scope_id = 4294967295;
    address_format(out, (struct sockaddr *)&in6);
    ck_assert_str_eq(out, "[fe80:2222:3333:4444:5555:6666:7777:8888%4294967295]:65535");
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {address_table, COUNT_OF(address_rows), 60},
        {address_format_inet, 1, 60},
        {address_format_inet6, COUNT_OF(inet6_rows), 60},
        {address_format_scope, 1, 60},
    };

    return tests_run("wire_address", tests, COUNT_OF(tests));
}
