# bash completion for chat(1)

# The hosts that are known here: $CHAT_SERVER, /etc/hosts, and where ssh has been.
_chat_hosts()
{
    local known=~/.ssh/known_hosts
    [[ -z ${CHAT_SERVER-} ]] || printf '%s\n' "$CHAT_SERVER"
    [[ ! -r /etc/hosts ]] ||
        awk '{ sub(/#.*/, ""); for (i = 2; i <= NF; i++) print $i }' /etc/hosts
    [[ ! -r $known ]] ||
        awk '/^[^#|@[]/ { n = split($1, host, ","); for (i = 1; i <= n; i++) print host[i] }' \
            "$known"
}

# Sockets, and directories that lead to some, for a word that may begin with ~/, have backslashes in
# it or a quote before it.
_chat_sockets()
{
    local path=$1 word
    [[ $path != [\'\"]* ]] || path=${path:1}
    IFS= read path <<<"$path"
    while IFS= read -r word; do
        path=${word/#"~/"/"$HOME/"}
        [[ ! -S $path && ! -d $path ]] || printf '%s\n' "$word"
    done < <(compgen -f -- "$path")
}

_chat()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    case $prev in
    -b)
        mapfile -t COMPREPLY < <(compgen -W 'mention all off' -- "$cur")
        return
        ;;
    -c | -e)
        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
        return
        ;;
    -[CHWmnw])
        return
        ;;
    esac
    case $cur in
    -*)
        mapfile -t COMPREPLY < <(compgen -W '-b -C -c -e -H -h -k -l -m -n -p -q -r -s -V -W -w
            -x --help --version' -- "$cur")
        ;;
    */*)
        compopt -o filenames
        mapfile -t COMPREPLY < <(_chat_sockets "$cur")
        ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W "$(_chat_hosts | sort -u)" -- "$cur")
        ;;
    esac
}

complete -F _chat chat
