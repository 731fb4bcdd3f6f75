/*
 * compat/os.h: included first by the files that use more of a system than POSIX.1-2008, to see all
 * of its headers.
 */
#ifndef COMPAT_OS_H
#define COMPAT_OS_H

#define _GNU_SOURCE 1      /* glibc, musl */
#define _DEFAULT_SOURCE 1  /* or glibc has a word to say about the next */
#define _BSD_SOURCE 1      /* OpenBSD */
#define __BSD_VISIBLE 1    /* FreeBSD, DragonFly */
#define _NETBSD_SOURCE 1   /* NetBSD */
#define _DARWIN_C_SOURCE 1 /* macOS */

#endif
