#!/bin/sh
# all.sh: every rule that a machine can keep, each by its name.  Run it as
# `make lint`, which says in LINT_... what there is.  Ends "N passed, N failed".
set -u
here=tests/lint
passed=0 failed=0

rule() # NAME COMMAND...
{
	name=$1
	shift
	if said=$("$@" 2>&1); then
		passed=$((passed + 1))
		echo "  ok $name"
	else
		failed=$((failed + 1))
		printf '%s\n' "$said" | sed 's/^/     /'
		echo "  FAILED $name"
	fi
}

# shellcheck disable=SC2086 # these are lists of words
{
	rule try sh "$here/try.sh"
	rule includes sh "$here/includes.sh" $LINT_SOURCES
	rule clock sh "$here/clock.sh" $LINT_SOURCES
	rule sizes sh "$here/sizes.sh" $LINT_SOURCES
	rule words sh "$here/words.sh"
	rule names sh "$here/names.sh" $LINT_OBJECTS
	rule core_symbols sh "$here/core_symbols.sh" $LINT_PURE
	rule programs sh "$here/programs.sh" $LINT_PROGS
	rule format clang-format --dry-run -Werror $LINT_SOURCES
	rule shellcheck shellcheck $LINT_SCRIPTS
	rule completions sh "$here/completions.sh"
	rule manual sh "$here/manual.sh"
	rule mutants sh "$here/mutants.sh" tests/mutants/list
	rule tidy "${MAKE:-make}" --no-print-directory -k -s tidy
}
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
