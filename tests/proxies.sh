# Access rules behind real proxies: haproxy, nginx and stunnel, with the configurations of chatd(8),
# tell the addresses of their clients. Those that are not here are skipped; `sh tests/run.sh` counts.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
page=$(dirname "$0")/../man/chatd.8
PATH=$PATH:/usr/sbin:/sbin
need nc openssl

# ---- The room ----

mkdir "$dir/ssl" "$dir/ssl/private" "$dir/ssl/certs"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
    -keyout "$dir/ssl/private/room.pem" -out "$dir/ssl/certs/room.pem" 2>"$dir/err" ||
    cat "$dir/err"
cat "$dir/ssl/certs/room.pem" >>"$dir/ssl/private/room.pem"
printf '%s\n' 'proxy 127.0.0.1' 'operator 127.0.0.2' 'deny 127.0.0.4' 'allow 127.0.0.0/8' \
    >"$dir/rules"
# The options are words of their own.
# shellcheck disable=SC2086
"$CHATD" ${CHATD_OPTIONS-} -A "$dir/rules" -l 127.0.0.1:0 2>"$dir/chatd" &
pids=$!
until_true seen chatd 'listening on 127' || exit 1
room_port=$(sed -n 's/.*listening on 127.*://p' "$dir/chatd")

shown() {
    page_block "$page" "$1" |
        sed -e "s,/etc/ssl/,$dir/ssl/,; s,127\.0\.0\.1:65432,127.0.0.1:$room_port," \
            -e "s,\(accept = \|listen \|bind \):*65433,\1127.0.0.1:$port,"
}

# ---- Proxies ----

run_haproxy() {
    printf '%s\n' 'global' '    maxconn 100' >"$dir/haproxy.cfg"
    shown 'send-proxy-v2' >>"$dir/haproxy.cfg"
    exec haproxy -db -f "$dir/haproxy.cfg"
}

run_nginx() {
    {
        # Where Debian says which modules there are.
        [ ! -d /etc/nginx/modules-enabled ] || echo 'include /etc/nginx/modules-enabled/*.conf;'
        printf '%s\n' 'daemon off;' "pid $dir/nginx.pid;" 'events { }'
        shown 'proxy_timeout' | sed 's/proxy_timeout/proxy_protocol on; &/'
    } >"$dir/nginx.conf"
    exec nginx -e "$dir/nginx.errors" -c "$dir/nginx.conf"
}

run_stunnel() {
    {
        printf '%s\n' 'foreground = yes' 'pid ='
        shown 'TIMEOUTidle'
        echo 'protocol = proxy'
    } >"$dir/stunnel.conf"
    exec stunnel "$dir/stunnel.conf"
}

# from ADDRESS LINE...: what the room says to a client that comes from there and says that.
from() {
    address=$1
    shift
    printf '%s\n' "$@" | openssl s_client -quiet -verify_quiet -noservername -bind "$address:0" \
        -connect "127.0.0.1:$port" 2>"$dir/err"
}

# told PATTERN ADDRESS LINE...
told() {
    pattern=$1
    shift
    from "$@" >"$dir/told"
    grep -q -e "$pattern" "$dir/told" || {
        cat "$dir/told" "$dir/err"
        false
    }
}

# A member from 127.0.0.3 is there, whom the operator finds by its address.
try() {
    expect "$1: the name is the client's address" \
        told ' you 127\.0\.0\.2:[0-9]*$' 127.0.0.2 '' /quit
    expect "$1: the rules are for the client" \
        told ' error no-such-user ' 127.0.0.2 ann '/kick nobody' /quit
    expect "$1: others are no operators" told ' error not-allowed ' 127.0.0.3 ben '/kick ann' /quit
    expect "$1: who is denied stays outside" told ' error not-allowed ' 127.0.0.4 carl /quit
    mkfifo "$dir/keys"
    openssl s_client -quiet -verify_quiet -noservername -bind 127.0.0.5:0 \
        -connect "127.0.0.1:$port" <"$dir/keys" >"$dir/member" 2>/dev/null &
    member=$!
    exec 3>"$dir/keys"
    # The member before it, behind another proxy, may still be there.
    echo "dora-$1" >&3
    expect "$1: a member" until_true seen member " you dora-$1\$"
    expect "$1: a ban of the client" \
        told " note dora-$1 (127\.0\.0\.5) is banned for 60 minutes\$" \
        127.0.0.2 ann "/ban dora-$1" /quit
    expect "$1: which is in force" told ' error not-allowed ' 127.0.0.5 dora /quit
    expect "$1: for no other client" told ' you ben$' 127.0.0.3 ben /quit
    expect "$1: and is lifted" \
        told " note dora-$1 is not banned any more\$" 127.0.0.2 ann "/unban dora-$1" /quit
    exec 3>&-
    kill "$member" 2>/dev/null
    wait "$member" 2>/dev/null
    rm "$dir/keys"
}

for tool in haproxy nginx stunnel; do
    if ! command -v "$tool" >/dev/null; then
        skip "$tool" 'not installed'
    elif start "$tool"; then
        try "$tool"
        stop
    fi
done

finish
