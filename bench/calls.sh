#!/bin/sh
# calls.sh: the system calls that a server makes per delivery, counted by perf(1) in the hub and in
# its workers. Root, Linux.
#
#   bench/calls.sh [-w WIRE] [-n MEMBERS] WORKLOAD[=ARGUMENT] SERVER [ARGUMENT...]
#
#   bench/calls.sh paced=50000 ./chatd -l 127.0.0.1:0
#   bench/calls.sh -w floor window=8 bench/floor -d
#
# The server must say `listening on ADDRESS`; it is counted for one and a half seconds. WORKLOAD is one of burst, window, paced, lone.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
LOAD=${LOAD:-$here/load}
wire=chatd
members=100
seconds=6
counted=1.5

while getopts w:n: opt; do
    case $opt in
    w) wire=$OPTARG ;;
    n) members=$OPTARG ;;
    *) sed -n 's/^#   \(bench.*WORKLOAD.*\)/usage: \1/p' "$0" >&2 && exit 64 ;;
    esac
done
shift $((OPTIND - 1))
workload=$1
shift

scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

"$@" 2>"$scratch/log" >/dev/null &
server=$!
until grep -q 'listening on ' "$scratch/log"; do
    kill -0 "$server"
    sleep 0.1
done
address=$(sed -n 's/.*listening on //p' "$scratch/log" | head -n 1)

"$LOAD" -w "$wire" -n "$members" -t "$seconds" -a "$address" -p "$server" "$workload" \
    >"$scratch/load" &
load=$!
sleep 1.5

# Not all there are: perf needs a descriptor for each of them in each process.
events=
for call in sendmsg sendto recvmsg recvfrom epoll_wait epoll_pwait epoll_ctl ppoll poll read write \
    writev getsockopt setsockopt accept4 close madvise; do
    events=$events,syscalls:sys_enter_$call
done

# count NAME PIDS
count() {
    [ -z "$2" ] || perf stat -x, -p "$2" -e "${events#,}" sleep "$counted" 2>"$scratch/$1"
}
workers=$(pgrep -d, -P "$server" || true)
count workers "$workers" &
count hub "$server"
wait $!
wait "$load" || true

rate=$(awk -F '\t' '
    $2 == "seconds" { seconds = $3 }
    $2 == "deliveries" { all = $3 }
    END { print all / seconds }' "$scratch/load")
for part in hub workers; do
    [ -e "$scratch/$part" ] || continue
    awk -F , -v part="$part" -v rate="$rate" -v seconds="$counted" '
        $1 + 0 > 0 {
            name = $3
            sub(/.*sys_enter_/, "", name)
            if ($1 / seconds / rate >= 0.00001)
                printf "%-8s %-16s %10.0f a second %10.5f per delivery\n", part, name, \
                    $1 / seconds, $1 / seconds / rate
        }' "$scratch/$part" | sort -k 5 -rn
done
printf 'all      deliveries       %10.0f a second\n' "$rate"
