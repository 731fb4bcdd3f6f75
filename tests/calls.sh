# The system calls that the processes of one role make under their filter, as strace sees them over
# a test program, against that filter: it allows all of them, and nothing else without a reason.
# Needs strace, and a system with a filter. ROLE is worker or writer. TEST is the program:
# test_worker or test_writer; with CASE, it runs that case alone, and the processes of the $CHATD
# that it starts are looked at. `sh tests/run.sh` counts it.

: "${CHATD:?}" "${ROLE:?}" "${TEST:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
source=$(dirname "$0")/../server/sandbox_seccomp.c
case $ROLE in
worker) other=writer needed='recvfrom sendto shutdown exit_group' ;;
writer) other=worker needed='recvfrom sendto write fdatasync exit_group' ;;
esac
need strace pgrep

# Allowed, and perhaps not seen.
has_reason() {
    case $1 in
    clock_gettime) : the kernel answers it without a call, on most machines ;;
    restart_syscall) : how some kernels go on waiting after a stop ;;
    poll) : ppoll does it where the processor has no poll ;;
    ppoll | ppoll_time64) : poll does it where the processor has one ;;
    clock_gettime64 | _llseek | ftruncate64 | fstat64) : of 32 bits ;;
    lseek | ftruncate | fstat) : of 64 bits ;;
    newfstatat | statx) : fstat, where there is no file_stat of our own ;;
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

# Only workers and the writer enter a filter. What was executed as the other role is left out;
# test_worker and test_writer execute nothing.
awk -v other="[\"chatd: $other\"" '
    $2 ~ /^[a-z0-9_]+\(/ {
        call = $2
        sub(/\(.*/, "", call)
        if (call == "execve")
            is_other[$1] = index($0, other) > 0
        if (filtered[$1] && !is_other[$1])
            seen[call]++
        if (call == "prctl" && /PR_SET_SECCOMP, (0x2|SECCOMP_MODE_FILTER)/ && / = 0$/)
            filtered[$1] = 1
    }
    # Other processes have called something meanwhile.
    /PR_SET_SECCOMP, .* <unfinished \.\.\.>$/ { entering[$1] = 1 }
    / prctl resumed>/ {
        if (entering[$1] && / = 0$/)
            filtered[$1] = 1
        delete entering[$1]
    }
    $2 == "+++" { delete filtered[$1]; delete entering[$1]; delete is_other[$1] }
    END { for (call in seen) print call, seen[call] }' "$dir/trace" | sort >"$dir/seen"
for table in "$ROLE" common; do
    sed -n "/ ${table}_calls\[\] = {/,/^};/s/^ *{SYS_\([a-z0-9_]*\),.*/\1/p" "$source"
done | sort >"$dir/allowed"

while read -r call times; do
    expect "$call, which a $ROLE makes, is allowed" grep -qx "$call" "$dir/allowed"
    echo "$call: $times"
done <"$dir/seen"
while read -r call; do
    grep -q "^$call " "$dir/seen" ||
        expect "$call is allowed, and a $ROLE makes it or it has a reason" has_reason "$call"
done <"$dir/allowed"
# Without these the tests have not been what they should be.
for call in $needed; do
    expect "$call is seen" grep -q "^$call " "$dir/seen"
done
finish
