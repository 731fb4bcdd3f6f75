# chat 0.1 with this chatd, and this chat with chatd 0.1, which is built from the repository's history.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
explain() { cat "$dir/log" "$dir/errors"; }
top=$(cd "$(dirname "$0")/.." && pwd)
first=b432c8473910d7e136273d205db09e5be0aea8dc

without() {
    skip 'version 0.1' "$1"
    finish
}
command -v git >/dev/null || without 'needs git'
git -C "$top" cat-file -e "$first^{commit}" 2>/dev/null || without 'is not in the history here'
mkdir "$dir/old"
git -C "$top" archive "$first" | tar -x -C "$dir/old" || without 'needs tar'
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$dir/old" CFLAGS=-O1 chatd chat >"$dir/errors" 2>&1 ||
    without 'cannot be built here'

printf 'open sesame\n' >"$dir/secret"
chmod 600 "$dir/secret"
CHAT_PASS='open sesame'
export CHAT_PASS

# open_room CHATD
open_room() {
    : >"$dir/log"
    # What is in CHATD_OPTIONS are words.
    # shellcheck disable=SC2086
    "$1" ${CHATD_OPTIONS:-} -l 127.0.0.1:0 -k "$dir/secret" 2>"$dir/log" &
    server=$!
    pids="$pids $server"
    until_true seen log 'listening on'
    CHAT_SERVER=$(sed -n 's/.*listening on //p' "$dir/log")
    export CHAT_SERVER
}
# listen CHAT NAME: a client that stays, and writes what it gets to $dir/NAME.
listen() {
    : >"$dir/$2"
    "$1" -r -x -H 20 -n "$2" >"$dir/$2" 2>>"$dir/errors" &
    pids="$pids $!"
    until_true seen "$2" " you $2\$"
}
# The room's messages as a client got them, in their order.
said() { sed -n -E 's/^[^ ]* ((msg|me|post) .*)/\1/p' "$dir/$1"; }
has_said() { [ "$(said "$1" | wc -l)" -ge "$2" ]; }
# Sets worker to the process of dan, which has that title soon after dan has joined.
find_worker() {
    worker=$(ps -A -o ppid= -o pid= -o args= |
        sed -n "s/^ *$server *\([0-9]*\) chatd: dan .*/\1/p")
    [ -n "$worker" ]
}
exits() {
    wanted=$1
    shift
    "$@" >"$dir/out" 2>>"$dir/errors"
    is "$wanted" $?
}

# try NAME CHATD CHAT OTHER: what a user of CHAT does in a room of CHATD, where OTHER looks on.
try() {
    chat=$3
    open_room "$2"
    listen "$4" ann
    printf 'one\n/two\n' >"$dir/lines"
    expect "$1: lines" exits 0 "$chat" -n ben <"$dir/lines"
    expect "$1: a post" exits 0 "$chat" -n ci -m three
    printf 'four\nfive\n' >"$dir/lines"
    expect "$1: a pipe" exits 0 "$chat" -n ci -s <"$dir/lines"
    expect "$1: who is there" is ann "$("$chat" -l)"
    expect "$1: a wrong secret" exits 77 env CHAT_PASS=barley "$chat" -n eve -r
    mkfifo "$dir/in"
    "$chat" -k -n dan <"$dir/in" >"$dir/dan" 2>>"$dir/errors" &
    pids="$pids $!"
    exec 3>"$dir/in"
    echo six >&3
    expect "$1: a line" until_true has_said ann 6
    # Its connection ends, and it comes back.
    until_true find_worker
    kill -9 "$worker"
    until_true seen ann ' quit dan crashed'
    echo seven >&3
    expect "$1: a line after a reconnection" until_true has_said ann 7
    exec 3>&-
    rm "$dir/in"
    listen "$chat" fay
    expect "$1: each once, in order" is "msg ben one
msg ben /two
post ci three
post ci four
post ci five
msg dan six
msg dan seven" "$(said ann)"
    expect "$1: the same as history" is "$(said ann)" "$(said fay)"
    kill "$server"
    wait "$server"
    expect "$1: a good end" [ $? -eq 0 ]
    rm "$dir/ann" "$dir/fay"
}

try 'chat 0.1' "$CHATD" "$dir/old/chat" "$CHAT"
try 'chatd 0.1' "$dir/old/chatd" "$CHAT" "$dir/old/chat"
finish
