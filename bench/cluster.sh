#!/bin/sh
# cluster.sh: measures a room on three nodes: three nats-servers and three chatd on this machine. Needs
# nats-server; the ports of contrib/cluster.sh must be free, and 7004.
#
#   bench/cluster.sh [-r ROUNDS] [-l LINES] [-p PAUSE] [-m MEMBERS] [WORKLOAD...]
#
#   -r ROUNDS    default 3
#   -l LINES     what is said while a node is away, default 1000000
#   -p PAUSE     microseconds between two of them of each of two speakers; default 0: as fast as
#                the room takes them, and then hundreds of lines share a message of the stream
#   -m MEMBERS   of the crowd, over three nodes, default 10000
#
# Prints the medians, and in brackets the lowest and the highest round, of the workloads:
#
#   speed        (the default) p50 from a member's send to another node's member's receipt, beside
#                that of a publication; lines a second, and the bytes a second that came to be stored
#                of them, beside those of the bare store with 16 messages of the same size under way:
#                raw with one reader, raw3 with one at each server, as the room has them
#   stopped      the third node is stopped, LINES are said at the others, and it is started again:
#                seconds until it listens, and until its transcript is that of the others
#   killed       the same with SIGKILL, and the others have noticed it before the lines are said
#   crowd        MEMBERS are in; three snapshots are taken and stored: how long a member waits for an
#                answer of the hub meanwhile, beside the time before; then a fourth node is started:
#                seconds until it listens, and its memory
#
# The programs are $CHATD, $CHAT and $STREAM.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
CHATD=${CHATD:-$here/../chatd}
CHAT=${CHAT:-$here/../chat}
STREAM=${STREAM:-$here/stream}
PATH=$PATH:/usr/sbin:/sbin
rounds=3
lines=1000000
pause=0
members=10000

while getopts r:l:p:m: opt; do
    case $opt in
    r) rounds=$OPTARG ;;
    l) lines=$OPTARG ;;
    p) pause=$OPTARG ;;
    m) members=$OPTARG ;;
    *) sed -n 's/^#   bench/usage: bench/p' "$0" >&2 && exit 64 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- speed

scratch=$(mktemp -d)
pids=
leave() {
    # shellcheck disable=SC2086
    [ -z "$pids" ] || kill $pids 2>/dev/null
    wait
    rm -rf "$scratch"
}
trap leave EXIT
trap 'exit 130' INT TERM HUP
result() { echo "$@" >>"$scratch/results"; }

# ---- Nodes ----

# Tries a command for two minutes.
until_true() {
    tries=6000
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { tail -n 20 "$scratch"/*log >&2 && exit 1; }
        sleep 0.02
    done
}
milliseconds() { echo $(($(date +%s%N) / 1000000)); }
# since BEGUN: seconds
since() { echo "$(milliseconds) $1" | awk '{ print ($1 - $2) / 1000 }'; }

listening() { [ "$(grep -c 'listening on ' "$scratch/log")" -eq 3 ]; }
: >"$scratch/log"
sh "$here/../contrib/cluster.sh" "$CHATD" >>"$scratch/log" 2>&1 &
pids=$!
until_true listening
transcript() { sed -n "s/^node $1: process .*, transcript //p" "$scratch/log"; }
process() { sed -n "s/^node $1: process \([0-9]*\),.*/\1/p" "$scratch/log" "$scratch/again" | tail -n 1; }
: >"$scratch/again"
servers=127.0.0.1:4221,127.0.0.1:4222,127.0.0.1:4223

listens() { grep -q 'listening on ' "$scratch/node.log"; }
# node NUMBER TRANSCRIPT: starts it, and reports the seconds until it listens
node() {
    : >"$scratch/node.log"
    begun=$(milliseconds)
    "$CHATD" -v -l "127.0.0.1:700$1" -t "$2" -c "nats://$servers/room" -N "node$1" 2>"$scratch/node.log" &
    pids="$pids $!"
    echo "node $1: process $!, again" >>"$scratch/again"
    until_true listens
    result "$workload listening_s $(since "$begun")"
}
is_over() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status"; }

# ---- Workloads ----

speed() {
    "$STREAM" room 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:4221 CHAT_room >"$scratch/room"
    bytes=$(awk '$2 == "bytes_per_message" { printf "%d", $3 }' "$scratch/room")
    "$STREAM" raw 127.0.0.1:4221 127.0.0.1:4222 "$bytes" >"$scratch/raw"
    "$STREAM" raw 127.0.0.1:4221 127.0.0.1:4222 "$bytes" 127.0.0.1:4221 127.0.0.1:4223 |
        sed 's/^raw/raw3/' >"$scratch/raw3"
    cat "$scratch/room" "$scratch/raw" "$scratch/raw3" >>"$scratch/results"
}

are_equal() { cmp -s "$(transcript 1)" "$(transcript 3)"; }
has_left() { tail -n 100 "$(transcript 1)" | grep -q ' quit away lost'; }
say() { "$STREAM" say "127.0.0.1:700$1" "speaker$1" $((lines / 2)) "$pause" >"$scratch/say$1"; }
# away SIGNAL
away() {
    { echo here && sleep 600; } | "$CHAT" -x -n away 127.0.0.1:7003 >/dev/null 2>&1 &
    pids="$pids $!"
    until_true grep -q ' msg away here' "$(transcript 1)"
    kill "-$1" "$(process 3)"
    until_true is_over "$(process 3)"
    until_true has_left
    say 1 &
    said=$!
    say 2
    wait "$said"
    node 3 "$(transcript 3)"
    until_true are_equal
    result "$workload equal_s $(since "$begun")"
    sha256sum "$(transcript 1)" "$(transcript 2)" "$(transcript 3)" | cut -d ' ' -f 1 | uniq -c
    echo "$(wc -l <"$(transcript 3)") lines; messages of the stream: $("$STREAM" look 127.0.0.1:4221 CHAT_room)"
}
stopped() { away TERM; }
killed() { away KILL; }

is_in() { [ "$(cat "$scratch"/crowd* | grep -c in)" -eq 3 ]; }
users() { "$CHAT" -l "127.0.0.1:700$1" | sort | sha256sum; }
crowd() {
    for i in 1 2 3; do
        "$STREAM" crowd "127.0.0.1:700$i" $((members / 3 + (i == 1) * (members % 3))) >"$scratch/crowd$i" &
        pids="$pids $!"
    done
    until_true is_in
    sleep 5
    "$STREAM" answer 127.0.0.1:7001 5 | sed 's/^answer/before/' >>"$scratch/results"
    "$STREAM" answer 127.0.0.1:7001 15 | sed 's/^answer/meanwhile/' >>"$scratch/results" &
    answer=$!
    sleep 1
    "$STREAM" void 127.0.0.1:4222 room 30000
    wait "$answer"
    node 4 "$scratch/transcript4"
    grep VmRSS "/proc/$(process 4)/status"
    sed -n 's/.*: \(the room is loaded .*\)/\1/p' "$scratch/node.log"
    [ "$(users 1)" = "$(users 4)" ] && echo "users lists are equal"
    kill "$(process 4)"
}

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    for workload in "$@"; do "$workload"; done
done

awk '
    function median(text, n, at, i, j, swap) {
        n = split(text, at, " ")
        for (i = 1; i <= n; i++)
            for (j = i + 1; j <= n; j++)
                if (at[j] + 0 < at[i] + 0) { swap = at[i]; at[i] = at[j]; at[j] = swap }
        return at[int((n + 1) / 2)] " (" at[1] " to " at[n] ")"
    }
    { values[$1 " " $2] = values[$1 " " $2] " " $3 }
    END { for (name in values) print name ": " median(values[name]) }' "$scratch/results" | sort
