# contrib/recipes.md and contrib/bots/chat.awk: each recipe is taken from the page and run in a room.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
top=$(cd "$(dirname "$0")/.." && pwd)
unset CHAT_NAME CHAT_PASS
command -v timeout >/dev/null || {
    skip recipes 'no timeout'
    finish
}
mkdir "$dir/bin" "$dir/work"
ln -s "$CHAT" "$dir/bin/chat"
# mawk reads ahead: an awk of that name is told not to.
if awk -W version 2>&1 </dev/null | grep -q '^mawk'; then
    printf '#!/bin/sh\nexec %s -W interactive "$@"\n' "$(command -v awk)" >"$dir/bin/awk"
    chmod 755 "$dir/bin/awk"
fi
PATH=$dir/bin:$PATH

# recipe NAME: its lines go to $dir/NAME.sh
recipe() {
    awk -v "begin=# $1" '$0 == "```" { on = 0 } on; $0 == begin { on = 1 }' \
        "$top/contrib/recipes.md" >"$dir/$1.sh"
    [ -s "$dir/$1.sh" ]
}

# has FILE PATTERN: sooner or later
has() {
    until_true seen "$1" "$2" || {
        cat "$dir/$1"
        false
    }
}

# begin NAME: runs the recipe in the background, in the directory work; timeout ends all of it
begin() {
    expect "$1 is there" recipe "$1"
    (cd "$dir/work" && exec timeout "$((600 * ${CHATD_PATIENCE:-1}))" \
        sh "$dir/$1.sh" >"$dir/$1" 2>"$dir/errors") &
    pids="$pids $!"
}

# The options are words of their own.
# shellcheck disable=SC2086
"$CHATD" ${CHATD_OPTIONS-} -l 127.0.0.1:0 -t "$dir/work/transcript" 2>"$dir/chatd" &
pids=$!
until_true seen chatd 'listening on' || exit 1
CHAT_SERVER=$(sed -n 's/.*listening on //p' "$dir/chatd")
export CHAT_SERVER
"$CHAT" -k -n witness -r -x >"$dir/seen" 2>/dev/null &
pids="$pids $!"
has seen ' you witness$' || exit 1

# ---- A message when a build ends ----

printf 'all:\n\texit 3\n' >"$dir/work/Makefile"
expect 'build is there' recipe build
(cd "$dir/work" && sh "$dir/build.sh" >/dev/null 2>&1)
expect 'the status of the build is kept' is 2 $?
expect 'its end is posted' has seen ' post build make in work ended with status 2$'

# ---- Following a transcript ----

mkdir -p "$dir/work/contrib"
ln -s "$top/contrib/bots" "$dir/work/contrib/bots"
begin follow
expect 'what is in the transcript is shown' has follow \
    '^[0-9][0-9]:[0-9][0-9] build: make in work ended with status 2$'
"$CHAT" -n ann -m 'two  spaces'
expect 'what comes is shown' has follow '^[0-9][0-9]:[0-9][0-9] ann: two  spaces$'

# ---- JSON ----

if command -v jq >/dev/null; then
    begin json
    expect 'json has joined' has seen ' join json$'
    "$CHAT" -n ann -m 'say "hi" \ there'
    expect 'a message is an object' has json '"verb":"post","name":"ann","text":"say \\"hi\\" \\\\ there"}$'
    expect 'and nothing else is' is 1 "$(grep -c . "$dir/json")"
else
    skip json 'no jq'
fi

# ---- A desktop notification ----

printf '#!/bin/sh\nprintf "%%s|" "$@" >>%s\necho >>%s\n' "$dir/shown" "$dir/shown" >"$dir/bin/notify-send"
chmod 755 "$dir/bin/notify-send"
USER=ann
export USER
begin notify
expect 'notify has joined' has seen ' join ann-desk$'
"$CHAT" -n ben -m 'nothing of note'
"$CHAT" -n ben -m 'ann: $(touch hurt); --help'
expect 'a mention is shown' has shown '^--|ben|ann: \$(touch hurt); --help|$'
"$CHAT" -n ben -e 'echo "/msg ann-desk psst"' 2>/dev/null
expect 'a private message is shown' has shown '^--|ben|psst|$'
expect 'and nothing else is' is 2 "$(grep -c . "$dir/shown")"

# ---- A client in awk ----

if command -v nc >/dev/null; then
    { echo awker; until_true seen awk 'you are awker' && echo 'hello room'; until_true seen awk 'hello'; } |
        nc "${CHAT_SERVER%:*}" "${CHAT_SERVER##*:}" |
        awk -f "$top/contrib/bots/chat.awk" >"$dir/awk" &
    pids="$pids $!"
    expect 'awk says it' has seen ' msg awker hello room$'
    expect 'awk shows it' has awk '^[0-9][0-9]:[0-9][0-9] awker: hello room$'
else
    skip 'a client in awk' 'no nc'
fi

finish
