#!/bin/sh
# mutants.sh LIST: what each mutant of the list changes stands in its file
# exactly once, or it would be found out only when it is drawn; and no two have
# one name.
awk -F ' @@ ' '
function plain(s) {
	gsub(/\\n/, "\n", s)
	gsub(/\\t/, "\t", s)
	return s
}
function fail(what) {
	print $1 ": " what
	rc = 1
}
function content(file,    line) {
	if (!(file in text)) {
		text[file] = ""
		while ((getline line <file) > 0)
			text[file] = text[file] line "\n"
		close(file)
	}
	return text[file]
}
/^#/ { next }
{
	if (seen[$1]++)
		fail("another has that name")
	all = content($2)
	old = plain($3)
	at = NF == 5 ? index(all, old) : 0
	if (at == 0 || index(substr(all, at + length(old)), old) > 0)
		fail("its text is not exactly once in " $2)
}
END { exit rc }' "$1"
