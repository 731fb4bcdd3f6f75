# The completions of chat: what bash and fish offer, with real sockets in directories whose names
# want quoting.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
top=$(cd "$(dirname "$0")/.." && pwd)

HOME=$dir/home
export HOME
mkdir -p "$HOME/a room" "$HOME/.config"
: >"$HOME/file"
# shellcheck disable=SC2086
"$CHATD" ${CHATD_OPTIONS-} -l "$HOME/sock" -l "$HOME/a room/sock" 2>"$dir/chatd" &
pids=$!
until_true seen chatd 'listening on .*a room/sock' || exit 1
cd "$HOME" || exit 1

# bash_offers WORD...: what is offered for the last one
bash_offers() {
    bash --norc -c '
        . "$0"
        compopt() { :; }
        COMP_WORDS=(chat "$@") COMP_CWORD=$#
        _chat
        printf "%s\n" "${COMPREPLY[@]}"' "$top/contrib/completion/chat.bash" "$@"
}

# fish_offers LINE
fish_offers() {
    fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$top/contrib/completion/chat.fish" \
        "$1" | cut -f 1
}

if command -v bash >/dev/null; then
    # shellcheck disable=SC2088
    expect 'bash: below ~' is '~/sock' "$(bash_offers '~/s')"
    expect 'bash: a directory' is './a room' "$(bash_offers './a')"
    expect 'bash: with a backslash' is './a room/sock' "$(bash_offers './a\ room/')"
    expect 'bash: behind a quote' is './a room/sock' "$(bash_offers '"./a room/s')"
    expect 'bash: no other files' is '' "$(bash_offers './f')"
    expect 'bash: a word of an option' is off "$(bash_offers -b o)"
else
    skip bash 'there is none'
fi

if command -v fish >/dev/null; then
    # shellcheck disable=SC2088
    expect 'fish: below ~' is '~/sock' "$(fish_offers 'chat ~/s')"
    expect 'fish: with a backslash' is './a room/sock' "$(fish_offers 'chat ./a\ room/s')"
    expect 'fish: no other files' is '' "$(fish_offers 'chat ./f')"
    expect 'fish: a word of an option' is off "$(fish_offers 'chat -b o')"
    expect 'fish: options' is 1 "$(fish_offers 'chat -' | grep -c '^-k$')"
else
    skip fish 'there is none'
fi

finish
