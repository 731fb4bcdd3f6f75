#!/bin/sh
# run.sh: measures chatd beside bare relays, beside other builds of chatd and beside other servers.
#
#   bench/run.sh [-q] [-r ROUNDS] [-R ROUNDS] [-t SECONDS] [-s SERVERS] [-o FILE] [WORKLOAD...]
#
#   -q          quick: one short round, smaller rooms, the most important servers: a minute
#   -r ROUNDS   default 4
#   -R ROUNDS   how many of them include fill, idle and storm; default 1
#   -t SECONDS  how long a room talks, default 0.5
#   -s SERVERS  of those below; default: all that can be run here
#   -o FILE     where the results go; default: results.txt beside this script
#   WORKLOAD    of burst window paced lone login memory fill idle storm; default: all
#
# Servers: chatd, floor1, relay, direct (bench/floor), redis, nats;
#   chatd@PATH       another build of chatd
#   chatd@REVISION   built from that git revision; 0.1 is version 0.1
#   static           static/chatd (make static)
#   static@REVISION  the static program of that revision
#   chatd+limits     chatd with limits per client and per source, and clients with tokens
#
# The programs are $CHATD, $LOAD and $FLOOR, by default those of this tree. $CHATD_FLAGS are given
# to chatd and to static. A round runs every server on one workload before it goes on to the next,
# each round beginning with another server. See README.md for what is measured and how. The exit
# status is 1 if chatd lost, doubled, tore or disordered anything.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
CHATD=${CHATD:-$here/../chatd}
STATIC=${STATIC:-$here/../static/chatd}
LOAD=${LOAD:-$here/load}
FLOOR=${FLOOR:-$here/floor}
PATH=$PATH:/usr/sbin:/sbin

version_0_1=b432c84
rounds=4
heavy_rounds=1
seconds=0.5
logins=1000
crowd=9900
sources=64
idle_members=5000
idle_seconds=30
storm_seconds=5
results=$here/results.txt
servers=
quick=
status=0

usage() {
    sed -n 's/^#   \(bench.*\)/usage: \1/p' "$0" >&2
    exit 64
}

while getopts qr:R:t:s:o: opt; do
    case $opt in
    q)
        quick=1 rounds=1 seconds=0.3 logins=300 crowd=2000
        idle_members=1000 idle_seconds=3 storm_seconds=1.5
        ;;
    r) rounds=$OPTARG ;;
    R) heavy_rounds=$OPTARG ;;
    t) seconds=$OPTARG ;;
    s) servers=$OPTARG ;;
    o) results=$OPTARG ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
workloads=" ${*:-burst window paced lone login memory fill idle storm} "

# revision_id REVISION: the full name of the commit; fails where there is none
revision_id() {
    [ "$1" != 0.1 ] || set -- "$version_0_1"
    git -C "$here" rev-parse -q --verify "$1^{commit}" 2>/dev/null
}

if [ -z "$servers" ]; then
    servers="chatd direct"
    revision_id 0.1 >/dev/null && servers="$servers chatd@0.1"
    command -v redis-server >/dev/null && servers="$servers redis"
    command -v nats-server >/dev/null && servers="$servers nats"
    [ -n "$quick" ] || servers="$servers floor1 relay chatd+limits"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

# progress TEXT: on a terminal only
progress() {
    [ ! -t 2 ] || printf '\r%-79s' "$1" >&2
}

# revision_build PROGRAM REVISION: prints the path of that program, built from that revision
revision_build() {
    id=$(revision_id "$2") || {
        echo "run.sh: $2: no such revision" >&2
        exit 66
    }
    tree=$here/builds/$id
    if [ ! -x "$tree/$1" ]; then
        progress "building $1 of $2"
        mkdir -p "$tree"
        git -C "$here/.." archive "$id" | tar -xf - -C "$tree"
        case $1 in
        static/*) target=static ;;
        *) target=$1 ;;
        esac
        # Not with the variables of the make that runs this script; CFLAGS is in the environment.
        env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$tree" "$target" >&2
    fi
    echo "$tree/$1"
}

# chatd_path SERVER: the program to run
chatd_path() {
    case $1 in
    chatd | chatd+limits) echo "$CHATD" ;;
    static) echo "$STATIC" ;;
    chatd@*/*) echo "${1#*@}" ;;
    chatd@*) revision_build chatd "${1#*@}" ;;
    static@*) revision_build static/chatd "${1#*@}" ;;
    esac
}

# No client is dropped for being slow.
cat >"$scratch/nats.conf" <<'CONF'
max_pending: 4000000000
write_deadline: "60s"
ping_interval: "10m"
CONF

# measure SERVER ARGUMENT...: one run of bench/load with these arguments
measure() {
    server=$1
    shift
    case $server in
    chatd | static) "$LOAD" -w chatd "$@" -- "$(chatd_path "$server")" -l 127.0.0.1:0 ${CHATD_FLAGS:-} ;;
    chatd+limits) "$LOAD" -w token "$@" -- "$CHATD" -l 127.0.0.1:0 -r 50 -i 20000 ;;
    chatd@* | static@*) "$LOAD" -w chatd "$@" -- "$(chatd_path "$server")" -l 127.0.0.1:0 ;;
    floor1) "$LOAD" -w floor "$@" -- "$FLOOR" ;;
    relay) "$LOAD" -w floor "$@" -- "$FLOOR" -r ;;
    direct) "$LOAD" -w floor "$@" -- "$FLOOR" -d ;;
    redis)
        port=$("$LOAD" port)
        "$LOAD" -w redis -a "127.0.0.1:$port" "$@" -- redis-server --bind 127.0.0.1 --port "$port" \
            --save '' --appendonly no --maxclients 12000 --dir "$scratch" \
            --client-output-buffer-limit pubsub 0 0 0
        ;;
    nats)
        port=$("$LOAD" port)
        "$LOAD" -w nats -a "127.0.0.1:$port" "$@" -- nats-server -a 127.0.0.1 -p "$port" \
            -c "$scratch/nats.conf"
        ;;
    *) usage ;;
    esac
}

# takes_part SERVER KIND: the large rooms are for the programs that have what is measured there
takes_part() {
    case $1:$2 in
    *:room | *:login) [ "$1" != chatd+limits ] ;;
    chatd+limits:idle | chatd+limits:storm | chatd@*:idle) false ;;
    chatd*:* | static*:* | direct:fill | direct:storm) ;;
    *) false ;;
    esac
}

# run KIND ARGUMENT...: every server once
run() {
    kind=$1
    shift
    for server in $order; do
        takes_part "$server" "$kind" || continue
        progress "round $round of $rounds: $server: $*"
        measure "$server" "$@" >"$scratch/out" 2>"$scratch/err" || {
            progress ''
            sed "s/^/$server: /" "$scratch/err" >&2
            case $server in chatd | chatd+limits | static) status=1 ;; esac
        }
        awk -v OFS='\t' -v server="$server" -v round="$round" \
            '{ print $1, server, round, $2, $3 }' "$scratch/out" >>"$results"
    done
}

# room MEMBERS WORKLOAD...: those that were asked for, one after the other in one room
room() {
    members=$1 chosen=
    shift
    for workload; do
        case $workloads in *" ${workload%%=*} "*) chosen="$chosen $workload" ;; esac
    done
    # shellcheck disable=SC2086 # words
    [ -z "$chosen" ] || run room -n "$members" -t "$seconds" $chosen
}

wanted() {
    case $workloads in *" $1 "*) ;; *) false ;; esac
}

heavy() {
    ! wanted fill || run fill -n "$crowd" -b "$sources" fill
    ! wanted idle || run idle -n "$idle_members" idle="$idle_seconds"
    wanted storm || return 0
    for storm in none silent bytes silent:1000; do
        run storm -n 2 -t "$storm_seconds" storm="$storm"
    done
}

{
    echo "# $(date -u +%Y-%m-%d) $(uname -srm), $(getconf _NPROCESSORS_ONLN) processors," \
        "$rounds rounds of $seconds s"
    printf '# workload-members-argument\tserver\tround\tmetric\tvalue\n'
} >"$results"

for server in $servers; do
    path=$(chatd_path "$server")
    [ -z "$path" ] || [ -x "$path" ] || {
        echo "run.sh: $path: not a program" >&2
        exit 66
    }
done

order=$servers
round=1
while [ "$round" -le "$rounds" ]; do
    room 10 burst=1 burst=8
    room 100 lone paced=50000 window=8 burst=1 burst=8
    room 1000 memory paced=20000 burst=1 burst=8
    ! wanted login || run login -n "$logins" login
    [ "$round" -gt "$heavy_rounds" ] || heavy
    order="${order#* } ${order%% *}"
    round=$((round + 1))
done
progress ''
[ ! -t 2 ] || printf '\r' >&2
awk -f "$here/table.awk" "$results"
exit "$status"
