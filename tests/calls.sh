# The system calls that workers make under their filter, as strace sees them over a test program,
# against the filter: it allows all of them, and nothing else without a reason. Needs strace, and a
# system with a filter. TEST is the program: test_worker; with CASE, it runs that case alone, and the
# workers of the $CHATD that it starts are looked at. `sh tests/run.sh` counts it.

: "${CHATD:?}" "${TEST:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
source=$(dirname "$0")/../server/sandbox_seccomp.c
need strace pgrep

# Allowed, and perhaps not seen.
has_reason() {
    case $1 in
    clock_gettime) : the kernel answers it without a call, on most machines ;;
    restart_syscall) : how some kernels go on waiting after a stop ;;
    poll) : ppoll does it where the processor has no poll ;;
    ppoll | ppoll_time64) : poll does it where the processor has one ;;
    clock_gettime64) : of 32 bits ;;
    *) return 1 ;;
    esac
}

trace_test() {
    strace -f -qq -s 32 -o "$dir/trace" "$TEST"
}

# -D: chatd is what the test has started, and strace is nobody's child.
trace_chatd() {
    cat >"$dir/chatd" <<SH
#!/bin/sh
exec strace -D -f -qq -s 32 -o "$dir/chatd.\$\$" "$CHATD" "\$@"
SH
    chmod +x "$dir/chatd"
    CK_RUN_CASE=$CASE CHATD=$dir/chatd "$TEST" || return 1
    until_true traces_are_whole && cat "$dir"/chatd.* >"$dir/trace"
}
traces_are_whole() { ! pgrep -f "^strace .*$dir/chatd" >/dev/null; }

export CHATD_PATIENCE=10
traced=${CASE:+trace_chatd}
"${traced:-trace_test}" >"$dir/log" 2>&1 || {
    cat "$dir/log"
    exit 1
}

# Nobody but a worker enters a filter.
awk '
    $2 ~ /^[a-z0-9_]+\(/ {
        call = $2
        sub(/\(.*/, "", call)
        if (filtered[$1])
            seen[call]++
        if (call == "prctl" && /PR_SET_SECCOMP, (0x2|SECCOMP_MODE_FILTER)/ && / = 0$/)
            filtered[$1] = 1
    }
    # Other processes have called something meanwhile.
    /PR_SET_SECCOMP, .* <unfinished \.\.\.>$/ { entering[$1] = 1 }
    entering[$1] && / prctl resumed>.* = 0$/ { filtered[$1] = 1 }
    $2 == "+++" { delete filtered[$1] }
    END { for (call in seen) print call, seen[call] }' "$dir/trace" | sort >"$dir/seen"
sed -n '/ rules\[\] = {/,/^};/s/^ *{SYS_\([a-z0-9_]*\),.*/\1/p' "$source" |
    sort >"$dir/allowed"

while read -r call times; do
    expect "$call, which workers make, is allowed" grep -qx "$call" "$dir/allowed"
    echo "$call: $times"
done <"$dir/seen"
while read -r call; do
    grep -q "^$call " "$dir/seen" ||
        expect "$call is allowed, and workers make it or it has a reason" has_reason "$call"
done <"$dir/allowed"
# Without these the tests have not been what they should be.
for call in recvfrom sendto shutdown exit_group; do
    expect "$call is seen" grep -q "^$call " "$dir/seen"
done
finish
