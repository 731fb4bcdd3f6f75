/* test_view.c: lines of the wire go in, and what people and scripts see comes out. */
#include "../client/local.h"
#include "../client/view.h"
#include "wire/unicode.h"
#include "wire/utf8.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define BAD "\xEF\xBF\xBD"
#define WIDE "\xE4\xBD\xA0"

/* The clock is an hour ahead of UTC. */
#define T0 "2026-11-22T20:42:07.000001Z "
#define DAY_BEFORE "2026-11-21T22:59:59.999999Z "
#define MIDNIGHT "2026-11-22T23:00:00.000000Z "

/* What a server says at first to somebody who is called ann. */
#define WELCOME T0 "here ann Bob carol\n" T0 "users 3\n" T0 "you ann\n"

static enum view_notice show_line(
    struct view *view, const char *line, size_t len, struct outbuf *out)
{
    struct event event;

    if (!event_parse(&event, line, len))
        ck_abort_msg("no event: %.*s", (int)len, line);
    return view_event(view, &event, out);
}

/* Shows each line, and returns how many of them deserved a bell. */
static unsigned show(struct view *view, const char *lines, struct outbuf *out)
{
    unsigned bells = 0;

    for (const char *end; (end = strchr(lines, '\n')) != NULL; lines = end + 1)
        bells += show_line(view, lines, (size_t)(end - lines), out) == NOTICE_MENTION;
    return bells;
}

static void check_shown(struct view *view, const char *lines, const char *expected)
{
    struct outbuf out = {0};

    show(view, lines, &out);
    outbuf_add(&out, "", 1);
    ck_assert(!out.lost);
    ck_assert_str_eq(out.at, expected);
    outbuf_free(&out);
}

/* ---- What a pipe gets ---- */

#define P0 "2026-11-22 21:42:07 "

#define CONTROLS_16 "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
#define CONTROLS_64 CONTROLS_16 CONTROLS_16 CONTROLS_16 CONTROLS_16
#define BAD_7 BAD BAD BAD BAD BAD BAD BAD

static const struct sight {
    const char *lines;
    const char *shown;
} pipe_sights[] = {
    {WELCOME, P0 "-- you are ann, 3 here: ann Bob carol\n"},
    {T0 "msg bob hi there\n", P0 "bob: hi there\n"},
    /* Beyond the seconds that 32 bits hold. */
    {"2038-01-19T03:14:08.000000Z msg bob later\n", "2038-01-19 04:14:08 bob: later\n"},
    {"9999-12-31T22:59:59.999999Z msg bob last\n", "9999-12-31 23:59:59 bob: last\n"},
    {T0 "msg bob  a  b\tc \n", P0 "bob:  a  b\tc \n"},
    {T0 "me bob waves\n", P0 "* bob waves\n"},
    {T0 "priv bob ann psst\n", P0 "bob -> ann: psst\n"},
    {T0 "post ci deploy done\n", P0 "ci*: deploy done\n"},
    {T0 "note the server stops\n", P0 "-- the server stops\n"},
    {T0 "error no-such-user nobody here has that name\n",
        P0 "-- no-such-user: nobody here has that name\n"},
    {T0 "gap 12 0\n", P0 "-- 12 lines are missing here\n"},
    {T0 "gap 1 0\n", P0 "-- 1 line is missing here\n"},
    {T0 "gap ? 0\n", P0 "-- some lines are missing here\n"},
    {T0 "gap 12 3\n", P0 "-- 12 lines are missing here, your own among them: 3\n"},
    {T0 "token abcdef\n" T0 "resumed 3\n" T0 "here a b\n" T0 "users 2\n", ""},
    {T0 "msg [::1]:5555 hi\n", P0 "[::1]:5555: hi\n"},
    /* in the past nobody knows how many there were */
    {T0 "join bob\n", P0 "-- bob joined\n"},
    {T0 "quit bob left\n", P0 "-- bob left\n"},
    /* joins and quits count */
    {WELCOME T0 "join dave\n",
        P0 "-- you are ann, 3 here: ann Bob carol\n" P0 "-- dave joined, 4 here\n"},
    {WELCOME T0 "quit Bob left\n" T0 "quit carol left bye, all\n",
        P0 "-- you are ann, 3 here: ann Bob carol\n" P0 "-- Bob left, 2 here\n" P0
           "-- carol left, 1 here: bye, all\n"},
    {WELCOME T0 "quit Bob lost\n" T0 "quit x kicked\n" T0 "quit y crashed\n" T0 "quit z bored\n",
        P0 "-- you are ann, 3 here: ann Bob carol\n" P0 "-- Bob lost the connection, 2 here\n" P0
           "-- x was kicked out, 1 here\n" P0 "-- y crashed, 0 here\n" P0
           "-- z is gone, bored, 0 here\n"},
    {WELCOME T0 "nick Bob bert\n" T0 "users 3\n",
        P0 "-- you are ann, 3 here: ann Bob carol\n" P0 "-- Bob is now bert\n" P0 "-- 3 here\n"},
    /* /users is the truth about who is here, at any time */
    {WELCOME T0 "join dave\n" T0 "here zed ann\n" T0 "here bob BOB\n" T0 "users 3\n" T0
                "quit zed left\n" T0 "here ann bob\n" T0 "users 2\n",
        P0 "-- you are ann, 3 here: ann Bob carol\n" P0 "-- dave joined, 4 here\n" P0
           "-- 3 here: ann bob zed\n" P0 "-- zed left, 2 here\n" P0 "-- 2 here: ann bob\n"},
    /* days are in the line, nothing stands between lines */
    {DAY_BEFORE "msg bob a\n" T0 "msg bob b\n" WELCOME MIDNIGHT "msg bob c\n",
        "2026-11-21 23:59:59 bob: a\n" P0 "bob: b\n" P0 "-- you are ann, 3 here: ann Bob carol\n"
        "2026-11-23 00:00:00 bob: c\n"},
    /* what a server must not say */
    {T0 "msg bob a\x1b[31mb\x07\r\xC2\x9B\xE2\x80\xAE\xFF\n",
        P0 "bob: a" BAD "[31mb" BAD BAD BAD BAD BAD "\n"},
    {T0 "msg b\x1b]0;x\x07 hi\n", P0 "b" BAD "]0;x" BAD ": hi\n"},
    {T0 "me \x9B a\n", P0 "* " BAD " a\n"},
    {T0 "priv \x1b \x1b \x1b\n", P0 BAD " -> " BAD ": " BAD "\n"},
    {T0 "note \x1b[2J\n", P0 "-- " BAD "[2J\n"},
    {T0 "error \x1b \x1b\n", P0 "-- " BAD ": " BAD "\n"},
    {T0 "quit \x1b \x1b \x1b\n", P0 "-- " BAD " is gone, " BAD ": " BAD "\n"},
    {T0 "nick \x1b \x1b\n", P0 "-- " BAD " is now " BAD "\n"},
    {T0 "here \x1b[2J ann\n" T0 "users 2\n" T0 "you \x1b\n",
        P0 "-- you are " BAD ", 2 here: ann " BAD "[2J\n"},
    {T0 "join " CONTROLS_64 "\n", P0 "-- " BAD_7 BAD_7 BAD_7 " joined\n"},
    {"9999-12-31T23:59:59.999999Z msg bob late\n", "10000-01-01 00:59:59 bob: late\n"},
    {"1970-01-01T00:00:00.000000Z msg bob early\n", "1970-01-01 01:00:00 bob: early\n"},
};

START_TEST(pipe_line_by_line)
{
    struct view view = {0};

    check_shown(&view, pipe_sights[_i].lines, pipe_sights[_i].shown);
    view_free(&view);
}
END_TEST

static const struct sight quiet_sights[] = {
    {WELCOME, P0 "-- you are ann\n"},
    {WELCOME T0 "join x\n" T0 "quit x left\n", P0 "-- you are ann\n"},
    {WELCOME T0 "note hi\n", P0 "-- you are ann\n" P0 "-- hi\n"},
    {WELCOME T0 "msg x hi\n" T0 "nick x y\n" T0 "gap 1 0\n",
        P0 "-- you are ann\n" P0 "x: hi\n" P0 "-- x is now y\n" P0 "-- 1 line is missing here\n"},
    {WELCOME T0 "join x\n" T0 "here ann x\n" T0 "users 2\n",
        P0 "-- you are ann\n" P0 "-- 2 here: ann x\n"},
};

START_TEST(quiet_pipe)
{
    struct view view = {.quiet = true};

    check_shown(&view, quiet_sights[_i].lines, quiet_sights[_i].shown);
    view_free(&view);
}
END_TEST

/* ---- What people see ---- */

static const struct sight terminal_sights[] = {
    {WELCOME, "21:42 -- you are ann, 3 here: ann Bob carol\n"},
    {WELCOME T0 "msg bob hi\n" T0 "msg ann ho\n",
        "21:42 -- you are ann, 3 here: ann Bob carol\n21:42 bob: hi\n21:42 ann: ho\n"},
    /* the past stands between two marks */
    {T0 "msg bob hi\n" T0 "join carol\n" WELCOME, "-- earlier, Sunday 2026-11-22 --\n"
                                                  "21:42 bob: hi\n21:42 -- carol joined\n"
                                                  "-- now --\n"
                                                  "21:42 -- you are ann, 3 here: ann Bob carol\n"},
    /* ... where something was said in it */
    {T0 "gap 5 0\n" T0 "join bob\n" WELCOME,
        "21:42 -- 5 lines are missing here\n21:42 -- bob joined\n"
        "21:42 -- you are ann, 3 here: ann Bob carol\n"},
    {T0 "error password wrong secret\n", "21:42 -- password: wrong secret\n"},
    {T0 "join x\n" T0 "join y\n" T0 "msg bob hi\n" WELCOME,
        "-- earlier, Sunday 2026-11-22 --\n21:42 -- x joined\n21:42 -- y joined\n21:42 bob: hi\n"
        "-- now --\n21:42 -- you are ann, 3 here: ann Bob carol\n"},
    {DAY_BEFORE "join x\n" T0 "msg bob hi\n" WELCOME,
        "-- earlier, Saturday 2026-11-21 --\n23:59 -- x joined\n-- Sunday 2026-11-22 --\n"
        "21:42 bob: hi\n-- now --\n21:42 -- you are ann, 3 here: ann Bob carol\n"},
    {DAY_BEFORE "join x\n" T0 "join y\n" WELCOME,
        "23:59 -- x joined\n-- Sunday 2026-11-22 --\n21:42 -- y joined\n"
        "21:42 -- you are ann, 3 here: ann Bob carol\n"},
    /* days */
    {DAY_BEFORE "msg bob a\n" T0 "msg bob b\n" WELCOME MIDNIGHT "msg bob c\n" MIDNIGHT
                "msg bob d\n",
        "-- earlier, Saturday 2026-11-21 --\n"
        "23:59 bob: a\n"
        "-- Sunday 2026-11-22 --\n"
        "21:42 bob: b\n"
        "-- now --\n"
        "21:42 -- you are ann, 3 here: ann Bob carol\n"
        "-- Monday 2026-11-23 --\n"
        "00:00 bob: c\n"
        "00:00 bob: d\n"},
    {DAY_BEFORE "msg bob a\n" WELCOME, "-- earlier, Saturday 2026-11-21 --\n"
                                       "23:59 bob: a\n"
                                       "-- now --\n"
                                       "-- Sunday 2026-11-22 --\n"
                                       "21:42 -- you are ann, 3 here: ann Bob carol\n"},
};

START_TEST(terminal_with_marks)
{
    struct view view = {.terminal = true, .columns = 80};

    check_shown(&view, terminal_sights[_i].lines, terminal_sights[_i].shown);
    view_free(&view);
}
END_TEST

START_TEST(quiet_terminal_ends_the_past)
{
    struct view view = {.terminal = true, .quiet = true};

    check_shown(&view, T0 "msg bob a\n" WELCOME T0 "msg bob b\n",
        "-- earlier, Sunday 2026-11-22 --\n21:42 bob: a\n-- now --\n21:42 -- you are ann\n"
        "21:42 bob: b\n");
    view_free(&view);
}
END_TEST

/* A connection that comes back shows what was missed as past, under the name it had. */
START_TEST(another_connection)
{
    struct view view = {.terminal = true, .columns = 80};

    check_shown(&view, WELCOME T0 "join dave\n",
        "21:42 -- you are ann, 3 here: ann Bob carol\n21:42 -- dave joined, 4 here\n");
    view_restart(&view);
    ck_assert_ptr_null(people_other(&view.people, COMPLETION_NAMES, 0));
    check_shown(&view,
        T0 "msg bob hi ann\n" T0 "quit bob lost\n" T0 "here ann\n" T0 "users 1\n" T0 "you ann\n" T0
           "msg carol x\n",
        "-- earlier, Sunday 2026-11-22 --\n21:42 bob: hi ann\n21:42 -- bob lost the connection\n"
        "-- now --\n21:42 -- you are ann, 1 here: ann\n21:42 carol: x\n");
    view_free(&view);
}
END_TEST

/* A name that was not available is reported, at first and at a connection that comes back. */
START_TEST(another_name)
{
    static const struct {
        const char *asked, *you, *shown;
    } rows[] = {
        {"ann", "ann", "you are ann"},
        {"ann", "Ann", "you are Ann"},
        {"", "127.0.0.1:1234", "you are 127.0.0.1:1234"},
        {"ann", "ann_2", "ann is taken; you are ann_2"},
        {"Ann_b", "Ann_b_12", "Ann_b is taken; you are Ann_b_12"},
        {"ann", "~ann", "ann is not available; you are ~ann"},
        {"ann", "bob_2", "ann is not available; you are bob_2"},
        {"ann", "ann_x", "ann is not available; you are ann_x"},
        {"a b", "a_b", "a b cannot be a name; you are a_b"},
        {" /ann\t", "ann", "/ann cannot be a name; you are ann"},
        {" ann ", "ann", "you are ann"},
        {"a b", "a_b_2", "a_b is taken; you are a_b_2"},
        {"a\x1b[2Jb", "a_[2Jb", "a" BAD "[2Jb cannot be a name; you are a_[2Jb"},
        {"0123456789012345678901234567890123456789012345678901234567890123456789",
            "0123456789012345678901234567890123456789012345678901234567890123",
            "012345678901234567890123456789012345678901234567890123456789... cannot be a name; you "
            "are 0123456789012345678901234567890123456789012345678901234567890123"},
    };
    struct view view = {.quiet = true};
    char lines[200], shown[300];

    asked_set(&view.people.asked, (struct span){rows[_i].asked, strlen(rows[_i].asked)});
    snprintf(lines, sizeof lines, T0 "you %s\n", rows[_i].you);
    snprintf(shown, sizeof shown, P0 "-- %s\n", rows[_i].shown);
    check_shown(&view, lines, shown);
    view_restart(&view);
    snprintf(lines, sizeof lines, T0 "you %.60s_2\n", rows[_i].you);
    snprintf(
        shown, sizeof shown, P0 "-- %s is taken; you are %.60s_2\n", rows[_i].you, rows[_i].you);
    check_shown(&view, lines, shown);
    view_free(&view);
}
END_TEST

/* So it is told of a name that was asked for later. */
START_TEST(another_nick)
{
    struct view view = {.quiet = true};
    struct outbuf out = {0};
    char typed[] = "/Nick bob";

    check_shown(&view, T0 "you ann\n", P0 "-- you are ann\n");
    ck_assert(!local_command(&view, (struct span){typed, strlen(typed)}, &out));
    check_shown(&view, T0 "nick ann bob_2\n", P0 "-- bob is taken; ann is now bob_2\n");
    check_shown(&view, T0 "nick carol bob_3\n", P0 "-- carol is now bob_3\n");
    check_shown(&view, T0 "nick bob_2 bob\n", P0 "-- bob_2 is now bob\n");
    ck_assert(!local_command(&view, (struct span){"/nick b:b", 9}, &out));
    check_shown(&view, T0 "nick bob b_b\n", P0 "-- b:b cannot be a name; bob is now b_b\n");
    view_free(&view);
}
END_TEST

#define DIM "\x1b[2m"
#define BOLD "\x1b[1m"
#define REVERSE "\x1b[7m"
#define OFF "\x1b[m"
#define DIM_TIME DIM "21:42 "

static const struct sight colour_sights[] = {
    {T0 "msg ann hi\n", DIM_TIME OFF "\x1b[32mann: hi" OFF "\n"},
    {T0 "me ANN waves\n", DIM_TIME OFF "\x1b[32m* ANN waves" OFF "\n"},
    {T0 "priv ann bob hi\n", DIM_TIME OFF "\x1b[32m\x1b[1mann -> bob: hi" OFF "\n"},
    {T0 "msg bob hi\n", DIM_TIME OFF "\x1b[38;5;128mbob:" OFF " hi" OFF "\n"},
    {T0 "msg BOB hi\n", DIM_TIME OFF "\x1b[38;5;128mBOB:" OFF " hi" OFF "\n"},
    {T0 "me bob waves\n", DIM_TIME OFF "* \x1b[38;5;128mbob" OFF " waves" OFF "\n"},
    {T0 "priv bob ann hi\n", DIM_TIME OFF "\x1b[1m\x1b[38;5;128mbob -> ann:" OFF " hi" OFF "\n"},
    {T0 "post carol hi\n", DIM_TIME OFF "\x1b[38;5;30mcarol*:" OFF " hi" OFF "\n"},
    {T0 "msg bob hi ann\n", DIM_TIME OFF REVERSE "\x1b[38;5;128mbob:" OFF BOLD " hi ann" OFF "\n"},
    {T0 "me bob pokes ANN\n",
        DIM_TIME OFF "* " REVERSE "\x1b[38;5;128mbob" OFF BOLD " pokes ANN" OFF "\n"},
    {T0 "msg ann I am ann\n", DIM_TIME OFF "\x1b[32mann: I am ann" OFF "\n"},
    {T0 "join bob\n", DIM_TIME "-- bob joined, 4 here" OFF "\n"},
    {T0 "quit Bob left\n", DIM_TIME "-- Bob left, 2 here" OFF "\n"},
    {T0 "nick Bob bert\n", DIM_TIME "-- Bob is now bert" OFF "\n"},
    {T0 "note hi\n", DIM_TIME OFF "-- hi" OFF "\n"},
    {T0 "error busy wait\n", DIM_TIME OFF "\x1b[31m-- busy: wait" OFF "\n"},
    {MIDNIGHT "note hi\n",
        DIM "-- Monday 2026-11-23 --" OFF "\n" DIM "00:00 " OFF "-- hi" OFF "\n"},
    {T0 "nick ann anna\n" T0 "msg anna hi\n",
        DIM_TIME "-- ann is now anna" OFF "\n" DIM_TIME OFF "\x1b[32manna: hi" OFF "\n"},
};

START_TEST(colour_of_the_present)
{
    struct view view = {.terminal = true, .colour = COLOUR_256, .columns = 80};

    check_shown(&view, WELCOME, DIM_TIME "-- you are ann, 3 here: ann Bob carol" OFF "\n");
    check_shown(&view, colour_sights[_i].lines, colour_sights[_i].shown);
    view_free(&view);
}
END_TEST

START_TEST(colour_of_the_past)
{
    struct view view = {.terminal = true, .colour = COLOUR_256, .columns = 80};

    asked_set(&view.people.asked, (struct span){"carol", 5});
    check_shown(&view, T0 "msg bob hi\n" T0 "me ann ho\n" T0 "msg ann hey carol\n",
        DIM "-- earlier, Sunday 2026-11-22 --" OFF "\n" DIM_TIME "bob: hi" OFF "\n" DIM_TIME
            "* ann ho" OFF "\n" DIM_TIME "ann:" OFF BOLD " hey carol" OFF "\n");
    view_free(&view);
}
END_TEST

/* The colour in which a name is shown. */
static int colour_of(struct view *view, const char *name)
{
    struct outbuf out = {0};
    char line[100];
    int colour = 0;

    snprintf(line, sizeof line, T0 "msg %s hi\n", name);
    show(view, line, &out);
    outbuf_add(&out, "", 1);
    if (view->colour == COLOUR_256)
        ck_assert_int_eq(sscanf(out.at, DIM "%*d:%*d " OFF "\x1b[38;5;%dm", &colour), 1);
    else
        ck_assert_int_eq(sscanf(out.at, DIM "%*d:%*d " OFF "\x1b[%dm", &colour), 1);
    outbuf_free(&out);
    return colour;
}

/* Sixteen who talk have colours of their own, which they keep; so does one with another name. */
START_TEST(names_have_colours)
{
    static const char *const names[] = {"ann", "bob", "carol", "dave", "eve", "frank", "grace",
        "heidi", "ivan", "judy", "ken", "mallory", "oscar", "peggy", "trent", "walter"};
    struct view view = {.terminal = true, .colour = COLOUR_256, .when = VIEW_PRESENT};
    struct outbuf out = {0};
    bool seen[256] = {false};
    int colours[COUNT_OF(names)];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        colours[i] = colour_of(&view, names[i]);
        ck_assert_msg(!seen[colours[i]], "%s has the colour of another name", names[i]);
        seen[colours[i]] = true;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++)
        ck_assert_int_eq(colour_of(&view, names[i]), colours[i]);
    show(&view, T0 "nick bob robert\n", &out);
    ck_assert_int_eq(colour_of(&view, "robert"), colours[1]);
    for (int i = 0; i < 100; i++) {
        char name[20];

        snprintf(name, sizeof name, "name%d", i);
        colour_of(&view, name);
    }
    outbuf_free(&out);
    view_free(&view);
}
END_TEST

/* The eight colours of every terminal, without green. */
START_TEST(names_have_basic_colours)
{
    struct view view = {.terminal = true, .colour = COLOUR_BASIC, .when = VIEW_PRESENT};

    for (int i = 0; i < 100; i++) {
        char name[20];
        int colour;

        snprintf(name, sizeof name, "name%d", i);
        colour = colour_of(&view, name);
        ck_assert(colour >= 31 && colour <= 36 && colour != 32);
    }
    view_free(&view);
}
END_TEST

/* ---- Rows ---- */

#define TEN "0123456789"
#define MARKS_5 "\xCC\x81\xCC\x81\xCC\x81\xCC\x81\xCC\x81"

static const struct {
    unsigned columns;
    const char *text;
    const char *shown;
} rows[] = {
    {40, "0123456789 0123456789 01234567", "21:42 b: 0123456789 0123456789 01234567\n"},
    {40, "0123456789 0123456789 0123456789", "21:42 b: 0123456789 0123456789\n      0123456789\n"},
    {40, "0123456789 0123456789 012345678 x",
        "21:42 b: 0123456789 0123456789 012345678\n      x\n"},
    {40, "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m",
        "21:42 b: a b c d e f g h i j k l m n o p\n"
        "      q r s t u v w x y z a b c d e f g\n"
        "      h i j k l m\n"},
    {20, "a b c d e f g h i", "21:42 b: a b c d e f\n  g h i\n"},
    /* blanks are kept within a row, and go where it is broken or ends */
    {40, "a  b   c", "21:42 b: a  b   c\n"},
    {40, "0123456789 0123456789 01234567   x",
        "21:42 b: 0123456789 0123456789 01234567\n      x\n"},
    {20, "a                                  b", "21:42 b: a\n  b\n"},
    {20, "a                                   ", "21:42 b: a\n"},
    {40, "a\tb\tc", "21:42 b: a      b       c\n"},
    /* what is longer than a row is the terminal's to break */
    {20, TEN TEN TEN, "21:42 b: " TEN TEN TEN "\n"},
    {20, "see " TEN TEN TEN " there you are all",
        "21:42 b: see " TEN TEN TEN " there you are\n  all\n"},
    /* wide characters may be broken anywhere, and stand wholly in a row */
    {20, WIDE WIDE WIDE WIDE WIDE WIDE WIDE,
        "21:42 b: " WIDE WIDE WIDE WIDE WIDE "\n  " WIDE WIDE "\n"},
    {20, "a" WIDE WIDE WIDE WIDE WIDE WIDE WIDE,
        "21:42 b: a" WIDE WIDE WIDE WIDE WIDE "\n  " WIDE WIDE "\n"},
    {20, "abcdefghijk" WIDE "b", "21:42 b: abcdefghijk\n  " WIDE "b\n"},
    {20, "e\xCC\x81 e\xCC\x81 e\xCC\x81 e\xCC\x81 e\xCC\x81 e\xCC\x81",
        "21:42 b: e\xCC\x81 e\xCC\x81 e\xCC\x81 e\xCC\x81 e\xCC\x81 e\xCC\x81\n"},
    /* a blank is the base of what combines with it, in a row and at a break */
    {40, "a " MARKS_5 " " MARKS_5, "21:42 b: a " MARKS_5 " " MARKS_5 "\n"},
    {40, "a\t" MARKS_5 "\t" MARKS_5, "21:42 b: a      " MARKS_5 "        " MARKS_5 "\n"},
    {20, "abcdefghijk " MARKS_5 " " MARKS_5 "b",
        "21:42 b: abcdefghijk\n  " MARKS_5 " " MARKS_5 "b\n"},
    {20, "abcdefghij  " MARKS_5, "21:42 b: abcdefghij\n  " MARKS_5 "\n"},
    /* a screen of no width at all */
    {1, "a bc", "21:42 b: a bc\n"},
};

START_TEST(rows_of_a_long_message)
{
    struct view view = {.terminal = true, .columns = rows[_i].columns, .when = VIEW_PRESENT};
    char line[200];

    snprintf(line, sizeof line, T0 "msg b %s\n", rows[_i].text);
    check_shown(&view, line, rows[_i].shown);
    view_free(&view);
}
END_TEST

/* Colours take no room. */
START_TEST(rows_in_colour)
{
    struct view view = {
        .terminal = true, .colour = COLOUR_256, .columns = 20, .when = VIEW_PRESENT};

    check_shown(&view, T0 "msg bob abcde fg hi\n",
        DIM_TIME OFF "\x1b[38;5;128mbob:" OFF " abcde fg\n  hi" OFF "\n");
    view_free(&view);
}
END_TEST

/* ---- Ctrl-L ---- */

/* The latest lines are drawn again, as many as have room, for the width that there is now. */
START_TEST(the_latest_is_drawn_again)
{
    static const struct {
        unsigned columns;
        size_t rows;
        const char *shown;
    } table[] = {
        {80, 10, "21:42 b: one\n21:42 b: two two two\n21:42 b: three\nchat: hello\n"},
        {80, 2, "21:42 b: three\nchat: hello\n"},
        {80, 0, ""},
        {20, 10, "21:42 b: one\n21:42 b: two two two\n21:42 b: three\nchat: hello\n"},
        {16, 10, "21:42 b: one\n21:42 b: two two\n  two\n21:42 b: three\nchat: hello\n"},
        {16, 3, "21:42 b: three\nchat: hello\n"},
        {8, 5, "21:42 b:\n  three\nchat:\n  hello\n"},
    };
    struct view view = {.terminal = true, .columns = 80, .when = VIEW_PRESENT};
    struct outbuf out = {0};

    show(&view, T0 "msg b one\n" T0 "msg b two two two\n" T0 "msg b three\n", &out);
    view_line(&view, (struct span){"chat: hello", 11}, &out);
    out.len = 0;
    view.columns = table[_i].columns;
    view_redraw(&view, table[_i].rows, &out);
    outbuf_add(&out, "", 1);
    ck_assert_str_eq(out.at, table[_i].shown);
    outbuf_free(&out);
    view_free(&view);
}
END_TEST

/* What a terminal folds takes as many rows as it has there. */
START_TEST(rows_of_text)
{
    static const struct {
        const char *text;
        size_t columns;
        size_t rows;
    } table[] = {{"", 10, 0}, {"a", 10, 1}, {"a\n", 10, 1}, {"a\nb", 10, 2}, {TEN, 10, 1},
        {TEN "a", 10, 2}, {TEN TEN, 10, 2}, {"a" WIDE WIDE, 4, 2}, {DIM "abcd" OFF "\n", 4, 1},
        {"\n\n", 4, 2}};

    ck_assert_uint_eq(
        text_rows(table[_i].text, strlen(table[_i].text), table[_i].columns), table[_i].rows);
}
END_TEST

/* However much comes, the memory for it has an end, and whole lines are kept. */
START_TEST(the_latest_has_a_limit)
{
    struct view view = {.terminal = true, .columns = 80, .when = VIEW_PRESENT};
    struct outbuf out = {0};

    for (int i = 0; i < 20000; i++) {
        char line[100];

        snprintf(line, sizeof line, T0 "msg b message number %d\n", i);
        show(&view, line, &out);
        out.len = 0;
    }
    ck_assert_uint_lt(view.recent.text.size, 1 << 20);
    view_redraw(&view, 2, &out);
    outbuf_add(&out, "", 1);
    ck_assert_str_eq(out.at, "21:42 b: message number 19998\n21:42 b: message number 19999\n");
    out.len = 0;
    view_redraw(&view, 1000000, &out);
    ck_assert_int_eq(strncmp(out.at, "21:42 b: message number ", 24), 0);
    outbuf_free(&out);
    view_free(&view);
}
END_TEST

/* ---- Commands of the client ---- */

/* A step: a line that begins with `/` is typed, others come. */
static const struct sight local_sights[] = {
    {"/ignore bob\n" T0 "msg bob a\n" T0 "msg carol b\n", "-- bob is ignored\n" P0 "carol: b\n"},
    {"/IGNORE Bob\n" T0 "msg BOB a\n" T0 "me bob a\n" T0 "post bob a\n" T0 "priv bob ann a\n",
        "-- Bob is ignored\n"},
    {"/ignore bob\n" T0 "join bob\n" T0 "quit bob left\n",
        "-- bob is ignored\n" P0 "-- bob joined\n" P0 "-- bob left\n"},
    {"/ignore bob\n" T0 "nick bob rob\n" T0 "msg rob a\n" T0 "msg bob b\n",
        "-- bob is ignored\n" P0 "-- bob is now rob\n" P0 "bob: b\n"},
    {"/ignore bob\n/unignore BOB\n" T0 "msg bob a\n",
        "-- bob is ignored\n-- BOB is not ignored any more\n" P0 "bob: a\n"},
    {"/unignore bob\n", "-- bob was not ignored\n"},
    {"/ignore\n/ignore a\n/ignore b\n/ignore \n",
        "-- nobody is ignored\n-- a is ignored\n-- b is ignored\n-- ignored: a b\n"},
    {"/unignore\n", "-- use: /unignore NAME\n"},
    /* the text of a quit is a message, too, unless an operator has given it */
    {"/ignore bob\n" T0 "quit BOB left rude words\n" T0 "quit bob kicked enough\n" T0
     "quit carol left bye\n",
        "-- bob is ignored\n" P0 "-- BOB left\n" P0 "-- bob was kicked out: enough\n" P0
        "-- carol left: bye\n"},
    {"/HELP me\n", ""},
    {"//ignore bob\n/ignored bob\n/msg bob a\n" T0 "msg bob a\n", P0 "bob: a\n"},
};

/* The time before an answer is that of now. */
static void add_without_time(struct outbuf *all, const struct outbuf *answer)
{
    ck_assert_uint_gt(answer->len, strlen(P0));
    outbuf_add(all, answer->at + strlen(P0), answer->len - strlen(P0));
}

START_TEST(commands_of_the_client)
{
    const char *at = local_sights[_i].lines;
    struct view view = {0};
    struct outbuf all = {0};

    for (const char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        struct outbuf out = {0};
        struct span line = {at, (size_t)(end - at)};

        if (*at != '/')
            show_line(&view, line.at, line.len, &all);
        else if (local_command(&view, line, &out))
            add_without_time(&all, &out);
        outbuf_free(&out);
    }
    outbuf_add(&all, "", 1);
    ck_assert_str_eq(all.at, local_sights[_i].shown);
    outbuf_free(&all);
    view_free(&view);
}
END_TEST

/* ---- Who is here ---- */

START_TEST(long_list_is_a_count)
{
    struct view view = {.terminal = true, .columns = 80};
    struct outbuf out = {0};

    for (int i = 0; i < 2000; i++) {
        char line[100];

        snprintf(line, sizeof line, T0 "here name%04d\n", i);
        show(&view, line, &out);
    }
    ck_assert_uint_eq(out.len, 0);
    check_shown(
        &view, T0 "users 2000\n" T0 "you name0007\n", "21:42 -- you are name0007, 2000 here\n");
    /* asked for, it is told: 455 names have 4096 bytes with a blank each */
    for (int i = 0; i < 2000; i++) {
        char line[100];

        snprintf(line, sizeof line, T0 "here name%04d\n", 1999 - i);
        show(&view, line, &out);
    }
    show(&view, T0 "users 2000\n", &out);
    outbuf_add(&out, "", 1);
    ck_assert(strncmp(out.at, "21:42 -- 2000 here: name0000 name0001 ", 38) == 0);
    ck_assert_ptr_nonnull(strstr(out.at, "name0454 and 1545 more\n"));
    outbuf_free(&out);
    view_free(&view);
}
END_TEST

/* 20x5 has room for few names, 200x50 for many. */
START_TEST(list_fits_the_row)
{
    struct view view = {.terminal = true, .columns = 20};

    check_shown(&view, WELCOME, "21:42 -- you are\n  ann, 3 here\n");
    view_free(&view);
}
END_TEST

START_TEST(others_for_completion)
{
    static const struct {
        const char *lines;
        const char *others[5];
    } table[] = {
        {"", {NULL}},
        {WELCOME, {"Bob", "carol", NULL}},
        {WELCOME T0 "join aaa\n" T0 "join zed\n", {"aaa", "Bob", "carol", "zed", NULL}},
        {WELCOME T0 "join BOB\n" T0 "quit bOb left\n", {"carol", NULL}},
        {WELCOME T0 "quit nobody left\n", {"Bob", "carol", NULL}},
        {WELCOME T0 "nick Bob adam\n", {"adam", "carol", NULL}},
        {WELCOME T0 "nick ann zoe\n", {"Bob", "carol", NULL}},
        {WELCOME T0 "nick carol CAROL\n", {"Bob", "CAROL", NULL}},
        {T0 "join x\n" T0 "quit ann left\n" T0 "nick Bob y\n" WELCOME, {"Bob", "carol", NULL}},
        {WELCOME T0 "here x\n", {"x", NULL}},
        {WELCOME T0 "users 0\n", {NULL}},
    };
    struct view view = {0};
    struct outbuf out = {0};
    size_t i;

    show(&view, table[_i].lines, &out);
    for (i = 0; table[_i].others[i] != NULL; i++)
        ck_assert_str_eq(people_other(&view.people, COMPLETION_NAMES, i), table[_i].others[i]);
    ck_assert_ptr_null(people_other(&view.people, COMPLETION_NAMES, i));
    outbuf_free(&out);
    view_free(&view);
}
END_TEST

/* Tab between two parts of a list takes nothing from it. */
/* The last speaker comes first, in a private message the last one who wrote in private. */
START_TEST(speakers_come_first)
{
    static const struct {
        enum completion_kind kind;
        const char *lines;
        const char *others[8];
    } table[] = {
        {COMPLETION_NAMES, T0 "msg carol x\n", {"carol", "Bob", ""}},
        {COMPLETION_NAMES, T0 "msg carol x\n" T0 "me bob x\n", {"bob", "carol", "", ""}},
        {COMPLETION_NAMES, T0 "msg carol x\n" T0 "msg ann x\n" T0 "post ci x\n",
            {"carol", "Bob", ""}},
        {COMPLETION_NAMES, T0 "msg carol x\n" T0 "quit carol left\n", {"Bob"}},
        {COMPLETION_NAMES, T0 "msg carol x\n" T0 "nick carol zoe\n", {"zoe", "Bob", ""}},
        {COMPLETION_NAMES, T0 "priv Bob ann x\n" T0 "msg carol x\n", {"carol", "Bob", "", ""}},
        {COMPLETION_PARTNERS, T0 "priv Bob ann x\n" T0 "msg carol x\n", {"Bob", "carol", "", ""}},
        {COMPLETION_PARTNERS, T0 "priv Bob ann x\n" T0 "priv carol ann x\n" T0 "msg Bob x\n",
            {"carol", "Bob", "", ""}},
    };
    struct view view = {0};
    struct outbuf out = {0};
    size_t i;

    show(&view, WELCOME, &out);
    show(&view, table[_i].lines, &out);
    for (i = 0; table[_i].others[i] != NULL; i++)
        ck_assert_str_eq(people_other(&view.people, table[_i].kind, i), table[_i].others[i]);
    ck_assert_ptr_null(people_other(&view.people, table[_i].kind, i));
    outbuf_free(&out);
    view_free(&view);
}
END_TEST

START_TEST(completion_amid_a_list)
{
    struct view view = {0};
    struct outbuf out = {0};

    show(&view, T0 "here zed\n", &out);
    ck_assert_str_eq(people_other(&view.people, COMPLETION_NAMES, 0), "zed");
    show(&view, T0 "here bob\n" T0 "users 2\n" T0 "you ann\n", &out);
    ck_assert_str_eq(people_other(&view.people, COMPLETION_NAMES, 0), "bob");
    ck_assert_str_eq(people_other(&view.people, COMPLETION_NAMES, 1), "zed");
    ck_assert_ptr_null(people_other(&view.people, COMPLETION_NAMES, 2));
    outbuf_free(&out);
    view_free(&view);
}
END_TEST

/* However many names a server makes up, no more than so many are kept, and none is shown twice. */
START_TEST(endless_list)
{
    struct view view = {0};
    struct outbuf out = {0};

    for (int i = 0; i < ROSTER_MAX / 20 + 10; i++) {
        char line[1000];
        int n = sprintf(line, T0 "here");

        for (int j = 0; j < 20; j++)
            n += sprintf(line + n, " name%d", i * 20 + j);
        show_line(&view, line, (size_t)n, &out);
    }
    show(&view, T0 "users 200000\n" T0 "you ann\n" T0 "join bob\n" T0 "quit name0 left\n", &out);
    ck_assert_uint_eq(view.people.roster.len, ROSTER_MAX - 1);
    show(&view, T0 "join zed\n", &out);
    ck_assert_uint_eq(view.people.roster.len, ROSTER_MAX);
    outbuf_free(&out);
    view_free(&view);
}
END_TEST

START_TEST(names_one_a_line)
{
    struct outbuf out = {0};
    struct event event = {.verb = VERB_HERE};
    const char *names = "ann \x1b[2J  [::1]:5555 ";

    event.text = (struct span){names, strlen(names)};
    view_here(&event, &out);
    event.text = (struct span){"", 0};
    view_here(&event, &out);
    outbuf_add(&out, "", 1);
    ck_assert_str_eq(out.at, "ann\n" BAD "[2J\n[::1]:5555\n");
    outbuf_free(&out);
}
END_TEST

/* ---- Bells ---- */

static const struct {
    const char *name;
    const char *line;
    unsigned bells;
} bells[] = {
    {"ann", "msg bob hi ann\n", 1},
    {"ann", "msg bob ann\n", 1},
    {"ann", "msg bob ANN: look\n", 1},
    {"Ann", "msg bob @ann, (ann)\n", 1},
    {"ann", "me bob pokes ann.\n", 1},
    {"ann", "post bob ann?\n", 1},
    {"ann", "msg bob anna, joann, ann_2, ann2, _ann\n", 0},
    {"ann", "msg bob anna ann\n", 1},
    {"ann", "msg bob an\n", 0},
    {"ann", "msg bob hi\n", 0},
    {"ann", "msg ann it is me, ann\n", 0},
    {"ann", "msg ANN it is me, ann\n", 0},
    {"ann",
        "msg bob ann\xC3\xA9, \xC3\xA9"
        "ann\n",
        0},
    {"ann", "msg bob " WIDE "ann" WIDE "\n", 1},
    {WIDE, "msg bob a" WIDE "b\n", 1},
    {"\xC3\xA9va", "msg bob \xC3\xA9va!\n", 1},
    {"\xC3\xA9va", "msg bob x\xC3\xA9va!\n", 0},
    {"127.0.0.1:5", "msg bob hi 127.0.0.1:5\n", 1},
    {"ann",
        "msg bob \xFF"
        "ann\xFF\n",
        1},
    {"ann", "priv bob ann hi\n", 1},
    {"ann", "priv ann bob hi bob\n", 0},
    {"ann", "priv ann ann hi ann\n", 0},
    {"ann", "join ann_2\n", 0},
    {"ann", "note ann\n", 0},
    {"ann", "error usage ann\n", 0},
};

START_TEST(bell_for_a_mention)
{
    struct view view = {0};
    struct outbuf out = {0};
    char line[200];

    snprintf(line, sizeof line, T0 "%s", bells[_i].line);
    ck_assert_uint_eq(show(&view, line, &out), 0);
    snprintf(line, sizeof line, T0 "you %s\n" T0 "%s", bells[_i].name, bells[_i].line);
    ck_assert_uint_eq(show(&view, line, &out), bells[_i].bells);
    /* what one was not there for is nothing to be called for */
    view_restart(&view);
    snprintf(line, sizeof line, T0 "%s", bells[_i].line);
    ck_assert_uint_eq(show(&view, line, &out), 0);
    outbuf_free(&out);
    view_free(&view);
}
END_TEST

/* ---- Anything a server may say ---- */

/* Only SGR sequences of ours, no other control but LF, nothing but UTF-8. */
static void check_safe(const char *at, const char *end)
{
    while (at < end) {
        uint32_t cp;
        size_t n = utf8_decode(at, (size_t)(end - at), &cp);

        if (*at == '\x1b') {
            n = 1 + strspn(at + 1, "[0123456789;");
            if (at[n++] != 'm')
                ck_abort_msg("a sequence that is not SGR");
        } else if (*at != '\n' && (cp == UTF8_BAD || char_is_forbidden(cp))) {
            ck_abort_msg("%x was shown", (unsigned)cp);
        }
        at += n;
    }
}

START_TEST(hostile_server)
{
    static const char *const verbs[] = {"here", "users", "you", "join", "quit", "nick", "msg", "me",
        "post", "priv", "note", "gap", "error"};
    struct view view = {.terminal = _i % 2 != 0, .colour = COLOUR_256, .columns = (unsigned)_i * 7};
    struct outbuf out = {0};
    struct event event;
    char line[300];

    srand((unsigned)_i + 1);
    for (int round = 0; round < 20000; round++) {
        int n = sprintf(line, T0 "%s ", verbs[(size_t)rand() % COUNT_OF(verbs)]);

        for (int len = rand() % 200; len > 0; len--)
            line[n++] = (char)(rand() % 4 == 0 ? " 3a\x1b"[rand() % 4] : rand() % 256);
        if (!event_parse(&event, line, (size_t)n))
            continue;
        view_event(&view, &event, &out);
        if (out.len > 0)
            check_safe(out.at, out.at + out.len);
        out.len = 0;
    }
    ck_assert(!out.lost);
    outbuf_free(&out);
    view_free(&view);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *tcase = tcase_create("view");
    SRunner *runner = srunner_create(suite);
    int failed;

    setenv("TZ", "XXX-1", 1);
    screen_locale();
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, pipe_line_by_line, 0, COUNT_OF(pipe_sights));
    tcase_add_loop_test(tcase, quiet_pipe, 0, COUNT_OF(quiet_sights));
    tcase_add_loop_test(tcase, terminal_with_marks, 0, COUNT_OF(terminal_sights));
    tcase_add_test(tcase, quiet_terminal_ends_the_past);
    tcase_add_test(tcase, another_connection);
    tcase_add_loop_test(tcase, another_name, 0, 14);
    tcase_add_test(tcase, another_nick);
    tcase_add_loop_test(tcase, colour_of_the_present, 0, COUNT_OF(colour_sights));
    tcase_add_test(tcase, colour_of_the_past);
    tcase_add_test(tcase, names_have_colours);
    tcase_add_test(tcase, names_have_basic_colours);
    tcase_add_loop_test(tcase, rows_of_a_long_message, 0, COUNT_OF(rows));
    tcase_add_test(tcase, rows_in_colour);
    tcase_add_loop_test(tcase, the_latest_is_drawn_again, 0, 7);
    tcase_add_loop_test(tcase, rows_of_text, 0, 10);
    tcase_add_test(tcase, the_latest_has_a_limit);
    tcase_add_loop_test(tcase, commands_of_the_client, 0, COUNT_OF(local_sights));
    tcase_add_test(tcase, long_list_is_a_count);
    tcase_add_test(tcase, list_fits_the_row);
    tcase_add_loop_test(tcase, others_for_completion, 0, 11);
    tcase_add_loop_test(tcase, speakers_come_first, 0, 8);
    tcase_add_test(tcase, completion_amid_a_list);
    tcase_add_test(tcase, endless_list);
    tcase_add_test(tcase, names_one_a_line);
    tcase_add_loop_test(tcase, bell_for_a_mention, 0, COUNT_OF(bells));
    tcase_add_loop_test(tcase, hostile_server, 0, 8);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
