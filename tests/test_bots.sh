# The bots of contrib/bots in a room: report posts how a command ended, watch answers what its
# pattern matches and nothing of its own, ask brings back an answer.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
export CHAT
unset CHAT_NAME CHAT_PASS
bots=$(dirname "$0")/../contrib/bots

# heard PATTERN: the file of the witness has it, sooner or later
heard() {
    until_true seen seen "$1" || {
        cat "$dir/seen"
        false
    }
}

# The options are words of their own.
# shellcheck disable=SC2086
"$CHATD" ${CHATD_OPTIONS-} -l 127.0.0.1:0 2>"$dir/chatd" &
pids=$!
until_true seen chatd 'listening on' || exit 1
CHAT_SERVER=$(sed -n 's/.*listening on //p' "$dir/chatd")
export CHAT_SERVER

"$CHAT" -n witness -r -x >"$dir/seen" 2>"$dir/errors" &
pids="$pids $!"
heard ' you witness$' || exit 1

# ---- report ----

"$bots/chat-report" -n ci true 'with words' >"$dir/out"
expect 'report exits with 0' is 0 $?
expect 'success is posted' heard ' post ci ok after [0-9]* s: true with words$'
"$bots/chat-report" -n ci sh -c 'echo mine; exit 3' >"$dir/out"
expect 'report exits with the status of the command' is 3 $?
expect 'the output goes where it went' is mine "$(cat "$dir/out")"
expect 'failure is posted' heard ' post ci FAILED (3) after [0-9]* s: sh -c echo mine; exit 3$'
"$bots/chat-report" -f -n quiet true
"$bots/chat-report" -f -n quiet false
expect 'with -f failure is posted' heard ' post quiet FAILED (1)'
expect 'with -f success is not' is 1 "$(grep -c ' post quiet ' "$dir/seen")"
"$bots/chat-report" -n ci 2>/dev/null
expect 'report without a command' is 64 $?

# ---- watch ----

# It says what it matches: answering itself would never end.
"$bots/chat-watch" -n parrot '^ping' '
    [ "$TEXT" = pingpong ] && echo "/quit now" || echo "ping, $FROM: $TEXT"' &
watch=$!
pids="$pids $watch"
expect 'watch is there' heard ' join parrot$'
"$CHAT" -n ann -m 'no ping' -m 'ping; $(echo hurt) *'
expect 'what matches is answered' heard ' msg parrot ping, ann: ping; $(echo hurt) \*$'
"$CHAT" -n ann -m 'ping again'
expect 'so is the next' heard ' msg parrot ping, ann: ping again$'
expect 'nothing else is' is 2 "$(grep -c ' msg parrot ' "$dir/seen")"
"$CHAT" -n ann -m 'pingpong'
expect 'a slash is text' heard ' msg parrot /quit now$'
kill "$watch"
expect 'watch goes' heard ' quit parrot '
wait "$watch"

# ---- ask ----

if ! command -v python3 >/dev/null; then
    skip ask 'no python3'
    finish
fi

"$bots/chat-ask" nobody 'there?' >"$dir/answer" 2>"$dir/errors"
expect 'who is not there is not asked' is 1 $?
# shellcheck disable=SC2016
"$CHAT" -n bob -e 'echo not yet; while read -r stamp verb from text; do
    [ "$text" != "BOB: deploy now?" ] || echo "yes, please"; done' >"$dir/person" 2>&1 &
pids="$pids $!"
heard ' msg bob not yet$'
# A name in another case is the same name.
"$bots/chat-ask" -t "$((60 * ${CHATD_PATIENCE:-1}))" BOB 'deploy now?' >"$dir/answer"
expect 'ask has an answer' is 0 $?
expect 'ask prints it' is 'yes, please' "$(cat "$dir/answer")"
# Nor does the answer get lost where they change their name meanwhile.
# shellcheck disable=SC2016
"$CHAT" -n carl -e 'while read -r stamp verb from text; do
    [ "$text" != "carl: there?" ] || { echo "/nick karl"; echo yes; }; done' >/dev/null 2>&1 &
pids="$pids $!"
heard ' join carl$' || exit 1
"$bots/chat-ask" -t "$((60 * ${CHATD_PATIENCE:-1}))" carl 'there?' >"$dir/answer"
expect 'an answer under another name' is yes "$(cat "$dir/answer")"
"$bots/chat-ask" -t 1 witness 'deploy now?' >"$dir/answer"
expect 'no answer in time' is 1 $?
expect 'nothing is printed then' is '' "$(cat "$dir/answer")"

finish
