/*
 * widths.c: how wide the editor takes text to be, and how wide the terminal makes it. To be run in
 * a terminal; tests/widths_tmux.sh does that.
 *
 *   widths FILE...
 *
 * The files are Unicode's emoji-test.txt and GraphemeBreakTest.txt, or others in which lines begin
 * with code points in hexadecimal. Each such text is typed between an "a" and a "b", moved over
 * character by character, and deleted; each time the terminal is asked where its cursor stands,
 * which must be where it stands behind the same text when that is just printed. Differences are
 * told on standard error, and in the end the counts.
 */
#include "../client/editor.h"
#include "../client/screen.h"
#include "../wire/text.h"
#include "../wire/utf8.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define ROWS 24
#define COLUMNS 80
#define TEXT_MAX 1024
/* How long the terminal may take for an answer, in ms. */
#define ANSWER_PATIENCE 20000

static const char prompt[] = "> ";

/* What came out. */
struct counts {
    unsigned long texts;
    unsigned long positions; /* of the cursor, that were compared */
    unsigned long wrong;     /* of these */
    unsigned long sure;      /* texts of whose width the editor is sure */
    unsigned long sure_wrong;
    unsigned long wider;    /* of the others: the editor reckons with more columns */
    unsigned long narrower; /* with fewer */
};

/* ---- The terminal ---- */

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "widths: %s\n", why);
    exit(EXIT_FAILURE);
}

static void terminal_put(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes, len);
        if (n < 0)
            die("cannot write");
        bytes += n;
        len -= (size_t)n;
    }
}

/* The column of the cursor, from 0; the answer to a question of VT100. */
static unsigned terminal_column(void)
{
    struct pollfd ready = {STDIN_FILENO, POLLIN, 0};
    unsigned row, column;
    char answer[64];
    size_t len = 0;

    terminal_put("\x1b[6n", 4);
    while (len == 0 || answer[len - 1] != 'R') {
        if (len + 1 == sizeof answer || poll(&ready, 1, ANSWER_PATIENCE) <= 0 ||
            read(STDIN_FILENO, answer + len, 1) != 1)
            die("the terminal does not tell where its cursor is");
        len++;
    }
    answer[len] = '\0';
    if (sscanf(answer, "\x1b[%u;%uR", &row, &column) != 2)
        die("what is that answer?");
    return column - 1;
}

/* Where the cursor stands behind the prompt and the text when they are printed. */
static unsigned printed_column(const char *text, size_t len)
{
    terminal_put("\r\x1b[K", 4);
    terminal_put(prompt, strlen(prompt));
    terminal_put(text, len);
    return terminal_column();
}

/* ---- One text ---- */

struct trial {
    struct counts *counts;
    struct editor *editor;
    struct outbuf out;
    const char *name;        /* its code points, as they stand in the file */
    char text[TEXT_MAX + 2]; /* between "a" and "b" */
    size_t len;
    size_t borders[TEXT_MAX]; /* where its clusters begin, and the end */
    unsigned columns[TEXT_MAX];
    size_t borders_len;
};

static void trial_flush(struct trial *trial)
{
    terminal_put(trial->out.at, trial->out.len);
    trial->out.len = 0;
}

static void trial_type(struct trial *trial, const char *keys, size_t len)
{
    const char *at = keys;

    while (editor_feed(trial->editor, &at, keys + len) != EDITOR_NONE)
        continue;
    editor_refresh(trial->editor, &trial->out);
    trial_flush(trial);
}

static void trial_compare(struct trial *trial, size_t border, const char *what)
{
    unsigned column = terminal_column();

    trial->counts->positions++;
    if (column == trial->columns[border])
        return;
    trial->counts->wrong++;
    fprintf(stderr, "%s: %s: the cursor is in column %u, not %u\n", trial->name, what, column,
        trial->columns[border]);
}

/* Where the borders are, and where the terminal puts its cursor there. */
static void trial_measure(struct trial *trial)
{
    size_t at = 0;

    for (trial->borders_len = 0;; trial->borders_len++) {
        trial->borders[trial->borders_len] = at;
        trial->columns[trial->borders_len] = printed_column(trial->text, at);
        if (at == trial->len)
            break;
        at += cluster_first(trial->text + at, trial->len - at).len;
    }
    terminal_put("\r\x1b[K", 4);
}

/* Is the editor right about what it is sure of, and careful about the rest? */
static void trial_count(struct trial *trial)
{
    struct counts *counts = trial->counts;
    unsigned reckoned = (unsigned)strlen(prompt);
    unsigned shown = trial->columns[trial->borders_len];
    bool sure = true;

    for (size_t i = 0; i < trial->borders_len; i++) {
        size_t at = trial->borders[i];
        struct cluster cluster = cluster_first(trial->text + at, trial->len - at);
        reckoned += cluster.columns;
        sure = sure && cluster.sure;
    }
    counts->texts++;
    counts->sure += sure;
    counts->sure_wrong += sure && reckoned != shown;
    counts->wider += !sure && reckoned > shown;
    counts->narrower += !sure && reckoned < shown;
    if (reckoned < shown || (sure && reckoned != shown))
        fprintf(stderr, "%s: %s: %u columns, and the terminal has %u\n", trial->name,
            sure ? "sure" : "not sure", reckoned, shown);
}

static void trial_run(struct trial *trial)
{
    trial_measure(trial);
    trial_count(trial);
    trial->editor = editor_new(prompt, ROWS, COLUMNS);
    editor_show(trial->editor, &trial->out);
    trial_type(trial, trial->text, trial->len);
    trial_compare(trial, trial->borders_len, "typed");
    for (size_t i = trial->borders_len; i-- > 0;) {
        trial_type(trial, "\x1b[D", 3);
        trial_compare(trial, i, "moved left");
    }
    for (size_t i = 1; i <= trial->borders_len; i++) {
        trial_type(trial, "\x1b[C", 3);
        trial_compare(trial, i, "moved right");
    }
    for (size_t i = trial->borders_len; i-- > 0;) {
        trial_type(trial, "\x7f", 1);
        trial_compare(trial, i, "deleted");
    }
    editor_hide(trial->editor, &trial->out);
    trial_flush(trial);
    editor_free(trial->editor);
}

/* ---- The files ---- */

/* The text of a line: its code points up to a `;` or `#`, cleaned; 0 where there are none. */
static size_t line_text(const char *line, char *text)
{
    char raw[TEXT_MAX / 3];
    size_t len = 0;

    while (*line != '\0' && *line != ';' && *line != '#' && len + 4 < sizeof raw) {
        char *end;
        unsigned long cp = strtoul(line, &end, 16);
        if (end == line) {
            line++; /* a blank, or a sign of GraphemeBreakTest.txt */
            continue;
        }
        if (cp < 0xD800 || (cp > 0xDFFF && cp <= 0x10FFFF))
            len += utf8_encode((uint32_t)cp, raw + len);
        line = end;
    }
    return text_clean(text, raw, len);
}

static void file_run(const char *path, struct counts *counts)
{
    static struct trial trial;
    FILE *file = fopen(path, "r");
    char line[TEXT_MAX];

    if (file == NULL)
        die(path);
    trial.counts = counts;
    while (fgets(line, sizeof line, file) != NULL) {
        size_t len = line_text(line, trial.text + 1);

        if (len == 0)
            continue;
        line[strcspn(line, ";#\n")] = '\0';
        trial.name = line;
        trial.text[0] = 'a';
        trial.text[1 + len] = 'b';
        trial.len = len + 2;
        trial_run(&trial);
    }
    outbuf_free(&trial.out);
    fclose(file);
}

int main(int argc, char **argv)
{
    struct counts counts = {0};
    struct termios before, raw;

    screen_locale();
    if (argc < 2 || tcgetattr(STDIN_FILENO, &before) < 0)
        die("usage: widths FILE... (in a terminal)");
    raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    for (int i = 1; i < argc; i++)
        file_run(argv[i], &counts);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    fprintf(stderr,
        "%lu texts; %lu positions of the cursor, %lu wrong; of %lu widths the editor is sure, "
        "%lu wrong; of the others %lu are less on the terminal, %lu more\n",
        counts.texts, counts.positions, counts.wrong, counts.sure, counts.sure_wrong, counts.wider,
        counts.narrower);
    return counts.wrong + counts.sure_wrong + counts.narrower > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
