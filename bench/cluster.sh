#!/bin/sh
# cluster.sh: measures a room on three nodes beside the bare store: three nats-servers and three
# chatd on this machine. Needs nats-server; the ports of contrib/cluster.sh must be free.
#
#   bench/cluster.sh [-r ROUNDS]
#
#   -r ROUNDS   default 3
#
# Prints what bench/stream measures, the medians and in brackets the lowest and the highest round: p50
# from a member's send to another node's member's receipt, beside that of a publication; lines a
# second, and the bytes a second that came to be stored of them, beside those of the bare store with
# 16 messages of the same size under way. The programs are $CHATD and $STREAM.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
CHATD=${CHATD:-$here/../chatd}
STREAM=${STREAM:-$here/stream}
PATH=$PATH:/usr/sbin:/sbin
rounds=3

while getopts r: opt; do
    case $opt in
    r) rounds=$OPTARG ;;
    *) echo 'usage: bench/cluster.sh [-r ROUNDS]' >&2 && exit 64 ;;
    esac
done

scratch=$(mktemp -d)
cluster=
trap '[ -z "$cluster" ] || kill "$cluster"; wait; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

sh "$here/../contrib/cluster.sh" "$CHATD" >"$scratch/log" 2>&1 &
cluster=$!
tries=300
until [ "$(grep -c 'listening on ' "$scratch/log")" -eq 3 ]; do
    kill -0 "$cluster"
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { cat "$scratch/log" >&2 && exit 1; }
    sleep 0.1
done

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    "$STREAM" room 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:4221 CHAT_room >"$scratch/room"
    bytes=$(awk '$2 == "bytes_per_message" { printf "%d", $3 }' "$scratch/room")
    "$STREAM" raw 127.0.0.1:4221 127.0.0.1:4222 "$bytes" >"$scratch/raw"
    cat "$scratch/room" "$scratch/raw" >>"$scratch/results"
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
