# doc/walk.md against the sources: each file in its tables is there, and defines each function that
# the row names; the rows of each table are numbered without a break.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 1

# Every line "FILE FUNCTION" of the tables; a row's columns are number, text, file, functions.
functions() {
    awk -F'|' '$2 ~ /^ [0-9]+ $/ {
        gsub(/ /, "", $4)
        n = split($5, name, "`")
        for (i = 2; i <= n; i += 2)
            print $4, name[i]
    }' doc/walk.md
}

# A definition begins in the first column and does not end on that line with a semicolon.
defines() {
    awk -v name="$2" '
        /^[a-z_].*[^;]$/ && match($0, "(^|[ *])" name "\\(") { found = 1 }
        END { exit !found }' "$1"
}

numbers() {
    awk -F'|' '
        $2 ~ /^-+$/ { last = 0 }
        $2 ~ /^ [0-9]+ $/ { if ($2 + 0 != last + 1) exit 1; last = $2 + 0; rows++ }
        END { exit rows < 40 }' doc/walk.md
}

expect 'the rows are numbered' numbers
functions >"$dir/functions"
while read -r file name; do
    expect "$file defines $name()" defines "$file" "$name"
done <"$dir/functions"
expect 'the tables name more than a hundred functions' \
    test "$(wc -l <"$dir/functions")" -gt 100
finish
