/*
 * commands.c: the lines after the name. Each is answered by exactly one line, in order: an event
 * goes to the log for all, everything else to the one who asked.
 */
#include <string.h>
#include <syslog.h>

#include "hub_private.h"

#define HELP                                                                                       \
    "note commands: /msg NAME TEXT, /me TEXT, /nick NAME, /users, /help, /quit [TEXT]; "           \
    "//TEXT says /TEXT"

static enum taken refuse(struct hub *hub, struct member *m, const char *error)
{
    if (!outbox_say(hub, m, "error %s", error))
        return LINE_LATER;
    hub->counters.received++;
    hub->counters.refused++;
    m->received++;
    member_answered(m);
    return LINE_TAKEN;
}

static void echoed(struct hub *hub, struct member *m)
{
    hub->counters.received++;
    hub->counters.echoed++;
    m->received++;
    member_answered(m);
}

/* A message to all. One who only posts does not read the log: his echo is his own copy. */
static enum taken say(struct hub *hub, struct member *m, const char *verb, struct span text)
{
    struct item *copy = NULL;
    uint64_t start;

    if (recorder_refuses(hub))
        return refuse(hub, m, "not-recorded the disk does not take it; nobody has got it");
    if (m->state == MEMBER_POSTING) {
        copy = item_new(STAMP_LEN + 8 + NAME_LEN_MAX + text.len);
        if (copy == NULL)
            return LINE_LATER;
    }
    start = log_head(hub->log);
    hub_event(hub, verb, m->name, NULL, text, m->id);
    echoed(hub, m);
    if (copy != NULL) {
        struct iovec piece[2];
        int n = log_bytes(hub->log, start, log_head(hub->log), piece);

        copy->len = 0;
        for (int i = 0; i < n; i++) {
            memcpy(copy->bytes + copy->len, piece[i].iov_base, piece[i].iov_len);
            copy->len += piece[i].iov_len;
        }
        copy->due = copy->after = outbox_end(hub, &m->out);
        copy->shown = log_head(hub->log);
        outbox_put_at(hub, m, copy);
    }
    return LINE_TAKEN;
}

/* A private message goes to its two ends, or, where it is one end, there once. */
static enum taken whisper(struct hub *hub, struct member *m, struct request request)
{
    char name[NAME_LEN_MAX + 1];
    struct member *to = NULL;
    struct item *mine;
    struct item *his;

    if (request.name.len == 0 || request.text.len == 0)
        return refuse(hub, m, "usage /msg NAME TEXT");
    if (request.name.len <= NAME_LEN_MAX) {
        memcpy(name, request.name.at, request.name.len);
        name[request.name.len] = '\0';
        to = names_find(hub->names, name);
    }
    if (to == NULL || !to->seated)
        return refuse(hub, m, "no-such-user nobody here has that name");
    if (to->state != MEMBER_JOINED || (to != m && to->out.bytes > OUTBOX_MAX))
        return refuse(hub, m, "busy cannot take a private message now");
    mine =
        item_say(hub, "priv %s %s %.*s", m->name, to->name, (int)request.text.len, request.text.at);
    his = to == m ? NULL
                  : item_say(hub, "priv %s %s %.*s", m->name, to->name, (int)request.text.len,
                        request.text.at);
    if (mine == NULL || (his == NULL && to != m)) {
        if (mine != NULL)
            item_free(mine);
        if (his != NULL)
            item_free(his);
        return LINE_LATER;
    }
    outbox_put(hub, m, mine);
    if (his != NULL)
        outbox_put(hub, to, his);
    echoed(hub, m);
    return LINE_TAKEN;
}

static enum taken rename_to(struct hub *hub, struct member *m, struct span text)
{
    char wanted[NAME_LEN_MAX + 1];
    char old[NAME_LEN_MAX + 1];
    char folded[2][NAME_LEN_MAX + 1];
    struct item *title;

    if (m->login[0] != '\0')
        return refuse(hub, m, "not-allowed names are login names here");
    if (name_clean(wanted, text.at, text.len) == 0 || strcmp(wanted, m->name) == 0)
        return refuse(hub, m, "usage /nick NAME, another one than yours");
    memcpy(old, m->name, sizeof(old));
    name_fold(folded[0], wanted);
    name_fold(folded[1], old);
    if (strcmp(folded[0], folded[1]) == 0)
        memcpy(m->name, wanted, sizeof(wanted)); /* the same name in another case */
    else if (hub_take_name(hub, m, wanted))
        names_release(hub->names, old);
    else
        return LINE_LATER;
    users_changed(hub);
    hub_event(hub, "nick", old, m->name, (struct span){NULL, 0}, m->id);
    report_limited(hub->config.report, &hub->renames, hub->now, LOG_INFO,
        "%s: %s is now %s (pid %ld)", m->peer, old, m->name, (long)m->pid);
    title = item_title(m);
    if (title != NULL)
        outbox_put(hub, m, title);
    echoed(hub, m);
    return LINE_TAKEN;
}

static enum taken answered(struct hub *hub, struct member *m)
{
    hub->counters.received++;
    hub->counters.answered++;
    m->received++;
    member_answered(m);
    return LINE_TAKEN;
}

static enum taken quit(struct hub *hub, struct member *m, struct span text)
{
    hub->counters.received++;
    hub->counters.ended++;
    m->received++;
    member_leave(hub, m, "left", text);
    return LINE_TAKEN;
}

enum taken command_line(struct hub *hub, struct member *m, const char *line, size_t len)
{
    struct request request = request_parse(line, len, true);
    bool posting = m->state == MEMBER_POSTING;

    if (posting &&
        (request.command == CMD_MSG || request.command == CMD_ME || request.command == CMD_NICK))
        return refuse(hub, m, "not-allowed a session that only posts cannot do that");
    switch (request.command) {
    case CMD_EMPTY:
        return LINE_TAKEN;
    case CMD_TEXT:
        return say(hub, m, posting ? "post" : "msg", request.text);
    case CMD_ME:
        if (request.text.len == 0)
            return refuse(hub, m, "usage /me TEXT");
        return say(hub, m, "me", request.text);
    case CMD_MSG:
        return whisper(hub, m, request);
    case CMD_NICK:
        return rename_to(hub, m, request.text);
    case CMD_USERS:
        return users_say(hub, m) ? answered(hub, m) : LINE_LATER;
    case CMD_HELP:
        return outbox_say(hub, m, HELP) ? answered(hub, m) : LINE_LATER;
    case CMD_QUIT:
        return quit(hub, m, request.text);
    case CMD_KICK:
    case CMD_BAN:
    case CMD_UNBAN:
        return refuse(hub, m, "not-allowed only an operator can do that");
    case CMD_UNKNOWN:
    case CMD_HISTORY:
    case CMD_SINCE:
    case CMD_POST:
    case CMD_PASS:
    case CMD_TOKEN:
    case CMD_RESUME:
        break;
    }
    return refuse(hub, m, "unknown-command try /help");
}
