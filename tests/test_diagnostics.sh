# Each message of the server's log is in chatd(8), DIAGNOSTICS, as it is in the source, and each that is
# there is in the source; and so it is with the messages of the client, and chat(1). A conversion is %s
# or %d in the pages.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 1

# sources FILE...: a line for each, with conversions as they are in the pages.
sources() {
    for file in "$@"; do
        tr '\n' ' ' <"$file"
        echo
    done | sed -e 's/%[-.*0-9]*s/%s/g' -e 's/%[-.*0-9]*[lz]*[dufx]/%d/g'
}

# messages CALLS: the first string in each of these calls in $dir/plain, which report, or give a reason
# for a report. What is nothing but conversions is a message, or a reason, that another function has
# made.
messages() {
    awk -v calls="$1" '
    function token_text(token) {
        if (token == "CHATD_PROGRAM")
            return "chatd"
        return token == "CHAT_VERSION" ? "%s" : substr(token, 2, length(token) - 2)
    }
    {
        while (match($0, "[^a-z_]" calls "[^\";]*\"")) {
            $0 = substr($0, RSTART + RLENGTH - 1)
            message = ""
            while (match($0, /^ *("([^"\\]|\\.)*"|CHATD_PROGRAM|CHAT_VERSION)/)) {
                token = substr($0, RSTART, RLENGTH)
                $0 = substr($0, RSTART + RLENGTH)
                sub(/^ */, "", token)
                message = message token_text(token)
            }
            if (message !~ /^(%s)+$/)
                print message
        }
    }' "$dir/plain" | sort -u
}

# What a program begins with is not in the page.
is_made() { grep -qxF -e "$1" "$dir/made" || grep -qF -e "\"$1" -e "\": $1" "$dir/plain"; }

# compare PAGE COUNT CALLS SOURCE...
compare() {
    page=$1
    count=$2
    calls=$3
    shift 3
    sources "$@" >"$dir/plain"
    messages "$calls" >"$dir/made"
    sed -n '/^\.Sh DIAGNOSTICS/,/^\.Sh SEE/s/^\.It "\(.*\)"$/\1/p' "$page" | sort -u >"$dir/told"
    while read -r message; do
        expect "in $page: $message" grep -qxF -e "$message" "$dir/told"
    done <"$dir/made"
    while read -r message; do
        expect "in a source of $page: $message" is_made "$message"
    done <"$dir/told"
    expect "$page: there are messages" [ "$(wc -l <"$dir/made")" -gt "$count" ]
}

compare man/chatd.8 50 \
    '(report|report_long|report_stranger|warn|lifetime_stop|because|session_fault) ?\\(' \
    chatd.c server/*.c server/*/*.c
compare man/chat.1 20 '((console_say|console_note|failure_set) ?\\(|snprintf\\(failure->text,)' \
    chat.c client/*.c
finish
