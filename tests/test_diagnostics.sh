# Each message of the log is in chatd(8), DIAGNOSTICS, as it is in the source, and each that is there
# is in the source. A conversion is %s or %d in the page.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 1

# The first string in a call of each function that reports, or gives a reason for a report. What is
# nothing but a conversion is a message, or a reason, that another function has made.
tr '\n' ' ' <chatd.c >"$dir/sources"
for file in server/*.c server/*/*.c; do
    echo
    tr '\n' ' ' <"$file"
done >>"$dir/sources"
# Conversions as they are in the page.
sed -e 's/%[-.*0-9]*s/%s/g' -e 's/%[-.*0-9]*[lz]*[duf]/%d/g' "$dir/sources" >"$dir/plain"
awk '
    function token_text(token) {
        if (token == "CHATD_PROGRAM")
            return "chatd"
        return token == "CHAT_VERSION" ? "%s" : substr(token, 2, length(token) - 2)
    }
    {
        calls = "(report|report_long|report_stranger|warn|lifetime_stop|because|session_fault)"
        while (match($0, "[^a-z_]" calls " ?\\([^\";]*\"")) {
            $0 = substr($0, RSTART + RLENGTH - 1)
            message = ""
            while (match($0, /^ *("([^"\\]|\\.)*"|CHATD_PROGRAM|CHAT_VERSION)/)) {
                token = substr($0, RSTART, RLENGTH)
                $0 = substr($0, RSTART + RLENGTH)
                sub(/^ */, "", token)
                message = message token_text(token)
            }
            if (message !~ /^%s$/)
                print message
        }
    }' "$dir/plain" | sort -u >"$dir/made"
sed -n '/^\.Sh DIAGNOSTICS/,/^\.Sh SEE/s/^\.It "\(.*\)"$/\1/p' man/chatd.8 | sort -u >"$dir/told"

is_made() { grep -qxF -e "$1" "$dir/made" || grep -qF -e "\"$1" "$dir/plain"; }
while read -r message; do
    expect "in the page: $message" grep -qxF -e "$message" "$dir/told"
done <"$dir/made"
while read -r message; do
    expect "in a source: $message" is_made "$message"
done <"$dir/told"
expect 'there are messages' [ "$(wc -l <"$dir/made")" -gt 50 ]
finish
