# Every example of the pages is run: here, or by the script that the table at the end names.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
top=$(cd "$(dirname "$0")/.." && pwd)
export LC_ALL=C
unset CHAT_NAME CHAT_PASS CHAT_SERVER
mkdir "$dir/bin" "$dir/work"
ln -s "$CHAT" "$dir/bin/chat"
# The options of a sanitizer's build are words of their own.
printf '#!/bin/sh\nexec %s %s "$@"\n' "$CHATD" "${CHATD_OPTIONS-}" >"$dir/bin/chatd"
chmod 755 "$dir/bin/chatd"
PATH=$dir/bin:$PATH:/usr/sbin

# ---- The table: each block of the pages, and the script that runs it ----

table() {
    cat <<'END'
chat.1|^chat -n ann|test_pages.sh
chat.1|not posted|test_pages.sh
chat.1|df -h|test_pages.sh
chat.1|chat -n scribe|test_pages.sh
chat.1|chat -n waiter|test_pages.sh
chat.1|pong|test_pages.sh
chat.1|a.example|test_pages.sh
chat.1|chat -c|test_pages.sh
chat-protocol.7|/resume TOKEN|test_pages.sh
chat-protocol.7|/history 1|test_pages.sh
chat-protocol.7|printf 'bot.*nc|test_pages.sh
chat-protocol.7|^bash|test_pages.sh
chat-protocol.7|printf ./users|test_pages.sh
chat-protocol.7|echo reader|test_pages.sh
chatd.8|useradd -r|boot.sh
chatd.8|^chat /var/lib/room/sock|boot.sh
chatd.8|daemon-reload|boot.sh
chatd.8|cluster.conf|boot.sh
chatd.8|ListenStream=65432|boot.sh
chatd.8|restart chatd@ops|boot.sh
chatd.8|server_name|test_pages.sh
chatd.8|http: 127|nats_operation.sh
chatd.8|healthz|nats_operation.sh
chatd.8|ssh -f|tunnels.sh
chatd.8|TIMEOUTidle|tunnels.sh
chatd.8|proxy_timeout|tunnels.sh
chatd.8|s_client|tunnels.sh
chatd.8|those of the group ops|test_access_page.sh
chatd.8|the office|test_access_page.sh
chatd.8|no allow and no operator|test_access_page.sh
chatd.8|addresses are those|test_access_page.sh
chatd.8|%E/chatd/access|boot.sh
chatd.8|send-proxy-v2|proxies.sh
chatd.8|ps -e|test_pages.sh
chatd.8|kill -s USR1|test_pages.sh
chatd.8|echo .no room|test_pages.sh
chatd.8|kill -s USR2|test_pages.sh
chatd.8|^chatd &|test_pages.sh
chatd.8|/var/lib/lan|boot.sh
chatd.8|2>room.log|test_pages.sh
chatd.8|^grep|test_pages.sh
END
}
# Beside its row, where the table is in the same file.
is_named() {
    [ "$1" = test_pages.sh ] && rows=1 || rows=0
    [ "$(grep -cF -e "$2" "$top/tests/$1")" -gt "$rows" ]
}
: >"$dir/blocks"
: >"$dir/mine"
while IFS='|' read -r page pattern script; do
    expect "$script has $page: $pattern" is_named "$script" "$pattern"
    page_block "$top/man/$page" "$pattern" | sed "s/^/$page: /;q" >>"$dir/blocks"
    [ "$script" != test_pages.sh ] || echo "$page|$pattern" >>"$dir/mine"
done <<END
$(table)
END
for page in chat.1 chat-protocol.7 chatd.8; do
    awk -v page="$page" 'on { sub(/\\e$/, "\\"); print page ": " $0; on = 0 } /^\.Bd -literal/ { on = 1 }' \
        "$top/man/$page"
done | sort >"$dir/all"
# Nothing is run if a pattern finds another block than it should.
expect 'every block of the pages is run, by the script of its row' is "$(cat "$dir/all")" "$(sort "$dir/blocks")"
[ "$failed" -eq 0 ] || finish

# example PAGE PATTERN: the block as a reader sees it; servers and files are those of this test.
example() {
    grep -qxF -e "$1|$2" "$dir/mine" || {
        echo "not in the table: $1|$2" >&2
        echo false
        return
    }
    page_block "$top/man/$1" "$2" | sed -e 's/\\e/\\/g' -e "s/\\\\(aq/'/g" \
        -e "s|127.0.0.1 65432|${CHAT_SERVER%:*} ${CHAT_SERVER##*:}|" \
        -e "s,127.0.0.1/65432,${CHAT_SERVER%:*}/${CHAT_SERVER##*:}," -e "s,/run/,$dir/,"
}
# run PAGE PATTERN: runs it in the directory work; what it says goes to $dir/out.
run() { (cd "$dir/work" && sh -c "$(example "$1" "$2")") >"$dir/out" 2>&1 </dev/null; }
# begin NAME PAGE PATTERN: the same in the background, with output in $dir/NAME.
begin() {
    (cd "$dir/work" && eval "exec $(example "$2" "$3")") >"$dir/$1" 2>&1 </dev/null &
    pids="$pids $!"
}
explain() {
    for file in "$dir/out" "$dir/witness" "$dir/log"; do
        echo "${file##*/}:"
        [ ! -e "$file" ] || tail -n 20 "$file"
    done
}
# nc_knows OPTION: as it says itself
nc_knows() { command -v nc >/dev/null && nc -h 2>&1 | grep -q -e "$1"; }

# open_room OPTION...: a server, and its address
open_room() {
    : >"$dir/log"
    chatd -l 127.0.0.1:0 "$@" 2>"$dir/log" &
    room=$!
    pids="$pids $room"
    comes log 'listening on' || finish
    CHAT_SERVER=$(sed -n 's/.*listening on //p' "$dir/log")
    export CHAT_SERVER
}

# ---- chat-protocol(7): a session ----

session() {
    example $page '/history 1' >"$dir/session"
    join bob bob 'anybody here?'
    comes bob ' msg bob ' || return
    join ann '/history 1' ann
    comes ann ' you ann$' || return
    speak ann hello
    comes ann ' msg ann hello$' || return
    speak bob 'good evening'
    comes ann ' good evening$' || return
    speak ann '/msg carl are you there?'
    comes ann ' error ' || return
    speak bob '/quit supper'
    expect 'the session has come' has ann ' supper$'
    expect 'it was typed as in the page' is "$(sed -n 's/^> //p' "$dir/session")" "$(cat "$dir/ann.in")"
    expect 'it came as in the page' is "$(sed -n 's/^[^ ]*Z //p' "$dir/session")" \
        "$(sed 's/^[^ ]* //' "$dir/ann")"
}
if command -v nc >/dev/null; then
    open_room
    page=chat-protocol.7
    session
    kill "$room"
    wait "$room"
else
    skip 'a session' 'no nc'
fi

# ---- chat(1) ----

open_room -p "$dir/chatd.pid" -t "$dir/transcript"
chat -k -n witness -r -x >"$dir/witness" 2>&1 &
pids="$pids $!"
comes witness ' you witness$' || finish
page=chat.1

chat_examples() {
    echo hello | sh -c "$(example $page '^chat -n ann')" >/dev/null
    expect 'who talks is heard' has witness ' msg ann hello$'
    expect 'a post' run $page 'not posted'
    expect 'it has arrived' has witness ' post deploy done$'
    (CHAT_SERVER=$dir/none && export CHAT_SERVER && run $page 'not posted')
    expect 'a post that nobody takes' seen out '^not posted$'
    expect 'what a command prints' run $page 'df -h'
    expect 'it has arrived, too' has witness ' post disks Filesystem'
    begin scribe $page 'chat -n scribe'
    comes witness ' join scribe$' || return
    begin waiter $page 'chat -n waiter'
    comes witness ' join waiter$' || return
    chat -n ann -m 'for the record'
    expect 'the room is recorded' until_true grep -q ' post ann for the record$' "$dir/work/log"
    expect 'the next message is shown' has waiter ' ann\*: for the record$'
    begin bot $page 'pong'
    comes witness ' join echo$' || return
    echo ping | chat -n ben >/dev/null
    expect 'the bot answers' has witness ' msg echo pong, ben$'
    (
        cd "$dir/work" || exit
        example $page 'a.example' | sed "s,a.example:65432,$dir/none,; s,b.example:65432,$CHAT_SERVER," >"$dir/two.sh"
        echo 'at the second' | sh "$dir/two.sh" >/dev/null 2>&1
    )
    expect 'one of two machines is down' has witness ' msg ann at the second$'
}
chat_examples
expect 'ssh and TLS are those of chatd(8)' is '' "$(page_block "$top/man/chat.1" 'chat -c' |
    grep -vxF -f "$top/man/chatd.8" | sed 's/\\$/\\e/' | grep -vxF -f "$top/man/chatd.8")"

# ---- chat-protocol(7) ----

page=chat-protocol.7
few_lines() {
    mkfifo "$dir/end"
    example $page 'echo reader' | sed "s,sleep 10,cat $dir/end," >"$dir/reader.sh"
    sh "$dir/reader.sh" >"$dir/reader" &
    pids="$pids $!"
    exec 3>"$dir/end"
    comes witness ' join reader$' || return
    echo 'to all' | chat -n ben >/dev/null
    expect 'a client of a few lines' has reader '^ben: to all$'
    exec 3>&-
    comes witness ' quit reader left$'
}
if nc_knows -N; then
    expect 'two lines by nc' run $page "printf 'bot.*nc"
    expect 'they have arrived' has witness ' msg bot hello$'
    expect 'the members' run $page 'printf ./users'
    expect 'with their number' seen out ' users [1-9]'
    few_lines
    # A connection that ends is resumed within ten minutes.
    nc_room() { nc -N "${CHAT_SERVER%:*}" "${CHAT_SERVER##*:}"; }
    printf '/token\nfay\nhello\n' | nc_room >"$dir/fay"
    example $page '/resume TOKEN' | sed "s/TOKEN/$(sed -n 's/.* token //p' "$dir/fay")/
        s/STAMP/$(sed -n '$s/ .*//p' "$dir/fay")/; s/NAME/fay/" | nc_room >"$dir/out"
    expect 'a session is resumed' seen out ' resumed 1$'
else
    skip 'examples with nc' 'no nc that knows -N'
fi
if command -v bash >/dev/null; then
    expect 'two lines by bash' run $page '^bash'
    expect 'they have arrived by bash' has witness ' quit bot '
else
    skip 'an example with bash' 'no bash'
fi

# ---- chatd(8) ----

page=chatd.8
if command -v ps >/dev/null; then
    example $page 'ps -e' | sed -n 's/^\$ //p' >"$dir/ps.sh"
    listed() { sh "$dir/ps.sh" >"$dir/out" 2>&1 && seen out "$1"; }
    expect 'a process for each client' until_true listed "chatd: witness $CHAT_SERVER\|chatd: witness 127"
    expect 'and the hub' until_true listed "chatd: [0-9]* members, $CHAT_SERVER"
else
    skip 'a list of processes' 'no ps'
fi
expect 'a report' sh -c "$(example $page 'kill -s USR1' | sed '/systemctl/d')"
expect 'it is in the log' has log 'status: .*members'
expect 'the room answers' run $page 'echo .no room'
expect 'which is all' is '' "$(cat "$dir/out")"
(CHAT_SERVER=$dir/none && export CHAT_SERVER && run $page 'echo .no room')
expect 'no room answers' seen out '^no room$'
expect 'an upgrade' sh -c "$(example $page 'kill -s USR2' | sed '/systemctl/d; s/make install &&//')"
expect 'it is done' has log 'this is chatd'
expect 'the transcript has the first message' until_true grep -q ' msg ann hello$' "$dir/transcript"
day=$(sed -n 's/T.* msg ann hello$//p' "$dir/transcript")
example $page '^grep' | sed "s/2026-11-22/$day/; s,/var/lib/room/log,$dir/transcript," >"$dir/day.sh"
expect 'the messages of a day' eval 'sh "$dir/day.sh" | grep -q " msg ann hello$"'
echo 'I am bob' | sh -c "$(example $page '^chatd &' | sed -n '/bob/p')" >/dev/null
expect 'a second member' has witness ' msg bob I am bob$'
(cd "$dir/work" && example $page '2>room.log' | sed "s/-x 10/-x $((10 * ${CHATD_PATIENCE:-1})) -p room.pid/" >../short.sh && sh ../short.sh) >"$dir/out" 2>&1
expect 'a room for the length of a script' [ $? -eq 0 ]
kill "$(cat "$dir/work/room.pid")"
expect 'its log' until_true grep -q 'build posts' "$dir/work/room.log"
expect 'it ends' until_true [ ! -e "$dir/work/room.pid" ]

# ---- chatd(8): a room on several machines ----

page=chatd.8
# What machine $1 has of the page's example: its addresses are 1, 2 and 3 of a network of loopback's.
machine() {
    example $page server_name | sed -e "s/\$(hostname -s)/n$1/; s,/var/lib/nats,$dir/nats$1," \
        -e "s/127\.0\.0\.1/$own.$1/; s/0\.0\.0\.0/$own.$1/; s/\*:/$own.$1:/" \
        -e "s,//a:,//$own.1:,; s,//b:,//$own.2:,; s,//c:,//$own.3:," \
        -e "s,-d -u _chatd,-N n$1,; s,/var/lib/room/log,$dir/room$1,"
}
several_machines() {
    for i in 1 2 3; do
        machine $i | sed -n '/<<END/,/^END/p' | sed '1d; $d' >"$dir/nats$i.conf"
        nats-server -c "$dir/nats$i.conf" >"$dir/nats$i.log" 2>&1 &
        pids="$pids $!"
    done
    for i in 1 2 3; do
        (eval "exec $(machine $i | sed -n '/^chatd/,$p')") 2>"$dir/node$i" &
        pids="$pids $!"
    done
    for i in 1 2 3; do expect "node $i" has node$i 'listening on' || return; done
    chat -n cia -r -x "$own.3" >"$dir/cia" 2>&1 &
    pids="$pids $!"
    comes cia ' you cia$' || return
    echo 'to all machines' | chat -n ann -k "$own.1,$own.2,$own.3" >"$dir/out"
    expect 'what is said at one is heard at another' has cia ' msg ann to all machines$'
}
own=127.$((64 + $$ % 64)).$(($$ / 64 % 256))
if ! command -v nats-server >/dev/null; then
    skip 'a room on several machines' 'no nats-server'
elif ! is_own "$own.1"; then
    skip 'a room on several machines' "no address $own.1"
else
    several_machines
fi

finish
