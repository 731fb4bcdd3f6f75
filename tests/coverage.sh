# Line coverage of the programs' files after `make coverage`, which calls it: coverage.sh BUILD.
# Prints a line for each folder and, indented, for each file below 90 %; the last line is for all. What
# a process has executed is lost when a signal kills it, or when it ends in its sandbox.

: "${1:?}"

# Every line "FILE percent lines".
files() {
    find "$1"/*.gcno "$1"/wire "$1"/compat "$1"/client "$1"/server -name '*.gcno' \
        -exec gcov -n {} + 2>/dev/null |
        awk -F "'|:|% of " '
            /^File / { file = $2 }
            /^No executable lines/ { file = "" }
            /^Lines executed:/ && file ~ /\.c$/ { print file, $2, $3; file = "" }'
}

files "$1" | LC_ALL=C sort -u | awk '
    function percent(done, all) { return all == 0 ? 100 : 100 * done / all }
    function show(name, done, all) {
        return sprintf("| %-32s %5.1f %% of %5d lines", name, percent(done, all), all)
    }
    {
        folder = match($1, /.*\//) ? substr($1, 1, RLENGTH - 1) : "."
        done = $2 * $3 / 100
        folder_done[folder] += done
        folder_all[folder] += $3
        all_done += done
        all += $3
        if (!(folder in low))
            order[++folders] = folder
        low[folder] = low[folder] ($2 < 90 ? show("  " $1, done, $3) "\n" : "")
        count += $2 < 90
    }
    END {
        for (i = 1; i <= folders; i++) {
            print show(order[i], folder_done[order[i]], folder_all[order[i]])
            printf "%s", low[order[i]]
        }
        printf "%.1f %% of %d lines; %d files below 90 %%\n", percent(all_done, all), all, count
        exit all == 0
    }'
