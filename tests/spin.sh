# The models of the cluster in doc/model: each holds, and each fails when one of its rules is broken,
# so it is known to be able to fail. Not in `make check`: it needs spin and a compiler, and a minute
# or two. SPIN_TRAILS=DIRECTORY keeps the program, the source and the trail of what fails.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 1

if ! command -v spin >/dev/null || ! command -v "${CC:=cc}" >/dev/null; then
    skip 'the models' 'there is no spin, or no compiler'
    finish
fi
models=$PWD/doc/model

# Sets said to what the search of a model says; search MODEL DEFINITION...
search() {
    at=$dir/search
    rm -rf "$at"
    mkdir "$at"
    model=$1
    shift
    said=$(cd "$at" && spin "$@" -a "$models/$model.pml" &&
        "$CC" "$optimise" -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM=2048 -o pan pan.c &&
        ./pan -n -m100000 -w22) || return 1
    printf '%s\n' "$said" | awk -v what="$model $*" '
        /errors: / { errors = $NF }
        /states, stored/ { states = $1 }
        END { printf "%s: %d states, %d errors\n", what, states, errors }'
}

explain() {
    printf '%s\n' "$said" | tail -n 20
    [ -z "${SPIN_TRAILS:-}" ] || cp -R "$dir/search" "$SPIN_TRAILS/"
}

# All states were visited.
holds() {
    optimise=-O1
    search "$@"
    case $said in
    *'max search depth too small'* | *'out of memory'* | *'Search not completed'*) return 1 ;;
    *'errors: 0'*) ;;
    *) return 1 ;;
    esac
}

# An assertion does not hold. A model that says something else is wrong itself.
fails() {
    optimise=-O0
    search "$@"
    case $said in
    *'assertion violated'*'errors: 1'*) ;;
    *) return 1 ;;
    esac
}

# What is bounded: the lines of a member, the faults, and of the session also the connections.
alone='-DFAULTS=0 -DRIVALS=0'
fault='-DFAULTS=1 -DRIVALS=0'
rival='-DFAULTS=0 -DRIVALS=1'

# shellcheck disable=SC2086 # several words
check_stream() {
    expect 'stream: connections and publications are lost' holds stream $alone -DLINES=3
    expect 'stream: a hub is killed, or a node is gone' holds stream $fault -DLINES=2
    expect 'stream: another program has the name' holds stream $rival -DLINES=2
    expect 'stream: nothing is read before a batch is published again' \
        holds stream $alone -DLINES=3 -DREADS_NOTHING
    for rule in ANY_NUMBER LATER_NUMBER LOCAL_CLOCK NO_DOUBT NO_REPUBLISH PARTIAL_SNAPSHOT \
        LATE_SNAPSHOT; do
        expect "stream: $rule is found" fails stream $alone -DLINES=2 -D$rule
    done
    for rule in ANY_INCARNATION GONE_GOES_ON ECHO_WHEN_STORED LISTENS_EARLY; do
        expect "stream: $rule is found" fails stream $fault -DLINES=2 -D$rule
    done
    expect 'stream: NO_RANDOM is found' fails stream $rival -DLINES=2 -DNO_RANDOM
}

check_session() {
    expect 'session: a client moves' holds session -DFAULTS=0 -DLINES=2
    expect 'session: it moves once more' holds session -DFAULTS=0 -DLINES=1 -DCONNECTIONS=4
    expect 'session: a node fails meanwhile' holds session -DFAULTS=1 -DLINES=1
    for rule in NO_FENCE OLD_NUMBER_COUNTS HOLDER_STAYS TOKEN_TWICE CLAIMED_STAYS; do
        expect "session: $rule is found" fails session -DFAULTS=0 -DLINES=1 -D$rule
    done
    expect 'session: LOST_IS_ANSWERED is found' fails session -DFAULTS=1 -DLINES=1 -DLOST_IS_ANSWERED
}

check_stream
check_session
finish
