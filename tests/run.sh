# Runs tests and counts: run.sh TEST... ; a TEST that ends in .sh is run by sh.
#
# A test is passed when it exits 0. What it said is shown when it did not. The counts are of
# single checks where a test tells them (libcheck's summary, or a last line "N passed, N failed"),
# else a test is one. A line "skipped: WHAT: WHY" is one that was skipped: it is shown, and not
# passed. A test that is still running after TEST_SECONDS (900) is failed. Most tests wait most of
# the time, so TEST_JOBS (6) are run side by side, those in the file slow first.

out=$(mktemp -d) || exit 1
lanes=
trap 'rm -rf "$out"' EXIT
# shellcheck disable=SC2086 # one word each
trap 'kill $lanes 2>/dev/null; wait; exit 1' HUP INT TERM

slow=$(grep '^test_' "$(dirname "$0")/slow")
limit=
if command -v timeout >/dev/null; then
    limit="timeout -k 5 ${TEST_SECONDS:-900}"
fi

# Sets good, bad and skipped to what the log $1 counts; good and bad to nothing where it does not.
count() {
    skipped=0
    eval "$(awk '
        /^skipped: / { skipped++ }
        /^[0-9]+%: Checks: / {
            gsub(/[:,]/, "")
            good = $3 - $5 - $7 - skipped
            bad = $5 + $7
        }
        /^[0-9]+ passed, [0-9]+ failed/ {
            good = $1
            bad = $3
        }
        END { printf "good=%s bad=%s skipped=%d", good, bad, skipped }' "$1")"
}

# Runs one test in the directory $2, where it leaves what is to be said of it, and its counts.
run() {
    start=$(date +%s)
    case $1 in
    *.sh) set -- "$1" "$2" sh "$1" ;;
    /*) set -- "$1" "$2" "$1" ;;
    *) set -- "$1" "$2" "./$1" ;;
    esac
    test=$1
    at=$2
    shift 2
    # In the background: a signal to the lane interrupts wait, and goes on to the test.
    $limit "$@" </dev/null >"$at/log" 2>&1 &
    running=$!
    wait "$running"
    status=$?
    running=
    count "$at/log"
    if [ "$status" -eq 0 ]; then
        word=ok
        good=${good:-1}
        bad=${bad:-0}
    else
        word=FAILED
        good=${good:-0}
        [ "${bad:-0}" -gt 0 ] || bad=1
    fi
    {
        [ "$skipped" -eq 0 ] && also= || also=", $skipped skipped"
        printf '%-6s %s (%d passed, %d failed%s, %d s)\n' "$word" "$test" "$good" "$bad" "$also" \
            $(($(date +%s) - start))
        if [ "$word" = FAILED ]; then
            sed 's/^/    /' "$at/log"
            printf '    exit status %d\n' "$status"
        else
            sed -n 's/^skipped: /    &/p' "$at/log"
        fi
    } >"$at/said"
    echo "$good $bad $skipped" >"$at/counts"
}

# Runs those of the tests whose name matches the pattern $1 and that no lane has taken: the one that
# can make its directory has it. It prints the number of each that is done.
take() {
    pattern=$1
    shift
    number=0
    for test in "$@"; do
        number=$((number + 1))
        # shellcheck disable=SC2254 # a pattern
        case ${test##*/} in
        $pattern) ;;
        *) continue ;;
        esac
        if mkdir "$out/$number" 2>/dev/null; then
            run "$test" "$out/$number"
            echo "$number"
        fi
    done
}

# A lane takes the next test as long as there is one. The longest are first, so that none is left
# alone in the end.
lane() {
    running=
    # shellcheck disable=SC2064,SC2086
    trap '[ -z "$running" ] || { kill "$running"; wait "$running"; }; exit 1' HUP INT TERM
    for name in $slow; do
        take "$name" "$@"
    done
    take '*' "$@"
}

# One reader, so that what was said of one test stays together. The pipe is open before the first lane
# can have ended.
mkfifo "$out/done" || exit 1
exec 3<>"$out/done"
job=0
while [ "$job" -lt "${TEST_JOBS:-6}" ]; do
    lane "$@" >&3 3>&- &
    lanes="$lanes $!"
    job=$((job + 1))
done
exec 4<"$out/done" 3>&-
while read -r number; do
    cat "$out/$number/said"
done <&4
wait

cat "$out"/*/counts | awk -v wanted=$# '
    { passed += $1; failed += $2; skipped += $3 }
    END {
        failed += wanted - NR
        printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
        exit failed > 0
    }'
