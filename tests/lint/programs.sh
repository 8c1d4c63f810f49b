#!/bin/sh
# programs.sh PROGRAM...: each program has a manual page, completions for three
# shells and a file of command line tests; each daemon a DESIGN.md; and nothing
# lies at the top but what the README's map shows.
set -u
rc=0
need() # WHAT FILE...
{
	what=$1
	shift
	for f; do [ ! -e "$f" ] || return 0; done
	echo "$what: none of $*"
	rc=1
}
for p; do
	need "manual page" "man/$p.1" "man/$p.8"
	need "bash completion" "completions/$p.bash"
	need "zsh completion" "completions/_$p"
	need "fish completion" "completions/$p.fish"
	need "command line tests" "tests/cli/$p.bats" tests/cli/"$p"-*.bats
	case $p in
	*d) [ "$p" = msgsend ] || need design "bin/$p/DESIGN.md" ;;
	esac
done
extra=$(git ls-files 2>/dev/null | cut -d/ -f1 | sort -u | grep -vxE \
	'\..*|bin|libcommon|man|completions|tests|examples|Makefile|README\.md|LICENSE')
[ -z "$extra" ] || { echo "at the top level: $extra"; rc=1; }
exit $rc
