# Runs tests and counts: run.sh TEST... ; a TEST that ends in .sh is run by sh.
#
# A test is passed when it exits 0. What it said is shown when it did not. The counts are of
# single checks where a test tells them (libcheck's summary, or a last line "N passed, N failed"),
# else a test is one. A test that is still running after TEST_SECONDS (600) is failed. Most of them
# wait most of the time, so TEST_JOBS (3) are run side by side.

out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
trap 'kill $lanes; exit 1' HUP INT TERM

limit=
if command -v timeout >/dev/null; then
    limit="timeout -k 5 ${TEST_SECONDS:-600}"
fi

# Sets good and bad to what the output in the log $1 counts, or to nothing.
count() {
    eval "$(awk '
        /^[0-9]+%: Checks: / {
            gsub(/[:,]/, "")
            good = $3 - $5 - $7
            bad = $5 + $7
        }
        /^[0-9]+ passed, [0-9]+ failed$/ {
            good = $1
            bad = $3
        }
        END { printf "good=%s bad=%s", good, bad }' "$1")"
}

# Runs one test, says how it went, all at once, and leaves its counts in the file $2.counts.
run() {
    start=$(date +%s)
    case $1 in
    *.sh) $limit sh "$1" >"$2.log" 2>&1 ;;
    /*) $limit "$1" >"$2.log" 2>&1 ;;
    *) $limit "./$1" >"$2.log" 2>&1 ;;
    esac </dev/null
    status=$?
    count "$2.log"
    if [ "$status" -eq 0 ]; then
        word=ok
        good=${good:-1}
        bad=${bad:-0}
    else
        word=FAILED
        good=${good:-0}
        [ "${bad:-0}" -gt 0 ] || bad=1
    fi
    echo "$good $bad" >"$2.counts"
    {
        printf '%-6s %s (%d passed, %d failed, %d s)\n' "$word" "$1" "$good" "$bad" \
            $(($(date +%s) - start))
        if [ "$word" = FAILED ]; then
            sed 's/^/    /' "$2.log"
            printf '    exit status %d\n' "$status"
        fi
    } >"$2.said"
    cat "$2.said"
}

# A lane takes the next test as long as there is one: who can make its directory has it.
lane() {
    number=0
    for test in "$@"; do
        number=$((number + 1))
        if mkdir "$out/$number" 2>/dev/null; then
            run "$test" "$out/$number/test"
        fi
    done
}

lanes=
job=0
while [ "$job" -lt "${TEST_JOBS:-3}" ]; do
    lane "$@" &
    lanes="$lanes $!"
    job=$((job + 1))
done
wait

cat "$out"/*/test.counts | awk -v wanted=$# '
    { passed += $1; failed += $2 }
    END {
        failed += wanted - NR
        printf "%d passed, %d failed\n", passed, failed
        exit failed > 0
    }'
