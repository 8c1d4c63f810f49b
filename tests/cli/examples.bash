# examples.bash: programs that an example calls, recorded; and its death.
# shellcheck shell=bash disable=SC2016,SC2154 # for other shells; bats' own names

# In the test's folder, with stubs in PATH; for setup.
examples_begin()
{
	cd "$BATS_TEST_TMPDIR" || return
	examples=$(cd "$BATS_TEST_DIRNAME/../../examples" && pwd)
	export RINGKIT_SH=$examples/ringkit.sh CALLS=$PWD/calls
	: >calls
	mkdir -p stubs
	PATH=$PWD/stubs:$PATH
}

# stub NAME [COMMANDS]: a program that records how it was called.
stub()
{
	printf '#!/bin/sh\necho "%s $*" >>"$CALLS"\n%s\n' "$1" "${2-}" \
		>"stubs/$1"
	chmod +x "stubs/$1"
}

called() { [ "$(cat calls)" = "$1" ]; }

# killed_at N COMMAND...: false when it ended by itself before.
killed_at()
{
	local n=$1
	shift
	rm -f killed
	KILL_AT=$n KILLED=$PWD/killed BASH_ENV=$BATS_TEST_DIRNAME/killer.bash \
		bash "$@" >/dev/null 2>&1 8>&8 || :
	[ -e killed ]
}
