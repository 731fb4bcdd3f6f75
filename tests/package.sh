# The life of Debian's packages under a real systemd: installed, used, upgraded while people talk, removed, installed
# again, purged. TREE is a clean tree of Debian with systemd, procps, logrotate and netcat-openbsd, of which an
# overlay is booted in namespaces of its own; PACKAGES is a directory with roomchat_*.deb and roomchatd_*.deb.
#
# Needs root, Linux namespaces, overlayfs and cgroup2, and dpkg-deb; `sh tests/run.sh tests/package.sh` counts it.

[ "${1:-}" = inside ] || : "${TREE:?}" "${PACKAGES:?}"
# shellcheck source=tests/booted.sh
. "$(dirname "$0")/booted.sh"

furnish() {
    mkdir root/trial/new root/trial/old root/trial/unpacked
    cp "$PACKAGES"/roomchat_*.deb "$PACKAGES"/roomchatd_*.deb root/trial/new
    cp -R "$top/debian/tests" root/trial/tests
    for deb in root/trial/new/*.deb; do
        tree=root/trial/unpacked/${deb##*/}
        dpkg-deb -R "$deb" "$tree"
        # Of another version, older than any, with another unit: the number in the program has as many bytes as before.
        version=$(sed -n 's/^Version: \(.*\)-.*/\1/p' "$tree/DEBIAN/control")
        sed -i 's/^Version: /&0.0~/' "$tree/DEBIAN/control"
        for program in "$tree"/usr/bin/* "$tree"/usr/sbin/*; do
            [ ! -e "$program" ] ||
                sed -i "s/$(echo "$version" | sed 's/\./\\./g')/${version%?}x/g" "$program"
        done
        [ ! -e "$tree/lib/systemd" ] || sed -i 's/^Description=/&An older one: /' "$tree"/lib/systemd/system/*
        (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
        dpkg-deb --root-owner-group -b "$tree" root/trial/old
    done
}

inside() {
    main=roomchatd.service
    export DEBIAN_FRONTEND=noninteractive
    package() { dpkg --force-confold "$@"; }
    # What is on the disk, but for what other packages write.
    files() {
        find / \( -path /dev -o -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /mnt -o -path /trial \
            -o -path /var/lib/dpkg -o -path /var/lib/logrotate -o -path /var/log/journal -o -path /var/cache \) -prune \
            -o ! -path '/etc/systemd/system/*.wants' -print | sort
    }
    chat() { timeout "$((20 * CHATD_PATIENCE))" roomchat "$@"; }
    # heard PATTERN [SOCKET]
    heard() { chat -n reader -r -x -H 50 -W "$CHATD_PATIENCE" ${2+"$2"} | grep -q -e "$1"; }
    users() { cut -d : -f 1 /etc/passwd; }

    files >/run/before
    expect 'installed' package -i /trial/old/*.deb
    expect 'no socket listens' is roomchatd.socket ActiveState inactive
    expect 'nothing runs' is $main ActiveState inactive
    expect 'nothing starts at boot' [ "$(systemctl is-enabled roomchatd.socket $main | sort -u)" = disabled ]
    expect 'a user for rooms that are started by hand' getent passwd _chatd
    expect 'the older version' sh -c 'roomchatd -V | grep -q "^roomchatd [0-9.]*x$"'
    [ "$failed" -eq 0 ] || finish

    # One room, for the boot and for now.
    expect 'enabled' systemctl enable --now $main
    expect 'a message' chat -n ann -m hello
    expect 'the journal has the name' until_true sh -c 'journalctl -q -t roomchatd | grep -q "listening on"'
    expect 'no other name' not sh -c "journalctl -q -o cat -u $main | grep -E '(^| )chatd?:'"
    expect 'restarted' systemctl restart $main
    expect 'the past is known' until_true heard ' post ann hello$'

    # What the administrator changes.
    echo '# mine' >>/etc/logrotate.d/roomchatd
    mkdir -p /etc/systemd/system/$main.d
    printf '[Service]\nEnvironment=MINE=1\n' >/etc/systemd/system/$main.d/mine.conf
    systemctl daemon-reload

    # Another version, while somebody is there who does not come back by itself.
    mkfifo /run/bob.says
    roomchat -p -n bob </run/bob.says >/run/bob 2>&1 &
    bob=$!
    exec 7>/run/bob.says
    expect 'a member' until_true status_is $main '1 member, .*'
    expect 'a room by name' systemctl enable --now roomchatd@lobby.socket
    expect 'is used' chat -n ann -m 'in the lobby' /run/roomchatd/lobby
    pid=$(systemctl show -p MainPID --value $main)
    lobby=$(systemctl show -p MainPID --value roomchatd@lobby.service)
    expect 'upgraded' package -i /trial/new/*.deb
    expect 'the room has the new program' until_true log_has $main 'this is roomchatd [0-9.]* now, with 1 member'
    expect 'so has the lobby' until_true log_has roomchatd@lobby.service 'this is roomchatd [0-9.]* now'
    expect 'the same process' is $main MainPID "$pid"
    expect 'the same process in the lobby' is roomchatd@lobby.service MainPID "$lobby"
    expect 'systemd knows the new units' is $main Description 'A chat server'
    echo 'before and after' >&7
    expect 'the member talks on' until_true seen /run/bob 'bob: before and after'
    expect 'without a break' not seen /run/bob 'went away'
    expect 'a newcomer' chat -n cia -m 'after the upgrade'
    expect 'is heard' until_true seen /run/bob 'cia.*: after the upgrade'
    expect 'the configuration is kept' grep -qx '# mine' /etc/logrotate.d/roomchatd
    expect 'it is still enabled' systemctl is-enabled $main
    expect 'a rotation' logrotate -f /etc/logrotate.d/roomchatd
    expect 'the old file' grep -q ' post ann hello$' /var/lib/private/roomchatd/room.log.1
    expect 'the new file' until_true [ -e /var/lib/private/roomchatd/room.log ]
    expect 'the lobby has one, too' chat -n ann -m 'in the lobby again' /run/roomchatd/lobby

    exec 7>&-
    wait "$bob"
    expect 'the member leaves' until_true status_is $main '0 members, .*'
    systemctl disable --now $main

    # The packages' own tests.
    mkdir /run/room
    expect 'the test room' env AUTOPKGTEST_TMP=/run/room sh /trial/tests/room
    expect 'the test service' sh /trial/tests/service

    systemctl enable --now $main
    expect 'removed' package -r roomchat roomchatd
    expect 'nothing runs' not pgrep -f '^roomchatd:'
    expect 'nothing listens' is roomchatd@lobby.socket ActiveState inactive
    expect 'the configuration stays' grep -qx '# mine' /etc/logrotate.d/roomchatd
    expect 'the transcripts stay' [ -s /var/lib/private/roomchatd/room.log ]
    expect 'which logrotate reads' logrotate /etc/logrotate.d/roomchatd
    expect 'no program' [ ! -e /usr/sbin/roomchatd -a ! -e /usr/bin/roomchat ]
    expect 'installed again' package -i /trial/new/*.deb
    systemctl start $main
    expect 'the past is known' until_true heard ' post cia after the upgrade$'
    systemctl start roomchatd@lobby.socket
    expect 'the past of the lobby is, too' until_true heard ' post ann in the lobby again$' /run/roomchatd/lobby

    expect 'purged' package -P roomchat roomchatd
    expect 'nothing runs after a purge' not pgrep -f '^roomchatd:'
    rm -r /etc/systemd/system/$main.d
    files | comm -13 /run/before - >/run/left
    expect 'nothing is left' not cat_some /run/left
    expect 'no unit has failed' [ -z "$(systemctl --failed --plain --no-legend)" ]
    finish
}
cat_some() { cat "$1"; [ -s "$1" ]; }

boot "${TREE-}" "$@"
