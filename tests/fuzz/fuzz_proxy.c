/*
 * fuzz_proxy.c: a header of the PROXY protocol is found in the same way however its bytes come: a
 * beginning of it wants more or is wrong, and what follows it does not matter.
 */
#include "fuzz.h"
#include "wire/proxy.h"

static void header_check(enum proxy_result result, const struct proxy_header *header, size_t size)
{
    char text[IP_PORT_TEXT_MAX];
    struct ip ip;
    unsigned port;

    if (result == PROXY_MORE)
        must(size < PROXY_HEADER_MAX);
    if (result == PROXY_ADDRESS || result == PROXY_NONE)
        must(header->len > 0 && header->len <= size && header->len <= PROXY_HEADER_MAX);
    if (result != PROXY_ADDRESS)
        return;
    must(header->ip.version != IP_NONE && header->port <= 65535);
    ip_port_format(text, &header->ip, header->port);
    must(strlen(text) < sizeof text && ip_port_parse(&ip, &port, text, strlen(text)));
    must(memcmp(&ip, &header->ip, sizeof ip) == 0 && port == header->port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole, part;
    enum proxy_result result, before = PROXY_MORE;
    char *bytes = must_copy(data, size);

    result = proxy_parse(&whole, bytes, size);
    header_check(result, &whole, size);
    free(bytes);
    for (size_t len = 0; len < size && before == PROXY_MORE; len++) {
        bytes = must_copy(data, len);
        before = proxy_parse(&part, bytes, len);
        header_check(before, &part, len);
        free(bytes);
    }
    if (before != PROXY_MORE)
        must(before == result && (result == PROXY_INVALID || part.len == whole.len));
    return 0;
}
