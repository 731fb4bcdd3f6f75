# -a with accounts that no list has: a module of the name service switch, built here, that answers
# for a uid and for a name only, and for one of them not before a file is there. It stands in the
# place of a module that the C library has, in a namespace of mounts. And uids without an account,
# and of other namespaces.

: "${CHATD:?}" "${CHAT:?}"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
explain() { cat "$dir/log"; }

without() {
    skip 'proved names' "$1"
    finish
}
[ "$(id -u)" -eq 0 ] || without 'needs root'
for tool in cc setpriv unshare ldd getent ps; do
    command -v "$tool" >/dev/null || without "needs $tool"
done
libc=$(ldd "$(command -v getent)" 2>/dev/null | sed -n 's/.*libc\.so\.6 => \([^ ]*\).*/\1/p')
place=${libc%/*}/libnss_hesiod.so.2
[ -e "$place" ] || without 'this C library has no module to replace'

# What getpwent(3) would need is not there.
cat >"$dir/module.c" <<'END'
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

static enum nss_status account(const char *name, uid_t uid, struct passwd *pw)
{
    static char far[] = "far", slow[] = "slow", two[] = "zoe_2", empty[] = "";
    char *const names[] = {far, slow, two};

    for (unsigned i = 0; i < 3; i++) {
        if (name != NULL ? strcmp(name, names[i]) != 0 : uid != 7001 + i)
            continue;
        if (i == 1)
            while (access(GATE, F_OK) == -1)
                usleep(10000);
        *pw = (struct passwd){names[i], empty, 7001 + i, 7001 + i, empty, empty, empty};
        return NSS_STATUS_SUCCESS;
    }
    return NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_hesiod_getpwnam_r(
    const char *name, struct passwd *pw, char *buf, size_t len, int *error)
{
    (void)buf, (void)len, (void)error;
    return account(name, 0, pw);
}

enum nss_status _nss_hesiod_getpwuid_r(
    uid_t uid, struct passwd *pw, char *buf, size_t len, int *error)
{
    (void)buf, (void)len, (void)error;
    return account(NULL, uid, pw);
}
END
cc -shared -fPIC -DGATE="\"$dir/gate\"" -o "$dir/module.so" "$dir/module.c" ||
    without 'the module cannot be built'
echo 'passwd: files hesiod' >"$dir/nsswitch"
chmod 755 "$dir"
chmod 644 "$dir/nsswitch" "$dir/module.so"

# in_place COMMAND...: with that module.
in_place() {
    # shellcheck disable=SC2016
    unshare -m sh -c 'mount --bind "$1" "$2" && mount --bind "$3" /etc/nsswitch.conf || exit 99
        shift 3 && exec "$@"' sh "$dir/module.so" "$place" "$dir/nsswitch" "$@"
}
in_place getent passwd far >"$dir/out" 2>&1 || without 'the module cannot be put in place'

# you_of OUTPUT: the name that a client was given.
you_of() { sed -n '/ you /{s/.* you //p;q;}' "$1"; }
# local_name UID NAME: of a client of the socket that asks for NAME.
local_name() {
    : >"$dir/out.$1"
    setpriv --reuid="$1" --regid="$1" --clear-groups "$CHAT" -r -x -H 0 -w 40 -n "$2" \
        "$dir/sock" >"$dir/out.$1" 2>>"$dir/errors" &
    until_true seen "out.$1" ' you '
    you_of "$dir/out.$1"
}
far_name() {
    : >"$dir/out.$1"
    "$CHAT" -r -x -H 0 -w 40 -n "$1" "$tcp" >"$dir/out.$1" 2>>"$dir/errors" &
    until_true seen "out.$1" ' you '
    you_of "$dir/out.$1"
}
# open_room COMMAND...: that, with chatd and its options behind it.
open_room() {
    rm -f "$dir/log" "$dir/sock" "$dir/pid"
    # What is in CHATD_OPTIONS are words.
    # shellcheck disable=SC2086
    "$@" "$CHATD" ${CHATD_OPTIONS:-} -a -l 127.0.0.1:0 -l "$dir/sock" -M 0666 -p "$dir/pid" 2>"$dir/log" &
    until_true seen log "listening on $dir/sock"
    # Not $!, which may be a shell in front of it. Its end is that of the clients.
    pids="$pids $(cat "$dir/pid")"
    tcp=$(sed -n 's/.*listening on \(127.*\)/\1/p' "$dir/log")
}

# Both helpers for the slow account are at it.
are_asked() {
    [ "$(ps -o args= --ppid "$(cat "$dir/pid")" |
        grep -c '^chatd: lookup [un] \(slow\|7002\)$')" -eq 2 ]
}

open_room in_place
if ldd "$CHATD" >/dev/null 2>&1; then
    expect 'an account that is not listed' is far "$(local_name 7001 zed)"
    expect 'a uid without an account' is uid_7009 "$(local_name 7009 root)"
    expect 'a login that is not listed, from afar' is '~far' "$(far_name far)"
    expect 'a login that is not listed, in another case' is '~FAR_2' "$(far_name FAR)"
    expect 'a login with a suffix' is '~far_10' "$(far_name far_10)"
    expect 'a login in the file' is '~root' "$(far_name root)"
    expect 'a number' is '~uid_7009' "$(far_name uid_7009)"
    expect 'no login' is zoe "$(far_name zoe)"
    expect 'a suffix that would make a login' is zoE_3 "$(far_name zoE)"
    # Those who come behind a slow account have nothing to wait for. It is waited for 15 s.
    local_name 7002 x >"$dir/slow" &
    far_name slow >"$dir/slow_far" &
    until_true are_asked
    expect 'an account behind a slow one' is zoe_2 "$(local_name 7003 zed)"
    expect 'a name behind a slow one' is mia "$(far_name mia)"
    expect 'a login with a suffix behind a slow one' is '~far_11' "$(far_name far_11)"
    expect 'nobody waited for the slow ones' [ ! -s "$dir/slow" ]
    : >"$dir/gate"
    expect 'a slow account' until_true seen slow '^slow$'
    expect 'a slow login' until_true seen slow_far '^~slow$'
else
    skip 'accounts that are not listed' 'a static program loads no module'
fi

if unshare -Ur true 2>/dev/null; then
    open_room unshare -Ur
    expect 'a uid of another namespace' is uid_65534 "$(local_name 7001 far)"
    expect 'one that is mapped' is root "$(local_name 0 far)"
else
    skip 'uids of other namespaces' 'there are none'
fi
finish
