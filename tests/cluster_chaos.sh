# A room on three hosts, and everything goes wrong at random for CHAOS_SECONDS (40) under load: hubs,
# engines, writers and NATS servers are killed and stopped, nodes are ended and upgraded, links are
# cut. Then the accounts (clients.sh): every line of clients that reconnect once and in order, all in
# one order, the transcripts of the nodes equal, their users lists, too. SEED chooses what happens,
# and is printed. At most one NATS server at a time is killed or cut off; what the servers lose all
# the same is told by its sequence, and an account that is wrong in nothing else is skipped. With
# DELETES=1 the stream is deleted now and then, too, and the nodes make it anew. Needs root,
# namespaces, ip, ss, nc and nats-server. A long run, with a hundred clients for each node:
#
#   CHAOS_SECONDS=1200 TALKERS=15 RATE=3 MEMBERS=95 CHATD=./chatd CHAT=./chat sh tests/cluster_chaos.sh

: "${CHATD:?}" "${CHAT:?}"
trying='chaos on three hosts'
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/trio.sh
. "$(dirname "$0")/trio.sh"
# shellcheck source=tests/clients.sh
. "$(dirname "$0")/clients.sh"

seconds=${CHAOS_SECONDS:-40}
seed=${SEED:-$(date +%s)}
echo "seed $seed, $seconds s"

# ---- The plan ----

# Lines of: when in tenths of a second, what, of which host, for how many tenths, and for a link
# its other end.
plan() {
    awk -v seed="$seed" -v end="$((10 * seconds))" -v kinds=$((14 + ${DELETES:-0})) '
        function pick(n) { return int(n * rand()) }
        # Is that free? Then it is not, for so long.
        function take(what, span) {
            if (until[what] > now)
                return 0
            until[what] = now + span
            return 1
        }
        function say(what, host, span, other) { print now, what, host, span, other }
        BEGIN {
            srand(seed)
            for (now = 10; now < end; now += 3 + pick(20)) {
                host = 1 + pick(3)
                other = 1 + (host + pick(2)) % 3
                span = 2 + pick(40)
                kind = pick(kinds)
                if (kind == 0 && take("servers", span + 40)) say("server_kill", host, span, 0)
                if (kind == 1 && take("servers", span + 40)) say("server_stop", host, span, 0)
                if (kind == 2 && take("servers", span + 40)) say("link_cut", host, span, other)
                if (kind == 3 && take("servers", span + 40)) say("way_cut", host, span, other)
                if (kind == 4 && take("hub" host, span + 30)) say("hub_kill", host, pick(20), 0)
                if (kind == 5 && pick(4) == 0) span = 180
                if (kind == 5 && take("hub" host, span + 30)) say("hub_stop", host, span, 0)
                if (kind == 6) say("engine_kill", host, 0, 0)
                if (kind == 7 && take("engine" host, span)) say("engine_stop", host, span, 0)
                if (kind == 8) say("writer_kill", host, 0, 0)
                if (kind == 9 && take("writer" host, span)) say("writer_stop", host, span, 0)
                if (kind == 10 && take("way" host, span)) say("client_cut", host, span, 0)
                if (kind == 11 && take("hub" host, span)) say("hub_upgrade", host, 0, 0)
                if (kind == 12 && take("hub" host, span + 30)) say("hub_end", host, pick(20), 0)
                if (kind == 13 && take("servers", span + 40)) say("majority_stop", host, span, other)
                if (kind == 14 && take("servers", 600)) say("stream_delete", host, 0, 0)
            }
        }'
}

# ---- What goes wrong ----

hold() {
    kill -STOP "$1" && later "$2" kill -CONT "$1"
}
# child HOST WORD: the process of a node whose title has that word
child() {
    ps -o pid=,args= --ppid "$(pid "node$1")" |
        awk -v title="chatd: $2" 'index($0, title) { print $1 }'
}
# lose_for NAME TENTHS: it is killed, and started again after that time.
lose_for() { down "$1" && later "$2" rm "$dir/$1.down"; }
server_kill() { lose_for "nats$1" "$2"; }
server_stop() { hold "$(pid "nats$1")" "$2"; }
hub_kill() { lose_for "node$1" "$2"; }
hub_stop() { hold "$(pid "node$1")" "$2"; }
hub_upgrade() { kill -USR2 "$(pid "node$1")"; }
hub_end() {
    : >"$dir/node$1.down"
    kill -TERM "$(pid "node$1")"
    later "$2" rm "$dir/node$1.down"
}
majority_stop() { hold "$(pid "nats$1")" "$2" && hold "$(pid "nats$3")" "$2"; }
stream_delete() {
    # shellcheck disable=SC2016
    at $clients "$OBSERVER" ask "$(address "$1"):4222" '$JS.API.STREAM.DELETE.CHAT_room' >/dev/null
    for _ in 1 2 3 4 5; do
        ! stream_info "$1" | grep -q 'stream not found' || {
            watch_anew
            return
        }
        sleep 1
    done
    false
}
engine_kill() { kill -KILL "$(child "$1" cluster)"; }
engine_stop() { hold "$(child "$1" cluster)" "$2"; }
writer_kill() { kill -KILL "$(child "$1" transcript)"; }
writer_stop() { hold "$(child "$1" transcript)" "$2"; }
link_cut() { lose_both "$1" "$3" && later "$2" mend_both "$1" "$3"; }
way_cut() { lose "$1" "$3" && later "$2" mend "$1" "$3"; }
client_cut() { lose_both "$1" $clients && later "$2" mend_both "$1" $clients; }

hits=0
tenths() { echo $(($(date +%s%N) / 100000000)); }
go_wrong() {
    begun=$(tenths)
    while read -r when what host span other <&3; do
        while [ $(($(tenths) - begun)) -lt "$when" ]; do
            revive
            sleep 0.2
        done
        echo "$when $what $host $span $other" >>"$dir/happened"
        # What it is meant for may be gone already.
        "$what" "$host" "$span" "$other" 2>>"$dir/happened" && hits=$((hits + 1))
    done 3<"$dir/plan"
}

clients_start
plan >"$dir/plan"
go_wrong
# An engine or a writer may be gone already, now and then.
expect 'half of the plan has gone wrong, or more' [ $((2 * hits)) -ge "$(wc -l <"$dir/plan")" ]
for i in $undoing; do wait "$i"; done
revive
if ! until_true leader_find; then
    skip 'the accounts' 'the NATS servers, all there, have no leader any more'
    explain
    finish
fi
accounts
echo "$hits faults of $(awk '{ print $2 }' "$dir/plan" | sort | uniq -c | tr -s ' \n' ' ')"
[ "$failed" -eq 0 ] || explain
finish
