# A client of a room on three machines whose way to its node is cut, again and again, in one direction
# or in both, while it sends COUNT (100000) lines: it moves to another node each time, CUTS (10) times,
# and every line arrives once and in order. Then the links between the machines are cut, in
# one direction only, those in LINKS. A cut takes three quarters of a minute, for chat
# gives a path up after that time. Needs root, namespaces, ip, ss, nats-server, and tests/observer.

: "${CHATD:?}" "${CHAT:?}"
trying='ways that are cut'
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
: "${OBSERVER:=$(dirname "$0")/observer}"
[ -x "$OBSERVER" ] || {
    echo "$OBSERVER is needed: make $OBSERVER"
    exit 1
}
# shellcheck source=tests/trio.sh
. "$(dirname "$0")/trio.sh"

cuts=${CUTS:-10}
count=${COUNT:-100000}
part=$((count / cuts))
addresses="$(address 1),$(address 2),$(address 3)"
now() { date +%s; }

# ---- The way of a client ----

# Each cut has its part of the lines, as many pieces of them as there are tenths of some seconds.
pieces=40
feed() {
    for round in $(seq "$cuts"); do
        until_true [ -e "$dir/round$round" ]
        for piece in $(seq $pieces); do
            seq -f 'mover %.0f' $(((round - 1) * part + (piece - 1) * part / pieces + 1)) \
                $(((round - 1) * part + piece * part / pieces))
            sleep 0.1
        done
    done
    until_true [ -e "$dir/over" ] # the client that has moved is still there to be seen
}
said() { seen transcript3 " msg mover mover $1\$"; }
# The node to which the client has a connection that stands.
present() {
    at "$clients" ss -Htn state established |
        sed -n "s/.* 192\.0\.2\.\([123]\):65432 *\$/\1/p" | head -n 1
}
has_moved() {
    after=$(present)
    [ -n "$after" ] && [ "$after" != "$before" ]
}
# way_cut HOW HOST
way_cut() {
    case $1 in
    'in both directions') lose_both "$clients" "$2" ;;
    'on the way back') lose "$2" "$clients" ;;
    'on the way there') lose "$clients" "$2" ;;
    esac
}
# A short cut, which the client does not notice, and one that it does, while lines are under way: on
# the way back alone the node takes lines of which the client hears nothing.
round() {
    : >"$dir/round$1"
    case $(($1 % 3)) in
    0) how='on the way there' ;;
    1) how='on the way back' ;;
    2) how='in both directions' ;;
    esac
    expect "the lines of cut $1 come" until_true said $((($1 - 1) * part + part / 10))
    before=$(present)
    lose_both "$clients" "$before"
    sleep 1
    mend_both "$clients" "$before"
    expect "lines come after a short cut $1" until_true said $((($1 - 1) * part + part / 2))
    way_cut "$how" "$before"
    begun=$(now)
    expect "the client moves after cut $1" until_true has_moved
    mend_both "$clients" "$before"
    echo "cut $1 $how: from node $before to node $after after $(($(now) - begun)) s"
    expect "the lines of cut $1 are there" until_true said $(($1 * part))
}

mkfifo "$dir/keys"
nsenter --target "$(cat "$dir/host$clients")" --net "$CHAT" -k -x -n mover "$addresses" \
    <"$dir/keys" >"$dir/mover" 2>"$dir/mover.log" &
mover=$!
pids="$pids $mover"
feed >"$dir/keys" &
pids="$pids $!"
for i in $(seq "$cuts"); do round "$i"; done
: >"$dir/over"
wait "$mover"
expect 'chat says that every line was accepted' is 0 $?
expect 'and as its echo each line once and in order' is_whole mover mover $((part * cuts))
# That of node 3 has the last line.
expect 'the transcripts are equal' become_equal
expect 'each line once and in order, in the transcript' is_whole transcript1 mover $((part * cuts))
expect 'no line is missing in them' is 0 "$(grep -c '^[^ ]* gap ' "$dir/transcript1")"
echo "$((part * cuts)) lines, $cuts cuts; connections lost: $(grep -c 'went away' "$dir/mover.log")"

# ---- Links between the machines ----

# A server that has led the stream may have kept, and delivered, a message that the others have not:
# nats-server 2.9, when one direction is cut. Then they have different messages at one sequence from
# then on, and a consumer gets that of its own server, which is any of them. Or they have the same in
# the end, and one of them had delivered something else: an observer at each of them has seen that.
copies_are_read() { [ -s "$dir/copy1" ] && [ -s "$dir/copy2" ] && [ -s "$dir/copy3" ]; }
# The servers choose whose copy it is.
copies_read() {
    for place in 1 2 3; do
        at "$place" "$OBSERVER" list "$(address "$place"):4222" room >"$dir/copy" &&
            mv "$dir/copy" "$dir/copy$(sed -n 's/^copy n//p' "$dir/copy")"
    done
    copies_are_read
}
servers_differ() {
    rm -f "$dir"/copy?
    try_for 5 copies_read
    sed -n 's/^stored \([^ ]* [^ ]*\) .*/\1/p' "$dir"/copy? "$dir"/watch?.log | sort -u >"$dir/listed"
    awk 'sequence == $1 { print "sequence", $1, "is", batch, "and", $2; found = 1 }
        { sequence = $1; batch = $2 } END { exit !found }' "$dir/listed"
}
# account WHAT COMMAND...: it is skipped where the servers are to blame.
account() {
    account=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    elif servers_differ; then
        skip "$account" 'the servers differ'
    else
        failed=$((failed + 1))
        echo "failed: $account"
        explain
    fi
}
# The last line of each talker is at that node.
ends_are_at() {
    for talker in 1 2 3; do seen "transcript$1" " link$2$talker 100\$" || return 1; done
}
# one_way FROM TO: lines at each node while FROM's packets to TO are lost
one_way() {
    lose "$1" "$2"
    for i in 1 2 3; do
        for line in $(seq 100); do
            echo "link$1$2$i $line"
            sleep 0.05
        done | timeout "$((60 * CHATD_PATIENCE))" nsenter --target "$(cat "$dir/host$clients")" --net \
            "$CHAT" -k -w 120 -n "talker$i" "$(address $i)" >"$dir/talker$i" 2>&1 &
        echo $! >"$dir/talker$i.pid"
    done
    sleep 10
    mend "$1" "$2"
    for i in 1 2 3; do
        wait "$(pid "talker$i")"
        status=$?
        rm "$dir/talker$i.pid"
        expect "the lines to node $i were accepted, without the way from $1 to $2" is 0 $status
    done
    # What has an echo at one node may be on its way to another; where the servers differ it does not come.
    try_for 20 ends_are_at 1 "$1$2"
    for i in 1 2 3; do account "each once and in order" is_whole transcript1 "link$1$2$i" 100; done
    account "the transcripts are equal after that" become_equal
}
# A node that has read another message than the others leaves, and is started again.
revive() {
    while sleep 0.5; do
        for i in 1 2 3; do ! is_gone "node$i" || node $i; done
    done
}
revive &
reviver=$!
at_end() {
    kill "$reviver"
    wait "$reviver" 2>/dev/null
    kill_all
}
for i in 1 2 3; do begin $i watch$i "$OBSERVER" watch "$(address $i):4222" room; done
for ends in ${LINKS:-12 21 13 31 23 32}; do one_way "${ends%?}" "${ends#?}"; done
finish
