# What chatd(8), A ROOM ON SEVERAL MACHINES, says of operation, done with real NATS servers: three that
# know each other by certificates and their users by passwords and permissions; a room that moves
# into the cluster and back; servers that are missing; another node; servers that are restarted.
# Where there is no nats-server, no openssl or no nc, all of it is skipped.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
page=$(dirname "$0")/../man/chatd.8
unset CHAT_NAME CHAT_PASS
# A sanitizer's build wants its own.
read -r sandbox <<END
${CHATD_OPTIONS:-}
END

for tool in nats-server openssl nc; do
    command -v $tool >/dev/null || {
        skip 'operation of a room on several machines' "no $tool"
        finish
    }
done
# Ports are this script's own at an address of its own.
own=127.$((64 + $$ / 65536 % 64)).$(($$ / 256 % 256)).$(($$ % 256))
is_own "$own" || {
    skip 'operation of a room on several machines' "no address $own"
    finish
}

# ---- Servers, with TLS between them ----

certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null &&
        printf 'subjectAltName=IP:%s\n' "$own" >"$dir/$1.ext" &&
        openssl x509 -req -in "$dir/$1.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
            -days 1 -extfile "$dir/$1.ext" -out "$dir/$1.pem" 2>/dev/null
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=room-ca \
    -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
for i in 1 2 3; do certificate n$i; done

# The page's configuration of machine $1: ports, not addresses, tell the three apart.
configuration() {
    page_block "$page" server_name | sed -n '/<<END/,/^cluster/p' | sed '1d; $d'
    page_block "$page" 'http: 127'
}
server() {
    configuration | sed -e "s/\$(hostname -s)/n$1/; s,/var/lib/nats,$dir/js$1," \
        -e "s/listen: 127.0.0.1:4222/listen: $own:423$1/; s/127.0.0.1:8222/$own:823$1/" \
        -e "s/0.0.0.0:6222/$own:623$1/; s/@a:6222/@$own:6231/; s/@b:6222/@$own:6232/" \
        -e "s/@c:6222/@$own:6233/; s,/etc/nats/a,$dir/n$1,; s,/etc/nats/ca,$dir/ca," >"$dir/nats$1.conf"
    nats-server -c "$dir/nats$1.conf" >>"$dir/nats$1.log" 2>&1 3>&- 4>&- &
    echo $! >"$dir/nats$1.pid"
    pids="$pids $!"
}
# It has all that the others have.
is_healthy() {
    if command -v curl >/dev/null; then
        sh -c "$(page_block "$page" healthz | sed "s/127.0.0.1:8222/$own:823$1/")"
    else
        printf 'GET /healthz HTTP/1.0\r\n\r\n' | nc -N "$own" "823$1"
    fi 2>/dev/null | grep -q '"status": *"ok"'
}
server_end() {
    kill "$(cat "$dir/nats$1.pid")"
    wait "$(cat "$dir/nats$1.pid")"
}
servers=$own:4231,$own:4232,$own:4233

# ---- Nodes and clients ----

(umask 077 && echo chat:secret >"$dir/password")
# run NAME PORT OPTIONS...: a chatd with that transcript
run() {
    name=$1
    port=$2
    shift 2
    : >"$dir/$name.log"
    # shellcheck disable=SC2086
    "$CHATD" $sandbox -l "$own:$port" -t "$dir/$name.room" "$@" 2>>"$dir/$name.log" &
    echo $! >"$dir/$name.pid"
    pids="$pids $!"
}
node() { run "node$1" "701$1" -c "nats://$servers/room" -N "node$1" -K "$dir/password"; }
is_ready() { until_true seen "$1.log" 'listening on'; }
end() {
    kill "$(cat "$dir/$1.pid")"
    wait "$(cat "$dir/$1.pid")"
}
# client NAME PORT: told what is written to $dir/NAME.in
client() {
    mkfifo "$dir/$1.in"
    nc -N "$own" "$2" <"$dir/$1.in" >"$dir/$1.out" 2>/dev/null &
    pids="$pids $!"
}
# past PORT: what a node has of the past, without joins and quits
past() {
    printf '/history 100\nx\n' | nc -N "$own" "$1" | sed -n 's/^[^ ]* msg //p'
}
explain() {
    for log in "$dir"/node*.log "$dir/past"; do
        echo "$log:"
        [ ! -e "$log" ] || tail -n 20 "$log"
    done
}

# ---- Into the cluster ----

run alone 7010
expect 'a room on one machine' is_ready alone
echo 'before the move' | "$CHAT" -n ann "$own:7010"
end alone
for i in 1 2 3; do cp "$dir/alone.room" "$dir/node$i.room"; done
for i in 1 2 3; do server $i; done
for i in 1 2 3; do node $i; done
for i in 1 2 3; do expect "node $i is ready" is_ready node$i; done
nc -N "$own" 6231 </dev/null >/dev/null 2>&1
expect 'the servers want TLS of each other' until_true seen nats1.log 'TLS route handshake error'
client ann 7011
client bob 7012
exec 3>"$dir/ann.in" 4>"$dir/bob.in"
echo ann >&3
expect 'a member of node 1' until_true seen ann.out ' you ann'
echo bob >&4
expect 'a member of node 2' until_true seen bob.out ' you bob'
echo 'behind the move' >&3
expect 'it is heard' until_true seen bob.out ' msg ann behind the move'
past_is() {
    past "$1" >"$dir/past"
    printf '%s\n' 'ann before the move' 'ann behind the move' | cmp -s - "$dir/past"
}
for i in 1 2 3; do expect "the past at node $i" until_true past_is 701$i; done
# has_stored SERVER TEXT: its copy of the stream has that.
has_stored() { cat "$dir/js$1/jetstream/"*/streams/CHAT_room/msgs/*.blk | grep -aq "$2"; }
for i in 1 2 3; do expect "server $i has stored it" until_true has_stored $i 'behind the move'; done
echo '/msg bob psst' >&3
expect 'the permissions allow private messages' until_true seen bob.out ' priv ann bob psst'

# A report has that, sooner or later: what it tells may be on its way to the node.
report_has() {
    for _ in 1 2 3 4 5 6; do
        kill -USR1 "$(cat "$dir/$1.pid")"
        try_for 10 seen "$1.log" "$2" && return
    done
    false
}
expect 'the report has the leader' report_has node1 'status: cluster: ready: .*; the leader is n'
expect "and this node's state" report_has node1 'status: cluster: node node1 of room [a-z]*, running,'
expect 'and the nodes' report_has node1 'status: node node3: running, incarnation 1,'

# ---- One server is missing, and two ----

server_end 1
echo 'without the first' >&3
expect 'two of three are enough' until_true seen bob.out ' msg ann without the first'
server 1
expect 'the first comes again, and catches up' until_true is_healthy 1
echo 'with it' >&3
expect 'and nothing was lost' until_true seen bob.out ' msg ann with it'

hangs='note the cluster does not answer: messages and logins wait for it'
# Ended, not stopped: what servers of version 2.9 have stored can differ, for good, when they were stopped.
server_end 2
server_end 3
echo 'it waits' >&3
expect 'members are told that nothing is stored' until_true seen ann.out "$hangs"
expect 'nothing was accepted' [ "$(grep -c ' msg ann it waits' "$dir/ann.out")" -eq 0 ]
is_listed() { [ "$("$CHAT" -l "$own:7012" | tr '\n' ' ')" = 'ann bob ' ]; }
expect 'the list is there' is_listed
echo /users >&4
expect 'also for a member for whom nothing waits' until_true seen bob.out ' users 2'
silence=$((3 * ${CHATD_PATIENCE:-1}))
"$CHAT" -w "$silence" -n cat "$own:7012" </dev/null >"$dir/cat.out" 2>&1 3>&- 4>&-
expect 'a login without input is none' is 0 $?
mkfifo "$dir/cat.in"
timeout "$((20 * silence))" "$CHAT" -w "$silence" -n cat "$own:7012" <>"$dir/cat.in" >"$dir/cat.out" 2>&1 3>&- 4>&-
expect 'chat does not wait longer than -w' is 75 $?
server 2
server 3
for i in 1 2 3; do expect "server $i is well again" until_true is_healthy $i; done
expect 'what waited is stored' until_true seen bob.out ' msg ann it waits'
expect 'members are told' until_true seen ann.out ' note the cluster answers again'

# ---- One server after the other, another node, and back ----

for i in 1 2 3; do
    server_end $i
    echo "without $i" >&3
    expect "the room goes on without server $i" until_true seen bob.out " msg ann without $i"
    server $i
    expect "server $i comes again, and catches up" until_true is_healthy $i
done
node 4 3>&- 4>&-
expect 'a fourth node' is_ready node4
echo 'to four' >&3
expect 'the transcript of the fourth' until_true seen node4.room ' msg ann to four'
end node4
expect 'it leaves' report_has node1 'status: node node4: gone'
echo 'to three' >&3
expect 'the others go on' until_true seen bob.out ' msg ann to three'
exec 3>&- 4>&-
both_have_left() {
    sed -n '/ msg ann to three$/,$p' "$dir/node$1.room" >"$dir/end"
    seen end ' quit ann ' && seen end ' quit bob '
}
for i in 1 2 3; do expect "node $i knows that they have left" until_true both_have_left $i; done
for i in 1 2 3; do end node$i; done
for i in 2 3; do expect "the transcripts of 1 and $i are equal" cmp "$dir/node1.room" "$dir/node$i.room"; done
run node1 7010
expect 'a room on one machine again' is_ready node1
past 7010 >"$dir/past"
expect 'its past goes back to the first' is 'ann before the move' "$(sed 1q "$dir/past")"
expect 'and up to the last' is 'ann to three' "$(sed -n '$p' "$dir/past")"
finish
