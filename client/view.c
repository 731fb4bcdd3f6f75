/*
 * view.c: see view.h. Each event is formatted as one line of clean text with SGR sequences, which
 * is then wrapped.
 */
#include "view.h"

#include "../wire/utf8.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SGR_NONE "\x1b[m"
#define SGR_BOLD "\x1b[1m"
#define SGR_DIM "\x1b[2m"
#define SGR_REVERSE "\x1b[7m"
#define SGR_RED "\x1b[31m"
#define SGR_GREEN "\x1b[32m"

/* Of a cleaned name, with NUL. */
#define NAME_SIZE (NAME_LEN_MAX + 1)

/* Bytes of names in the answer to /users. */
#define LIST_MAX 4096
/* If the width is unknown. */
#define COLUMNS_USUAL 80

/* ---- The line that is being made ------------------------------------------------------------ */

static void colour_put(struct view *view, const char *sgr)
{
    if (view->colour != COLOUR_NONE)
        outbuf_puts(&view->line, sgr);
}

static void line_put(struct view *view, const char *text)
{
    outbuf_puts(&view->line, text);
}

static void put_span(struct view *view, struct span text)
{
    outbuf_clean(&view->line, text.at, text.len);
}

static void put_name(struct view *view, struct span name)
{
    char clean[NAME_SIZE];

    name_copy_clean(clean, name);
    line_put(view, clean);
}

/*
 * Colours with a contrast of at least 3.2 to black and to white, and far from each other. Green is
 * left out: it marks the user's own lines.
 */
static const unsigned char hues_256[] = {
    160, 93, 30, 169, 100, 33, 167, 200, 130, 99, 137, 197, 67, 97, 128, 25, 134, 162};
static const unsigned char hues_basic[] = {34, 35, 36, 33};

static void paint_name(struct view *view, struct span name)
{
    char clean[NAME_SIZE];

    name_copy_clean(clean, name);
    switch (view->colour) {
    case COLOUR_NONE:
        break;
    case COLOUR_BASIC:
        line_put(view, "\x1b[");
        outbuf_number(&view->line,
            hues_basic[speakers_hue(&view->people.speakers, clean, sizeof hues_basic)]);
        line_put(view, "m");
        break;
    case COLOUR_256:
        line_put(view, "\x1b[38;5;");
        outbuf_number(
            &view->line, hues_256[speakers_hue(&view->people.speakers, clean, sizeof hues_256)]);
        line_put(view, "m");
        break;
    }
}

/* Continued rows begin below the text after the time; on narrow terminals, with two blanks. */
static size_t line_indent(const struct view *view)
{
    return view->columns < COLUMNS_USUAL / 2 ? 2 : strlen("12:00 ");
}

void view_line(struct view *view, struct span line, struct outbuf *out)
{
    outbuf_line(out, line, view->columns, line_indent(view));
    if (view->terminal)
        scrollback_add(&view->recent, line);
}

/* Shows the early lines of the past, after its heading or without one. */
static void early_show(struct view *view, struct outbuf *out)
{
    struct scrollback *lines = &view->early.lines;
    struct span line = {0};

    while (scrollback_next(lines, &line))
        view_line(view, line, out);
    scrollback_clear(lines);
}

static void line_end(struct view *view, struct outbuf *out)
{
    struct span line;

    colour_put(view, SGR_NONE);
    line = (struct span){view->line.at, view->line.len};
    if (view->early.waits)
        scrollback_add(&view->early.lines, line);
    else
        view_line(view, line, out);
    out->lost = out->lost || view->line.lost;
    view->line.len = 0;
    view->line.lost = false;
}

void view_redraw(const struct view *view, size_t rows, struct outbuf *out)
{
    scrollback_draw(&view->recent, rows, view->columns, line_indent(view), out);
}

/* ---- Time --------------------------------------------------------------------------------- */

static struct tm local_time(uint64_t stamp)
{
    time_t seconds = (time_t)(stamp / 1000000);
    struct tm time = {.tm_mday = 1};

    localtime_r(&seconds, &time);
    return time;
}

static void put_time(struct view *view, const struct tm *time)
{
    char text[64];
    size_t len;

    if (view->terminal)
        len = strftime(text, sizeof text, "%H:%M ", time);
    else
        len = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S ", time);
    outbuf_add(&view->line, text, len);
}

static void put_day(struct view *view, const struct tm *time)
{
    char text[64];

    outbuf_add(&view->line, text, strftime(text, sizeof text, "%A %Y-%m-%d", time));
}

static void mark_begin(struct view *view)
{
    colour_put(view, SGR_DIM);
    line_put(view, "-- ");
}

static void mark_end(struct view *view, struct outbuf *out)
{
    line_put(view, " --");
    line_end(view, out);
}

static void mark_day(
    struct view *view, const char *before, const struct tm *time, struct outbuf *out)
{
    mark_begin(view);
    line_put(view, before);
    put_day(view, time);
    mark_end(view, out);
}

/* Shows the heading of the past, and the early lines after it. */
static void view_mark_past(struct view *view, const struct tm *time, int day, struct outbuf *out)
{
    struct view_early *early = &view->early;

    if (early->lines.text.len == 0)
        view->day = day;
    mark_day(view, "earlier, ", early->lines.text.len > 0 ? &early->first_time : time, out);
    early_show(view, out);
    view->when = VIEW_PAST_MARKED;
}

/* On a terminal, shows lines at the beginning of the past and of another day. */
static void view_mark(struct view *view, bool past_said, const struct tm *time, struct outbuf *out)
{
    int day = time->tm_year * 366 + time->tm_yday;

    if (view->early.waits && view->early.lines.text.len == 0)
        view->early.first_time = *time;
    if (past_said && view->when != VIEW_PAST_MARKED)
        view_mark_past(view, time, day, out);
    if (view->day != 0 && view->day != day)
        mark_day(view, "", time, out);
    view->day = day;
}

/* True for events of the room before `you`. */
static bool event_is_past(const struct view *view, const struct event *event)
{
    return view->when != VIEW_PRESENT && (verb_is_room(event->verb) || event->verb == VERB_GAP);
}

/* Begins a line with the time. The text after it is dim if it is past or not a message. */
static void line_begin(struct view *view, const struct event *event, bool dim, struct outbuf *out)
{
    struct tm time = local_time(event->stamp);
    bool past = event_is_past(view, event);
    bool said = verb_is_message(event->verb);

    view->early.waits = view->terminal && past && !said && view->when != VIEW_PAST_MARKED;
    if (view->terminal)
        view_mark(view, past && said, &time, out);
    colour_put(view, SGR_DIM);
    put_time(view, &time);
    if (!dim && !past)
        colour_put(view, SGR_NONE);
}

/* ---- Messages ------------------------------------------------------------------------------- */

/* A speaker's name has a colour, unless it is past or the user's own: those lines are green. */
static void paint_speaker(struct view *view, const struct event *event)
{
    if (event_is_past(view, event))
        return;
    if (event->verb == VERB_PRIV)
        colour_put(view, SGR_BOLD);
    if (people_mentioned(&view->people, event))
        colour_put(view, SGR_REVERSE);
    if (!people_is_own(&view->people, event->name))
        paint_name(view, event->name);
}

/* The speaker, and the recipient of a private message. */
static void put_speaker(struct view *view, const struct event *event)
{
    put_name(view, event->name);
    if (event->verb == VERB_PRIV) {
        line_put(view, " -> ");
        put_name(view, event->word);
    }
    if (event->verb == VERB_POST)
        line_put(view, "*");
    if (event->verb != VERB_ME)
        line_put(view, ":");
}

static void show_message(struct view *view, const struct event *event, struct outbuf *out)
{
    bool past = event_is_past(view, event);
    bool own = !past && people_is_own(&view->people, event->name);
    bool mentions = people_mentioned(&view->people, event);

    line_begin(view, event, false, out);
    if (own)
        colour_put(view, SGR_GREEN);
    if (event->verb == VERB_ME)
        line_put(view, "* ");
    paint_speaker(view, event);
    put_speaker(view, event);
    if ((!own && !past) || mentions)
        colour_put(view, SGR_NONE);
    if (mentions)
        colour_put(view, SGR_BOLD);
    line_put(view, " ");
    put_span(view, event->text);
    line_end(view, out);
}

static enum view_notice message_notice(const struct view *view, const struct event *event)
{
    if (view->when != VIEW_PRESENT || *view->people.name == '\0' ||
        people_is_own(&view->people, event->name))
        return NOTICE_NONE;
    if (event->verb == VERB_PRIV || people_mentioned(&view->people, event))
        return NOTICE_MENTION;
    return NOTICE_MESSAGE;
}

/* ---- Notices ------------------------------------------------------------------------------ */

static void notice_begin(struct view *view, const struct event *event, bool dim, struct outbuf *out)
{
    line_begin(view, event, dim, out);
    line_put(view, "-- ");
}

static void put_count(struct view *view)
{
    outbuf_number(&view->line, view->people.count);
    line_put(view, " here");
}

/* The number after an event that changed it. It is unknown in the past. */
static void put_new_count(struct view *view)
{
    if (view->when != VIEW_PRESENT)
        return;
    line_put(view, ", ");
    put_count(view);
}

/* As many names as fit, and the number of the others. */
static void put_list(struct view *view, size_t room)
{
    const struct roster *roster = &view->people.roster;
    size_t shown = 0;

    for (; shown < roster->len && strlen(roster->at[shown]) < room; shown++) {
        line_put(view, shown == 0 ? ": " : " ");
        line_put(view, roster->at[shown]);
        room -= strlen(roster->at[shown]) + 1;
    }
    if (shown != 0 && shown < view->people.count) {
        line_put(view, " and ");
        outbuf_number(&view->line, view->people.count - shown);
        line_put(view, " more");
    }
}

/* The length of the names in bytes, which is at least their width. */
static size_t list_len(const struct roster *roster)
{
    size_t len = 0;

    for (size_t i = 0; i < roster->len; i++)
        len += 1 + strlen(roster->at[i]);
    return len;
}

static void show_users(struct view *view, const struct event *event, struct outbuf *out)
{
    notice_begin(view, event, false, out);
    put_count(view);
    put_list(view, LIST_MAX);
    line_end(view, out);
}

/* The users list of the welcome, if it fits in the row, else the number only. */
static void put_welcome_list(struct view *view, size_t used)
{
    size_t columns = view->columns != 0 ? view->columns : COLUMNS_USUAL;

    line_put(view, ", ");
    put_count(view);
    if (used + strlen(", 100000 here:") + list_len(&view->people.roster) <= columns)
        put_list(view, columns);
}

/* before: the name on the last connection, or the one that was asked for. */
static void show_welcome(
    struct view *view, const struct event *event, const struct asked *before, struct outbuf *out)
{
    char why[ASKED_WHY_MAX];

    view->early.waits = false;
    early_show(view, out);
    if (view->when == VIEW_PAST_MARKED) {
        mark_begin(view);
        line_put(view, "now");
        mark_end(view, out);
    }
    asked_explain(before, view->people.name, why);
    notice_begin(view, event, *why == '\0', out);
    line_put(view, why);
    line_put(view, "you are ");
    line_put(view, view->people.name);
    if (!view->quiet)
        put_welcome_list(
            view, strlen("12:00 -- you are ") + strlen(why) + strlen(view->people.name));
    line_end(view, out);
}

static void show_join(struct view *view, const struct event *event, struct outbuf *out)
{
    notice_begin(view, event, true, out);
    put_name(view, event->name);
    line_put(view, " joined");
    put_new_count(view);
    line_end(view, out);
}

static bool span_is(struct span span, const char *word)
{
    return span.len == strlen(word) && memcmp(span.at, word, span.len) == 0;
}

/* An unknown reason, of a newer server, is shown as it is. */
static void put_reason(struct view *view, struct span reason)
{
    static const char *const reasons[][2] = {
        {"left", " left"},
        {"lost", " lost the connection"},
        {"kicked", " was kicked out"},
        {"crashed", " crashed"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (span_is(reason, reasons[i][0])) {
            line_put(view, reasons[i][1]);
            return;
        }
    }
    line_put(view, " is gone, ");
    put_span(view, reason);
}

static void show_quit(struct view *view, const struct event *event, struct outbuf *out)
{
    notice_begin(view, event, true, out);
    put_name(view, event->name);
    put_reason(view, event->word);
    put_new_count(view);
    if (event->text.len != 0 && !people_ignores_text(&view->people, event)) {
        line_put(view, ": ");
        put_span(view, event->text);
    }
    line_end(view, out);
}

/* view->people.asked is the argument of the last /nick. */
static void show_nick(struct view *view, const struct event *event, struct outbuf *out)
{
    char name[NAME_SIZE];
    char why[ASKED_WHY_MAX] = "";

    name_copy_clean(name, event->word);
    if (view->when == VIEW_PRESENT && strcmp(view->people.name, name) == 0)
        asked_explain(&view->people.asked, name, why);
    notice_begin(view, event, *why == '\0', out);
    line_put(view, why);
    put_name(view, event->name);
    line_put(view, " is now ");
    put_name(view, event->word);
    line_end(view, out);
}

static void show_note(struct view *view, const struct event *event, struct outbuf *out)
{
    notice_begin(view, event, false, out);
    put_span(view, event->text);
    line_end(view, out);
}

static void show_error(struct view *view, const struct event *event, struct outbuf *out)
{
    line_begin(view, event, false, out);
    colour_put(view, SGR_RED);
    line_put(view, "-- ");
    put_span(view, event->word);
    if (event->text.len != 0) {
        line_put(view, ": ");
        put_span(view, event->text);
    }
    line_end(view, out);
}

static void show_gap(struct view *view, const struct event *event, struct outbuf *out)
{
    notice_begin(view, event, false, out);
    if (event->counted)
        outbuf_number(&view->line, event->count);
    else
        line_put(view, "some");
    line_put(view, event->counted && event->count == 1 ? " line is" : " lines are");
    line_put(view, " missing here");
    if (event->mine != 0) {
        line_put(view, ", your own among them: ");
        outbuf_number(&view->line, event->mine);
    }
    line_end(view, out);
}

/* ---- The interface ------------------------------------------------------------------------ */

enum view_notice view_event(struct view *view, const struct event *event, struct outbuf *out)
{
    struct asked before = {.name = ""};

    if (event->verb == VERB_YOU)
        before = people_wanted(&view->people);
    people_follow(&view->people, event);
    switch (event->verb) {
    case VERB_HERE:
    case VERB_TOKEN:
    case VERB_RESUMED:
        return NOTICE_NONE;
    case VERB_USERS:
        if (view->when == VIEW_PRESENT)
            show_users(view, event, out);
        return NOTICE_NONE;
    case VERB_YOU:
        show_welcome(view, event, &before, out);
        view->when = VIEW_PRESENT;
        return NOTICE_NONE;
    case VERB_JOIN:
        if (!view->quiet)
            show_join(view, event, out);
        return NOTICE_NONE;
    case VERB_QUIT:
        if (!view->quiet)
            show_quit(view, event, out);
        return NOTICE_NONE;
    case VERB_NICK:
        show_nick(view, event, out);
        return NOTICE_NONE;
    case VERB_MSG:
    case VERB_ME:
    case VERB_POST:
    case VERB_PRIV:
        if (people_ignores(&view->people, event))
            return NOTICE_NONE;
        show_message(view, event, out);
        return message_notice(view, event);
    case VERB_NOTE:
        show_note(view, event, out);
        return NOTICE_NONE;
    case VERB_GAP:
        show_gap(view, event, out);
        return NOTICE_NONE;
    case VERB_ERROR:
        show_error(view, event, out);
        return NOTICE_NONE;
    }
    return NOTICE_NONE;
}

void view_restart(struct view *view)
{
    view->when = VIEW_PAST;
    people_restart(&view->people);
}

void view_here(const struct event *here, struct outbuf *out)
{
    struct span names = here->text;
    struct span name;

    while (here_next(&names, &name)) {
        outbuf_clean(out, name.at, name.len);
        outbuf_puts(out, "\n");
    }
}

void view_free(struct view *view)
{
    people_free(&view->people);
    outbuf_free(&view->line);
    scrollback_free(&view->recent);
    scrollback_free(&view->early.lines);
}
