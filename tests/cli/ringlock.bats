#!/usr/bin/env bats
# ringlock against a store of the test's own: who gets the lock, and how it
# ends when all is well.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2154 # quoted for another shell; bats' own names
load helpers
load lockfake

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	lock_start 3
}
teardown() { lock_stop; }

# ---- calling it -------------------------------------------------------------

@test "help goes to stdout and ends with 0, a wrong call to stderr with 64" {
	run --separate-stderr -0 ringlock --help
	[[ $output == "usage: ringlock [OPTION"* ]]
	[ -z "$stderr" ]
	run -0 ringlock --version
	[[ $output == "ringlock (ringkit) "*" proto=1 fmt=1" ]]
	local args
	for args in '' --nonsense '""' /a a/ a//b '"$(printf %0129d 0)"' \
		"--slots 0 a" "--slots 65 a" "--prio 1000 a" "--ttl 1s a" \
		"--ttl 25h a" "--grace 0.5s a" "--grace 15s a" "--ttl x a" \
		"--try -w 1s a" "a --" "a --try" "--list a" "--holder" \
		"--holder --list" "--holder a true" "--for-pid 1 a true" \
		"--contain a" "--kill-on-loss maybe a true" \
		"--kill-on-loss no a" "--on-stuck panic a true" \
		"--kill-on-loss no --on-stuck watchdog a true" \
		"--on-stuck reboot a" "--for-pid 99999999999 a" "--for-pid 0 a"; do
		eval "run --separate-stderr -64 ringlock $args"
		[ -z "$output" ]
		[[ $stderr == "ringlock: "* ]]
		# Also with -q.
		eval "run --separate-stderr -64 ringlock -q $args"
		[ -n "$stderr" ]
	done
}

@test "the command gets its options, and its standard descriptors" {
	run -0 ringlock_ a -- printf '%s\n' -v --help -- -w
	[ "$output" = "-v
--help
--
-w" ]
	run -0 ringlock_ a printf '%s\n' -v --help
	[ "$output" = "-v
--help" ]
	run -0 ringlock_ a -- cat <<<"what is read"
	[ "$output" = "what is read" ]
	ringlock_ a -- sh -c 'echo out; echo err >&2; echo five >&5' \
		>out 2>err 5>five
	[ "$(cat out err five)" = "out
err
five" ]
}

@test "the exit code is the command's" {
	local code
	for code in 0 1 3 69 75 122 124 128; do
		run -$code ringlock_ a -- sh -c "exit $code"
		[ -z "$output" ]
	done
	run -255 ringlock_ b -- sh -c 'exit 255'
	run -143 ringlock_ c -- sh -c 'kill -TERM $$'
	run -137 ringlock_ d -- sh -c 'kill -KILL $$'
	run --separate-stderr -127 ringlock_ a -- ./no-such-program
	[ "$stderr" = "ringlock: ./no-such-program: No such file or directory" ]
	touch plain
	run --separate-stderr -126 ringlock_ a -- ./plain
	[ "$stderr" = "ringlock: ./plain: Permission denied" ]
	# And it is given back, unless the command died of a signal.
	run -1 ringlock_ --holder a
	for code in b c d; do ringlock_ --holder $code; done
}

@test "the environment tells the command what it holds" {
	export RINGKIT_LOCK_NAME=old RINGKIT_LOCK_FOO=old
	ringlock_ --slots 2 --ttl 4.5s 'a b/$(c)' -- env | grep ^RINGKIT_LOCK |
		sort >variables
	grep -qx 'RINGKIT_LOCK_NAME=a b/$(c)' variables
	grep -qx 'RINGKIT_LOCK_SLOT=0' variables
	grep -qx 'RINGKIT_LOCK_TTL=4.500' variables
	grep -qx 'RINGKIT_LOCK_VIEW=1.7' variables
	grep -qxE 'RINGKIT_LOCK_TOKEN=[1-9][0-9]*' variables
	[ "$(wc -l <variables)" = 5 ]
}

@test "every grant has a greater token, which is the revision of its key" {
	local last=0 i token
	for i in 1 2 3 4; do
		ringlock_ a -- sh -c 'echo $RINGKIT_LOCK_TOKEN
			ringlock --holder a' >out
		token=$(head -n 1 out)
		[ "$token" -gt "$last" ]
		grep -qE "^held name=a slot=0 token=$token node=1 value=host=" out
		last=$token
	done
}

# ---- who gets it ------------------------------------------------------------

@test "--try says 1 and nothing when it is not free" {
	signal_begin go
	hold a -- sh -c 'echo >go; exec tail -f /dev/null'
	signal_await go
	run -1 ringlock_ --try a -- touch ran
	[ -z "$output" ]
	# From another node, too.
	RINGKIT_RUNDIR=$PWD/store/2 run -1 ringlock_ --try a -- touch ran
	run -0 ringlock_ --try b -- true
	run --separate-stderr -124 ringlock_ -w 0.3s a -- touch ran
	[ "$stderr" = "ringlock: a: not in time" ]
	[ ! -e ran ]
	kill "$HOLDER"
	ended 143
	run -0 ringlock_ --try a -- touch ran
	[ -e ran ]
}

# in_turn NAME...: each holds it for a moment, when $go is there.
in_turn()
{
	local i
	for i; do
		hold "${options[@]}" --prio "${i%%-*}" q -- \
			sh -c "echo $i >>log"
		await waits $((++waiting))
	done
}

@test "waiters come in the order of their priority, then of their coming" {
	local options=() waiting=0
	mkfifo go
	hold q -- cat go
	await is_held
	in_turn 0-first 0-second 5-third 5-fourth 1-fifth 0-sixth
	run -1 ringlock_ --try --prio 5 q -- true
	[ "$(command ringlock --list | grep -c '^waits name=q prio=5 ')" = 2 ]
	echo >go
	local pid
	for pid in "${HOLDERS[@]}"; do ended 0 "$pid"; done
	[ "$(paste -sd' ' log)" = \
		"5-third 5-fourth 1-fifth 0-first 0-second 0-sixth" ]
}

@test "so many hold it at once as there are slots, each its own" {
	local i
	for i in 1 2 3; do mkfifo "go$i"; done
	hold --slots 2 s -- sh -c 'echo $RINGKIT_LOCK_SLOT >>slots; cat go1'
	await is_held 1
	hold --slots 2 s -- sh -c 'echo $RINGKIT_LOCK_SLOT >>slots; cat go2'
	await is_held 2
	hold --slots 2 s -- sh -c 'echo $RINGKIT_LOCK_SLOT >>slots; cat go3'
	await waits 1
	run -1 ringlock_ --try --slots 2 s -- true
	echo >go2
	ended 0 "${HOLDERS[1]}"
	await is_held 2
	await waits 0
	echo >go1
	echo >go3
	ended 0 "${HOLDERS[0]}"
	ended 0 "${HOLDERS[2]}"
	[ "$(paste -sd' ' slots)" = "0 1 1" ]
}

@test "another number of slots is refused while it is in use" {
	mkfifo go
	hold --slots 2 s -- cat go
	await is_held 1
	run --separate-stderr -65 ringlock_ s -- touch ran
	[ "$stderr" = "ringlock: s: it is in use, with --slots 2" ]
	run -65 ringlock_ --slots 3 s -- touch ran
	echo >go
	ended 0
	run -0 ringlock_ --slots 3 s -- touch ran
	run -0 ringlock_ s -- rm ran
}

@test "eight at once: never two inside" {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		RINGKIT_RUNDIR=$PWD/store/$((1 + i % 3)) hold a -- sh -c '
			mkdir inside || echo two >>log
			echo "$RINGKIT_LOCK_TOKEN" >>log
			rmdir inside'
	done
	for i in "${HOLDERS[@]}"; do ended 0 "$i"; done
	[ "$(wc -l <log)" = 8 ]
	sort -n log | cmp - log
}

@test "locks whose names look like keys of others do not meet" {
	mkfifo go
	hold a -- cat go
	await is_held 1
	run -0 ringlock_ --try a/slot/0 -- true
	run -0 ringlock_ --try a/slot -- true
	run -0 ringlock_ --try a/wait/0/1 -- true
	run -0 ringlock_ --try 'a*' -- true
	run -0 ringlock_ --try 'a ' -- true
	run -1 ringlock_ --try a -- true
	echo >go
	ended 0
}

# ---- telling ----------------------------------------------------------------

@test "--holder and --list print records, or objects" {
	run -0 ringlock_ --list
	[ -z "$output" ]
	run -1 ringlock_ --holder a/b
	mkfifo go
	hold --value 'it is me' a/b -- cat go
	await is_held 1
	RINGKIT_RUNDIR=$PWD/store/2 hold --prio 7 --value '' a/b -- true
	await waits 1
	run -0 ringlock_ --holder a/b
	[[ $output =~ ^held\ name=a/b\ slot=0\ token=[0-9]+\ node=1\ value=it\\0040is\\0040me$ ]]
	run -1 ringlock_ --holder a
	run -0 ringlock_ --list
	[[ ${lines[0]} =~ ^held\ name=a/b\ slot=0\  ]]
	[[ ${lines[1]} =~ ^waits\ name=a/b\ prio=7\ rev=[0-9]+\ node=2\ value=$ ]]
	command ringlock -j --list 8>&- 9>&- | jq -se '.[0].event == "held" and
		.[0].value == "it is me" and .[0].slot == 0 and
		.[1].event == "waits" and .[1].node == 2'
	echo >go
	ended 0 "${HOLDERS[0]}"
	ended 0 "${HOLDERS[1]}"
}

@test "without a command it prints that it holds, and holds" {
	mkfifo out
	command ringlock a >out 3>&- 8>&- 9>&- &
	HOLDER=$!
	HOLDERS+=("$HOLDER")
	exec 6<out
	read -r -t 60 line <&6
	[[ $line =~ ^held\ name=a\ slot=0\ token=[0-9]+$ ]]
	run -1 ringlock_ --try a -- true
	kill -TERM "$HOLDER"
	ended 143
	run ! read -r -t 60 <&6
	exec 6<&-
	run -0 ringlock_ --try a -- true
}

@test "without a command who reads no records gives the lock back" {
	# The descriptors of the store stay with us.
	export -f ringlock_
	run -74 bash -c 'ringlock_ mine >/dev/full'
	[ "$output" = 'ringlock: standard output: No space left on device' ]
	run -0 bash -c 'ringlock_ mine | head -n 1; echo ${PIPESTATUS[0]}'
	[ "${lines[1]}" = 141 ]
	run -1 ringlock_ --holder mine
}

@test "without a command a lost lock is printed, and is 122" {
	mkfifo out
	command ringlock -j a >out 2>err 3>&- 8>&- 9>&- &
	HOLDER=$!
	HOLDERS+=("$HOLDER")
	exec 6<out
	read -r -t 60 line <&6
	jq -e '.event == "held" and .name == "a"' <<<"$line"
	order del lock/a/slot/0
	read -r -t 60 line <&6
	jq -e '.event == "lost" and .why == "it was taken away"' <<<"$line"
	ended 122
	exec 6<&-
	[ "$(cat err)" = "ringlock: a: lost: it was taken away" ]
}

@test "a service manager is told when it is held, and when it is not" {
	python3 - <<'EOF'
import os, socket, subprocess
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("notify")
s.settimeout(20)
env = dict(os.environ, NOTIFY_SOCKET=os.path.abspath("notify"))
p = subprocess.Popen(["ringlock", "-q", "a", "--", "cat"], env=env,
    stdin=subprocess.PIPE)
assert s.recv(200).startswith(b"READY=1\nSTATUS=holds a, token "), "READY"
assert subprocess.call(["ringlock", "--try", "a", "--", "true"]) == 1
# A second one waits, and says nothing.
q = subprocess.Popen(["ringlock", "-q", "-w", "200ms", "a", "--", "cat"],
    env=env)
assert q.wait() == 124
assert s.recv(200) == b"STOPPING=1\n"
p.stdin.close()
assert s.recv(200) == b"STOPPING=1\n"
assert p.wait() == 0
EOF
}

# ---- --for-pid --------------------------------------------------------------

@test "a script holds it for itself until it ends, however it ends" {
	local how
	for how in 'exit 0' 'kill -KILL $$' 'exec true'; do
		life_begin
		signal_begin go
		sh -c '
			exec 7>life
			held=$(ringlock --for-pid $$ --try a) || exit
			case $held in "held name=a slot=0 token="*) ;; *) exit 99 ;; esac
			ringlock --try a -- true
			[ $? = 1 ] || exit 98
			echo >go
			'"$how" 3>&- 8>&- 9>&- &
		signal_await go
		life_over
		run -0 ringlock_ -w 60s a -- true
		wait $! || [ "$how" != 'exit 0' ]
	done
}

@test "a script that cannot be told that it got it goes on without" {
	bash -c '
		ringlock --for-pid $$ a >/dev/full
		[ $? = 74 ] || exit 98
		ringlock --for-pid $$ a >&-
		[ $? = 74 ] || exit 97
		ringlock -w 60s a -- true || exit' 3>&- 8>&- 9>&-
}

@test "a script that does not get it is told why" {
	mkfifo go
	hold a -- cat go
	await is_held 1
	run -1 ringlock_ --for-pid $$ --try a
	run -124 ringlock_ --for-pid $$ -w 0.2s a
	# A signal while it waits ends the waiting, and nothing else.
	hold --for-pid $$ a
	await waits 1
	kill -TERM "$HOLDER"
	ended 143
	await waits 0
	run --separate-stderr -71 ringlock_ --for-pid 4194304 a
	[[ $stderr = *'there is no such process' ]]
	[ -n "$stderr" ]
	echo >go
	ended 0 "${HOLDERS[0]}"
}

@test "a script that holds it gets TERM when it is lost, then KILL" {
	life_begin
	signal_begin go
	sh -c 'exec 7>life
		ringlock --for-pid $$ --ttl 3s --grace 2s a >/dev/null || exit
		trap "echo term >>log; exit 5" TERM
		echo >go
		while :; do tail -f /dev/null & wait $!; done' 3>&- 8>&- 9>&- &
	script=$!
	signal_await go
	order away 1 closed
	life_over
	ended 5 $script
	[ "$(cat log)" = term ]
	order here 1
	# One that does not listen, and what it started.
	life_begin
	signal_begin go
	sh -c 'exec 7>life
		ringlock --for-pid $$ --ttl 3s --grace 1s a >/dev/null || exit
		trap "" TERM
		setsid tail -f /dev/null &
		echo >go
		tail -f /dev/null' 3>&- 8>&- 9>&- &
	script=$!
	signal_await go
	order away 1 closed
	life_over
	ended 137 $script
}
