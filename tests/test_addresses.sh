# Names with several addresses, link-local ones, and all addresses of a machine: in a network of its
# own, with a hosts file of its own. Needs unshare and ip.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

if [ "${1:-}" != inside ]; then
    if ! unshare --mount --net true 2>/dev/null || ! command -v ip >/dev/null; then
        skip 'addresses of a machine' 'needs root, unshare and ip'
        finish
    fi
    unshare --mount --net sh "$0" inside
    exit
fi

# ---- A machine ----

hosts() { printf '%s\n' "$@" >"$dir/hosts"; }

hosts
mount --make-rprivate /
mount --bind "$dir/hosts" /etc/hosts
ip link set lo up
explain() { cat "$dir/log"; }

# serve ADDRESS...: a server that listens there, with its words in log and the number of addresses
# in lines. The last address of all, which is not counted, is that of the socket: when the log has
# that, it has them all.
serve() {
    for address in "$@"; do
        set -- "$@" -l "$address"
        shift
    done
    : >"$dir/log"
    # What is in CHATD_OPTIONS are words.
    # shellcheck disable=SC2086
    "$CHATD" ${CHATD_OPTIONS:-} "$@" -l "$dir/sock" 2>"$dir/log" &
    server=$!
    pids="$pids $server"
    until_true up_or_over
    lines=$(grep ' listening on ' "$dir/log" | grep -vc '/sock$')
}
up_or_over() { seen log ' listening on .*/sock$' || ! kill -0 "$server" 2>/dev/null; }
ends() {
    kill "$server" 2>/dev/null
    wait "$server"
    status=$?
}
# The port of the first address whose text begins so.
port_at() { sed -n "s/.* listening on $1:\([0-9]*\)$/\1/p" "$dir/log" | head -n 1; }
said() { seen log "^chatd: $1\$"; }
reaches() { "$CHAT" -n ann -m hello -w "$((5 * ${CHATD_PATIENCE:-1}))" "$1" 2>"$dir/chat"; }

# ---- Every address of a name ----

hosts '127.0.0.5 room' '127.0.0.5 room' '127.0.0.5 room alias'
serve room:0
expect 'an address that a name has three times is bound once' is 1 "$lines"
expect 'and reached' reaches "127.0.0.5:$(port_at 127.0.0.5)"
ends
expect 'a good end' is 0 "$status"

serve 127.0.0.5:7000 room:7000 127.0.0.5:7000
expect 'an address that is given three times is bound once' is 1 "$lines"
ends

hosts '127.0.0.5 room' '127.0.0.6 room' '::1 room'
serve room:0
expect 'all addresses of a name' is 3 "$lines"
port=$(port_at 127.0.0.5)
expect 'have one port' is "$port $port" "$(port_at 127.0.0.6) $(port_at '\[::1\]')"
expect 'on the second' reaches "127.0.0.6:$port"
expect 'and on the third' reaches "[::1]:$port"
ends

hosts '127.0.0.5 room' '203.0.113.9 room'
serve room:0
expect 'an address that is not here' \
    seen log '^chatd: 203\.0\.113\.9:[0-9]*: .*; listening on the other addresses of this name$'
expect 'is no reason to leave' reaches "127.0.0.5:$(port_at 127.0.0.5)"
ends
expect 'a good end' is 0 "$status"

hosts '203.0.113.8 room' '203.0.113.9 room'
serve room:0
ends
expect 'none that is here is a reason' is 69 "$status"
expect 'the first is named' seen log '^chatd: 203\.0\.113\.8:0: '
expect 'and the second' seen log '^chatd: 203\.0\.113\.9:0: '

ip -6 address flush dev lo
hosts '127.0.0.1 localhost' '::1 localhost'
serve localhost:0
expect 'a localhost without IPv6' reaches "127.0.0.1:$(port_at 127.0.0.1)"
expect 'is said' seen log '^chatd: \[::1\]:[0-9]*: .*; listening on the other addresses'
ends

# ---- One link ----

ip -6 address add fe80::7/64 dev lo nodad
serve '[fe80::7%lo]:0'
port=$(port_at '\[fe80::7%lo\]')
expect 'an address with a scope' [ -n "$port" ]
expect 'is reached as it is written' reaches "[fe80::7%lo]:$port"
expect 'and so are its clients' until_true seen log '^chatd: \[fe80::7%lo\]:[0-9]*: ann posts'
ends

# ---- All addresses of this machine ----

title_is() { is "chatd: $1, $dir/sock" "$(tr '\0' '\n' <"/proc/$server/cmdline" | head -n 1)"; }
for any in '*' '[::]' 0.0.0.0; do
    serve "$any:7000"
    expect "$any in the log" said "listening on $(echo "$any" | sed 's/[][*.]/\\&/g'):7000"
    expect "$any in the title" title_is "0 members, $any:7000"
    ends
done
finish
