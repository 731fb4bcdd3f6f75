# Holds together what the options of both programs are: the getopt string in the source, the usage
# text that -h prints, SYNOPSIS and list of options in the page, and the completions. An option
# that is in one place and not in another fails, and so does one that takes an argument in one only.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 1

# One letter a line, sorted, "x:" where there is an argument: what getopt is given, as a string or
# as the name of one. Its "-:", which stands for long options, is left out.
in_source() {
    source=$(cat "$@" | tr '\n' ' ')
    third=$(printf '%s\n' "$source" | grep -Eo 'getopt\([^(),]*,[^(),]*,[^()]*\)' |
        sed -n '1s/.*, *\(.*\))/\1/p')
    case $third in
    '"'*) ;;
    *) third=$(printf '%s\n' "$source" | grep -Eo "[ *]$third(\[\])? = \"[^\"]*\"") ;;
    esac
    printf '%s\n' "$third" | sed -e 's/^[^"]*"[+:]*//' -e 's/-://' | grep -Eo '[A-Za-z]:?' | sort
}

# The letters of -abc and [-d ARGUMENT] in a usage text.
in_usage() {
    "$1" -h 2>&1 | grep -Eo '(^|[][ ,|])-[A-Za-z]+' | tr -d '][ ,|-' | grep -o . | sort -u
}

in_synopsis() {
    sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/p' "$1" |
        sed -n -E 's/^\.(Op |Oo )?Fl (([A-Za-z]+)( \| ([A-Za-z]))?)( (Ar|Cm).*)?( Oc.*)?$/\3\5/p' |
        grep -o . | sort
}

# The synopsis must say of each option whether it has an argument, as the list does.
in_synopsis_with_argument() {
    sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/p' "$1" |
        sed -n -E 's/^\.O[op] Fl ([A-Za-z]) (Ar|Cm) .*/\1:/p' | sort
}

in_page() {
    sed -n -E -e 's/^\.It Fl ([A-Za-z]) (Ar|Cm) .*/\1:/p' \
        -e 's/^\.It Fl ([A-Za-z])( , -[a-z]+)?$/\1/p' "$1" |
        sort -u
}

in_bash() {
    tr '\n' ' ' <"$1" | grep -Eo "compgen -W '-[^']*'" | sed 's/compgen -W//' |
        grep -Eo '(^|[^-A-Za-z])-[A-Za-z]' | grep -o '[A-Za-z]' | sort
}

in_zsh() {
    sed -n -E -e "s/^ *'(\(- \*\)|\*)?-([A-Za-z])\[[^]]*\]:.*/\2:/p" \
        -e "s/^ *'(\(- \*\)|\*)?-([A-Za-z])\[[^]]*\]'.*/\2/p" \
        -e "s/.*\{-([A-Za-z]),--[a-z]+\}.*/\1/p" "$1" | sort
}

in_fish() {
    sed -n -E -e 's/^complete -c [a-z]+ -s ([A-Za-z])( -l [a-z]+)? -(x|r|rF) .*/\1:/p' \
        -e 's/^complete -c [a-z]+ -s ([A-Za-z])( -l [a-z]+)? -d .*/\1/p' "$1" | sort
}

# same WHAT EXPECTED FOUND
same() {
    if [ -n "$2" ] && [ "$2" = "$3" ]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "$1:"
    echo "  in the source:" $2
    echo "  there:        " $3
}

# program BINARY NAME PAGE SOURCE...
program() {
    binary=$1
    name=$2
    page=$3
    shift 3
    options=$(in_source "$@")
    letters=$(printf '%s\n' "$options" | tr -d :)
    arguments=$(printf '%s\n' "$options" | grep :)
    same "$name -h" "$letters" "$(in_usage "$binary")"
    same "$page, SYNOPSIS" "$letters" "$(in_synopsis "$page")"
    same "$page, SYNOPSIS, with an argument" "$arguments" "$(in_synopsis_with_argument "$page")"
    same "$page, the list" "$options" "$(in_page "$page")"
    same "contrib/completion/$name.bash" "$letters" "$(in_bash "contrib/completion/$name.bash")"
    same "contrib/completion/_$name" "$options" "$(in_zsh "contrib/completion/_$name")"
    same "contrib/completion/$name.fish" "$options" "$(in_fish "contrib/completion/$name.fish")"
}

export LC_ALL=C
program "$CHATD" chatd man/chatd.8 chatd.c server/*.c server/*/*.c
program "$CHAT" chat man/chat.1 chat.c client/*.c

# refused WHY OPTION...: of the cluster's options. The address ends a server that does not refuse them.
refused() {
    why=$1
    shift
    status=0
    "$CHATD" "$@" -l 127.0.0.1:99999 2>"$dir/said" || status=$?
    expect "$*: 64" [ "$status" -eq 64 ]
    expect "$*: why" grep -q -e "$why" "$dir/said"
}

# Lists that no engine takes.
for servers in :4222 ::1 127.0.0.1:0 a,,b "$(seq -s , -f 'h%.0f' 33)"; do
    refused 'wants servers' -c "nats://$servers/room" -N x
done
refused 'wants nats://HOST' -c tls://a/room -N x
refused 'takes no credentials' -c nats://ann:sesame@a/room -N x
for room in '' / '/a room' /room/2 "/$(printf '%033d' 0)"; do
    refused 'as the room' -c "nats://a$room" -N x
done
for node in '' a.b 'a b' "$(printf '%033d' 0)"; do
    refused '-N: wants 1 to 32 letters' -c nats://a/room -N "$node"
done

# Without -N the node is the host's name up to its first dot, if that can be one.
on_host() {
    name=$1
    shift
    unshare -u sh -c 'echo "$0" >/proc/sys/kernel/hostname && exec "$@"' "$name" "$@"
}
if on_host a true 2>/dev/null; then
    for name in 'a b' .example "$(printf '%033d' 0)"; do
        status=0
        on_host "$name" "$CHATD" -c nats://a/room -p "$dir/no/pid" 2>"$dir/said" || status=$?
        expect "on the host $name: 64" [ "$status" -eq 64 ]
        expect "on the host $name: why" seen said "the host's name is no name for a node"
    done
    status=0
    on_host one_2-3.example.org "$CHATD" -c nats://a/room -p "$dir/no/pid" 2>"$dir/said" || status=$?
    expect 'on a host whose name is one: only the file is wrong' [ "$status" -eq 73 ]
else
    skip 'the name of the host' 'needs root'
fi
finish
