# One room on several machines, chatd(8), with real NATS servers: three servers and three nodes on
# this machine, then one server that wants a password, and one that keeps no streams. Where there is
# no nats-server, all of it is skipped.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
unset CHAT_NAME CHAT_PASS
# A sanitizer's build wants its own.
read -r sandbox <<END
${CHATD_OPTIONS:-}
END

if ! command -v nats-server >/dev/null; then
    skip 'a room on several machines' 'no nats-server'
    finish
fi
# Ports are this script's own at an address of its own.
own=127.$((64 + $$ / 65536 % 64)).$(($$ / 256 % 256)).$(($$ % 256))
is_own "$own" || {
    skip 'a room on several machines' "no address $own"
    finish
}

# ---- Servers and nodes ----

# server NUMBER: one of three
server() {
    cat >"$dir/nats$1.conf" <<END
server_name: n$1
listen: $own:422$1
jetstream { store_dir: "$dir/js$1" }
cluster {
    name: c
    listen: $own:622$1
    routes: [ nats-route://$own:6221, nats-route://$own:6222, nats-route://$own:6223 ]
}
END
    nats-server -c "$dir/nats$1.conf" >"$dir/nats$1.log" 2>&1 &
    pids="$pids $!"
}

servers=$own:4221,$own:4222,$own:4223
# How long a login may take on a busy machine, where the stream may be without a leader.
patience=$((60 * ${CHATD_PATIENCE:-1}))

# node NUMBER: chatd number NUMBER; its pid is in $dir/node1.pid, ...
node() {
    : >"$dir/node$1.log"
    # shellcheck disable=SC2086
    "$CHATD" $sandbox -l "$own:700$1" -t "$dir/transcript$1" -c "nats://$servers/room" \
        -N "node$1" >/dev/null 2>>"$dir/node$1.log" &
    echo $! >"$dir/node$1.pid"
    pids="$pids $!"
}
node_signal() { kill "-$1" "$(cat "$dir/node$2.pid")"; }
node_is_ready() { until_true seen "node$1.log" 'listening on'; }
node_is_over() { ! kill -0 "$(cat "$dir/node$1.pid")" 2>/dev/null; }

explain() {
    for log in "$dir"/node*.log; do
        echo "$log:"
        tail -n 20 "$log"
    done
}

for i in 1 2 3; do server $i; done
for i in 1 2 3; do node $i; done
for i in 1 2 3; do expect "node $i is ready" node_is_ready $i; done

# ---- One order ----

# talk NUMBER: a client called ann, which says something and stays until it may go
talk() {
    {
        echo "hello from $1"
        until_true [ -e "$dir/go" ]
    } | "$CHAT" -x -H 100 -w "$patience" -n ann "$own:700$1" >"$dir/ann$1" 2>&1 &
    pids="$pids $!"
}
heard_all() {
    for from in 1 2 3; do
        until_true seen "ann$1" "msg ann.* hello from $from" || return 1
    done
}
names() { sed -n 's/^[^ ]* you //p' "$dir"/ann[123] | sort | tr '\n' ' '; }
# The last line of a transcript is the same everywhere, and with it everything.
are_equal() { cmp "$dir/transcript1" "$dir/transcript2" && cmp "$dir/transcript2" "$dir/transcript3"; }
become_equal() {
    until_true are_equal >/dev/null 2>&1 || are_equal
}
everybody_left() { [ "$(grep -c ' quit ann' "$dir/transcript1")" -eq 3 ]; }

for i in 1 2 3; do talk $i; done
for i in 1 2 3; do expect "everybody's lines are at node $i" heard_all $i; done
expect "one name is three" is 'ann ann_2 ann_3 ' "$(names)"
: >"$dir/go"
expect "everybody leaves" until_true everybody_left
expect "the transcripts are equal" become_equal

# ---- Private messages ----

# raw NUMBER NAME: a client of that node, which is told what is written to $dir/NAME.in
raw() {
    mkfifo "$dir/$2.in"
    nc -N "$own" "700$1" <"$dir/$2.in" >"$dir/$2.out" 2>/dev/null &
    pids="$pids $!"
}
# said NAME: all that a client was told since its welcome, without stamps
said() { sed '1,/^[^ ]* you /d; s/^[^ ]* //' "$dir/$1.out"; }
# is_nowhere WORD
is_nowhere() { ! grep -qrs -e "$1" "$dir"/transcript* "$dir"/js*; }

private_messages() {
    raw 1 eve
    raw 2 bob
    raw 3 cat
    exec 3>"$dir/eve.in" 4>"$dir/bob.in" 5>"$dir/cat.in"
    echo bob >&4
    expect "a member of node 2" until_true seen bob.out ' you bob'
    echo cat >&5
    expect "a member of node 3" until_true seen cat.out ' you cat'
    echo eve >&3
    expect "a member of node 1" until_true seen eve.out ' you eve'
    printf '%s\n' '/msg bob in-private-1' 'aloud' '/msg nobody x' '/msg CAT in-private-2' >&3
    expect "it is echoed" until_true seen eve.out ' priv eve cat in-private-2'
    expect "each line is answered, in order" is "priv eve bob in-private-1
msg eve aloud
error no-such-user nobody here is called nobody
priv eve cat in-private-2" "$(said eve)"
    expect "bob has it" until_true seen bob.out ' priv eve bob in-private-1'
    expect "cat has the other one" until_true seen cat.out ' priv eve cat in-private-2'
    echo '/msg eve in-private-3' >&4
    expect "bob answers" until_true seen eve.out ' priv bob eve in-private-3'
    echo 'the end' >&5
    expect "all have the end" until_true seen eve.out ' msg cat the end'
    expect "nobody else got them" is 0 "$(grep -c 'priv.*in-private-[13]' "$dir/cat.out")"
    is_stored() { grep -qrs -e "$1" "$dir/js1"; }
    expect "what is said is stored" until_true is_stored aloud
    expect "what is private is not" is_nowhere in-private-
    exec 3>&- 4>&- 5>&-
    expect "they leave" until_true seen transcript1 ' quit cat left'
}
if command -v nc >/dev/null && nc -h 2>&1 | grep -q -e -N; then
    private_messages
else
    skip 'private messages' 'no nc that knows -N'
fi

# ---- A client that moves, a hub that is killed, an engine, an upgrade ----

# lines FROM TO: in pieces, as fast as they are taken
lines() { seq "$1" "$2" | sed 's/^/line /'; }
# has_line NUMBER: node 3 has it, which may be behind the node that has echoed it
has_line() { seen transcript3 " msg mover line $1\$"; }
engine_kill() {
    for pid in $(ps -o pid= --ppid "$(cat "$dir/node$1.pid")"); do
        ! tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q cluster || kill -9 "$pid"
    done
}
in_order() {
    sed -n 's/.* msg mover line //p' "$dir/transcript3" >"$dir/got"
    seq 1 6000 | cmp - "$dir/got"
}

{
    lines 1 1000
    until_true has_line 500
    node_signal KILL 1
    lines 1001 2000
    until_true has_line 2000
    node 1
    node_is_ready 1
    node_signal USR2 2
    lines 2001 3000
    until_true has_line 2500
    engine_kill 2
    lines 3001 4000
    until_true has_line 3500
    node_signal KILL 2
    lines 4001 5000
    until_true has_line 5000
    node 2
    node_is_ready 2
    lines 5001 6000
} | timeout "$((120 * ${CHATD_PATIENCE:-1}))" "$CHAT" -k -n mover "$own:7001,$own:7002,$own:7003" \
    >"$dir/mover" 2>&1
moved=$?
# These nodes were started in a shell of its own.
pids="$pids $(cat "$dir/node1.pid" "$dir/node2.pid" | tr '\n' ' ')"
expect "chat -k exits 0" is 0 "$moved"
expect "the last line is at node 3" until_true has_line 6000
expect "the transcripts are equal after that" become_equal
expect "every line once, in order" in_order

# ---- A node that stops, and one of another's name ----

join() {
    { until_true [ -e "$dir/end" ]; } | "$CHAT" -x -w "$patience" -n "$1" "$own:700$2" >"$dir/$1" 2>&1 &
    pids="$pids $!"
    until_true seen "$1" ' you '
}
join dan 1
node_signal TERM 1
expect "a node stops" until_true node_is_over 1
expect "its member quits at once" until_true seen transcript3 ' quit dan lost'
: >"$dir/end"
node 1
expect "it is there again" node_is_ready 1
# shellcheck disable=SC2086
"$CHATD" $sandbox -l "$own:7009" -c "nats://$servers/room" -N node1 2>"$dir/other.log" &
other=$!
pids="$pids $other"
expect "the first of two of one name ends" until_true node_is_over 1
wait "$(cat "$dir/node1.pid")"
expect "with status 69" is 69 $?
expect "and says why" seen node1.log 'another chatd is node node1'
expect "once" is 1 "$(grep -c 'another chatd is node node1' "$dir/node1.log")"

# ---- Servers that do not want ----

# lone NAME WORDS...: a server of its own, with these words in its configuration
lone() {
    name=$1
    shift
    printf '%s\n' "$@" >"$dir/$name.conf"
    nats-server -c "$dir/$name.conf" >"$dir/$name.log" 2>&1 &
    pids="$pids $!"
    until_true seen "$name.log" 'Server is ready'
}
# status EXPECTED OPTIONS...
status() {
    expected=$1
    shift
    # shellcheck disable=SC2086
    timeout "$patience" "$CHATD" $sandbox -l "$own:0" "$@" 2>"$dir/status.log"
    is "$expected" $?
}
lone secret "listen: $own:4231" "jetstream { store_dir: \"$dir/secret\" }" \
    'authorization { user: hub, password: right }'
secret_server=${pids##* }
lone plain "listen: $own:4232"
umask 077
echo hub:wrong >"$dir/wrong"
echo hub:right >"$dir/right"
expect "wrong credentials: 77" status 77 -c "nats://$own:4231/room" -N x -K "$dir/wrong"
expect "no credentials: 77" status 77 -c "nats://$own:4231/room" -N x
expect "no streams: 69" status 69 -c "nats://$own:4232/room" -N x
# shellcheck disable=SC2086
"$CHATD" $sandbox -l "$own:0" -c "nats://$own:4231/room" -N x -K "$dir/right" 2>"$dir/right.log" &
pids="$pids $!"
right=$!
expect "right credentials" until_true seen right.log 'listening on'

# The server has another password, and then the node, from the file of -K at SIGHUP.
is_ready_again() { [ "$(grep -c 'the cluster ready' "$dir/right.log")" -ge 2 ]; }
sed -i 's/password: right/password: new/' "$dir/secret.conf"
kill -HUP "$secret_server"
expect "a running node is refused" until_true seen right.log 'the cluster refuses this node'
expect "and goes on" kill -0 "$right"
echo hub:new >"$dir/right"
kill -HUP "$right"
expect "the new credentials are used" until_true is_ready_again
expect "and messages are stored" \
    "$CHAT" -w "$patience" -m hello "$(sed -n 's/.*listening on //p' "$dir/right.log")"
finish
