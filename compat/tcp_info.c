/* Is the peer still there, and what has it taken: see compat.h. */
#include "os.h"

#include "compat.h"

#if defined(__linux__)

#include <netinet/in.h>
#include <netinet/tcp.h>

/*
 * The beginning of the kernel's struct tcp_info, which only ever grows at its end. glibc's own
 * copy stops before the last two.
 */
struct tcp_facts {
    uint8_t state;
    uint8_t ca_state;
    uint8_t retransmits;
    uint8_t probes;
    uint8_t backoff;
    uint8_t options[3];
    uint32_t sizes[4];
    uint32_t unacked;
    uint32_t segments[4];
    uint32_t last_data_sent;
    uint32_t last_ack_sent;
    uint32_t last_data_recv;
    uint32_t last_ack_recv;
    uint32_t metrics[11];
    uint64_t pacing[2];
    uint64_t bytes_acked;
    uint64_t bytes_received;
    uint32_t segments_out;
    uint32_t segments_in;
    uint32_t notsent_bytes;
    uint32_t others[20];
    uint32_t send_window; /* since Linux 5.4 */
};

_Static_assert(offsetof(struct tcp_facts, unacked) == offsetof(struct tcp_info, tcpi_unacked) &&
                   offsetof(struct tcp_facts, last_ack_recv) ==
                       offsetof(struct tcp_info, tcpi_last_ack_recv) &&
                   offsetof(struct tcp_facts, pacing) ==
                       offsetof(struct tcp_info, tcpi_total_retrans) + sizeof(uint32_t) &&
                   offsetof(struct tcp_facts, send_window) == 228,
    "the kernel's layout");

/* How many probes must be unanswered: one may be on its way, or lost. */
enum { PROBES_MIN = 2, BACKOFF_MIN = 3 };

/* The bytes that the kernel told; 0 where this is no TCP socket. What it does not tell stays 0. */
static socklen_t facts_get(int fd, struct tcp_facts *facts)
{
    socklen_t len = sizeof *facts;

    *facts = (struct tcp_facts){0};
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, facts, &len) == 0 ? len : 0;
}

/*
 * last_ack_recv counts answers to probes too, but not data that acknowledges nothing new. Alone it
 * says little: after an hour of silence a line sent just now has gone unanswered for a moment
 * only, hence the counts.
 */
bool tcp_is_dead(int fd, unsigned seconds)
{
    struct tcp_facts facts;

    if (facts_get(fd, &facts) == 0)
        return false;
    bool asked = facts.probes >= PROBES_MIN || (facts.unacked > 0 && facts.backoff >= BACKOFF_MIN);
    uint32_t silence =
        facts.last_ack_recv < facts.last_data_recv ? facts.last_ack_recv : facts.last_data_recv;
    return asked && silence / 1000 >= seconds;
}

bool tcp_all_acked(int fd)
{
    struct tcp_facts facts;

    if (facts_get(fd, &facts) == 0 || facts.state == TCP_CLOSE)
        return true;
    return facts.unacked == 0 && facts.notsent_bytes == 0;
}

uint64_t tcp_bytes_acked(int fd)
{
    struct tcp_facts facts;

    return facts_get(fd, &facts) > 0 ? facts.bytes_acked : 0;
}

bool tcp_progress(int fd, struct tcp_progress *progress)
{
    struct tcp_facts facts;
    socklen_t len = facts_get(fd, &facts);

    if (len == 0)
        return false;
    *progress = (struct tcp_progress){
        .acked = facts.bytes_acked,
        .window = len >= sizeof facts ? facts.send_window : TCP_WINDOW_UNKNOWN,
        .repeats = facts.unacked > 0 && facts.backoff >= BACKOFF_MIN,
    };
    return true;
}

#else

bool tcp_is_dead(int fd, unsigned seconds)
{
    (void)fd;
    (void)seconds;
    return false;
}

bool tcp_all_acked(int fd)
{
    (void)fd;
    return true;
}

uint64_t tcp_bytes_acked(int fd)
{
    (void)fd;
    return 0;
}

bool tcp_progress(int fd, struct tcp_progress *progress)
{
    (void)fd;
    (void)progress;
    return false;
}

#endif
