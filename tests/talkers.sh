# Six clients of a room on three hosts, two of each, which reconnect and say lines until $dir/hush is
# there, and stay until $dir/end is. For the scripts that include this behind trio.sh. It gives
#
#   talk, talkers   starts one of them, by its number; all numbers. What it is told is in talkerN
#   count           how many lines it has said, when $dir/hush was there
#   has_all         all lines are in the transcript of that node
#   heard_all       a client has been told everything that was said since it came
#   users           the users list of a node
#   is_gone         the process of a name has ended, and may be waited for

: "${dir:?}" "${clients:?}"
talkers='1 2 3 4 5 6'

feed() {
    line=0
    until [ -e "$dir/hush" ]; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            line=$((line + 1))
            echo "talker$1 $line"
        done
        sleep 0.1
    done
    echo $line >"$dir/count$1"
    until_true [ -e "$dir/end" ]
}
# talk NUMBER: its list of nodes begins with one of the three
talk() {
    case $(($1 % 3)) in
    0) list="$(address 1),$(address 2),$(address 3)" ;;
    1) list="$(address 2),$(address 3),$(address 1)" ;;
    2) list="$(address 3),$(address 1),$(address 2)" ;;
    esac
    feed "$1" | nsenter --target "$(cat "$dir/host$clients")" --net \
        "$CHAT" -k -x -w 60 -n "talker$1" "$list" >"$dir/talker$1" 2>"$dir/talker$1.err" &
    echo $! >"$dir/talker$1.pid"
}
count() { cat "$dir/count$1"; }
is_gone() {
    case $(sed -n 's/^State:[^A-Z]*//p' "/proc/$(pid "$1")/status" 2>/dev/null) in
    '' | Z*) ;;
    *) false ;;
    esac
}
# All that the clients have said is in the transcript of that node.
has_all() {
    for talker in $talkers; do
        [ -e "$dir/count$talker" ] &&
            seen "transcript$1" " msg [^ ]* talker$talker $(count "$talker")\$" || return 1
    done
}
users() { at $clients "$CHAT" -l -w 60 "$(address "$1")" | sort | tr '\n' ' '; }
# From the first message that a client has heard, it has heard all of them, in the one order.
heard_all() {
    grep '^[^ ]* msg ' "$dir/$1" >"$dir/heard"
    first=$(head -n 1 "$dir/heard")
    sed -n '/^[^ ]* msg /p' "$dir/transcript1" | grep -F -x -A 100000000 -e "$first" |
        cmp - "$dir/heard"
}
