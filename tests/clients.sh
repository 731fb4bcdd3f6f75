# Clients of a room on three hosts, and the accounts in the end, for the scripts that include this
# behind trio.sh. TALKERS (6) clients say RATE (100) lines a second each, in which their names and
# numbers stand; MEMBERS (0) clients for each node only listen. All of them reconnect. An observer at
# each NATS server notes what it acknowledges and delivers, so that what the servers do not have any
# more in the end is known by its sequence. KEEP is a directory in which logs and transcripts are
# left. It gives
#
#   clients_start     starts them all, and waits until they have joined
#   all_said          what all talkers have said up to now
#   echoed_since      they have had echoes of what they have said since
#   accounts          ends the clients, and finds all accounts right
#   later             does something after so many tenths of a second
#   down              kills a server or a node; it is down as long as $dir/NAME.down is there
#   revive            starts what has ended and is not to be down, as a service manager does it
#   leader_find       sets leader to the host whose server leads the stream
#   watch_anew        the stream was removed on purpose: what was seen of it does not count
#   are_current       the three servers have all that the stream has

: "${dir:?}" "${CHAT:?}" "${clients:?}"
: "${OBSERVER:=$(dirname "$0")/observer}"
[ -x "$OBSERVER" ] || {
    echo "$OBSERVER is needed: make $OBSERVER"
    exit 1
}

talkers=$(seq "${TALKERS:-6}")
rate=${RATE:-100}
members=$(seq $((3 * ${MEMBERS:-0})))
said_at_once=$((rate > 10 ? rate / 10 : 1))
pause=$(awk -v rate="$rate" -v lines=$said_at_once 'BEGIN { print lines / rate }')

keep() {
    mkdir -p "$KEEP" &&
        cp "$dir"/*.log "$dir"/*.err "$dir"/transcript? "$dir"/talker*.timed "$dir"/watch? "$dir/happened" \
            "$dir/kills" "$dir"/copy? "$dir/lost" "$KEEP" 2>/dev/null
}
at_end() {
    : >"$dir/hush"
    : >"$dir/end"
    kill_all
    [ -z "${KEEP:-}" ] || keep
}

# ---- Clients ----

feed() {
    line=0
    until [ -e "$dir/hush" ]; do
        last=$((line + said_at_once))
        while [ $line -lt $last ]; do
            line=$((line + 1))
            echo "talker$1 $line"
        done
        echo $line >"$dir/said$1"
        sleep "$pause"
    done
    echo $line >"$dir/count$1"
    until [ -e "$dir/end" ]; do sleep 0.2; done
}
# nodes_of NUMBER: its list of nodes begins with one of the three. One of three goes through it
# in the other direction.
nodes_of() {
    case $(($1 % 9)) in
    1 | 7) echo "$(address 1),$(address 2),$(address 3)" ;;
    2 | 8) echo "$(address 2),$(address 3),$(address 1)" ;;
    0 | 3) echo "$(address 3),$(address 1),$(address 2)" ;;
    4) echo "$(address 1),$(address 3),$(address 2)" ;;
    5) echo "$(address 2),$(address 1),$(address 3)" ;;
    6) echo "$(address 3),$(address 2),$(address 1)" ;;
    esac
}
talk() {
    mkfifo "$dir/talker$1.out"
    "$OBSERVER" time <"$dir/talker$1.out" >"$dir/talker$1.timed" &
    feed "$1" | nsenter --target "$(cat "$dir/host$clients")" --net "$CHAT" -k -x -w 60 \
        -n "talker$1" "$(nodes_of "$1")" >"$dir/talker$1.out" 2>"$dir/talker$1.err" &
    echo $! >"$dir/talker$1.pid"
}
listen() {
    nsenter --target "$(cat "$dir/host$clients")" --net "$CHAT" -k -x -r -w 60 \
        -n "member$1" "$(nodes_of "$1")" </dev/null >"$dir/member$1" 2>"$dir/member$1.err" &
    echo $! >"$dir/member$1.pid"
}
clients_start() {
    for place in 1 2 3; do
        begin "$place" "watch$place" "$OBSERVER" watch "$(address "$place"):4222" room
    done
    for i in $members; do listen "$i"; done
    for i in $members; do expect "member $i has joined" until_true seen "member$i" ' you '; done
    for i in $talkers; do talk "$i"; done
    for i in $talkers; do
        expect "client $i has joined" until_true seen "talker$i.timed" ' you '
    done
}

# ---- What goes wrong, and is mended ----

undoing=
# later TENTHS COMMAND...: undoes something after that time.
later() {
    (
        sleep "$(($1 / 10)).$(($1 % 10))"
        shift
        "$@"
    ) &
    undoing="$undoing $!"
}
down() {
    : >"$dir/$1.down"
    kill -KILL "$(pid "$1")"
}
restarts=0
# revive_one KIND HOST
revive_one() {
    if is_gone "$1$2" && [ ! -e "$dir/$1$2.down" ]; then
        wait "$(pid "$1$2")"
        echo "$1$2 has ended with $?" >>"$dir/happened"
        "$1" "$2"
    fi
}
nats() { server "$1"; }
revive() {
    for place in 1 2 3; do
        revive_one nats $place
        revive_one node $place
    done
    restarts=$(grep -c '^node. has ended' "$dir/happened")
}
: >"$dir/happened"

# What that host's server says of the stream.
stream_info() {
    # shellcheck disable=SC2016
    at $clients "$OBSERVER" ask "$(address "$1"):4222" '$JS.API.STREAM.INFO.CHAT_room' 2>/dev/null
}
leader_find() {
    for place in 1 2 3; do
        stream_info $place >"$dir/info" || continue
        leader=$(sed -n 's/.*"leader":"n\([123]\)".*/\1/p' "$dir/info")
        [ -z "$leader" ] || return 0
    done
    false
}
is_healthy() {
    printf 'GET /healthz HTTP/1.0\r\n\r\n' | at $clients nc -w 2 "$(address "$1")" 8222 2>/dev/null |
        grep -q '"status": *"ok"'
}
are_current() {
    leader_find && [ "$(grep -o '"current":true' "$dir/info" | wc -l)" -eq 2 ] &&
        ! grep -q '"offline":true\|"lag":' "$dir/info" &&
        is_healthy 1 && is_healthy 2 && is_healthy 3
}

# ---- Standstill ----

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
# What all have said, as NUMBER:LINES.
all_said() {
    for i in $talkers; do
        until read -r line <"$dir/said$i"; do :; done # it may be written just now
        printf ' %s:%s' "$i" "$line"
    done
}
# echoed_since NUMBER:LINES...: the talkers have the echoes of lines after those.
echoed_since() {
    for heard in "$@"; do
        tail -n 1000 "$dir/talker${heard%:*}.timed" |
            awk -v name="talker${heard%:*}" -v line="${heard#*:}" \
                '$3 == "msg" && $5 == name && $6 > line { found = 1 } END { exit !found }' || return 1
    done
}

# ---- Accounts ----

count() { cat "$dir/count$1"; }
# Sequences of which the servers' copies differ in the end, or have something else than an observer
# has seen there: lost has them, with what was there. Lines of these messages, and of later
# batches of the same incarnation, which are void where one is missing, are excused.
copies_read() {
    for try in 1 2 3 4 5 6 7 8 9; do
        for place in 1 2 3; do
            at "$place" "$OBSERVER" list "$(address "$place"):4222" room >"$dir/copy" || continue
            mv "$dir/copy" "$dir/copy$(sed -n 's/^copy n//p' "$dir/copy")"
        done
        [ ! -e "$dir/copy1" ] || [ ! -e "$dir/copy2" ] || [ ! -e "$dir/copy3" ] || return 0
    done
    echo "not all servers' copies can be read, in $try rounds"
    touch "$dir/copy1" "$dir/copy2" "$dir/copy3"
}
watch_anew() {
    before=
    for _ in 1 2 3 4 5 6 7 8 9; do # they may still write what they had seen
        lines=$(cat "$dir/watch1.log" "$dir/watch2.log" "$dir/watch3.log" | wc -l)
        [ "$lines" != "$before" ] || break
        before=$lines
        sleep 2
    done
    for place in 1 2 3; do wc -l <"$dir/watch$place.log" >"$dir/watch$place.old"; done
}
watched() {
    for place in 1 2 3; do
        echo 'copy 0'
        read -r old 2>/dev/null <"$dir/watch$place.old" || old=0
        tail -n +$((old + 1)) "$dir/watch$place.log"
    done
}
losses_compare() {
    watched | awk '
        function have(sequence, what, of) {
            if (index(all[sequence], what " ") == 0) all[sequence] = all[sequence] what " "
            if (index(by[sequence, what], of " ") == 0) by[sequence, what] = by[sequence, what] of " "
        }
        $1 == "copy" { of = $2; copies += of != 0; next }
        $1 == "stored" { have($2, $3 "@" $4, of == 0 ? "delivered" : of) }
        $1 == "stored" && of != 0 && $2 > end[of] { end[of] = $2 }
        $1 == "acked" { acked[$2] = acked[$2] $3 " " }
        END {
            least = -1
            for (of in end) if (least == -1 || end[of] < least) least = end[of]
            for (sequence = 1; sequence <= least; sequence++) {
                count = split(all[sequence], what, " ")
                for (i = 1; i <= count; i++) {
                    batch = what[i]
                    sub(/@.*/, "", batch)
                    told = index(acked[sequence], batch " ") ? "acknowledged " : ""
                    if (count > 1) print sequence, batch, told by[sequence, what[i]] "at" substr(what[i], length(batch) + 1)
                }
            }
        }' - "$dir/copy1" "$dir/copy2" "$dir/copy3" >"$dir/lost"
    awk '
        function incarnation(batch) { sub(/:[0-9]*$/, "", batch); return batch }
        function number(batch) { sub(/.*:/, "", batch); return batch + 0 }
        FILENAME == ARGV[1] {
            bad[$2]
            batches[$1] = $1 in batches && batches[$1] != $2 ? "differ" : $2
            line[NR] = $1 " " $2
            next
        }
        FNR == 1 && !done++ {
            for (i in line) {
                split(line[i], part, " ")
                name = incarnation(part[2])
                if (batches[part[1]] == "differ" && (!(name in first) || number(part[2]) < first[name]))
                    first[name] = number(part[2])
            }
        }
        $3 in bad || incarnation($3) in first && number($3) >= first[incarnation($3)]
        ' "$dir/lost" "$dir/watch1.log" "$dir/watch2.log" "$dir/watch3.log" \
        "$dir/copy1" "$dir/copy2" "$dir/copy3" |
        grep -o 'talker[0-9]* [0-9]*' | sort -u >"$dir/excused"
}
losses_find() {
    for place in 1 2 3; do
        kill "$(pid "watch$place")"
        { wait "$(pid "watch$place")"; } 2>/dev/null
        rm "$dir/watch$place.pid"
    done
    copies_read
    losses_compare
}
losses_tell() {
    [ -s "$dir/lost" ] || return 0
    echo "messages of the stream of which servers have another copy, or had one:" \
        "$(cut -d' ' -f1 "$dir/lost" | sort -u | wc -l); lines in these, or void by them:" \
        "$(wc -l <"$dir/excused")"
    head -n "${LOST_LINES:-40}" "$dir/lost"
}
# Without what is excused, where it is.
excusing=false
trimmed() {
    if $excusing; then
        awk 'NR == FNR { excused[$0]; next } !($(NF - 1) " " $NF in excused)' "$dir/excused" "$1"
    else
        cat "$1"
    fi
}
is_whole_but() {
    trimmed "$dir/$1" | sed -n "s/^[^ ]* msg [^ ]* \($2 [0-9]*\)\$/\1/p" >"$dir/found"
    seq -f "$2 %.0f" "$3" >"$dir/whole"
    trimmed "$dir/whole" | cmp - "$dir/found"
}
# From the first message that a client has heard, it has heard all of them, in the one order.
heard_all() {
    trimmed "$dir/$1" | grep '^[^ ]* msg ' >"$dir/heard"
    trimmed "$dir/transcript1" | grep '^[^ ]* msg ' |
        grep -F -x -A 100000000 -e "$(head -n 1 "$dir/heard")" | cmp - "$dir/heard"
}
agree() {
    $excusing || {
        become_equal
        return
    }
    for place in 1 2 3; do trimmed "$dir/transcript$place" | grep ' msg ' >"$dir/trimmed$place"; done
    cmp "$dir/trimmed1" "$dir/trimmed2" && cmp "$dir/trimmed2" "$dir/trimmed3"
}
# account WHAT COMMAND...: where servers have lost messages it is right without what is excused.
account() {
    account=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        return
    fi
    excusing=true
    if [ -s "$dir/lost" ] && "$@"; then
        skip "$account" 'right but for what the servers have lost'
    else
        failed=$((failed + 1))
        echo "failed: $account"
    fi
    excusing=false
}

users_find() {
    revive
    at $clients "$CHAT" -l -w 60 "$(address "$1")" 2>/dev/null | LC_ALL=C sort | cmp - "$dir/everybody"
}
is_there() {
    revive
    answers "$1"
}
has_line() { tail -n 2000 "$dir/$1" | grep -qs -e "$2"; }
# All that the clients have said is at that node, or is known not to come.
has_all() {
    revive
    for talker in $talkers; do
        [ -e "$dir/count$talker" ] || return 1
        last="talker$talker $(count "$talker")"
        seen "transcript$1" " msg [^ ]* $last\$" ||
            { $excusing && seen excused "^$last\$"; } || return 1
    done
}
last_heard() { has_line "$1" "$(sed -n '/^[^ ]* msg /p' "$dir/transcript1" | tail -n 1)"; }
client_end() {
    until_true is_gone "$1" || kill "$(pid "$1")"
    wait "$(pid "$1")"
    status=$?
    rm "$dir/$1.pid"
}
explain() {
    for log in "$dir"/node*.log "$dir"/talker*.err "$dir/happened"; do
        echo "$log:"
        tail -n 30 "$log"
    done
}
# The longest time between two messages, in seconds.
standstill() {
    sed -n 's/^[^T]*T\([0-9]*\):\([0-9]*\):\([0-9.]*\)Z msg .*/\1 \2 \3/p' "$dir/transcript1" |
        awk '{ t = 3600 * $1 + 60 * $2 + $3; if (NR > 1 && t - last > most) most = t - last; last = t }
            END { printf "%.1f\n", most }'
}
accounts() {
    {
        for i in $talkers; do echo "talker$i"; done
        for i in $members; do echo "member$i"; done
    } | LC_ALL=C sort >"$dir/everybody"
    for i in 1 2 3; do expect "node $i is there after all that" until_true is_there $i; done
    : >"$dir/hush"
    for i in 1 2 3; do until_true has_all $i || echo "node $i does not have all that was said"; done
    losses_find
    losses_tell
    # shellcheck disable=SC2034 # what is lost does not come
    [ ! -s "$dir/lost" ] || CHATD_PATIENCE=1
    for i in 1 2 3; do account "everything is at node $i" has_all $i; done
    for i in 1 2 3; do expect "the users of node $i" until_true users_find $i; done
    : >"$dir/end"
    for i in $talkers; do
        client_end "talker$i"
        account "every line of client $i was accepted" is 0 $status
        sed 's/^[0-9]* //' "$dir/talker$i.timed" >"$dir/talker$i"
    done
    account "the transcripts are equal" agree
    for i in $talkers; do
        account "each line of client $i once and in order" \
            is_whole_but transcript1 "talker$i" "$(count "$i")"
        account "and as its echo" is_whole_but "talker$i" "talker$i" "$(count "$i")"
        account "client $i has heard everything" heard_all "talker$i"
    done
    for i in $members; do
        account "member $i has heard the last message" until_true last_heard "member$i"
        account "member $i has heard everything" heard_all "member$i"
    done
    echo "$(grep -c ' msg ' "$dir/transcript1") lines of $(wc -l <"$dir/everybody") clients," \
        "nodes started again: $restarts, longest standstill: $(standstill) s," \
        "gaps: $(grep -c '^[^ ]* gap ' "$dir/transcript1")"
    echo "messages that servers have lost: $(cut -d' ' -f1 "$dir/lost" | sort -u | wc -l)"
}
