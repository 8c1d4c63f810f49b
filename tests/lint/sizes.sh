#!/bin/sh
# sizes.sh FILE...: length of functions and files, includes of a file, width
# of lines.  (Parameters, nesting and complexity are clang-tidy's to count.)
# libcommon/os, the tools and tests may include more: a header a system call.
set -eu
awk -v max_function=70 -v max_file=700 -v max_includes=14 -v max_width=80 '
function bad(line, why) { print f ":" line ": " why; rc = 1 }
function end_of_file() {
	if (lines > max_file) bad(lines, lines " lines in a file")
	if (includes > (f ~ "^(libcommon/os|tests|bin/(msgcat|msgsend|cfgstore|ringkit|ringlock))/" ? 20 : max_includes))
		bad(1, includes " includes")
}
function width(text,    i, n, at) {
	n = split(text, part, "\t")
	at = length(part[1])
	for (i = 2; i <= n; i++)
		at = at - at % 8 + 8 + length(part[i])
	return at
}
FNR == 1 {
	if (f != "") end_of_file()
	f = FILENAME
	includes = 0
	if ($0 != "/* SPDX-License-Identifier: BSD-3-Clause */")
		bad(1, "no SPDX line on top")
}
{ lines = FNR }
/^#[ \t]*include/ { includes++ }
/^\{$/ { opened = FNR }
/^\}$/ && opened {
	if (FNR - opened - 1 > max_function)
		bad(opened, FNR - opened - 1 " lines in a function")
	opened = 0
}
# A string, or a word alone on its line, cannot be broken and may stick out.
width($0) > max_width && !/"[^"]*$/ && !/^[ \t]*[^ \t]*$/ {
	bad(FNR, "wider than " max_width)
}
END { if (f != "") end_of_file(); exit rc }' "$@"
