/*
 * path.h: paths that stay true when the server leaves the directory it was started in.
 */
#ifndef SERVER_PATH_H
#define SERVER_PATH_H

/* The same file's path from the root, links in it unresolved; NULL without memory. The caller
 * frees it. Where the present directory cannot be told, it is the path as it was. */
char *path_absolute(const char *path);

#endif
