/*
 * seccomp_arch.h: SECCOMP_ARCH, what Linux's filter calls the machine and calling convention that
 * this program is compiled for (AUDIT_ARCH_ in <linux/audit.h>): the machine's number in ELF, with
 * flags for 64 bits and little-endian. Not defined on other systems, and where system calls have
 * numbers of another kind (x32, ILP32 on AArch64).
 */
#ifndef SERVER_SECCOMP_ARCH_H
#define SERVER_SECCOMP_ARCH_H

#if defined(__linux__)

#include <elf.h>

#if defined(__x86_64__) && defined(__LP64__)
#define SECCOMP_MACHINE EM_X86_64
#elif defined(__i386__)
#define SECCOMP_MACHINE EM_386
#elif defined(__aarch64__) && defined(__LP64__)
#define SECCOMP_MACHINE EM_AARCH64
#elif defined(__arm__) && defined(__ARM_EABI__)
#define SECCOMP_MACHINE EM_ARM
#elif defined(__riscv)
#define SECCOMP_MACHINE 243 /* EM_RISCV */
#elif defined(__powerpc64__)
#define SECCOMP_MACHINE EM_PPC64
#elif defined(__powerpc__)
#define SECCOMP_MACHINE EM_PPC
#elif defined(__s390__)
#define SECCOMP_MACHINE EM_S390
#elif defined(__loongarch__)
#define SECCOMP_MACHINE 258 /* EM_LOONGARCH */
#elif defined(__mips__)
#define SECCOMP_MACHINE EM_MIPS
#elif defined(__hppa__)
#define SECCOMP_MACHINE EM_PARISC
#elif defined(__m68k__)
#define SECCOMP_MACHINE EM_68K
#elif defined(__sh__)
#define SECCOMP_MACHINE EM_SH
#elif defined(__csky__)
#define SECCOMP_MACHINE 252 /* EM_CSKY */
#elif defined(__xtensa__)
#define SECCOMP_MACHINE EM_XTENSA
#endif

#if defined(__LP64__)
#define SECCOMP_64BIT 0x80000000U
#else
#define SECCOMP_64BIT 0U
#endif

/* The kernel says it of ARM in either order, and never of Xtensa. */
#if defined(__arm__) || defined(__aarch64__) ||                                                    \
    (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && !defined(__xtensa__))
#define SECCOMP_LITTLE_ENDIAN 0x40000000U
#else
#define SECCOMP_LITTLE_ENDIAN 0U
#endif

/* MIPS has a second convention on 64-bit machines. */
#if defined(__mips__) && defined(_ABIN32) && _MIPS_SIM == _ABIN32
#define SECCOMP_CONVENTION (0x80000000U | 0x20000000U)
#else
#define SECCOMP_CONVENTION 0U
#endif

#if defined(SECCOMP_MACHINE)
#define SECCOMP_ARCH                                                                               \
    ((uint32_t)SECCOMP_MACHINE | SECCOMP_64BIT | SECCOMP_LITTLE_ENDIAN | SECCOMP_CONVENTION)
#endif

#endif

#endif
