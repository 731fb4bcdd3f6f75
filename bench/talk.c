/* talk.c: the workloads in which a room of members talks. */
#include "bench/load.h"
#include "bench/storm.h"

#include <stdlib.h>

/* Deliveries that are under way in a burst, and texts of one speaker: see burst_window(). */
#define AHEAD_BEGIN 4000000u
#define AHEAD_END 32000000u
#define AHEAD_TEXTS_MAX 65536u
#define WARM_UP_NS (NS_PER_S / 2)
#define LONE_PAUSE_NS (5ull * NS_PER_MS)
#define STORM_PER_SECOND 1000
#define STORM_PERIOD_NS (10ull * NS_PER_MS)

/* ---- As fast as it goes --------------------------------------------------------------------- */

struct talk {
    struct crowd *crowd;
    unsigned speakers;
    uint32_t window; /* 0: that of a burst */
    uint64_t begun;  /* what had been received before */
};

/*
 * How many texts a speaker may be ahead of its echoes in a burst: so many that no speaker of a fast
 * server waits for them, and so few that what is in the buffers of a slow one at the end can be
 * received in time.
 */
static uint32_t burst_window(const struct talk *t)
{
    uint64_t ahead = AHEAD_BEGIN + (t->crowd->received - t->begun) / 2;
    if (ahead > AHEAD_END)
        ahead = AHEAD_END;
    ahead = ahead / t->crowd->count / t->speakers;
    return ahead < AHEAD_TEXTS_MAX ? (uint32_t)ahead : AHEAD_TEXTS_MAX;
}

/* How many texts the speaker may send now. */
static uint32_t speaker_share(const struct talk *t, unsigned speaker)
{
    const struct speaker *s = &t->crowd->speakers[speaker];
    uint32_t under_way = s->said - s->answered;
    uint32_t window = t->window > 0 ? t->window : burst_window(t);
    if (t->window == 0 && !speaker_is_idle(s))
        return 0;
    return under_way < window ? window - under_way : 0;
}

/* True if a speaker could go on at once. */
static bool talk_turn(const struct talk *t)
{
    bool more = false;
    for (unsigned i = 0; i < t->speakers; i++) {
        uint32_t share = speaker_share(t, i);
        if (share > 0)
            crowd_say(t->crowd, i, share);
        more |= t->crowd->members[i].fd >= 0 && speaker_share(t, i) > 0;
    }
    return more;
}

/* The argument, or the default; at most as many as there are. */
static unsigned speakers_parse(const struct load *l, const char *arg)
{
    unsigned n = arg ? (unsigned)atoi(arg) : 1;
    return n > 0 && n < l->crowd.speaker_count ? n : l->crowd.speaker_count;
}

static bool talk_run(struct load *l, unsigned speakers, uint32_t window)
{
    struct crowd *c = &l->crowd;
    struct talk t = {c, speakers, window, c->received};
    struct account account;
    struct meter m;
    uint64_t bytes = c->received_bytes;
    account_begin(&account, c);
    meter_begin(&m, &l->server);
    uint64_t until = m.time + (uint64_t)(l->seconds * NS_PER_S);
    while (clock_now() < until)
        crowd_turn(c, talk_turn(&t) ? 0 : 100);
    crowd_finish(c);
    double time = (double)(c->received_at - m.time) / NS_PER_S;
    uint64_t received = c->received - account.received;
    bytes = c->received_bytes - bytes;
    meter_report(&m, &l->server, l->cell, received, bytes);
    report(l->cell, "deliveries_per_s", (double)received / time);
    report(l->cell, "mb_per_s", (double)bytes / time / 1e6);
    report(l->cell, "seconds", time);
    return account_report(&account, l);
}

bool run_burst(struct load *l, const char *arg)
{
    return talk_run(l, speakers_parse(l, arg), 0);
}

bool run_window(struct load *l, const char *arg)
{
    return talk_run(l, speakers_parse(l, arg), l->window);
}

/* ---- Delays --------------------------------------------------------------------------------- */

/* The speakers take turns; text number i counts from `warm` on. */
struct timing {
    struct crowd *crowd;
    unsigned speakers;
    size_t texts;
    size_t warm;
    uint64_t *said_at;            /* by text */
    uint32_t first[SPEAKERS_MAX]; /* what each speaker had said before */
    struct samples delays;
    struct account account;
    struct meter meter;
};

static void timing_note(void *arg, unsigned speaker, uint32_t count)
{
    struct timing *t = arg;
    size_t i = (size_t)(count - t->first[speaker]) * t->speakers + speaker;
    if (i >= t->warm && i < t->texts)
        samples_add(&t->delays, t->crowd->now - t->said_at[i]);
}

static void timing_begin(
    struct timing *t, struct load *l, unsigned speakers, size_t texts, size_t warm)
{
    *t = (struct timing){.crowd = &l->crowd,
        .speakers = speakers,
        .texts = texts,
        .warm = warm,
        .said_at = calloc(texts, sizeof *t->said_at)};
    if (!t->said_at)
        abort();
    for (unsigned i = 0; i < speakers; i++)
        t->first[i] = l->crowd.speakers[i].said;
    l->crowd.on_text = timing_note;
    l->crowd.on_text_arg = t;
    account_begin(&t->account, &l->crowd);
    meter_begin(&t->meter, &l->server);
}

static void timing_say(struct timing *t, size_t i)
{
    t->said_at[i] = clock_now();
    crowd_say(t->crowd, (unsigned)(i % t->speakers), 1);
}

static bool timing_report(struct timing *t, struct load *l)
{
    l->crowd.on_text = NULL;
    meter_report(&t->meter, &l->server, l->cell, l->crowd.received - t->account.received, 0);
    report(l->cell, "seconds", (double)(l->crowd.received_at - t->meter.time) / NS_PER_S);
    samples_report(&t->delays, l->cell, "");
    free(t->said_at);
    return account_report(&t->account, l);
}

/* One text in each period, even if earlier ones are late. */
static void timing_run_paced(struct timing *t, const char *cell, uint64_t period)
{
    struct samples late = {NULL, 0, 0};
    uint64_t start = t->meter.time + 10 * NS_PER_MS;
    crowd_alarm(t->crowd, start, period);
    for (size_t said = 0; said < t->texts;) {
        crowd_turn(t->crowd, -1);
        for (; t->crowd->alarms > said && said < t->texts; said++) {
            timing_say(t, said);
            samples_add(&late, t->said_at[said] - (start + said * period));
        }
    }
    crowd_alarm(t->crowd, 0, 0);
    crowd_finish(t->crowd);
    samples_report(&late, cell, "late_");
}

bool run_paced(struct load *l, const char *arg)
{
    double rate = arg ? atof(arg) : 50000;
    double texts_per_s = rate / l->members;
    size_t warm = (size_t)(texts_per_s * WARM_UP_NS / NS_PER_S);
    size_t texts = warm + (size_t)(texts_per_s * l->seconds) + 1;
    struct timing t;
    timing_begin(&t, l, speakers_parse(l, "8"), texts, warm);
    timing_run_paced(&t, l->cell, (uint64_t)(NS_PER_S / texts_per_s));
    return timing_report(&t, l);
}

bool run_lone(struct load *l, const char *arg)
{
    struct crowd *c = &l->crowd;
    size_t texts = (size_t)(l->seconds * NS_PER_S / (double)(2 * LONE_PAUSE_NS)) + 1;
    struct samples last = {NULL, 0, 0};
    struct timing t;
    (void)arg;
    timing_begin(&t, l, 1, texts, texts / 10);
    for (size_t i = 0; i < texts; i++) {
        crowd_alarm(c, clock_now() + LONE_PAUSE_NS, 0);
        while (c->alarms == 0)
            crowd_turn(c, -1);
        timing_say(&t, i);
        crowd_finish(c);
        if (i >= t.warm)
            samples_add(&last, c->now - t.said_at[i]);
    }
    samples_report(&last, l->cell, "last_");
    return timing_report(&t, l);
}

/* ---- Beside a storm of connections ---------------------------------------------------------- */

bool run_storm(struct load *l, const char *arg)
{
    size_t texts = (size_t)(l->seconds * NS_PER_S / (double)STORM_PERIOD_NS) + 1;
    struct storm storm;
    struct storm_result result;
    struct timing t;
    if (!storm_parse(&storm, arg ? arg : "silent"))
        return false;
    storm_start(&storm, &l->crowd.address, l->crowd.address_len, STORM_PER_SECOND);
    timing_begin(&t, l, speakers_parse(l, "2"), texts, 0);
    timing_run_paced(&t, l->cell, STORM_PERIOD_NS);
    storm_stop(&storm, &result);
    bool ok = timing_report(&t, l);
    if (storm.kind != STORM_NONE) {
        report(l->cell, "storm_per_s", (double)(result.opened + result.failed) / result.seconds);
        report(l->cell, "storm_failed", (double)result.failed);
    }
    /* The users list is right again when the last of the strangers has left. */
    uint64_t start = clock_now();
    ok = crowd_settle(&l->crowd, QUIET_MS) && ok;
    report(l->cell, "settle_s", (double)(clock_now() - start) / NS_PER_S);
    return ok;
}
