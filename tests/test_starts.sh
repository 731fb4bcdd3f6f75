# Two servers that start in the same instant: strace holds one of them just before it removes the
# socket that a dead server has left, until the other one listens.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

if ! strace -o /dev/null true 2>/dev/null; then
    skip 'two servers on one path' 'needs strace'
    finish
fi
explain() { cat "$dir/first" "$dir/second"; }

# A socket that nobody listens on any more.
"$CHATD" -S off -l "$dir/room" 2>"$dir/dead" &
dead=$!
until_true seen dead 'listening on'
kill -9 "$dead"
wait "$dead" 2>/dev/null
expect 'what a dead server leaves' [ -S "$dir/room" ]

strace -f -o "$dir/calls" -e trace='?unlink,?unlinkat' \
    -e inject='?unlink,?unlinkat:delay_enter=1000000' \
    "$CHATD" -S off -l "$dir/room" -p "$dir/pid" 2>"$dir/first" &
first=$!
until_true seen calls 'unlink.*room'
"$CHATD" -S off -l "$dir/room" 2>"$dir/second" &
second=$!
pids=$second
# strace itself heeds no signal.
at_end() { [ ! -s "$dir/pid" ] || kill "$(cat "$dir/pid")"; }

up_or_over() { seen "$1" 'listening on\|another program' || ! kill -0 "$2" 2>/dev/null; }
until_true up_or_over first "$first"
until_true up_or_over second "$second"
both=$(cat "$dir/first" "$dir/second")
expect 'one of them listens' is 1 "$(echo "$both" | grep -c 'listening on')"
expect 'the other says why not' is 1 "$(echo "$both" | grep -c 'another program listens there already')"
expect 'who comes finds the one that does' "$CHAT" -n ann -m hello "$dir/room"
finish
