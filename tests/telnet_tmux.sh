# A real telnet, which sends each key as it is pressed, in tmux: Return is CR NUL there and ends a
# line. Needs telnet and tmux; `sh tests/run.sh` counts it.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
unset CHAT_NAME CHAT_PASS CHAT_SERVER
need telnet tmux

screen() {
    tmux -u -S "$dir/tmux" -f /dev/null "$@"
}
at_end() { screen kill-server 2>/dev/null; }
explain() {
    echo "  $*"
    screen capture-pane -p | sed 's/^/    |/'
    sed 's/^/    |/' "$dir/witness"
}
shows() { screen capture-pane -p | grep -q -e "$1"; }
# A line of telnet's own prompt; each key goes out at once from then on.
by_character() {
    screen send-keys C-]
    until_true shows '^telnet>'
    screen send-keys 'mode character' Enter
}

# shellcheck disable=SC2086 # options are words of their own
"$CHATD" ${CHATD_OPTIONS-} -l 127.0.0.1:0 2>"$dir/chatd" &
pids=$!
until_true seen chatd 'listening on' || exit 1
port=$(sed -n 's/.*listening on 127.*://p' "$dir/chatd")
"$CHAT" -n witness -r -x "127.0.0.1:$port" >"$dir/witness" 2>&1 &
pids="$pids $!"
until_true seen witness ' you witness$' || exit 1

screen new-session -d -x 80 -y 24 "telnet 127.0.0.1 $port"
until_true shows 'Escape character'
by_character
screen send-keys ann Enter
expect 'the name is a line' until_true seen witness ' join ann$'
screen send-keys hello Enter
expect 'so is a message' until_true seen witness ' msg ann hello$'
expect 'and its echo is shown' until_true shows ' msg ann hello$'
screen send-keys Enter 'one' Enter 'two' Enter
expect 'no line is lost' until_true seen witness ' msg ann two$'
expect 'lines have their text only' is 3 "$(grep -c ' msg ann [a-z]*$' "$dir/witness")"
screen send-keys '/quit bye' Enter
expect 'a command is one as well' until_true seen witness ' quit ann left bye$'
finish
