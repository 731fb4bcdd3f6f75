# Makes wire/unicode_table.h from the files of the Unicode Character Database (Debian's package
# unicode-data). From the top directory:
#
#   sh wire/unicode.sh [DIRECTORY] >table && mv table wire/unicode_table.h
#
# The rule that it writes down is that of chat-protocol(7), TEXT.

dir=${1:-/usr/share/unicode}
properties=$dir/PropList.txt
derived=$dir/DerivedCoreProperties.txt
categories=$dir/extracted/DerivedGeneralCategory.txt

for file in "$properties" "$derived" "$categories"; do
    [ -r "$file" ] || {
        echo "$0: $file: cannot be read; install unicode-data" >&2
        exit 1
    }
done

exec awk '
function hex(text,    i, value) {
    value = 0
    text = tolower(text)
    for (i = 1; i <= length(text); i++)
        value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
    return value
}

function fill(map, first, last, value,    cp) {
    for (cp = first; cp <= last; cp++)
        map[cp] = value
}

function copy(map, value,    cp) {
    for (cp in map)
        classes[cp + 0] = value
}

# Prints a row for each run of code points of one value, and returns the number of rows.
function emit(map,    cp, value, begin, running, rows) {
    for (cp = 0; cp <= 1114112; cp++) {
        value = cp in map ? map[cp] : ""
        if (value == running)
            continue
        if (running != "") {
            printf "    {0x%04X, 0x%04X%s},\n", begin, cp - 1, running == "yes" ? "" : ", " running
            rows++
        }
        running = value
        begin = cp
    }
    return rows
}

FNR == 1 {
    # "# PropList-15.0.0.txt"
    split($2, part, /-|\.txt/)
    if (version != "" && version != part[2]) {
        print "the files are of different versions" >"/dev/stderr"
        failed = 1
        exit 1
    }
    version = part[2]
}

/^[0-9A-F]/ {
    split($0, field, /[ \t]*[;#][ \t]*/)
    split(field[1], range, /\.\./)
    first = hex(range[1])
    last = field[1] ~ /\./ ? hex(range[2]) : first
    property = field[2]

    if (property == "White_Space")
        fill(spaces, first, last, "yes")
    else if (property == "Mn" || property == "Me")
        fill(classes, first, last, "CHAR_MARK")
    else if (property ~ /^(Cc|Cs|Zl|Zp|Noncharacter_Code_Point)$/)
        fill(classes, first, last, "CHAR_REPLACED")
    else if (property == "Default_Ignorable_Code_Point")
        fill(ignorable, first, last, "yes")
    else if (property == "Variation_Selector")
        fill(selectors, first, last, "yes")
    else if (property == "Join_Control")
        fill(joiners, first, last, "yes")
    else if (property == "Cf" && first >= hex("E0000") && last <= hex("E007F"))
        fill(tags, first, last, "yes")
}

# What comes later wins.
END {
    if (failed)
        exit 1
    copy(ignorable, "CHAR_REPLACED")
    # Interlinear annotation, and what is kept free for its like.
    fill(classes, hex("FFF0"), hex("FFFB"), "CHAR_REPLACED")
    copy(selectors, "CHAR_SELECTOR")
    copy(joiners, "CHAR_JOINER")
    copy(tags, "CHAR_DROPPED")
    count = split("00AD 061C 200B 200E 200F 2060 2061 2062 2063 2064 FEFF", dropped, " ")
    for (i = 1; i <= count; i++)
        classes[hex(dropped[i])] = "CHAR_DROPPED"
    delete classes[9] # TAB

    print "/*"
    print " * unicode_table.h: Unicode " version ", as chat-protocol(7), TEXT, divides it. For unicode.c alone."
    print " * Made by wire/unicode.sh; what is changed here is lost."
    print " */"
    print "#ifndef WIRE_UNICODE_TABLE_H"
    print "#define WIRE_UNICODE_TABLE_H"
    print ""
    print "/* clang-format off */"
    print "static const struct class_range class_ranges[] = {"
    rows = emit(classes)
    print "};"
    print ""
    print "static const struct char_range space_ranges[] = {"
    rows += emit(spaces)
    print "};"
    print "/* clang-format on */"
    print ""
    print "#endif"
    exit rows < 300
}' "$properties" "$derived" "$categories"
