# What may include what. A file of the hub, of the journal or of the hub's part of the cluster
# includes only what stands to its left in this order; files between two arrows do not include each
# other. NAME stands for NAME.h and NAME.c. A new file is given its place here.
order='
    big_endian membership <- batch <- frame <-
    list table timers watch codec pacing rate transcript <- source <- bans config <-
    names log token person node remainder opener writer <- hold <- link <- room <-
    users submission requests letter <- apply outbox mailbox replica renewal <-
    search copy engine_end <- cluster_state <- loading <- lost_stream <- journal cluster <- connection <-
    output backpressure resume status disk greeting accounts submit private <- welcome <- ending snapshot <-
    login operator proxy <- stream commands <- input settle deadlines <- hub_private.h <- hub <- hub_parent.c readback'

# All that the parent may include of the hub: what it is told and does, how state is written, and
# the limits of its log, whose connection one is, and how often something may happen.
public='hub config codec log source pacing rate'

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 1

# Every line "FILE INCLUDED", both from the top directory.
includes() {
    for file in chatd.c chat.c protocol.[ch] wire/*.[ch] compat/*.[ch] client/*.[ch] \
        server/*.[ch] server/*/*.[ch]; do
        beside=${file%"${file##*/}"}
        sed -n 's/^ *# *include  *"\([^"]*\)".*/\1/p' "$file" | while read -r name; do
            [ ! -f "$beside$name" ] || name=$beside$name
            echo "$file $name"
        done
    done
}

# ---- Rules: each reads such lines and says what is wrong. ----

order_of_the_hub() {
    awk -v order="$order" '
        BEGIN {
            n = split(order, word, " ")
            for (i = 1; i <= n; i++)
                if (word[i] == "<-")
                    floor++
                else if (word[i] ~ /\.[ch]$/)
                    place[word[i]] = floor + 1
                else
                    place[word[i] ".h"] = place[word[i] ".c"] = floor + 1
        }
        function is_inside(path) {
            return path ~ /^server\/(hub|journal)\// || path ~ /^server\/cluster\/(batch|big_endian|membership|frame|requests|letter|apply|outbox|search|copy|mailbox|renewal|engine_end|cluster_state|loading|lost_stream|cluster)\./
        }
        function base(path) { sub(/.*\//, "", path); return path }
        function header(name) { sub(/c$/, "h", name); return name }
        is_inside($1) && !(base($1) in place) && !said[$1]++ { print $1, "has no place" }
        is_inside($1) && is_inside($2) && base($2) != header(base($1)) &&
            place[base($2)] >= place[base($1)] { print $1, "includes", $2 }'
}

borders_of_folders() {
    awk -v public=" $public " '
        function is_from(folder) { return index($1, folder) == 1 }
        function is_to(folder) { return index($2, folder) == 1 }
        function name(path) { sub(/.*\//, "", path); sub(/\.h$/, "", path); return path }
        is_from("wire/") && !is_to("wire/") ||
        is_from("protocol") && !is_to("wire/") && !is_to("protocol") ||
        is_from("compat/") && !is_to("compat/") ||
        is_from("client/") && is_to("server/") ||
        is_from("server/") && is_to("client/") ||
        is_from("server/hub/") && is_to("server/parent/") ||
        is_from("server/journal/") && is_to("server/parent/") ||
        !is_from("server/parent/") && !is_from("server/worker/") && !is_from("chatd.c") &&
            is_to("server/worker/") ||
        is_from("server/worker/") && (is_to("server/hub/") || is_to("server/journal/")) ||
        (is_from("server/parent/") || is_from("chatd.c")) && is_to("server/hub/") &&
            index(public, " " name($2) " ") == 0 { print $1, "includes", $2 }'
}

private_headers() {
    awk '$2 ~ /_private\.h$/ { n[$2]++ }
        END { for (file in n) if (n[file] > 2) print file, "is included by", n[file], "files" }'
}

# A file and its header are one. In the hub the order excludes circles.
circles() {
    sed -n 's/\.[ch] / /; s/\.h$//; /^server\/\(hub\|journal\)/!p' | { tsort >/dev/null; } 2>&1
}

# ---- Asking ----

includes >"$dir/includes"

# The rule finds nothing in the tree, but something in these lines, which break it.
holds() {
    "$1" <"$dir/includes" >"$dir/faults"
    cat "$dir/faults"
    [ ! -s "$dir/faults" ] || return 1
    printf '%s\n' "$2" | "$1" >"$dir/faults"
    [ -s "$dir/faults" ] || { echo "$1 sees no fault in: $2" && return 1; }
}

expect "the tree has files that include others" [ "$(wc -l <"$dir/includes")" -gt 200 ]
expect "no file of the hub includes what is to its right" \
    holds order_of_the_hub "server/hub/log.c server/hub/link.h"
expect "every file of the hub has its place" holds order_of_the_hub "server/hub/new.c protocol.h"
expect "folders keep to themselves" holds borders_of_folders "server/parent/x.c server/hub/room.h"
expect "the wire knows nothing else" holds borders_of_folders "wire/line.c protocol.h"
expect "a worker knows no hub" holds borders_of_folders "server/worker/x.c server/hub/hub.h"
expect "private headers are for two files" \
    holds private_headers "$(printf '%s.c x_private.h\n' a b c)"
expect "there is no circle" holds circles "$(printf 'a.c b.h\nb.c a.h\n')"
finish
