# README.md's examples: each is taken from the page and run.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
top=$(cd "$(dirname "$0")/.." && pwd)
unset CHAT_NAME CHAT_PASS CHAT_SERVER
mkdir "$dir/bin" "$dir/work"
ln -s "$CHAT" "$dir/bin/chat"
ln -s "$CHATD" "$dir/bin/chatd"
PATH=$dir/bin:$PATH

explain() { [ ! -s "$dir/$2" ] || cat "$dir/$2"; }

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

# has FILE PATTERN: sooner or later.
has() { until_true seen "$1" "$2"; }

chatd -l 127.0.0.1:0 2>"$dir/room" &
pids=$!
has room 'listening on' || exit 1
CHAT_SERVER=$(sed -n 's/.*listening on //p' "$dir/room")
export CHAT_SERVER

# ---- The session with nc ----

# speak NAME TEXT: a line of the client of that name.
speak() { echo "$2" >>"$dir/$1.in"; }

# An nc that is sent what is written to $dir/NAME.in.
join() {
    echo "$1" >"$dir/$1.in"
    mkfifo "$dir/$1.pipe"
    tail -f -n +1 "$dir/$1.in" >"$dir/$1.pipe" &
    pids="$pids $!"
    nc "${CHAT_SERVER%:*}" "${CHAT_SERVER##*:}" <"$dir/$1.pipe" >"$dir/$1" &
    pids="$pids $!"
    has "$1" " you $1\$"
}

if command -v nc >/dev/null; then
    block '/msg bob' >"$dir/session"
    join bob
    join ann
    speak bob 'has the build gone through?'
    has ann ' msg bob '
    grep -v '^[0-9]' "$dir/session" | sed 1d | while read -r line; do
        speak ann "$line"
        has ann " ${line##* }\$"
    done
    expect 'the whole session has come' has ann ' priv ann '
    sed -n 's/^[0-9-]*T[0-9:.]*Z //p' "$dir/session" >"$dir/expected"
    sed 's/^[0-9-]*T[0-9:.]*Z //' "$dir/ann" >"$dir/found"
    expect 'the session is as on the page' cmp "$dir/expected" "$dir/found"
else
    skip 'the session' 'no nc'
fi

# ---- From scripts ----

block 'chat -n deploy' | sed "s/ *#.*//
    s/127.0.0.1 65432/${CHAT_SERVER%:*} ${CHAT_SERVER##*:}/
    s,127.0.0.1/65432,${CHAT_SERVER%:*}/${CHAT_SERVER##*:}," >"$dir/scripts"

# line PATTERN
line() { grep -e "$1" "$dir/scripts"; }

begin witness 'chat -k -n witness -r -x'
has witness ' you witness$'
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
has witness ' join waiter$'
chat -n deploy -m 'for the waiter'
expect 'the next message is shown' has waiter 'deploy.*: for the waiter$'
printf '#!/bin/sh\nread -r line; echo "heard"\n' >"$dir/work/bot"
chmod 755 "$dir/work/bot"
begin bot "$(line 'chat -n echo')"
has witness ' join echo$'
chat -n deploy -m 'for the bot'
expect 'the bot answers' has witness ' msg echo heard$'

# ---- A team's room ----

unset CHAT_SERVER
block 'operator user' >"$dir/team"
sed -n '/^chatd/q; p' "$dir/team" >"$dir/prepare"
(cd "$dir/work" && sh -e "$dir/prepare")
begin chatd "$(grep '^chatd' "$dir/team")"
has chatd 'listening on room/sock$'
cd "$dir/work" || exit 1
begin member 'chat -k -r -x room/sock'
has member ' you '
name=$(sed -n 's/.* you //p' "$dir/member")
kick="echo '/kick $name calm down'; cat >/dev/null"
begin operator "chat -e \"$kick\" $(sed -n 's/^chat //p' "$dir/team")"
expect 'the operator removes a member' has member "quit $name .*calm down"
expect 'the transcript tells of it' until_true grep -q "quit $name .*calm down" room/log

finish
