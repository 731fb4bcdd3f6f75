/*
 * Access rules and operators: real files, real addresses, real users of a Unix-domain socket.
 */
#include "compat/os.h"

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static char rules_path[PATH_TEXT_MAX];

static void rules_write(const char *text)
{
    FILE *file;

    test_path(rules_path, "rules");
    file = fopen(rules_path, "w");
    ensure(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s", rules_path);
}

/* Waits until it has said that once more. */
static void says_again(const struct server *server, const char *words, size_t before)
{
    int64_t deadline = deadline_in(5000);

    while (server_times_said(server, words) == before)
        ensure(deadline_wait(deadline), "\"%s\" is not said", words);
}

static void rules_reload(const struct server *server, const char *text)
{
    size_t before = server_times_said(server, " in force");

    rules_write(text);
    kill(server->pid, SIGHUP);
    says_again(server, " in force", before);
}

static void join_from(
    struct conn *conn, const struct server *server, const char *address, const char *name)
{
    conn_open_from(conn, server, address);
    conn_say(conn, "%s", name);
    conn_seek(conn, "you *");
}

static void is_refused(struct conn *conn)
{
    conn_expect(conn, "error not-allowed *");
    conn_expect_end(conn);
    conn_close(conn);
}

/* ---- Addresses ---- */

START_TEST(addresses)
{
    struct server server;
    struct conn ann;
    struct conn ben;
    struct conn conn;

    rules_write("# who\noperator 127.0.0.2\ndeny 127.0.3.0/24\nallow 127.0.0.0/8\n");
    server_start(&server, ANY_PORT, "-A", rules_path);
    join_from(&ann, &server, "127.0.0.2", "ann");
    join_from(&ben, &server, "127.0.2.9", "ben");
    conn_open_from(&conn, &server, "127.0.3.200");
    is_refused(&conn);
    conn_say(&ben, "/kick ann");
    conn_expect(&ben, "error not-allowed *");
    conn_seek(&ann, "join ben");
    conn_say(&ann, "/kick ben no, ann");
    conn_expect(&ann, "quit ben kicked no, ann");
    conn_expect(&ann, "note ben (127.0.2.9) was kicked");
    conn_expect(&ben, "note *: no, ann");
    conn_expect(&ben, "quit ben kicked no, ann");
    conn_expect_end(&ben);
    conn_close(&ben);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

START_TEST(ipv6)
{
    char address[ADDRESS_TEXT_MAX];
    struct server server;
    struct conn conn;

    if (!test_has_ipv6())
        return;
    rules_write("operator ::1/64\n");
    server_start(&server, ANY_PORT, "-l", "[::1]:0", "-A", rules_path);
    server_listens(&server, 1, address);
    conn_open_to(&conn, address);
    conn_say(&conn, "ann\n/help");
    conn_seek(&conn, "note * /kick *");
    conn_close(&conn);
    conn_open(&conn, &server);
    is_refused(&conn);
    server_stop(&server);
}
END_TEST

/* ---- Bans ---- */

/* Another port, another name: the source is refused, over SIGHUP and an upgrade, until it is
 * lifted. */
START_TEST(bans)
{
    struct server server;
    struct conn ann;
    struct conn ben;
    struct conn conn;

    rules_write("operator 127.0.0.2\nallow all\n");
    server_start(&server, ANY_PORT, "-A", rules_path);
    join_from(&ann, &server, "127.0.0.2", "ann");
    join_from(&ben, &server, "127.0.0.3", "ben");
    conn_say(&ann, "/ban ben 30 enough");
    conn_seek(&ann, "quit ben kicked enough");
    conn_expect(&ann, "note ben (127.0.0.3) is banned for 30 minutes");
    conn_expect(&ben, "note *: enough");
    conn_expect(&ben, "quit ben kicked enough");
    conn_expect_end(&ben);
    conn_close(&ben);
    for (int i = 0; i < 3; i++) {
        conn_open_from(&conn, &server, "127.0.0.3");
        is_refused(&conn);
        if (i == 0)
            rules_reload(&server, "operator 127.0.0.2\nallow 127.0.0.0/8\n");
        if (i == 1)
            kill(server.pid, SIGUSR2);
        if (i == 1)
            server_says(&server, "this is chatd");
    }
    kill(server.pid, SIGUSR1);
    server_says(&server, "status: ban: ben (127.0.0.3), 30 minutes left");
    join_from(&conn, &server, "127.0.0.4", "cid");
    conn_close(&conn);
    conn_say(&ann, "/unban ben");
    conn_seek(&ann, "note ben is not banned any more");
    join_from(&ben, &server, "127.0.0.3", "ben");
    conn_close(&ben);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* ---- Proxies ---- */

#define PROXY "127.0.0.9"
#define V2_HEAD "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C"
/* From 198.51.100.1, port 5555. */
static const char v2_header[] = V2_HEAD "\xC6\x33\x64\x01\x7F\0\0\1\x15\xB3\xFF\xA0";

static void v1_open(struct conn *conn, const struct server *server, const char *client)
{
    conn_open_from(conn, server, PROXY);
    conn_say(conn, "PROXY TCP4 %s 127.0.0.1 5555 65432\r", client);
}

/* The client's address is its name and what the rules are for, as both versions tell it. */
START_TEST(proxied_clients)
{
    struct server server;
    struct conn ann;
    struct conn ben;
    struct conn conn;

    rules_write(
        "proxy " PROXY "\noperator 198.51.100.1\ndeny 198.51.100.2\nallow 198.51.100.0/24\n");
    server_start(&server, ANY_PORT, "-A", rules_path);
    conn_open_from(&ann, &server, PROXY);
    ck_assert(conn_send(&ann, v2_header, sizeof v2_header - 1));
    conn_say(&ann, "ann");
    conn_seek(&ann, "you ann");
    server_says(&server, "198.51.100.1:5555: ann joined");
    v1_open(&ben, &server, "198.51.100.3");
    conn_say(&ben, "%s", "");
    conn_seek(&ben, "you 198.51.100.3:5555");
    conn_expect(&ann, "join 198.51.100.3:5555");
    v1_open(&conn, &server, "198.51.100.2");
    is_refused(&conn);
    v1_open(&conn, &server, "127.0.0.9"); /* which the rules do not admit */
    is_refused(&conn);
    conn_open_from(&conn, &server, PROXY);
    conn_say(&conn, "PROXY UNKNOWN\r\nmallory");
    is_refused(&conn);
    conn_say(&ann, "/ban 198.51.100.3:5555");
    conn_seek(&ann, "note 198.51.100.3:5555 (198.51.100.3) is banned *");
    v1_open(&conn, &server, "198.51.100.3");
    is_refused(&conn);
    v1_open(&conn, &server, "198.51.100.4");
    conn_say(&conn, "cid");
    conn_seek(&conn, "you cid");
    conn_close(&conn);
    conn_close(&ben);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* Without a header from a proxy, and with one from anybody else. */
START_TEST(headers_where_they_belong)
{
    struct room room;
    struct conn conn;

    rules_write("proxy " PROXY "\n");
    room_open(&room, ANY_PORT, "-A", rules_path);
    conn_open_from(&conn, &room.server, PROXY);
    conn_say(&conn, "ann");
    is_refused(&conn);
    conn_open(&conn, &room.server);
    conn_say(&conn, "PROXY TCP4 198.51.100.1 127.0.0.1 5555 65432\r\nmallory");
    is_refused(&conn);
    conn_open(&conn, &room.server);
    ck_assert(conn_send(&conn, v2_header, sizeof v2_header - 1));
    is_refused(&conn);
    v1_open(&conn, &room.server, "198.51.100.1");
    ck_assert(conn_send(&conn, v2_header, sizeof v2_header - 1));
    is_refused(&conn);
    room_close(&room);
}
END_TEST

/* A header counts as the session's time for a name. */
START_TEST(a_header_that_is_not_finished)
{
    struct server server;
    struct conn conn;

    rules_write("proxy " PROXY "\n");
    server_start(&server, ANY_PORT, "-L", "2", "-A", rules_path);
    conn_open_from(&conn, &server, PROXY);
    ck_assert(conn_send(&conn, v2_header, 20));
    conn_expect(&conn, "error login-timeout *");
    conn_expect_end(&conn);
    conn_close(&conn);
    server_stop(&server);
}
END_TEST

/* -i counts the client's source, and not the proxy's. */
START_TEST(proxied_crowd)
{
    struct server server;
    struct conn conns[6];
    struct conn conn;

    rules_write("proxy " PROXY "\n");
    server_start(&server, ANY_PORT, "-i", "3", "-A", rules_path);
    for (int i = 0; i < 6; i++) {
        v1_open(&conns[i], &server, i < 3 ? "198.51.100.1" : "198.51.100.2");
        conn_say(&conns[i], "ann");
        conn_seek(&conns[i], "you *");
    }
    v1_open(&conn, &server, "198.51.100.1");
    conn_expect(&conn, "error full *");
    conn_expect_end(&conn);
    conn_close(&conn);
    for (int i = 0; i < 6; i++)
        conn_close(&conns[i]);
    server_stop(&server);
}
END_TEST

/* ---- SIGHUP ---- */

START_TEST(read_again)
{
    struct server server;
    struct conn ann;
    struct conn ben;
    struct conn bot;
    struct conn conn;

    rules_write("operator 127.0.0.2\nallow all\n");
    server_start(&server, ANY_PORT, "-A", rules_path);
    join_from(&ann, &server, "127.0.0.2", "ann");
    join_from(&ben, &server, "127.0.0.3", "ben");
    conn_expect(&ann, "join ben");
    join_from(&bot, &server, "127.0.0.4", "/post\nbot");
    rules_reload(&server, "operator 127.0.0.3\nallow 127.0.0.2\n");
    conn_expect(&bot, "note *");
    conn_expect_end(&bot);
    conn_open_from(&conn, &server, "127.0.0.4");
    is_refused(&conn);
    conn_say(&ann, "/kick ben");
    conn_expect(&ann, "error not-allowed *");
    conn_say(&ben, "/help");
    conn_expect(&ben, "note * /kick *");
    rules_reload(&server, "allow 127.0.0.2\n");
    conn_expect(&ann, "quit ben kicked");
    conn_expect(&ben, "note *");
    conn_expect(&ben, "quit ben kicked");
    conn_expect_end(&ben);
    conn_close(&ben);
    conn_close(&bot);
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* The old rules stay: of a file that is wrong, that is gone, that is something else. */
START_TEST(old_rules_stay)
{
    struct server server;
    struct conn conn;

    rules_write("allow 127.0.0.2\n");
    server_start(&server, ANY_PORT, "-A", rules_path);
    rules_write("allow all\nalow all\n");
    kill(server.pid, SIGHUP);
    server_says(&server, "rules:2: alow: no such rule");
    says_again(&server, "the old rules stay in force", 0);
    unlink(rules_path);
    kill(server.pid, SIGHUP);
    says_again(&server, "the old rules stay in force", 1);
    ck_assert_int_eq(mkfifo(rules_path, 0600), 0);
    kill(server.pid, SIGHUP);
    says_again(&server, "the old rules stay in force", 2);
    server_says(&server, "not a regular file");
    unlink(rules_path);
    conn_open_from(&conn, &server, "127.0.0.3");
    is_refused(&conn);
    conn_open_from(&conn, &server, "127.0.0.2");
    conn_say(&conn, "ann");
    conn_seek(&conn, "you ann");
    conn_close(&conn);
    server_stop(&server);
}
END_TEST

/* They are those of the room, also in the next program, which reads no file. */
START_TEST(upgrade)
{
    struct server server;
    struct conn ann;
    struct conn conn;

    rules_write("operator 127.0.0.2\n");
    server_start(&server, ANY_PORT, "-A", rules_path);
    join_from(&ann, &server, "127.0.0.2", "ann");
    unlink(rules_path);
    kill(server.pid, SIGUSR2);
    server_says(&server, "this is chatd");
    conn_open_from(&conn, &server, "127.0.0.3");
    is_refused(&conn);
    conn_say(&ann, "/kick nobody");
    conn_expect(&ann, "error no-such-user *");
    conn_close(&ann);
    server_stop(&server);
}
END_TEST

/* ---- The start ---- */

static const struct {
    const char *text; /* NULL: there is no file */
    const char *said;
} wrong_rows[] = {
    {"allow all\n\ndeny everybody\n", "rules:3: everybody: no ADDRESS"},
    {"allow", "rules:1: who is missing"},
    {NULL, "rules: No such file"},
};

START_TEST(wrong_files)
{
    struct server server;

    rules_write(wrong_rows[_i].text == NULL ? "" : wrong_rows[_i].text);
    if (wrong_rows[_i].text == NULL)
        unlink(rules_path);
    server_spawn(&server, NULL, (const char *const[]){"-l", "127.0.0.1:0", "-A", rules_path, NULL});
    ck_assert_int_eq(server_exit(&server, 5000), EX_CONFIG);
    server_says(&server, wrong_rows[_i].said);
}
END_TEST

/* ---- Users ---- */

/* Connects as another user, whose groups are that one and the supplementary one. */
static void open_as(struct conn *conn, const char *path, const char *login, const char *group)
{
    const struct passwd *pw = getpwnam(login);
    const struct group *gr = group == NULL ? NULL : getgrnam(group);
    gid_t groups[1] = {gr == NULL ? 0 : gr->gr_gid};

    ensure(pw != NULL && (group == NULL || gr != NULL), "there is no %s", login);
    ck_assert_int_eq(setgroups(gr != NULL, groups), 0);
    ck_assert_int_eq(setegid(pw->pw_gid), 0);
    ck_assert_int_eq(seteuid(pw->pw_uid), 0);
    conn_open_to(conn, path);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(0), 0);
    ck_assert_int_eq(setgroups(0, NULL), 0);
}

/* Others may reach what the tests have in their directory. */
static void directory_open(const char *path)
{
    char directory[PATH_TEXT_MAX];

    snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '/') - path), path);
    ck_assert_int_eq(chmod(directory, 0755), 0);
}

static bool has_users(void)
{
    if (geteuid() == 0 && getpwnam("daemon") != NULL && getpwnam("bin") != NULL &&
        getgrnam("daemon") != NULL && getgrnam("games") != NULL)
        return true;
    test_skip("not root, or no users daemon and bin");
    return false;
}

START_TEST(users_and_groups)
{
    char path[PATH_TEXT_MAX];
    struct server server;
    struct conn boss;
    struct conn player;
    struct conn conn;

    if (!has_users())
        return;
    test_path(path, "sock");
    directory_open(path);
    rules_write("operator user bin\ndeny user daemon\nallow group games\nallow group daemon\n"
                "allow user no-such-login\nallow group no-such-group\n");
    server_start(&server, "-l", path, "-M", "0666", "-A", rules_path);
    server_says(&server, "rules:5: no-such-login is no login here; the rule matches nobody");
    server_says(&server, "rules:6: no-such-group is no group here; the rule matches nobody");
    open_as(&boss, path, "bin", NULL);
    conn_say(&boss, "boss");
    conn_seek(&boss, "you boss");
    open_as(&player, path, "nobody", "games");
    conn_say(&player, "player");
    conn_seek(&player, "you player");
    conn_expect(&boss, "join player");
    open_as(&conn, path, "daemon", "games");
    is_refused(&conn);
    open_as(&conn, path, "nobody", NULL);
    is_refused(&conn);
    rules_reload(&server, "operator user bin\nallow group daemon\n");
    conn_expect(&boss, "quit player kicked");
    open_as(&conn, path, "daemon", NULL);
    conn_say(&conn, "demon");
    conn_seek(&conn, "you demon");
    conn_seek(&boss, "join demon");
    conn_say(&boss, "/ban demon");
    conn_expect(&boss, "quit demon kicked");
    conn_expect(&boss, "note demon (uid 1) is banned for 60 minutes");
    conn_close(&conn);
    open_as(&conn, path, "daemon", NULL);
    is_refused(&conn);
    conn_close(&player);
    conn_close(&boss);
    server_stop(&server);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {addresses, 1, 10},
        {ipv6, 1, 10},
        {bans, 1, 20},
        {proxied_clients, 1, 20},
        {headers_where_they_belong, 1, 20},
        {a_header_that_is_not_finished, 1, 20},
        {proxied_crowd, 1, 20},
        {read_again, 1, 10},
        {old_rules_stay, 1, 20},
        {upgrade, 1, 10},
        {wrong_files, COUNT_OF(wrong_rows), 10},
        {users_and_groups, 1, 20},
    };

    return tests_run("rules", tests, COUNT_OF(tests));
}
