/*
 * lookup.h: a process that looks up one account through the C library, which may ask a directory
 * far away and take its time. It is a fresh image, so what a library of that directory does, it
 * does not do in the hub.
 */
#ifndef SERVER_LOOKUP_H
#define SERVER_LOOKUP_H

/*
 * kind 'u': the login of the user whose number key is. kind 'n': whether key, or key in lower case,
 * is a login. Writes `+NAME` (NAME is clean), or `-` where there is none, and LF to descriptor 1;
 * nothing where the lookup failed. Ends the process.
 */
_Noreturn void lookup_main(char kind, const char *key);

#endif
