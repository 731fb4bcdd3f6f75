# A room on three hosts under load: KILLS (100) times the NATS server that leads the room's stream is
# killed, and as often a hub; WHAT is "leader hub", or one of them. Before the next kill the three
# servers have all of the stream, and all nodes listen. Then the accounts (clients.sh), and a table of
# how long the room stood still: from a kill until each client had the echo of what it said next. The
# clients that have to move from a killed hub are counted apart. Needs root, namespaces, ip, ss, nc
# and nats-server.

: "${CHATD:?}" "${CHAT:?}"
trying='kills on three hosts'
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/trio.sh
. "$(dirname "$0")/trio.sh"
TALKERS=${TALKERS:-9}
RATE=${RATE:-20}
# shellcheck source=tests/clients.sh
. "$(dirname "$0")/clients.sh"

kills=${KILLS:-100}
: >"$dir/kills"

# The numbers of the talkers that are connected to that host's node.
talkers_at() {
    at $clients ss -Htnp state established dst "$(address "$1")" |
        sed -n 's/.*"chat",pid=\([0-9]*\).*/\1/p' >"$dir/pids"
    for i in $talkers; do
        ! grep -qx "$(pid "talker$i")" "$dir/pids" || printf ' %s' "$i"
    done
}
are_well() {
    revive
    are_current && answers 1 && answers 2 && answers 3
}
go_on() {
    revive
    # shellcheck disable=SC2086
    echoed_since $said
}
# kill_one WHAT NAME MOVING: kills it, and lets it be down until all talk on. Every other hub is
# started again at once.
kill_one() {
    down "$2"
    killed=$(milliseconds)
    said=$(all_said)
    [ "$1 $((count % 2))" != 'hub 1' ] || rm "$dir/$2.down"
    echo "$1 $killed $2 moving$3 said$said" >>"$dir/kills"
    expect "after kill $count, of $2, all have an echo" until_true go_on
    rm -f "$dir/$2.down"
}
kill_leader() { kill_one leader "nats$leader" ''; }
# In this order, and with the lists of clients.sh, there are always clients at other nodes.
kill_hub() {
    host=$((3 - count % 3))
    kill_one hub "node$host" "$(talkers_at $host)"
}
series() {
    count=0
    while [ $count -lt "$kills" ]; do
        count=$((count + 1))
        until_true are_well || {
            echo "before kill $count: not everything is there"
            return 1
        }
        "kill_$1"
    done
}

# Lines of: what, the longest time of those that stay and, if there are any, of those that move, in
# milliseconds.
measure() {
    awk -v dir="$dir" '
        FILENAME != dir "/kills" {
            if ($3 == "msg" && $5 ~ /^talker/ && !(($5, $6) in heard)) heard[$5, $6] = $1
            next
        }
        {
            stay = move = -1
            split($0, half, " said ")
            moving = half[1] " "
            sub(/.* moving/, "", moving)
            count = split(half[2], said, " ")
            for (i = 1; i <= count; i++) {
                split(said[i], part, ":")
                back = heard["talker" part[1], part[2] + 1]
                span = back == "" ? 999999 : back - $2
                if (index(moving, " " part[1] " ")) { if (span > move) move = span }
                else if (span > stay) stay = span
            }
            print $1, stay, move
        }' "$@" "$dir/kills"
}
# of WHAT FIELD: the quantiles of the table, in seconds
of() {
    awk -v what="$1" -v field="$2" '$1 == what && $field >= 0 { print $field / 1000 }' \
        "$dir/standstills" | sort -n | awk '
            { at[NR] = $1 }
            function rank(share) { return at[int(share * NR + 0.9999)] }
            END { if (NR > 0) printf "%.2f %.2f %.2f\n", rank(0.5), rank(0.9), at[NR]; else print "-" }'
}
table() {
    set --
    for i in $talkers; do set -- "$@" "$dir/talker$i.timed"; done
    measure "$@" >"$dir/standstills"
    [ -z "${KEEP:-}" ] || { mkdir -p "$KEEP" && cp "$dir/standstills" "$KEEP"; }
    echo 'killed: count; the room stood still, in seconds: p50 p90 worst; clients that moved: the same'
    for what in ${WHAT:-leader hub}; do
        echo "$what: $(grep -c "^$what " "$dir/kills"); $(of "$what" 2); $(of "$what" 3)"
    done
}

clients_start
for what in ${WHAT:-leader hub}; do
    expect "$kills kills: $what" series "$what"
done
expect 'everything is there after that' until_true are_well
accounts
table
[ "$failed" -eq 0 ] || explain
finish
