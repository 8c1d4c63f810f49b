#!/bin/sh
# words.sh: words that should not be left in the tree, and sleeping in tests.
# A test that must let time pass because no event tells it says so on the
# line: "sleep 0.2 # no event: why".
set -u
list()
{
	git ls-files -co --exclude-standard -- "$@" 2>/dev/null ||
		find "$@" -type f 2>/dev/null
}
rc=0
! list bin libcommon man completions tests examples Makefile .ci |
	grep -vE '^tests/(lint|fuzz/corpus)/' |
	xargs grep -nIE '(^|[^A-Za-z_])(TODO|FIXME|XXX)([^A-Za-z_X]|$)' /dev/null ||
	rc=1
! list tests | grep -E '\.(bats|bash|sh|c)$' | grep -v '^tests/lint/' |
	xargs grep -nE '(^|[^A-Za-z_"-])(u|nano)?sleep(\(|[[:space:]]+["$.0-9])' /dev/null |
	grep -v 'no event:' || rc=1
exit $rc
