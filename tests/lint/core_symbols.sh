#!/bin/sh
# core_symbols.sh OBJECT...: pure code reaches neither the operating system nor
# any state of its own.  Link the pure objects into one: every symbol that is
# still undefined must match a line of core_symbols.allow; and none of them may
# have variables, only constants.
set -eu
here=$(dirname "$0")
one=$(mktemp)
trap 'rm -f "$one"' EXIT
rc=0

ld -r -o "$one" "$@"
bad=$(nm --undefined-only "$one" | awk '{ print $NF }' |
	grep -vxE -f "$here/core_symbols.allow" || true)
for symbol in $bad; do
	nm -A --undefined-only "$@" | awk -v s="$symbol" '
		$NF == s { print $1 " pure code reaches outside: " s }'
	rc=1
done

for object; do
	size -A "$object" | awk -v o="$object" '
		$1 ~ /^\.(data|bss|tdata|tbss)$/ && $2 > 0 {
			print o ": pure code has variables (" $1 ")"
			rc = 1
		}
		END { exit rc }' || rc=1
done
exit $rc
