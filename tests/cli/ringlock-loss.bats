#!/usr/bin/env bats
# ringlock when things go wrong: signals, kills at any instant, stops, a store
# that is silent, gone, without quorum, or takes the lock away.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2154 # quoted for another shell; bats' own names
load helpers
load lockfake
load locktree

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	lock_start 3
	mkfifo go
}
teardown() { lock_stop; }

# ---- signals ----------------------------------------------------------------

@test "signals are passed on, and the exit code is what the command makes of them" {
	local signo
	for signo in TERM INT HUP QUIT USR1 USR2; do
		hold "a/$signo" -- sh -c "trap 'echo $signo >>log; exit 7' $signo
			echo >go; while :; do tail -f /dev/null & wait \$!; done"
		signal_await go
		kill -$signo "$HOLDER"
		ended 7
		[ "$(cat log)" = $signo ]
		rm log
	done
}

@test "a signal while waiting never starts the command, and leaves the queue" {
	local signo
	hold a -- sh -c 'echo >go; exec tail -f /dev/null'
	local first=$HOLDER
	signal_await go
	for signo in TERM INT HUP QUIT; do
		hold a -- touch ran
		await waits 1
		kill -$signo "$HOLDER"
		ended $((128 + $(kill -l $signo)))
		await waits 0
	done
	kill "$first"
	ended 143 "$first"
	[ ! -e ran ]
}

@test "signals that were ignored stay ignored" {
	trap '' HUP
	hold a -- sh -c 'trap "exit 9" USR1; echo >go
		while :; do tail -f /dev/null & wait $!; done'
	trap - HUP
	signal_await go
	kill -HUP "$HOLDER"
	kill -USR1 "$HOLDER"
	ended 9
}

@test "a signal while the lock is being granted never starts the command" {
	# The store's answers are under way for long.
	order slow 1 400
	local i
	for i in 1 2 3; do
		hold a -- touch ran
		order slow 1 $((400 * i))
		await is_granted
		kill -TERM "$HOLDER"
		order slow 1 0
		ended 143
		[ ! -e ran ]
		# And it is given back.
		RINGKIT_RUNDIR=$PWD/store/2 run -0 ringlock_ --try a -- true
		order slow 1 400
	done
}
is_granted() { order rev lock/a/slot/0 && [ "$ordered" != 0 ]; }

# Loops run in a shell of their own: bats looks at every command of its own.
storm() { bash -eu "$BATS_TEST_DIRNAME/lockstorm.bash" "$@" 3>&-; }

@test "TERM at any moment: what did not start never ran, and nothing is left" {
	storm term "${ROUNDS:-12}"
}

# ---- kills ------------------------------------------------------------------

@test "the holder is killed: all of its tree ends before the lock passes on" {
	start_tree --ttl 3s --grace 1s
	kill -KILL "$HOLDER"
	ended 137
	next_is_alone
	[ "$(wc -l <log)" = 1 ]
}

@test "the guard is killed: the holder ends its tree, and says 122" {
	start_tree --ttl 3s --grace 1s
	kill -KILL "$GUARD"
	ended 122
	is_over
	next_is_alone
}

@test "kills of any of them at any moment: never two at once" {
	storm kill "${ROUNDS:-4}"
}

@test "the command's child that stops itself is ended, too" {
	hold --ttl 3s --grace 1s a -- sh -c 'exec 7>>alone; flock -n 7
		sh -c "echo >go; kill -STOP \$\$" & kill -STOP $$'
	signal_await go
	order del lock/a/slot/0
	ended 122
	is_over
}

@test "what the command leaves behind is ended before the lock is given back" {
	run -4 ringlock_ --ttl 4s --grace 1s a -- sh -c 'exec 7>>alone; flock -n 7
		(setsid sh -c "trap \"\" TERM; tail -f /dev/null" &)
		exit 4'
	is_over
	run -0 ringlock_ --try a -- true
}

@test "contained: all ends even when holder and guard are killed at once" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	start_tree --contain --ttl 3s --grace 1s
	kill -KILL "$HOLDER" "$GUARD"
	ended 137
	await is_over
	next_is_alone
	# And it is an ordinary command besides.
	run -5 ringlock_ --contain a -- sh -c 'echo $$; exit 5'
	[ "$output" = 2 ]
}

@test "who may not contain is told so, and runs nothing" {
	[ "$(id -u)" = 0 ] || skip "needs root to give up rights"
	run --separate-stderr -125 setpriv --bounding-set=-sys_admin \
		--inh-caps=-sys_admin ringlock --contain a -- touch ran
	[[ $stderr == *"Operation not permitted"* ]]
	[ ! -e ran ]
	run -0 ringlock_ --try a -- true
}

# ---- stops ------------------------------------------------------------------

@test "the holder is stopped: the guard ends all in time" {
	start_tree --ttl 3s --grace 1s
	kill -STOP "$HOLDER"
	next_is_alone
	kill -CONT "$HOLDER"
	ended 122
}

@test "the guard is stopped: the holder ends all in time" {
	start_tree --ttl 3s --grace 1s
	kill -STOP "$GUARD"
	# As long as the store is there it goes on.
	sleep 2.5 # no event: that nothing happens
	run ! is_over
	order deaf 1
	next_is_alone_at 2
	ended 122
}
next_is_alone_at() # NODE
{
	local RINGKIT_RUNDIR=$PWD/store/$1
	export RINGKIT_RUNDIR
	next_is_alone
}

@test "both are stopped: all is dead within 100 ms of waking, the old token void" {
	start_tree --ttl 2s --grace 1s
	local token took best=9999
	for _ in {1..15}; do
		token=$(cat log)
		kill -STOP "$HOLDER" "$GUARD"
		# Nobody can end the tree now: the next one is not alone.
		RINGKIT_RUNDIR=$PWD/store/2 ringlock_ -w 60s a -- true
		run ! is_over
		# But no write of the old one is taken any more.
		printf '%s' "txn len=$((40 + ${#token}))
if key=lock/a/slot/0 rev=$token
put key=x len=1
y
" >request
		{ cat request; echo quit; } | sed "1s/len=.*/len=$(tail -n +2 request | wc -c)/" |
			timeout 60 nc -N -U store/2/cfg.sock >answer || :
		grep -q 'no code=conflict' answer
		took=$(python3 -c 'import fcntl, os, signal, sys, time
f = open("alone")
start = time.monotonic()
for pid in sys.argv[1:]: os.kill(int(pid), signal.SIGCONT)
fcntl.flock(f, fcntl.LOCK_EX)
print(int((time.monotonic() - start) * 1000))' "$HOLDER" "$GUARD")
		ended 122
		best=$((took < best ? took : best))
		[ $best -gt 100 ] || break
		rm -f log
		start_tree --ttl 2s --grace 1s
	done
	echo "dead $best ms after waking"
	[ $best -le 100 ]
}
@test "stops of anybody at any moment: never two at once" {
	storm stop "${ROUNDS:-3}"
}

# ---- the store --------------------------------------------------------------

@test "a connection that closes does not release it, nor does a restart" {
	mkfifo stop
	hold --ttl 6s --grace 4s a -- sh -c 'echo >go; cat stop; exit 6'
	signal_await go
	order cut 1
	RINGKIT_RUNDIR=$PWD/store/2 run -1 ringlock_ --try a -- true
	order vanish 1
	RINGKIT_RUNDIR=$PWD/store/2 run -1 ringlock_ --try a -- true
	order appear 1
	sleep 2.5 # no event: longer than it would last without a renewal
	RINGKIT_RUNDIR=$PWD/store/2 run -1 ringlock_ --try a -- true
	echo >stop
	ended 6
	run -0 ringlock_ --try a -- true
}

@test "a view that forms is no loss, nor are refusals for a while" {
	mkfifo stop
	hold --ttl 6s --grace 4s a -- sh -c 'echo >go; cat stop; exit 6'
	signal_await go
	order away 1 joining
	order refuse 1 3
	order here 1
	order lost-unknown 1 2
	order done-unknown 1 2
	sleep 2.5 # no event: longer than it would last without a renewal
	RINGKIT_RUNDIR=$PWD/store/2 run -1 ringlock_ --try a -- true
	echo >stop
	ended 6
}

@test "the quorum is lost: TERM at once, then KILL, and 122" {
	hold --ttl 30s --grace 20s a -- sh -c 'trap "echo term >>log; exit 0" TERM
		echo >go; while :; do tail -f /dev/null & wait $!; done'
	signal_await go
	order away 1 closed
	ended 122
	[ "$(cat log)" = term ]
	order here 1
	# It ended well, and the store still answered: it is free.
	run -0 ringlock_ --try a -- true
	start_tree --ttl 30s --grace 1s
	order away 1 closed
	ended 122
	is_over
}

@test "it is taken away: KILL at once" {
	local how
	for how in 'del lock/a/slot/0' lose; do
		start_tree --ttl 3s --grace 2s
		# shellcheck disable=SC2086 # two words
		order $how
		ended 122
		is_over
		next_is_alone
	done
}

@test "a silent store: TERM at ttl less grace, KILL a second before the end" {
	hold --ttl 4s --grace 3s a -- sh -c 'exec 7>>alone; flock -n 7
		trap "date +%s%N >>terms" TERM
		echo >go; while :; do tail -f /dev/null & wait $!; done'
	signal_await go
	order deaf 1
	local since
	since=$(date +%s%N)
	ended 122
	is_over
	# Renewed a third of a second before, or later; dead at 3 s after that.
	local term=$((($(head -n 1 terms) - since) / 1000000))
	local end=$((($(date +%s%N) - since) / 1000000))
	echo "TERM after $term ms, the end after $end ms"
	[ $term -ge 50 ] && [ $end -ge 1500 ]
	[ $((end - term)) -ge 500 ]
	next_is_alone_at 2
}

@test "an end that is not clean is not given back early" {
	hold --ttl 4s --grace 2s a -- sh -c 'trap "exit 70" TERM
		echo >go; while :; do tail -f /dev/null & wait $!; done'
	signal_await go
	kill -TERM "$HOLDER"
	ended 70
	run -1 ringlock_ --try a -- true
	run -0 ringlock_ -w 60s a -- true
	# One that was not told to end, fails, and says so, is.
	run -70 ringlock_ a -- sh -c 'exit 70'
	run -0 ringlock_ --try a -- true
}

@test "an answer that is not known: it is held, once, and given back" {
	local how
	for how in done-unknown lost-unknown; do
		# Of lease and slot, one after the other.
		order $how 1 1
		run -0 ringlock_ --ttl 3s --grace 1s a -- sh -c 'ringlock --list | grep -c ^held'
		[ "$output" = 1 ]
		hold --ttl 3s --grace 1s a -- sh -c 'echo >go; cat go2'
		mkfifo go2
		signal_await go
		order $how 1 1
		hold --ttl 3s --grace 1s a -- true
		await waits 1
		order $how 1 2
		echo >go2
		ended 0
		rm go2
		run -1 ringlock_ --holder a
	done
	# The connection closes instead of the answer.
	local i
	for i in 1 2; do
		hold --ttl 3s --grace 1s a -- sh -c 'echo >go; cat go2'
		mkfifo go2
		signal_await go
		hold --ttl 3s --grace 1s a -- true
		await waits 1
		order drop 1 $i
		echo >go2
		ended 0
		rm go2
	done
	run -0 ringlock_ -w 60s a -- true
}

@test "a waiter that lost its lease stands in the queue again" {
	mkfifo stop
	hold a -- sh -c 'echo >go; cat stop'
	signal_await go
	RINGKIT_RUNDIR=$PWD/store/2 hold --ttl 3s --grace 1s a -- touch ran
	await waits 1
	# Its node hears nothing for longer than its lease lasts.
	order deaf 2
	await waits 0
	order hear 2
	await waits 1
	echo >stop
	ended 0
	[ -e ran ]
}

@test "--kill-on-loss=no lets the command end by itself, and says 122" {
	mkfifo stop
	hold --kill-on-loss no --ttl 3s a -- sh -c 'echo >go; cat stop; echo end >>log' \
		2>err
	signal_await go
	order del lock/a/slot/0
	await grep -q 'lost: it was taken away' err
	echo >stop
	ended 122
	[ "$(cat log)" = end ]
}

@test "no daemon is 69, no quorum with --try 75, no answer 69" {
	run --separate-stderr -69 ringlock_ --rundir "$PWD/nowhere" a -- touch ran
	[ "$stderr" = "ringlock: a: $PWD/nowhere: No such file or directory, expected the --rundir of a running cfgstored" ]
	run --separate-stderr -69 ringlock_ --rundir "$PWD/nowhere" --list
	[ "$stderr" = "ringlock: $PWD/nowhere: No such file or directory, expected the --rundir of a running cfgstored" ]
	mkdir empty
	run --separate-stderr -69 ringlock_ --rundir "$PWD/empty" a -- touch ran
	[ "$stderr" = "ringlock: a: $PWD/empty/cfg.sock: No such file or directory, expected a running cfgstored" ]
	order refuse 1
	run --separate-stderr -75 ringlock_ --try a -- touch ran
	[ "$stderr" = "ringlock: a: the store: not quorate" ]
	run -124 ringlock_ -w 0.5s a -- touch ran
	order open 1
	order deaf 1
	RINGKIT_TIMEOUT=0.5s run --separate-stderr -69 ringlock_ a -- touch ran
	[ "$stderr" = "ringlock: a: the daemon does not answer" ]
	RINGKIT_TIMEOUT=0.5s run -69 ringlock_ --try a -- touch ran
	order hear 1
	[ ! -e ran ]
}

@test "one that waits for a quorum gets it when it is there" {
	order refuse 1
	order away 1 closed
	hold -w 60s a -- touch ran
	sleep 0.3 # no event: that it waits
	order here 1
	order open 1
	ended 0
	[ -e ran ]
}

# ---- the end that does not come ---------------------------------------------

@test "--on-stuck=reboot resets the machine, here a PID namespace" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	unshare -pf true || skip "needs PID namespaces"
	local outer
	outer=$(readlink /proc/self/ns/pid)
	cat >inside <<-'EOF'
	# Never outside: reboot(2) is for real there.
	[ "$$" = 1 ] && [ "$(readlink /proc/self/ns/pid)" != "$1" ] || exit 99
	ringlock --on-stuck reboot --ttl 3s --grace 1s a -- \
		sh -c 'trap "exit 70" TERM; echo >go
			while :; do tail -f /dev/null & wait $!; done'
	exit 98
	EOF
	unshare -pf --mount-proc --kill-child sh inside "$outer" 3>&- 8>&- 9>&- 2>err &
	local inside=$!
	signal_await go
	order away 1 closed
	# A namespace that is reset ends by SIGHUP.
	ended 129 $inside
	grep -q 'resetting the machine' err
}

@test "--on-stuck=watchdog feeds it, disarms it when all is well, else not" {
	: >dog
	run --separate-stderr -0 ringlock_ --on-stuck watchdog --watchdog "$PWD/dog" \
		--ttl 3s --grace 1s a -- sleep 2 # no event: it is fed meanwhile
	[[ $stderr == *"no device"* ]]
	[ "$(grep -c fed dog)" -ge 2 ]
	[ "$(tail -n 1 dog)" = V ]
	: >dog
	hold --on-stuck watchdog --watchdog "$PWD/dog" a -- \
		sh -c 'trap "exit 70" TERM; echo >go
			while :; do tail -f /dev/null & wait $!; done'
	signal_await go
	kill -TERM "$HOLDER"
	ended 70
	run ! grep -q V dog
	# Without it nothing begins.
	run -71 ringlock_ --on-stuck watchdog --watchdog ./no-dog --ttl 2s b -- \
		touch ran
	[ ! -e ran ]
}

@test "what cannot be ended keeps the lock, and the holder says so" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	local stuck
	# Root without the right to signal others; the command becomes one.
	setpriv --bounding-set=-kill --inh-caps=-kill \
		ringlock --ttl 3s --grace 1s a -- sh -c 'echo >go
		exec setpriv --reuid=65534 --clear-groups tail -f /dev/null' \
		2>err 3>&- 8>&- 9>&- &
	HOLDER=$!
	HOLDERS+=("$HOLDER")
	signal_await go
	stuck=$(guard_of "$(guard_of "$HOLDER" | tr -d ' ')" | tr -d ' ')
	await is_nobody "$stuck"
	order refuse 1
	order away 1 closed
	await grep -q 'cannot be ended' err
	kill -KILL "$stuck"
	ended 122
}

is_nobody() { grep -q '^Uid:	65534' "/proc/$1/status"; }

# ---- memory -----------------------------------------------------------------

@test "holder and guard are the last to be killed for want of memory, not the work" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	local mine least pid
	mine=$(cat /proc/self/oom_score_adj) least=$mine
	# Not everywhere root may set that.
	! (echo -1000 >/proc/self/oom_score_adj) 2>/dev/null || least=-1000
	start_tree --ttl 3s --grace 1s
	await is_vital "$HOLDER"
	await is_vital "$GUARD"
	# All of the work, guard excepted.
	for pid in $(pgrep -P "$GUARD"); do
		[ "$(cat "/proc/$pid/oom_score_adj")" = "$mine" ]
		grep -q '^VmLck:	 *0 kB$' "/proc/$pid/status"
	done
	[ -n "$pid" ]
	kill -KILL "$HOLDER"
	ended 137
	await is_over
}

is_vital() # PID
{
	[ "$(cat "/proc/$1/oom_score_adj")" = "$least" ] &&
		! grep -q '^VmLck:	 *0 kB$' "/proc/$1/status"
}

# ---- clocks -----------------------------------------------------------------

@test "a clock that is stepped back and forth does not matter" {
	command -v cc >/dev/null || skip "no compiler for the stepping clock"
	cat >step.c <<-'EOF'
	#define _GNU_SOURCE
	#include <sys/syscall.h>
	#include <sys/time.h>
	#include <time.h>
	#include <unistd.h>
	static time_t leap(void) { static int n; return n++ % 2 ? 86400 : -86400; }
	int clock_gettime(clockid_t id, struct timespec *ts)
	{
		int rc = (int)syscall(SYS_clock_gettime, id, ts);
		if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
			ts->tv_sec += leap();
		return rc;
	}
	time_t time(time_t *out)
	{
		struct timespec ts;
		clock_gettime(CLOCK_REALTIME, &ts);
		return out ? (*out = ts.tv_sec) : ts.tv_sec;
	}
	int gettimeofday(struct timeval *tv, void *tz)
	{
		struct timespec ts;
		(void)tz;
		clock_gettime(CLOCK_REALTIME, &ts);
		tv->tv_sec = ts.tv_sec;
		tv->tv_usec = ts.tv_nsec / 1000;
		return 0;
	}
	EOF
	cc -shared -fPIC -o step.so step.c
	LD_PRELOAD=$PWD/step.so command ringlock --version >/dev/null ||
		skip "this build takes no other clock"
	LD_PRELOAD=$PWD/step.so hold --ttl 3s --grace 1s a -- \
		sh -c 'unset LD_PRELOAD; echo >go; exec tail -f /dev/null'
	signal_await go
	sleep 3.5 # no event: that it goes on
	run -1 ringlock_ --try a -- true
	order deaf 1
	next_is_alone_at 2
	ended 122
}
