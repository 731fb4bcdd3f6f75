/*
 * json.h: reads JSON (RFC 8259) in place: what NATS says about itself and what its API answers.
 * Nothing is allocated; a value is a range of the text that was parsed, which has been checked as a
 * whole before any part of it can be looked at.
 */
#ifndef SERVER_CLUSTER_JSON_H
#define SERVER_CLUSTER_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/span.h"

/* Arrays and objects inside each other. */
#define JSON_DEPTH_MAX 16

enum json_kind {
    JSON_NONE, /* there is no such value */
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    enum json_kind kind;
    struct span text;
};

/*
 * The text must be one value, with white space around it. False where it is not: a malformed number
 * or string (UTF-8 and surrogates included), a depth over JSON_DEPTH_MAX, anything behind it.
 */
bool json_parse(struct json *, struct span text);

/* The first member of that name, which must not be written with escapes. Of JSON_NONE where there
 * is none, or the value is no object. */
struct json json_member(struct json, const char *name);
/*
 * The elements of an array one after the other: *place is 0 at first, and is moved on. JSON_NONE
 * behind the last, and where the value is no array.
 */
struct json json_element(struct json, size_t *place);

/* A number without sign, fraction and exponent. False where it is none, or too large. */
bool json_number(struct json, uint64_t *value);
/*
 * Decodes a string, and cuts it between characters to fit. NUL-terminated; a NUL in it becomes
 * U+FFFD. Returns the length; 0 and an empty string where the value is none.
 */
size_t json_string(struct json, char *out, size_t size);

#endif
