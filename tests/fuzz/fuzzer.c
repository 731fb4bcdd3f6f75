/*
 * fuzzer.c: what the sanitizer's allocator shall do in a fuzzer. Inputs are many and short: freed
 * memory is used again soon, so that it stays in the processor's caches, and few callers are noted
 * of each allocation. ASAN_OPTIONS can say otherwise.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1:thread_local_quarantine_size_kb=64:malloc_context_size=1";
}
