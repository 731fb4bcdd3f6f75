#!/bin/sh
# Makes doc/picture.svg: three people and a script in a room, in four real terminals of tmux.
#
#   make && doc/picture.sh            takes four minutes: the times in the picture differ
#   make && doc/picture.sh quick      does not wait for another minute
#
# Needs tmux. What the terminals show at the end is what is drawn, colours included; nothing is
# drawn by hand. All text has to be of characters one cell wide.

cd "$(dirname "$0")/.." || exit 1
CHATD=${CHATD:-$PWD/chatd}
CHAT=${CHAT:-$PWD/chat}
unset CHAT_NAME CHAT_PASS NO_COLOR ENV TMUX
export CHATD CHAT LC_ALL=C.UTF-8 SHELL=/bin/sh
quick=${1:-}
columns=49
rows=13

dir=$(mktemp -d) || exit 1
room=
screen() {
    tmux -u -S "$dir/tmux" -f /dev/null "$@"
}
leave() {
    screen kill-server 2>/dev/null
    [ -z "$room" ] || kill "$room"
    wait
    rm -rf "$dir"
}
trap leave EXIT
trap 'exit 1' HUP INT TERM

# until_true COMMAND...: tries for 20 seconds, times CHATD_PATIENCE.
until_true() {
    tries=$((400 * ${CHATD_PATIENCE:-1}))
    until "$@"; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            echo "picture.sh: not in time: $*" >&2
            exit 1
        fi
        sleep 0.05
    done
}
listening() { grep -qs 'listening on' "$dir/log"; }
shown() { screen capture-pane -p -J -t "$1" | grep -Fq -e "$2"; }
prompt_is() { screen capture-pane -p -t "$1" | grep -v '^$' | tail -n 1 | grep -q "^$2 *\$"; }
prompted() { prompt_is "$1" '[>$]'; }

# The next line has another time.
minute_passed() { [ "$(date +%M)" != "$minute" ]; }
next_minute() {
    [ "$quick" != quick ] || return
    minute=$(date +%M)
    until minute_passed; do
        sleep 1
    done
}

# terminal NAME COMMAND: a terminal in which a line can be typed.
terminal() {
    screen new-session -d -s "$1" -x "$columns" -y "$rows" "$2"
    until_true prompted "$1"
}

# says WHO LINE [SEEN]: types it, and waits for all who are there to see it.
says() {
    screen send-keys -t "$1" -l "$2"
    screen send-keys -t "$1" Enter
    for seer in $people; do
        until_true shown "$seer" "${3:-$1: $2}"
    done
    until_true prompted "$1"
}

"$CHATD" -l "$dir/room" 2>"$dir/log" &
room=$!
until_true listening
export CHAT_SERVER="$dir/room"
mkdir "$dir/bin"
ln -s "$CHAT" "$dir/bin/chat"
ln -s "$PWD/contrib/bots/chat-report" "$dir/bin/chat-report"

terminal ann 'exec "$CHAT" -n ann'
terminal max 'exec "$CHAT" -n max'
people='ann max'
until_true shown ann 'max joined'
terminal script "exec env PS1='\$ ' PATH='$dir/bin:$PATH' sh"

says ann 'has the build gone through?'
next_minute
says max 'nearly: the options are being tested'
says script 'chat-report -n nightly sh tests/test_options.sh' 'nightly*: ok after'
next_minute
terminal zoe 'exec "$CHAT" -n Zoë'
until_true shown ann 'Zoë joined'
people='ann max zoe'
says zoe 'grüße aus Köln! shall I release it?' 'Zoë: grüße aus Köln! shall I release it?'
says ann 'yes, please'
next_minute
says script "chat -n deploy -m 'release 1.4 is out'" 'deploy*: release 1.4 is out'
people='max zoe'
says zoe '/msg max tea at four?' 'tea at four?'
next_minute

# max has begun a line when one arrives, and Zoë has pasted three.
people='ann max zoe'
screen send-keys -t max -l 'now we only have to tell the'
until_true prompt_is max '> now we only have to tell the'
says ann 'well done. What is new in it, Zoë?'
until_true prompt_is max '> now we only have to tell the'
screen set-buffer -- "$(printf '%s\n' '- several machines share a room' '- operators' '- a paste waits for Return')"
screen paste-buffer -p -t zoe
until_true prompt_is zoe '\[3 lines\] >'
screen send-keys -t script -l 'chat -l'
screen send-keys -t script Enter
until_true shown script Zoë
until_true prompted script

# The rows of each terminal, after a line that tells where it goes, its title and its cursor.
for place in '0 0 ann' '1 0 max' '0 1 zoe' '1 1 script'; do
    name=${place##* }
    case $name in
    max) title='max, who is typing' ;;
    zoe) title='Zoë, who has pasted three lines' ;;
    script) title='a script' ;;
    *) title=$name ;;
    esac
    echo "terminal ${place% *} $(screen display-message -p -t "$name" '#{cursor_x} #{cursor_y}') $title"
    screen capture-pane -e -p -t "$name"
done >"$dir/terminals"

# Bytes, not characters, with every awk: those of 0x80 to 0xBF continue one.
LC_ALL=C awk -v columns="$columns" -v rows="$rows" '
BEGIN {
    cell = 8.4
    height = 18
    pad = 12
    bar = 26
    gap = 10
    wide = columns * cell + 2 * pad
    high = bar + rows * height + pad
    escape = sprintf("%c", 27)
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\"", 2 * wide + gap + 2,
        2 * high + gap + 2
    print " font-family=\"ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\">"
    print "<title>Three people and a script in a room of chatd</title>"
    print "<style>"
    print "text { white-space: pre; fill: #24292f } .back { fill: #fcfcfa } .box { fill: #fcfcfa; stroke: #b8bec6 }"
    print ".title { fill: #6a737d; text-anchor: middle } .cursor { fill: #24292f; opacity: .45 }"
    print ".red { fill: #c62828 } .green { fill: #1a7f37 } .dim { opacity: .65 } .bold { font-weight: bold }"
    print "@media (prefers-color-scheme: dark) {"
    print "text { fill: #d7dae0 } .back { fill: #15181d } .box { fill: #15181d; stroke: #474d57 } .title { fill: #9aa1ab }"
    print ".cursor { fill: #d7dae0 } .red { fill: #ff7b72 } .green { fill: #56d364 } }"
    print "</style>"
}

function cells(text) {
    gsub(/[\200-\277]/, "", text)
    return length(text)
}

# A part of a colour, which is a level from 0 to 5, darker for a light background or lighter for a
# dark one.
function shade(level, dark,   value) {
    value = level ? 55 + 40 * level : 0
    return sprintf("%02x", dark ? value + (255 - value) * .35 : value * .85)
}

# A colour of the cube of 256, from 16 to 231.
function cube(n, dark,   i, parts) {
    for (i = 36; i >= 1; i /= 6)
        parts = parts shade(int((n - 16) / i) % 6, dark)
    return "#" parts
}

# Select Graphic Rendition: what this terminal has been told so far.
function render(codes,   n, part, i) {
    n = split(codes == "" ? "0" : codes, part, ";")
    for (i = 1; i <= n; i++) {
        if (part[i] == 0)
            weight = fill = reverse = ""
        else if (part[i] == 1)
            weight = weight " bold"
        else if (part[i] == 2)
            weight = weight " dim"
        else if (part[i] == 7)
            reverse = 1
        else if (part[i] == 27)
            reverse = ""
        else if (part[i] == 31)
            fill = " red"
        else if (part[i] == 32)
            fill = " green"
        else if (part[i] == 38) {
            hues[part[i + 2]]
            fill = " hue" part[i + 2]
            i += 2
        } else if (part[i] == 39)
            fill = ""
        else if (part[i] != 49) {
            print "picture.sh: what is SGR " part[i] "?" >"/dev/stderr"
            exit failed = 1
        }
    }
}

function draw(text,   style, width, x) {
    while (sub(/^ /, "", text))
        at++
    width = cells(text)
    at += width
    sub(/ +$/, "", text)
    if (text == "")
        return
    x = left + pad + (at - width) * cell
    width = cells(text) * cell
    style = weight fill
    if (reverse) {
        printf "<rect class=\"%s\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\"/>\n", substr(style, 2), x,
            y - 14, width, height
        style = weight " back"
    }
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    printf "<text x=\"%g\" y=\"%g\" textLength=\"%g\"%s>%s</text>\n", x, y, width,
        style != "" ? " class=\"" substr(style, 2) "\"" : "", text
}

/^terminal [01] [01] / {
    left = 1 + $2 * (wide + gap)
    top = 1 + $3 * (high + gap)
    printf "<rect class=\"box\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" rx=\"8\"/>\n", left, top, wide, high
    printf "<rect class=\"cursor\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\"/>\n", left + pad + $4 * cell,
        top + bar + $5 * height, cell, height
    sub(/^terminal [01] [01] [0-9]+ [0-9]+ /, "")
    printf "<text class=\"title\" x=\"%g\" y=\"%g\">%s</text>\n", left + wide / 2, top + 18, $0
    y = top + bar - 4
    weight = fill = reverse = ""
    next
}

{
    at = 0
    y += height
    n = split($0, run, escape "\\[")
    draw(run[1])
    for (i = 2; i <= n; i++) {
        match(run[i], /^[0-9;]*m/)
        render(substr(run[i], 1, RLENGTH - 1))
        draw(substr(run[i], RLENGTH + 1))
    }
}

END {
    if (failed)
        exit 1
    print "<style>"
    for (n in hues)
        printf ".hue%d { fill: %s }\n", n, cube(n, 0)
    print "@media (prefers-color-scheme: dark) {"
    for (n in hues)
        printf ".hue%d { fill: %s }\n", n, cube(n, 1)
    print "}\n</style>\n</svg>"
}
' "$dir/terminals" >"$dir/picture.svg" && cp "$dir/picture.svg" doc/picture.svg
