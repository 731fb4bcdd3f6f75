# What strace holds up at a start: one of two servers, just before it removes the socket that a dead
# server has left, until the other one listens; and the first writer of a transcript.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

if ! strace -o /dev/null true 2>/dev/null; then
    skip 'starts that are held up' 'needs strace'
    finish
fi
explain() { tail -n 20 "$dir/first" "$dir/second" "$dir/third" 2>/dev/null; }

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

# What was echoed outlives the hub also where its first writer has taken a second to begin.
strace -f -o /dev/null -e trace='?ftruncate,?ftruncate64' \
    -e inject='?ftruncate,?ftruncate64:delay_enter=1000000' \
    "$CHATD" -S off -l "$dir/late" -t "$dir/transcript" -p "$dir/late.pid" 2>"$dir/third" &
strace=$!
expect 'a server with a transcript' until_true seen third 'listening on'
expect 'its echo' "$CHAT" -n ann -m 'it is kept' "$dir/late"
kill -9 "$(cat "$dir/late.pid")"
wait "$strace"
expect 'the file has it' seen transcript ' post ann it is kept$'
finish
