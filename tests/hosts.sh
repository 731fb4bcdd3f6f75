# Hosts, as network namespaces, for the scripts of this directory that include this behind lib.sh.
# Needs root, unshare, nsenter and ip. It gives
#
#   host      makes one, and sets host to it
#   on        runs a command there
#   start     the same in the background, and kills it in the end

# Sets host to the process that keeps a new host's namespace.
host() {
    unshare --net sleep 36000 &
    host=$!
    pids="$pids $host"
    until_true is_apart "$host"
}
is_apart() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
# on HOST COMMAND...
on() {
    process=$1
    shift
    nsenter --target "$process" --net "$@"
}
# start HOST COMMAND...
start() {
    process=$1
    shift
    nsenter --target "$process" --net "$@" &
    pids="$pids $!"
}
