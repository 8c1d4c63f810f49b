#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# push-config.sh KEY FILE: a file that is, on every node, what a key of the
# store says.  Run by
#
#	cfgstore watch KEY -- push-config.sh KEY FILE
#
# it runs once at the start and for each change, and for several that come
# together once; `cfgstore set KEY @FILE` anywhere pushes a new one.
#
# FILE is always whole: made beside, checked, renamed.  The program is told when
# FILE is another one than it was told of, which FILE.loaded remembers, so a run
# that was ended at any place is made good by the next one.  What the check
# refuses does not become FILE.  Without the key nothing is changed.
#
# PUSH_CHECK (gets the new file) and PUSH_RELOAD are commands.
set -u
key=${1:?usage: push-config.sh KEY FILE} file=${2:?usage: push-config.sh KEY FILE}
check=${PUSH_CHECK-true}
reload=${PUSH_RELOAD-systemctl reload app.service}

new=$file.new # there is one run at a time
trap 'rm -f "$new"' EXIT
cfgstore get -O "$new" -- "$key"
case $? in
0) ;;
1) exit 0 ;;  # there is no such key
*) exit 75 ;; # it is not known: once more, later
esac
if ! cmp -s "$new" "$file"; then
	$check "$new" >&2 || exit 65
	mv -f "$new" "$file" || exit 73
fi
cmp -s "$file" "$file.loaded" && exit 0
$reload || exit 75
cp "$file" "$new" && mv -f "$new" "$file.loaded"
