# Two hosts, as network namespaces, and a bad network between them: 200 ms late each way, 5 % of the
# packets lost, cut for CUT (30) seconds now and then. What chat -k sends arrives once and in order,
# also where the path is that of a node to the NATS server of its room, and the server notices within
# two minutes that a path is dead. `sh tests/run.sh tests/paths.sh` counts it, in three to six
# minutes. Needs root, namespaces, ip, python3 and /dev/net/tun.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/hosts.sh
. "$(dirname "$0")/hosts.sh"

if [ "${1:-}" != inside ]; then
    if ! unshare --net true 2>/dev/null || [ ! -c /dev/net/tun ] || ! command -v ip >/dev/null ||
        ! command -v python3 >/dev/null; then
        skip 'a bad network' 'needs root, unshare, ip, python3 and /dev/net/tun'
        finish
    fi
    unshare --net sh "$0" inside
    exit
fi
cut=${CUT:-30}
CHATD_PATIENCE=$((4 * ${CHATD_PATIENCE:-1}))
explain() { tail -n 20 "$dir"/*.log; }

# way NAME SERVER CLIENT FD: lays one between these hosts: 192.0.2.1 is the server, 192.0.2.2 the
# client. FD tells what of it is open, see wan.py.
way() {
    mkfifo "$dir/$1.way"
    python3 "$(dirname "$0")/wan.py" 200 5 <"$dir/$1.way" >"$dir/$1.log" 2>&1 &
    pids="$pids $!"
    eval "exec $4>\"\$dir/$1.way\""
    comes "$1.log" ready || finish
    ip link set wan0 netns "$2"
    ip link set wan1 netns "$3"
    on "$2" ip address add 192.0.2.1/24 dev wan0
    on "$3" ip address add 192.0.2.2/24 dev wan1
    on "$2" ip link set wan0 up
    on "$3" ip link set wan1 up
    on "$2" ip link set lo up
}
now() { date +%s; }

# ---- A dead path, seen from the server: while the other rooms go their way ----

host
stalled_server=$host
host
stalled_client=$host
way stalled "$stalled_server" "$stalled_client" 8
# dead_path NAME PORT: a room with one member behind the path.
dead_path() {
    start "$stalled_server" "$CHATD" -l "192.0.2.1:$2" -l "127.0.0.1:$2" 2>"$dir/$1.log"
    comes "$1.log" 'listening on 127' || return
    start "$stalled_client" "$CHAT" -r -n "$1" -w 60 "192.0.2.1:$2" >"$dir/$1" 2>&1
    comes "$1.log" "$1 joined" || return
}
# notice NAME PORT SECONDS: puts the seconds from the cut to the notice into a file. Somebody
# speaks SECONDS after the cut.
notice() {
    begun=$(now)
    while ! seen "$1.log" "$1 lost" && [ $(($(now) - begun)) -lt 300 ]; do
        [ "$3" != $(($(now) - begun)) ] || on "$stalled_server" "$CHAT" -m hello "127.0.0.1:$2"
        sleep 1
    done
    echo $(($(now) - begun)) >"$dir/$1.noticed"
}
dead_path idle 1001
dead_path busy 1002
dead_path late 1003
sleep 5 # until everything is acknowledged
echo none >&8
notice idle 1001 never >/dev/null 2>&1 &
pids="$pids $!"
notice busy 1002 1 >/dev/null 2>&1 &
pids="$pids $!"
notice late 1003 50 >/dev/null 2>&1 &
pids="$pids $!"

# ---- Lines over a path that is cut, in one direction and in both, and an address that changes ----

host
server=$host
host
client=$host
way bad "$server" "$client" 9
start "$server" "$CHATD" -l 192.0.2.1:65432 -t "$dir/transcript" 2>"$dir/chatd.log"
comes chatd.log 'listening on 192' || finish
mkfifo "$dir/keys"
nsenter --target "$client" --net \
    "$CHAT" -k -w 60 -n ann 192.0.2.1 <"$dir/keys" >"$dir/ann" 2>"$dir/ann.log" &
ann=$!
pids="$pids $ann"
start "$client" "$CHAT" -k -r -x -w 60 -n ben 192.0.2.1 >"$dir/ben" 2>"$dir/ben.log"
exec 7>"$dir/keys"
comes chatd.log 'ann joined' || finish
comes chatd.log 'ben joined' || finish
number=0
# say COUNT: so many lines, about twenty a second.
say() {
    upto=$((number + $1))
    while [ "$number" -lt "$upto" ]; do
        number=$((number + 1))
        echo "line $number" >&7
        sleep 0.05
    done
}
# heard NUMBER: it has come back to the client's host.
heard() { grep -q "msg ann line $1\$" "$dir/ben"; }
# episode WHAT: lines, a while without a path as WHAT says, lines, until all of them are heard.
episode() {
    say 50
    before=$(now)
    "$1"
    during=$((cut * 10 < 250 ? cut * 10 : 250))
    say "$during"
    while [ $(($(now) - before)) -lt "$cut" ]; do sleep 0.2; done
    echo both >&9
    say $((325 - 50 - during))
    expect "all lines after $1" until_true heard "$number"
    echo "$1 for $cut s: everything is heard after $(($(now) - before)) s"
}
no_path() { echo none >&9; }
no_way_back() { echo to0 >&9; }
another_address() {
    on "$client" ip address del 192.0.2.2/24 dev wan1
    on "$client" ip address add 192.0.2.3/24 dev wan1
}
episode no_path
episode no_path
episode no_way_back
episode another_address
exec 7>&-
wait "$ann"
expect 'chat says that every line was accepted' is 0 $?
seq -f 'line %.0f' "$number" >"$dir/said"
# The transcript's writer may be behind the echoes.
expect 'the last line is in the transcript' until_true seen transcript " msg ann line $number\$"
sed -n 's/^[^ ]* msg ann //p' "$dir/transcript" >"$dir/found"
expect 'each line once and in order there' cmp "$dir/said" "$dir/found"
sed -n 's/^[^ ]* msg ann //p' "$dir/ben" >"$dir/found"
expect 'and with chat -k' cmp "$dir/said" "$dir/found"
echo "$number lines; connections lost: $(cat "$dir"/ann.log "$dir"/ben.log | grep -c 'went away')"

# ---- A node far from the NATS server of its room ----

# A node's lines go there and come back over the bad path, which is cut for CUT (30) seconds
# meanwhile: long enough for the node to be gone for the other one, and its client connects again.
far_node() {
    host
    near=$host
    host
    far=$host
    way far "$near" "$far" 6
    on "$far" ip link set lo up
    printf '%s\n' 'listen: 192.0.2.1:4222' "jetstream { store_dir: \"$dir/js\" }" >"$dir/nats.conf"
    start "$near" nats-server -c "$dir/nats.conf" >"$dir/nats.log" 2>&1
    comes nats.log 'Server is ready' || return
    node near "$near" 192.0.2.1
    node far "$far" 192.0.2.2
    talk near "$near" 192.0.2.1
    talker=$!
    talk far "$far" 192.0.2.2
    comes near.room ' msg far far 100$' || return
    echo none >&6
    sleep "$cut"
    echo both >&6
    wait "$!"
    expect 'the lines of the far node were accepted' is 0 $?
    wait "$talker"
    expect 'those of the near one, too' is 0 $?
    for name in near far; do
        expect "the last line of the $name node has come" until_true seen near.room " msg $name $name 400\$"
    done
    expect 'the transcripts are equal' until_true cmp -s "$dir/near.room" "$dir/far.room"
    for name in near far; do
        seq -f "$name %.0f" 400 >"$dir/said"
        sed -n "s/^[^ ]* msg $name //p" "$dir/near.room" >"$dir/found"
        expect "each line of the $name node once and in order" cmp "$dir/said" "$dir/found"
    done
    echo "a cut of $cut s: $(grep -c ' quit far lost' "$dir/near.room") times the far node was gone"
}
# node NAME HOST ADDRESS
node() {
    start "$2" "$CHATD" -l "$3" -t "$dir/$1.room" -c nats://192.0.2.1/room -N "$1" 2>"$dir/$1.log"
    expect "the $1 node is there" until_true seen "$1.log" 'listening on'
}
# talk NAME HOST ADDRESS: 400 lines in twenty seconds and more; $! is the client.
talk() {
    for line in $(seq 400); do
        echo "$1 $line"
        sleep 0.05
    done | nsenter --target "$2" --net "$CHAT" -k -w 60 -n "$1" "$3" >"$dir/$1" 2>&1 &
    pids="$pids $!"
}
if command -v nats-server >/dev/null; then
    far_node
else
    skip 'a node far from the NATS server of its room' 'no nats-server'
fi

# ---- The dead paths again ----

for name in idle busy late; do
    until_true [ -s "$dir/$name.noticed" ]
    echo "the dead path of $name: noticed after $(cat "$dir/$name.noticed") s"
    expect "the dead path of $name is noticed" [ "$(cat "$dir/$name.noticed")" -le 120 ]
done
finish
