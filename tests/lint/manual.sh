#!/bin/sh
# manual.sh: mandoc has nothing to say about the manual pages, but that it
# does not know where those are that they refer to, or that no database of
# pages was made here.
set -u
set -- man/*.[1-9]
[ -e "$1" ] || exit 0
# A page at a time: mandoc does not end its lines before it says another thing.
! for page; do mandoc -T lint -W style "$page" 2>&1; done | \
	grep -vE 'referenced manual not found|mandoc\.db'
