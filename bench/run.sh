#!/bin/sh
# run.sh: measures chatd beside the floors, and beside other servers where they are installed.
#
#   bench/run.sh [-q] [-r ROUNDS] [-t SECONDS] [-s SERVERS] [-o FILE] [WORKLOAD...]
#
#   -q          quick: one round of half a second each, 2000 members instead of 10 000
#   -r ROUNDS   default 5
#   -t SECONDS  how long each of the crowds talks, default 2
#   -s SERVERS  of chatd floor1 relay direct redis ngircd ncat; default: those that are there
#   -o FILE     where the results go, default results.txt beside this script
#   WORKLOAD    of burst window paced lone login memory fill; default: all
#
# The programs are $CHATD, $LOAD and $FLOOR, by default those in the directory above this one and here.
# $CHATD_FLAGS are given to chatd. One round runs every
# server on one workload before it goes on to the next, each round beginning with another server.
# At the end the medians are printed: see README.md for what they mean.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
CHATD=${CHATD:-$here/../chatd}
LOAD=${LOAD:-$here/load}
FLOOR=${FLOOR:-$here/floor}
PATH=$PATH:/usr/sbin:/sbin

rounds=5
seconds=2
logins=2000
crowd=10000
results=$here/results.txt
servers=

usage() {
    sed -n 's/^#   \(bench.*\)/usage: \1/p' "$0" >&2
    exit 64
}

while getopts qr:t:s:o: opt; do
    case $opt in
    q) rounds=1 seconds=0.5 logins=500 crowd=2000 ;;
    r) rounds=$OPTARG ;;
    t) seconds=$OPTARG ;;
    s) servers=$OPTARG ;;
    o) results=$OPTARG ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
workloads=${*:-burst window paced lone login memory fill}

if [ -z "$servers" ]; then
    [ -x "$CHATD" ] && servers=chatd
    servers="$servers floor1 relay direct"
    command -v redis-server >/dev/null && servers="$servers redis"
    command -v ngircd >/dev/null && servers="$servers ngircd"
    command -v ncat >/dev/null && servers="$servers ncat"
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

# write_ngircd_conf PORT: nothing is looked up, nobody is slowed down
write_ngircd_conf() {
    cat >"$scratch/ngircd.conf" <<CONF
[Global]
Name = bench.local
Info = bench
Listen = 127.0.0.1
Ports = $1
MotdPhrase = bench
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxPenaltyTime = 0
PingTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
CONF
}

# measure SERVER ARGUMENT...: one run of bench/load with these arguments
measure() {
    server=$1
    shift
    case $server in
    chatd) "$LOAD" -w chatd "$@" -- "$CHATD" -l 127.0.0.1:0 ${CHATD_FLAGS:-} ;;
    floor1) "$LOAD" -w floor "$@" -- "$FLOOR" ;;
    relay) "$LOAD" -w floor "$@" -- "$FLOOR" -r ;;
    direct) "$LOAD" -w floor "$@" -- "$FLOOR" -d ;;
    redis)
        port=$("$LOAD" port)
        "$LOAD" -w redis -a "127.0.0.1:$port" "$@" -- redis-server --bind 127.0.0.1 --port "$port" \
            --save '' --appendonly no --maxclients 12000 --dir "$scratch" \
            --client-output-buffer-limit pubsub 0 0 0
        ;;
    ngircd)
        port=$("$LOAD" port)
        write_ngircd_conf "$port"
        "$LOAD" -w irc -a "127.0.0.1:$port" "$@" -- ngircd -n -f "$scratch/ngircd.conf"
        ;;
    ncat)
        port=$("$LOAD" port)
        "$LOAD" -w ncat -a "127.0.0.1:$port" "$@" -- ncat -l --chat -m 2000 127.0.0.1 "$port"
        ;;
    *) usage ;;
    esac
}

# takes_part SERVER WORKLOAD: false where a server does not do what the workload needs
takes_part() {
    case $1:$2 in
    ncat:paced | ncat:lone | ncat:login | ncat:memory | ncat:fill) return 1 ;;
    ngircd:fill | redis:fill) return 1 ;;
    esac
}

# cell WORKLOAD NAME ARGUMENT...: runs every server once
cell() {
    workload=$1 name=$2
    shift 2
    for server in $order; do
        takes_part "$server" "$workload" || continue
        printf '\r%-70s' "round $round of $rounds: $name: $server" >&2
        measure "$server" "$@" >"$scratch/out" 2>"$scratch/err" || {
            printf '\n' >&2
            sed "s/^/$name: $server: /" "$scratch/err" >&2
        }
        awk -v OFS='\t' -v name="$name" -v server="$server" -v round="$round" \
            '{ print name, server, round, $1, $2 }' "$scratch/out" >>"$results"
    done
}

# talk WORKLOAD ARGUMENT...: rooms of three sizes with one and eight speakers
talk() {
    talk=$1
    shift
    for members in 10 100 1000; do
        for speakers in 1 8; do
            cell "$talk" "$talk-$members-$speakers" -n $members -s $speakers -t "$seconds" "$@" burst
        done
    done
}

{
    echo "# $(date -u +%Y-%m-%d) $(uname -srm), $(getconf _NPROCESSORS_ONLN) processors," \
        "$rounds rounds of $seconds s"
    printf '# workload-members-speakers\tserver\tround\tmetric\tvalue\n'
} >"$results"

order=$servers
round=1
while [ "$round" -le "$rounds" ]; do
    for workload in $workloads; do
        case $workload in
        burst) talk burst ;;
        window) talk window -k 16 ;;
        paced) cell paced paced-100-8 -n 100 -s 8 -r 50000 -t "$seconds" paced ;;
        lone) cell lone lone-100-1 -n 100 -t "$seconds" lone ;;
        login) cell login "login-$logins" -n "$logins" login ;;
        memory) cell memory memory-1000 -n 1000 memory ;;
        fill) cell fill "fill-$crowd" -n "$crowd" -s 8 fill ;;
        *) usage ;;
        esac
    done
    order="${order#* } ${order%% *}"
    round=$((round + 1))
done
printf '\r%-70s\r' '' >&2
awk -f "$here/table.awk" "$results"
