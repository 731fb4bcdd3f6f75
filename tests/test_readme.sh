# README.md's examples: each is taken from the page and run.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
top=$(cd "$(dirname "$0")/.." && pwd)
unset CHAT_NAME CHAT_PASS CHAT_SERVER NO_COLOR ENV TMUX
export LC_ALL=C.UTF-8 SHELL=/bin/sh
mkdir "$dir/bin" "$dir/work"
ln -s "$CHAT" "$dir/bin/chat"
# The options of a sanitizer's build are words of their own.
printf '#!/bin/sh\nexec %s %s "$@"\n' "$CHATD" "${CHATD_OPTIONS-}" >"$dir/bin/chatd"
chmod 755 "$dir/bin/chatd"
PATH=$dir/bin:$PATH:/usr/sbin

# block PATTERN: the first block of the page that has a match, without its margin.
block() {
    awk -v pattern="$1" '
        /^    / { text = text substr($0, 5) "\n"; next }
        { if (text ~ pattern) exit; text = "" }
        END { printf "%s", text }' "$top/README.md"
}

# begin FILE LINE: runs a line of the page in the background, in the directory work; its output goes to FILE.
begin() {
    (cd "$dir/work" && eval "exec ${2%&}") >"$dir/$1" 2>&1 </dev/null &
    pids="$pids $!"
}

# ---- What people see, in terminals of tmux ----

screen() { tmux -u -S "$dir/tmux" -f /dev/null "$@"; }
at_end() { screen kill-server 2>/dev/null; }
command -v tmux >/dev/null && terminals=yes || terminals=

# terminal NAME COMMAND: where somebody can type, as soon as chat is in the room.
terminal() {
    screen new-session -d -s "$1" -x 100 -y 30 "cd $dir/work && $2; cat"
    shown "$1" '^> *$' && shown "$1" ' you are '
}
on_screen() { screen capture-pane -p -t "$1" | grep -q -e "$2"; }
# shown NAME PATTERN: expects a line of the terminal, sooner or later.
shown() { expect "in the terminal of $1: $2" until_true on_screen "$1" "$2"; }
# ends_with NAME PATTERN: the same of the last line above the prompt.
last_is() { screen capture-pane -p -t "$1" | grep -v '^>\|^$' | tail -n 1 | grep -q -e "$2"; }
ends_with() { expect "last in the terminal of $1: $2" until_true last_is "$1" "$2"; }
# types NAME LINE: and Return.
types() {
    screen send-keys -t "$1" -l "$2"
    screen send-keys -t "$1" Enter
}
# Everything has happened at the same time, and a prompt is a prompt.
timeless() { sed -e 's/^[0-9][0-9]:[0-9][0-9] /21:42 /' -e 's/ *$//'; }
# shows NAME PATTERN: sooner or later the screen ends with the page's block that has it. Where NATS
# servers are slow, the room tells that they do not answer, and that they answer again.
screen_ends() {
    screen capture-pane -p -J -t "$1" | grep -v '^>* *$\|^..:.. -- the cluster ' | timeless >"$dir/screen"
    tail -n "$(wc -l <"$dir/block")" "$dir/screen" | cmp -s - "$dir/block"
}
shows() {
    block "$2" | grep -v '^\$\|^chatd:' | timeless >"$dir/block"
    until_true screen_ends "$1"
}
explain() {
    for file in "$dir/block" "$dir/screen" "$dir/nodes"; do
        echo "${file##*/}:"
        [ ! -e "$file" ] || tail -n 20 "$file"
    done
    [ -z "$terminals" ] || screen list-sessions -F '#S' 2>/dev/null | while read -r name; do
        echo "the terminal of $name:"
        screen capture-pane -p -t "$name" </dev/null | grep -v '^$'
    done
}

chatd -l 127.0.0.1:0 2>"$dir/room" &
pids=$!
comes room 'listening on' || finish
CHAT_SERVER=$(sed -n 's/.*listening on //p' "$dir/room")
export CHAT_SERVER

# ---- The session with nc ----

talk() {
    block '/msg bob' >"$dir/session"
    join bob bob
    comes bob ' you bob$' || return
    join ann ann
    comes ann ' you ann$' || return
    speak bob 'has the build gone through?'
    comes ann ' msg bob ' || return
    grep -v '^[0-9]' "$dir/session" | sed 1d >"$dir/typed"
    while read -r line; do
        speak ann "$line"
        comes ann " ${line##* }\$" || return
    done <"$dir/typed"
    expect 'the whole session has come' has ann ' priv ann '
    sed -n 's/^[0-9-]*T[0-9:.]*Z //p' "$dir/session" >"$dir/expected"
    sed 's/^[0-9-]*T[0-9:.]*Z //' "$dir/ann" >"$dir/found"
    expect 'the session is as on the page' cmp "$dir/expected" "$dir/found"
}
if command -v nc >/dev/null; then
    talk
else
    skip 'the session' 'no nc'
fi

# ---- The session at the beginning ----

first_session() {
    expect 'the server says what it does' is 'chatd: listening on 127.0.0.1:65432' \
        "$(block '^.* chatd &' | sed -n '/listening/p')"
    speak ann /quit
    comes bob ' quit ann ' || return
    terminal top "$(block 'chat -n ann' | sed -n 's/^\$ \(chat .*\)/\1/p')" || return
    speak bob 'has the build gone through?'
    ends_with top 'gone through' || return
    types top 'yes, at half past nine'
    ends_with top 'half past' || return
    chat -n ci -m 'deploy done'
    ends_with top deploy || return
    speak bob '/quit good night'
    ends_with top 'good night' || return
    screen send-keys -t top -l /quit
    expect 'the first session is as on the page' shows top 'chat -n ann'
    screen send-keys -t top C-u
    join bob bob
    comes bob ' you bob$' || return
    speak bob 'what does the log say?'
    ends_with top 'the log say' || return
    screen set-buffer "$(printf 'one\n/two\nthree\n')"
    screen paste-buffer -p -t top
    expect 'a paste is held' shows top 'the log say' || return
    screen send-keys -t top Enter
    expect 'Return sends it' has bob ' msg ann three$'
    expect 'all of it, as text' seen bob ' msg ann /two$'
    screen send-keys -t top C-c
    comes bob ' quit ann '
}
if [ "$terminals" ] && command -v nc >/dev/null; then
    first_session
else
    skip 'the session at the beginning, and a paste' 'no tmux, or no nc'
fi

# ---- From scripts ----

block 'chat -n deploy' | sed "s/ *#.*//
    s/127.0.0.1 65432/${CHAT_SERVER%:*} ${CHAT_SERVER##*:}/
    s,127.0.0.1/65432,${CHAT_SERVER%:*}/${CHAT_SERVER##*:}," >"$dir/scripts"

# line PATTERN
line() { grep -e "$1" "$dir/scripts"; }

from_scripts() {
    begin witness 'chat -k -n witness -r -x'
    comes witness ' you witness$' || return
    expect 'one line is posted' sh -c "$(line 'chat -n deploy')"
    expect 'it has arrived' has witness ' post deploy release 1.4 is out$'
    expect 'what a command prints is posted' sh -c "$(line 'chat -s')"
    expect 'that has arrived' has witness ' post disks Filesystem'
    if command -v nc >/dev/null && nc -h 2>&1 | grep -q -e -N; then
        expect 'nc posts' sh -c "$(line 'nc -N') >/dev/null"
        expect 'its line has arrived' has witness ' msg bot hello$'
    else
        skip 'nc' 'no nc that knows -N'
    fi
    if command -v bash >/dev/null; then
        expect 'bash posts' bash -c "$(line /dev/tcp)"
        expect 'its line has arrived, too' has witness ' quit bot '
    else
        skip '/dev/tcp' 'no bash'
    fi
    sh -c "$(line 'chat -l')" >"$dir/list"
    expect 'the members are listed' seen list witness
    begin waiter "$(line waiter)"
    comes witness ' join waiter$' || return
    chat -n deploy -m 'for the waiter'
    expect 'the next message is shown' has waiter 'deploy.*: for the waiter$'
    printf '#!/bin/sh\nread -r line; echo "heard"\n' >"$dir/work/bot"
    chmod 755 "$dir/work/bot"
    begin bot "$(line 'chat -n echo')"
    comes witness ' join echo$' || return
    chat -n deploy -m 'for the bot'
    expect 'the bot answers' has witness ' msg echo heard$'
}
from_scripts

# ---- A team's room, and an operator ----

unset CHAT_SERVER
block 'operator user' >"$dir/team"
sed -n '/^chatd/q; p' "$dir/team" >"$dir/prepare"
(cd "$dir/work" && sh -e "$dir/prepare")
(cd "$dir/work" && eval "$(sed -n 's/:65433/127.0.0.1:0/; /^chatd/p' "$dir/team")") 2>"$dir/chatd"
expect 'a room for a team' is 0 $?
pids="$pids $(cat "$dir/work/room/pid")"
port=$(sed -n 's/.*listening on 127.0.0.1//p' "$dir/chatd")
operator() {
    terminal operator "$(sed -n 's/ *#.*//; /room.sock/{/^chat -n/p;}' "$dir/team")" || return
    expect 'you have your own name' on_screen operator "you are $(id -un),"
    terminal bob "$(sed -n "s/.*terminal: //; s/:65433/$port/; /^chat -n bob/p" "$dir/team")" || return
    shown operator 'bob joined' || return
    types operator '/ban bob 60 calm down'
    expect 'what the operator sees' shows operator ' bob (127.0.0.1) is banned'
    expect 'what bob sees' shows bob ' you are banned'
    chat -n bob -m 'here again' "$port" 2>/dev/null
    expect 'bob does not come back' is 77 $?
    expect 'the transcript tells of it' until_true grep -q 'quit bob kicked calm down' "$dir/work/room/log"
}
if [ "$terminals" ]; then
    operator
else
    skip 'an operator' 'no tmux'
fi
expect 'the room is told to end' sh -c "cd '$dir/work' && $(grep '^kill' "$dir/team")"
expect 'it ends' until_true [ ! -e "$dir/work/room/sock" ]

# ---- A room that outlives a machine ----

own=127.$((64 + $$ % 64)).$(($$ / 64 % 256)).1
block 'contrib/cluster' | sed "s/ *#.*//; s/127.0.0.1/$own/g" >"$dir/cluster"
outlive() {
    for i in 1 2 3; do expect "node $i" has nodes "listening on $own:700$i" || return; done
    terminal ann "$(sed -n 2p "$dir/cluster")" || return
    types ann before
    shown ann 'ann: before' || return
    echo 1 >&3
    shown ann 'back again' || return
    types ann 'and after'
    expect 'the room goes on' shows ann 'ann: before'
}
if ! command -v nats-server >/dev/null || [ -z "$terminals" ]; then
    skip 'a room that outlives a machine' 'no nats-server, or no tmux'
elif ! is_own "$own"; then
    skip 'a room that outlives a machine' "no address $own"
else
    mkfifo "$dir/numbers"
    (cd "$top" && eval "exec $(sed -n 1p "$dir/cluster") chatd $own") <"$dir/numbers" >"$dir/nodes" 2>&1 &
    pids="$pids $!"
    exec 3>"$dir/numbers"
    outlive
    exec 3>&-
fi

finish
