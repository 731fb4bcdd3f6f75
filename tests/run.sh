# Runs tests and counts: run.sh TEST... ; a TEST that ends in .sh is run by sh.
#
# A test is passed when it exits 0. What it said is shown when it did not. The counts are of
# single checks where a test tells them (libcheck's summary, or a last line "N passed, N failed"),
# else a test is one. A test that is still running after TEST_SECONDS (600) is failed.

passed=0
failed=0
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 1' HUP INT TERM

limit=
if command -v timeout >/dev/null; then
    limit="timeout -k 5 ${TEST_SECONDS:-600}"
fi

# Sets good and bad to what the output in $out/log counts, or to nothing.
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
        END { printf "good=%s bad=%s", good, bad }' "$out/log")"
}

for test in "$@"; do
    start=$(date +%s)
    case $test in
    *.sh) $limit sh "$test" >"$out/log" 2>&1 ;;
    /*) $limit "$test" >"$out/log" 2>&1 ;;
    *) $limit "./$test" >"$out/log" 2>&1 ;;
    esac </dev/null
    status=$?
    count
    if [ "$status" -eq 0 ]; then
        word=ok
        good=${good:-1}
        bad=${bad:-0}
    else
        word=FAILED
        good=${good:-0}
        [ "${bad:-0}" -gt 0 ] || bad=1
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
    printf '%-6s %s (%d passed, %d failed, %d s)\n' "$word" "$test" "$good" "$bad" \
        $(($(date +%s) - start))
    if [ "$word" = FAILED ]; then
        sed 's/^/    /' "$out/log"
        printf '    exit status %d\n' "$status"
    fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
