# contrib/logrotate/chatd under the real logrotate: no line is lost, doubled or torn, whatever user
# the room is, and whoever makes the new file.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
snippet=$(dirname "$0")/../contrib/logrotate/chatd

PATH=$PATH:/usr/sbin:/sbin
command -v logrotate >/dev/null || {
    skip 'rotation' 'needs logrotate'
    finish
}
explain() { cat "$dir/log" "$dir/rotated"; }

# The first block of the file, for a room below $dir.
first_block() {
    sed -n "/^\/var\/lib\/room/,/^}/p" "$snippet" | sed "s,/var/lib/room/,$room/,; s,/run/chatd.pid,$room/pid,"
}
# open_room OPTION...: a room of its own in the directory $room.
open_room() {
    : >"$dir/log"
    # What is in CHATD_OPTIONS are words.
    # shellcheck disable=SC2086
    "$CHATD" ${CHATD_OPTIONS:-} -l "$dir/sock" -M 0666 -p "$room/pid" -t "$room/log" "$@" \
        2>"$dir/log" &
    server=$!
    pids="$pids $server"
    until_true seen log 'listening on'
}
close_room() {
    kill "$server"
    wait "$server"
    expect "$how: a good end" [ $? -eq 0 ]
}
say() { seq -f "$1 %g" 200 | "$CHAT" -n ann -s "$dir/sock"; }
in_file() { grep -q -e "$2" "$1"; }
rotate() {
    echo "$1" >"$dir/conf"
    chmod 644 "$dir/conf"
    logrotate -f -s "$dir/state" "$dir/conf" >"$dir/rotated" 2>&1
}
# try NAME CONFIGURATION: lines before, a rotation, lines after, twice.
try() {
    how=$1
    for part in one two three; do
        say $part || return 1
        until_true in_file "$room/log" "$part 200$"
        [ $part = three ] || expect "$how: rotated" rotate "$2"
        [ $part = three ] || until_true [ -e "$room/log" ]
    done
    { for part in one two three; do seq -f "$part %g" 200; done; } >"$dir/wanted"
    for file in "$room"/log*; do
        case $file in *.gz) gzip -dc "$file" ;; *) cat "$file" ;; esac
    done | sort | sed -n 's/^[^ ]* post ann //p' >"$dir/found"
    expect "$how: every line once" cmp "$dir/wanted" "$dir/found"
    expect "$how: the last ones in the new file" in_file "$room/log" 'three 1$'
    expect "$how: none of the first" not in_file "$room/log" 'one 1$'
    expect "$how: nothing to warn of" not seen log 'anew\|missing'
}
not() { ! "$@"; }

# ---- As the present user ----

chmod 755 "$dir"
for kind in snippet create copytruncate; do
    room=$dir/$kind
    mkdir "$room"
    open_room
    block=$(first_block | sed '/ su /d')
    case $kind in
    create) block=$(echo "$block" | sed 's/nocreate/create 0640/') ;;
    # Nobody speaks meanwhile, so that nothing is lost.
    copytruncate) block=$(echo "$block" | sed 's/nocreate/copytruncate/') ;;
    esac
    try "$kind" "$block"
    close_room
done

# ---- As the user of -u ----

if [ "$(id -u)" -ne 0 ]; then
    skip 'a room with -u' 'for root'
    finish
fi
group=$(id -gn nobody)
for kind in snippet create; do
    room=$dir/nobody-$kind
    install -d -o nobody -g "$group" -m 750 "$room"
    open_room -u nobody
    block=$(first_block | sed "s/ su .*/ su nobody $group/")
    [ $kind = snippet ] || block=$(echo "$block" | sed "s/nocreate/create 0640 nobody $group/")
    try "-u nobody, $kind" "$block"
    close_room
done
finish
