#!/usr/bin/env bats
# What runs under a lock: the examples, with stubs that record how they were
# called, and a real PostgreSQL where there is one.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2154 # quoted for another shell; bats' own names
load helpers
load lockfake

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	examples=$(cd "$BATS_TEST_DIRNAME/../../examples" && pwd)
	export CALLS=$PWD/calls
	: >calls
	mkdir -p stubs
	PATH=$PWD/stubs:$PATH
	lock_start 2
}
teardown()
{
	lock_stop
	[ -z "${PG-}" ] || rm -rf "$PG"
}

# stub NAME [COMMANDS]: a program that records how it was called.
stub()
{
	printf '#!/bin/sh\necho "%s $*" >>"$CALLS"\n%s\n' "$1" "${2-}" \
		>"stubs/$1"
	chmod +x "stubs/$1"
}

# A device that one node may have; that two have it at once is recorded.
stub_drbd()
{
	stub drbdadm 'case $1 in
	primary) echo primary >role ;;
	secondary)
		[ -z "${STUCK-}" ] || exit 11
		echo secondary >role ;;
	esac'
	stub systemctl 'case $1 in
	start)
		echo yes >app
		echo >started
		[ -z "${BROKEN-}" ] || exit 1
		read -r _ <ends
		;;
	stop) rm -f app; echo 1<>ends ;;
	esac'
	echo secondary >role
	rm -f started ends
	mkfifo started ends
}

drbd_hold()
{
	hold --ttl 6s --grace 3s drbd/r0 -- \
		bash "$examples/drbd-hold.sh" r0
}

@test "DRBD: promoted under the lock, demoted before it is given back" {
	stub_drbd
	run -64 sh "$examples/drbd-hold.sh" r0
	[ ! -s calls ]
	drbd_hold
	timeout 60 cat started
	[ "$(cat role)" = primary ]
	# Another node gets nothing, and promotes nothing.
	RINGKIT_RUNDIR=$PWD/store/2 run -1 ringlock_ --try drbd/r0 -- \
		"$examples/drbd-hold.sh" r0
	kill -TERM "$HOLDER"
	ended 0
	[ "$(cat calls)" = 'drbdadm primary r0
systemctl start --wait app@r0.service
systemctl stop app@r0.service
drbdadm secondary r0' ]
	run -1 ringlock_ --holder drbd/r0
}

@test "DRBD: demoted when the service ends by itself, or does not start" {
	stub_drbd
	drbd_hold
	timeout 60 cat started
	echo >ends
	ended 1
	[ "$(cat role)" = secondary ]
	BROKEN=yes drbd_hold
	timeout 60 cat started
	ended 75
	[ "$(cat role)" = secondary ]
	run -1 ringlock_ --holder drbd/r0
}

@test "DRBD: demoted when the quorum is lost, or the store is silent" {
	local how
	for how in 'away 1 closed' 'deaf 1'; do
		: >calls
		stub_drbd
		drbd_hold
		timeout 60 cat started
		# shellcheck disable=SC2086 # words
		order $how
		ended 122
		[ "$(cat role)" = secondary ]
		[ "$(tail -n 1 calls)" = 'drbdadm secondary r0' ]
		order here 1
		order hear 1
		RINGKIT_RUNDIR=$PWD/store/2 ringlock_ -w 60s drbd/r0 -- true
	done
}

@test "DRBD: a device that stays primary keeps the lock, and is told" {
	stub_drbd
	STUCK=yes drbd_hold 2>err
	timeout 60 cat started
	kill -TERM "$HOLDER"
	ended 70
	grep -q 'it did not end well' err
	[ "$(tail -n 1 calls)" = 'drbdadm secondary --force r0' ]
	run -1 ringlock_ --try drbd/r0 -- true
}

@test "DRBD: killed at each line, the lock is never given back early while primary" {
	local n=1 early=0
	stub_drbd
	rm started
	: >started
	while
		echo secondary >role
		rm -f killed app
		: >calls
		hold --ttl 10s --grace 1s "line/$n" -- env KILL_AT=$n \
			KILLED="$PWD/killed" \
			BASH_ENV="$BATS_TEST_DIRNAME/killer.bash" \
			bash "$examples/drbd-hold.sh" r0 2>/dev/null
		# What is left runs until it is told to end.
		await is_killed_or_waits
		kill -TERM "$HOLDER" 2>/dev/null || :
		timeout 60 tail -s 0.02 --pid="$HOLDER" -f /dev/null
		[ -e killed ]
	do
		if [ "$(cat role)" = primary ]; then
			# Nobody could promote now.
			ringlock_ --holder "line/$n"
			early=$((early + 1))
		fi
		n=$((n + 1))
		[ $n -lt 40 ]
	done
	[ $n -gt 8 ]
	[ $early -gt 2 ]
	[ "$(cat role)" = secondary ]
}
is_killed_or_waits() { [ -e killed ] || [ -e app ]; }

@test "a job runs on one node at a time, and silently not on the others" {
	local line i
	line=$(sed -n 's/.* root  \(ringlock .*\)/\1/p' "$examples/ringkit.cron")
	line=${line//\/usr\/local\/sbin\/vacuum/vacuum}
	stub vacuum 'mkdir inside || echo two >>two; read -r _ <go; rmdir inside'
	mkfifo go
	for i in 1 2; do
		RINGKIT_RUNDIR=$PWD/store/$i sh -c "$line" >"out$i" 2>&1 \
			3>&- 8>&- 9>&- &
		HOLDERS+=("$!")
		[ $i = 2 ] || await grep -q vacuum calls
	done
	ended 0 "${HOLDERS[1]}"
	echo >go
	ended 0 "${HOLDERS[0]}"
	[ "$(cat calls)" = 'vacuum ' ]
	[ ! -s out1 ] && [ ! -s out2 ] && [ ! -e two ]
}

@test "a rolling restart restarts one node after the other" {
	stub systemctl 'case $1 in
	restart) mkdir inside || echo two >>two; echo >up ;;
	is-active) rmdir inside; [ -e up ] ;;
	esac'
	local i
	for i in 1 2 1 2; do
		RINGKIT_RUNDIR=$PWD/store/$i PAUSE=0.1 \
			"$examples/rolling-restart.sh" web 3>&- 8>&- 9>&- &
		HOLDERS+=("$!")
	done
	for i in "${HOLDERS[@]}"; do ended 0 "$i"; done
	[ ! -e two ]
	[ "$(grep -c 'restart web' calls)" = 4 ]
}

@test "a rolling restart stops at the node that does not come back" {
	stub systemctl 'case $1 in is-active) exit 3 ;; esac'
	RINGKIT_RUNDIR=$PWD/store/1 PAUSE=0 hold_restart 2>err
	await grep -q 'did not come back' err
	RINGKIT_RUNDIR=$PWD/store/2 WAIT=0.3s run -124 "$examples/rolling-restart.sh" \
		web 3>&- 8>&- 9>&-
	[ "$(grep -c restart calls)" = 1 ]
	kill -TERM "$HOLDER"
	ended 143
}
hold_restart()
{
	"$examples/rolling-restart.sh" web 3>&- 8>&- 9>&- &
	HOLDER=$!
	HOLDERS+=("$HOLDER")
}

# ---- PostgreSQL -------------------------------------------------------------

postgres_home()
{
	local dir
	for dir in /usr/lib/postgresql/*/bin; do
		if [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ]; then
			echo "$dir"
			return
		fi
	done
	return 1
}

sql() { psql -qAt -h "$PG" -p 54321 -U owner postgres -c "$1" 2>/dev/null; }
answers() { sql 'select 1' >/dev/null; }

pg_hold() # NODE
{
	export RINGKIT_RUNDIR=$PWD/store/$1
	hold --ttl 6s --grace 3s pg -- "$examples/postgresql-primary.sh" \
		"$PG" -p 54321 -k "$PG" -c listen_addresses= \
		>>pg.log 2>&1
}

@test "PostgreSQL: one primary, moved by kills, and nothing committed is lost" {
	local home as=()
	home=$(postgres_home) || skip "no PostgreSQL server is installed"
	PATH=$home:$PATH
	# Where another user can reach it.
	PG=$(mktemp -d)
	if [ "$(id -u)" = 0 ]; then
		id postgres >/dev/null 2>&1 || skip "no user to run it as"
		chown postgres: "$PG"
		as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
		"${as[@]}" test -w "$PG" || skip "its user cannot reach $PG"
	fi
	"${as[@]}" initdb -D "$PG" -U owner -A trust --no-sync >pg.log
	pg_hold 1
	local first=$HOLDER
	await answers
	sql 'create table t (n int); insert into t values (1)'
	pg_hold 2
	await waits 1
	[ "$(pgrep -fc "postgres -D $PG")" = 1 ]
	# Its holder is killed: the guard ends the server.
	kill -KILL "$first"
	timeout 60 tail -s 0.02 --pid="$first" -f /dev/null
	await_new_primary
	[ "$(sql 'select n from t')" = 1 ]
	sql 'insert into t values (2)'
	# An orderly end gives it back at once.
	kill -TERM "$HOLDER"
	ended 0
	pg_hold 1
	await answers
	[ "$(sql 'select sum(n) from t')" = 3 ]
	kill -TERM "$HOLDER"
	ended 0
}
await_new_primary()
{
	await waits 0
	await answers
}
