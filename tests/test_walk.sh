# The tables of doc/walk.md and of the models in doc/cluster.md against the sources: each file is
# there, and defines each function that the row names; the rows of each table are numbered without a
# break; each part of a model is there.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.." || exit 1

tables() {
    cat doc/walk.md
    sed '1,/^## The models/d' doc/cluster.md
}

# Every line "FILE FUNCTION" of the tables; a row's columns are number, text, file, functions.
functions() {
    tables | awk -F'|' '$2 ~ /^ [0-9]+ $/ {
        gsub(/ /, "", $4)
        n = split($5, name, "`")
        for (i = 2; i <= n; i += 2)
            print $4, name[i]
    }'
}

# Every line "MODEL NAME"; the text of such a row is MODEL: `NAME`.
parts() { tables | sed -n 's/^| [0-9]* | \([a-z]*\): `\([a-z_]*\)` |.*/\1 \2/p'; }

# A definition begins in the first column and does not end on that line with a semicolon.
defines() {
    awk -v name="$2" '
        /^[a-z_].*[^;]$/ && match($0, "(^|[ *])" name "\\(") { found = 1 }
        END { exit !found }' "$1"
}

numbers() {
    tables | awk -F'|' '
        $2 ~ /^-+$/ { last = 0 }
        $2 ~ /^ [0-9]+ $/ { if ($2 + 0 != last + 1) exit 1; last = $2 + 0; rows++ }
        END { exit rows < 60 }'
}

expect 'the rows are numbered' numbers
functions >"$dir/functions"
while read -r file name; do
    expect "$file defines $name()" defines "$file" "$name"
done <"$dir/functions"
parts >"$dir/parts"
while read -r model name; do
    expect "$model.pml has $name" grep -q "^inline $name(" "doc/model/$model.pml"
done <"$dir/parts"
expect 'the models have twenty parts' test "$(wc -l <"$dir/parts")" -ge 20
expect 'the tables name more than a hundred functions' \
    test "$(wc -l <"$dir/functions")" -gt 100
finish
