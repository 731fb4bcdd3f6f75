# The line editor in a real terminal: chat in tmux at three sizes, a hundred messages a second while
# somebody types, other sizes, every key, a paste, Ctrl-Z. Needs tmux; `sh tests/run.sh` counts it.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
unset CHAT_NAME CHAT_PASS CHAT_SERVER NO_COLOR
export LC_ALL=C.UTF-8
need tmux

screen() {
    tmux -u -S "$dir/tmux" -f "$dir/conf" "$@"
}
at_end() { screen kill-server 2>/dev/null; }
explain() {
    echo "  $*"
    screen capture-pane -p -S - | tail -n 40 | sed 's/^/    |/'
}

# The line as the screen shows it, its rows put together.
line_shown() {
    screen capture-pane -p | awk '/^>( |$)/{ line = ""; on = 1 } on { line = line $0 } END { print line }'
}
line_is() { [ "$(line_shown)" = "$1" ]; }
shows() { until_true line_is "$1"; }
cursor_is() { [ "$(screen display-message -p '#{cursor_x}')" -eq "$1" ]; }
cursor_at() { until_true cursor_is "$1"; }
file_has() { grep -qs -e "$2" "$1"; }
prompt_is_up() { screen capture-pane -p | grep -q '^>'; }

# All that the terminal has ever shown above the line are whole messages, and the line is there once.
only_messages_above() {
    screen capture-pane -p -S - | awk '
        /^>/ { lines++; next }
        lines == 0 && !/^[0-9][0-9]:[0-9][0-9] / && !/^  / { print "what is this: " $0; bad = 1 }
        END { exit bad || lines != 1 }'
}
only_messages_remain() { until_true only_messages_above >/dev/null || only_messages_above; }
all_messages_above() {
    screen capture-pane -p -S - | sed -n 's/^..:.. bob: flood \([0-9]*\)$/\1/p' |
        awk -v last="$1" '$1 != NR { bad = 1 } END { exit bad || NR != last }'
}

start_chat() {
    screen new-session -d -x "$1" -y "$2" "$CHAT -H 0 -n ann $dir/room; echo status \$?; cat"
    until_true prompt_is_up
}
stop_chat() {
    screen send-keys C-u C-d
    until_true ended
    screen kill-session
}
ended() { screen capture-pane -p | grep -q '^status 0'; }

# type TEXT: one key after another, to the line that was typed so far.
typed=
type_slowly() {
    rest=$1
    while [ -n "$rest" ]; do
        key=${rest%"${rest#?}"}
        rest=${rest#?}
        screen send-keys -l "$key"
    done
    typed=$typed$1
}
digits() {
    awk -v n="$1" 'BEGIN { while (i < n) printf "%d", ++i % 10 }'
}
flood_of() {
    i=0
    while [ "$i" -lt "$1" ]; do
        i=$((i + 1))
        echo "flood $i"
        sleep 0.008
    done
}

# Messages arrive while the line grows to one row and a half.
type_in_a_flood() {
    typed=
    flood_of 300 | "$CHAT" -n bob "$dir/room" >/dev/null &
    flood=$!
    pids="$pids $flood"
    type_slowly 'zero 你好 '
    screen send-keys -l "$(printf 'e\314\201')"
    typed=$typed$(printf 'e\314\201')
    type_slowly ' onx'
    screen send-keys BSpace
    typed=${typed%x}
    type_slowly 'e'
    expect "$1: the line in the flood" shows "> $typed"
    type_slowly "$(digits $(($2 * 3 / 2)))"
    expect "$1: the long line in the flood" shows "> $typed"
    screen send-keys Home Right Right Right Right
    expect "$1: the cursor moves" cursor_at 6
    screen send-keys End
    wait "$flood"
    expect "$1: the flood went out" [ $? -eq 0 ]
    expect "$1: all arrived" until_true all_messages_above 300
    expect "$1: the line after the flood" shows "> $typed"
    expect "$1: the cursor is at its end" cursor_at $(((17 + $2 * 3 / 2) % $2))
    expect "$1: nothing else was left" only_messages_remain
}

# resize SIZE OTHER...: what a terminal has folded is put right.
resize() {
    for size in "$@" "$1"; do
        screen resize-window -x "${size%x*}" -y "${size#*x}"
        expect "$1: the line at $size" shows "> $typed"
        expect "$1: the cursor at $size" cursor_at $(((17 + ${1%x*} * 3 / 2) % ${size%x*}))
    done
    expect "$1: nothing was left" only_messages_remain
    screen send-keys Enter
    expect "$1: the line went out" until_true file_has "$dir/seen" "Z msg ann $typed\$"
}

# The last four rows are the end of that text.
ends_with() {
    rows=$(screen capture-pane -p | tail -n 4 | tr -d '\n')
    [ "${#rows}" -gt 60 ] && [ "$1" = "${1%"$rows"}$rows" ]
}
# A line that is taller than the screen: the part with the cursor is shown.
taller_than_the_screen() {
    tall=$(digits 150)
    screen send-keys -l "$tall"
    expect 'tall: its end is shown' cursor_at 12
    expect 'tall: in four rows' until_true ends_with "$tall"
    screen send-keys Home
    expect 'tall: its beginning is shown' shows "> $(digits 78)"
    screen send-keys End
    expect 'tall: its end again' cursor_at 12
    screen send-keys C-u
    expect 'tall: it is gone' shows '>'
    expect 'tall: nothing was left' only_messages_remain
}

# keys EXPECTED KEY...
keys() {
    expected=$1
    shift
    screen send-keys "$@"
    expect "keys $*" shows "$expected"
    screen send-keys C-e C-u
    shows '>'
}

prompts_are() { [ "$(screen capture-pane -p | grep -c '^>')" -eq "$1" ]; }

# A line of several rows, on a screen that is made lower than that, and high again: rows that were
# gone come back.
ghosts() {
    typed=$(digits 50)
    screen send-keys -l "$typed"
    expect 'ghosts: the line' shows "> $typed"
    screen resize-window -x 20 -y 2
    expect 'ghosts: its end' until_true has_line "$(digits 50 | tail -c 12)"
    screen resize-window -x 20 -y 10
    expect 'ghosts: the line again' shows "> $typed"
    expect 'ghosts: there is one' until_true prompts_are 1
    screen send-keys C-u
    expect 'ghosts: it is gone' shows '>'
}

has_line() { screen capture-pane -p | grep -q -x -e "$1"; }

every_key() {
    keys '> abXc' a b c Left X
    keys '> aXbc' a b c Left Left Left Right X
    keys '> Xabc' a b c Home X
    keys '> XabcY' a b c C-a X C-e Y
    keys '> XabcY' a b c Home X End Y
    keys '> XabcY' a b c C-b C-b C-b X C-f C-f C-f Y
    keys '> ab' a b c BSpace
    keys '> ac' a b c Left Left DC
    keys '> ac' a b c Left Left C-d
    keys '> bc' a b c Left Left C-u
    keys '> a' a b c Left Left C-k
    keys '> one' o n e Space t w o C-w
    keys '>' a b c C-c
    keys '> ab' a F5 b M-x C-Up
    keys '> one two' o n e Space t w o C-w C-y
    keys '> one-' o n e - t w o M-BSpace
    keys '>  two' o n e Space t w o C-a M-d
    keys '>  two' o n e Space t w o C-a C-DC
    keys '> Xone Ytwo' o n e Space t w o C-Left Y M-Left M-b X
    keys '> oneX two' o n e Space t w o Home C-Right X
    keys '> ba' a b C-t
    keys '> one' o n e Space t w o C-w BSpace C-_ C-_ BSpace BSpace BSpace BSpace
    keys '> /users' / u Tab
    keys '> Bob_the_witness: hi' B o Tab h i
    keys '> /msg Bob_the_witness hi' / m s g Space b Tab h i
    keys '> first' f i r s t Enter s e c o n d Enter Up Up
    keys '> half' h a l f Up Up Down Down
    keys '> first' f i Up
    keys '> ab' a Escape Left Right b
    screen set-buffer "$(printf 'pasted 1\npasted \033[2J2\npasted 3')"
    screen paste-buffer -p
    expect 'a paste' until_true has_line '\[3 lines\] >'
    screen send-keys C-c
    expect 'it is dropped' shows '>'
    screen paste-buffer -p
    until_true has_line '\[3 lines\] >'
    screen send-keys Enter
    expect 'its first line' until_true file_has "$dir/seen" 'msg ann pasted 1$'
    expect 'its second line' until_true file_has "$dir/seen" 'msg ann pasted 2$'
    expect 'its last line' until_true file_has "$dir/seen" 'msg ann pasted 3$'
    screen send-keys x C-l
    expect 'the screen drawn again' shows '> x'
    expect 'with what was said' until_true has_line '..:.. ann: pasted 3'
}

# The shell gets its terminal back, and chat its line.
stop_and_continue() {
    screen new-session -d -x 80 -y 24 "PS1='shell ' sh -i"
    until_true has_line 'shell'
    screen send-keys "stty -a >$dir/before; $CHAT -n ann $dir/room" Enter
    until_true prompt_is_up
    screen send-keys h a l f Left C-z
    until_true has_line 'shell'
    screen send-keys "stty -a >$dir/between; fg" Enter
    expect 'the line is there again' shows '> half'
    expect 'and the cursor' cursor_at 5
    screen send-keys C-c C-c
    until_true has_line 'shell'
    screen send-keys "stty -a >$dir/after; echo do\\ne" Enter
    until_true has_line 'done'
    expect 'modes when stopped' cmp "$dir/before" "$dir/between"
    expect 'modes when ended' cmp "$dir/before" "$dir/after"
}

printf 'set -g status off\nset -g history-limit 5000\nset -sg escape-time 0\nset -s exit-empty off\n' >"$dir/conf"
# shellcheck disable=SC2086
"$CHATD" ${CHATD_OPTIONS:-} -l "$dir/room" 2>"$dir/log" &
pids=$!
until_true file_has "$dir/log" 'listening on' || exit 1
"$CHAT" -x -r -n Bob_the_witness "$dir/room" >"$dir/seen" &
pids="$pids $!"
until_true file_has "$dir/seen" 'Z you ' || exit 1

for size in 80x24 20x5 200x50; do
    start_chat "${size%x*}" "${size#*x}"
    type_in_a_flood "$size" "${size%x*}"
    case $size in
    80x24) resize 80x24 33x12 17x12 60x12 250x60 ;;
    20x5) resize 20x5 11x6 13x9 15x7 ;;
    200x50) resize 200x50 150x20 149x20 33x12 300x20 ;;
    esac
    stop_chat
done
start_chat 20 5
taller_than_the_screen
stop_chat
start_chat 20 10
ghosts
stop_chat
start_chat 80 24
every_key
stop_chat
stop_and_continue

finish
