#!/usr/bin/env bats
# The examples that use the store, with real nodes: what they call, in which
# order, also when they are killed before any of their commands.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2034,SC2086 # for other shells; plain words
load helpers

setup_file()
{
	patient_nodes 3
	for node in 1 2 3; do
		RINGKIT_RUNDIR=$NODES/$node await cfgstore status -q --open
	done
}

teardown_file() { stop_nodes; }

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	examples=$(cd "$BATS_TEST_DIRNAME/../../examples" && pwd)
	export CALLS=$PWD/calls
	: >calls
	mkdir -p stubs
	PATH=$PWD/stubs:$PATH
	key=app/$BATS_TEST_NUMBER
	export PUSH_CHECK="$PWD/stubs/check" PUSH_RELOAD="$PWD/stubs/reload"
	stub check '! grep -q bad "$1"'
	stub reload
}

# stub NAME [COMMANDS]: a program that records how it was called.
stub()
{
	printf '#!/bin/sh\necho "%s ${1##*/}" >>"$CALLS"\n%s\n' "$1" "${2-}" \
		>"stubs/$1"
	chmod +x "stubs/$1"
}

called() { [ "$(cat calls)" = "$1" ]; }

is() # FILE TEXT
{
	[ -e "$1" ] && [ "$(cat "$1")" = "$2" ]
}

push() { "$examples/push-config.sh" $key file; }

@test "a pushed file is checked, put in its place, and told of, once" {
	cfgstore set $key one
	push
	is file one
	called 'check file.new
reload '
	push
	called 'check file.new
reload '
	[ "$(echo file*)" = 'file file.loaded' ]
}

@test "without the key, without a daemon, nothing is changed" {
	echo old >file
	push
	is file old
	RINGKIT_RUNDIR=$PWD run -75 push
	is file old
	called ''
}

@test "what the check refuses does not become the file" {
	cfgstore set $key good
	push
	cfgstore set $key bad
	run -65 push
	is file good
	: >calls
	cfgstore set $key better
	push
	is file better
	called 'check file.new
reload '
}

@test "a program that cannot be told is told by the next run" {
	stub reload false
	cfgstore set $key one
	run -75 push
	is file one
	stub reload
	: >calls
	push
	called 'reload '
}

killed_at() # N: false when it ended by itself before
{
	rm -f killed
	KILL_AT=$1 KILLED=$PWD/killed BASH_ENV=$BATS_TEST_DIRNAME/killer.bash \
		bash "$examples/push-config.sh" $key file >/dev/null 2>&1 || :
	[ -e killed ]
}

@test "a push that was killed anywhere left a whole file, made good" {
	local n=1
	cfgstore set $key one
	push
	while
		cfgstore set $key one
		push
		cfgstore set $key two
		: >calls
		killed_at $n
	do
		is file one || is file two
		# Never told of what was not checked.
		if grep -q reload calls; then
			[ "$(head -n 1 calls)" = 'check file.new' ]
		fi
		push
		is file two
		cmp file file.loaded
		grep -q reload calls
		n=$((n + 1))
	done
	[ $n -gt 8 ]
}

@test "a configuration that is set on one node is pushed to all" {
	local node pids=()
	for node in 1 2 3; do
		RINGKIT_RUNDIR=$NODES/$node CALLS=$PWD/calls$node \
			cfgstore watch $key -- env "PUSH_CHECK=true" \
			PUSH_RELOAD="true" "PATH=$PATH" \
			"$examples/push-config.sh" $key "$PWD/file$node" \
			>/dev/null 2>watch$node 3>&- &
		pids+=($!)
	done
	printf 'a b\n\n' >wanted
	RINGKIT_RUNDIR=$NODES/3 cfgstore set $key @wanted
	for node in 1 2 3; do
		await cmp -s wanted file$node
		await cmp -s wanted file$node.loaded
	done
	RINGKIT_RUNDIR=$NODES/2 cfgstore set $key ''
	for node in 1 2 3; do
		await cmp -s /dev/null file$node
		await cmp -s /dev/null file$node.loaded
	done
	kill "${pids[@]}"
	wait || :
	run ! grep -h . watch1 watch2 watch3
}
