# The nodes of a room on three hosts are upgraded one after the other, while six clients talk. First
# each is stopped, and CHATD_NEXT, which reads a newer form of the room's messages, is started in its
# place; then each becomes CHATD_LATER, which reads one more, by SIGUSR2. With the last node the room
# changes to the newer form, and not before; an older program that comes back then says so and ends
# with 69. In the end every line is there once and in order, and the transcripts are equal. Needs
# root, namespaces, ip, ss, nc and nats-server, and two other builds of chatd:
#
#   make CPPFLAGS=-DBATCH_FORM=2 BUILD=next; make CPPFLAGS=-DBATCH_FORM=3 BUILD=later
#   CHATD_NEXT=next/chatd CHATD_LATER=later/chatd

: "${CHATD:?}" "${CHAT:?}" "${CHATD_NEXT:?}" "${CHATD_LATER:?}"
trying='a rolling upgrade on three hosts'
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# The nodes execute a copy, which is replaced in one step.
before=$CHATD
install() { cp "$1" "$dir/chatd.new" && mv "$dir/chatd.new" "$dir/chatd"; }
install "$before"
CHATD=$dir/chatd
# shellcheck source=tests/trio.sh
. "$(dirname "$0")/trio.sh"
# shellcheck source=tests/clients.sh
. "$(dirname "$0")/clients.sh"

# ---- A node becomes another program ----

restart() {
    kill "$(pid "node$1")"
    wait "$(pid "node$1")"
    expect "node $1 stops" is 0 $?
    node "$1"
}
upgrades() { grep -c 'this is chatd ' "$dir/node$1.log"; }
has_upgraded() { [ "$(upgrades "$1")" -gt "$2" ]; }
replace() {
    done_before=$(upgrades "$1")
    kill -USR2 "$(pid "node$1")"
    expect "node $1 is upgraded" until_true has_upgraded "$1" "$done_before"
}
# The form of the room's messages, as a node knows it.
form_is() {
    kill -USR1 "$(pid "node$1")"
    [ "$(sed -n 's/.*status: cluster: last message .*, form //p' "$dir/node$1.log" | tail -n 1)" = "$2" ]
}
lines() { grep -c ' msg talker' "$dir/transcript$1"; }
has_lines() { [ "$(lines "$1")" -ge "$2" ]; }
# Lines go on at all nodes, for as long as it takes to say some of each client; and each is connected.
goes_on() {
    wanted=$(($(lines 1) + 300))
    # shellcheck disable=SC2046
    until_true echoed_since $(all_said) || return 1
    for place in 1 2 3; do until_true has_lines $place $wanted || return 1; done
}

# roll HOW PROGRAM OLD-FORM FORM
roll() {
    install "$2"
    for i in 1 2 3; do
        expect "form $3 before node $i has the next program" until_true form_is "$i" "$3"
        "$1" $i
        expect "node $i is there" node_answers $i
        expect "lines go on after node $i" goes_on
    done
    for i in 1 2 3; do expect "form $4 at node $i" until_true form_is "$i" "$4"; done
    expect "lines go on in form $4" goes_on
}
# A program that reads less is at node 2 all at once, HOW: it leaves, and the next one takes its place.
fall_back() {
    install "$2"
    : >"$dir/node2.log"
    "$1" 2
    expect "an older program ends after $1" until_true is_gone node2 || kill -KILL "$(pid node2)"
    wait "$(pid node2)"
    expect 'with that status' is 69 $?
    expect 'and says why' seen node2.log 'a newer form than this chatd reads'
    install "$3"
    node 2
    expect 'the next one is there again' node_answers 2
    expect 'and lines go on' goes_on
}
losses() { cat "$dir"/talker?.err | grep -c 'went away'; }
replace_blindly() { kill -USR2 "$(pid "node$1")"; }

# ---- The upgrades ----

clients_start
expect 'lines come' goes_on
roll restart "$CHATD_NEXT" 1 2
fall_back restart "$before" "$CHATD_NEXT"
lost=$(losses)
roll replace "$CHATD_LATER" 2 3
expect 'SIGUSR2 loses no connection' is "$lost" "$(losses)"
fall_back replace_blindly "$CHATD_NEXT" "$CHATD_LATER"

# ---- The accounts ----

accounts
expect 'no line is missing in the transcripts' is 0 "$(grep -c '^[^ ]* gap ' "$dir/transcript1")"
echo "$(lines 1) lines; connections lost: $(losses)"
finish
