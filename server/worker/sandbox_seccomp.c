/* Linux's filter: see sandbox.h. */
#include "compat/os.h"

#include "sandbox.h"

#ifdef SANDBOX_SECCOMP

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/*
 * The kernel's side of it, <linux/seccomp.h>, <linux/filter.h> and <linux/audit.h>, as far as it is
 * used: a musl compiler need not have the kernel's headers, and none of this can ever change.
 */
struct call {
    uint32_t number;
    uint32_t machine;
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
#define RETURN 0x06

#define ALLOW 0x7fff0000U
#define KILL_PROCESS 0x80000000U
#define MODE_FILTER 2

#if defined(__x86_64__)
#define MACHINE 0xC000003EU
#else
#define MACHINE 0xC00000B7U
#endif

/*
 * What relaying a connection takes, the frequent ones first, as tests/calls.sh finds it. Only these
 * very numbers: x86-64's second set of them, with bit 30, matches nothing.
 */
static const uint16_t allowed[] = {
    SYS_ppoll,
    SYS_recvfrom,
    SYS_sendto,
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_clock_gettime, /* where the kernel's page does not do it */
    SYS_shutdown,
    SYS_rt_sigreturn,    /* the end of a handler */
    SYS_restart_syscall, /* poll() after a stop and a continue */
    SYS_exit_group,
};

enum { ALLOWED = sizeof allowed / sizeof *allowed, INSTRUCTIONS_MAX = 2 * ALLOWED + 20 };

static void add(struct program *program, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
    program->at[program->len++] = (struct instruction){code, yes, no, value};
}

static void allow_call(struct program *program, uint32_t number)
{
    add(program, JUMP_IF_EQUAL, number, 0, 1);
    add(program, RETURN, ALLOW, 0, 0);
}

/* Of getsockopt()'s arguments; the kernel too looks at their lower halves only. */
static void allow_option(struct program *program, int level, int name)
{
    add(program, LOAD_WORD, offsetof(struct call, args[1]), 0, 0);
    add(program, JUMP_IF_EQUAL, (uint32_t)level, 0, 3);
    add(program, LOAD_WORD, offsetof(struct call, args[2]), 0, 0);
    add(program, JUMP_IF_EQUAL, (uint32_t)name, 0, 1);
    add(program, RETURN, ALLOW, 0, 0);
}

static void program_fill(struct program *program)
{
    add(program, LOAD_WORD, offsetof(struct call, machine), 0, 0);
    add(program, JUMP_IF_EQUAL, MACHINE, 1, 0);
    add(program, RETURN, KILL_PROCESS, 0, 0);
    add(program, LOAD_WORD, offsetof(struct call, number), 0, 0);
    for (size_t i = 0; i < ALLOWED; i++)
        allow_call(program, allowed[i]);
    add(program, JUMP_IF_EQUAL, SYS_getsockopt, 1, 0);
    add(program, RETURN, KILL_PROCESS, 0, 0);
    allow_option(program, IPPROTO_TCP, TCP_INFO);
    add(program, RETURN, KILL_PROCESS, 0, 0);
}

/* A kernel that knows filters gets as far as reading the one at NULL. */
bool sandbox_filter_exists(void)
{
    return prctl(PR_SET_SECCOMP, MODE_FILTER, NULL) == -1 && errno == EFAULT;
}

bool sandbox_set_filter(void)
{
    struct instruction instructions[INSTRUCTIONS_MAX];
    struct program program = {0, instructions};

    program_fill(&program);
    /* The kernel's condition: nothing executed from now on gains rights. */
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, MODE_FILTER, &program) == 0;
}

#endif
