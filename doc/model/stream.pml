/*
 * stream.pml: a node that publishes batches to the stream and reads them back, while connections,
 * publications and acknowledgements are lost, its hub is killed, it is taken for gone, and another
 * program of its name starts. A member of the node says lines.
 *
 * A publication is under way until it is stored or lost, however long that takes, whatever has
 * become of its connection and its hub meanwhile; several of one batch may be under way, and they
 * may overtake each other. So an acknowledgement that is lost is a publication that is stored and
 * made again. NATS itself is taken at its word: what is stored stays, and all read it in one order.
 *
 * Each message is applied by two nodes, [0] and [1]. Node [1] may be replaced at any place by one that
 * loads a snapshot of that place. The hub reads the messages later; it knows only what it has read.
 *
 * What is checked:
 *   - lines are applied as 1, 2, 3: none twice, none left out, none before an earlier one;
 *   - a line that was echoed was applied;
 *   - both nodes have the same state after each message;
 *   - when nothing moves any more, all lines are applied and echoed.
 *
 * One of these makes it fail:
 *   ANY_NUMBER         a batch counts whatever its number is
 *   LATER_NUMBER       a batch counts if its number is greater than the last one's
 *   ANY_INCARNATION    a batch counts whatever its incarnation is
 *   NO_RANDOM          an incarnation has no random value
 *   GONE_GOES_ON       a batch of a node that is gone counts
 *   LOCAL_CLOCK        each node has a clock of its own for the nodes that are gone
 *   ECHO_WHEN_STORED   a line is echoed when it is stored, applied or not
 *   LISTENS_EARLY      members are served before the start has come back
 *   NO_DOUBT           what was overtaken is not published again
 *   NO_REPUBLISH       what a lost connection had under way is not published again
 *   PARTIAL_SNAPSHOT   a snapshot has not the number of the node's last batch
 *   LATE_SNAPSHOT      a snapshot says an earlier place than its own
 * and one does not: what makes it safe to publish again are the numbers alone.
 *   READS_NOTHING      the stream is not read to its end before that
 */

#ifndef LINES
#define LINES 3
#endif
#ifndef FAULTS
#define FAULTS 1    /* hubs that are killed, and nodes that are gone */
#endif
#ifndef RIVALS
#define RIVALS 1    /* other programs that start with the node's name */
#endif
#define INCARNATIONS (FAULTS + 2 * RIVALS + 1)
#define BATCHES (LINES + 1)
#define SLOTS (INCARNATIONS * BATCHES)
#define WINDOW 2    /* batches that are under way */
#define COPIES 2    /* publications of one batch that are under way */
#define UNREAD 2    /* messages that the hub has not read */
#define SILENCE 1   /* a node is gone when the clock has made more steps since it was heard */

mtype = { STARTING, RUNNING, ENDED };

/* What a node knows of the room. */
typedef room {
    byte incarnation;
    bit random;     /* 1: the other program's */
    byte batch;     /* the last that counted */
    bool runs;
    byte silence;   /* steps of the clock since the node was heard */
    byte applied    /* the last line */
};
room at[2];
bool counted;       /* what [0] has said of the last message */

/* A message: incarnation, random, number, line, counted; and what the room knows behind it. */
chan unread = [UNREAD] of { byte, bit, byte, byte, bool, byte, bit, bool };

/* Publications, by incarnation and number. */
byte under_way[SLOTS];
byte base[INCARNATIONS + 1];    /* of an incarnation: lines that were taken before its first */

/* The hub */
mtype state = STARTING;
byte incarnation = 1;
byte heard;         /* the last incarnation that it has read of */
byte seen;          /* the last line that it has read */
byte first = 1;     /* the oldest batch that has not come back */
byte next = 2;      /* the next batch; that of number 1 is the start */
/* Its engine */
byte sent = 1;      /* the next batch to be published; first <= sent <= next */
bool reads;         /* the stream is read to its end first */

byte taken;         /* lines that the member knows to be taken */
bool elsewhere;     /* the member has gone to another node */
byte faults;
byte rivals;
byte rival;         /* its incarnation */
bool lagging;       /* node [1] began with a snapshot */

#define SLOT(i, b) (((i) - 1) * BATCHES + (b) - 1)
#define LINE(i, b) (b < 2 -> 0 : base[i] + (b) - 1)

/* ---- Every node: server/cluster/apply.c and server/hub/node.c ---- */

#ifdef NO_RANDOM
#define SAME(r, i, x) (at[r].incarnation == i)
#else
#define SAME(r, i, x) (at[r].incarnation == i && at[r].random == x)
#endif

/* nodes_advance() */
inline advance(r, step)
{
    if
    :: at[r].silence <= SILENCE -> at[r].silence = at[r].silence + step
    :: else
    fi;
    if
    :: at[r].silence > SILENCE -> at[r].runs = false
    :: else
    fi
}

/* apply_begin(), node_hear(), node_accepts(): incarnation, random, number, line. No number: it is
 * another node's. */
inline apply(r, i, x, number, line)
{
    if
    :: number != 0 && at[r].runs && SAME(r, i, x) -> at[r].silence = 0
    :: else
    fi;
    counted = false;
    if
    :: number == 1 && i > at[r].incarnation ->
        at[r].incarnation = i;
        at[r].random = x;
        at[r].runs = true;
        at[r].silence = 0;
        at[r].batch = 1;
        counted = true
    :: number == 0 && line != 0 -> /* of the other node */
        assert(line == at[r].applied + 1);
        at[r].applied = line
    :: number > 1 &&
#ifndef GONE_GOES_ON
        at[r].runs &&
#endif
#ifndef ANY_INCARNATION
        SAME(r, i, x) &&
#endif
#ifdef ANY_NUMBER
        true ->
#else
#ifdef LATER_NUMBER
        number > at[r].batch ->
#else
        number == at[r].batch + 1 ->
#endif
#endif
        at[r].batch = number;
        counted = true;
        if
        :: line != 0 -> assert(line == at[r].applied + 1); at[r].applied = line
        :: else
        fi
    :: else
    fi
}

/* A message is stored, and every node applies it. The clock may make a step. */
inline store(i, x, number, line)
{
    if
    :: number != 0 || line != 0 -> step = 0
    :: faults < FAULTS || at[0].silence < SILENCE || !at[0].runs -> step = 1
    fi;
    was = at[0].runs;
    if
    :: step == 1 && at[0].runs && at[0].silence == SILENCE -> faults++
    :: else
    fi;
#ifdef LOCAL_CLOCK
    advance(1, 0);
#else
    advance(1, step);
#endif
    apply(1, i, x, number, line);
    advance(0, step);
    apply(0, i, x, number, line);
    printf("stored: incarnation %d.%d, batch %d, line %d, clock +%d: counts %d\n",
        i, x, number, line, step, counted);
    assert(at[0].incarnation == at[1].incarnation && at[0].random == at[1].random);
    assert(at[0].batch == at[1].batch && at[0].runs == at[1].runs);
    assert(at[0].silence == at[1].silence && at[0].applied == at[1].applied);
    if
    :: state != ENDED && (number != 0 || was && !at[0].runs) ->
        unread!i, x, number, line, counted, at[0].incarnation, at[0].random, at[0].runs
    :: else
    fi;
#ifdef LATE_SNAPSHOT
    if
    :: !lagging -> lagging = true; advance(1, step); apply(1, i, x, number, line)
    :: true
    fi;
#endif
    step = 0;
    was = false
}

/* ---- The hub: server/cluster/cluster.c, cluster_state.c ---- */

/* incarnation_choose(), and outbox_clear() before it */
inline begin()
{
    incarnation = heard + 1;
    state = STARTING;
    first = 1;
    next = 2;
    sent = 1;
#ifdef LISTENS_EARLY
    serve()
#endif
}

/* The members are told the events up to this place, and say what is not among them. */
inline serve()
{
    if
    :: seen > taken -> taken = seen
    :: else
    fi;
    base[incarnation] = taken;
    state = RUNNING
}

/* The window of the engine: window_return(), doubt(). */
inline doubt()
{
    sent = first;
    reads = true
}

#ifdef NO_RANDOM
#define OWN (now_i == incarnation)
#else
#define OWN (now_i == incarnation && now_x == 0)
#endif

/* message_done() and state_follow() */
inline read_message()
{
    unread?i, x, number, line, counts, now_i, now_x, now_runs;
    heard = now_i;
    if
    :: counts && line != 0 -> seen = line
    :: else
    fi;
    if
    :: i == incarnation && x == 0 && number == first && state != ENDED ->
        first = number + 1;
        if
        :: sent < first -> sent = first
        :: else
        fi;
#ifdef ECHO_WHEN_STORED
        if
        :: line != 0 -> taken = line; assert(taken <= at[0].applied)
        :: else
        fi
#else
        if
        :: counts && line != 0 -> taken = line; assert(taken <= at[0].applied)
        :: else
        fi
#endif
#ifndef NO_DOUBT
    :: i == incarnation && x == 0 && number > first && number < next && state != ENDED -> doubt()
#endif
    :: else
    fi;
    if
    :: state == STARTING && OWN && now_runs -> serve()
    :: state == STARTING && now_i >= incarnation && !(OWN && now_runs) -> /* start_failed() */
        begin()
    :: state == RUNNING && OWN && !now_runs -> /* CLUSTER_LOST */
        if
        :: seen > taken -> taken = seen
        :: else
        fi;
        if
        :: begin()
        :: state = ENDED; elsewhere = true
        fi
    :: state == RUNNING && now_i >= incarnation && !OWN -> state = ENDED
    :: else
    fi;
    if
    :: empty(unread) -> reads = false
    :: nempty(unread)
    fi;
    i = 0; x = 0; number = 0; line = 0; counts = false; now_i = 0; now_x = 0; now_runs = false
}

/* ---- */

#define may_publish (state != ENDED && !reads && sent < next && sent < first + WINDOW && \
    under_way[SLOT(incarnation, sent)] < COPIES)
#define may_say (state == RUNNING && next <= BATCHES && base[incarnation] + next - 1 <= LINES)

/* Any publication that is under way. */
inline pick()
{
    slot = 0;
    do
    :: under_way[slot] > 0 -> i = slot / BATCHES + 1; number = slot % BATCHES + 1; break
    :: slot < SLOTS - 1 && under_way[slot] > 0 ->
        i = slot / BATCHES + 1;
        number = slot % BATCHES + 1;
        slot++
    :: slot < SLOTS - 1 && under_way[slot] == 0 -> slot++
    :: slot == SLOTS - 1 && under_way[slot] == 0 -> break
    od;
    slot = 0
}

active proctype world()
{
    byte i;
    bit x;
    byte number;
    byte line;
    bool counts;
    byte now_i;
    bit now_x;
    bool now_runs;
    bit step;
    bool was;
    byte slot;
    byte flights;

    do
    :: atomic { may_say -> next++ }
    :: atomic { may_publish ->
        printf("published: incarnation %d, batch %d\n", incarnation, sent);
        under_way[SLOT(incarnation, sent)]++;
        flights++;
        sent++ }
    :: atomic { flights > 0 && nfull(unread) ->
        pick();
        under_way[SLOT(i, number)]--;
        flights--;
        line = LINE(i, number);
        store(i, 0, number, line);
        i = 0; number = 0; line = 0 }
    /* A publication is lost; the engine is told so, or waits in vain. */
    :: atomic { flights > 0 ->
        pick();
        printf("lost: incarnation %d, batch %d\n", i, number);
        under_way[SLOT(i, number)]--;
        flights--;
#ifndef NO_REPUBLISH
        if
        :: i == incarnation && number >= first && state != ENDED -> doubt()
        :: else
        fi;
#endif
        i = 0; number = 0 }
    /* The connection is lost, or the engine dies; what is under way may be stored all the same. */
    :: atomic { state != ENDED && sent > first && flights > 0 -> doubt() }
    :: atomic { nempty(unread) -> read_message() }
    :: atomic { reads && empty(unread) -> reads = false }
#ifdef READS_NOTHING
    :: atomic { reads -> reads = false }
#endif
    /* Another node's heartbeat. */
    :: atomic { nfull(unread) && (faults < FAULTS || at[0].silence < SILENCE || !at[0].runs) ->
        store(0, 0, 0, 0) }
    /* The member at the other node. */
    :: atomic { elsewhere && taken < LINES -> store(0, 0, 0, taken + 1); taken++ }
    /* The hub is killed, starts again and reads the stream to its end. */
    :: atomic { faults < FAULTS && state != ENDED ->
        printf("killed\n");
        faults++;
        do
        :: unread?i, x, number, line, counts, now_i, now_x, now_runs
        :: empty(unread) -> break
        od;
        i = 0; x = 0; number = 0; line = 0; counts = false; now_i = 0; now_x = 0; now_runs = false;
        heard = at[0].incarnation;
        seen = at[0].applied;
        reads = false;
        begin() }
    /* A program of the same name, which may be behind when it starts. */
    :: atomic { rivals < RIVALS && nfull(unread) ->
        rivals++;
        if
        :: rival = at[0].incarnation + 1
        :: at[0].incarnation > 0 -> rival = at[0].incarnation
        fi;
        store(rival, 1, 1, 0) }
    :: atomic { rival != 0 && nfull(unread) -> store(rival, 1, 2, 0) }
    /* A node that starts loads a snapshot of this place. */
    :: atomic { !lagging ->
        lagging = true;
#ifdef PARTIAL_SNAPSHOT
        at[1].batch = 0
#endif
        }
    /* Whatever can be done was done. */
    :: atomic { state != ENDED && empty(unread) && flights == 0 && !may_publish && !may_say &&
        !reads ->
        assert(state == RUNNING && taken == LINES && at[0].applied == LINES) }
    od
}
