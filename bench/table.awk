# table.awk: results.txt as tables: medians of the rounds with the lowest and the highest, and the
# ratios of chatd to the other servers. A ratio is the median of the rounds' own ratios, because
# what ran in the same round ran at nearly the same time; and only rounds count in which the machine
# copied from processor to processor at nearly the same speed for both.

BEGIN {
    FS = "\t"
    split("lost doubled disordered torn skipped refused dropped unfinished", fault, " ")

    # columns of each kind of workload: metric, divisor, heading, and whether it has a ratio (r)
    talk = "deliveries_per_s 1e6 M/s r;mb_per_s 1 MB/s r;server_cpu_ns_per_byte 1 ns/byte r;" \
        "server_cpu_us 0.001 ns/delivery -;hub_cpu_us 0.001 of-the-hub -;load_cpus 1 load-CPUs -;copy_gb_per_s 1 copy-GB/s -"
    columns("burst", talk)
    columns("window", talk)
    columns("paced", "p50_us 1000 p50-ms r;p99_us 1000 p99-ms r;server_cpu_us 1 us/delivery r;" \
        "hub_cpu_us 1 of-the-hub -;late_p99_us 1000 load-late-ms -")
    columns("lone", "last_p50_us 1000 last-p50-ms r;last_p99_us 1000 last-p99-ms r;" \
        "p50_us 1000 each-p50-ms -;server_cpu_us 1 us/delivery r;hub_cpu_us 1 of-the-hub -")
    columns("login", "logins_per_s 1 logins/s r;server_cpu_us 1 us/login r;hub_cpu_us 1 of-the-hub -")
    columns("memory", "memory_kib 1 KiB/member r;pss_kib 1 PSS -;kernel_kib 1 kernel -;processes 1 processes -")
    columns("fill", "in_s 1 in-s -;listed_s 1 in-and-listed-s r;server_cpu_us 1 us/login r;" \
        "talk_cpu_us 1 us/delivery r;memory_kib 1 KiB/member r;leave_worst_ms 1 leave-worst-ms -")
    columns("idle", "switches 1 switches -;hub_switches 1 of-the-hub -;cpu_ms 1 CPU-ms -")
    columns("storm", "p50_us 1000 p50-ms -;p99_us 1000 p99-ms -;max_us 1000 max-ms -;" \
        "storm_per_s 1 storm/s -;storm_failed 1 failed -;server_cpus 1 server-CPUs -;settle_s 1 settle-s -")
}

/^#/ {
    if (NR == 1)
        print substr($0, 3)
    next
}

{
    if (!($1 in seen_cell)) {
        seen_cell[$1] = ++cells
        cell[cells] = $1
    }
    if (!(($1, $2) in seen_server)) {
        seen_server[$1, $2] = 1
        server[$1, ++servers[$1]] = $2
        there[$2] = 1
    }
    value[$1, $2, $3, $4] = $5
    rounds = $3 > rounds ? $3 : rounds
}

END {
    for (i = 1; i <= cells; i++)
        print_cell(cell[i])
    print_ratios("chatd", "^[^+]*$")
    print_ratios("static", "^static@")
    print_ratios("chatd+limits", "^chatd$")
}

function columns(kind, text,    n, parts, i, words) {
    count[kind] = n = split(text, parts, ";")
    for (i = 1; i <= n; i++) {
        split(parts[i], words, " ")
        metric[kind, i] = words[1]
        divisor[kind, i] = words[2]
        heading[kind, i] = words[3]
        has_ratio[kind, i] = words[4] == "r"
    }
}

function sort(list, n,    i, j, x) {
    for (i = 2; i <= n; i++) {
        x = list[i]
        for (j = i; j > 1 && list[j - 1] > x; j--)
            list[j] = list[j - 1]
        list[j] = x
    }
}

function number(x) {
    return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : x >= 1 ? "%.2f" : "%.3f", x)
}

# The median of list[1..n], with the lowest and the highest.
function spread(list, n,    mid) {
    if (!n)
        return "-"
    sort(list, n)
    mid = n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    return n > 1 ? number(mid) " (" number(list[1]) "-" number(list[n]) ")" : number(mid)
}

function show(c, s, m, by,    r, n, list) {
    for (r = 1; r <= rounds; r++)
        if ((c, s, r, m) in value)
            list[++n] = value[c, s, r, m] / by
    return spread(list, n)
}

# The machine was the same for both servers.
function is_fair(c, s, to, r,    one, other) {
    one = value[c, s, r, "copy_gb_per_s"]
    other = value[c, to, r, "copy_gb_per_s"]
    return one <= other * 1.5 && other <= one * 1.5
}

function show_ratio(c, s, m, to,    r, n, list) {
    for (r = 1; r <= rounds; r++)
        if (((c, s, r, m) in value) && ((c, to, r, m) in value) && value[c, to, r, m] > 0 && \
            is_fair(c, s, to, r))
            list[++n] = value[c, s, r, m] / value[c, to, r, m]
    return spread(list, n)
}

# Everything that must not happen, over all rounds.
function show_faults(c, s,    r, i, sum, text) {
    for (i = 1; i in fault; i++) {
        sum = 0
        for (r = 1; r <= rounds; r++)
            sum += value[c, s, r, fault[i]]
        if (sum > 0)
            text = text (text ? ", " : "") sum " " fault[i]
    }
    return text ? text : "none"
}

function kind_of(c,    words) {
    split(c, words, "-")
    return words[1]
}

function title(c,    kind, words) {
    split(c, words, "-")
    kind = words[1]
    return sprintf("%s, %s %s%s", kind, words[2], kind == "login" ? "sessions" : "members", \
        !words[3] ? "" : kind == "paced" ? ", " words[3] " deliveries/s" : \
        kind == "idle" ? ", " words[3] " s" : kind == "storm" ? ", " words[3] : \
        ", " words[3] (words[3] > 1 ? " speakers" : " speaker"))
}

function print_cell(c,    kind, i, j, line) {
    kind = kind_of(c)
    printf "\n%s\n", title(c)
    line = sprintf("  %-14s", "")
    for (j = 1; j <= count[kind]; j++)
        line = line sprintf(" %21s", heading[kind, j])
    print line "  faults"
    for (i = 1; i <= servers[c]; i++) {
        line = sprintf("  %-14s", server[c, i])
        for (j = 1; j <= count[kind]; j++)
            line = line sprintf(" %21s", show(c, server[c, i], metric[kind, j], divisor[kind, j]))
        print line "  " show_faults(c, server[c, i])
    }
}

# The ratios of one server to all others whose names match.
function print_ratios(s, others,    i, j, k, c, kind, known, n, to, line) {
    if (!(s in there))
        return
    for (i = 1; i <= cells; i++)
        for (k = 1; k <= servers[cell[i]]; k++) {
            c = server[cell[i], k]
            if (c != s && c ~ others && (s == "static") == (c ~ /^static/) && !(c in known)) {
                known[c] = 1
                to[++n] = c
            }
        }
    if (!n)
        return
    line = sprintf("\n%-57s", "Ratios of " s " to:")
    for (k = 1; k <= n; k++)
        line = line sprintf(" %19s", to[k])
    print line
    for (i = 1; i <= cells; i++) {
        c = cell[i]
        kind = kind_of(c)
        for (j = 1; j <= count[kind]; j++) {
            if (!has_ratio[kind, j] || !((c, s) in seen_server))
                continue
            line = ""
            for (k = 1; k <= n; k++)
                line = line sprintf(" %19s", show_ratio(c, s, metric[kind, j], to[k]))
            if (line ~ /[0-9]/)
                printf "  %-55s%s\n", title(c) ": " heading[kind, j], line
        }
    }
}
