# The access files that chatd(8) shows in ACCESS RULES, in force: only addresses, the user and the
# group are those that this machine has.

: "${CHATD:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
page=$(dirname "$0")/../man/chatd.8

# The networks of examples become loopback ones.
shown() {
    page_block "$page" "^# $1" | sed -e 's/192\.0\.2\./127.0.2./; s/198\.51\.100\./127.0.51./' \
        -e "s/user ann/user $(id -un)/; s/group ops/group $(id -gn)/"
}

# room PATTERN: a room with the rules of that example.
room() {
    shown "$1" >"$dir/rules"
    rm -f "$dir/sock"
    : >"$dir/log"
    # The options are words of their own.
    # shellcheck disable=SC2086
    "$CHATD" ${CHATD_OPTIONS-} -A "$dir/rules" -l "$dir/sock" -l 127.0.0.1:0 2>"$dir/log" &
    room=$!
    pids="$pids $room"
    expect "$1: the room starts" until_true seen log 'listening on 127' || cat "$dir/log"
    port=$(sed -n 's/.*listening on 127.*://p' "$dir/log")
}
over() {
    kill "$room"
    wait "$room"
}

# from ADDRESS PATTERN [HEADER]: a client from there joins, tries a command of operators, and is told
# that.
from() {
    printf '%s\n' "${3-}ann" '/kick nobody' /quit |
        nc -w "$((10 * ${CHATD_PATIENCE:-1}))" -s "$1" 127.0.0.1 "$port" >"$dir/told" 2>/dev/null
    grep -q -e "$2" "$dir/told" || {
        cat "$dir/told"
        false
    }
}
crlf=$(printf '\r\n.')
crlf=${crlf%.}
member=' error not-allowed /kick '
operator=' error no-such-user '
stranger=' error not-allowed you are not admitted here'

# The same over the Unix-domain socket.
by_socket() {
    printf '%s\n' ann '/kick nobody' /quit |
        nc -w "$((10 * ${CHATD_PATIENCE:-1}))" -U "$dir/sock" >"$dir/told" 2>/dev/null
    grep -q -e "$1" "$dir/told" || {
        cat "$dir/told"
        false
    }
}

if ! command -v nc >/dev/null || ! nc -h 2>&1 | grep -q -e '-s sourceaddr'; then
    skip 'access files' 'no nc that has -s'
    finish
fi

room 'those of the group ops'
expect 'its operator' by_socket "$operator"
expect 'a client of TCP is refused' from 127.0.0.1 "$stranger"
over

room 'the office'
expect 'the operator' from 127.0.2.10 "$operator"
expect 'a machine of the office' from 127.0.2.11 "$member"
expect 'the one that is denied' from 127.0.2.66 "$stranger"
expect 'one elsewhere' from 127.0.3.10 "$stranger"
over

room 'no allow and no operator'
expect 'who is denied' from 127.0.51.1 "$stranger"
expect 'everybody else' from 127.0.0.1 "$member"
over

room 'addresses are those'
expect 'the operator, as the proxy says' \
    from 127.0.0.1 "$operator" 'PROXY TCP4 203.0.113.7 127.0.0.1 5555 65432'"$crlf"
expect 'who is denied, as the proxy says' \
    from 127.0.0.1 "$stranger" 'PROXY TCP4 203.0.113.8 127.0.0.1 5555 65432'"$crlf"
expect 'a client that pretends' \
    from 127.0.0.2 ' error not-allowed no PROXY ' 'PROXY TCP4 203.0.113.7 127.0.0.1 5555 65432'"$crlf"
expect 'a client without a proxy' from 127.0.0.2 "$member"
over

finish
