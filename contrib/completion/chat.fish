# fish completion for chat(1)

# Sockets, and directories that lead to some.
function __chat_sockets
    set -l home (string escape --style=regex -- $HOME)
    set -l word (string replace -r '^~/' $HOME/ -- $argv[1])
    set -l found
    for file in "$word"*
        if test -S $file
            set -a found $file
        else if test -d $file
            set -a found $file/
        end
    end
    if string match -q '~/*' -- $argv[1]
        string replace -r "^$home/" '~/' -- $found
    else
        printf '%s\n' $found
    end
end

# A path where there is a slash; else the hosts that fish knows, and $CHAT_SERVER.
function __chat_addresses
    set -l word (string unescape -- (commandline -ct))
    if string match -q '*/*' -- $word
        __chat_sockets $word
    else
        set -q CHAT_SERVER; and echo $CHAT_SERVER
        __fish_print_hostnames
    end
end

complete -c chat -f -a '(__chat_addresses)'
complete -c chat -s b -x -a 'mention off' -d 'When to ring the bell'
complete -c chat -s C -x -d 'Leave after that many messages from others'
complete -c chat -s c -r -d 'Reach the server through a command'
complete -c chat -s e -r -d 'Be a bot: run a command'
complete -c chat -s H -x -d 'Past events wanted'
complete -c chat -s h -l help -d 'Print how to call it'
complete -c chat -s k -d 'Reconnect when the connection is lost'
complete -c chat -s l -d 'List who is there'
complete -c chat -s m -x -d 'Post a line and exit'
complete -c chat -s n -x -d 'The name'
complete -c chat -s p -d 'Plain: no colour, no line editing, no wrapping'
complete -c chat -s q -d 'No joins, quits and greeting'
complete -c chat -s r -d 'Receive only'
complete -c chat -s s -d 'Send only'
complete -c chat -s V -l version -d 'Print the version'
complete -c chat -s W -x -d 'Leave after that many seconds'
complete -c chat -s w -x -d 'Give up connecting after that many seconds'
complete -c chat -s x -d 'Print the lines of the wire'
