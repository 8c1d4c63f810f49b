#!/usr/bin/env bats
# The examples for what is there already: cron, systemd, keepalived's scripts,
# PostgreSQL.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2154 # for other shells; the helpers' names
load helpers
load quorumfake
load examples

setup() { examples_begin; }
teardown()
{
	fake_stop
	postgres_stop
}

quorum_is() # yes|no|unknown [WHO IS COORDINATOR] [MEMBERS]
{
	fake answer "ok quorate=$1 votes=2 needed=2 expected=3 view=1.8\
 members=${3-1,2,3} self=1 name=alpha coordinator=${2-1} settled=yes age_ms=3"
}

# ---- cron -------------------------------------------------------------------

# The one command of the file for cron that has this word in it.
cron_command() # WORD
{
	grep -vE '^(#|$|[A-Z]+=)' "$examples/ringkit.cron" | grep -e "$1" |
		sed -E 's/^(@[a-z]+|([^ ]+ +){4}[^ ]+) +[a-z]+ +//'
}

# As cron runs it; what it prints would be mailed.
cron() # WORD
{
	local command
	command=$(cron_command "$1")
	# In a crontab this is the end of the command.
	[ -n "$command" ] && [ "${command#*[%$'\n']}" = "$command" ]
	env -i CALLS="$CALLS" RINGKIT_RUNDIR="$RINGKIT_RUNDIR" \
		PATH="$PATH" HOME=/ LOGNAME=root SHELL=/bin/sh \
		sh -c "${command//\/usr\/local\/*bin\//}" </dev/null
}

@test "cron's lines are five times, a user and a command" {
	local line count=0
	while read -r line; do
		case $line in
		'' | '#'*) continue ;;
		PATH=*) continue ;;
		esac
		count=$((count + 1))
		grep -qE '^(@hourly|([0-9*/]+ +){5}) *root +(check-quorum|ringlock) ' \
			<<<"$line"
	done <"$examples/ringkit.cron"
	[ $count -ge 4 ]
}

@test "cron runs what it should where there is quorum, and mails nothing" {
	fake_start
	stub report
	stub backup
	quorum_is yes
	[ -z "$(cron report 2>&1)" ]
	[ -z "$(cron backup 2>&1)" ]
	[ -z "$(cron unknown 2>&1)" ]
	called 'report 
backup '
	: >calls
	# Another node is the coordinator.
	quorum_is yes 2
	run ! cron report
	[ -z "$output" ]
	called ''
	quorum_is no
	for word in report backup unknown; do
		run cron $word
		[ -z "$output" ]
	done
	called ''
}

@test "cron mails that nobody knows, and which node is missing" {
	fake_start
	stub report
	stub backup
	stub ringkit 'echo "2 beta lost"'
	quorum_is unknown
	run ! cron report
	[ -z "$output" ]
	run ! cron backup
	[ -z "$output" ]
	called ''
	run -0 cron unknown
	[ "$output" = 'quorum is unknown here' ]
	quorum_is yes
	[ -z "$(cron --why 2>&1)" ]
	fake node "node=2 name=beta addr=10.0.0.2 state=lost inc=4 local=no"
	quorum_is yes 1 1,3
	run -0 cron --why
	[[ $output == *'2 beta lost'* ]]
	fake_stop
	run -0 cron unknown
	[ "$output" = 'quorum is unknown here' ]
}

# ---- systemd ----------------------------------------------------------------

# The units, for the programs under test; in the folder units.
units()
{
	local file
	cp -r "$examples/systemd" units
	for file in units/*.service; do
		sed -i "s,^\(ExecStart=\)/usr/[a-z/]*/,\1$RINGKIT_BIN/," "$file"
	done
	printf '[Service]\nExecStart=/bin/true\n' >units/app.service
}

@test "systemd has nothing to say against the units" {
	command -v systemd-analyze >/dev/null || {
		[ -z "${CI-}" ]
		skip "there is no systemd-analyze"
	}
	units
	# Units of this system may be at fault, too.
	run systemd-analyze verify --man=no "$PWD"/units/*.service \
		"$PWD/units/ringkit.target"
	echo "$output"
	[ "$status" = 0 ]
	run ! grep -E "ringkit|app\.service|$PWD" <<<"$output"
	# It would have found something.
	sed -i 's/^Restart=/Restat=/' units/ringkit-ringd.service
	run systemd-analyze verify --man=no "$PWD/units/ringkit-ringd.service"
	[[ $output == *Restat* ]]
}

@test "what systemd would start is installed there" {
	local path count=0
	while read -r path; do
		count=$((count + 1))
		[ -x "$RINGKIT_BIN/${path##*/}" ]
		case $path in
		/usr/sbin/*d | /usr/libexec/ringkit/*) ;;
		/usr/bin/watch-membership | /usr/bin/check-quorum) ;;
		*) false ;;
		esac
	done < <(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' \
		"$examples"/systemd/*.service)
	[ $count = 5 ]
}

# What systemd would start for that unit.
exec_start() # UNIT
{
	sed -n '/^ExecStart=/{:a;/\\$/{N;s/\\\n//;ba};s/^ExecStart=//;p}' \
		"units/$1.service"
}

@test "the quorate unit is ready while there is quorum, and ends with it" {
	local code=0 start
	units
	read -ra start < <(exec_start ringkit-quorate)
	fake_start
	fake_lose_quorum
	nc -lkuU notify >notified 2>/dev/null 3>&- 8>&- 9<&- &
	local nc=$!
	await test -S notify
	NOTIFY_SOCKET=$PWD/notify "${start[@]}" >said 2>&1 3>&- 8>&- 9<&- &
	local unit=$!
	fake clients
	[ ! -s notified ]
	fake_gain_quorum
	await grep -q READY=1 notified
	fake_lose_quorum
	wait $unit || code=$?
	kill $nc
	[ $code = 1 ]
	[ ! -s said ]
}

@test "the hooks unit runs hooks and remembers that it did" {
	units
	fake_start
	local start
	mkdir -p hooks.d/view.d
	printf '#!/bin/sh\necho "$RINGKIT_MEMBERS" >>%s/ran\n' "$PWD" \
		>hooks.d/view.d/10-x
	chmod -R 755 hooks.d
	read -ra start < <(exec_start ringkit-hooks)
	[ "${start[*]:1}" = \
		"--hooks-dir --wait-daemon --state=/var/lib/ringkit-hooks/done" ]
	start=("${start[@]/%--hooks-dir/--hooks-dir=$PWD/hooks.d}")
	start=("${start[@]/--state=*/--state=$PWD/done}")
	"${start[@]}" --now
	"${start[@]}" --now
	[ "$(cat ran)" = '1 2 3' ]
}

# ---- a notify script of keepalived -------------------------------------------

notify() # [yes|no|unknown]
{
	RINGKIT_QUORATE=${1-} KEEPALIVED_NOTIFY_RUN=$PWD \
		"$examples/keepalived-notify.sh" db notify first word
}

@test "a notify script is told of each state once, in its own words" {
	stub notify
	notify yes
	notify yes
	called 'notify first word INSTANCE db BACKUP 100'
	notify no
	notify unknown
	notify ''
	notify yes
	called 'notify first word INSTANCE db BACKUP 100
notify first word INSTANCE db FAULT 100
notify first word INSTANCE db BACKUP 100'
	run ! grep -v '^#' "$examples/keepalived-notify.sh" -c MASTER
	run -64 "$examples/keepalived-notify.sh" db
	run -64 "$examples/keepalived-notify.sh" ../db notify
}

@test "a notify script that failed is told again, also if all is as before" {
	stub notify
	notify yes
	stub notify 'exit 1'
	run -75 notify no
	stub notify
	: >calls
	# Half of what it did for FAULT may be done.
	notify yes
	called 'notify first word INSTANCE db BACKUP 100'
}

@test "a notify script that was killed anywhere is told again" {
	local n=1
	export KEEPALIVED_NOTIFY_RUN=$PWD
	while
		stub notify
		notify yes
		: >calls
		RINGKIT_QUORATE=no killed_at $n \
			"$examples/keepalived-notify.sh" db notify first word
	do
		notify no
		[ "$(tail -n 1 calls)" = \
			'notify first word INSTANCE db FAULT 100' ]
		[ "$(cat keepalived-notify.db)" = FAULT ]
		n=$((n + 1))
	done
	[ $n -gt 7 ]
}

@test "a watcher tells a notify script of quorum lost, gained and unknown" {
	fake_start
	stub notify
	watch-membership -e ready,view,quorum,down -- \
		env CALLS="$CALLS" KEEPALIVED_NOTIFY_RUN="$PWD" \
		PATH="$PATH" "$examples/keepalived-notify.sh" db notify \
		2>watched 3>&- 8>&- 9<&- &
	local watcher=$!
	told() { [ "$(wc -l <calls)" = "$1" ]; }
	await told 1
	fake_lose_quorum
	await told 2
	fake_gain_quorum
	await told 3
	fake_stop
	await told 4
	kill $watcher
	called 'notify INSTANCE db BACKUP 100
notify INSTANCE db FAULT 100
notify INSTANCE db BACKUP 100
notify INSTANCE db FAULT 100'
}

# ---- PostgreSQL -------------------------------------------------------------

# A server: what it was told, what it does, and who writes.
stub_psql()
{
	echo off >told
	echo off >does
	echo writer >connected
	stub psql '
for sql; do :; done
case $sql in
*"SET default_transaction_read_only = on") echo on >told ;;
*"RESET default_transaction_read_only") echo off >told ;;
*pg_reload_conf*) cat told >does ;;
*pg_terminate_backend*)
	# Only when new connections are read-only.
	[ "$(cat does)" = on ] || { echo "off|0"; exit; }
	echo "on|$(wc -l <connected)"
	: >connected
	;;
*"SELECT current_setting"*) cat does ;;
*) exit 3 ;;
esac'
}

read_only() { "$examples/postgresql-read-only.sh" "$@"; }

@test "PostgreSQL is told first, then whoever may write is thrown out" {
	stub_psql
	read_only on
	[ "$(cat told)$(cat does)$(cat connected)" = onon ]
	sed -n 1p calls | grep -q 'ALTER SYSTEM SET'
	sed -n 2p calls | grep -q 'pg_reload_conf'
	# Again until nobody is left.
	[ "$(grep -c pg_terminate_backend calls)" = 2 ]
	read_only on
	[ "$(cat does)" = on ]
	run -64 read_only
	run -64 read_only maybe
}

@test "PostgreSQL that does not listen is stopped, or told later" {
	stub psql 'exit 2'
	stub stopper
	run -75 read_only on
	POSTGRESQL_STOP='stopper now' read_only on
	[ "$(tail -n 1 calls)" = 'stopper now' ]
	stub stopper 'exit 1'
	POSTGRESQL_STOP=stopper run -70 read_only on
}

@test "PostgreSQL is given back by hand only, and not without quorum" {
	fake_start
	stub_psql
	read_only on
	quorum_is no
	run -75 read_only off
	quorum_is unknown
	run -75 read_only off
	[ "$(cat does)" = on ]
	quorum_is yes
	read_only off
	[ "$(cat told)$(cat does)" = offoff ]
	run ! grep -rE 'postgresql-read-only(.sh)? off' "$examples" \
		--include='*.service' --include='*.cron'
}

@test "a switch to read-only that was killed anywhere is made good" {
	local n=1
	while
		stub_psql
		: >calls
		killed_at $n "$examples/postgresql-read-only.sh" on
	do
		read_only on
		[ "$(cat told)$(cat does)$(cat connected)" = onon ]
		n=$((n + 1))
	done
	[ $n -gt 10 ]
}

postgres_start()
{
	local programs
	programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V |
		tail -n 1)
	[ -x "$programs/postgres" ] || skip "there is no PostgreSQL"
	command -v psql >/dev/null || skip "there is no psql"
	PG=$(mktemp -d "${TMPDIR:-/tmp}/ringkit-pg-XXXXXX")
	chmod 755 "$PG"
	as_postgres=()
	if [ "$(id -u)" = 0 ]; then
		# It refuses to be root's.
		as_postgres=(setpriv --reuid=65534 --regid=65534 --clear-groups)
		chown 65534:65534 "$PG"
	fi
	pg_ctl=("${as_postgres[@]}" env -C "$PG" "$programs/pg_ctl" -s -w -D
		"$PG/data" -l "$PG/log" -o
		"-k $PG -c listen_addresses= -c fsync=off")
	"${as_postgres[@]}" env -C "$PG" "$programs/initdb" -D "$PG/data" -N \
		-A trust -U ringkit >/dev/null
	"${pg_ctl[@]}" start 3>&-
	export PGHOST=$PG PGUSER=ringkit PGDATABASE=postgres
}

postgres_stop()
{
	[ -n "${PG-}" ] || return 0
	"${pg_ctl[@]}" -m immediate stop || :
	rm -rf "$PG"
	PG=
}

ask_postgres() { psql -XqAtw -v ON_ERROR_STOP=1 -c "$1"; }

@test "real PostgreSQL: who was writing is thrown out, nobody writes, all read" {
	local code=0
	postgres_start
	ask_postgres 'CREATE TABLE t (x int)'
	ask_postgres 'INSERT INTO t VALUES (1)'
	mkfifo statements
	# One in the midst of writing, who has even asked to be let write.
	psql -XqAtw -v ON_ERROR_STOP=1 <statements >answers 2>&1 3>&- &
	local writer=$!
	exec 7>statements
	printf '%s;\n' 'SET default_transaction_read_only = off' BEGIN \
		'INSERT INTO t VALUES (2)' "SELECT 'written'" >&7
	await grep -q written answers
	read_only on 7>&-
	printf '%s;\n' COMMIT >&7 || :
	exec 7>&-
	wait $writer || code=$?
	[ $code != 0 ]
	run ! ask_postgres 'INSERT INTO t VALUES (3)'
	[[ $output == *read-only* ]]
	[ "$(ask_postgres 'SELECT x FROM t')" = 1 ]
	# Again is no harm, and it outlives a restart.
	read_only on
	"${pg_ctl[@]}" -m fast restart 3>&-
	run ! ask_postgres 'INSERT INTO t VALUES (3)'
	fake_start
	read_only off
	ask_postgres 'INSERT INTO t VALUES (4)'
	"${pg_ctl[@]}" -m immediate stop
	run -75 read_only on
}
