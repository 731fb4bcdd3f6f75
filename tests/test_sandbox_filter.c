/*
 * test_sandbox_filter.c: the filters' programs, executed here as the kernel would. So they are
 * tested for every machine that this is compiled for, also where no kernel runs them: an emulator
 * of programs does not. What the machine is called and what its calls are comes from its headers.
 */
#include "compat/os.h"

#include "compat/compat.h"
#include "server/sandbox.h"
#include "server/seccomp_arch.h"
#include "tests/harness.h"

#ifdef SECCOMP_ARCH

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* The flags say how many bits and which order; the kernel has names for those that there are. */
#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define MACHINE AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define MACHINE AUDIT_ARCH_ARM
#elif defined(__riscv) && defined(__LP64__)
#define MACHINE AUDIT_ARCH_RISCV64
#elif defined(__riscv)
#define MACHINE AUDIT_ARCH_RISCV32
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MACHINE AUDIT_ARCH_PPC64LE
#elif defined(__powerpc64__)
#define MACHINE AUDIT_ARCH_PPC64
#elif defined(__powerpc__)
#define MACHINE AUDIT_ARCH_PPC
#elif defined(__s390x__)
#define MACHINE AUDIT_ARCH_S390X
#elif defined(__s390__)
#define MACHINE AUDIT_ARCH_S390
#elif defined(__loongarch__) && defined(__LP64__)
#define MACHINE AUDIT_ARCH_LOONGARCH64
#elif defined(__loongarch__)
#define MACHINE AUDIT_ARCH_LOONGARCH32
#elif defined(__mips__) && defined(_ABIN32) && _MIPS_SIM == _ABIN32 && defined(__MIPSEL__)
#define MACHINE AUDIT_ARCH_MIPSEL64N32
#elif defined(__mips__) && defined(_ABIN32) && _MIPS_SIM == _ABIN32
#define MACHINE AUDIT_ARCH_MIPS64N32
#elif defined(__mips__) && defined(__LP64__) && defined(__MIPSEL__)
#define MACHINE AUDIT_ARCH_MIPSEL64
#elif defined(__mips__) && defined(__LP64__)
#define MACHINE AUDIT_ARCH_MIPS64
#elif defined(__mips__) && defined(__MIPSEL__)
#define MACHINE AUDIT_ARCH_MIPSEL
#elif defined(__mips__)
#define MACHINE AUDIT_ARCH_MIPS
#elif defined(__hppa__)
#define MACHINE AUDIT_ARCH_PARISC
#elif defined(__m68k__)
#define MACHINE AUDIT_ARCH_M68K
#elif defined(__sh__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MACHINE AUDIT_ARCH_SHEL
#elif defined(__sh__)
#define MACHINE AUDIT_ARCH_SH
#elif defined(__csky__)
#define MACHINE AUDIT_ARCH_CSKY
#elif defined(__xtensa__)
#define MACHINE AUDIT_ARCH_XTENSA
#endif

/* ---- The kernel ---- */

static struct sock_filter program[BPF_MAXINSNS];
static size_t program_len;

static int prctl_take(int option, va_list args)
{
    const struct sock_fprog *filter;

    if (option != PR_SET_SECCOMP)
        return 0;
    ck_assert_int_eq(va_arg(args, int), SECCOMP_MODE_FILTER);
    filter = va_arg(args, const struct sock_fprog *);
    ck_assert_uint_gt(filter->len, 0);
    ck_assert_uint_le(filter->len, COUNT_OF(program));
    memcpy(program, filter->filter, filter->len * sizeof program[0]);
    program_len = filter->len;
    return 0;
}

/* The sandbox's calls of prctl(2); the second is its name with 64-bit times. */
int __wrap_prctl(int option, ...);
int __wrap___prctl_time64(int option, ...);

int __wrap_prctl(int option, ...)
{
    va_list args;

    va_start(args, option);
    int result = prctl_take(option, args);
    va_end(args);
    return result;
}

int __wrap___prctl_time64(int option, ...)
{
    va_list args;

    va_start(args, option);
    int result = prctl_take(option, args);
    va_end(args);
    return result;
}

/* How many instructions are skipped after this one, which sets the word or compares it. */
static size_t step(const struct sock_filter *at, const struct seccomp_data *call, uint32_t *word)
{
    switch (at->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        ensure(at->k % sizeof *word == 0 && at->k < sizeof *call, "loads from %u", at->k);
        memcpy(word, (const char *)call + at->k, sizeof *word);
        return 0;
    case BPF_JMP | BPF_JEQ | BPF_K:
        return *word == at->k ? at->jt : at->jf;
    case BPF_JMP | BPF_JGE | BPF_K:
        return *word >= at->k ? at->jt : at->jf;
    default:
        ck_abort_msg("the kernel has no instruction %#x", at->code);
    }
    return 0;
}

/* What the program returns for this call. */
static uint32_t verdict(uint32_t arch, uint32_t number, uint64_t fd)
{
    const uint64_t other = UINT64_MAX;
    const struct seccomp_data call = {
        (int)number, arch, other, {fd, other, other, other, other, other}};
    uint32_t word = 0;

    for (size_t at = 0; at < program_len; at++) {
        if (program[at].code == (BPF_RET | BPF_K))
            return program[at].k;
        at += step(&program[at], &call, &word);
    }
    ck_abort_msg("no verdict");
    return 0;
}

/* ---- What is allowed ---- */

/* In the order of fds; FD_ANY is for calls that have no descriptor. */
enum { FD_0 = 1 << 0, FD_1 = 1 << 1, FD_ANY = 0xff };

/* The kernel takes the lower half of the argument. */
static const struct {
    uint64_t argument;
    unsigned bit;
} fds[] = {
    {0, FD_0},
    {1, FD_1},
    {2, 1 << 2},
    {UINT32_MAX, 1 << 3},
    {UINT64_C(1) << 32, FD_0},
    {(UINT64_C(1) << 32) + 1, FD_1},
    {UINT64_MAX, 1 << 3},
};

struct allowed {
    uint32_t number;
    unsigned fds;
};

static const struct allowed worker_may[] = {
    {SYS_recvfrom, FD_0 | FD_1},
    {SYS_sendto, FD_1},
    {SYS_shutdown, FD_0},
};

static const struct allowed writer_may[] = {
    {SYS_recvfrom, FD_1},
    {SYS_sendto, FD_1},
    {SYS_write, FD_0},
    {SYS_fdatasync, FD_0},
#ifdef SYS_lseek
    {SYS_lseek, FD_0},
#endif
#ifdef SYS__llseek
    {SYS__llseek, FD_0},
#endif
#ifdef SYS_ftruncate
    {SYS_ftruncate, FD_0},
#endif
#ifdef SYS_ftruncate64
    {SYS_ftruncate64, FD_0},
#endif
#ifdef SYS_fstat
    {SYS_fstat, FD_0},
#endif
/* The C library's fstat() may be one of these, where it is not the system call. */
#if !defined(FILE_STAT_IS_FSTAT) && defined(SYS_fstat64)
    {SYS_fstat64, FD_0},
#endif
#if !defined(FILE_STAT_IS_FSTAT) && defined(SYS_newfstatat)
    {SYS_newfstatat, FD_0},
#endif
#if !defined(FILE_STAT_IS_FSTAT) && defined(SYS_statx)
    {SYS_statx, FD_0},
#endif
};

static const struct allowed both_may[] = {
#ifdef SYS_poll
    {SYS_poll, FD_ANY},
#endif
#ifdef SYS_ppoll
    {SYS_ppoll, FD_ANY},
#endif
#ifdef SYS_ppoll_time64
    {SYS_ppoll_time64, FD_ANY},
#endif
#ifdef SYS_clock_gettime
    {SYS_clock_gettime, FD_ANY},
#endif
#ifdef SYS_clock_gettime64
    {SYS_clock_gettime64, FD_ANY},
#endif
    {SYS_restart_syscall, FD_ANY},
    {SYS_exit_group, FD_ANY},
};

static unsigned fds_find(const struct allowed *list, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].number == number)
            return list[i].fds;
    return 0;
}

static unsigned fds_allowed(enum sandbox_role role, uint32_t number)
{
    unsigned common = fds_find(both_may, COUNT_OF(both_may), number);

    return common != 0              ? common
           : role == SANDBOX_WORKER ? fds_find(worker_may, COUNT_OF(worker_may), number)
                                    : fds_find(writer_may, COUNT_OF(writer_may), number);
}

/* ---- Tests ---- */

/* More than any machine has: MIPS begins at 4000, 5000 or 6000. (ARM's own few are far above.) */
#define NUMBERS 8192u

static const enum sandbox_role confined[] = {SANDBOX_WORKER, SANDBOX_WRITER};

START_TEST(the_machine_is_the_headers)
{
    ck_assert_uint_eq(SECCOMP_ARCH, MACHINE);
}
END_TEST

/* Each number there is, with each descriptor. */
START_TEST(these_calls_and_no_other)
{
    ck_assert(sandbox_set_filter(confined[_i]));
    for (uint32_t number = 0; number < NUMBERS; number++) {
        unsigned allowed = fds_allowed(confined[_i], number);
        for (size_t i = 0; i < COUNT_OF(fds); i++) {
            uint32_t wanted =
                (allowed & fds[i].bit) != 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS;
            ensure(verdict(MACHINE, number, fds[i].argument) == wanted,
                "call %u, descriptor %#llx: not %#x", number, (unsigned long long)fds[i].argument,
                wanted);
        }
    }
}
END_TEST

START_TEST(no_number_that_is_none)
{
    static const uint32_t none[] = {UINT32_MAX, 0x80000000u, 0x40000000u | SYS_exit_group};

    ck_assert(sandbox_set_filter(confined[_i]));
    for (size_t i = 0; i < COUNT_OF(none); i++)
        ck_assert_uint_eq(verdict(MACHINE, none[i], 0), SECCOMP_RET_KILL_PROCESS);
}
END_TEST

/* Another convention's numbers mean other calls. */
START_TEST(no_other_machine)
{
    static const enum sandbox_role all[] = {SANDBOX_WORKER, SANDBOX_WRITER, SANDBOX_ENGINE};

    ck_assert(sandbox_set_filter(all[_i]));
    ck_assert_uint_eq(verdict(MACHINE, SYS_exit_group, 0), SECCOMP_RET_ALLOW);
    for (unsigned bit = 0; bit < 32; bit++)
        ck_assert_uint_eq(
            verdict(MACHINE ^ 1u << bit, SYS_exit_group, 0), SECCOMP_RET_KILL_PROCESS);
}
END_TEST

START_TEST(the_engine_is_refused_these)
{
    static const uint32_t refused[] = {SYS_execve, SYS_clone, SYS_ptrace, SYS_kill, SYS_tgkill,
        SYS_process_vm_readv, SYS_process_vm_writev, SYS_mount, SYS_unshare, SYS_reboot,
        SYS_perf_event_open, SYS_keyctl};
    static const uint32_t allowed[] = {SYS_read, SYS_write, SYS_close, SYS_openat, SYS_recvfrom,
        SYS_sendto, SYS_connect, SYS_mprotect, SYS_munmap, SYS_futex, SYS_exit_group};
    unsigned refusals = 0;

    ck_assert(sandbox_set_filter(SANDBOX_ENGINE));
    for (uint32_t number = 0; number < NUMBERS; number++) {
        uint32_t result = verdict(MACHINE, number, 0);
        ensure(result == SECCOMP_RET_ALLOW || result == (SECCOMP_RET_ERRNO | EPERM), "call %u: %#x",
            number, result);
        refusals += result != SECCOMP_RET_ALLOW;
    }
    ck_assert_uint_lt(refusals, 50);
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        ck_assert_uint_eq(verdict(MACHINE, refused[i], 0), SECCOMP_RET_ERRNO | EPERM);
    for (size_t i = 0; i < COUNT_OF(allowed); i++)
        ck_assert_uint_eq(verdict(MACHINE, allowed[i], 0), SECCOMP_RET_ALLOW);
    ck_assert_uint_eq(verdict(MACHINE, 0x40000000u | SYS_kill, 0), SECCOMP_RET_KILL_PROCESS);
}
END_TEST

int main(void)
{
    const struct test tests[] = {
        {the_machine_is_the_headers, 1, 5},
        {these_calls_and_no_other, COUNT_OF(confined), 60},
        {no_number_that_is_none, COUNT_OF(confined), 5},
        {no_other_machine, 3, 5},
        {the_engine_is_refused_these, 1, 5},
    };

    return tests_run("sandbox_filter", tests, COUNT_OF(tests));
}

#else

START_TEST(no_filter)
{
    test_skip("this system has no filter of that kind");
}
END_TEST

int main(void)
{
    const struct test tests[] = {{no_filter, 1, 5}};

    return tests_run("sandbox_filter", tests, COUNT_OF(tests));
}

#endif
