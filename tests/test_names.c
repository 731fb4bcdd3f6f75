/*
 * Names, chat-protocol(7), NAMES: every client can join, under a name that no other member has.
 */
#include "harness.h"
#include "wire/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define SMILE "\xf0\x9f\x98\x80" /* four bytes */
#define SMILES5 SMILE SMILE SMILE SMILE SMILE
#define SMILES15 SMILES5 SMILES5 SMILES5
#define ACUTE "\xcc\x81" /* U+0301, two bytes, combining */

/* ---- One name ---- */

static const struct {
    const char *asked;
    const char *got;
} cleanings[] = {
    {"ann", "ann"},
    {"  ann  ", "ann"},
    {"\tann\t", "ann"},
    {"ann\r", "ann"},
    {"\xe3\x80\x80nia\xc2\xa0", "nia"}, /* Unicode's spaces at the ends */
    {"ann lee", "ann_lee"},
    {"ann\xc2\xa0lee", "ann_lee"},
    {"ann\xe3\x80\x80lee", "ann_lee"},
    {"ann\tlee", "ann_lee"},
    {"10.0.0.1:99", "10.0.0.1_99"},
    {"a/b", "a/b"},
    {"msg", "msg"},
    {"*", "*"},
    {"server", "server"},
    {"%s%n", "%s%n"},
    {"-h", "-h"},
    {"王小明", "王小明"},
    {"Ольга", "Ольга"},
    {"e" ACUTE "lan", "e" ACUTE "lan"},
    {"a\x1b[31mb", "a_[31mb"},
    {"x\xc2\x9b[31my", "x_[31my"},
    {"x\x9by", "x_y"},
    {"x\x07y", "x_y"},
    {"x\x7fy", "x_y"},
    {"a\rb", "a_b"},
    {"x\xffy", "x_y"},           /* no telnet command */
    {"x\xed\xa0\x80y", "x___y"}, /* a surrogate: three bytes, none of them a beginning */
    {"x\xe2\x80\xaey", "x_y"},   /* right-to-left override */
    {"x\xe2\x80\x8by", "xy"},    /* zero-width space */
    {"\xef\xbb\xbf"
     "an\xc2\xadn",
        "ann"},
    {"x\xe2\x80\xa8y", "x_y"},      /* U+2028 */
    {"x\xf3\xa0\x81\x81y", "xy"},   /* a tag */
    {X60 "xxxx", X60 "xxxx"},       /* 64 bytes */
    {X60 "xxxxx", X60 "xxxx"},      /* 65 */
    {X60 "xxxxxxxxxx", X60 "xxxx"}, /* 70 */
    {X60 SMILE, X60 SMILE},         /* 64 */
    {X60 "x" SMILE, X60 "x"},       /* a character across the limit */
    {X60 "xx" SMILE, X60 "xx"},
    {X60 "xxx" SMILE, X60 "xxx"},
    {SMILES15 SMILES5, SMILES15 SMILE},
};

/* Says the name; the one that the server gives instead. */
static void name_ask(struct conn *conn, const struct server *server, const char *asked, char *got)
{
    conn_open(conn, server);
    conn_say(conn, "%s", asked);
    conn_seek(conn, "you *");
    span_copy(got, NAME_LEN_MAX + 1, conn->event.name);
}

START_TEST(names_are_cleaned)
{
    struct room room;
    room_open(&room, ANY_PORT);
    for (size_t i = 0; i < COUNT_OF(cleanings); i++) {
        struct conn conn;
        char got[NAME_LEN_MAX + 1];
        const char *want = strcmp(cleanings[i].got, "ann") == 0 ? "ann_2" : cleanings[i].got;
        name_ask(&conn, &room.server, cleanings[i].asked, got);
        ck_assert_str_eq(got, want);
        conn_seek(&room.ann, "join *");
        conn_close(&conn);
        conn_seek(&room.ann, "quit *");
    }
    room_close(&room);
}
END_TEST

/* A name is never a reason to be turned away, not even when its line is too long for a line. */
START_TEST(ten_thousand_bytes_are_cut)
{
    struct room room;
    struct conn conn;
    char asked[10000 + 1];
    char got[NAME_LEN_MAX + 1];
    memset(asked, 'x', sizeof asked - 1);
    asked[sizeof asked - 1] = '\0';
    room_open(&room, ANY_PORT);
    name_ask(&conn, &room.server, asked, got);
    ck_assert_str_eq(got, X60 "xxxx");
    conn_say(&conn, "x");
    conn_seek(&conn, "msg " X60 "xxxx x");
    conn_close(&conn);
    room_close(&room);
}
END_TEST

/* What is left of garbage is a name or the address; never nothing, never the garbage. */
START_TEST(garbage_gets_some_name)
{
    static const char *const garbage[] = {"\xe2\x80\x8b\xe2\x80\x8b", ACUTE ACUTE, "\xff\xff\xff",
        "\x1b\x1b", ":::", "\xef\xbb\xbf", "\xe2\x80\x8d", "\xef\xb8\x8f"};
    struct room room;
    room_open(&room, ANY_PORT);
    for (size_t i = 0; i < COUNT_OF(garbage); i++) {
        struct conn conn;
        char got[NAME_LEN_MAX + 1];
        name_ask(&conn, &room.server, garbage[i], got);
        ck_assert_msg(strpbrk(got, " \t\x1b") == NULL && got[0] != '/', "%s", got);
        ck_assert(text_is_clean(got, strlen(got)));
        conn_close(&conn);
    }
    room_close(&room);
}
END_TEST

/* ---- Addresses ---- */

static unsigned own_port(const struct conn *conn)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    ck_assert_int_eq(getsockname(conn->fd, (struct sockaddr *)&own, &len), 0);
    /* The port is at the same place in both. */
    return ntohs(((struct sockaddr_in *)&own)->sin_port);
}

/* A client without a name gets its address: nothing, blanks, or bytes of which nothing is left. */
static void expect_address(
    const struct server *server, const char *address, const char *host, bool has_port)
{
    static const char *const nothings[] = {
        "", "   ", "\t", "\xe3\x80\x80", "\r", "\xef\xbb\xbf", "\xc2\xad \xe2\x80\x8b"};
    struct conn witness;
    char name[16];
    /* One for each address: the one before may not have left yet. */
    snprintf(name, sizeof name, "witness-%c", host[0]);
    conn_join(&witness, server, name);
    for (size_t i = 0; i < COUNT_OF(nothings); i++) {
        struct conn conn;
        conn_open_to(&conn, address);
        conn_say(&conn, "%s", nothings[i]);
        conn_seek(&conn, "you *");
        char got[NAME_LEN_MAX + 1];
        char want[NAME_LEN_MAX + 1];
        span_copy(got, sizeof got, conn.event.name);
        long number = has_port ? (long)own_port(&conn) : (long)getpid();
        snprintf(want, sizeof want, "%s:%ld", host, number);
        ck_assert_str_eq(got, want);
        conn_close(&conn);
        /* Not the quit of the witness at the address before. */
        do
            conn_seek(&witness, "quit *");
        while (!span_equal(witness.event.name, got));
    }
    conn_close(&witness);
}

START_TEST(the_address_is_the_name)
{
    struct server server;
    char path[PATH_TEXT_MAX];
    char address[ADDRESS_TEXT_MAX];
    if (!test_has_ipv6())
        return;
    test_path(path, "room");
    server_start(&server, ANY_PORT, "-l", "[::1]:0", "-l", path);
    expect_address(&server, server.address, "127.0.0.1", true);
    server_listens(&server, 1, address);
    expect_address(&server, address, "[::1]", true);
    expect_address(&server, path, "local", false);
    server_stop(&server);
}
END_TEST

/* On a socket of both families, an IPv4 address looks like one. */
START_TEST(ipv4_is_ipv4_everywhere)
{
    struct server server;
    char address[ADDRESS_TEXT_MAX];
    if (!test_has_ipv6())
        return;
    server_start(&server, "-l", "*:0");
    int port = atoi(strrchr(server.address, ':') + 1);
    snprintf(address, sizeof address, "[::1]:%d", port);
    snprintf(server.address, sizeof server.address, "127.0.0.1:%d", port);
    expect_address(&server, server.address, "127.0.0.1", true);
    expect_address(&server, address, "[::1]", true);
    server_stop(&server);
}
END_TEST

/* Nobody can take another's address for a name, nor look like one. */
START_TEST(an_address_cannot_be_taken)
{
    struct server server;
    server_start(&server, ANY_PORT, "-H", "0");
    play(&server, "a> 10.0.0.1:5555\na~ you 10.0.0.1_5555\na> /nick [::1]:80\n"
                  "a< nick 10.0.0.1_5555 [__1]_80\na> /nick local:1\n"
                  "a< nick [__1]_80 local_1\n");
    server_stop(&server);
}
END_TEST

/* ---- Names that are taken ---- */

static const struct {
    const char *what;
    const char *script;
} clashes[] = {
    {"the first free suffix", "a> ann\na~ you ann\nb> ann\nb~ you ann_2\nc> ann\nc~ you ann_3\n"
                              "b|\na~ quit ann_2 left\nd> ann\nd~ you ann_2\n"},
    {"case is no difference", "a> ann\na~ you ann\nb> ANN\nb~ you ANN_2\nc> Ann_2\n"
                              "c~ you Ann_2_2\nd> aNN\nd~ you aNN_3\n"},
    {"other letters have a case of their own", "a> \xc3\xa4\na~ you \xc3\xa4\n"
                                               "b> \xc3\x84\nb~ you \xc3\x84\n"},
    {"a suffix that somebody has chosen", "a> ann_2\na~ you ann_2\nb> ann\nb~ you ann\n"
                                          "c> ann\nc~ you ann_3\n"},
    {"a suffix at the limit", "a> " X60 "xxxx\na~ you " X60 "xxxx\n"
                              "b> " X60 "xxxx\nb~ you " X60 "xx_2\n"
                              "c> " X60 "xxxxx\nc~ you " X60 "xx_3\n"},
    {"a suffix is not put into a character", "a> " SMILES15 SMILE "\na~ you " SMILES15 SMILE "\n"
                                             "b> " SMILES15 SMILE "\nb~ you " SMILES15 "_2\n"},
    {"renamed to a name that is taken",
        "a> ann\na~ you ann\nb> ben\nb~ you ben\nb> /nick ann\nb< nick ben ann_2\n"
        "b> /nick ANN\nb< error usage ANN is taken\n"},
    {"renamed to one's own name", "a> ann\na~ you ann\na> /nick ann\na< error usage *\n"
                                  "a> /nick  ann \na< error usage *\n"},
    {"one's own name in another case is no other's",
        "a> ann\na~ you ann\na> /nick ANN\na< nick ann ANN\na> /nick ANN\na< error usage *\n"},
    {"a new name is cleaned", "a> ann\na~ you ann\na> /nick ann lee\na< nick ann ann_lee\n"
                              "a> /nick /x\na< nick ann_lee x\na> /nick " X60 X60 "\n"
                              "a< nick x " X60 "xxxx\n"},
    {"a name of nothing", "a> ann\na~ you ann\na> /nick   \na< error usage *\n"
                          "a> /nick \xe3\x80\x80\na< error usage *\n"},
    {"an old name is free at once",
        "a> ann\na~ you ann\na> /nick eve\na< nick ann eve\nb> ann\nb~ you ann\n"
        "a< join ann\na> /nick ann\na< nick eve ann_2\n"},
    {"a poster's new namesake", "p> /post\np> ci\np< you ci\na> ann\na~ you ann\n"
                                "a> /nick ci\na< nick ann ci_2\n"},
};

START_TEST(names_clash)
{
    struct server server;
    server_start(&server, ANY_PORT, "-H", "0");
    play(&server, clashes[_i].script);
    server_stop(&server);
}
END_TEST

/* The number behind `bob_`, 1 for `bob` itself. */
static int bob_number(const char *name)
{
    ck_assert_int_eq(strncmp(name, "bob", 3), 0);
    return name[3] == '\0' ? 1 : atoi(name + 4);
}

/* All ask in the same instant: all get in, no two with one name. */
START_TEST(two_hundred_bobs)
{
    enum { BOBS = 200 };
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0");
    struct conn bobs[BOBS];
    bool taken[BOBS + 1] = {false};
    for (int i = 0; i < BOBS; i++)
        conn_open(&bobs[i], &room.server);
    for (int i = 0; i < BOBS; i++)
        conn_say(&bobs[i], "bob");
    for (int i = 0; i < BOBS; i++) {
        char name[NAME_LEN_MAX + 1];
        conn_seek(&bobs[i], "you *");
        span_copy(name, sizeof name, bobs[i].event.name);
        int number = bob_number(name);
        ck_assert_msg(number >= 1 && number <= BOBS && !taken[number], "%s", name);
        taken[number] = true;
    }
    conn_say(&room.ann, "/users");
    conn_seek(&room.ann, "users *");
    ck_assert_uint_eq(room.ann.event.count, BOBS + 2);
    for (int i = 0; i < BOBS; i++)
        conn_close(&bobs[i]);
    room_close(&room);
}
END_TEST

/* A client that has seen the quit can have the name. */
START_TEST(a_name_is_free_when_its_quit_is_out)
{
    struct room room;
    room_open(&room, ANY_PORT, "-H", "0");
    for (int i = 0; i < 100; i++) {
        struct conn bob;
        conn_join(&bob, &room.server, "bob");
        conn_close(&bob);
        conn_seek(&room.ann, "quit bob left");
    }
    room_close(&room);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {names_are_cleaned, 1, 30},
        {ten_thousand_bytes_are_cut, 1, 20},
        {garbage_gets_some_name, 1, 20},
        {the_address_is_the_name, 1, 20},
        {ipv4_is_ipv4_everywhere, 1, 20},
        {an_address_cannot_be_taken, 1, 20},
        {names_clash, COUNT_OF(clashes), 20},
        {two_hundred_bobs, 1, 60},
        {a_name_is_free_when_its_quit_is_out, 1, 60},
    };
    return tests_run("names", tests, COUNT_OF(tests));
}
