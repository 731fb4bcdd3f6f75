/*
 * path.h: paths that stay valid when the server changes its working directory.
 */
#ifndef SERVER_PATH_H
#define SERVER_PATH_H

/* Makes the path absolute without resolving links; NULL without memory. The caller frees it. If the
 * working directory is unknown, the result is a copy of the path. */
char *path_absolute(const char *path);

#endif
