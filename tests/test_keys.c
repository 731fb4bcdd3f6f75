/* test_keys.c: bytes of a terminal go in, and keys come out, whatever the cuts. */
#include "../client/keys.h"
#include "../wire/utf8.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* A row of a table, and its bytes: they may hold NUL. */
#define BYTES(text) text, sizeof(text) - 1

#define ESC "\x1b"
#define PASTE ESC "[200~"
#define PASTED ESC "[201~"
#define BAD "\xEF\xBF\xBD"

/* ---- Keys as text: characters as they are, others in <> with S-, C-, M- ---- */

static const char *const code_names[] = {[KEY_ENTER] = "enter",
    [KEY_TAB] = "tab",
    [KEY_BACKSPACE] = "backspace",
    [KEY_DELETE] = "delete",
    [KEY_LEFT] = "left",
    [KEY_RIGHT] = "right",
    [KEY_UP] = "up",
    [KEY_DOWN] = "down",
    [KEY_HOME] = "home",
    [KEY_END] = "end",
    [KEY_PASTE_BEGIN] = "paste",
    [KEY_PASTE_END] = "pasted",
    [KEY_UNKNOWN] = "?"};

static void key_write(char *out, struct key key)
{
    char bytes[5] = "";

    if (key.code == KEY_CHARACTER)
        bytes[utf8_encode(key.character, bytes)] = '\0';
    if (key.code == KEY_CHARACTER && key.modifiers == 0)
        strcat(out, bytes);
    else
        sprintf(out + strlen(out), "<%s%s%s%s>", (key.modifiers & KEY_SHIFT) != 0 ? "S-" : "",
            (key.modifiers & KEY_CTRL) != 0 ? "C-" : "", (key.modifiers & KEY_ALT) != 0 ? "M-" : "",
            key.code == KEY_CHARACTER ? bytes : code_names[key.code]);
}

static void keys_feed(struct keys *keys, const char *bytes, size_t len, char *out)
{
    const char *at = bytes;
    struct key key;

    while ((key = keys_next(keys, &at, bytes + len)).code != KEY_NONE)
        key_write(out, key);
    ck_assert_ptr_eq(at, bytes + len);
}

static void keys_wait(struct keys *keys, char *out)
{
    struct key key;

    while ((key = keys_expire(keys)).code != KEY_NONE)
        key_write(out, key);
    ck_assert_int_eq(keys_pause(keys), -1);
}

/* ---- Bytes in one go ---- */

static const struct bytes {
    const char *bytes;
    size_t len;
    const char *keys;
} table[] = {
    {BYTES("ab \xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80"), "ab \xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80"},
    {BYTES("a\r\nb\n\rc\r\r"), "a<enter>b<enter><enter>c<enter><enter>"},
    {BYTES("\0\x01\x03\x1a\x1c\x1f\t\b\x7f"),
        "<C-@><C-a><C-c><C-z><C-\\><C-_><tab><backspace><backspace>"},
    /* cursor keys */
    {BYTES(ESC "[A" ESC "OB" ESC "[C" ESC "OD" ESC "[H" ESC "OF"),
        "<up><down><right><left><home><end>"},
    {BYTES(ESC "[1~" ESC "[7~" ESC "[4~" ESC "[8~" ESC "[3~"), "<home><home><end><end><delete>"},
    {BYTES(ESC "[1;5C" ESC "[1;3D" ESC "[1;2A" ESC "[1;9C" ESC "[1;7B" ESC "[3;5~" ESC "[1;99C"),
        "<C-right><M-left><S-up><M-right><C-M-down><C-delete><right>"},
    {BYTES(ESC "Oc" ESC "O5D" ESC "[3^" ESC "[3$" ESC "[7@" ESC "[c" ESC "[Z"),
        "<C-right><C-left><C-delete><S-delete><S-C-home><S-right><S-tab>"},
    {BYTES(ESC ESC "[D" ESC ESC "OC" ESC "[D"), "<M-left><M-right><left>"},
    {BYTES(ESC "OM"), "<enter>"},
    /* Alt */
    {BYTES(ESC "b" ESC "f" ESC "." ESC "0" ESC "~" ESC " "), "<M-b><M-f><M-.><M-0><M-~><M- >"},
    {BYTES(ESC "\x7f" ESC "\b" ESC "\r" ESC "\t" ESC "\x01"),
        "<M-backspace><M-backspace><M-enter><M-tab><C-M-a>"},
    {BYTES(ESC "\xC3\xA9"), "\xC3\xA9"},
    /* ... swallows nothing of what is typed behind it */
    {BYTES(ESC "[hello" ESC "Ohello" ESC "]hello" ESC "Phello"),
        "<M-[>hello<M-O>hello<M-]>hello<M-P>hello"},
    {BYTES(ESC "Xhello" ESC "^hello" ESC "_hello" ESC "(hello" ESC "Nhello"),
        "<M-X>hello<M-^>hello<M-_>hello<M-(>hello<M-N>hello"},
    {BYTES(ESC "[ x" ESC "[12 x" ESC "[5h" ESC "[1\rx" ESC "[1\x7f" ESC "[1" ESC "[D"),
        "<M-[> x<M-[>12 x<M-[>5h<M-[>1<enter>x<M-[>1<backspace><M-[>1<left>"},
    {BYTES(ESC "[1\xC3\xA9" ESC "[\xC3\xA9" ESC "[[x" ESC "O5x" ESC "]<x" ESC "[~"),
        "<M-[>1\xC3\xA9\xC3\xA9<M-[>[x<M-O>5x<M-]><x<M-[>~"},
    {BYTES(ESC "[12345678901234567890123456789012345x"),
        "<M-[>12345678901234567890123456789012345x"},
    /* other keys, and answers */
    {BYTES(ESC "[15~" ESC "[[A" ESC "OP" ESC "[I" ESC "[O" ESC "[99;99;99;99Z" ESC "[24;80R"),
        "<?><?><?><?><?><?><?>"},
    {BYTES(ESC "[?1;2c" ESC "[>41;330;0c" ESC "[?2026;2$yx" ESC "[8;24;80t"), "<?><?><?>x<?>"},
    {BYTES(ESC "]11;rgb:ffff/ffff/ffff" ESC "\\x" ESC "]0;title\ax" ESC "P1$r0m" ESC "\\"),
        "<M-\\>x<C-g>x<M-\\>"},
    {BYTES(ESC "P>|xterm" ESC "\\" ESC "]never ends\rx" ESC "]1never ends\rx"),
        "<M-\\><M-]>never ends<enter>x<enter>x"},
    /* the mouse */
    {BYTES(ESC "[M !!" ESC "[M#!!x" ESC "[M \xA1\xC0x" ESC "[M \0\0x"), "<?><?>x<?>x<?>x"},
    {BYTES(ESC "[M \xC2\xA1\xC3\x80x" ESC "[M \xC3\x80!\xC3\xA9"), "<?>x<?>\xC3\xA9"},
    {BYTES(ESC "[M \x03" ESC "[M!\r" ESC "[M" ESC "[M   x"), "<C-c><enter><?>x"},
    {BYTES(ESC "[<0;5;5M" ESC "[<0;5;5m" ESC "[32;5;5Mx"), "<?><?><?>x"},
    /* pastes */
    {BYTES(PASTE "a\tb\r\nc" PASTED "d"), "<paste>a<tab>b<enter>c<pasted>d"},
    {BYTES(PASTE "a" ESC "[31mb" ESC "[2hc" ESC "[ hd" ESC "Ohe" PASTED),
        "<paste>a<?>b<?>c<?>d<?>e<pasted>"},
    {BYTES(PASTE "a" ESC "]0;title\ab" ESC "Pq;c" ESC "\\d" ESC PASTED "e"),
        "<paste>a<C-g>b<M-\\>d<pasted>e"},
    {BYTES(PASTE "a" ESC "[2" PASTED "b" PASTE "c" ESC "[" PASTED "d"),
        "<paste>a<pasted>b<paste>c<pasted>d"},
    {BYTES(PASTE PASTE "a" PASTED PASTED "b"), "<paste><paste>a<pasted><?>b"},
    /* bytes that are no text */
    {BYTES("a\x80\xE4\xBD\xC3\xA9\xE4\r"), "a" BAD BAD "\xC3\xA9" BAD "<enter>"},
    {BYTES("\xC0\xAF\xF5\xFF\xED\xA0\x80"), BAD BAD BAD BAD BAD BAD BAD},
    {BYTES("\xF0\x9F\x98" ESC "[D"), BAD "<left>"},
    /* Ctrl-C */
    {BYTES(ESC "\x03" ESC "[\x03" ESC "[1\x03" ESC "O\x03" ESC "]11;\x03" ESC "[M \x03"),
        "<C-c><C-c><C-c><C-c><C-c><C-c>"},
};

START_TEST(any_cut_gives_the_same)
{
    const struct bytes *row = &table[_i];

    for (size_t cut = 0; cut <= row->len; cut++) {
        struct keys keys = {0};
        char out[1000] = "";

        keys_feed(&keys, row->bytes, cut, out);
        keys_feed(&keys, row->bytes + cut, row->len - cut, out);
        ck_assert_str_eq(out, row->keys);
    }
    for (size_t step = 1; step <= 3; step++) {
        struct keys keys = {0};
        char out[1000] = "";

        for (size_t at = 0; at < row->len; at += step)
            keys_feed(&keys, row->bytes + at, row->len - at < step ? row->len - at : step, out);
        ck_assert_str_eq(out, row->keys);
    }
}
END_TEST

/* ---- Pauses: what is half received ends, and the next key is itself ---- */

static const struct {
    const char *before;
    const char *keys;
    const char *after;
    const char *then;
} pauses[] = {
    {"a", "a", "b", "b"},
    {ESC, "<?>", "[D", "[D"},
    {ESC, "<?>", "x", "x"},
    {ESC "[", "<?>", "hello", "hello"},
    {ESC "O", "<?>", "Anna", "Anna"},
    {ESC "]", "<?>", "0x", "0x"},
    {ESC "P", "<?>", "1x", "1x"},
    {ESC "X", "<M-X>", "hello", "hello"},
    {ESC "^", "<M-^>", "hello", "hello"},
    {ESC "_", "<M-_>", "hello", "hello"},
    {ESC "[[", "<?>", "A", "A"},
    {ESC "[12", "<M-[>12", "A", "A"},
    {ESC "O5", "<M-O>5", "A", "A"},
    {ESC "[?12", "<?>", "A", "A"},
    {ESC "[<0;1", "<?>", "M", "M"},
    {ESC "[M", "<?>", "abc", "abc"},
    {ESC "[M !", "<?>", "abc", "abc"},
    {ESC "[M !!", "<?><?>", "abc", "abc"},
    {ESC "]11;rgb", "<?>", "abc", "abc"},
    {"\xE4\xBD", BAD, "\xA0", BAD},
    {"a\r", "a<enter>", "\n", "<enter>"},
    {PASTE "one\r/quit", "<paste>one<enter>/quit<pasted>", "x", "x"},
    {PASTE "one" ESC "[2", "<paste>one<?><pasted>", "x", "x"},
};

START_TEST(nothing_lasts)
{
    struct keys keys = {0};
    char out[1000] = "";

    keys_feed(&keys, pauses[_i].before, strlen(pauses[_i].before), out);
    ck_assert_int_le(keys_pause(&keys), 1000);
    keys_wait(&keys, out);
    ck_assert_str_eq(out, pauses[_i].keys);
    *out = '\0';
    keys_feed(&keys, pauses[_i].after, strlen(pauses[_i].after), out);
    keys_wait(&keys, out);
    ck_assert_str_eq(out, pauses[_i].then);
}
END_TEST

/* There is something to wait for as long as a key is half received, and not else. */
START_TEST(pauses_are_announced)
{
    static const struct {
        const char *bytes;
        bool waits;
    } rows[] = {{"a", false}, {ESC, true}, {ESC "[", true}, {ESC "[1;5", true},
        {ESC "[1;5C", false}, {ESC "]1", true}, {ESC "x", false}, {"\xE4", true}, {PASTE "a", true},
        {PASTE "a" PASTED, false}, {ESC "[M  ", true}, {PASTE "a\x03", false}};
    struct keys keys = {0};
    char out[100] = "";

    keys_feed(&keys, rows[_i].bytes, strlen(rows[_i].bytes), out);
    ck_assert_int_eq(keys_pause(&keys) > 0, rows[_i].waits);
}
END_TEST

/*
 * Ctrl-C ends a paste. Where the end of the paste has come with it, it was pasted as well, and the
 * rest of that goes.
 */
START_TEST(control_c_ends_a_paste)
{
    static const char *const rows[][2] = {
        {PASTE "one\x03two\r", "<paste>one<C-c>two<enter>"},
        {PASTE "one\x03/quit\r" PASTED "two", "<paste>one<C-c>two"},
        {PASTE ESC "[1\x03two", "<paste><C-c>two"},
    };
    struct keys keys = {0};
    char out[100] = "";

    keys_feed(&keys, rows[_i][0], strlen(rows[_i][0]), out);
    ck_assert_str_eq(out, rows[_i][1]);
    ck_assert(!keys.pasting);
}
END_TEST

/* Alt with each key, and then a word. */
START_TEST(alt_swallows_nothing)
{
    for (int c = ' '; c < 0x7F; c++) {
        char typed[] = ESC "?hello";
        struct keys keys = {0};
        char out[100] = "";

        typed[1] = (char)c;
        keys_feed(&keys, typed, strlen(typed), out);
        ck_assert_msg(strlen(out) > 5 && strcmp(out + strlen(out) - 5, "hello") == 0,
            "Alt-%c, and hello: %s", c, out);
    }
}
END_TEST

/* Whatever comes, memory is what it was, and a pause ends it. */
START_TEST(anything_ends)
{
    static const char likely[] = ESC ESC ESC "[[O]PM<?0129;;~ABC\r\x03 \x80\xC3\xE4hx";

    srand(1);
    for (int round = 0; round < 20000; round++) {
        struct keys keys = {0};
        char bytes[40];
        char out[2000] = "";
        size_t len = (size_t)rand() % sizeof bytes;

        for (size_t i = 0; i < len; i++)
            bytes[i] =
                rand() % 8 == 0 ? (char)rand() : likely[(size_t)rand() % (sizeof likely - 1)];
        keys_feed(&keys, bytes, len, out);
        keys_wait(&keys, out);
        *out = '\0';
        keys_feed(&keys, "hello", 5, out);
        if (strcmp(out, "hello") != 0)
            ck_abort_msg("hello became %s", out);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keys");
    TCase *tcase = tcase_create("keys");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, any_cut_gives_the_same, 0, COUNT_OF(table));
    tcase_add_loop_test(tcase, nothing_lasts, 0, COUNT_OF(pauses));
    tcase_add_loop_test(tcase, pauses_are_announced, 0, 12);
    tcase_add_loop_test(tcase, control_c_ends_a_paste, 0, 3);
    tcase_add_test(tcase, alt_swallows_nothing);
    tcase_add_test(tcase, anything_ends);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
