# bash completion for chatd(8)

_chatd()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    case $prev in
    -S)
        mapfile -t COMPREPLY < <(compgen -W 'auto require off' -- "$cur")
        return
        ;;
    -u)
        mapfile -t COMPREPLY < <(compgen -u -- "$cur")
        return
        ;;
    -[AgKklpt])
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    -[HLMNbcimrwx])
        return
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W '-A -a -b -c -d -g -H -h -i -K -k -L -l -M -m -N -p -r -S -s -t
        -u -V -v -w -x --help --version' -- "$cur")
}

complete -F _chatd chatd
