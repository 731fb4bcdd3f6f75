/* test_editor.c: keys go in, events come out, and a small terminal shows what was drawn. */
#include "../client/editor.h"
#include "../client/history.h"
#include "terminal.h"
#include "wire/text.h"

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* A row of a table, and its bytes: they may hold NUL. */
#define BYTES(text) text, sizeof(text) - 1

#define ESC "\x1b"
#define UP ESC "[A"
#define DOWN ESC "[B"
#define RIGHT ESC "[C"
#define LEFT ESC "[D"
#define PASTE ESC "[200~"
#define PASTED ESC "[201~"
#define BAD "\xEF\xBF\xBD"

#define WIDE "\xE4\xBD\xA0"                      /* U+4F60, two columns */
#define ACUTE "\xCC\x81"                         /* U+0301 */
#define E_MARK "e" ACUTE                         /* one column of two characters */
#define ZWJ "\xE2\x80\x8D"                       /* U+200D */
#define WOMAN "\xF0\x9F\x91\xA9"                 /* U+1F469 */
#define LAPTOP "\xF0\x9F\x92\xBB"                /* U+1F4BB */
#define CODER WOMAN ZWJ LAPTOP                   /* joined: one picture, or two */
#define FLAG "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA"  /* U+1F1E9 U+1F1EA */
#define THUMB "\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD" /* U+1F44D with a skin tone */

/* An editor at a terminal, and what it has told its caller. */
struct tty {
    struct editor *editor;
    struct terminal *terminal;
    struct outbuf out;
    char *events;
    size_t events_len;
};

static void tty_open(struct tty *tty, const char *prompt, unsigned rows, unsigned columns)
{
    memset(tty, 0, sizeof *tty);
    tty->editor = editor_new(prompt, rows, columns);
    ck_assert_ptr_nonnull(tty->editor);
    tty->terminal = terminal_new(rows, columns);
    tty->events = calloc(1, 1);
}

static void tty_close(struct tty *tty)
{
    editor_free(tty->editor);
    terminal_free(tty->terminal);
    outbuf_free(&tty->out);
    free(tty->events);
}

static void tty_flush(struct tty *tty)
{
    ck_assert(!tty->out.lost);
    terminal_write(tty->terminal, tty->out.at, tty->out.len, false);
    tty->out.len = 0;
}

static void tty_note(struct tty *tty, const char *text, size_t len)
{
    tty->events = realloc(tty->events, tty->events_len + len + 2);
    ck_assert_ptr_nonnull(tty->events);
    memcpy(tty->events + tty->events_len, text, len);
    tty->events_len += len;
    memcpy(tty->events + tty->events_len, "\n", 2);
    tty->events_len++;
}

static void tty_event(struct tty *tty, enum editor_event event)
{
    struct span line;

    switch (event) {
    case EDITOR_NONE:
        break;
    case EDITOR_LINE:
        line = editor_line(tty->editor);
        ck_assert(text_is_clean(line.at, line.len));
        tty_note(tty, line.at, line.len);
        break;
    case EDITOR_REDRAW:
        editor_clear(tty->editor, &tty->out);
        editor_show(tty->editor, &tty->out);
        break;
    case EDITOR_TOO_LONG:
        tty_note(tty, BYTES("<too long>"));
        break;
    case EDITOR_REFUSED:
        tty_note(tty, BYTES("<refused>"));
        break;
    case EDITOR_INTERRUPT:
        tty_note(tty, BYTES("<interrupt>"));
        break;
    case EDITOR_SUSPEND:
        tty_note(tty, BYTES("<suspend>"));
        break;
    case EDITOR_END:
        tty_note(tty, BYTES("<end>"));
        break;
    }
}

static void tty_feed(struct tty *tty, const char *bytes, size_t len)
{
    const char *at = bytes;
    enum editor_event event;

    do {
        event = editor_feed(tty->editor, &at, bytes + len);
        tty_event(tty, event);
    } while (event != EDITOR_NONE);
    ck_assert_ptr_eq(at, bytes + len);
    editor_refresh(tty->editor, &tty->out);
    tty_flush(tty);
}

static void tty_type(struct tty *tty, const char *text)
{
    tty_feed(tty, text, strlen(text));
}

static void tty_show(struct tty *tty)
{
    editor_show(tty->editor, &tty->out);
    tty_flush(tty);
}

/* Something arrives. */
static void tty_print(struct tty *tty, const char *text)
{
    editor_hide(tty->editor, &tty->out);
    tty_flush(tty);
    ck_assert_uint_eq(tty->terminal->column, 0);
    ck_assert_str_eq(terminal_row(tty->terminal, tty->terminal->row), "");
    outbuf_puts(&tty->out, text);
    outbuf_puts(&tty->out, "\r\n");
    editor_show(tty->editor, &tty->out);
    tty_flush(tty);
}

/* ---- Every key ---- */

static const char *const some_names[] = {"ann", "Anna", "bob",
    "b\xC3\xA9"
    "a",
    NULL};

static const char *some_name(void *context, enum completion_kind kind, size_t i)
{
    (void)kind;
    return ((const char *const *)context)[i];
}

/* What is typed into an empty line, the events, and what the row then shows. */
static const struct keys {
    const char *typed;
    size_t len;
    const char *events;
    const char *row;
    unsigned column;
} keys[] = {
    {BYTES(""), "", "> ", 2},
    {BYTES("abc"), "", "> abc", 5},
    {BYTES("abc\r"), "abc\n", "> ", 2},
    {BYTES("abc\n"), "abc\n", "> ", 2},
    {BYTES("abc\r\nd\n\r"), "abc\nd\n\n", "> ", 2},
    {BYTES("a\rb\nc"), "a\nb\n", "> c", 3},
    {BYTES("\r"), "\n", "> ", 2},
    /* backspace, delete */
    {BYTES("abc\x7f"), "", "> ab", 4},
    {BYTES("abc\b\b"), "", "> a", 3},
    {BYTES("\x7f\x7fx"), "", "> x", 3},
    {BYTES("abc" LEFT "\x7f"), "", "> ac", 3},
    {BYTES("abc" LEFT LEFT ESC "[3~"), "", "> ac", 3},
    {BYTES("abc" ESC "[3~"), "", "> abc", 5},
    {BYTES("abc\x01\x04\x04"), "", "> c", 2},
    /* moving */
    {BYTES("abc" LEFT "x"), "", "> abxc", 5},
    {BYTES("abc" ESC "OD" ESC "ODx"), "", "> axbc", 4},
    {BYTES("abc\x02\x02x"), "", "> axbc", 4},
    {BYTES("abc" LEFT LEFT LEFT LEFT "x"), "", "> xabc", 3},
    {BYTES("abc\x01" RIGHT "x"), "", "> axbc", 4},
    {BYTES("abc\x01" ESC "OCx"), "", "> axbc", 4},
    {BYTES("abc\x01\x06x"), "", "> axbc", 4},
    {BYTES("abc" RIGHT RIGHT "x"), "", "> abcx", 6},
    {BYTES("abc\x01x"), "", "> xabc", 3},
    {BYTES("abc" ESC "[Hx" ESC "[Fy"), "", "> xabcy", 7},
    {BYTES("abc" ESC "OHx" ESC "OFy"), "", "> xabcy", 7},
    {BYTES("abc" ESC "[1~x" ESC "[4~y"), "", "> xabcy", 7},
    {BYTES("abc" ESC "[7~x" ESC "[8~y"), "", "> xabcy", 7},
    {BYTES("abc\x01x\x05y"), "", "> xabcy", 7},
    {BYTES("one two" ESC "[1;5Dx" ESC "[1;5Cy"), "", "> one xtwoy", 11},
    {BYTES("one  two" ESC "b" ESC "b" ESC "fx"), "", "> onex  two", 6},
    {BYTES("one two" ESC "Od" ESC "Od" ESC "Ocx"), "", "> onex two", 6},
    {BYTES("abc" LEFT), "", "> abc", 4},
    /* killing */
    {BYTES("abc" LEFT "\x15"), "", "> c", 2},
    {BYTES("abc" LEFT "\x0b"), "", "> ab", 4},
    {BYTES("one two  \x17"), "", "> one ", 6},
    {BYTES("one two" LEFT "\x17"), "", "> one o", 6},
    {BYTES("one\x17\x17x"), "", "> x", 3},
    {BYTES("one-two\x17"), "", "> ", 2},
    {BYTES("one-two" ESC "\x7f"), "", "> one-", 6},
    {BYTES("one-two." ESC "\b"), "", "> one-", 6},
    {BYTES("one-two\x01" ESC "d"), "", "> -two", 2},
    {BYTES("one-two\x01" ESC "d" ESC "d"), "", "> ", 2},
    {BYTES("one two\x01" ESC "[3;5~"), "", ">  two", 2},
    {BYTES("one two" ESC "[1;3D" ESC "[1;3Dx" ESC "[1;3Cy"), "", "> xoney two", 7},
    {BYTES("one two" ESC ESC "[Dx"), "", "> one xtwo", 7},
    /* ... and bringing it back, all of what was killed in one go */
    {BYTES("\x19x"), "", "> x", 3},
    {BYTES("one two\x17\x19"), "", "> one two", 9},
    {BYTES("one two\x17\x17\x19\x19"), "", "> one twoone two", 16},
    {BYTES("abc" LEFT "\x0b\x15x\x19"), "", "> xabc", 6},
    {BYTES("one two\x17x\x17\x19"), "", "> one x", 7},
    {BYTES("a b c\x17\x01\x0b\x19"), "", "> a b ", 6},
    {BYTES(PASTE "/quit" PASTED "\x15\x19\r"), "//quit\n", "> ", 2},
    {BYTES("/users\x15\x19\r"), "/users\n", "> ", 2},
    /* exchanging */
    {BYTES("ab\x14"), "", "> ba", 4},
    {BYTES("abc" LEFT "\x14"), "", "> acb", 5},
    {BYTES("abc\x01\x14"), "", "> abc", 2},
    {BYTES("a\x14"), "", "> a", 3},
    {BYTES("a" E_MARK WIDE "\x14"), "", "> a" WIDE E_MARK, 6},
    /* undoing */
    {BYTES("one two\x1f"), "", "> ", 2},
    {BYTES("\x1f"), "", "> ", 2},
    {BYTES("ab" LEFT "c\x1f"), "", "> ab", 3},
    {BYTES("ab" LEFT "c\x1f\x1f"), "", "> ", 2},
    {BYTES("one two\x17\x17\x1f"), "", "> one ", 6},
    {BYTES("one two\x17\x17\x1f\x1f"), "", "> one two", 9},
    {BYTES("abc\x7f\x7f\x1f"), "", "> abc", 5},
    {BYTES("abc\x03\x1f"), "", "> abc", 5},
    {BYTES("abc\x03\x1f\x1f"), "", "> ", 2},
    {BYTES("ab\x14\x1f"), "", "> ab", 4},
    {BYTES("a" PASTE "bc" PASTED "\x1f"), "", "> a", 3},
    {BYTES(PASTE "/x" PASTED "\x15\x1f\r"), "//x\n", "> ", 2},
    {BYTES("an\t\t\x1f"), "", "> an", 4},
    {BYTES("one\rtwo\x1f\x1f"), "one\n", "> ", 2},
    /* leaving, or not */
    {BYTES("\x03"), "<interrupt>\n", "> ", 2},
    {BYTES("abc\x03"), "", "> ", 2},
    {BYTES("abc\x03\x03"), "<interrupt>\n", "> ", 2},
    {BYTES("\x04"), "<end>\n", "> ", 2},
    {BYTES("abc\x04\r"), "abc\n", "> ", 2},
    {BYTES("ab\x1a"
           "c"),
        "<suspend>\n", "> abc", 5},
    /* history */
    {BYTES("one\rtwo\r" UP), "one\ntwo\n", "> two", 5},
    {BYTES("one\rtwo\r" UP UP), "one\ntwo\n", "> one", 5},
    {BYTES("one\rtwo\r" UP UP UP UP "x"), "one\ntwo\n", "> onex", 6},
    {BYTES("one\rtwo\r\x10\x10\x0e"), "one\ntwo\n", "> two", 5},
    {BYTES("one\rtwo\r" ESC "OA" ESC "OA" ESC "OB"), "one\ntwo\n", "> two", 5},
    {BYTES("one\rhalf" UP DOWN), "one\n", "> half", 6},
    {BYTES("one\rhalf" UP "x" DOWN "y" DOWN), "one\n", "> halfxy", 8},
    {BYTES("one\rtwo\r" UP UP "\x15half" UP DOWN DOWN), "one\ntwo\n", "> half", 6},
    {BYTES("one\rtwo\r" UP "x" UP DOWN DOWN), "one\ntwo\n", "> twox", 6},
    {BYTES("one\r" DOWN "x"), "one\n", "> x", 3},
    {BYTES("one\rtwo\r" UP UP "\r" UP UP), "one\ntwo\none\n", "> two", 5},
    {BYTES("one\rone\rone\r" UP UP), "one\none\none\n", "> one", 5},
    {BYTES("zero\rone\rone\r" UP UP), "zero\none\none\n", "> zero", 6},
    {BYTES("one\r\r" UP), "one\n\n", "> one", 5},
    {BYTES("one\r" UP "x" UP UP DOWN), "one\n", "> onex", 6},
    {BYTES("one\rtwo\r" UP UP "\x03" UP), "one\ntwo\n", "> two", 5},
    {BYTES(UP DOWN "x"), "", "> x", 3},
    /* ... that begin with what was typed before the cursor */
    {BYTES("alpha\rbeta\ralso\ral" UP), "alpha\nbeta\nalso\n", "> also", 6},
    {BYTES("alpha\rbeta\ralso\ral" UP UP), "alpha\nbeta\nalso\n", "> alpha", 7},
    {BYTES("alpha\rbeta\ralso\ral" UP UP UP DOWN), "alpha\nbeta\nalso\n", "> also", 6},
    {BYTES("alpha\rbeta\ralso\ral" UP UP DOWN DOWN), "alpha\nbeta\nalso\n", "> al", 4},
    {BYTES("alpha\rbeta\rax" LEFT UP), "alpha\nbeta\n", "> alpha", 7},
    {BYTES("alpha\rbeta\rax" LEFT UP DOWN), "alpha\nbeta\n", "> ax", 4},
    {BYTES("a\rb\ra\ra" UP UP), "a\nb\na\n", "> a", 3},
    /* names */
    {BYTES("an\t"), "", "> ann: ", 7},
    {BYTES("AN\t"), "", "> ann: ", 7},
    {BYTES("an\t\t"), "", "> Anna: ", 8},
    {BYTES("an\t\t\t"), "", "> ann: ", 7},
    {BYTES("an\t\x02\t"), "", "> ann: ", 6},
    {BYTES("ann\tx\t"), "", "> ann: x", 8},
    {BYTES("b\t"), "", "> bob: ", 7},
    {BYTES("b\xC3\xA9\t"), "",
        "> b\xC3\xA9"
        "a: ",
        7},
    {BYTES("hi b\t"), "", "> hi bob ", 9},
    {BYTES("/msg bo\thi"), "", "> /msg bob hi", 13},
    {BYTES("bx" LEFT "\t"), "", "> bob: x", 7},
    {BYTES("x\ty"), "", "> xy", 4},
    {BYTES("\t"), "", "> ann: ", 7},
    {BYTES("ann:\ty"), "", "> ann:y", 7},
    /* commands */
    {BYTES("/u\tx"), "", "> /users x", 10},
    {BYTES("/Q\t"), "", "> /quit ", 8},
    {BYTES("/\t"), "", "> /msg ", 7},
    {BYTES("/m\t\t\t\t"), "", "> /me ", 6},
    {BYTES(" /u\t"), "", ">  /u", 5},
    {BYTES("/un\t"), "", "> /unignore ", 12},
    /* one line that is pasted is text */
    {BYTES(PASTE "one" PASTED), "", "> one", 5},
    {BYTES("a" PASTE "one\n" PASTED "b"), "", "> aoneb", 7},
    {BYTES(PASTE "one\r\n\n" PASTED "\r"), "one\n", "> ", 2},
    {BYTES(PASTE "a\tb\n" PASTED "\r"), "a\tb\n", "> ", 2},
    {BYTES(PASTE "a\tb" PASTED), "", "> a b", 5},
    {BYTES(PASTE PASTED "\r"), "\n", "> ", 2},
    {BYTES(PASTE "/quit" PASTED "\r"), "//quit\n", "> ", 2},
    {BYTES(PASTE "//" PASTED "\r" PASTE "/usr/lib/x.so" PASTED "\r"), "///\n//usr/lib/x.so\n", "> ",
        2},
    {BYTES("/me " PASTE "/quit" PASTED "\r"), "/me /quit\n", "> ", 2},
    {BYTES("x" PASTE "/quit" PASTED "\x01\x04\r"), "//quit\n", "> ", 2},
    {BYTES(PASTE "x/quit" PASTED "\x01\x04\r"), "//quit\n", "> ", 2},
    {BYTES(PASTE "users" PASTED "\x01/\r"), "/users\n", "> ", 2},
    {BYTES(PASTE "/x" PASTED "\x15/users\r"), "/users\n", "> ", 2},
    {BYTES(PASTE "/quit" PASTED "\r" UP), "//quit\n", "> //quit", 8},
    {BYTES("one\r" PASTE "/" PASTED UP), "one\n", "> /", 3},
    /* several are held */
    {BYTES(PASTE "one\ntwo\nthree" PASTED), "", "[3 lines] > ", 12},
    {BYTES(PASTE "one\ntwo\nthree\n" PASTED "\r"), "one\ntwo\nthree\n", "> ", 2},
    {BYTES("x" PASTE "one\r\ntwo\r" PASTED "y"), "", "[3 lines] > y", 13},
    {BYTES("x" PASTE "one\r\ntwo\r" PASTED "y\rz"), "xone\ntwo\ny\n", "> z", 3},
    {BYTES("ab" LEFT PASTE "x\ny" PASTED), "", "[2 lines] > ", 12},
    {BYTES("ab" LEFT PASTE "x\ny" PASTED "\r"), "ax\nyb\n", "> ", 2},
    {BYTES(PASTE "a\n\n\nb\n\n" PASTED "\r"), "a\nb\n", "> ", 2},
    {BYTES(PASTE "a\nb" PASTED "\x7f"), "", "[2 lines] > ", 12},
    {BYTES(PASTE "a\nb" PASTED "\x7f\x04\r"), "a\nb\n", "> ", 2},
    {BYTES(PASTE "a\nb" PASTED "\x03"), "", "> ", 2},
    {BYTES(PASTE "a\nb" PASTED "\x03\x03"), "<interrupt>\n", "> ", 2},
    {BYTES(PASTE "a\nb" PASTED PASTE "c\nd" PASTED "\r"), "a\nb\nc\nd\n", "> ", 2},
    {BYTES(PASTE "/a\n//\n/quit" PASTED "\r"), "//a\n///\n//quit\n", "> ", 2},
    {BYTES("/" PASTE "\n/b" PASTED "\r"), "//b\n", "> ", 2},
    {BYTES("//" PASTE "a\nb" PASTED "\r"), "//a\nb\n", "> ", 2},
    /* the last of several lines can be found again, and what was typed behind them */
    {BYTES("a\r" PASTE "b\nc" PASTED "\r" UP), "a\nb\nc\n", "> c", 3},
    {BYTES("a\r" PASTE "b\nc" PASTED "\r" UP UP), "a\nb\nc\n", "> a", 3},
    {BYTES("a\r" PASTE "b\nc" PASTED "d\r" UP), "a\nb\nc\nd\n", "> d", 3},
    /* behind /msg NAME every line is private, also what is typed after them */
    {BYTES("/msg bob " PASTE "a\nb\n" PASTED), "", "[2 lines] > /msg bob ", 21},
    {BYTES("/msg bob " PASTE "a\nb\n" PASTED "\r"), "/msg bob a\n/msg bob b\n", "> ", 2},
    {BYTES("/MSG  bob x " PASTE "a\n/quit\n/msg ann c" PASTED "\r"),
        "/MSG  bob x a\n/MSG  bob /quit\n/MSG  bob /msg ann c\n", "> ", 2},
    {BYTES("/msg bob " PASTE "a\nb" PASTED "c\r"), "/msg bob a\n/msg bob b\n/msg bob c\n", "> ", 2},
    {BYTES("/msg bob " PASTE "a\nb" PASTED "c"), "", "[3 lines] > /msg bob c", 22},
    {BYTES("/msg bob " PASTE "a\nb" PASTED PASTE "c\nd" PASTED "\r"),
        "/msg bob a\n/msg bob b\n/msg bob c\n/msg bob d\n", "> ", 2},
    {BYTES("/msg bob  end" LEFT LEFT LEFT LEFT PASTE "a\nb" PASTED "\r"),
        "/msg bob a\n/msg bob b end\n", "> ", 2},
    {BYTES("/msg bob " PASTE "a\nb" PASTED "\x15" PASTE "c\nd" PASTED "\r"),
        "/msg bob a\n/msg bob b\nc\nd\n", "> ", 2},
    {BYTES("/msg bob " PASTE "a\nb" PASTED "\x15\r"), "/msg bob a\n/msg bob b\n", "> ", 2},
    {BYTES("/me " PASTE "a\nb" PASTED "\r"), "/me a\n/me b\n", "> ", 2},
    /* ... and behind other commands, or what may become one, there is one line */
    {BYTES("/msg bob" PASTE "a\nb" PASTED), "<refused>\n", "> /msg bob", 10},
    {BYTES("/msg " PASTE "bob a\nb" PASTED), "<refused>\n", "> /msg ", 7},
    {BYTES("/msg" PASTE " bob a\nb" PASTED), "<refused>\n", "> /msg", 6},
    {BYTES("/m" PASTE "sg bob a\nb" PASTED), "<refused>\n", "> /m", 4},
    {BYTES("/" PASTE "users\n/b" PASTED), "<refused>\n", "> /", 3},
    {BYTES("/msg bob x\x01" PASTE "a\nb" PASTED), "<refused>\n", "> /msg bob x", 2},
    {BYTES("/kick bob " PASTE "a\nb" PASTED), "<refused>\n", "> /kick bob ", 12},
    {BYTES("/quit " PASTE "a\nb" PASTED), "<refused>\n", "> /quit ", 8},
    {BYTES("/nick " PASTE "a\nb" PASTED "\x15" PASTE "c\nd" PASTED "\r"), "<refused>\nc\nd\n", "> ",
        2},
    /* what Ctrl-C drops, Ctrl-Y brings back */
    {BYTES(PASTE "/a\nb" PASTED "\x03\x19"), "", "[2 lines] > ", 12},
    {BYTES(PASTE "/a\nb" PASTED "\x03\x19\r"), "//a\nb\n", "> ", 2},
    {BYTES(PASTE "a\nb" PASTED "\x03\x19\x03\x19\r\x19"), "a\nb\n", "> ", 2},
    {BYTES(PASTE "a\nb" PASTED "\x03" PASTE "c\nd" PASTED "\x19\r"), "c\nd\na\nb\n", "> ", 2},
    {BYTES(PASTE "a\nb" PASTED "\x03x y\x17\x19"), "", "> x y", 5},
    {BYTES("/msg bob " PASTE "a\nb" PASTED "\x03\x19"
           "c\r"),
        "/msg bob a\n/msg bob b\n/msg bob c\n", "> ", 2},
    {BYTES(PASTE "a" LEFT ESC "OH" UP "b" ESC "[2J" ESC "[31mc\x01\x04\x15\x1a\0d" PASTED), "",
        "> abcd", 6},
    {BYTES(PASTE "a" ESC "]0;title\ab" ESC PASTED "c"), "", "> abc", 5},
    {BYTES(PASTE "a" ESC "[" PASTED "b" LEFT), "", "> ab", 3},
    {BYTES(PASTE "a" PASTE "b" PASTED "c"), "", "> bc", 4},
    {BYTES(PASTED "a"), "", "> a", 3},
    /* what is no key does nothing */
    {BYTES("a" ESC "[15~" ESC "[99;99;99;99Z" ESC "OP" ESC "[[Ab"), "", "> ab", 4},
    {BYTES("a" ESC "x" ESC "[1;2A" ESC "[I" ESC "[?1;2c" ESC "[M !!b"), "", "> ab", 4},
    {BYTES("a" ESC "]11;rgb:ffff/ffff/ffff" ESC "\\" ESC "P1$r0m" ESC "\\b"), "", "> ab", 4},
    {BYTES("a" ESC "]1never ends\rb"), "a\n", "> b", 3},
    {BYTES("a" ESC "[12\rb"), "a12\n", "> b", 3},
    {BYTES("a" ESC ESC ESC "[Db"), "", "> ba", 3},
    {BYTES("a" ESC "\x7f"
           "b"),
        "", "> b", 3},
    {BYTES("a" ESC "[\xC3\xA9"), "", "> a\xC3\xA9", 4},
    {BYTES("a\0\x07\x0f\x11\x12\x13\x16\x18\x1c\x1d\x1e\x0c"
           "b"),
        "", "> ab", 4},
    /* every cluster is one step */
    {BYTES("a" WIDE "b" LEFT LEFT "x"), "", "> ax" WIDE "b", 4},
    {BYTES(WIDE WIDE "\x7f"), "", "> " WIDE, 4},
    {BYTES("a" E_MARK "b" LEFT LEFT "x"), "", "> ax" E_MARK "b", 4},
    {BYTES("a" E_MARK "\x7f"), "", "> a", 3},
    {BYTES("a" E_MARK "\x01" RIGHT ESC "[3~b"), "", "> ab", 4},
    {BYTES(ACUTE "a" LEFT LEFT "\x7fx"), "", "> x" ACUTE "a", 3},
    {BYTES("a" CODER "b" LEFT LEFT "x"), "", "> ax" CODER "b", 4},
    {BYTES("a" CODER "\x7f"), "", "> a", 3},
    {BYTES("a" THUMB "\x7f"), "", "> a", 3},
    {BYTES(FLAG FLAG "\x7f"), "", "> " FLAG, 4},
    {BYTES(FLAG FLAG LEFT "x"), "", "> " FLAG "x" FLAG, 5},
    {BYTES("\xE2\x9D\xA4\xEF\xB8\x8F\x7f"
           "a"),
        "", "> a", 3},
    /* bytes that are no text, and text that is not safe */
    {BYTES("a\x80"
           "b"),
        "", "> a" BAD "b", 5},
    {BYTES("a\xE4\xBD"
           "b"),
        "", "> a" BAD "b", 5},
    {BYTES("a\xE4\xBD\xC3\xA9"), "", "> a" BAD "\xC3\xA9", 5},
    {BYTES("a\xE4\r"), "a" BAD "\n", "> ", 2},
    {BYTES("a\xE4" LEFT "b"), "", "> ab" BAD, 4},
    {BYTES("\xC0\xAF\xF5\xFF"), "", "> " BAD BAD BAD BAD, 6},
    {BYTES("\xE0\x80\xAF"), "", "> " BAD BAD BAD, 5},
    {BYTES("\xEF\xBB\xBF"
           "a\xC2\xAD\xE2\x80\x8B"
           "b\r"),
        "ab\n", "> ", 2},
    {BYTES("\xED\xA0\x80"), "", "> " BAD BAD BAD, 5},
    {BYTES("\xF0\x9F\x91"
           "a"),
        "", "> " BAD "a", 4},
    {BYTES("\xF4\x90\x80\x80"), "", "> " BAD BAD BAD BAD, 6},
    {BYTES("\xC2\x9B"
           "31m\xE2\x80\xAE\xEF\xBF\xBE"),
        "", "> " BAD "31m" BAD BAD, 8},
    {BYTES(PASTE "\xC2\x9B"
                 "31m\xE4" PASTED "a"),
        "", "> " BAD "31m" BAD "a", 8},
};

static void keys_check(const struct keys *row, size_t first, size_t step)
{
    struct tty tty;
    size_t at = 0;

    tty_open(&tty, "> ", 24, 80);
    editor_complete_from(tty.editor, some_name, (void *)some_names);
    tty_show(&tty);
    for (size_t n = first; at < row->len; n = step) {
        n = n < row->len - at ? n : row->len - at;
        tty_feed(&tty, row->typed + at, n);
        at += n;
    }
    ck_assert_str_eq(tty.events, row->events);
    ck_assert_str_eq(terminal_row(tty.terminal, 0), row->row);
    ck_assert_uint_eq(tty.terminal->row, 0);
    ck_assert_uint_eq(tty.terminal->column, row->column);
    tty_close(&tty);
}

START_TEST(every_key_in_every_cut)
{
    const struct keys *row = &keys[_i];

    keys_check(row, row->len, row->len);
    for (size_t cut = 1; cut < row->len; cut++) {
        keys_check(row, cut, row->len);
        keys_check(row, cut, cut);
    }
}
END_TEST

/* Half a key ends after a while, and what is typed then is typed. */
START_TEST(half_a_key_ends)
{
    struct tty tty;

    tty_open(&tty, "> ", 24, 80);
    tty_show(&tty);
    ck_assert_int_lt(editor_pause(tty.editor), 0);
    tty_type(&tty, "a" ESC);
    ck_assert_int_gt(editor_pause(tty.editor), 0);
    editor_expire(tty.editor);
    ck_assert_int_lt(editor_pause(tty.editor), 0);
    tty_type(&tty, "[O" ESC "[");
    ck_assert_int_gt(editor_pause(tty.editor), 0);
    editor_expire(tty.editor);
    tty_type(&tty, "Db" ESC "[1");
    editor_expire(tty.editor);
    tty_type(&tty, "c\r");
    ck_assert_str_eq(tty.events, "a[ODb1c\n");
    tty_close(&tty);
}
END_TEST

/* The end of a paste may not come. */
START_TEST(half_a_paste_ends)
{
    struct tty tty;

    tty_open(&tty, "> ", 24, 80);
    tty_show(&tty);
    tty_type(&tty, PASTE "ab");
    ck_assert(editor_is_pasting(tty.editor));
    editor_expire(tty.editor);
    ck_assert(!editor_is_pasting(tty.editor));
    tty_type(&tty, LEFT "x" PASTE "lost\n\x03y");
    ck_assert(!editor_is_pasting(tty.editor));
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "> axyb");
    tty_close(&tty);
}
END_TEST

/* What waits for the server, and what waits for the user. */
START_TEST(the_prompt_counts)
{
    struct tty tty;

    tty_open(&tty, "> ", 24, 80);
    tty_show(&tty);
    tty_type(&tty, "typed" LEFT);
    editor_waiting(tty.editor, 12);
    tty_type(&tty, "");
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "[12 waiting] > typed");
    ck_assert_uint_eq(tty.terminal->column, 19);
    tty_type(&tty, PASTE "a\nb" PASTED);
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "[12 waiting] [2 lines] > ");
    editor_waiting(tty.editor, 0);
    tty_print(&tty, "message");
    ck_assert_str_eq(terminal_row(tty.terminal, 1), "[2 lines] > ");
    tty_type(&tty, "\003");
    ck_assert_str_eq(terminal_row(tty.terminal, 1), "> ");
    ck_assert_uint_eq(tty.terminal->column, 2);
    tty_close(&tty);
}
END_TEST

START_TEST(bells)
{
    static const struct {
        const char *typed;
        unsigned bells;
    } table[] = {
        {"abc\x7f\x7f\x7f\x7f" LEFT RIGHT UP DOWN, 0},
        {"an\t", 0},
        {"x\t", 1},
        {"ann:\t", 1},
        {"x\x07", 0},
    };
    struct tty tty;

    tty_open(&tty, "> ", 24, 80);
    editor_complete_from(tty.editor, some_name, (void *)some_names);
    tty_show(&tty);
    tty_type(&tty, table[_i].typed);
    ck_assert_uint_eq(tty.terminal->bells, table[_i].bells);
    tty_close(&tty);
}
END_TEST

/* Names can come and go between two presses of Tab. */
START_TEST(completion_while_names_change)
{
    const char *changing[] = {"ann", "anna", "anne", NULL};
    struct tty tty;

    tty_open(&tty, "> ", 24, 80);
    tty_show(&tty);
    tty_type(&tty, "an\t");
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "> an");
    ck_assert_uint_eq(tty.terminal->bells, 1);
    editor_complete_from(tty.editor, some_name, changing);
    tty_type(&tty, "\t\t\t");
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "> anne: ");
    changing[0] = "xenia";
    changing[1] = NULL;
    tty_type(&tty, "\t");
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "> anne: ");
    ck_assert_uint_eq(tty.terminal->bells, 2);
    tty_close(&tty);
}
END_TEST

static const char *kind_name(void *context, enum completion_kind kind, size_t i)
{
    static const char *const names[] = {"x_command", "x_name", "x_partner", "x_ignored"};

    (void)context;
    return i == 0 ? "" : i == 1 ? names[kind] : NULL;
}

/* Names are asked for by where they are to stand. */
START_TEST(completion_knows_the_place)
{
    static const char *const rows[][2] = {{"x\t", "> x_name: "}, {"hi x\t", "> hi x_name "},
        {"/msg x\t", "> /msg x_partner "}, {"/MSG \t", "> /MSG x_partner "},
        {"/unignore \t", "> /unignore x_ignored "}, {"/ignore \t", "> /ignore x_name "},
        {"/msg bob x\t", "> /msg bob x_name "}, {"/kick x\t", "> /kick x_name "}};
    struct tty tty;

    tty_open(&tty, "> ", 24, 80);
    editor_complete_from(tty.editor, kind_name, NULL);
    tty_show(&tty);
    tty_type(&tty, rows[_i][0]);
    ck_assert_str_eq(terminal_row(tty.terminal, 0), rows[_i][1]);
    tty_close(&tty);
}
END_TEST

/* What is too long is refused whole. */
START_TEST(line_has_a_limit)
{
    struct tty tty;
    char *line = malloc(EDIT_MAX + 2);

    ck_assert_ptr_nonnull(line);
    tty_open(&tty, "> ", 24, 80);
    tty_show(&tty);
    memset(line, 'a', EDIT_MAX);
    tty_feed(&tty, line, EDIT_MAX);
    ck_assert_uint_eq(tty.terminal->bells, 0);
    tty_type(&tty, "b");
    ck_assert_uint_eq(tty.terminal->bells, 1);
    tty_type(&tty, "\x7f" PASTE "bb" PASTED);
    ck_assert_str_eq(tty.events, "<too long>\n");
    tty_type(&tty, PASTE "\nb\n" PASTED "c" WIDE "\x7f"
                         "c\r");
    ck_assert_uint_eq(tty.terminal->bells, 2);
    line[EDIT_MAX - 1] = 'c';
    line[EDIT_MAX] = '\n';
    ck_assert_uint_eq(tty.events_len, 11 + EDIT_MAX + 1);
    ck_assert(memcmp(tty.events + 11, line, EDIT_MAX + 1) == 0);
    free(line);
    tty_close(&tty);
}
END_TEST

START_TEST(paste_has_a_limit)
{
    struct tty tty;
    char *line = malloc(EDIT_MAX + 1);

    ck_assert_ptr_nonnull(line);
    tty_open(&tty, "> ", 24, 80);
    tty_show(&tty);
    tty_type(&tty, "typed" PASTE);
    memset(line, 'a', EDIT_MAX + 1);
    line[100] = '\n';
    tty_feed(&tty, line, EDIT_MAX + 1);
    tty_type(&tty, PASTED);
    ck_assert_str_eq(tty.events, "<too long>\n");
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "> typed");
    line[EDIT_MAX / 2 - 20] = '\n';
    tty_type(&tty, PASTE);
    tty_feed(&tty, line, EDIT_MAX / 2 - 10);
    tty_type(&tty, PASTED);
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "[3 lines] > ");
    free(line);
    tty_close(&tty);
}
END_TEST

START_TEST(history_has_a_limit)
{
    struct tty tty;
    char line[20];

    tty_open(&tty, "> ", 24, 80);
    tty_show(&tty);
    for (int i = 0; i < HISTORY_LINES_MAX + 10; i++) {
        snprintf(line, sizeof line, "line %d\r", i);
        tty_type(&tty, line);
    }
    for (int i = HISTORY_LINES_MAX + 9; i >= 10; i--) {
        tty_type(&tty, UP);
        snprintf(line, sizeof line, "> line %d", i);
        ck_assert_str_eq(terminal_row(tty.terminal, 0), line);
    }
    tty_type(&tty, UP);
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "> line 10");
    tty_close(&tty);
}
END_TEST

/* The line that was finished is there until more is typed, whatever is printed in between. */
START_TEST(finished_line_stays_valid)
{
    struct tty tty;
    const char *typed = "first\rsecond";
    const char *at = typed;
    struct span line;

    tty_open(&tty, "> ", 24, 80);
    tty_show(&tty);
    ck_assert_int_eq(editor_feed(tty.editor, &at, typed + strlen(typed)), EDITOR_LINE);
    tty_print(&tty, "hello");
    line = editor_line(tty.editor);
    ck_assert_uint_eq(line.len, 5);
    ck_assert(memcmp(line.at, "first", 5) == 0);
    ck_assert_str_eq(at, "second");
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "hello");
    ck_assert_str_eq(terminal_row(tty.terminal, 1), "> ");
    tty_close(&tty);
}
END_TEST

/* Nobody feeds the editor again before the next key. */
START_TEST(line_leaves_the_prompt_at_once)
{
    struct tty tty;
    const char *at = "\r";
    struct span line;

    tty_open(&tty, "> ", 24, 80);
    tty_show(&tty);
    tty_type(&tty, "gone");
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "> gone");
    ck_assert_int_eq(editor_feed(tty.editor, &at, at + 1), EDITOR_LINE);
    line = editor_line(tty.editor);
    ck_assert_uint_eq(line.len, 4);
    ck_assert(memcmp(line.at, "gone", 4) == 0);
    editor_refresh(tty.editor, &tty.out);
    tty_flush(&tty);
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "> ");
    tty_close(&tty);
}
END_TEST

/* In any cut: whoever ends in the middle has to know that more is coming. */
START_TEST(a_paste_has_an_end)
{
    const char typed[] = "before" PASTE "one\rtwo" LEFT "\x04" PASTED "\r";
    const char *begin = strstr(typed, PASTE) + strlen(PASTE);
    const char *end = strstr(typed, PASTED) + strlen(PASTED);

    for (const char *cut = typed; *cut != '\0'; cut++) {
        struct tty tty;

        tty_open(&tty, "> ", 24, 80);
        tty_feed(&tty, typed, (size_t)(cut - typed));
        ck_assert_int_eq(editor_is_pasting(tty.editor), cut >= begin && cut < end);
        tty_feed(&tty, cut, strlen(cut));
        ck_assert(!editor_is_pasting(tty.editor));
        tty_close(&tty);
    }
}
END_TEST

START_TEST(start_and_stop)
{
    struct tty tty;

    tty_open(&tty, "name: ", 24, 80);
    editor_start(tty.editor, &tty.out);
    tty_flush(&tty);
    ck_assert(tty.terminal->paste);
    tty_type(&tty, "ab" LEFT);
    editor_stop(tty.editor, &tty.out);
    tty_flush(&tty);
    ck_assert(!tty.terminal->paste);
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "");
    ck_assert_uint_eq(tty.terminal->column, 0);
    tty_type(&tty, "x");
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "");
    editor_start(tty.editor, &tty.out);
    editor_show(tty.editor, &tty.out);
    tty_flush(&tty);
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "name: axb");
    ck_assert_uint_eq(tty.terminal->column, 8);
    tty_close(&tty);
}
END_TEST

START_TEST(clear_screen)
{
    struct tty tty;

    tty_open(&tty, "> ", 5, 20);
    tty_show(&tty);
    tty_print(&tty, "one");
    tty_print(&tty, "two");
    tty_type(&tty, "typed" LEFT "\x0c");
    ck_assert_str_eq(terminal_row(tty.terminal, 0), "> typed");
    ck_assert_uint_eq(tty.terminal->row, 0);
    ck_assert_uint_eq(tty.terminal->column, 6);
    for (unsigned row = 1; row < 5; row++)
        ck_assert_str_eq(terminal_row(tty.terminal, row), "");
    tty_close(&tty);
}
END_TEST

/* What is typed at the end, and moving, must not redraw a long line. */
START_TEST(little_is_written)
{
    static const struct {
        const char *typed;
        const char *written;
    } table[] = {
        {"x", "x"},
        {"xyz", "xyz"},
        {LEFT, "\r" ESC "[71C"},
        {"\x01", "\r" ESC "[2C"},
        {"\x01\x05", ""},
        {RIGHT, ""},
        {ESC "[99~", ""},
    };
    struct tty tty;
    const char *at = table[_i].typed;

    tty_open(&tty, "> ", 24, 80);
    tty_show(&tty);
    tty_type(&tty, "0123456789012345678901234567890123456789012345678901234567890123456789");
    editor_feed(tty.editor, &at, at + strlen(at));
    editor_refresh(tty.editor, &tty.out);
    outbuf_add(&tty.out, "", 1);
    ck_assert_str_eq(tty.out.at, table[_i].written);
    tty_close(&tty);
}
END_TEST

/* ---- Rows ---- */

#define TEN "0123456789"
#define SIXTEEN TEN "abcdef"

/* On 20 columns, behind "> ": what stands in the rows, and where the cursor is. */
static const struct rows {
    const char *typed;
    const char *rows[4];
    unsigned row;
    unsigned column;
} rows[] = {
    {SIXTEEN "x", {"> " SIXTEEN "x"}, 0, 19},
    {SIXTEEN "xy", {"> " SIXTEEN "xy", ""}, 1, 0},
    {SIXTEEN "xyz", {"> " SIXTEEN "xy", "z"}, 1, 1},
    {SIXTEEN "xy" LEFT, {"> " SIXTEEN "xy", ""}, 0, 19},
    {SIXTEEN "xyz" LEFT, {"> " SIXTEEN "xy", "z"}, 1, 0},
    {SIXTEEN "xyz" LEFT LEFT, {"> " SIXTEEN "xy", "z"}, 0, 19},
    {SIXTEEN "xyz\x7f", {"> " SIXTEEN "xy", ""}, 1, 0},
    {SIXTEEN "xyz\x7f\x7f", {"> " SIXTEEN "x", ""}, 0, 19},
    {SIXTEEN "xy" TEN TEN, {"> " SIXTEEN "xy", TEN TEN, ""}, 2, 0},
    {SIXTEEN "xy" TEN TEN "\x01", {"> " SIXTEEN "xy", TEN TEN, ""}, 0, 2},
    {SIXTEEN "xy" TEN TEN "z\x01" ESC "[3~", {"> 123456789abcdefxy0", "1234567890123456789z"}, 0,
        2},
    {SIXTEEN "x" WIDE, {"> " SIXTEEN "x", WIDE}, 1, 2},
    {SIXTEEN "x" WIDE LEFT, {"> " SIXTEEN "x", WIDE}, 1, 0},
    {SIXTEEN "x" WIDE LEFT LEFT, {"> " SIXTEEN "x", WIDE}, 0, 18},
    {SIXTEEN WIDE, {"> " SIXTEEN WIDE, ""}, 1, 0},
    {SIXTEEN WIDE WIDE, {"> " SIXTEEN WIDE, WIDE}, 1, 2},
    {SIXTEEN "x" E_MARK, {"> " SIXTEEN "x" E_MARK, ""}, 1, 0},
    {SIXTEEN "x" E_MARK "z", {"> " SIXTEEN "x" E_MARK, "z"}, 1, 1},
    {SIXTEEN "x" WIDE "\x01x", {"> x" SIXTEEN "x", WIDE}, 0, 3},
    {SIXTEEN "x" WIDE "\x01" ESC "[3~", {"> 123456789abcdefx" WIDE, ""}, 0, 2},
    {SIXTEEN CODER, {"> " SIXTEEN, CODER}, 1, 4},
};

START_TEST(rows_of_a_long_line)
{
    struct tty tty;

    tty_open(&tty, "> ", 8, 20);
    tty_show(&tty);
    tty_type(&tty, rows[_i].typed);
    for (int twice = 0; twice < 2; twice++) {
        for (unsigned row = 0; row < COUNT_OF(rows[0].rows); row++) {
            const char *expected = rows[_i].rows[row];

            ck_assert_str_eq(terminal_row(tty.terminal, row), expected != NULL ? expected : "");
        }
        ck_assert_uint_eq(tty.terminal->row, rows[_i].row);
        ck_assert_uint_eq(tty.terminal->column, rows[_i].column);
        ck_assert(!tty.terminal->waits);
        editor_hide(tty.editor, &tty.out);
        editor_show(tty.editor, &tty.out);
        tty_flush(&tty);
    }
    tty_close(&tty);
}
END_TEST

START_TEST(window_is_resized)
{
    static const struct {
        unsigned rows;
        unsigned columns;
        const char *shown[4];
        unsigned row;
        unsigned column;
    } table[] = {
        {24, 80, {"message", "> " TEN TEN TEN}, 1, 32},
        {5, 80, {"message", "> " TEN TEN TEN}, 1, 32},
        {2, 80, {"message", "> " TEN TEN TEN}, 1, 32},
        {5, 32, {"message", "> " TEN TEN TEN, ""}, 2, 0},
        {5, 33, {"message", "> " TEN TEN TEN}, 1, 32},
    };
    struct tty tty;

    tty_open(&tty, "> ", 5, 100);
    tty_show(&tty);
    tty_print(&tty, "message");
    tty_type(&tty, TEN TEN TEN);
    terminal_resize(tty.terminal, table[_i].rows, table[_i].columns);
    editor_resize(tty.editor, table[_i].rows, table[_i].columns);
    editor_refresh(tty.editor, &tty.out);
    tty_flush(&tty);
    for (unsigned row = 0; row < table[_i].rows; row++) {
        const char *expected = row < 4 ? table[_i].shown[row] : NULL;

        ck_assert_str_eq(terminal_row(tty.terminal, row), expected != NULL ? expected : "");
    }
    ck_assert_uint_eq(tty.terminal->row, table[_i].row);
    ck_assert_uint_eq(tty.terminal->column, table[_i].column);
    tty_close(&tty);
}
END_TEST

/* ---- Anything, on any screen: an editor of pieces, and a screen to compare with ---- */

struct piece {
    const char *text;
    unsigned columns;
};

static const struct piece pieces[] = {
    {"a", 1},
    {"b", 1},
    {"c", 1},
    {" ", 1},
    {"\xC3\xA9", 1},
    {WIDE, 2},
    {"\xEA\xB0\x80", 2},
    {E_MARK, 1},
    {CODER, 4},
    {THUMB, 4},
};
/* From here on terminals disagree. */
#define PIECES_SURE 8

#define MODEL_MAX 600

struct model {
    const struct piece *line[MODEL_MAX];
    size_t len;
    size_t cursor;
    char *printed; /* all rows that have arrived */
    size_t printed_len;
    size_t seen; /* of these, what is known to have left the screen as it came */
};

static void model_delete(struct model *model, size_t from, size_t to)
{
    memmove(model->line + from, model->line + to, (model->len - to) * sizeof model->line[0]);
    model->len -= to - from;
    model->cursor = from;
}

static void model_insert(struct model *model, const struct piece *piece)
{
    memmove(model->line + model->cursor + 1, model->line + model->cursor,
        (model->len - model->cursor) * sizeof model->line[0]);
    model->line[model->cursor++] = piece;
    model->len++;
}

struct picture {
    char rows[MODEL_MAX][1000];
    size_t count;
    size_t row;
    size_t column; /* by the terminal's count */
};

static unsigned piece_columns(const struct piece *piece, bool joins)
{
    return joins && piece->columns == 4 ? 2 : piece->columns;
}

static void picture_draw(
    struct picture *picture, const struct model *model, unsigned columns, bool joins)
{
    size_t used = 2;
    size_t shown = 2;

    picture->count = 1;
    strcpy(picture->rows[0], "> ");
    for (size_t i = 0; i <= model->len; i++) {
        const struct piece *piece = i < model->len ? model->line[i] : NULL;

        if (used + (piece != NULL ? piece->columns : 1) > columns) {
            picture->rows[picture->count++][0] = '\0';
            used = shown = 0;
        }
        if (i == model->cursor) {
            picture->row = picture->count - 1;
            picture->column = shown;
        }
        if (piece != NULL) {
            strcat(picture->rows[picture->count - 1], piece->text);
            used += piece->columns;
            shown += piece_columns(piece, joins);
        }
    }
}

/* The rows from top on are on the screen, the cursor's row where the terminal's cursor is. */
static bool picture_is_shown(
    const struct picture *picture, const struct terminal *terminal, size_t top, size_t height)
{
    size_t first = terminal->row - (picture->row - top);

    if (picture->row < top || picture->row >= top + height || terminal->row < picture->row - top ||
        first + height > terminal->rows)
        return false;
    for (size_t row = 0; row < height; row++) {
        if (strcmp(terminal_row(terminal, (unsigned)(first + row)), picture->rows[top + row]) != 0)
            return false;
    }
    for (size_t row = first + height; row < terminal->rows; row++) {
        if (*terminal_row(terminal, (unsigned)row) != '\0')
            return false;
    }
    return true;
}

/* Everything that arrived, once and in order, is above. */
static void printed_check(struct model *model, const struct terminal *terminal, size_t above)
{
    size_t len = terminal->history_len;

    ck_assert_uint_le(len, model->printed_len);
    if (len > model->seen)
        ck_assert(memcmp(model->printed + model->seen, terminal->history + model->seen,
                      len - model->seen) == 0);
    model->seen = len;
    for (size_t row = 0; row < above; row++) {
        const char *text = terminal_row(terminal, (unsigned)row);

        if (strncmp(model->printed + len, text, strlen(text)) != 0)
            ck_abort_msg("this did not arrive: %s", text);
        len += strlen(text) + 1;
    }
    ck_assert_uint_eq(len, model->printed_len);
}

static void model_check(struct model *model, const struct tty *tty)
{
    static struct picture picture;
    const struct terminal *terminal = tty->terminal;
    size_t window = terminal->rows - 1;
    size_t height;

    picture_draw(&picture, model, terminal->columns, terminal->joins);
    height = picture.count < window ? picture.count : window;
    ck_assert_uint_eq(terminal->column, picture.column);
    for (size_t top = 0; top + height <= picture.count; top++) {
        if (picture_is_shown(&picture, terminal, top, height)) {
            printed_check(model, terminal, terminal->row - (picture.row - top));
            return;
        }
    }
    ck_abort_msg("the screen does not show the line");
}

static void model_print(struct model *model, struct tty *tty, size_t number, size_t len)
{
    char text[TERMINAL_COLUMNS_MAX * 2 + 1];
    unsigned columns = tty->terminal->columns;

    memset(text, 'm', len);
    snprintf(text, sizeof text, "%zu", number);
    text[strlen(text)] = ':';
    text[len] = '\0';
    tty_print(tty, text);
    model->printed = realloc(model->printed, model->printed_len + 2 * len + 3);
    ck_assert_ptr_nonnull(model->printed);
    for (size_t at = 0; at < len; at += columns) {
        model->printed_len +=
            (size_t)sprintf(model->printed + model->printed_len, "%.*s\n", (int)columns, text + at);
    }
}

/* One key, in the editor and in the model. */
static void model_step(struct model *model, struct tty *tty, size_t pieces_known)
{
    const struct piece *piece = &pieces[(size_t)rand() % pieces_known];

    switch (rand() % 24) {
    case 0:
    case 1:
        tty_type(tty, LEFT);
        model->cursor -= model->cursor > 0;
        break;
    case 2:
        tty_type(tty, RIGHT);
        model->cursor += model->cursor < model->len;
        break;
    case 3:
        tty_type(tty, "\x7f");
        if (model->cursor > 0)
            model_delete(model, model->cursor - 1, model->cursor);
        break;
    case 4:
        tty_type(tty, ESC "[3~");
        if (model->cursor < model->len)
            model_delete(model, model->cursor, model->cursor + 1);
        break;
    case 5:
        tty_type(tty, "\x01");
        model->cursor = 0;
        break;
    case 6:
    case 7:
        tty_type(tty, "\x05");
        model->cursor = model->len;
        break;
    case 8:
        if (rand() % 8 == 0) {
            tty_type(tty, "\x15");
            model_delete(model, 0, model->cursor);
        } else if (rand() % 8 == 0) {
            tty_type(tty, "\x0b");
            model_delete(model, model->cursor, model->len);
        }
        break;
    default:
        for (int n = rand() % 8; n >= 0 && model->len < MODEL_MAX; n--) {
            tty_type(tty, piece->text);
            model_insert(model, piece);
        }
    }
}

static const struct {
    unsigned rows;
    unsigned columns;
    bool joins;
    size_t pieces;
    int steps;
} screens[] = {
    {24, 80, false, PIECES_SURE, 4000},
    {24, 80, false, COUNT_OF(pieces), 2000},
    {24, 80, true, COUNT_OF(pieces), 2000},
    {5, 20, false, PIECES_SURE, 8000},
    {5, 20, false, COUNT_OF(pieces), 4000},
    {5, 20, true, COUNT_OF(pieces), 4000},
    {50, 200, false, PIECES_SURE, 2000},
    {2, 10, false, PIECES_SURE, 4000},
    {3, 7, true, COUNT_OF(pieces), 4000},
};

START_TEST(line_survives_whatever_arrives)
{
    struct model model = {.printed = calloc(1, 1)};
    struct tty tty;

    srand((unsigned)_i + 1);
    tty_open(&tty, "> ", screens[_i].rows, screens[_i].columns);
    tty.terminal->joins = screens[_i].joins;
    tty_show(&tty);
    for (int step = 0; step < screens[_i].steps; step++) {
        if (rand() % 3 == 0) {
            size_t len = (size_t)rand() % (screens[_i].columns * 2) + 1;

            model_print(&model, &tty, (size_t)step, len > 8 ? len : 8);
        } else {
            model_step(&model, &tty, screens[_i].pieces);
        }
        model_check(&model, &tty);
    }
    free(model.printed);
    tty_close(&tty);
}
END_TEST

/* ---- The output ---- */

START_TEST(output_has_a_limit)
{
    struct outbuf out = {0};
    char *much = calloc(1, OUTBUF_MAX);

    ck_assert_ptr_nonnull(much);
    outbuf_add(&out, much, 0);
    ck_assert_ptr_null(out.at);
    outbuf_add(&out, much, OUTBUF_MAX - 3);
    outbuf_number(&out, 12);
    ck_assert(!out.lost);
    outbuf_puts(&out, "ab");
    ck_assert(out.lost);
    ck_assert_uint_eq(out.len, OUTBUF_MAX - 1);
    out.len = 0;
    out.lost = false;
    outbuf_number(&out, ULONG_MAX);
    ck_assert(!out.lost);
    outbuf_add(&out, "", 1);
    ck_assert_uint_eq(strtoul(out.at, NULL, 10), ULONG_MAX);
    outbuf_free(&out);
    ck_assert_ptr_null(out.at);
    free(much);
}
END_TEST

START_TEST(width_of_clusters)
{
    static const struct {
        const char *text;
        size_t len;
        unsigned columns;
        bool sure;
    } table[] = {
        {"ab", 1, 1, true},
        {"\t", 1, 1, true},
        {WIDE "b", 3, 2, true},
        {E_MARK "b", 3, 1, true},
        {ACUTE "b", 2, 0, true},
        {CODER "b", 11, 4, false},
        {CODER CODER, 11, 4, false},
        {WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN ZWJ WOMAN, 42, 12, false},
        {"a" ZWJ "\xD9\x86", 4, 1, false},
        {WOMAN ZWJ "b", 7, 2, true},
        {"a" ZWJ "b", 4, 1, true},
        {THUMB "b", 8, 4, false},
        {FLAG FLAG, 8, 2, false},
        {"\xE2\x9D\xA4\xEF\xB8\x8F"
         "b",
            6, 2, false},
        {BAD "b", 3, 1, true},
    };
    struct cluster cluster = cluster_first(table[_i].text, strlen(table[_i].text));

    ck_assert_uint_eq(cluster.len, table[_i].len);
    ck_assert_uint_eq(cluster.columns, table[_i].columns);
    ck_assert_int_eq(cluster.sure, table[_i].sure);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("editor");
    TCase *tcase = tcase_create("editor");
    SRunner *runner = srunner_create(suite);
    int failed;

    screen_locale();
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, every_key_in_every_cut, 0, COUNT_OF(keys));
    tcase_add_test(tcase, half_a_key_ends);
    tcase_add_test(tcase, half_a_paste_ends);
    tcase_add_test(tcase, the_prompt_counts);
    tcase_add_loop_test(tcase, bells, 0, 5);
    tcase_add_test(tcase, completion_while_names_change);
    tcase_add_loop_test(tcase, completion_knows_the_place, 0, 8);
    tcase_add_test(tcase, line_has_a_limit);
    tcase_add_test(tcase, paste_has_a_limit);
    tcase_add_test(tcase, history_has_a_limit);
    tcase_add_test(tcase, finished_line_stays_valid);
    tcase_add_test(tcase, line_leaves_the_prompt_at_once);
    tcase_add_test(tcase, a_paste_has_an_end);
    tcase_add_test(tcase, start_and_stop);
    tcase_add_test(tcase, clear_screen);
    tcase_add_loop_test(tcase, little_is_written, 0, 7);
    tcase_add_loop_test(tcase, rows_of_a_long_line, 0, COUNT_OF(rows));
    tcase_add_loop_test(tcase, window_is_resized, 0, 5);
    tcase_add_loop_test(tcase, line_survives_whatever_arrives, 0, COUNT_OF(screens));
    tcase_add_test(tcase, output_has_a_limit);
    tcase_add_loop_test(tcase, width_of_clusters, 0, 15);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
