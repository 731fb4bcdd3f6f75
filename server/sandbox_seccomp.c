/* Linux's filter: see sandbox.h. */
#include "compat/os.h"

#include "sandbox.h"
#include "seccomp_arch.h"

#ifdef SECCOMP_ARCH

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "compat/compat.h"

/*
 * The kernel's side of it, <linux/seccomp.h> and <linux/filter.h>, as far as it is used: a musl
 * compiler need not have the kernel's headers, and none of this can ever change.
 */
struct call {
    uint32_t number;
    uint32_t arch;
    uint64_t at;
    uint64_t args[6];
};

struct instruction {
    uint16_t code;
    uint8_t if_true, if_false; /* how many instructions to skip */
    uint32_t value;
};

struct program {
    uint16_t len;
    struct instruction *at;
};

#define LOAD_WORD 0x20
#define JUMP_IF_EQUAL 0x15
#define JUMP_IF_GREATER_OR_EQUAL 0x35
#define RETURN 0x06

#define ALLOW 0x7fff0000U
#define FAIL_WITH 0x00050000U /* and an errno */
#define KILL_PROCESS 0x80000000U
#define MODE_FILTER 2

/*
 * The kernel takes a descriptor as an int, and looks at no more of its argument than the lower 32
 * bits. A filter sees 64, two words in the machine's order.
 */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define DESCRIPTOR_WORD (offsetof(struct call, args[0]) + sizeof(uint32_t))
#else
#define DESCRIPTOR_WORD offsetof(struct call, args[0])
#endif

/* The descriptors that a call may be made for. */
enum {
    ON_ANY = 0, /* no descriptor is an argument */
    ON_CLIENT = 1 << 0,
    ON_FILE = 1 << 0,
    ON_HUB = 1 << 1
};

struct rule {
    uint32_t number;
    unsigned on;
};

/*
 * The calls of each role, the frequent ones first, as tests/calls.sh finds them. Only these very
 * numbers: x86-64's second set of them, with bit 30, matches nothing.
 */
static const struct rule worker_calls[] = {
    {SYS_recvfrom, ON_CLIENT | ON_HUB},
    {SYS_sendto, ON_HUB},
    {SYS_shutdown, ON_CLIENT},
};

static const struct rule writer_calls[] = {
    {SYS_recvfrom, ON_HUB},
    {SYS_write, ON_FILE},
    {SYS_sendto, ON_HUB},
    {SYS_fdatasync, ON_FILE},
#ifdef SYS_lseek
    {SYS_lseek, ON_FILE},
#endif
#ifdef SYS__llseek
    {SYS__llseek, ON_FILE}, /* of 32 bits, as the next */
#endif
#ifdef SYS_ftruncate64
    {SYS_ftruncate64, ON_FILE},
#endif
#ifdef SYS_ftruncate
    {SYS_ftruncate, ON_FILE},
#endif
#ifdef SYS_fstat
    {SYS_fstat, ON_FILE},
#endif
#ifndef FILE_STAT_IS_FSTAT /* fstat() can be one of these, which look at any path too */
#ifdef SYS_fstat64
    {SYS_fstat64, ON_FILE},
#endif
#ifdef SYS_newfstatat
    {SYS_newfstatat, ON_FILE},
#endif
#ifdef SYS_statx
    {SYS_statx, ON_FILE},
#endif
#endif
};

static const struct rule common_calls[] = {
#ifdef SYS_poll
    {SYS_poll, ON_ANY},
#endif
#ifdef SYS_ppoll
    {SYS_ppoll, ON_ANY},
#endif
#ifdef SYS_ppoll_time64
    {SYS_ppoll_time64, ON_ANY},
#endif
#ifdef SYS_clock_gettime
    {SYS_clock_gettime, ON_ANY}, /* where the kernel's page does not do it */
#endif
#ifdef SYS_clock_gettime64
    {SYS_clock_gettime64, ON_ANY},
#endif
    {SYS_restart_syscall, ON_ANY}, /* poll() after a stop and a continue */
    {SYS_exit_group, ON_ANY},
};

/* Numbers that are refused to the engine. */
static const uint32_t engine_refused[] = {
    SYS_execve,
#ifdef SYS_execveat
    SYS_execveat,
#endif
#ifdef SYS_fork
    SYS_fork,
#endif
#ifdef SYS_vfork
    SYS_vfork,
#endif
    SYS_clone,
#ifdef SYS_clone3
    SYS_clone3,
#endif
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
#ifdef SYS_pidfd_open
    SYS_pidfd_open,
#endif
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
#ifdef SYS_pidfd_send_signal /* a directory of /proc will do for its descriptor */
    SYS_pidfd_send_signal,
#endif
#ifdef SYS_prlimit64 /* the limits of other processes; its own are set before */
    SYS_prlimit64,
#endif
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
#endif
    SYS_perf_event_open,
#ifdef SYS_bpf
    SYS_bpf,
#endif
#ifdef SYS_userfaultfd
    SYS_userfaultfd,
#endif
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_reboot,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
};

/* The first number of x86-64's second set of them, which no other machine has. */
#define SECOND_SET 0x40000000U

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* More than the longest program: the writer's has more calls than a worker's. */
#define INSTRUCTIONS_MAX                                                                           \
    (7 * (COUNT_OF(writer_calls) + COUNT_OF(common_calls)) + 2 * COUNT_OF(engine_refused) + 7)

static void program_add(
    struct program *program, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
    program->at[program->len++] = (struct instruction){code, yes, no, value};
}

static void allow_if_equal(struct program *program, uint32_t value)
{
    program_add(program, JUMP_IF_EQUAL, value, 0, 1);
    program_add(program, RETURN, ALLOW, 0, 0);
}

/* The loaded word is the call's number before, and after where the rule is for another call. */
static void add_rule(struct program *program, const struct rule *rule)
{
    uint16_t jump = program->len;

    if (rule->on == ON_ANY) {
        allow_if_equal(program, rule->number);
        return;
    }
    program_add(program, JUMP_IF_EQUAL, rule->number, 0, 0);
    program_add(program, LOAD_WORD, DESCRIPTOR_WORD, 0, 0);
    for (uint32_t fd = 0; fd < 2; fd++)
        if ((rule->on & (1U << fd)) != 0)
            allow_if_equal(program, fd);
    program_add(program, RETURN, KILL_PROCESS, 0, 0);
    program->at[jump].if_false = (uint8_t)(program->len - jump - 1);
}

static void add_rules(struct program *program, const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_rule(program, &rules[i]);
}

/* All calls but those. */
static void add_refusals(struct program *program)
{
    program_add(program, JUMP_IF_GREATER_OR_EQUAL, SECOND_SET, 0, 1);
    program_add(program, RETURN, KILL_PROCESS, 0, 0);
    for (size_t i = 0; i < COUNT_OF(engine_refused); i++) {
        program_add(program, JUMP_IF_EQUAL, engine_refused[i], 0, 1);
        program_add(program, RETURN, FAIL_WITH | EPERM, 0, 0);
    }
    program_add(program, RETURN, ALLOW, 0, 0);
}

static void program_fill(struct program *program, enum sandbox_role role)
{
    program_add(program, LOAD_WORD, offsetof(struct call, arch), 0, 0);
    program_add(program, JUMP_IF_EQUAL, SECCOMP_ARCH, 1, 0);
    program_add(program, RETURN, KILL_PROCESS, 0, 0);
    program_add(program, LOAD_WORD, offsetof(struct call, number), 0, 0);
    switch (role) {
    case SANDBOX_WORKER:
        add_rules(program, worker_calls, COUNT_OF(worker_calls));
        break;
    case SANDBOX_WRITER:
        add_rules(program, writer_calls, COUNT_OF(writer_calls));
        break;
    case SANDBOX_ENGINE:
        add_refusals(program);
        return;
    }
    add_rules(program, common_calls, COUNT_OF(common_calls));
    program_add(program, RETURN, KILL_PROCESS, 0, 0);
}

/* A kernel that knows filters gets as far as reading the one at NULL. */
bool sandbox_filter_exists(void)
{
    return prctl(PR_SET_SECCOMP, MODE_FILTER, NULL) == -1 && errno == EFAULT;
}

bool sandbox_set_filter(enum sandbox_role role)
{
    struct instruction instructions[INSTRUCTIONS_MAX];
    struct program program = {0, instructions};

    program_fill(&program, role);
    /* The kernel's condition: nothing executed from now on gains rights. */
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, MODE_FILTER, &program) == 0;
}

#endif
