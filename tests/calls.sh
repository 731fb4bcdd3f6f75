# The system calls that workers make once they are in their cage, as strace sees them over a test
# program, against the filter: it allows all of them, and nothing else without a reason. Needs
# strace, and a chatd with a filter; TEST is the program, test_wire. `sh tests/run.sh` counts it.

: "${CHATD:?}" "${TEST:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
source=$(dirname "$0")/../server/worker/sandbox_seccomp.c
need strace

# Allowed, and perhaps not seen.
has_reason() {
    case $1 in
    clock_gettime) : the kernel answers it without a call, on most machines ;;
    restart_syscall) : how some kernels go on waiting after a stop ;;
    poll) : ppoll does it where the processor has no poll ;;
    *) return 1 ;;
    esac
}

# -D: chatd is what the test has started, and strace is nobody's child.
cat >"$dir/chatd" <<SH
#!/bin/sh
exec strace -D -f -qq -s 32 -o "$dir/trace.\$\$" "$CHATD" "\$@"
SH
chmod +x "$dir/chatd"
CHATD=$dir/chatd CHATD_PATIENCE=10 "$TEST" >"$dir/log" 2>&1 || {
    cat "$dir/log"
    exit 1
}

# A process is a worker from its exec on, and caged from the filter on.
cat "$dir"/trace.* | awk '
    $2 ~ /^execve\(/ { delete caged[$1]; worker[$1] = /\["chatd: worker"/ }
    worker[$1] && $2 ~ /^[a-z0-9_]+\(/ {
        call = $2
        sub(/\(.*/, "", call)
        if (caged[$1])
            seen[call]++
        if (call == "prctl" && /PR_SET_SECCOMP, (0x2|SECCOMP_MODE_FILTER)/ && / = 0$/)
            caged[$1] = 1
    }
    $2 == "+++" { delete caged[$1]; delete worker[$1] }
    END { for (call in seen) print call, seen[call] }' | sort >"$dir/seen"
{
    sed -n '/^static const uint16_t allowed/,/^};/s/.*SYS_\([a-z_]*\),.*/\1/p' "$source"
    sed -n 's/.*JUMP_IF_EQUAL, SYS_\([a-z_]*\),.*/\1/p' "$source"
} | sort >"$dir/allowed"

while read -r call times; do
    expect "$call, which workers make, is allowed" grep -qx "$call" "$dir/allowed"
    echo "$call: $times"
done <"$dir/seen"
while read -r call; do
    grep -q "^$call " "$dir/seen" ||
        expect "$call is allowed, and workers make it or it has a reason" has_reason "$call"
done <"$dir/allowed"
# Without these the tests have not been what they should be.
for call in ppoll recvfrom sendto shutdown getsockopt exit_group; do
    expect "$call is seen" grep -q "^$call " "$dir/seen"
done
finish
