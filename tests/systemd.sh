# What chatd is handed by a service manager, and tells it: a real systemd-socket-activate with a
# TCP socket and a Unix-domain socket, and a real socket of datagrams that reads the notifications.
# Needs systemd-socket-activate, and nc with -U; `sh tests/run.sh` counts it.

: "${CHATD:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
need nc systemd-socket-activate

# ---- The manager's side ----

# What was told, in the order in which it came, a line each: a datagram has no line end of its own.
listen_to_notifications() {
    nc -lkuU "$dir/notify" >"$dir/datagrams" &
    pids="$pids $!"
    until_true [ -S "$dir/notify" ]
}
told() {
    { cat "$dir/datagrams"; echo; } |
        sed -E 's/(.)((READY|STATUS|RELOADING|STOPPING|MONOTONIC_USEC)=)/\1\n\2/g'
}
is_told() { told | grep -qx -e "$1"; }
# The names of all that was told, a blank behind each, match the pattern.
is_told_so() { told | sed 's/=.*//' | tr '\n' ' ' | grep -qx -e "$1"; }

# The program is started by the first who comes; a port that others took meanwhile is another's.
up_or_dead() { [ -S "$dir/room" ] || ! kill -0 "$room" 2>/dev/null; }
activate() {
    for attempt in 1 2 3; do
        find_port
        # What is in CHATD_OPTIONS are words.
        # shellcheck disable=SC2086
        systemd-socket-activate -E NOTIFY_SOCKET="$dir/notify" -l "127.0.0.1:$port" \
            -l "$dir/room" "$CHATD" ${CHATD_OPTIONS:-} -v -l "$dir/own" 2>"$dir/log" &
        room=$!
        if until_true up_or_dead && kill -0 "$room" 2>/dev/null; then
            pids="$pids $room"
            return 0
        fi
    done
    echo "nothing listens (attempt $attempt):"
    cat "$dir/log"
    return 1
}

# ---- Members ----

# join WHO NC-ARGUMENTS...: what it says comes by a pipe that stays open.
join() {
    who=$1
    shift
    mkfifo "$dir/$who.says"
    nc "$@" <"$dir/$who.says" >"$dir/$who" &
    pids="$pids $!"
}

# ---- The room ----

if ! listen_to_notifications || ! activate; then
    echo "$passed passed, $((failed + 1)) failed"
    exit 1
fi

join ann -U "$dir/room"
exec 7>"$dir/ann.says"
echo ann >&7
expect 'a member by the Unix-domain socket' until_true seen ann ' you ann$'
expect 'READY first, then changes of STATUS' until_true is_told_so 'READY STATUS STATUS '
expect 'the status at start' is_told "STATUS=0 members, .*127\.0\.0\.1:$port.*"
expect 'the status changes' is_told "STATUS=1 member, .*127\.0\.0\.1:$port.*"

join ben 127.0.0.1 "$port"
exec 8>"$dir/ben.says"
echo ben >&8
expect 'a member by TCP' until_true seen ben ' you ben$'
join cia -U "$dir/own"
exec 9>"$dir/cia.says"
echo cia >&9
expect 'a member by the socket of -l' until_true seen cia ' you cia$'
echo 'by the Unix-domain socket' >&7
echo 'by TCP' >&8
for who in ann ben cia; do
    expect "$who reads ann" until_true seen $who ' msg ann by the Unix-domain socket$'
    expect "$who reads ben" until_true seen $who ' msg ben by TCP$'
done
expect 'how many there are' until_true is_told 'STATUS=3 members, .*'

# No variable of it, nor any other, is for those whom chatd starts.
workers=0
for pid in $(ps -o pid= --ppid "$room"); do
    workers=$((workers + 1))
    cat "/proc/$pid/environ" >"$dir/environ"
    expect "no environment in $pid" cmp "$dir/environ" /dev/null
done
expect 'three workers' [ "$workers" -eq 3 ]

kill -HUP "$room"
expect 'RELOADING with its time, then READY' \
    until_true is_told_so '.* RELOADING MONOTONIC_USEC READY '
expect 'the time is a number' is_told 'MONOTONIC_USEC=[0-9]*'

kill -TERM "$room"
wait "$room"
expect 'it ends well' [ $? -eq 0 ]
expect 'STOPPING' until_true is_told_so '.* STOPPING STATUS '
expect 'goodbye by the Unix-domain socket' until_true seen ann ' note '
expect 'goodbye by TCP' until_true seen ben ' note '
expect 'its own socket is gone' [ ! -e "$dir/own" ]
expect 'the socket of the manager stays' [ -S "$dir/room" ]
exec 7>&- 8>&- 9>&-

finish
