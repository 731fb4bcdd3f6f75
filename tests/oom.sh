# A room whose control group runs out of memory: the kernel kills workers, and the hub, the writer and
# the other clients go on. `sh tests/run.sh tests/oom.sh` counts it. Needs root and a memory controller
# of cgroups, of version 1 or 2.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
need pgrep

group=
at_end() {
    for pid in $pids; do kill -s KILL "$pid" 2>/dev/null; done
    wait
    [ -z "$group" ] || until_true rmdir "$group"
}
# make_group DIRECTORY LIMIT_FILE EVENTS_FILE
make_group() {
    mkdir "$1/chatd.$$" 2>/dev/null || return 1
    group=$1/chatd.$$
    events=$group/$3
    # In a subshell, for a redirection that fails ends some shells.
    (echo 24M >"$group/$2") 2>/dev/null || {
        rmdir "$group"
        group=
        return 1
    }
}
make_group /sys/fs/cgroup/memory memory.limit_in_bytes memory.oom_control ||
    make_group /sys/fs/cgroup memory.max memory.events || {
    skip 'a room without memory' 'needs root and a memory controller of cgroups'
    finish
}
kills() { sed -n 's/^oom_kill //p' "$events"; }
some_are_killed() { [ "$(kills)" -ge 5 ]; }
explain() { cat "$dir/log" "$events"; }

sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$group" \
    "$CHATD" -l "$dir/room" -t "$dir/transcript" 2>"$dir/log" &
hub=$!
pids=$hub
until_true seen log 'listening on'
find_writer() { writer=$(pgrep -P $hub -f '^chatd: transcript'); }
until_true find_writer
# Every worker is as small as the group is in the end too small for all of them.
crowd=
for i in $(seq 1 400); do
    "$CHAT" -r -n "crowd$i" "$dir/room" >/dev/null 2>&1 &
    crowd="$crowd $!"
    [ $((i % 20)) -ne 0 ] || sleep 0.3
    ! some_are_killed || break
done
pids="$pids $crowd"
expect 'workers are killed' until_true some_are_killed
echo "$(kills) processes were killed"
# The worker of the one that asks may be killed, too.
others_go_on() { [ "$("$CHAT" -l "$dir/room" | wc -l)" -gt 20 ]; }
expect 'others go on' until_true others_go_on
# shellcheck disable=SC2086
kill $crowd 2>/dev/null
expect 'the hub is not' kill -0 "$hub"
expect 'nor the writer' is "$writer" "$(pgrep -P $hub -f '^chatd: transcript')"
expect 'and newcomers are let in' until_true "$CHAT" -n ann -m hello "$dir/room"
kill "$hub"
wait "$hub"
expect 'a good end' is 0 $?
expect 'with the line in the transcript' grep -q 'post ann hello' "$dir/transcript"
finish
