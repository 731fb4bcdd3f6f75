# plot.awk: the bursts of results.txt as a picture, on standard output:
#
#   awk -f bench/plot.awk bench/results.txt >bench/burst.svg
#
# A bar is the median, the thin line in it goes from the worst round to the best.

BEGIN {
    FS = "\t"
    split("chatd direct floor1 relay chatd@0.1 redis nats", order, " ")
    split("chatd;bare hub that writes to its clients itself (direct);" \
        "bare relay of one process (floor 1);bare relay of processes (relay);chatd 0.1;" \
        "redis pub/sub;nats pub/sub", name, ";")
    split("#1b6e3c #4f9a6d #9cc7ad #d4e4da #7a8fb0 #b5482f #d9a441", colour, " ")
    split("burst-10-1 burst-100-1 burst-100-8 burst-1000-1 burst-1000-8 window-100-8", cells, " ")
    left = 190
    width = 520
    bar = 13
}

/^#/ {
    if (NR == 1)
        source = substr($0, 3)
    next
}

$4 == "deliveries_per_s" {
    value[$1, $2, ++rounds[$1, $2]] = $5 / 1e6
    if ($5 / 1e6 > most)
        most = $5 / 1e6
    there[$1] = there[$2] = 1
}

END {
    step = most > 40 ? 10 : most > 16 ? 5 : 2
    top = 52
    for (s = 1; s in order; s++)
        servers += order[s] in there
    for (c = 1; c in cells; c++)
        groups += cells[c] in there
    plot_height = groups * (servers * bar + 16)
    legend = top + plot_height + 34
    height = legend + 20 * int((servers + 1) / 2) + 26
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"%d\" " \
        "font-family=\"sans-serif\" font-size=\"12\">\n", height
    printf "<rect width=\"760\" height=\"%d\" fill=\"#ffffff\"/>\n", height
    text(20, 26, "start", "Million deliveries per second, texts of 64 bytes", "font-size=\"15\" ")
    axis()
    y = top + 8
    for (c = 1; c in cells; c++)
        if (cells[c] in there)
            group(cells[c])
    n = 0
    for (s = 1; s in order; s++)
        if (order[s] in there) {
            x = 20 + (n % 2) * 370
            printf "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/>\n", x, \
                legend + 20 * int(n / 2), colour[s]
            text(x + 18, legend + 10 + 20 * int(n / 2), "start", name[s], "")
            n++
        }
    text(20, height - 10, "start", source, "font-size=\"10\" fill=\"#666666\" ")
    print "</svg>"
}

function text(x, y, anchor, s, more) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>%s</text>\n", x, y, anchor, more, s
}

function axis(    v, x) {
    for (v = 0; v <= most; v += step) {
        x = left + v / most * width
        printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#dddddd\"/>\n", x, top, \
            x, top + plot_height
        text(x, top + plot_height + 15, "middle", v, "fill=\"#666666\" ")
    }
}

function group(cell,    words, s, label) {
    split(cell, words, "-")
    label = words[2] " members, " words[3] (words[3] > 1 ? " speakers" : " speaker")
    text(left - 8, y + servers * bar / 2 + 4, "end", label, "")
    if (words[1] == "window")
        text(left - 8, y + servers * bar / 2 + 18, "end", "at most 16 under way each", "font-size=\"10\" ")
    for (s = 1; s in order; s++)
        if (order[s] in there)
            bar_of(cell, order[s], colour[s])
    y += 16
}

function bar_of(cell, server, fill,    n, list, i, j, x, mid) {
    n = rounds[cell, server]
    for (i = 1; i <= n; i++) {
        x = value[cell, server, i]
        for (j = i; j > 1 && list[j - 1] > x; j--)
            list[j] = list[j - 1]
        list[j] = x
    }
    if (n) {
        mid = n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
        printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", left, y, \
            mid / most * width, bar - 2, fill
        printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#222222\"/>\n", \
            left + list[1] / most * width, y + bar / 2 - 1, left + list[n] / most * width, \
            y + bar / 2 - 1
        text(left + list[n] / most * width + 5, y + bar - 3, "start", \
            sprintf(mid < 10 ? "%.1f" : "%.0f", mid), "font-size=\"10\" ")
    }
    y += bar
}
