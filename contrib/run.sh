# run.sh CHATD CHAT: talks in a room on this machine, under the login name. `make run` calls it.
#
# Where nobody listens on the default address, a room is started, and ended when its starter
# leaves. Where there is one, chatd says so by its exit status, and that one is joined: there is
# no moment between looking and taking.

chatd=$(dirname "$1")/$(basename "$1")
chat=$(dirname "$2")/$(basename "$2")
address=127.0.0.1:65432
room=
client=

dir=$(mktemp -d) || exit 1
# The room is told to end, and waited for: the next `make run` finds the address free.
leave() {
    for pid in $client $room; do
        kill "$pid" 2>/dev/null
    done
    wait
    rm -rf "$dir"
}
trap leave EXIT
trap 'exit 129' HUP
trap : INT
trap 'exit 143' TERM

mkfifo "$dir/log" || exit 1
# On a terminal the room gets a process group of its own: Ctrl-C there is for the client.
[ ! -t 0 ] || set -m
"$chatd" -l "$address" </dev/null >/dev/null 2>"$dir/log" &
room=$!
set +m
exec 3<"$dir/log"
said=
ready=
while [ -z "$ready" ] && read -r line <&3; do
    case $line in
    *"listening on"*) ready=yes ;;
    *) said="$said$line
" ;;
    esac
done
if [ -n "$ready" ]; then
    cat <&3 >/dev/null &
    echo "This room is on $address; it ends when you leave." >&2
else
    wait "$room"
    status=$?
    room=
    if [ "$status" -ne 69 ]; then
        printf '%s' "$said" >&2
        exit "$status"
    fi
fi
exec 3<&-

name=${CHAT_NAME:-$(id -un 2>/dev/null)}
if [ -t 0 ]; then
    "$chat" -n "$name" "$address"
else
    # In the background and waited for, so that a signal is not kept waiting.
    exec 4<&0
    "$chat" -n "$name" "$address" <&4 &
    exec 4<&-
    client=$!
    wait "$client"
    status=$?
    client=
    exit "$status"
fi
