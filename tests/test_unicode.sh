# The table of character classes is what wire/unicode.sh generates, if the Unicode data are installed
# in the version that the table names. UNICODE_DATA is their directory.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 1

data=${UNICODE_DATA:-/usr/share/unicode}
table=wire/unicode_table.h
named=$(sed -n 's/.*, Unicode \([0-9.]*\)\. .*/\1/p' "$table")
installed=$(sed -n '1s/.*-\([0-9.]*\)\.txt.*/\1/p' "$data/PropList.txt" 2>/dev/null)

expect "the table names its version" [ -n "$named" ]
if [ -z "$installed" ]; then
    skip "the data make the table" "no Unicode data in $data"
elif [ "$installed" != "$named" ]; then
    skip "the data make the table" "it is of Unicode $named, the data in $data are of $installed"
else
    sh wire/unicode.sh "$data" >"$dir/table"
    expect "the data make the table" diff -u "$table" "$dir/table"
fi
finish
