# The ways into a room that chatd(8) tells in ACCESS, through real nc, sshd, stunnel and nginx, with
# the configurations and commands of the page itself: only ports, paths and the name of the host are
# put in. Needs openssl, stunnel, sshd, nc with -U, and nginx with its stream module;
# `sh tests/run.sh` counts it.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
unset CHAT_NAME CHAT_PASS CHAT_SERVER
page=$(dirname "$0")/../man/chatd.8
PATH=$PATH:/usr/sbin:/sbin
at_end() { [ ! -e "$dir/control" ] || ssh -O exit host 2>/dev/null; }
need nc nginx openssl ssh sshd stunnel

# What the page shows in the block that has PATTERN, with what is different here put in.
shown() {
    page_block "$page" "$1" |
        sed -e "s,/var/lib/room,$dir/room,; s,/etc/ssl/,$dir/ssl/," \
            -e "s,-L 65432:,-L $port:,; s,127\.0\.0\.1:65432,127.0.0.1:$room_port," \
            -e "s,\(accept = \|listen \)65433,\1127.0.0.1:$port,; s,host:65433,$name:$port," \
            -e "s,-verify_hostname host,-verify_hostname $name,"
}

# Among them what a tunnel might take for itself: s_client and ssh have command letters.
lines() {
    printf '%s\n' 'through a tunnel' Q R k '~.' 'grüße aus 北京'
    awk 'BEGIN { for (i = 1; i <= 1000; i++) print "Round " i }'
}

# goes WAY NAME COMMAND: what is piped into it comes back, all of it and in order, under NAME, which
# then says goodbye; and nothing else is said.
goes() {
    lines | CHAT_NAME="$1" sh -c "$3" >"$dir/out" 2>"$dir/err"
    expect "$1: exit status" is 0 $?
    sed -n "s/^[^ ]* [^ ]* $2: //p" "$dir/out" >"$dir/back"
    expect "$1: every line comes back" cmp "$dir/said" "$dir/back"
    expect "$1: no complaint" is '' "$(cat "$dir/err")"
    expect "$1: a goodbye" until_true seen witness " quit $2 left$"
    : >"$dir/witness"
}
# fails WAY COMMAND: it does not even get in.
fails() {
    lines | CHAT_NAME=stranger sh -c "$2" >"$dir/out" 2>"$dir/err"
    expect "$1: exit status" is 69 $?
    expect "$1: stays outside" is '' "$(grep -m 1 ' stranger' "$dir/witness")"
    : >"$dir/witness"
}

# ---- The room, and what the page calls `chat` and `ssh host` ----

lines >"$dir/said"
login=$(id -un)
mkdir "$dir/room" "$dir/bin" "$dir/ssh" "$dir/ssl" "$dir/ssl/private" "$dir/ssl/certs"
# The options are words of their own.
# shellcheck disable=SC2086
"$CHATD" ${CHATD_OPTIONS-} -a -l "$dir/room/sock" -l 127.0.0.1:0 2>"$dir/chatd" &
pids=$!
until_true seen chatd 'listening on 127' || exit 1
room_port=$(sed -n 's/.*listening on 127.*://p' "$dir/chatd")
"$CHAT" -n witness -r -x "127.0.0.1:$room_port" >>"$dir/witness" 2>&1 &
pids="$pids $!"
until_true seen witness ' you witness$' || exit 1

ln -s "$CHAT" "$dir/bin/chat"
cat >"$dir/bin/ssh" <<END
#!/bin/sh
# The one in the background is told to end through this socket.
case \$1 in
-f) set -- -M "\$@" ;;
esac
exec $(command -v ssh) -F $dir/ssh/config -S $dir/control "\$@"
END
chmod +x "$dir/bin/ssh"
PATH=$dir/bin:$PATH
name=localhost
port=

goes nc "$login" "chat -c 'nc -U $dir/room/sock'"

# ---- ssh ----

ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/host"
ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/key"
cp "$dir/ssh/key.pub" "$dir/ssh/authorized"
echo "host $(cat "$dir/ssh/host.pub")" >"$dir/ssh/known"
run_sshd() {
    cat >"$dir/ssh/sshd" <<END
ListenAddress 127.0.0.1:$port
HostKey $dir/ssh/host
AuthorizedKeysFile $dir/ssh/authorized
# The directory above is everybody's /tmp.
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
END
    cat >"$dir/ssh/config" <<END
Host host
    HostName 127.0.0.1
    Port $port
    HostKeyAlias host
    UserKnownHostsFile $dir/ssh/known
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    IdentityFile $dir/ssh/key
    IdentitiesOnly yes
    BatchMode yes
END
    exec "$(command -v sshd)" -D -e -f "$dir/ssh/sshd"
}
if start sshd; then
    goes 'ssh nc -U' "$login" "$(shown 'ssh host nc' | grep 'nc -U')"
    goes 'ssh-W' 'ssh-W' "$(shown 'ssh -W' | grep 'ssh -W')"
    find_port
    CHAT_SERVER=127.0.0.1:$port
    export CHAT_SERVER
    goes ssh-L ssh-L "$(shown 'ssh -f' | grep 'ssh -f')"
    unset CHAT_SERVER
    ssh -O exit host 2>"$dir/err"
    expect 'ssh in the background ends' is 0 $?
    stop
fi

# ---- TLS ----

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout "$dir/ssl/private/room.pem" \
    -out "$dir/ssl/certs/room.pem" 2>"$dir/err" || cat "$dir/err"
cat "$dir/ssl/certs/room.pem" >>"$dir/ssl/private/room.pem"
chmod 600 "$dir/ssl/private/room.pem"

# What the client does, with whichever tunnel.
try_tls() {
    SSL_CERT_FILE=$dir/ssl/certs/room.pem
    export SSL_CERT_FILE
    goes "$1-tls" "$1-tls" "$(shown 's_client')"
    name=127.0.0.1
    fails "$1, another host's certificate" "$(shown 's_client')"
    name=localhost
    unset SSL_CERT_FILE
    fails "$1, a certificate of nobody" "$(shown 's_client')"
}

run_stunnel() {
    {
        printf '%s\n' 'foreground = yes' 'pid ='
        shown 'TIMEOUTidle'
    } >"$dir/stunnel.conf"
    exec stunnel "$dir/stunnel.conf"
}
if start stunnel; then
    try_tls stunnel
    stop
fi

run_nginx() {
    {
        # Where Debian says which modules there are.
        [ ! -d /etc/nginx/modules-enabled ] || echo 'include /etc/nginx/modules-enabled/*.conf;'
        printf '%s\n' 'daemon off;' "pid $dir/nginx.pid;" 'events { }'
        shown 'proxy_timeout'
    } >"$dir/nginx.conf"
    exec nginx -e "$dir/nginx.errors" -c "$dir/nginx.conf"
}
if start nginx; then
    try_tls nginx
    stop
fi

finish
