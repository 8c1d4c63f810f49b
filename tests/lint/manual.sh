#!/bin/sh
# manual.sh: mandoc has nothing to say about the manual pages, but that it
# does not know where those are that they refer to, or that no database of
# pages was made here.  And no word is a macro that was not meant as one, nor a
# macro a word; quotes are around each thing of a list, not around the list.
set -u
set -- man/*.[1-9]
[ -e "$1" ] || exit 0
failed=0
# A page at a time: mandoc does not end its lines before it says another thing.
for page; do mandoc -T lint -W style "$page" 2>&1; done | \
	grep -vE 'referenced manual not found|mandoc\.db' && failed=1
# A text line with a macro in it; a heading with one; a list in one quote.
for page; do
	grep -HnE '^[^.].* (Ns|Ql|Xr|Fl) |^\.S[sh] (In|No|An|As|At|Is|Do|So|To) ' \
		"$page"
	grep -HnE '^\.Ql .+ , [^ ]' "$page"
done | grep -vE '^[^:]+:[0-9]+:(Oo|Cm|Op|Pq) ' && failed=1
exit $failed
