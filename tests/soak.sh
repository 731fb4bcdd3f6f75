# A room that lives for long: SOAK_MINUTES (60) with SOAK_LISTENERS (20) who stay and others who
# come, talk, post and go, or die, several a second. Prints the hub's memory and descriptors each
# minute. In the end all who stayed have heard the same, and the hub is as large as it was after the
# first minute, in which its small log has filled. Needs /proc; not in make check, for it takes its
# time.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
minutes=${SOAK_MINUTES:-60}
listeners=${SOAK_LISTENERS:-20}
room=$dir/room
need nc pgrep

start_listener() {
    "$CHAT" -r -x -n "listener$1" "$room" 2>"$dir/said.$1" |
        grep -E '^[^ ]+ (join|quit|nick|msg|me|post) (talker|poster)' | cksum >"$dir/sum.$1" &
}

"$CHATD" -l "$room" -t "$dir/transcript" -b 65536 2>"$dir/log" &
hub=$!
pids=$hub
until_true seen log 'listening on' || exit 1
count=0
while [ "$count" -lt "$listeners" ]; do
    count=$((count + 1))
    start_listener "$count"
done
all_listen() { [ "$("$CHAT" -l "$room" | grep -c listener)" -eq "$listeners" ]; }
until_true all_listen || exit 1

descriptors() { ls "/proc/$hub/fd" | wc -l; }
workers() { pgrep -c -P "$hub"; }
# Guests have gone for themselves before they have for the hub, which then has its listeners and the writer.
guests_are_gone() { [ "$(workers)" -eq "$((listeners + 1))" ]; }
resident() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$hub/status"; }

# One of each kind of guest.
guests() {
    "$CHAT" -n poster -m "post $1" "$room"
    printf 'line\n%.0s' 1 2 3 4 5 6 7 8 9 10 | "$CHAT" -n talker "$room" >/dev/null
    printf 'talker\n/nick talker_x\n/me nods\n/users\n' | nc -NU "$room" >/dev/null
    "$CHAT" -r -n talker_killed -W 1 "$room" >/dev/null 2>&1 &
    killed=$!
    [ $(($1 % 20)) -ne 0 ] || kill -HUP "$hub"
    wait "$killed" || :
}

end=$(($(date +%s) + 60 * minutes))
next=$(($(date +%s) + 60))
rounds=0
while now=$(date +%s) && [ "$now" -lt "$end" ]; do
    rounds=$((rounds + 1))
    guests "$rounds" || exit 1
    if [ "$now" -ge "$next" ] || [ $((now + 1)) -ge "$end" ]; then
        next=$((now + 60))
        until_true guests_are_gone || {
            echo "$(workers) children where there are $((listeners + 1)) without guests"
            exit 1
        }
        echo "$rounds $(resident) $(descriptors) $(workers)" | tee -a "$dir/samples" |
            sed 's/\(.*\) \(.*\) \(.*\) \(.*\)/round \1: \2 kB, \3 descriptors, \4 children/'
    fi
done
kill "$hub"
wait
[ "$(sort -u "$dir"/sum.* | wc -l)" -eq 1 ] || {
    sort "$dir"/sum.* | uniq -c
    echo 'not all have heard the same'
    exit 1
}
awk -v listeners="$listeners" 'NR == 1 { memory = $2; descriptors = $3 }
    { worst = $2 > worst ? $2 : worst; last = $3 }
    END {
        printf "%d rounds, %d listeners heard the same in one order; ", $1, listeners
        printf "%d kB after a minute, %d kB at most; ", memory, worst
        printf "%d descriptors after a minute, %d in the end\n", descriptors, last
        exit worst > memory + 1024 || last > descriptors + 2
    }' "$dir/samples"
