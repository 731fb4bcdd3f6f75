#!/bin/sh
# cluster.sh [CHATD [ADDRESS]]: one room on three nodes, for trying it on this machine: three
# nats-servers and three chatd, on 127.0.0.1 or ADDRESS, until Ctrl-C. Nothing is left then. In
# another terminal:
#
#   chat -k 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003
#
# Here, a line with 1, 2 or 3 kills that node, and the same line starts it again.

PATH=$PATH:/usr/local/sbin:/usr/sbin
chatd=${1:-chatd}
at=${2:-127.0.0.1}
command -v "$chatd" >/dev/null && command -v nats-server >/dev/null || {
    echo "cluster.sh: needs chatd and nats-server (apt-get install nats-server)" >&2
    exit 69
}

dir=$(mktemp -d) || exit 1
pids=
leave() {
    for pid in $pids $node1 $node2 $node3; do
        kill "$pid" 2>/dev/null
    done
    wait
    rm -rf "$dir"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

for i in 1 2 3; do
    cat >"$dir/nats$i.conf" <<END
server_name: nats$i
listen: $at:422$i
jetstream { store_dir: "$dir/nats$i" }
cluster {
    name: chat
    listen: $at:622$i
    routes: [ nats-route://$at:6221, nats-route://$at:6222, nats-route://$at:6223 ]
}
END
    nats-server -c "$dir/nats$i.conf" >"$dir/nats$i.log" 2>&1 </dev/null &
    pids="$pids $!"
    echo "nats-server $i: process $!, $at:422$i"
done

# Sets node1, node2 or node3 to the process.
start_node() {
    "$chatd" -l "$at:700$1" -t "$dir/room$1" -c "nats://$at:4221,$at:4222,$at:4223/room" \
        -N "node$1" 2>>"$dir/node$1.log" </dev/null &
    eval "node$1=$!"
    echo "node $1: process $!, $at:700$1, transcript $dir/room$1"
}
turn_node() {
    eval "pid=\$node$1"
    if [ -z "$pid" ]; then
        start_node "$1"
        return
    fi
    eval "node$1="
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    echo "node $1: killed"
}
node1=
node2=
node3=
for i in 1 2 3; do
    : >"$dir/node$i.log"
    start_node $i
done
# What they say, until one of them has to say no more.
tail -q -n +1 -f "$dir"/node1.log "$dir"/node2.log "$dir"/node3.log 2>/dev/null </dev/null &
pids="$pids $!"

while read -r line; do
    case $line in
    [123]) turn_node "$line" ;;
    *) echo '1, 2 or 3 kills that node, or starts it again' ;;
    esac
done
wait
