# A room on three hosts, each with a NATS server and a node, and a fourth host for clients. Every two
# of them have a link of their own, a pair of veth, which can be cut in one direction or in both:
# packets vanish, and neither end is told. For the scripts that include this behind lib.sh; what is
# tried stands in $trying. Hosts are numbers: 1, 2, 3 and $clients. It gives
#
#   at             runs a command on a host, and begin one in the background
#   lose, mend     packets from one host to another are lost, and arrive again
#   server, node   starts a NATS server, and a node; their pids are in natsN.pid and nodeN.pid
#   address        that of a host, where its node listens at the default port

: "${dir:?}" "${trying:?}"
# shellcheck source=tests/hosts.sh
. "$(dirname "$0")/hosts.sh"
unset CHAT_NAME CHAT_PASS

if [ "${1:-}" != inside ]; then
    if ! unshare --net ip link add way0 type veth 2>/dev/null || ! command -v nats-server >/dev/null ||
        ! command -v ss >/dev/null || ! command -v nc >/dev/null; then
        skip "$trying" 'needs root, network namespaces, ip, ss, nc and nats-server'
        finish
    fi
    unshare --net sh "$0" inside
    exit
fi
CHATD_PATIENCE=$((2 * ${CHATD_PATIENCE:-1}))
# A sanitizer's build wants its own.
read -r sandbox <<END
${CHATD_OPTIONS:-}
END

# ---- Hosts and links ----

clients=4
address() { echo "192.0.2.$1"; }
# at HOST COMMAND...
at() {
    place=$1
    shift
    on "$(cat "$dir/host$place")" "$@"
}
# begin HOST NAME COMMAND...: its pid is in NAME.pid, and what it says in NAME.log.
begin() {
    process=$(cat "$dir/host$1")
    name=$2
    shift 2
    nsenter --target "$process" --net "$@" </dev/null >>"$dir/$name.log" 2>&1 &
    echo $! >"$dir/$name.pid"
}
pid() { cat "$dir/$1.pid"; }
# It has ended, whether it was waited for or not.
is_gone() {
    case $(sed -n 's/^State:[^A-Z]*//p' "/proc/$(pid "$1")/status" 2>/dev/null) in
    '' | Z*) ;;
    *) false ;;
    esac
}
kill_all() {
    for name in "$dir"/*.pid; do
        name=${name##*/}
        kill -KILL "$(pid "${name%.pid}")" 2>/dev/null
    done
}
at_end() { kill_all; }

# neighbour FROM TO ETHERNET-ADDRESS: FROM sends there what is for TO. Nobody asks for addresses.
neighbour() { at "$1" ip neighbour replace "$(address "$2")" lladdr "$3" dev "to$2" nud permanent; }
lose() { neighbour "$1" "$2" 02:00:00:00:ff:ff; }
mend() { neighbour "$1" "$2" "02:00:00:00:0$2:0$1"; }
lose_both() { lose "$1" "$2" && lose "$2" "$1"; }
mend_both() { mend "$1" "$2" && mend "$2" "$1"; }
# end_up FROM TO: FROM's end of their link
end_up() {
    ip link set "end$1$2" netns "$(cat "$dir/host$1")"
    at "$1" ip link set "end$1$2" name "to$2" address "02:00:00:00:0$1:0$2"
    at "$1" ip link set "to$2" up
    at "$1" ip route add "$(address "$2")/32" dev "to$2" src "$(address "$1")"
    mend "$1" "$2"
}
link() {
    ip link add "end$1$2" type veth peer name "end$2$1"
    end_up "$1" "$2"
    end_up "$2" "$1"
}
hosts() {
    for place in 1 2 3 $clients; do
        host
        echo "$host" >"$dir/host$place"
        on "$host" ip link set lo up
        on "$host" ip address add "$(address "$place")/32" dev lo
    done
    for ends in '1 2' '1 3' '2 3' "1 $clients" "2 $clients" "3 $clients"; do
        # shellcheck disable=SC2086
        link $ends
    done
}

# ---- Servers and nodes ----

server() {
    cat >"$dir/nats$1.conf" <<END
server_name: n$1
listen: $(address "$1"):4222
http: $(address "$1"):8222
ping_interval: "2s"
jetstream { store_dir: "$dir/js$1" }
cluster {
    name: c
    listen: $(address "$1"):6222
    routes: [ nats-route://192.0.2.1:6222, nats-route://192.0.2.2:6222, nats-route://192.0.2.3:6222 ]
}
END
    begin "$1" "nats$1" nats-server -c "$dir/nats$1.conf"
}

# A node's own server is the first of its list.
node() {
    servers="192.0.2.1,192.0.2.2,192.0.2.3"
    # shellcheck disable=SC2086
    begin "$1" "node$1" "$CHATD" $sandbox -l "$(address "$1")" -t "$dir/transcript$1" \
        -c "nats://$(address "$1"),$servers/room" -N "node$1"
}
answers() {
    at "$clients" "$CHAT" -l -w 5 "$(address "$1")" >/dev/null 2>&1
    [ $? -le 1 ] # nobody is there
}
node_answers() { until_true answers "$1"; }

are_equal() { cmp "$dir/transcript1" "$dir/transcript2" && cmp "$dir/transcript2" "$dir/transcript3"; }
become_equal() { until_true are_equal >/dev/null 2>&1 || are_equal; }
# is_whole FILE NAME COUNT: the messages `NAME 1` to `NAME COUNT` are in it, each once and in order.
is_whole() {
    sed -n "s/^[^ ]* msg [^ ]* $2 //p" "$dir/$1" >"$dir/found"
    seq "$3" | cmp - "$dir/found"
}
explain() {
    for log in "$dir"/node*.log; do
        echo "$log:"
        tail -n 20 "$log"
    done
}

hosts
for i in 1 2 3; do server $i; done
for i in 1 2 3; do node $i; done
for i in 1 2 3; do expect "node $i is ready" node_answers $i; done
