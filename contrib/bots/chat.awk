# A client in twenty lines, to show how simple the protocol is: chat-protocol(7). nc carries the
# lines, this shows them. The transcript of chatd -t holds the same lines.
#
#   { echo ann; cat; } | nc 127.0.0.1 65432 | awk -f chat.awk
#   tail -f transcript | awk -f chat.awk
#
# mawk wants -W interactive, else it reads far ahead before it shows anything.

function after(words,   s) {
    for (s = $0; words > 0; words--)
        s = substr(s, index(s, " ") + 1)
    return s
}
function show(line) { print substr($1, 12, 5) " " line; fflush() }

$2 == "msg" || $2 == "post" { show($3 ": " after(3)) }
$2 == "me"    { show("* " after(2)) }
$2 == "priv"  { show($3 " -> " $4 ": " after(4)) }
$2 == "join"  { show("-- " $3 " joined") }
$2 == "quit"  { show("-- " $3 " is gone: " after(3)) }
$2 == "nick"  { show("-- " $3 " is now " $4) }
$2 == "you"   { show("-- you are " $3) }
$2 == "users" { show("-- " $3 " here") }
$2 == "gap"   { show("-- missing here: " $3) }
$2 == "note"  { show("-- " after(2)) }
$2 == "error" { show("-- not accepted: " after(3)) }
