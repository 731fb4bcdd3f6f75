# A room on three hosts, and everything goes wrong at random for CHAOS_SECONDS (40) under load: hubs,
# engines, writers and NATS servers are killed and stopped, nodes are ended and upgraded, links are cut. Then the accounts: every
# line of six clients that reconnect once and in order, all in one order, the transcripts of the nodes
# equal, their users lists, too. SEED chooses what happens, and is printed. At most one NATS server at
# a time is killed or cut off; where the nodes say that the servers have lost the stream all the
# same, an account that is wrong is skipped. Needs root, namespaces, ip, ss, nc and nats-server.

: "${CHATD:?}" "${CHAT:?}"
trying='chaos on three hosts'
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/trio.sh
. "$(dirname "$0")/trio.sh"
# shellcheck source=tests/talkers.sh
. "$(dirname "$0")/talkers.sh"

seconds=${CHAOS_SECONDS:-40}
seed=${SEED:-$(date +%s)}
echo "seed $seed, $seconds s"

# ---- The plan ----

# Lines of: when in tenths of a second, what, of which host, for how many tenths, and for a link
# its other end.
plan() {
    awk -v seed="$seed" -v end="$((10 * seconds))" '
        function pick(n) { return int(n * rand()) }
        # Is that free? Then it is not, for so long.
        function take(what, span) {
            if (until[what] > now)
                return 0
            until[what] = now + span
            return 1
        }
        function say(what, host, span, other) { print now, what, host, span, other }
        BEGIN {
            srand(seed)
            for (now = 10; now < end; now += 3 + pick(20)) {
                host = 1 + pick(3)
                other = 1 + (host + pick(2)) % 3
                span = 2 + pick(40)
                kind = pick(14)
                if (kind == 0 && take("servers", span + 40)) say("server_kill", host, span, 0)
                if (kind == 1 && take("servers", span + 40)) say("server_stop", host, span, 0)
                if (kind == 2 && take("servers", span + 40)) say("link_cut", host, span, other)
                if (kind == 3 && take("servers", span + 40)) say("way_cut", host, span, other)
                if (kind == 4 && take("hub" host, span + 30)) say("hub_kill", host, pick(20), 0)
                if (kind == 5 && pick(4) == 0) span = 180
                if (kind == 5 && take("hub" host, span + 30)) say("hub_stop", host, span, 0)
                if (kind == 6) say("engine_kill", host, 0, 0)
                if (kind == 7 && take("engine" host, span)) say("engine_stop", host, span, 0)
                if (kind == 8) say("writer_kill", host, 0, 0)
                if (kind == 9 && take("writer" host, span)) say("writer_stop", host, span, 0)
                if (kind == 10 && take("way" host, span)) say("client_cut", host, span, 0)
                if (kind == 11 && take("hub" host, span)) say("hub_upgrade", host, 0, 0)
                if (kind == 12 && take("hub" host, span + 30)) say("hub_end", host, pick(20), 0)
                if (kind == 13 && take("servers", span + 40)) say("majority_stop", host, span, other)
            }
        }'
}

# ---- What goes wrong ----

undoing=
# later TENTHS COMMAND...: undoes something after that time.
later() {
    (
        sleep "$(($1 / 10)).$(($1 % 10))"
        shift
        "$@"
    ) &
    undoing="$undoing $!"
}
# down NAME TENTHS: it is killed, and started again after that time.
down() {
    : >"$dir/$1.down"
    kill -KILL "$(pid "$1")"
    later "$2" rm "$dir/$1.down"
}
hold() {
    kill -STOP "$1" && later "$2" kill -CONT "$1"
}
# child HOST WORD: the process of a node whose title has that word
child() {
    for process in $(ps -o pid= --ppid "$(pid "node$1")"); do
        ! tr '\0' ' ' <"/proc/$process/cmdline" | grep -q "chatd: $2" || echo "$process"
    done
}
server_kill() { down "nats$1" "$2"; }
server_stop() { hold "$(pid "nats$1")" "$2"; }
hub_kill() { down "node$1" "$2"; }
hub_stop() { hold "$(pid "node$1")" "$2"; }
hub_upgrade() { kill -USR2 "$(pid "node$1")"; }
hub_end() {
    : >"$dir/node$1.down"
    kill -TERM "$(pid "node$1")"
    later "$2" rm "$dir/node$1.down"
}
majority_stop() { hold "$(pid "nats$1")" "$2" && hold "$(pid "nats$3")" "$2"; }
engine_kill() { kill -KILL "$(child "$1" cluster)"; }
engine_stop() { hold "$(child "$1" cluster)" "$2"; }
writer_kill() { kill -KILL "$(child "$1" transcript)"; }
writer_stop() { hold "$(child "$1" transcript)" "$2"; }
link_cut() { lose_both "$1" "$3" && later "$2" mend_both "$1" "$3"; }
way_cut() { lose "$1" "$3" && later "$2" mend "$1" "$3"; }
client_cut() { lose_both "$1" $clients && later "$2" mend_both "$1" $clients; }

hits=0
restarts=0
# What has ended is started again, as a service manager does it.
revive() {
    for place in 1 2 3; do
        if is_gone "nats$place" && [ ! -e "$dir/nats$place.down" ]; then server $place; fi
        if is_gone "node$place" && [ ! -e "$dir/node$place.down" ]; then
            restarts=$((restarts + 1))
            node $place
        fi
    done
}
tenths() { echo $(($(date +%s%N) / 100000000)); }
go_wrong() {
    begun=$(tenths)
    while read -r when what host span other <&3; do
        while [ $(($(tenths) - begun)) -lt "$when" ]; do
            revive
            sleep 0.2
        done
        echo "$when $what $host $span $other" >>"$dir/happened"
        # What it is meant for may be gone already.
        "$what" "$host" "$span" "$other" 2>>"$dir/happened" && hits=$((hits + 1))
    done 3<"$dir/plan"
}

# ---- Accounts of the clients ----

# A server knows who leads the stream.
knows_leader() {
    {
        # shellcheck disable=SC2016
        printf '%s\r\n' 'CONNECT {"verbose":false}' 'SUB a 1' 'PUB $JS.API.STREAM.INFO.CHAT_room a 0' ''
        sleep 1
    } | at $clients nc -w 2 "$(address "$1")" 4222 | grep -q '"leader":"n'
}
has_leader() { knows_leader 1 || knows_leader 2 || knows_leader 3; }
# The longest time between two messages, in seconds.
standstill() {
    sed -n 's/^[^T]*T\([0-9]*\):\([0-9]*\):\([0-9.]*\)Z msg .*/\1 \2 \3/p' "$dir/transcript1" |
        awk '{ t = 3600 * $1 + 60 * $2 + $3; if (NR > 1 && t - last > most) most = t - last; last = t }
            END { printf "%.1f\n", most }'
}
explain() {
    for log in "$dir"/node*.log "$dir"/talker*.err "$dir/happened"; do
        echo "$log:"
        tail -n 30 "$log"
    done
}

for i in $talkers; do talk "$i"; done
for i in $talkers; do expect "client $i has joined" until_true seen "talker$i" ' you '; done
plan >"$dir/plan"
go_wrong
for i in $undoing; do wait "$i"; done
revive
if ! until_true has_leader; then
    skip 'the accounts' 'the NATS servers, all there, have no leader any more'
    explain
    finish
fi

# ---- The accounts ----

# What nodes have said of messages that the servers do not have any more. That may have been a server
# that was behind for a moment, and then the accounts are right.
losses() {
    grep -H "has lost the room's stream\|the room's stream does not begin\|room is not that" "$dir"/node?.log
}
# account WHAT COMMAND...
account() {
    account=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    elif losses >"$dir/lost"; then
        cat "$dir/lost"
        skip "$account" 'the servers have lost a part of the stream'
    else
        failed=$((failed + 1))
        echo "failed: $account"
        explain
    fi
}
is_there() {
    revive
    answers "$1"
}
has_all_at_last() {
    revive
    has_all "$1"
}
! losses >/dev/null || CHATD_PATIENCE=1 # what is lost does not come
for i in 1 2 3; do account "node $i is there after all that" until_true is_there $i; done

: >"$dir/hush"
for i in 1 2 3; do account "everything is at node $i" until_true has_all_at_last $i; done
for i in 1 2 3; do
    account "the users of node $i" is 'talker1 talker2 talker3 talker4 talker5 talker6 ' "$(users $i)"
done
: >"$dir/end"
for i in $talkers; do
    until_true is_gone "talker$i" || kill "$(pid "talker$i")"
    wait "$(pid "talker$i")"
    status=$?
    rm "$dir/talker$i.pid"
    account "every line of client $i was accepted" is 0 $status
done
account "the transcripts are equal" become_equal
for i in $talkers; do
    account "each line of client $i once and in order" is_whole transcript1 "talker$i" "$(count "$i")"
    account "and as its echo" is_whole "talker$i" "talker$i" "$(count "$i")"
    account "client $i has heard everything" heard_all "talker$i"
done
echo "$hits faults of $(awk '{ print $2 }' "$dir/plan" | sort | uniq -c | tr -s ' \n' ' ')"
echo "$(grep -c ' msg ' "$dir/transcript1") lines, nodes started again: $restarts, longest standstill: $(standstill) s, gaps: $(grep -c '^[^ ]* gap ' "$dir/transcript1")"
finish
