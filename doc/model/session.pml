/*
 * session.pml: a client that loses its connections, and resumes its session at one of two nodes.
 *
 * The stream is taken as what doc/model/stream.pml shows it to be: what a node has submitted is
 * applied once and in the node's order, unless the node's incarnation has ended before. Between
 * submitting, storing and reading any time may pass, so each node may be behind the other, and
 * behind itself.
 *
 * What is checked:
 *   - lines are applied as 1, 2, 3: none twice, none left out, none before an earlier one;
 *   - a line that the client takes for taken was applied;
 *   - no two persons have one token;
 *   - when nothing moves any more, all lines are applied, and no person is without a connection.
 *
 * One of these makes it fail:
 *   NO_FENCE            `resumed ?` does not wait for the stream
 *   OLD_NUMBER_COUNTS   what the old node has under way is applied behind the resumption, too
 *   HOLDER_STAYS        a connection that holds the token, and has not its person yet, stays when
 *                       the session goes on elsewhere
 *   TOKEN_TWICE         a login gets a token that a person in the room has
 *   LOST_IS_ANSWERED    a resumption that was under way when the node was gone is answered
 *   CLAIMED_STAYS       a login that comes back for a connection that was claimed, and is lost, stays
 */

#ifndef LINES
#define LINES 2
#endif
#ifndef CONNECTIONS
#define CONNECTIONS 3 /* of the client, one after the other */
#endif
#ifndef FAULTS
#define FAULTS 1 /* nodes that are killed or gone */
#endif
#define MANY (CONNECTIONS + 1)
#define BOX 8    /* requests of a node that are not stored */
#define UNREAD 6 /* messages that a node has not read */
#define UNKNOWN 255

mtype = { LOGIN, SAY, LEAVE, RESUME, START, GONE };
mtype = { NONE, PREPARING, NAMED, MEMBER, LEFT };

/* Requests: kind, connection that waits, number of the person, line or token. */
chan box[2] = [BOX] of { mtype, byte, byte, byte };
/* Messages: the same, and the result: 0 nobody, else done; of a resume the old number. A node that
 * would do nothing about a message is not given it. */
chan unread[2] = [UNREAD] of { mtype, byte, byte, byte, byte };

/* ---- The room, as it is behind the last message ---- */
byte token_of[MANY];    /* by number of a person; 0: it is not there */
byte applied;           /* the last line */
bool counts[2] = true;  /* the node's present incarnation */

/* ---- The nodes ---- */
bool runs[2] = true;
byte seen[2];           /* the last line that the node has read */
byte faults;
/* Tokens of a node, by node and token. A token has the number of the connection that made it. */
bool valid[2 * MANY];
byte holder[2 * MANY];
byte claimant[2 * MANY];
byte answered[2 * MANY];

/* ---- Connections, by number; 0 is none ---- */
mtype session[MANY] = NONE;
bit node[MANY];
byte asks[MANY];        /* for the session of this token */
byte token[MANY];
byte person[MANY];      /* its number; 0: none */
byte under_way[MANY];
byte next[MANY];        /* line that the node takes next */
byte limit[MANY];       /* last line that the client has sent here */

/* ---- The client ---- */
byte now_at;            /* its connection; 0: none */
byte opened;            /* connections so far */
byte its_token;
byte taken;             /* lines that it knows to be taken */

#define T(n, t) ((n) * MANY + (t))
#define alive(c) (session[c] != NONE && session[c] != LEFT)

inline submit(AT, KIND, OWNER, NUMBER, WHAT)
{
    assert(nfull(box[AT]));
    printf("node %d submits %e: number %d, %d\n", AT, KIND, NUMBER, WHAT);
    box[AT]!KIND, OWNER, NUMBER, WHAT
}

/* ---- The end of a session: server/hub/ending.c ---- */

/* session_pass_on() and resume_pass() */
inline pass_on(c)
{
    if
    :: token[c] != 0 && under_way[c] == 0 && claimant[T(node[c], token[c])] != 0 ->
        holder[T(node[c], token[c])] = claimant[T(node[c], token[c])];
        person[claimant[T(node[c], token[c])]] = person[c];
        claimant[T(node[c], token[c])] = 0;
        person[c] = 0;
        token[c] = 0
    :: token[c] != 0 && under_way[c] == 0 && claimant[T(node[c], token[c])] == 0 ->
        if
        :: person[c] != 0 -> submit(node[c], LEAVE, 0, person[c], 0)
        :: else
        fi;
        person[c] = 0;
        holder[T(node[c], token[c])] = 0;
        token[c] = 0
    :: else
    fi
}

/* session_end(), with resume_forget() and person_leave() */
inline end_session(c)
{
    if
    :: alive(c) ->
        if
        :: token[c] != 0 && claimant[T(node[c], token[c])] == c ->
            claimant[T(node[c], token[c])] = 0;
            token[c] = 0
        :: else
        fi;
        if
        :: token[c] != 0 && claimant[T(node[c], token[c])] != 0
        :: else ->
            if
            :: person[c] != 0 -> submit(node[c], LEAVE, 0, person[c], 0)
            :: person[c] == 0 && under_way[c] != 0 && session[c] != MEMBER ->
                submit(node[c], LEAVE, 0, c, 0)
            :: else
            fi;
            person[c] = 0
        fi;
        pass_on(c);
        session[c] = LEFT;
        asks[c] = 0;
        next[c] = 0;
        limit[c] = 0;
        if
        :: now_at == c -> now_at = 0
        :: else
        fi
    :: else
    fi
}

/* token_leave(): the token is valid at another node. */
inline leave_token(c)
{
    if
    :: token[c] != 0 ->
        if
        :: claimant[T(node[c], token[c])] != 0 ->
            token[claimant[T(node[c], token[c])]] = 0; /* it asks again */
            claimant[T(node[c], token[c])] = 0
        :: else
        fi;
        valid[T(node[c], token[c])] = false;
        holder[T(node[c], token[c])] = 0;
        answered[T(node[c], token[c])] = 0;
        token[c] = 0
    :: else
    fi
}

/* ---- The client ---- */

/* say_resumed() and what the client makes of it */
inline say_resumed(c)
{
    asks[c] = 0;
    if
    :: now_at == c && answered[T(node[c], token[c])] == UNKNOWN -> told_events(c)
    :: now_at == c && answered[T(node[c], token[c])] != UNKNOWN ->
        if
        :: answered[T(node[c], token[c])] > taken -> taken = answered[T(node[c], token[c])]
        :: else
        fi;
        assert(taken <= applied)
    :: else
    fi
}

/* `resumed ?`, and the events up to this place */
inline told_events(c)
{
    if
    :: now_at == c && seen[node[c]] > taken -> taken = seen[node[c]]
    :: else
    fi
}

inline welcome(c)
{
    session[c] = MEMBER;
    if
    :: now_at == c ->
        its_token = token[c];
        next[c] = taken + 1;
        limit[c] = taken
    :: else ->
        next[c] = 1;
        limit[c] = 0
    fi
}

/* ---- Before the name: server/hub/login.c ---- */

/* take_resume() */
inline take_resume(c, t)
{
    if
    :: token[c] != 0 -> say_resumed(c)
    :: token[c] == 0 && !valid[T(node[c], t)] ->
#ifdef NO_FENCE
        told_events(c);
#else
        under_way[c]++;
        submit(node[c], RESUME, c, c, t);
#endif
        asks[c] = 0
    :: token[c] == 0 && valid[T(node[c], t)] ->
        if
        :: claimant[T(node[c], t)] > c || holder[T(node[c], t)] > c -> end_session(c)
        :: else ->
            if
            :: claimant[T(node[c], t)] != 0 ->
                x = claimant[T(node[c], t)];
                end_session(x);
                x = 0
            :: else
            fi;
            token[c] = t;
            if
            :: holder[T(node[c], t)] != 0 -> claimant[T(node[c], t)] = c
            :: else ->
                holder[T(node[c], t)] = c;
                say_resumed(c)
            fi
        fi
    fi
}

/* login_next(), welcome_prepare() */
inline take_name(c)
{
    session[c] = NAMED;
    if
    :: token[c] == 0 ->
        token[c] = c;
        valid[T(node[c], c)] = true;
        holder[T(node[c], c)] = c;
        answered[T(node[c], c)] = 0
    :: else
    fi;
    if
    :: person[c] != 0 -> welcome(c)
    :: else ->
        under_way[c]++;
        submit(node[c], LOGIN, c, c, token[c])
    fi
}

/* ---- The stream ---- */

/* The person that has the token, in x; 0: none. */
inline find_token(t)
{
    x = MANY - 1;
    do
    :: x > 0 && token_of[x] != t -> x--
    :: else -> break
    od
}

inline put(KIND, OWNER, NUMBER, WHAT, RESULT)
{
    unread[0]!KIND, OWNER, NUMBER, WHAT, RESULT;
    unread[1]!KIND, OWNER, NUMBER, WHAT, RESULT
}

inline end_persons(n)
{
    x = MANY - 1;
    do
    :: x > 0 ->
        if
        :: node[x] == n -> token_of[x] = 0
        :: else
        fi;
        x--
    :: else -> break
    od
}

/* room_apply(): server/hub/room.c */
inline store(n)
{
    box[n]?kind, owner, number, value;
    y = 0;
    printf("stored of node %d: %e: number %d, %d\n", n, kind, number, value);
    if
    :: kind == START ->
        end_persons(n);
        counts[n] = true;
        unread[n]!START, n, 0, 0, 0
    :: kind != START && !counts[n] /* void */
    :: kind == LOGIN && counts[n] ->
        find_token(value);
#ifndef TOKEN_TWICE
        if
        :: x == 0 -> token_of[number] = value; y = 1
        :: else
        fi;
#else
        assert(x == 0);
        token_of[number] = value; y = 1;
#endif
        unread[n]!LOGIN, owner, number, value, y
    :: kind == SAY && counts[n] ->
        if
        :: token_of[number] != 0 ->
            assert(value == applied + 1);
            applied = value;
            y = 1
        :: else
        fi;
        put(SAY, owner, number, value, y)
    :: kind == LEAVE && counts[n] -> /* apply_leave() */
        token_of[number] = 0
    :: kind == RESUME && counts[n] ->
        find_token(value);
        if
        :: x != 0 ->
            y = x;
#ifndef OLD_NUMBER_COUNTS
            token_of[x] = 0;
#endif
            token_of[number] = value
        :: else
        fi;
        put(RESUME, owner, number, value, y)
    fi;
    kind = 0; owner = 0; number = 0; value = 0; x = 0; y = 0
}

/* ---- What comes back: server/hub/stream.c ---- */

/* ticket_redeem(), behind the completion */
inline redeemed(c)
{
    under_way[c]--;
    if
    :: under_way[c] == 0 && session[c] == LEFT -> pass_on(c)
    :: else
    fi
}

/* resume_follow(): the person of that number has gone on under another. */
inline follow_resume(n, t, old)
{
    x = MANY - 1;
    do
    :: x > 0 && !(session[x] != NONE && node[x] == n && person[x] == old) -> x--
    :: else -> break
    od;
    if
#ifndef HOLDER_STAYS
    :: x == 0 && valid[T(n, t)] && holder[T(n, t)] != 0 -> x = holder[T(n, t)]
#else
    :: x == 0 && valid[T(n, t)] && holder[T(n, t)] != 0 && session[holder[T(n, t)]] == LEFT ->
        x = holder[T(n, t)]
#endif
    :: x == 0 && valid[T(n, t)] && holder[T(n, t)] == 0 ->
        valid[T(n, t)] = false;
        answered[T(n, t)] = 0
    :: else
    fi;
    if
    :: x != 0 ->
        leave_token(x);
        person[x] = 0;
        end_session(x)
    :: else
    fi;
    x = 0
}

/* login_made() */
inline follow_login(c, result)
{
    if
#ifndef CLAIMED_STAYS
    :: session[c] == LEFT && result != 0 -> submit(node[c], LEAVE, 0, c, 0)
#endif
    :: session[c] != LEFT && result != 0 -> person[c] = c; welcome(c)
    :: session[c] != LEFT && result == 0 -> end_session(c)
    :: else
    fi
}

/* login_resumed() */
inline follow_resumed(c, t, result)
{
    if
    :: session[c] != LEFT -> told_events(c)
    :: else
    fi;
    if
    :: result != 0 && session[c] == LEFT -> submit(node[c], LEAVE, 0, c, 0)
    :: result != 0 && session[c] != LEFT ->
        person[c] = c;
        token[c] = t;
        valid[T(node[c], t)] = true;
        holder[T(node[c], t)] = c;
        claimant[T(node[c], t)] = 0;
        answered[T(node[c], t)] = UNKNOWN
    :: else
    fi
}

/* command_said() */
inline follow_said(c, line, result)
{
    if
    :: result != 0 && token[c] != 0 && answered[T(node[c], token[c])] != UNKNOWN ->
        answered[T(node[c], token[c])] = line
    :: else
    fi;
    if
    :: result != 0 && now_at == c ->
        taken = line;
        assert(taken <= applied)
    :: else
    fi
}

/* event_follow() and lost_follow(): the node was gone, and begins again. */
inline cut_off(n)
{
    do
    :: box[n]?kind, owner, number, value
    :: empty(box[n]) -> break
    od;
    x = MANY - 1;
    do
    :: x > 0 ->
        if
        :: session[x] != NONE && node[x] == n && person[x] != 0 -> person[x] = 0; end_session(x)
        :: else
        fi;
        x--
    :: else -> break
    od;
    x = MANY - 1;
    do
    :: x > 0 ->
        if
        :: session[x] != NONE && node[x] == n && under_way[x] != 0 ->
            if
            :: session[x] == NAMED -> end_session(x)
            :: session[x] == PREPARING ->
#ifdef LOST_IS_ANSWERED
                told_events(x)
#else
                end_session(x)
#endif
            :: else
            fi;
            under_way[x] = 1;
            redeemed(x)
        :: else
        fi;
        x--
    :: else -> break
    od;
    do
    :: box[n]?kind, owner, number, value /* leaves of those that were cut off */
    :: empty(box[n]) -> break
    od;
    submit(n, START, 0, 0, 0);
    runs[n] = false
}

/* cluster_next() and applied_follow() */
inline read_message(n)
{
    unread[n]?kind, owner, number, value, y;
    printf("node %d reads %e: number %d, %d: %d\n", n, kind, number, value, y);
    if
    :: kind == START -> runs[n] = true
    :: kind == GONE -> cut_off(n)
    :: kind == LOGIN && under_way[owner] != 0 ->
        follow_login(owner, y);
        redeemed(owner)
    :: kind == SAY ->
        if
        :: y != 0 -> seen[n] = value
        :: else
        fi;
        if
        :: node[owner] == n && under_way[owner] != 0 ->
            follow_said(owner, value, y);
            redeemed(owner)
        :: else
        fi
    :: kind == RESUME ->
        if
        :: y != 0 -> follow_resume(n, value, y)
        :: else
        fi;
        if
        :: node[owner] == n && under_way[owner] != 0 ->
            follow_resumed(owner, value, y);
            redeemed(owner)
        :: else
        fi
    :: else
    fi;
    kind = 0; owner = 0; number = 0; value = 0; x = 0; y = 0
}

/* ---- Faults ---- */

/* The hub is killed: of what it had under way a part is stored, in order. */
inline kill_node(n)
{
    faults++;
    do
    :: nempty(box[n]) && y < len(box[n]) -> y++
    :: break
    od;
    x = len(box[n]);
    do
    :: x > 0 ->
        box[n]?kind, owner, number, value;
        if
        :: y > 0 -> box[n]!kind, owner, number, value; y--
        :: else
        fi;
        x--
    :: else -> break
    od;
    x = MANY - 1;
    do
    :: x > 0 ->
        if
        :: session[x] != NONE && node[x] == n ->
            session[x] = LEFT;
            under_way[x] = 0;
            person[x] = 0;
            token[x] = 0;
            asks[x] = 0;
            next[x] = 0;
            limit[x] = 0;
            if
            :: now_at == x -> now_at = 0
            :: else
            fi
        :: else
        fi;
        valid[T(n, x)] = false;
        holder[T(n, x)] = 0;
        claimant[T(n, x)] = 0;
        answered[T(n, x)] = 0;
        x--
    :: else -> break
    od;
    submit(n, START, 0, 0, 0);
#ifndef LISTENS_EARLY
    runs[n] = false;
#endif
    kind = 0; owner = 0; number = 0; value = 0; x = 0; y = 0
}

/* Nothing of it was stored for too long: server/cluster/apply.c, gone_step(). */
inline node_is_gone(n)
{
    faults++;
    end_persons(n);
    counts[n] = false;
    unread[n]!GONE, n, 0, 0, 0;
    x = 0
}

#define has_space(n) (len(box[n]) < 2)
#define can_store (len(unread[0]) < UNREAD - 1 && len(unread[1]) < UNREAD - 1)
#define can_fail(n) (faults < FAULTS && runs[n] && counts[n] && can_store && len(box[n]) < BOX - 1)

#define claims(c) (token[c] != 0 && claimant[T(node[c], token[c])] == c)
#define may_ask(c) (session[c] == PREPARING && asks[c] != 0 && under_way[c] == 0 && !claims(c))
#define may_enter(c) (session[c] == PREPARING && asks[c] == 0 && under_way[c] == 0)
#define may_say(c) (session[c] == MEMBER && next[c] <= limit[c])
#define may_end(c) (alive(c) && now_at != c)
#define may_move(c) (runs[node[c]] && has_space(node[c]) && \
    (may_ask(c) || may_enter(c) || may_say(c) || may_end(c)))

/* One thing that the node does with one of its connections. */
inline serve(c)
{
    printf("connection %d: %e\n", c, session[c]);
    if
    :: may_ask(c) -> take_resume(c, asks[c])
    :: may_enter(c) -> take_name(c)
    :: may_say(c) ->
        under_way[c]++;
        submit(node[c], SAY, c, person[c], next[c]);
        next[c]++
    :: may_end(c) -> end_session(c) /* it notices */
    fi;
    x = 0
}

/* Nothing moves any more: nobody is in the room whose client is not there. */
inline check_rest()
{
    assert(now_at == 0 || (taken == LINES && applied == LINES));
    assert(now_at != 0 || opened == CONNECTIONS || taken == LINES);
    x = MANY - 1;
    do
    :: x > 0 ->
        assert(token_of[x] == 0 || (now_at != 0 && person[now_at] == x));
        x--
    :: else -> break
    od
}

active proctype world()
{
    mtype kind;
    byte owner;
    byte number;
    byte value;
    byte at; /* which node, or which connection */
    byte x;
    byte y;

    do
    /* The client opens a connection, loses it, says a line. */
    :: atomic { now_at == 0 && opened < CONNECTIONS && taken < LINES ->
        opened++;
        now_at = opened;
        if
        :: node[opened] = 0
        :: node[opened] = 1
        fi;
        printf("connection %d at node %d, token %d, taken %d\n",
            opened, node[opened], its_token, taken);
        session[opened] = PREPARING;
        asks[opened] = its_token }
    :: atomic { now_at != 0 && opened < CONNECTIONS && taken < LINES -> now_at = 0 }
    :: atomic { now_at != 0 && session[now_at] == MEMBER && limit[now_at] < LINES ->
        limit[now_at]++ }
    /* A node does something. */
    :: atomic {
        if
        :: may_move(1) -> at = 1
        :: may_move(2) -> at = 2
        :: may_move(3) -> at = 3
#if CONNECTIONS > 3
        :: may_move(4) -> at = 4
#endif
        fi;
        serve(at);
        at = 0 }
    :: atomic {
        if
        :: nempty(box[0]) && can_store -> at = 0
        :: nempty(box[1]) && can_store -> at = 1
        fi;
        store(at);
        at = 0 }
    :: atomic {
        if
        :: nempty(unread[0]) && len(box[0]) < BOX - 3 -> at = 0
        :: nempty(unread[1]) && len(box[1]) < BOX - 3 -> at = 1
        fi;
        read_message(at);
        at = 0 }
    /* A node fails. */
    :: atomic {
        if
        :: can_fail(0) -> at = 0
        :: can_fail(1) -> at = 1
        fi;
        if
        :: node_is_gone(at)
        :: kill_node(at)
        fi;
        at = 0 }
    :: atomic { timeout -> check_rest(); break }
    od
}
