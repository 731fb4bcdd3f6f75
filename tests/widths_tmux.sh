# The widths of Unicode's test texts: what the editor makes of them beside what tmux does. Needs
# tmux and Debian's unicode-data; see tests/widths.c. `sh tests/run.sh` counts it.
#
# WIDTHS is the program; UNICODE where the files are.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
: "${WIDTHS:=$(dirname "$0")/widths}" "${UNICODE:=/usr/share/unicode}"
export LC_ALL=C.UTF-8
need tmux

screen() {
    tmux -u -S "$dir/tmux" -f "$dir/conf" "$@"
}
at_end() { screen kill-server 2>/dev/null; }
explain() { head -n 40 "$dir/said"; }
has_ended() { [ -s "$dir/status" ]; }
went_well() { [ "$(cat "$dir/status")" = 0 ]; }

for file in emoji/emoji-test.txt auxiliary/GraphemeBreakTest.txt; do
    [ -r "$UNICODE/$file" ] || {
        echo "$UNICODE/$file is needed (unicode-data)"
        exit 1
    }
    # The second terminal does not meet a server that ends with the first one.
    printf 'set -g status off\nset -sg escape-time 0\nset -s exit-empty off\n' >"$dir/conf"
    : >"$dir/status"
    screen new-session -d -x 80 -y 24 \
        "$WIDTHS $UNICODE/$file 2>$dir/said; echo \$? >$dir/status"
    expect "$file: measured" until_true has_ended
    expect "$file: the same widths" went_well
    tail -n 1 "$dir/said"
done

finish
