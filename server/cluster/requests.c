/* requests.c: numbers are big-endian, names and texts have their length before them. */
#include "requests.h"

#include <string.h>

#include "wire/text.h"

/* The kinds of requests in the stream. Append only: a number is never used again. */
enum code {
    CODE_START = 1,
    CODE_STOP,
    CODE_LOGIN,
    CODE_SAY,
    CODE_ACT,
    CODE_POST,
    CODE_RENAME,
    CODE_LEAVE,
    CODE_RESUME,
    CODE_KICK,
    CODE_BAN,
    CODE_HASH = 12,
    CODE_PART,
    CODE_READS,
    CODE_FORM,
    CODE_STAMP,
    CODE_COMPARE = 18 /* 17 is that of a renewal */
};

/* By enum room_request_kind. */
static const unsigned char codes[ROOM_REQUESTS] = {
    [ROOM_LOGIN] = CODE_LOGIN,
    [ROOM_SAY] = CODE_SAY,
    [ROOM_ACT] = CODE_ACT,
    [ROOM_POST] = CODE_POST,
    [ROOM_RENAME] = CODE_RENAME,
    [ROOM_LEAVE] = CODE_LEAVE,
    [ROOM_RESUME] = CODE_RESUME,
    [ROOM_KICK] = CODE_KICK,
    [ROOM_BAN] = CODE_BAN,
    [ROOM_NODE_START] = CODE_START,
    [ROOM_NODE_STOP] = CODE_STOP,
    [ROOM_NODE_READS] = CODE_READS,
    [ROOM_FORM] = CODE_FORM,
    [ROOM_HASH] = CODE_HASH,
    [ROOM_PART] = CODE_PART,
    [ROOM_STAMP] = CODE_STAMP,
    [ROOM_COMPARE] = CODE_COMPARE,
};

/* Reasons of a leave, by their number in the stream. Append only. */
static const char *const reasons[] = {"left", "lost", "kicked", "crashed"};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

/* Where a hash, a part or a request to compare has its place. */
#define PLACE_AT (1 + 4)

/* ---- Writing --------------------------------------------------------------------------------- */

static char *put_number(char *out, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        *out++ = (char)(value >> (8 * i));
    return out;
}

static char *put_bytes(char *out, const char *bytes, size_t len, int length_bytes)
{
    out = put_number(out, len, length_bytes);
    if (len > 0) /* an empty text may have no address */
        memcpy(out, bytes, len);
    return out + len;
}

static char *put_word(char *out, const char *word)
{
    return put_bytes(out, word == NULL ? "" : word, word == NULL ? 0 : strlen(word), 1);
}

static unsigned char reason_number(const char *reason)
{
    unsigned char i = 0;

    while (i < REASONS - 1 && strcmp(reasons[i], reason) != 0)
        i++;
    return i;
}

static char *put_part(char *at, const struct room_request *request)
{
    at = put_number(at, request->part.place, 8);
    at = put_number(at, request->part.hash, 8);
    if (request->kind == ROOM_HASH)
        return at;
    at = put_number(at, request->part.index, 4);
    at = put_number(at, request->part.count, 4);
    return put_bytes(at, request->text.at, request->text.len, 2);
}

static char *put_arguments(char *at, const struct room_request *request)
{
    switch (request->kind) {
    case ROOM_LOGIN:
        at = put_number(at, request->posting == PERSON_POSTER, 1);
        at = put_word(at, request->name);
        at = put_number(at, request->reserved, 8);
        at = put_word(at, request->login);
        return put_word(at, request->token);
    case ROOM_SAY:
    case ROOM_ACT:
    case ROOM_POST:
        return put_bytes(at, request->text.at, request->text.len, 2);
    case ROOM_RENAME:
        at = put_word(at, request->name);
        return put_number(at, request->reserved, 8);
    case ROOM_LEAVE:
        at = put_number(at, reason_number(request->reason), 1);
        return put_bytes(at, request->text.at, request->text.len, 2);
    case ROOM_RESUME:
        at = put_word(at, request->token);
        return put_word(at, request->login);
    case ROOM_KICK:
        at = put_word(at, request->name);
        at = put_number(at, request->minutes, 4);
        return put_bytes(at, request->text.at, request->text.len, 2);
    case ROOM_BAN:
        at = put_word(at, request->name);
        at = put_number(at, request->minutes, 4);
        return put_bytes(
            at, (const char *)request->source.bytes, request->minutes > 0 ? SOURCE_KEY_LEN : 0, 1);
    case ROOM_NODE_READS:
    case ROOM_FORM:
        return put_number(at, request->form, 1);
    case ROOM_HASH:
    case ROOM_PART:
        return put_part(at, request);
    case ROOM_STAMP:
        return put_number(at, request->stamp, 8);
    case ROOM_COMPARE:
        return put_number(at, request->part.place, 8);
    case ROOM_NODE_START:
        return put_number(at, request->size, 8);
    case ROOM_NODE_STOP:
    case ROOM_REQUESTS:
        break;
    }
    return at;
}

size_t request_write(char *out, const struct room_request *request)
{
    char *at = out;

    *at++ = (char)codes[request->kind];
    at = put_number(at, request->number, 4);
    return (size_t)(put_arguments(at, request) - out);
}

bool request_takes_token(struct span token)
{
    for (size_t i = 0; i < token.len; i++)
        if (token.at[i] == '\0' || strchr("0123456789abcdef", token.at[i]) == NULL)
            return false;
    return token.len == TOKEN_LEN;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Reads a batch. After an error bad is set, and every further read gives zero. */
struct reader {
    struct span rest;
    bool bad;
    bool again; /* the batch was read before, and is right */
};

static uint64_t get_number(struct reader *r, size_t bytes)
{
    uint64_t value = 0;

    if (r->rest.len < bytes)
        r->bad = true;
    if (r->bad)
        return 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | (unsigned char)r->rest.at[i];
    r->rest.at += bytes;
    r->rest.len -= bytes;
    return value;
}

static struct span get_bytes(struct reader *r, size_t length_bytes, size_t max)
{
    size_t len = (size_t)get_number(r, length_bytes);
    struct span bytes = {r->rest.at, len};

    if (len > max || r->rest.len < len)
        r->bad = true;
    if (r->bad)
        return (struct span){NULL, 0};
    r->rest.at += len;
    r->rest.len -= len;
    return bytes;
}

/* A name stands between spaces. */
bool request_takes_name(struct span name)
{
    return name.len > 0 && text_is_safe(name.at, name.len) &&
           memchr(name.at, ' ', name.len) == NULL && memchr(name.at, '\t', name.len) == NULL;
}

/* A name, into a buffer for NAME_LEN_MAX bytes. */
static void get_name(struct reader *r, char *out, bool may_be_empty)
{
    struct span name = get_bytes(r, 1, NAME_LEN_MAX);

    r->bad |= !request_takes_name(name) && !(may_be_empty && name.len == 0);
    if (!r->bad && name.len > 0)
        memcpy(out, name.at, name.len);
    out[r->bad ? 0 : name.len] = '\0';
}

static void get_token(struct reader *r, char *out, bool may_be_empty)
{
    struct span token = get_bytes(r, 1, TOKEN_LEN);

    r->bad |= !request_takes_token(token) && !(may_be_empty && token.len == 0);
    if (!r->bad && token.len > 0)
        memcpy(out, token.at, token.len);
    out[r->bad ? 0 : token.len] = '\0';
}

static struct span get_text(struct reader *r, bool may_be_empty)
{
    struct span text = get_bytes(r, 2, LINE_CLEAN_MAX);

    r->bad |= text.len == 0 && !may_be_empty;
    if (text.len > 0 && !r->again)
        r->bad |= !text_is_safe(text.at, text.len);
    return text;
}

static const char *get_reason(struct reader *r)
{
    uint64_t number = get_number(r, 1);

    r->bad |= number >= REASONS;
    return reasons[r->bad ? 0 : number];
}

/* There is one unless a ban is lifted. */
static void get_source(struct reader *r, struct room_request *request)
{
    struct span key = get_bytes(r, 1, SOURCE_KEY_LEN);

    r->bad |= key.len != (request->minutes > 0 ? SOURCE_KEY_LEN : 0);
    if (r->bad || key.len == 0)
        return;
    memcpy(request->source.bytes, key.at, SOURCE_KEY_LEN);
    r->bad |= !source_key_is_address(&request->source);
}

static void get_part(struct reader *r, struct room_request *request)
{
    struct snapshot_part *part = &request->part;

    part->place = get_number(r, 8);
    part->hash = get_number(r, 8);
    if (request->kind == ROOM_HASH)
        return;
    part->index = (uint32_t)get_number(r, 4);
    part->count = (uint32_t)get_number(r, 4);
    request->text = get_bytes(r, 2, LINE_CLEAN_MAX);
    r->bad |= part->index >= part->count || request->text.len == 0;
}

static enum room_request_kind get_kind(struct reader *r)
{
    uint64_t code = get_number(r, 1);

    for (enum room_request_kind kind = 0; kind < ROOM_REQUESTS; kind++)
        if (codes[kind] == code)
            return kind;
    r->bad = true;
    return ROOM_REQUESTS;
}

static void get_login(struct reader *r, struct stored_request *out)
{
    uint64_t posting = get_number(r, 1);

    r->bad |= posting > 1;
    out->request.posting = posting == 1 ? PERSON_POSTER : PERSON_MEMBER;
    get_name(r, out->name, false);
    out->request.reserved = get_number(r, 8);
    get_name(r, out->login, true);
    get_token(r, out->token, true);
}

static void get_arguments(struct reader *r, struct stored_request *out)
{
    struct room_request *request = &out->request;

    switch (request->kind) {
    case ROOM_LOGIN:
        get_login(r, out);
        break;
    case ROOM_SAY:
    case ROOM_ACT:
    case ROOM_POST:
        request->text = get_text(r, false);
        break;
    case ROOM_RENAME:
        get_name(r, out->name, false);
        request->reserved = get_number(r, 8);
        break;
    case ROOM_LEAVE:
        request->reason = get_reason(r);
        request->text = get_text(r, true);
        break;
    case ROOM_RESUME:
        get_token(r, out->token, false);
        get_name(r, out->login, true);
        break;
    case ROOM_KICK:
        get_name(r, out->name, false);
        request->minutes = (uint32_t)get_number(r, 4);
        request->text = get_text(r, true);
        break;
    case ROOM_BAN:
        get_name(r, out->name, false);
        request->minutes = (uint32_t)get_number(r, 4);
        get_source(r, request);
        break;
    case ROOM_NODE_READS:
    case ROOM_FORM:
        request->form = (unsigned)get_number(r, 1);
        r->bad |= request->form == 0;
        break;
    case ROOM_HASH:
    case ROOM_PART:
        get_part(r, request);
        break;
    case ROOM_STAMP:
        request->stamp = get_number(r, 8);
        r->bad |= request->stamp >= ROOM_STAMP_TOLD_MAX;
        break;
    case ROOM_COMPARE:
        request->part.place = get_number(r, 8);
        break;
    case ROOM_NODE_START:
        request->size = get_number(r, 8);
        break;
    case ROOM_NODE_STOP:
    case ROOM_REQUESTS:
        break;
    }
}

static void get_request(struct reader *r, struct stored_request *out)
{
    out->request = (struct room_request){.kind = get_kind(r)};
    out->name[0] = out->login[0] = out->token[0] = '\0';
    out->request.name = out->name;
    out->request.login = out->login;
    out->request.token = out->token;
    out->request.number = (uint32_t)get_number(r, 4);
    get_arguments(r, out);
}

/* An incarnation starts once, with its first request, and stops with its last. */
static bool stands_right(const struct reader *r, enum room_request_kind kind, bool first)
{
    return (kind != ROOM_NODE_START || first) && (kind != ROOM_NODE_STOP || r->rest.len == 0);
}

bool requests_open(struct requests *requests, struct span bytes)
{
    struct batch_id *id = &requests->id;
    size_t head = batch_id_read(id, bytes);
    struct reader r = {.rest = {bytes.at + head, bytes.len - head}};
    struct stored_request request;
    bool first = true;

    requests->begins = false;
    requests->rest = r.rest;
    if (head == 0 || bytes.len > BATCH_MAX || !batch_name_is_valid(id->node) ||
        id->incarnation == 0 || id->number == 0)
        return false;
    for (; !r.bad && r.rest.len > 0; first = false) {
        get_request(&r, &request);
        requests->begins |= request.request.kind == ROOM_NODE_START;
        r.bad |= !stands_right(&r, request.request.kind, first);
    }
    return !r.bad;
}

bool requests_next_is_login(const struct requests *requests)
{
    return requests->rest.len > 0 && requests->rest.at[0] == CODE_LOGIN;
}

bool requests_next(struct requests *requests, struct stored_request *out)
{
    struct reader r = {.rest = requests->rest, .again = true};

    if (requests->rest.len == 0)
        return false;
    get_request(&r, out);
    out->request.incarnation = batch_incarnation(&requests->id);
    requests->rest = r.rest;
    return !r.bad;
}

void requests_displace(char *bytes, size_t len)
{
    struct requests requests = {.rest = {bytes, len}};
    struct stored_request stored;

    for (char *at = bytes; requests_next(&requests, &stored); at = bytes + len - requests.rest.len)
        if (stored.request.kind == ROOM_HASH || stored.request.kind == ROOM_PART ||
            stored.request.kind == ROOM_COMPARE)
            put_number(at + PLACE_AT, 0, 8);
}
