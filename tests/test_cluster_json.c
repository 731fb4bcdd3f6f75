/*
 * test_cluster_json.c: what is JSON and what is not, and what is found in it.
 */
#include "bytes.h"
#include "server/cluster/json.h"

#include <stdlib.h>
#include <string.h>

#define DEEP_16 "[[[[[[[[[[[[[[[["
#define DEEP_16_END "]]]]]]]]]]]]]]]]"

static const struct {
    struct span text;
    enum json_kind kind; /* JSON_NONE: malformed */
} value_rows[] = {
    {S("{}"), JSON_OBJECT},
    {S(" \t\r\n{ } \n"), JSON_OBJECT},
    {S("[]"), JSON_ARRAY},
    {S("[ ]"), JSON_ARRAY},
    {S("true"), JSON_TRUE},
    {S("false"), JSON_FALSE},
    {S("null"), JSON_NULL},
    {S("0"), JSON_NUMBER},
    {S("-0"), JSON_NUMBER},
    {S("-12.50e+3"), JSON_NUMBER},
    {S("1E9"), JSON_NUMBER},
    {S("\"\""), JSON_STRING},
    {S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\""), JSON_STRING},
    {S("\"\\ud83d\\ude00\""), JSON_STRING},
    {S("\"" SMILE "\""), JSON_STRING},
    {S("[1,[2,{\"a\":[]}],\"]\"]"), JSON_ARRAY},
    {S("{\"a\":1,\"b\":{\"c\":null}}"), JSON_OBJECT},
    {S(DEEP_16 DEEP_16_END), JSON_ARRAY},
    {S("[" DEEP_16 DEEP_16_END "]"), JSON_NONE},
    {S(""), JSON_NONE},
    {S(" "), JSON_NONE},
    {S("{"), JSON_NONE},
    {S("}"), JSON_NONE},
    {S("{}}"), JSON_NONE},
    {S("{} {}"), JSON_NONE},
    {S("{}\0"), JSON_NONE},
    {S("{,}"), JSON_NONE},
    {S("{\"a\"}"), JSON_NONE},
    {S("{\"a\":}"), JSON_NONE},
    {S("{\"a\":1,}"), JSON_NONE},
    {S("{\"a\":1 \"b\":2}"), JSON_NONE},
    {S("{a:1}"), JSON_NONE},
    {S("{1:1}"), JSON_NONE},
    {S("[1,]"), JSON_NONE},
    {S("[,1]"), JSON_NONE},
    {S("[1 2]"), JSON_NONE},
    {S("[1}"), JSON_NONE},
    {S("["), JSON_NONE},
    {S("[1,"), JSON_NONE},
    {S("True"), JSON_NONE},
    {S("tru"), JSON_NONE},
    {S("nullx"), JSON_NONE},
    {S("01"), JSON_NONE},
    {S("+1"), JSON_NONE},
    {S("-"), JSON_NONE},
    {S(".5"), JSON_NONE},
    {S("1."), JSON_NONE},
    {S("1e"), JSON_NONE},
    {S("1e+"), JSON_NONE},
    {S("0x10"), JSON_NONE},
    {S("Infinity"), JSON_NONE},
    {S("'a'"), JSON_NONE},
    {S("\""), JSON_NONE},
    {S("\"\\"), JSON_NONE},
    {S("\"\\\""), JSON_NONE},
    {S("\"\\x41\""), JSON_NONE},
    {S("\"\\\0\""), JSON_NONE},
    {S("\"\\u12\""), JSON_NONE},
    {S("\"\\u12g4\""), JSON_NONE},
    {S("\"\\ud83d\""), JSON_NONE},
    {S("\"\\ud83dx\""), JSON_NONE},
    {S("\"\\ud83d\\u0041\""), JSON_NONE},
    {S("\"\\ude00\""), JSON_NONE},
    {S("\"\n\""), JSON_NONE},
    {S("\"\0\""), JSON_NONE},
    {S("\"\xff\""), JSON_NONE},
    {S("\"\xed\xa0\x80\""), JSON_NONE},
    {S("\"\xc3\""), JSON_NONE},
    {S(BOM "{}"), JSON_NONE},
};

START_TEST(values)
{
    struct span text = value_rows[_i].text;
    char *copy = bytes_copy(text);
    struct json value;
    bool good = json_parse(&value, (struct span){copy, text.len});

    ck_assert_msg(good == (value_rows[_i].kind != JSON_NONE), "%s", text.at);
    if (good)
        ck_assert_int_eq(value.kind, value_rows[_i].kind);
    free(copy);
}
END_TEST

/* Every beginning of a value that is an object is malformed. */
START_TEST(beginnings)
{
    static const char text[] = "{\"a\":[1,2.5,\"x\\u00e9\",true,null],\"b\":{\"c\":\"d\"}}";
    struct json value;

    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = bytes_copy((struct span){text, len});

        ck_assert(!json_parse(&value, (struct span){copy, len}));
        free(copy);
    }
    ck_assert(json_parse(&value, (struct span){text, sizeof text - 1}));
}
END_TEST

static struct json parsed(const char *text)
{
    struct json value;

    ck_assert(json_parse(&value, (struct span){text, strlen(text)}));
    return value;
}

static const struct {
    const char *text;
    const char *name;
    const char *found; /* NULL: there is no such member */
} member_rows[] = {
    {"{\"a\":1}", "a", "1"},
    {"{\"a\":1}", "b", NULL},
    {"{}", "a", NULL},
    {"{ }", "a", NULL},
    {"[\"a\"]", "a", NULL},
    {"\"a\"", "a", NULL},
    {" { \"b\" : [ 1 , 2 ] , \"a\" : \"x\" } ", "a", "\"x\""},
    {" { \"b\" : [ 1 , 2 ] , \"a\" : \"x\" } ", "b", "[ 1 , 2 ]"},
    {"{\"a\":1,\"a\":2}", "a", "1"},
    {"{\"x\":{\"a\":1},\"a\":2}", "a", "2"},
    {"{\"x\":\"a\",\"a\":{}}", "a", "{}"},
    {"{\"\":3}", "", "3"},
    {"{\"\\u0061\":1}", "a", NULL},
};

START_TEST(members)
{
    struct json value = json_member(parsed(member_rows[_i].text), member_rows[_i].name);

    if (member_rows[_i].found == NULL)
        ck_assert_int_eq(value.kind, JSON_NONE);
    else
        ck_assert(span_equal(value.text, member_rows[_i].found));
}
END_TEST

START_TEST(elements)
{
    static const char *const texts[] = {"[1,[2,3],\"4\"]", " [ 1 , [2,3] , \"4\" ] "};
    static const char *const found[] = {"1", "[2,3]", "\"4\""};
    struct json array = parsed(texts[_i]);
    size_t place = 0;

    for (size_t i = 0; i < COUNT_OF(found); i++)
        ck_assert(span_equal(json_element(array, &place).text, found[i]));
    ck_assert_int_eq(json_element(array, &place).kind, JSON_NONE);
    ck_assert_int_eq(json_element(array, &place).kind, JSON_NONE);
    place = 0;
    ck_assert_int_eq(json_element(parsed("[ ]"), &place).kind, JSON_NONE);
    ck_assert_int_eq(json_element(parsed("{\"a\":1}"), &place).kind, JSON_NONE);
    ck_assert_int_eq(json_element(json_member(parsed("{}"), "a"), &place).kind, JSON_NONE);
}
END_TEST

static const struct {
    const char *text;
    bool good;
    uint64_t value;
} number_rows[] = {
    {"0", true, 0},
    {"17", true, 17},
    {"18446744073709551615", true, UINT64_MAX},
    {"18446744073709551616", false, 0},
    {"99999999999999999999", false, 0},
    {"-1", false, 0},
    {"1.0", false, 0},
    {"1e3", false, 0},
    {"\"1\"", false, 0},
    {"null", false, 0},
};

START_TEST(numbers)
{
    uint64_t value = 12345;

    ck_assert_int_eq(json_number(parsed(number_rows[_i].text), &value), number_rows[_i].good);
    ck_assert_uint_eq(value, number_rows[_i].good ? number_rows[_i].value : 12345);
}
END_TEST

static const struct {
    const char *text;
    size_t size;
    struct span want;
} string_rows[] = {
    {"\"abc\"", 64, S("abc")},
    {"\"abc\"", 4, S("abc")},
    {"\"abc\"", 3, S("ab")},
    {"\"abc\"", 1, S("")},
    {"\"a\\n\\\"\\\\\\/\\t\\b\\f\\r\"", 64, S("a\n\"\\/\t\b\f\r")},
    {"\"replicas \\u003e 1\"", 64, S("replicas > 1")},
    {"\"\\ud83d\\ude00\"", 64, S(SMILE)},
    {"\"\\ud83d\\ude00\"", 4, S("")},
    {"\"x" SMILE "\"", 5, S("x")},
    {"\"a\\u0000b\"", 64, S("a" REPLACED "b")},
    {"12", 64, S("")},
    {"{}", 64, S("")},
};

START_TEST(strings)
{
    char *out = must_allocate(string_rows[_i].size);
    size_t len = json_string(parsed(string_rows[_i].text), out, string_rows[_i].size);

    assert_bytes(out, len, string_rows[_i].want);
    ck_assert(out[len] == '\0');
    free(out);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {values, COUNT_OF(value_rows), 60},
        {beginnings, 1, 60},
        {members, COUNT_OF(member_rows), 60},
        {elements, 2, 60},
        {numbers, COUNT_OF(number_rows), 60},
        {strings, COUNT_OF(string_rows), 60},
    };

    return tests_run("cluster_json", tests, COUNT_OF(tests));
}
