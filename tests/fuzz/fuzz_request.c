/*
 * fuzz_request.c: what people write by hand: a client's line in both phases, and an address. The
 * arguments lie in the line, and what begins with a slash is never taken for a message by mistake.
 */
#include "fuzz.h"
#include "protocol.h"
#include "wire/address.h"
#include "wire/number.h"

static void request_check(const char *line, size_t len, bool named)
{
    struct request request = request_parse(line, len, named);
    const char *end = line + len;

    must(request.name.at >= line && request.name.at + request.name.len <= end);
    must(request.text.at >= line && request.text.at + request.text.len == end);
    must(memchr(request.name.at, ' ', request.name.len) == NULL);
    must(request.name.len == 0 || request.command == CMD_MSG || request.command == CMD_KICK ||
         request.command == CMD_BAN || request.command == CMD_UNBAN);
    must(request.minutes == 0 || request.command == CMD_BAN);
    if (request.command == CMD_TEXT && len > 0 && line[0] == '/')
        must(named && request.text.at == line + 1 && *request.text.at == '/');
    must((request.command == CMD_EMPTY) == (named && len == 0));
    if (line_is_http(line, len))
        must(request.command == CMD_TEXT && request.text.len == len);
}

static void address_check(const char *text)
{
    struct address address;
    unsigned long port;

    if (address_parse(&address, text) != NULL)
        return;
    must((address.path != NULL) == (address.kind == ADDRESS_PATH));
    must((address.path != NULL) == (strchr(text, '/') != NULL));
    must((*address.host != '\0') == (address.kind == ADDRESS_INET));
    if (address.kind != ADDRESS_PATH)
        must(number_parse(address.port, strlen(address.port), 65535, &port));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = must_copy(data, size);
    char *text = must_allocate(size + 1);

    request_check(line, size, false);
    request_check(line, size, true);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    address_check(text);
    free(text);
    free(line);
    return 0;
}
