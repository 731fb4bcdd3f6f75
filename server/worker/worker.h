/*
 * worker.h: one client's process. It holds the client's socket as 0, its end of the pair to the hub
 * as 1, both non-blocking, and /dev/null as 2. It reads what the client sends, takes telnet's
 * commands out, finds the lines, cleans them and relays them to the hub, with the words of
 * protocol.h between them. It never writes to the client: the hub does that itself. It allocates
 * nothing and uses no stdio.
 *
 * It exits with status 0 when
 * - the client has ended its side, or the connection broke, and the hub has been told;
 * - the hub has said CONTROL_END, and has got what the client's socket held;
 * - the hub is gone, and the client has closed or LINGER_MS are over.
 * SIGTERM ends it as it ends any process, which the hub sees; signals that an operator or a
 * terminal sends to all processes of chatd are ignored.
 */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "compat/compat.h"

/*
 * mode is the argument after the program's name. Its first letter says how the worker confines
 * itself before it reads the first byte, as sandbox_letter() writes it; a worker that cannot do
 * that exits with status 1. With WORKER_PROXY as the second, the client's bytes begin with a header
 * of the PROXY protocol (wire/proxy.h), of which the hub is told the address. Further letters are
 * reserved.
 */
#define WORKER_PROXY 'p'

_Noreturn void worker_main(const struct proctitle *, const char *mode);

#endif
