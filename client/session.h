/*
 * session.h: the client's side of a session: the lines it has sent, which of them were answered,
 * and its name. Lines of input and events of the server go in, bytes for the server come out. A
 * session can last over several connections.
 *
 * A state machine without I/O, time or locks; the caller serialises. Every line sent after the
 * name is kept until it is answered (queue.h), so that it can be counted, and after a broken
 * connection be sent again if, and only if, the server has not taken it (replay.h).
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "../protocol.h"
#include "../wire/line.h"
#include "queue.h"
#include "replay.h"

/* Input is held until it is this long or ends; then it goes out in pieces. */
#define SESSION_HELD (3 * LINE_IN_MAX)
#define SESSION_TOKEN_MAX 256
/* A secret fits into a line with "/pass " before it. */
#define SESSION_SECRET_MAX (LINE_IN_MAX - 6)
/* All the lines before the first message. */
#define SESSION_PRELUDE_MAX (2 * LINE_IN_MAX)

enum session_kind {
    SESSION_MEMBER, /* joins */
    SESSION_POSTER, /* sends without joining */
    SESSION_LISTER  /* asks who is there, and nothing else */
};

struct session_setup {
    enum session_kind kind;
    const char *secret;    /* at most SESSION_SECRET_MAX bytes, or NULL */
    unsigned long history; /* past events wanted */
    bool keep;             /* there may be further connections */
    bool commands;         /* a `/` at a line's begin means a command, and is not just text */
};

/* How it went with the server so far. */
enum session_state {
    SESSION_LOGIN,  /* the welcome is not complete */
    SESSION_OPEN,   /* lines go out */
    SESSION_LISTED, /* the list is complete */
    SESSION_FULL,   /* no place, try later */
    SESSION_REFUSED /* the secret, the name or the time it took */
};

/* What becomes of input. */
enum session_input {
    SESSION_TAKES,    /* while there is room */
    SESSION_ENDED,    /* no more is wanted */
    SESSION_ABANDONED /* nor are answers waited for */
};

/* The lines that open a connection. */
struct prelude {
    char bytes[SESSION_PRELUDE_MAX];
    size_t len;
    size_t sent;
};

/* Public to be embedded; only `state`, `input`, `me` and the counters are for others to read. */
struct session {
    struct session_setup setup;
    enum session_state state;
    enum session_input input;
    bool quitting;                /* /quit is the last line */
    char asked[NAME_LEN_MAX + 1]; /* the name to ask for; empty: the address */
    char me[NAME_LEN_MAX + 1];    /* the name one has; empty until the first welcome */
    char lost[NAME_LEN_MAX + 1];  /* the name to take back when its old session ends; or empty */
    bool reclaiming;              /* a /nick for that is under way */
    unsigned long refused;        /* lines the server would not have, or that are lost */
    unsigned long present;        /* what `users` counted */
    struct prelude prelude;
    struct queue queue;   /* its count is for others to read */
    struct losses losses; /* for others to tell */
    struct replay replay;

    /* Input that has no line end yet. */
    struct line_splitter splitter;
    char held[SESSION_HELD + 1];
    bool cutting; /* pieces of the line under way have gone out */

    uint64_t last; /* the newest room event's stamp; 0: none */
    char token[SESSION_TOKEN_MAX + 1];
    char offered[SESSION_TOKEN_MAX + 1]; /* on this connection */
};

/* False with errno set where there is no memory. session_free() ends it. */
bool session_init(struct session *, const struct session_setup *);
void session_free(struct session *);

/* The name to ask for, as it was typed. False where nothing of it is left. */
bool session_name(struct session *, const char *raw);

/* ---- Input --------------------------------------------------------------------------- */

/* False while the window is full, and after the end. */
bool session_wants_input(const struct session *);
/*
 * Takes bytes of input, as many as fit now; returns their number. Long lines leave in pieces,
 * empty ones not at all. A command that is too long for the wire is a loss.
 */
size_t session_input(struct session *, const char *bytes, size_t len);
/* The input has ended; a last line without LF counts. */
void session_input_end(struct session *);
/* No more input is wanted; half a line does not count. */
void session_input_stop(struct session *);
/* The same, and whole lines of which nothing was written are losses: leaving cannot wait. */
void session_abandon(struct session *);

/* ---- Output -------------------------------------------------------------------------- */

/* A new connection: begins (or takes up again) the conversation on it. */
void session_connect(struct session *);
/* What is to be written now, empty where that is nothing; session_sent() tells how much was. */
struct span session_pending(const struct session *);
void session_sent(struct session *, size_t len);
/* All is said and answered, or abandoned: the stream to the server may be ended. */
bool session_is_done(const struct session *);
/* Then, where the stream's end may not get through to the server: one more line says it. */
void session_say_goodbye(struct session *);

/* ---- Events -------------------------------------------------------------------------- */

/*
 * True for a message of this session: with its present name, or, in a first welcome, with the name
 * that it asks for.
 */
bool session_is_own(const struct session *, const struct event *);
/* Takes a server's line, and moves the state on. */
void session_event(struct session *, const struct event *);

#endif
