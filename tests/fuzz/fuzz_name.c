/*
 * fuzz_name.c: whatever is asked for, the name is short, printable, one word, without a colon, and
 * stays what it is; space and slashes around it do not matter; with a suffix it is a name too.
 */
#include "fuzz.h"
#include "protocol.h"
#include "wire/text.h"
#include "wire/unicode.h"
#include "wire/utf8.h"

static void name_check(const char *name, size_t len)
{
    char again[NAME_LEN_MAX + 1];

    must(len <= NAME_LEN_MAX && strlen(name) == len);
    must(name_clean(again, name, len) == len && memcmp(again, name, len) == 0);
    must(name_is_clean(name, len) == (len > 0));
    must(text_is_clean(name, len));
    must(strpbrk(name, " :\t") == NULL && *name != '/');
    for (size_t at = 0, n; at < len; at += n) {
        uint32_t cp;
        n = utf8_decode(name + at, len - at, &cp);
        must(!char_is_space(cp));
    }
}

static void suffix_check(const char *name)
{
    static const unsigned numbers[] = {0, 2, 10, 100, 65536, UINT32_MAX};
    char suffixed[NAME_LEN_MAX + 1], folded[NAME_LEN_MAX + 1], again[NAME_LEN_MAX + 1];

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        size_t len = name_suffixed(suffixed, name, numbers[i]);
        must(len > 2);
        name_check(suffixed, len);
        must(strtoul(strrchr(suffixed, '_') + 1, NULL, 10) == numbers[i]);
        name_fold(folded, suffixed);
        name_fold(again, folded);
        must(strlen(folded) == len && strcmp(folded, again) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char before[] = " / /", after[] = "\t\r ";
    char *raw = must_copy(data, size);
    char *wrapped = must_allocate(size + sizeof before + sizeof after);
    char name[NAME_LEN_MAX + 1], other[NAME_LEN_MAX + 1];
    size_t len = name_clean(name, raw, size);

    name_check(name, len);
    if (len > 0)
        suffix_check(name);
    memcpy(wrapped, before, sizeof before - 1);
    if (size > 0)
        memcpy(wrapped + sizeof before - 1, data, size);
    memcpy(wrapped + sizeof before - 1 + size, after, sizeof after - 1);
    must(name_clean(other, wrapped, size + sizeof before + sizeof after - 2) == len);
    must(strcmp(other, name) == 0);
    free(wrapped);
    free(raw);
    return 0;
}
