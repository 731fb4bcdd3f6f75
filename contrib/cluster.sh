#!/bin/sh
# cluster.sh [CHATD]: one room on three nodes, for trying it on this machine: three nats-servers and
# three chatd, on 127.0.0.1, until Ctrl-C. Nothing is left then. In other terminals:
#
#   chat -k 127.0.0.1:7001,127.0.0.1:7002,127.0.0.1:7003
#
# The process ids are shown, for killing some of them.

chatd=${1:-chatd}
command -v "$chatd" >/dev/null && command -v nats-server >/dev/null || {
    echo "cluster.sh: needs chatd and nats-server (apt-get install nats-server)" >&2
    exit 69
}

dir=$(mktemp -d) || exit 1
pids=
leave() {
    for pid in $pids; do
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
listen: 127.0.0.1:422$i
jetstream { store_dir: "$dir/nats$i" }
cluster {
    name: chat
    listen: 127.0.0.1:622$i
    routes: [ nats-route://127.0.0.1:6221, nats-route://127.0.0.1:6222,
              nats-route://127.0.0.1:6223 ]
}
END
    nats-server -c "$dir/nats$i.conf" >"$dir/nats$i.log" 2>&1 &
    pids="$pids $!"
    echo "nats-server $i: process $!, 127.0.0.1:422$i"
done
servers=127.0.0.1:4221,127.0.0.1:4222,127.0.0.1:4223
for i in 1 2 3; do
    "$chatd" -l "127.0.0.1:700$i" -t "$dir/room$i" -c "nats://$servers/room" -N "node$i" \
        2>"$dir/node$i.log" &
    pids="$pids $!"
    echo "node $i: process $!, 127.0.0.1:700$i, transcript $dir/room$i"
done
# What they say, until one of them has to say no more.
tail -q -n +1 -f "$dir"/node1.log "$dir"/node2.log "$dir"/node3.log 2>/dev/null &
pids="$pids $!"
wait
