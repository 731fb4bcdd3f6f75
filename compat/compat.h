/*
 * compat/compat.h: what chatd needs of a system beyond POSIX.1-2008, one small file for each
 * thing, each with a portable fallback. Functions that return int or pid_t give -1 with errno set
 * where they fail.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct stat;

/* ---- Time ----------------------------------------------------------------------------- */

/* Microseconds of CLOCK_MONOTONIC. */
uint64_t clock_us(void);

/* ---- Writing -------------------------------------------------------------------------- */

/* True for an errno of read(2) or write(2) after which the same call may succeed. */
bool error_passes(int error);

/*
 * Writes all of it and waits where it must, also on a non-blocking descriptor; where there is no
 * memory, a second at most. False with errno.
 */
bool write_all(int fd, const char *bytes, size_t len);

/* ---- What ps(1) shows ----------------------------------------------------------------- */

/* The memory that a title is written to. Zeroed memory is a title that cannot be set. */
struct proctitle {
    char *at;
    size_t room; /* bytes at at; the title and its NUL must fit */
    size_t args; /* how many of them the kernel takes for the arguments */
};

/*
 * Call it first in main, before argv or the environment are changed. Titles are written over both:
 * what is still needed of them after the first, proctitle_spare() keeps. Sets the command's short
 * name to the last part of argv[0] too, for an image started from /proc/self/exe would be called
 * "exe". Allocates nothing.
 */
void proctitle_init(struct proctitle *, int argc, char **argv);

/*
 * Moves argv's strings and the environment's to a copy, which lives as long as the process. Without
 * memory they stay, and the title cannot be set.
 */
void proctitle_spare(struct proctitle *, char **argv);

/*
 * Shows these len bytes as the whole command line, cut where they do not fit. No allocation, no
 * stdio, and on Linux no system call: allowed in the worker's sandbox.
 */
void proctitle_set(const struct proctitle *, const char *text, size_t len);

/* ---- The program's own file ----------------------------------------------------------- */

/*
 * A path by which this very image can be executed again, even if its file has been replaced since:
 * "/proc/self/exe" where there is one, else what program_path() finds. May be buf. NULL with errno.
 */
const char *self_exe(char *buf, size_t len, const char *argv0);

/*
 * Writes the absolute path at which the program was started, links in it unresolved, so that what
 * is installed there later can be executed. argv0 is looked up like the shell does. Call it before
 * any chdir(). False with errno.
 */
bool program_path(char *buf, size_t len, const char *argv0);

/* Writes the C library's name and, where it has one, version: what this program runs with. */
void libc_name(char *out, size_t size);

/* ---- Secrets -------------------------------------------------------------------------- */

/* Fills buf (at most 256 bytes) from the system's own generator. False where there is none. */
bool random_bytes(void *buf, size_t len);

/* ---- Descriptors ---------------------------------------------------------------------- */

/* Closes every descriptor from lowest on. */
void descriptors_close_from(int lowest);

/* accept() whose descriptor is close-on-exec and non-blocking from the first instant. */
int accept_cloexec_nonblock(int fd, struct sockaddr *, socklen_t *);

/* True for an errno of accept() that concerns only one connection: Linux reports its pending
 * network errors this way. The next call may succeed at once. */
bool accept_error_is_connections(int error);

/* Takes the lock of an open file. It lasts until the last descriptor of the file, in any process,
 * is closed. Does not wait. False with errno: EWOULDBLOCK if another process has the lock. */
bool file_lock(int fd);

/* Sends some bytes, and a descriptor unless fd is -1, over a Unix-domain socket. False with errno.
 */
bool descriptor_send(int socket, const void *bytes, size_t len, int fd);
/* Receives bytes, and the descriptor that came with them, close-on-exec, or -1. Like recv(2). */
ssize_t descriptor_receive(int socket, void *bytes, size_t len, int *fd);

/*
 * A file without a name that holds these bytes, at its beginning, in memory where there is such a
 * thing: then nobody can change it any more. It outlives an exec.
 */
int memory_file(const char *bytes, size_t len);

/* A file without a name of that many zero bytes, to be mapped and written; close-on-exec. */
int memory_file_blank(size_t len);

/* pipe(2) whose ends are close-on-exec. False with errno. */
bool pipe_cloexec(int fds[2]);

/* A pair of Unix-domain stream sockets, both ends close-on-exec and non-blocking. */
int socketpair_cloexec_nonblock(int sv[2]);

/*
 * The process and user at the other end of a connected Unix-domain socket, from the kernel. *pid is
 * 0 if the system does not report it, or if the process is in another pid namespace.
 */
int socket_peer_pid(int fd, pid_t *pid, uid_t *uid);

/*
 * The peer of a connected stream socket has ended its side, or all of the connection, also where
 * there is unread input before the end. False if the system cannot tell.
 */
bool socket_peer_ended(int fd);

/*
 * The peer of a connected Unix-domain socket was in that group when it connected: as its effective
 * group or, where the system tells those, as a supplementary one. False where nothing is told.
 */
bool socket_peer_in_group(int fd, gid_t gid);

/* ---- TCP ------------------------------------------------------------------------------ */

/* All of these are harmless on a socket that is not TCP. */

/*
 * What every client's socket gets: no delay for small writes, urgent bytes in line (telnet), a
 * bound on what the kernel holds unsent instead of the megabytes that Linux would, and keepalive
 * that ends an idle connection whose peer is gone within two minutes (ETIMEDOUT).
 */
void tcp_prepare(int fd);

/*
 * An idle peer that has vanished ends the connection (ETIMEDOUT) after idle seconds and count
 * questions, one each interval seconds. While data is pending the kernel does not ask.
 */
void tcp_keepalive(int fd, int idle, int interval, int count);

/*
 * True if the peer is gone: the kernel is waiting for an acknowledgement (of data, or of probes of
 * a closed window or an idle connection), has probed more than once, and has received nothing for
 * that many seconds. A peer that does not read but whose kernel answers is never dead. seconds
 * should be 80 or more, because an idle peer is not probed in the first 60; with 100 a peer that
 * vanishes is found within two minutes, and one that loses the network for 40 s is kept. False if
 * the system has no such information. One getsockopt(TCP_INFO).
 *
 * While data is pending, Linux since 6.15 probes at least every 15 s. Older kernels probe a peer
 * that has not read for long only every two minutes, so its end is found after the second probe.
 */
bool tcp_is_dead(int fd, unsigned seconds);

/*
 * The peer's kernel has acknowledged all that was written (and the end, after shutdown). True
 * where the system cannot tell. One getsockopt(TCP_INFO).
 */
bool tcp_all_acked(int fd);

/*
 * How many bytes the peer's kernel has acknowledged so far; grows as long as the peer takes what
 * it is sent. 0 where the system cannot tell. One getsockopt(TCP_INFO).
 */
uint64_t tcp_bytes_acked(int fd);

/* The progress of the data that was sent. */
struct tcp_progress {
    uint64_t acked;  /* bytes that the peer's kernel has acknowledged so far */
    uint64_t window; /* how many more than these fit into its window; or TCP_WINDOW_UNKNOWN */
    bool repeats;    /* the same bytes were retransmitted more than once without an answer */
};

#define TCP_WINDOW_UNKNOWN UINT64_MAX

/* False where this is no TCP socket, or the system cannot tell. One getsockopt(TCP_INFO). */
bool tcp_progress(int fd, struct tcp_progress *);

/* ---- In a sandbox ---------------------------------------------------------------------- */

/*
 * recv(), send() without SIGPIPE, and shutdown() of the sending side, as the system calls
 * recvfrom(2), sendto(2) and shutdown(2) on every architecture, so that a filter can look at the
 * descriptor. Results and errors are theirs.
 */
ssize_t socket_recv(int fd, void *buf, size_t len);
ssize_t socket_send(int fd, const void *buf, size_t len);
int socket_shutdown_write(int fd);

/*
 * fstat(). Where FILE_STAT_IS_FSTAT is defined it is the system call fstat(2), which takes no path:
 * a C library may call fstatat(2) or statx(2) instead.
 */
int file_stat(int fd, struct stat *);

/* Machines on which the kernel and the C library have the same struct stat. */
#if defined(__linux__) && defined(__LP64__) &&                                                     \
    (defined(__x86_64__) || defined(__aarch64__) || defined(__riscv) || defined(__powerpc64__) ||  \
        defined(__s390__))
#define FILE_STAT_IS_FSTAT 1
#endif

/* ---- Terminals ------------------------------------------------------------------------ */

/* The window's size in characters; 0 where that is not known. */
void terminal_size(int fd, unsigned *rows, unsigned *columns);

/* ---- Waiting -------------------------------------------------------------------------- */

/*
 * ppoll(): poll() with this signal mask (NULL: the present one), set and restored atomically, so
 * that no signal is handled between the caller's check and the sleep. timeout_ms -1: no timeout. On
 * a system without ppoll() this is not atomic, and only a handler that writes to a polled pipe is
 * sure to end the wait.
 */
int poll_masked(struct pollfd *fds, nfds_t count, int timeout_ms, const sigset_t *mask);

/* ---- The system's log ----------------------------------------------------------------- */

/*
 * Prepares syslog_line(), which says a line as the daemon `name` (a string that lives on) and
 * waits for nobody where the system allows that: then a log whose reader does not read loses
 * lines. The descriptor is the caller's, and may be -1. False where the line was not taken and the
 * system tells that.
 */
int syslog_connect(const char *name);
bool syslog_line(int fd, const char *name, int priority, const char *text);

/* ---- Logins --------------------------------------------------------------------------- */

/*
 * The number is the one by which the kernel shows users of other namespaces that have no number in
 * ours: who it is cannot be said.
 */
bool uid_is_unmapped(uid_t uid);

/* ---- Processes ------------------------------------------------------------------------ */

/*
 * Starts the program at path with fd0 as its 0, fd1 as its 1, /dev/null as its 2, no other
 * descriptor, no environment, and the default action for every signal. SIGHUP, SIGINT, SIGQUIT,
 * SIGUSR1 and SIGUSR2 are blocked: sent to a process group, they are meant for the caller. The
 * caller keeps (and closes) fd0 and fd1.
 *
 * The caller must have 0, 1 and 2 open, fd0 and fd1 above 2, close-on-exec on every other
 * descriptor, one thread, and two more descriptors free for the moment. Returns the pid, which the
 * caller reaps; or -1 with errno and no process if any step failed, the exec included.
 *
 * Besides detach_begin() this is the server's only fork. Its cost does not depend on the caller's
 * memory or number of descriptors.
 */
pid_t spawn_worker(const char *path, char *const argv[], int fd0, int fd1);

/* The most processes there can be, and the name of the limit. */
struct process_limit {
    unsigned long count; /* ULONG_MAX: no limit is known */
    const char *name;
};

/*
 * The lowest limit on the processes that this one and its children can start: its user's, unless it
 * is privileged, its cgroup's and the system's. Other processes may count against the same limit.
 */
struct process_limit process_limit(bool privileged);

/*
 * Makes the kernel kill this process and its children before others when memory runs out. Does
 * nothing if the system has no such setting or refuses it.
 */
void oom_score_raise(void);

/*
 * When the parent of this process dies, this process is continued in case it is stopped (SIGCONT),
 * so that it can notice. Does nothing where the system has no such signal. Lasts until an exec that
 * changes the credentials.
 */
void parent_death_continues(void);

/*
 * Protects the memory of this process: no core dumps of it and its children and, where the system
 * can do that, no tracing except by root. The latter lasts until an exec.
 */
void process_hide(void);

/*
 * Gives up root for good: takes the groups, gid and uid of user, and checks that root cannot be
 * regained. Does nothing if the process is that user already. Returns NULL, or what failed, to be
 * printed after "USER: "; errno is 0 if it adds nothing. After a failure the caller must exit.
 */
const char *privileges_drop(const char *user);

#endif
