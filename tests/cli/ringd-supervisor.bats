#!/usr/bin/env bats
# The supervisor of ringd: what it tells of a death, whom it starts again, what
# it keeps, and that neither of the two goes on without the other.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

bats_require_minimum_version 1.5.0
load ringd_nodes

setup()
{
	nodes_begin
}

teardown()
{
	nodes_end
}

three()
{
	config 3 "$@"
	start 1 2 3
	together 1,2,3
}

# another_life I OLD_INC: node I answers, with a later incarnation.  The one
# that was killed may just have taken the first question along.
another_life()
{
	local now end=$((SECONDS + 60))
	until now=$(inc_of "$1") && [ "${now:-0}" -gt "$2" ]; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05 # no event: it is asked, not told
	done
}

inc_of()
{
	ask "$1" status | grep 'local=yes' | word inc
}

ring_pid()
{
	ask "$1" status | grep 'kind=process' | word pid
}

@test "a ring that is killed is told of at once, and comes back by itself" {
	three '[ring]' token=3s heartbeat=200ms # slow to find out
	local inc
	inc=$(inc_of 3)
	subscribed 1 seen views
	crash 3
	# Another survivor may have told first what follows from it.
	appears seen 'phase=transitional .* left=3:(proof|connectivity) '
	appears seen 'phase=regular members=1,2 '
	appears log1 "^peer-died node=3 incarnation=$inc by=signal number=9 "
	appears log2 "^peer-died node=3 incarnation=$inc by=signal number=9 "
	appears log3 "^died inc=$inc by=signal number=9 restart_ms=100 "
	together 1,2,3
	another_life 3 "$inc"
	[ "$(ask 3 status | grep kind=process | word supervisor)" = "${PID[3]}" ]
}

@test "a ring that hangs is killed, told of, and started again" {
	three
	local inc
	inc=$(inc_of 2)
	kill -STOP "$(ring_pid 2)"
	appears log2 "^hangs inc=$inc "
	appears log1 "^peer-died node=2 incarnation=$inc by=hang number=9 "
	together 1,2,3
	another_life 2 "$inc"
}

@test "a ring that is idle does not hang" {
	config 1
	start 1
	local pid
	pid=$(ring_pid 1)
	sleep 4 # no event: nothing is to happen
	[ "$(ring_pid 1)" = "$pid" ]
	run ! grep -E '^(hangs|died)' log1
}

@test "the socket stays: who connects between two lives waits for the next" {
	config 1
	start 1
	local inc
	inc=$(inc_of 1)
	crash 1
	# At once, whichever life it meets; never refused, never without answer.
	for _ in 1 2 3 4 5; do
		printf 'ping\nquit\n' | timeout 60 nc -U run1/ring.sock >said
		[ ! -s said ] || grep -x ok said
	done
	another_life 1 "$inc"
	[ "$(grep -c '^started ' log1)" = 2 ]
}

@test "kill -9 of the supervisor ends both, and a new one starts" {
	three
	local ring
	ring=$(ring_pid 3)
	slay 3
	start 3 # which waits for the dead one's sockets
	[ "$(ring_pid 3)" != "$ring" ]
	together 1,2,3
	run ! grep -qs '^State:.[^ZX]' "/proc/$ring/status"
}

@test "supervisor and ring killed: the closed port tells it" {
	local i
	three '[ring]' token=1s
	# It may be missed before its port is asked for, but not always.
	for i in 1 2 3 4 5; do
		: >log1
		slay 3
		appears log1 'view-installed .* members=1,2 '
		! grep '^peer-gone node=3 ' log1 || break
		[ "$i" != 5 ]
		start 3
		together 1,2,3
	done
	start 3
	together 1,2,3
	run ! grep -q '^peer-died' log1
}

@test "each death in a row is waited for longer" {
	config 1
	start 1
	local inc
	for _ in 1 2 3; do
		inc=$(inc_of 1)
		crash 1
		another_life 1 "$inc"
	done
	grep '^died ' log1 | word restart_ms | tr '\n' ' ' |
		grep -x '100 200 400 '
}

@test "asked to end, it leaves the ring, and tells no death" {
	three
	subscribed 1 seen views
	leave 3
	appears seen 'left=3:leave reason=leave'
	# As a service manager does that signals all of them, and a terminal.
	kill -TERM "$(ring_pid 2)" "${PID[2]}"
	ends 2 0
	appears seen 'left=2:leave reason=leave'
	[ ! -e run2/ring.sock ]
	run ! grep -q '^peer-died' log1
	leave 1
}

@test "asked to end between two lives, it ends" {
	config 1
	start 1
	local inc
	for _ in 1 2 3 4; do # until the delay is long enough
		inc=$(inc_of 1)
		crash 1
		another_life 1 "$inc"
	done
	crash 1
	appears log1 'restart_ms=1600'
	kill -TERM "${PID[1]}"
	ends 1 0
	[ "$(grep -c '^started ' log1)" = 5 ]
	[ ! -e run1/ring.sock ]
}

@test "signals for the ring reach it" {
	config 1
	start 1
	kill -USR1 "${PID[1]}"
	appears log1 '^dump kind=ring'
	kill -HUP "${PID[1]}"
	appears log1 '^reload-result outcome=committed '
}

@test "what makes a start impossible ends both, with the reason's code" {
	config 1
	folders 1
	chmod 555 state1
	local code=0
	launch 1
	wait "${PID[1]}" || code=$?
	[ "$code" = 73 ]
	[ ! -e run1/ring.sock ]
	run ! grep -q '^died' log1
}

@test "what hinders a birth is waited for" {
	config 1
	start 1
	local inc
	inc=$(inc_of 1)
	chmod 555 state1
	crash 1
	appears log1 '^died inc=0 by=exit number=73 restart_ms=[24]00'
	chmod 755 state1
	another_life 1 "$inc"
	kill -TERM "${PID[1]}"
	ends 1 0
}

@test "started with SIGCHLD ignored, it hears of a death all the same" {
	env --ignore-signal=CHLD true 2>/dev/null ||
		skip "needs env --ignore-signal"
	config 1
	# shellcheck disable=SC2016 # it is for the script
	printf '#!/bin/sh\nexec env --ignore-signal=CHLD %s "$@"\n' "$RINGD" \
		>deaf
	chmod 755 deaf
	RINGD=$DIR/deaf
	start 1
	local inc
	inc=$(inc_of 1)
	crash 1
	another_life 1 "$inc"
	appears log1 "^died inc=$inc by=signal number=9 "
	kill -TERM "${PID[1]}"
	ends 1 0
}

@test "--no-supervisor: one process, that stays dead" {
	config 2
	start 1
	mkfifo ready
	launch 2 --no-supervisor --ready-fd 8 8<>ready
	together 1,2
	[ "$(ring_pid 2)" = "${PID[2]}" ]
	[ "$(ask 2 status | grep kind=process | word supervisor)" = 0 ]
	kill -KILL "${PID[2]}"
	ends 2 137
	together 1
	run ! grep -q '^peer-died' log1
}

@test "a service manager is told once, by the process that it started" {
	config 1
	folders 1
	background nc -klUu notify >told
	until [ -S notify ]; do sleep 0.01; done # no event: nc's
	[ ${#AS_NOBODY[@]} = 0 ] || chown "$NOBODY:$NOBODY" notify
	NOTIFY_SOCKET=$DIR/notify start 1
	appears told '^READY=1'
	crash 1
	appears log1 '^died '
	await 1 'state=operational' 60 status
	[ "$(grep -c READY told)" = 1 ]
}
