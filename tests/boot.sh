# The units of contrib/systemd under a real systemd: an overlay of this machine's own files is
# booted in namespaces of its own, and everything that is done there is gone with it.
#
# Needs root, Linux namespaces, overlayfs and cgroup2, systemd and procps; `sh tests/run.sh
# tests/boot.sh` counts it. CHATD and CHAT are the programs.

: "${CHATD:?}" "${CHAT:?}"
top=$(cd "$(dirname "$0")/.." && pwd) || exit 1

# ---- Inside, as a service of the booted systemd ----

inside() {
    passed=0
    failed=0
    export SYSTEMD_PAGER='' SYSTEMD_COLORS=0

    # expect WHAT COMMAND...
    expect() {
        what=$1
        shift
        if "$@" >/run/said 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "failed: $what: $*"
            cat /run/said
        fi
    }
    finish() {
        echo "$passed passed, $failed failed"
        [ "$failed" -eq 0 ] && exit
        systemctl status 'chatd*'
        journalctl -q -o short-monotonic | tail -n 100
        exit 1
    }
    not() { ! "$@"; }
    # Tries for a minute.
    until_true() {
        tries=1200
        until "$@"; do
            tries=$((tries - 1))
            [ "$tries" -gt 0 ] || return 1
            sleep 0.05
        done
    }
    is() { [ "$(systemctl show -p "$2" --value "$1")" = "$3" ]; }
    status_is() { systemctl show -p StatusText --value "$1" | grep -qx -e "$2"; }
    seen() { grep -qs -e "$2" "$1"; }
    log_has() { journalctl -q -o cat -u "$1" | grep -q -e "$2"; }
    as() {
        who=$1
        shift
        timeout 20 setpriv --reuid "$who" --regid "$who" --init-groups "$@"
    }
    chat() { timeout 20 /usr/local/bin/chat "$@"; }
    # past_has PATTERN COMMAND...: what the command prints is in /run/past.
    past_has() {
        pattern=$1
        shift
        "$@" >/run/past 2>&1
        seen /run/past "$pattern"
    }

    groupadd ops
    for who in ann bob; do useradd -G ops $who; done
    useradd eve
    main=chatd.service

    # The first client starts it, as a user that exists only as long.
    expect 'the socket' systemctl start chatd.socket
    expect 'nothing runs yet' is $main ActiveState inactive
    expect 'a message' chat -n ann -m hello
    expect 'it runs' is $main ActiveState active
    [ "$failed" -eq 0 ] || finish
    expect 'its state' until_true status_is $main '0 members, 127.0.0.1:65432'
    pid=$(systemctl show -p MainPID --value $main)
    expect 'not as root' not grep -q '^Uid:.0' "/proc/$pid/status"
    expect 'without capabilities' grep -q '^CapBnd:.0000000000000000$' "/proc/$pid/status"
    mkfifo /run/bob.says
    /usr/local/bin/chat -k -p -n bob </run/bob.says >/run/bob 2>&1 &
    exec 7>/run/bob.says
    expect 'one is there' until_true status_is $main '1 member, 127.0.0.1:65432'
    expect 'he is logged' until_true log_has $main ': bob joined (pid [0-9]*)$'
    expect 'the sandbox is a filter' log_has $main 'sandbox: filter'
    expect 'the journal has levels' [ "$(journalctl -q -o cat -u $main -p notice |
        grep -c joined)" = 0 ]

    expect 'reload' systemctl reload $main
    expect 'it is the same' is $main MainPID "$pid"
    expect 'and active' until_true is $main ActiveState active

    # Another version is installed over it, and nobody notices.
    version=$(/usr/local/sbin/chatd -V | sed -n 's/^chatd //p')
    next=${version%?}x
    sed "s/$(echo "$version" | sed 's/\./\\./g')/$next/g" /usr/local/sbin/chatd >/usr/local/sbin/new
    chmod 755 /usr/local/sbin/new
    mv /usr/local/sbin/new /usr/local/sbin/chatd
    expect 'the upgrade' systemctl kill -s USR2 --kill-whom=main $main
    expect 'it is another version' until_true log_has $main "this is chatd $next now, with 1 member,"
    expect 'in the same process' is $main MainPID "$pid"
    expect 'that shows its state' until_true status_is $main '1 member, 127.0.0.1:65432'
    echo 'before and after' >&7
    expect 'who was there talks on' until_true seen /run/bob 'bob: before and after'
    expect 'and is not sent away' not seen /run/bob 'went away'
    expect 'a newcomer' chat -n cia -m 'after the upgrade'
    expect 'is heard' until_true seen /run/bob 'cia: after the upgrade'

    # A hub that is killed comes back by itself, with its history, and so does who stays (-k).
    systemctl kill -s KILL --kill-whom=main $main
    expect 'it is started again' until_true not is $main MainPID "$pid"
    expect 'with him who was there' until_true status_is $main '1 member, .*'
    expect 'the past is known' until_true past_has 'cia: after the upgrade' \
        chat -n dan -r -W 1 -H 20

    exec 7>&-
    expect 'stop' systemctl stop chatd.socket $main
    expect 'it has ended well' is $main Result success
    expect 'nobody is left' not pgrep -f '^chatd:'

    # A room by name, for all; when it has been empty for long enough it ends, and starts again.
    room=chatd@lobby
    mkdir -p "/run/systemd/system/$room.service.d"
    printf '[Service]\nExecStart=\nExecStart=/usr/local/sbin/chatd -x 0.3 -t %%S/chatd-rooms/%%i/log\n' \
        >"/run/systemd/system/$room.service.d/soon.conf"
    systemctl daemon-reload
    expect 'a room by name' systemctl start $room.socket
    expect 'everybody gets in' as eve /usr/local/bin/chat -n eve -m one /run/chatd/lobby
    expect 'it ends' until_true is $room.service ActiveState inactive
    expect 'well' is $room.service Result success
    expect 'the next starts it' as ann /usr/local/bin/chat -n ann -m two /run/chatd/lobby
    expect 'the past is known there' until_true past_has 'eve: one' \
        chat -r -n bob -W 1 -H 20 /run/chatd/lobby
    systemctl stop $room.socket $room.service

    # The group's room: the socket lets in who belongs there, and the kernel says who it is.
    team=chatd-team@ops
    expect 'a room of a team' systemctl start $team.socket
    expect 'a member gets in' as ann /usr/local/bin/chat -n fake -m 'it is me' /run/chatd-team/ops
    expect 'nobody else does' not as eve /usr/local/bin/chat -n eve -m 'let me in' /run/chatd-team/ops
    expect 'she has her own name' until_true past_has 'ann: it is me' \
        as bob /usr/local/bin/chat -r -n root -W 1 -H 20 /run/chatd-team/ops
    expect 'and so has he' seen /run/past 'you are bob'
    expect 'eve was not heard' not seen /run/past 'let me in'
    systemctl stop $team.socket $team.service

    # Without a manager: detached, its log is the system's.
    install -d -o nobody /run/own
    expect 'detached' /usr/local/sbin/chatd -d -u nobody -l /run/own/sock -p /run/own/pid -M 0666
    expect 'ready' chat -n ann -m hi /run/own/sock
    logged() { journalctl -q SYSLOG_IDENTIFIER=chatd SYSLOG_PID="$(cat /run/own/pid)" -o cat |
        grep -q -e "$1"; }
    expect 'it is in the log' until_true logged 'ann posts (pid [0-9]*)$'
    expect 'so is its start' logged '^listening on /run/own/sock$'
    pid=$(cat /run/own/pid)
    kill "$pid"
    expect 'it ends' until_true not kill -0 "$pid"
    expect 'its socket is gone' [ ! -e /run/own/sock ]
    expect 'and its pid file' [ ! -e /run/own/pid ]

    expect 'no unit has failed' [ -z "$(systemctl --failed --plain --no-legend)" ]
    finish
}

# ---- On the way in: the new namespaces' first process ----

# enter OUT: mounts what it boots below OUT, which hears what comes of it, and becomes systemd.
enter() {
    set -e
    mount --make-rprivate /
    mkdir "$1/tree"
    mount -t tmpfs tmpfs "$1/tree"
    cd "$1/tree"
    mkdir up work root
    mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
    mount -t proc proc root/proc
    mount -t sysfs -o ro sysfs root/sys
    mount -t cgroup2 cgroup2 root/sys/fs/cgroup
    for dir in dev run tmp; do mount -t tmpfs -o mode=755 tmpfs root/$dir; done
    cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty root/dev
    mkdir root/dev/pts root/dev/shm root/mnt/out
    mount -t devpts -o newinstance,ptmxmode=0666 devpts root/dev/pts
    ln -s pts/ptmx root/dev/ptmx
    chmod 1777 root/tmp root/dev/shm
    mount --bind "$1" root/mnt/out
    rm -rf root/etc/systemd/system/* root/etc/fstab root/var/log/journal

    cp "$CHATD" root/usr/local/sbin/chatd
    cp "$CHAT" root/usr/local/bin/chat
    cp "$top"/contrib/systemd/* root/etc/systemd/system/
    cp "$top/tests/boot.sh" root/boot.sh
    cat >root/etc/systemd/system/trial.service <<'UNIT'
[Unit]
DefaultDependencies=no
After=sysinit.target systemd-journald.service
Requires=systemd-journald.service
[Service]
Type=oneshot
Environment=CHATD=inside CHAT=inside PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/bin/sh /boot.sh inside
StandardOutput=append:/mnt/out/said
StandardError=inherit
ExecStopPost=/bin/systemctl -q --force --force poweroff
UNIT
    cat >root/etc/systemd/system/trial.target <<'UNIT'
[Unit]
Requires=trial.service
After=trial.service
AllowIsolate=yes
UNIT
    ip link set lo up
    cd root
    mkdir -p old
    pivot_root . old
    umount -l /old
    exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \
        --unit=trial.target --log-target=null
}

# ---- On the way out ----

case ${1:-} in
inside)
    inside
    exit
    ;;
enter)
    enter "$2"
    ;;
esac

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
export CHATD CHAT
timeout -k 5 300 unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child \
    sh "$top/tests/boot.sh" enter "$dir" </dev/null >"$dir/console" 2>&1
if ! tail -n 200 "$dir/said" 2>/dev/null; then
    echo 'nothing was booted:'
    cat "$dir/console"
fi
grep -qx '[1-9][0-9]* passed, 0 failed' "$dir/said"
