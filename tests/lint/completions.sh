#!/bin/sh
# completions.sh: the completions can be read by their shells.
set -u
rc=0
for f in completions/*.bash; do
	[ ! -e "$f" ] || bash -n "$f" || rc=1
done
for f in completions/_*; do
	[ ! -e "$f" ] || zsh -n "$f" || rc=1
done
for f in completions/*.fish; do
	[ ! -e "$f" ] || fish --no-execute "$f" || rc=1
done
exit $rc
