#!/bin/sh
# repro.sh: build the tree twice, under paths of different length, and compare
# every program and the library.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for copy in a another/path; do
	mkdir -p "$work/$copy"
	{ git ls-files -z 2>/dev/null || find . -path ./build -prune -o \
		-type f -print0; } |
		xargs -0 cp --parents -t "$work/$copy"
	env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory -s -j2 \
		-C "$work/$copy" all build/none/libcommon.a >/dev/null
done
same=0
for f in "$work"/a/build/none/*; do
	[ -f "$f" ] || continue
	case ${f##*/} in flags | paths) continue ;; esac
	cmp "$f" "$work/another/path/build/none/${f##*/}"
	same=$((same + 1))
done
echo "  $same files are the same from two paths"
echo "$same passed, 0 failed"
