# What the scripts of this directory share; each begins with . "$(dirname "$0")/lib.sh". It gives
#
#   dir       a directory, which is gone in the end
#   pids      processes that are killed in the end, where they are still there
#   expect    counts a command that must succeed; finish ends the script with the counts
#   comes     expects a line that is waited for; in a scene, a function, `comes ... || return` ends it
#   join      lets nc join the room, and speak lets it say something
#   start     starts a daemon, and stop ends it
#   skip      counts what cannot be tried here, and says why
#   at_end    is to be defined anew by who has more to do in the end
#   explain   the same, by who has something to show where an expectation fails

passed=0
failed=0
skipped=0
pids=
dir=$(mktemp -d) || exit 1
# It is noon: on a terminal, chat shows that another day has begun.
hour=$(date -u +%H)
TZ=NOON$((${hour#0} - 12))
export TZ

at_end() { :; }
explain() { :; }
leave() {
    at_end
    for pid in $pids; do
        kill "$pid" 2>/dev/null
    done
    wait
    rm -rf "$dir"
}
trap leave EXIT
trap 'exit 1' HUP INT TERM

# need TOOL...
need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || {
            echo "$tool is needed"
            exit 1
        }
    done
}

# try_for SECONDS COMMAND...: tries it for so long, times CHATD_PATIENCE.
try_for() {
    tries=$((10 * $1 * ${CHATD_PATIENCE:-1}))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1 2>/dev/null || sleep 1
    done
}
# The same for a minute.
until_true() { try_for 60 "$@"; }

# A line of the file $dir/$1 matches.
seen() { grep -qs -e "$2" "$dir/$1"; }
# has FILE PATTERN: sooner or later.
has() { until_true seen "$1" "$2"; }

# page_block PAGE PATTERN: the first literal block of a manual page that has a match.
page_block() {
    awk -v pattern="$2" '
        /^\.Bd -literal/ { text = ""; on = 1; next }
        /^\.Ed/ { if (on && text ~ pattern) { printf "%s", text; found = 1; exit } on = 0 }
        on { sub(/\\e$/, "\\"); text = text $0 "\n" }
        END { exit !found }' "$1"
}

# expect WHAT COMMAND...: false where the command fails.
expect() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $what"
        explain "$@"
        false
    fi
}
# comes FILE PATTERN
comes() { expect "in $1: $2" has "$1" "$2"; }

# skip WHAT WHY
skip() {
    skipped=$((skipped + 1))
    echo "skipped: $1: $2"
}

# is EXPECTED FOUND
is() {
    [ "$1" = "$2" ] || {
        echo "expected: $1"
        echo "found:    $2"
        false
    }
}

# ---- Daemons of others, on a port of 127.0.0.1; nc is needed. ----

answers() { nc -z 127.0.0.1 "$1" 2>/dev/null; }

# Sets port to one that was free a moment ago, below those that the kernel gives to who asks for any:
# only another script takes it, which begins elsewhere.
offer=$(($$ * 13))
find_port() {
    while
        offer=$((offer + 1))
        port=$((10000 + offer % 20000))
        answers "$port"
    do :; done
}

# start TOOL: calls run_TOOL on a port until nobody else has taken that meanwhile.
up_or_dead() { answers "$port" || ! kill -0 "$daemon" 2>/dev/null; }
start() {
    for attempt in 1 2 3; do
        find_port
        "run_$1" >"$dir/$1.log" 2>&1 &
        daemon=$!
        if until_true up_or_dead && kill -0 "$daemon" 2>/dev/null; then
            pids="$pids $daemon"
            return 0
        fi
        kill "$daemon" 2>/dev/null
    done
    echo "$1 does not start (attempt $attempt):"
    cat "$dir/$1.log"
    failed=$((failed + 1))
    return 1
}
stop() {
    kill "$daemon"
    wait "$daemon"
}

# is_own ADDRESS: a server can listen there.
is_own() { "$CHATD" -S off -x 0.1 -l "$1:0" 2>/dev/null; }

# ---- Clients: nc is needed, and CHAT_SERVER is HOST:PORT. ----

# join NAME LINE...: sends the lines, and later what speak says; what comes is in $dir/NAME.
join() {
    name=$1
    shift
    printf '%s\n' "$@" >"$dir/$name.in"
    : >"$dir/$name" # of an earlier one of that name
    rm -f "$dir/$name.pipe"
    mkfifo "$dir/$name.pipe"
    tail -f -n +1 "$dir/$name.in" >"$dir/$name.pipe" 2>/dev/null &
    pids="$pids $!"
    nc "${CHAT_SERVER%:*}" "${CHAT_SERVER##*:}" <"$dir/$name.pipe" >"$dir/$name" &
    pids="$pids $!"
}
# speak NAME LINE
speak() { echo "$2" >>"$dir/$1.in"; }

# ---- The end ----

finish() {
    [ "$skipped" -eq 0 ] && also= || also=", $skipped skipped"
    echo "$passed passed, $failed failed$also"
    [ "$failed" -eq 0 ]
    exit
}
