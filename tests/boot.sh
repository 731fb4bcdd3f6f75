# The units of contrib/systemd under a real systemd: an overlay of this machine's own files is
# booted in namespaces of its own, and everything that is done there is gone with it.
#
# Needs root, Linux namespaces, overlayfs and cgroup2, systemd and procps; `sh tests/run.sh
# tests/boot.sh` counts it. CHATD and CHAT are the programs.

[ "${1:-}" = inside ] || : "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/booted.sh
. "$(dirname "$0")/booted.sh"

# The same as page_block in lib.sh.
example() {
    sh -c '. "$0/tests/lib.sh"; page_block "$0/man/chatd.8" "$1"' "$top" "$1" | sed 's/\\e$/\\/'
}

furnish() {
    cp "$CHATD" root/usr/local/sbin/chatd
    cp "$CHAT" root/usr/local/bin/chat
    cp "$top"/contrib/systemd/* root/etc/systemd/system/
    cp "$top/contrib/logrotate/chatd" root/rotate
    # Examples of the page.
    mkdir root/page
    example 'useradd -r' >root/page/team
    example '^chat /var/lib/room/sock' >root/page/join
    example '/var/lib/lan' >root/page/network
    example '%E/chatd/access' >root/page/access
    example 'daemon-reload' >root/page/units
    example 'cluster.conf' >root/page/node
    example 'ListenStream=65432' >root/page/address
    example 'restart chatd@ops' >root/page/restart
}

inside() {
    # runs_anew PID: another hub than that is ready.
    runs_anew() { not is $main MainPID "$1" && not is $main MainPID 0 && is $main ActiveState active; }
    # late COMMAND: the service is that.
    late() {
        mkdir -p /run/systemd/system/$main.d
        printf '[Service]\nExecStart=\nExecStart=%s\n' "$*" >/run/systemd/system/$main.d/late.conf
        systemctl daemon-reload
    }
    as() {
        who=$1
        shift
        timeout "$((20 * CHATD_PATIENCE))" setpriv --reuid "$who" --regid "$who" --init-groups "$@"
    }
    chat() { timeout "$((20 * CHATD_PATIENCE))" /usr/local/bin/chat "$@"; }
    # pid_of TITLE: sets pid_found to the process of that title, which it may not have yet.
    pid_of() { until_true titled "$1"; }
    titled() { pid_found=$(pgrep -f "^chatd: $1"); }
    # past_has PATTERN COMMAND...: what the command prints is in /run/past.
    past_has() {
        pattern=$1
        shift
        "$@" >/run/past 2>&1
        seen /run/past "$pattern"
    }

    for who in ann bob eve; do useradd $who; done
    main=chatd.service

    # A room for a team, as chatd(8) says.
    sed 's/^chatd /chatd -d -p \/run\/team.pid /' /page/team >/run/team
    expect 'the page: a room for a team' sh -e /run/team
    usermod -a -G ops bob
    echo hello >/run/hello
    expect 'the page: one of the team joins' as ann sh -e /page/join </run/hello
    expect 'the page: she is heard' until_true seen /var/lib/room/log ' msg ann hello$'
    expect 'the page: others do not' not as eve sh -e /page/join </run/hello
    # It may not remove the file: it has given up root.
    team=$(cat /run/team.pid)
    kill "$team"
    expect 'the page: it ends' until_true not kill -0 "$team"

    # A room for the local network, as chatd(8) says.
    expect 'the page: a room for the network' sh -e /page/network
    expect 'the page: a message there' chat -n ann -m hello
    expect 'the page: it is in the transcript' until_true seen /var/lib/lan/log ' post ann hello$'
    pkill -o -f '^chatd: .*:65432'
    expect 'the page: this one, too' until_true not pgrep -f '^chatd: '

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
    expect 'the join is logged' until_true log_has $main ': bob joined (pid [0-9]*)$'
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
    expect 'the upgrade' systemctl kill -s USR2 $main
    expect 'it is another version' until_true log_has $main "this is chatd $next now, with 1 member,"
    expect 'in the same process' is $main MainPID "$pid"
    expect 'that shows its state' until_true status_is $main '1 member, 127.0.0.1:65432'
    echo 'before and after' >&7
    expect 'who was there talks on' until_true seen /run/bob 'bob: before and after'
    expect 'and is not sent away' not seen /run/bob 'went away'
    expect 'a newcomer' chat -n cia -m 'after the upgrade'
    expect 'is heard' until_true seen /run/bob 'cia[*]: after the upgrade'

    # A hub that is killed comes back by itself, with its history, and so does who stays (-k).
    systemctl kill -s KILL --kill-whom=main $main
    expect 'it is started again' until_true runs_anew "$pid"
    expect 'with the member who was there' until_true status_is $main '1 member, .*'
    expect 'the past is known' until_true past_has 'cia[*]: after the upgrade' \
        chat -n dan -r -W "$CHATD_PATIENCE" -H 20

    # A signal sent the usual way goes to all processes of the service, and means the hub.
    pid=$(systemctl show -p MainPID --value $main)
    pid_of transcript
    writer=$pid_found
    pid_of bob
    worker=$pid_found
    for signal in HUP USR1; do systemctl kill -s $signal $main; done
    for signal in INT QUIT USR2; do kill -s $signal "$writer" "$worker"; done
    expect 'a report' until_true log_has $main 'status: .* bob: '
    expect 'the same hub' is $main MainPID "$pid"
    expect 'the same writer' equal "$writer" "$(pgrep -f '^chatd: transcript')"
    expect 'the same worker' equal "$worker" "$(pgrep -f '^chatd: bob')"

    # All lines of a long report are in the journal.
    for i in 1 2 3 4 5 6 7 8 9 10; do
        for j in 1 2 3 4; do /usr/local/bin/chat -r -n "crowd$i$j" >/run/crowd 2>&1 & done
    done
    expect 'a crowd' until_true status_is $main '41 members, .*'
    systemctl kill -s USR1 $main
    expect 'a report of it' until_true log_count $main 'status: .* crowd[0-9]*: joined' 40
    pkill -f -- '-n crowd'
    expect 'which leaves' until_true status_is $main '1 member, .*'

    # The hub is killed while the writer is behind: what was echoed is in the file all the same.
    file=/var/lib/private/chatd/room.log
    pid_of transcript
    writer=$pid_found
    kill -s STOP "$writer"
    pid_of bob
    worker=$pid_found
    kill -s STOP "$worker"
    seq -f 'line %g of many' 2000 >/run/lines
    expect 'a busy room' chat -n dora -s </run/lines
    expect 'and a writer that is behind' not grep -q 'line 2000 of many' $file
    systemctl kill -s KILL --kill-whom=main $main
    expect 'the hub is gone' until_true not kill -0 "$pid"
    expect 'the writer is not' kill -0 "$writer"
    expect 'a worker that stood still is' until_true not kill -0 "$worker"
    kill -s CONT "$writer"
    expect 'the next one is there' until_true runs_anew "$pid"
    expect 'with the member who was there' until_true status_is $main '1 member, .*'
    sed -n 's/.* post dora //p' $file >/run/found
    expect 'every line once, in order' cmp /run/lines /run/found
    expect 'another writer writes' not equal "$writer" "$(pgrep -f '^chatd: transcript')"

    # The transcript is rotated, where there is a logrotate.
    if command -v logrotate >/dev/null; then
        sed -n '/^.var.lib.private/,$p' /rotate >/run/rotate
        expect 'a rotation' logrotate -f -s /run/rotate.state /run/rotate
        expect 'the old file' grep -q 'line 1 of many' $file.1
        expect 'a new file' until_true [ -e $file ]
        expect 'a line' chat -n ann -m 'after the rotation'
        expect 'is in the new one' until_true grep -q 'after the rotation' $file
    fi

    exec 7>&-
    expect 'stop' systemctl stop chatd.socket $main
    expect 'it has ended well' is $main Result success
    expect 'nobody is left' not pgrep -f '^chatd:'

    # An address that is late, and a transcript: both are tried again until they are there.
    late /usr/local/sbin/chatd -l 192.0.2.7:65432
    expect 'an address that is late' not systemctl start $main
    expect 'is tried again' until_true log_count $main '192.0.2.7:65432: ' 3
    ip address add 192.0.2.7/32 dev lo
    expect 'and is there' until_true is $main ActiveState active
    expect 'for clients' chat -n ann -m hello 192.0.2.7
    systemctl stop $main
    late /usr/local/sbin/chatd -t /run/late/room.log
    expect 'a directory that is late' not systemctl start $main
    expect 'is tried again' until_true log_count $main '/run/late/room.log: ' 3
    install -d -m 777 /run/late
    expect 'and is there' until_true is $main ActiveState active
    systemctl stop $main

    # The same with a client that waits at the socket: the socket unit does not fail.
    rm -r /run/late
    expect 'the socket' systemctl start chatd.socket
    timeout "$((60 * CHATD_PATIENCE))" /usr/local/bin/chat -w "$((60 * CHATD_PATIENCE))" -n ann -m 'I can wait' >/run/ann 2>&1 &
    expect 'starts without success' until_true log_count $main '/run/late/room.log: ' 8
    expect 'the socket is there' is chatd.socket ActiveState active
    install -d -m 777 /run/late
    expect 'who waited is heard' until_true seen /run/late/room.log 'post ann I can wait'
    systemctl stop chatd.socket $main
    rm -r /run/systemd/system/$main.d

    # A socket for an address that the machine does not have yet.
    mkdir /run/systemd/system/chatd.socket.d
    printf '[Socket]\nListenStream=\nListenStream=192.0.2.9:65432\n' \
        >/run/systemd/system/chatd.socket.d/address.conf
    systemctl daemon-reload
    expect 'a socket without its address' systemctl start chatd.socket
    ip address add 192.0.2.9/32 dev lo
    expect 'and with it' chat -n ann -m hello 192.0.2.9
    systemctl stop chatd.socket $main
    rm -r /run/systemd/system/chatd.socket.d
    systemctl daemon-reload

    # An access file, and all units at once, as chatd(8) says.
    mkdir /run/systemd/system/$main.d /etc/chatd
    cp /page/access /run/systemd/system/$main.d/access.conf
    echo 'deny all' >/etc/chatd/access
    systemctl daemon-reload
    systemctl start chatd.socket
    chat -n ann -m hello
    expect 'the page: access rules' equal 77 $?
    systemctl stop chatd.socket $main
    rm -r /run/systemd/system/$main.d
    sed 's/make install && //; /^chat /d' /page/units >/run/units
    expect 'the page: units' sh -e /run/units
    expect 'the page: the first room' chat -n ann -m hello
    sed -n '/^chat /p' /page/units >/run/chat
    expect 'the page: the room of the team' as ann sh -e /run/chat </run/hello
    for room in chatd chatd@lobby chatd-team@ops; do
        systemctl disable --now $room.socket
        systemctl stop $room.service
    done

    expect 'one worker is not the room' equal continue "$(systemctl show -p OOMPolicy --value $main)"

    # Each room has a user of its own.
    for room in chatd@one chatd@two chatd-team@ops; do systemctl start $room.service; done
    uids=$(for room in chatd@one chatd@two chatd-team@ops; do
        ps -o uid= -p "$(systemctl show -p MainPID --value $room.service)"
    done | sort -u | wc -l)
    expect 'three rooms, three users' equal 3 "$uids"
    for room in chatd@one chatd@two chatd-team@ops; do systemctl stop $room.service $room.socket; done

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
    expect 'the past is known there' until_true past_has 'eve[*]: one' \
        chat -r -n bob -W "$CHATD_PATIENCE" -H 20 /run/chatd/lobby
    systemctl stop $room.socket $room.service

    # The same as a node of a room on several machines, whose server wants a password.
    if command -v nats-server >/run/said; then
        printf '%s\n' 'listen: 127.0.0.1:4222' 'jetstream { store_dir: /run/nats }' \
            'authorization { user: chat, password: secret }' >/run/nats.conf
        nats-server -c /run/nats.conf >/run/nats.log 2>&1 &
        nats=$!
        # In the directory of the examples.
        (cd /etc/systemd/system && sh -e /page/node) >/run/said 2>&1
        expect 'the page: a node as a service' equal 0 $?
        room=chatd@ops
        expect 'it has listened' systemctl start $room.service
        expect 'its server' until_true status_is $room.service '.*node .* of room ops, ready.*'
        expect 'its clients' as eve /usr/local/bin/chat -n eve -m three /run/chatd/ops
        expect 'its past' until_true past_has 'eve[*]: three' \
            chat -r -n bob -W "$CHATD_PATIENCE" -H 20 /run/chatd/ops
        expect 'the page: an address for clients of other machines' \
            script -qec "SYSTEMD_EDITOR='cp /page/address' systemctl edit $room.socket" /dev/null
        expect 'the page: it is in force' sh -e /page/restart
        expect 'a client of another machine' chat -n bob -m four :65432
        expect 'the others are heard there' until_true past_has 'eve[*]: three' \
            chat -r -n bob -W "$CHATD_PATIENCE" -H 20 :65432
        systemctl revert $room.socket
        systemctl -q disable $room.socket
        systemctl stop $room.socket $room.service
        kill $nats
    fi

    # The group's room: members of the group can connect, and the kernel proves their names.
    team=chatd-team@ops
    expect 'a room of a team' systemctl start $team.socket
    expect 'a member gets in' as ann /usr/local/bin/chat -n fake -m 'it is me' /run/chatd-team/ops
    expect 'nobody else does' not as eve /usr/local/bin/chat -n eve -m 'let me in' /run/chatd-team/ops
    expect 'she has her own name' until_true past_has 'ann[*]: it is me' \
        as bob /usr/local/bin/chat -r -n root -W "$CHATD_PATIENCE" -H 20 /run/chatd-team/ops
    expect 'and so has bob' seen /run/past 'you are bob'
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

boot / "$@"
