/*
 * fuzz_json.c: any bytes as JSON. What was parsed can be looked at in all its parts, each of which
 * is JSON itself.
 */
#include "fuzz.h"
#include "server/cluster/json.h"

#include <stdbool.h>

static void value_look(struct json value, unsigned depth);

static void members_look(struct json value, unsigned depth)
{
    static const char *const names[] = {"", "a", "error", "code", "config", "stream"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct json member = json_member(value, names[i]);

        if (member.kind != JSON_NONE)
            value_look(member, depth - 1);
    }
}

static void elements_look(struct json value, unsigned depth)
{
    size_t place = 0;

    for (;;) {
        size_t before = place;
        struct json element = json_element(value, &place);

        if (element.kind == JSON_NONE)
            break;
        must(place > before && place <= value.text.len);
        value_look(element, depth - 1);
    }
}

static void scalars_look(struct json value)
{
    char out[16];
    uint64_t number = 7;
    size_t len = json_string(value, out, sizeof out);

    must(len < sizeof out && strlen(out) == len);
    must(value.kind == JSON_STRING || len == 0);
    must(!json_number(value, &number) || value.kind == JSON_NUMBER);
}

static void value_look(struct json value, unsigned depth)
{
    char *copy = must_copy(value.text.at, value.text.len);
    struct json again;

    must(depth > 0);
    must(json_parse(&again, (struct span){copy, value.text.len}));
    must(again.kind == value.kind && again.text.len == value.text.len);
    scalars_look(again);
    members_look(again, depth);
    elements_look(again, depth);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = must_copy(data, size);
    struct json value;

    if (json_parse(&value, (struct span){text, size}))
        value_look(value, JSON_DEPTH_MAX + 2);
    free(text);
    return 0;
}
