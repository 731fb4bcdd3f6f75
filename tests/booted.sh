# A systemd that is booted in namespaces of its own, on an overlay of a tree of files: what is done there is
# gone with it. For scripts of this directory, which define two functions and then say `boot TREE "$@"`:
#
#   furnish   puts what the trial needs below root/, before the boot
#   inside    the trial, as root, as a service of the booted systemd; it ends with finish
#
# Needs root, Linux namespaces, overlayfs and cgroup2; and systemd and procps in the tree.

top=$(cd "$(dirname "$0")/.." && pwd) || exit 1

# ---- Inside ----

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
    systemctl status '*chatd*'
    journalctl -q -o short-monotonic | tail -n 100
    exit 1
}
not() { ! "$@"; }
# Tries for a minute, times CHATD_PATIENCE.
until_true() {
    tries=$((1200 * CHATD_PATIENCE))
    until "$@"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.05
    done
}
is() { equal "$3" "$(systemctl show -p "$2" --value "$1")"; }
status_is() { systemctl show -p StatusText --value "$1" | grep -qx -e "$2"; }
seen() { grep -qs -e "$2" "$1"; }
equal() { [ "$1" = "$2" ] || { echo "$1 is not $2"; false; }; }
log_count() { [ "$(journalctl -q -o cat -u "$1" | grep -c -e "$2")" -ge "$3" ]; }
log_has() { journalctl -q -o cat -u "$1" | grep -q -e "$2"; }

# ---- On the way in: the new namespaces' first process ----

# enter TREE OUT: mounts what it boots below OUT, which hears what comes of it, and becomes systemd.
enter() {
    set -e
    mount --make-rprivate /
    mkdir "$2/tree"
    mount -t tmpfs tmpfs "$2/tree"
    cd "$2/tree"
    mkdir up work root
    mount -t overlay overlay -o "lowerdir=$1,upperdir=up,workdir=work" root
    mount -t proc proc root/proc
    mount -t sysfs -o ro sysfs root/sys
    mount -t cgroup2 cgroup2 root/sys/fs/cgroup
    for name in dev run tmp; do mount -t tmpfs -o mode=755 tmpfs root/$name; done
    cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty root/dev
    mkdir root/dev/pts root/dev/shm root/mnt/out
    mount -t devpts -o newinstance,ptmxmode=0666 devpts root/dev/pts
    ln -s pts/ptmx root/dev/ptmx
    chmod 1777 root/tmp root/dev/shm
    mount --bind "$2" root/mnt/out
    rm -rf root/etc/systemd/system/* root/etc/fstab root/var/log/journal

    mkdir root/trial
    cp "$top/tests/booted.sh" "$top/tests/${0##*/}" root/trial
    furnish
    cat >root/etc/systemd/system/trial.service <<UNIT
[Unit]
DefaultDependencies=no
After=sysinit.target systemd-journald.service
Requires=systemd-journald.service
[Service]
Type=oneshot
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Environment=CHATD_PATIENCE=${CHATD_PATIENCE:-1}
ExecStart=/bin/sh /trial/${0##*/} inside
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
    mount --make-rshared / # as a container's manager does: credentials of services need it
    exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \
        --unit=trial.target --log-target=null
}

# ---- On the way out ----

boot() {
    tree=$1
    shift
    case ${1:-} in
    inside)
        inside
        exit
        ;;
    enter)
        enter "$tree" "$2"
        ;;
    esac

    dir=$(mktemp -d) || exit 1
    trap 'rm -rf "$dir"' EXIT
    trap 'exit 1' HUP INT TERM
    timeout -k 5 "$((280 * ${CHATD_PATIENCE:-1}))" unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child \
        sh "$top/tests/${0##*/}" enter "$dir" </dev/null >"$dir/console" 2>&1
    if ! tail -n 200 "$dir/said" 2>/dev/null; then
        echo 'nothing was booted:'
        cat "$dir/console"
    fi
    grep -qx '[1-9][0-9]* passed, 0 failed' "$dir/said"
}
