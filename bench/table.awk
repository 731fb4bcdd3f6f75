# table.awk: results.txt as tables of medians. A ratio is the median of the rounds' own ratios, for
# each round compares what ran side by side.

BEGIN {
    FS = "\t"
    # name of the server, and what it is called
    title["chatd"] = "chatd"
    title["floor1"] = "floor 1"
    title["relay"] = "relay"
    title["direct"] = "direct"
    title["redis"] = "redis"
    title["ngircd"] = "ngircd"
    title["ncat"] = "ncat --chat"
    split("lost doubled disordered torn skipped refused dropped unfinished", fault, " ")

    # columns of each kind of workload: metric, divisor, heading, how: "r" with ratio, "s" with spread
    columns("burst", "deliveries_per_s 1e6 M/s sr;server_cpu_us 1 CPU-us r;mb_per_s 1 MB/s -;load_cpus 1 load-CPUs -")
    columns("window", "deliveries_per_s 1e6 M/s sr;server_cpu_us 1 CPU-us r;mb_per_s 1 MB/s -;load_cpus 1 load-CPUs -")
    columns("paced", "p50_us 1000 p50-ms -;p99_us 1000 p99-ms sr;p999_us 1000 p99.9-ms -;server_cpu_us 1 CPU-us r;late_p99_us 1000 load-late-ms -")
    columns("lone", "last_p50_us 1000 last-p50-ms sr;last_p99_us 1000 last-p99-ms -;p50_us 1000 each-p50-ms -;server_cpu_us 1 CPU-us r")
    columns("login", "logins_per_s 1 logins/s sr;server_cpu_us 1 CPU-us r")
    columns("memory", "memory_kib 1 KiB sr;pss_kib 1 PSS-KiB -;kernel_kib 1 kernel-KiB -;processes 1 processes -")
    columns("fill", "listed_s 1 in-and-listed-s sr;in_s 1 in-s -;talk_s 1 talk-s r;memory_kib 1 KiB/member r;leave_worst_ms 1 leave-worst-ms -")
    base_server = "direct"
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
    }
    value[$1, $2, $3, $4] = $5
    rounds = $3 > rounds ? $3 : rounds
}

END {
    for (i = 1; i <= cells; i++)
        print_cell(cell[i])
}

function columns(kind, text,    n, parts, i, words) {
    count[kind] = n = split(text, parts, ";")
    for (i = 1; i <= n; i++) {
        split(parts[i], words, " ")
        metric[kind, i] = words[1]
        divisor[kind, i] = words[2]
        heading[kind, i] = words[3]
        how[kind, i] = words[4]
    }
}

# Sorts list[1..n].
function sort(list, n,    i, j, x) {
    for (i = 2; i <= n; i++) {
        x = list[i]
        for (j = i; j > 1 && list[j - 1] > x; j--)
            list[j] = list[j - 1]
        list[j] = x
    }
}

function median(list, n) {
    sort(list, n)
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function number(x) {
    return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : x >= 1 ? "%.2f" : "%.3f", x)
}

# Median of a metric over the rounds, with its spread if it is asked for.
function show(c, s, m, by, spread,    r, n, list, mid) {
    for (r = 1; r <= rounds; r++)
        if ((c, s, r, m) in value)
            list[++n] = value[c, s, r, m] / by
    if (!n)
        return "-"
    mid = number(median(list, n))
    return spread && n > 1 ? mid " (" number(list[1]) "-" number(list[n]) ")" : mid
}

function show_ratio(c, s, m, to,    r, n, list) {
    for (r = 1; r <= rounds; r++)
        if (((c, s, r, m) in value) && value[c, to, r, m] > 0)
            list[++n] = value[c, s, r, m] / value[c, to, r, m]
    return n ? sprintf("%.2f", median(list, n)) : "-"
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

function print_cell(c,    kind, words, i, j, s, line) {
    split(c, words, "-")
    kind = words[1]
    printf "\n%s: %s %s%s\n", kind, words[2], kind == "login" ? "logins" : "members", \
        words[3] ? ", " words[3] (words[3] > 1 ? " speakers" : " speaker") : ""
    line = sprintf("  %-14s", "")
    for (j = 1; j <= count[kind]; j++) {
        line = line sprintf(how[kind, j] ~ /s/ ? "%24s" : "%13s", heading[kind, j])
        if (how[kind, j] ~ /r/)
            line = line sprintf("%8s", "ratio")
    }
    print line "  faults"
    for (i = 1; i <= servers[c]; i++) {
        s = server[c, i]
        line = sprintf("  %-14s", title[s])
        for (j = 1; j <= count[kind]; j++) {
            line = line sprintf(how[kind, j] ~ /s/ ? "%24s" : "%13s", \
                show(c, s, metric[kind, j], divisor[kind, j], how[kind, j] ~ /s/))
            if (how[kind, j] ~ /r/)
                line = line sprintf("%8s", show_ratio(c, s, metric[kind, j], base_server))
        }
        print line "  " show_faults(c, s)
    }
}
