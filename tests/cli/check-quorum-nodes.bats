#!/usr/bin/env bats
# check-quorum, and what asks for a quorum, with three real nodes that crash,
# are cut off and are stopped.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2154 # quoted for another shell; bats' own names
load helpers

setup_file() { LEASE=2s patient_nodes 3; }
teardown_file()
{
	local file
	for file in "$NODES"/[0-9]/*.pid; do
		thaw "$(cut -d' ' -f1 "$file")" 2>/dev/null || :
	done
	stop_nodes
}

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	await_all
}

teardown()
{
	local node
	for node in 1 2 3; do
		daemons CONT $node
	done
	if [ -e "$NODES/is_cut" ]; then
		heal
	elif [ -e "$NODES/down" ]; then
		up_3
	fi
}

background()
{
	"$@" 3>&- &
	WAITER=$!
}

ended() # CODE
{
	local code=0
	wait "$WAITER" || code=$?
	[ "$code" = "$1" ] || {
		echo "ended with $code, expected $1"
		return 1
	}
}

pid_of() { cut -d' ' -f1 "$NODES/$1/$2.pid"; } # NODE DAEMON

daemons() # SIGNAL NODE
{
	local daemon
	for daemon in quorumd memberd ringd; do
		kill -"$1" "$(pid_of "$2" "$daemon")" 2>/dev/null || :
	done
}

# The whole cluster sees the whole cluster.
await_all()
{
	local node
	for node in 1 2 3; do
		on $node --wait quorate all settled -t 60s
	done
}

on() # NODE OPTION...: check-quorum there
{
	local node=$1
	shift
	check-quorum --rundir="$NODES/$node" "$@"
}

down_3()
{
	: >"$NODES/down"
	daemons KILL 3
	await are_gone 3
}

are_gone() # NODE
{
	local daemon
	for daemon in quorumd memberd ringd; do
		! grep -qs '^State:	[^ZX]' "/proc/$(pid_of "$1" "$daemon")/status" ||
			return 1
	done
}

up_3()
{
	rm -f "$NODES/down"
	ringkit sandbox --start=3 "$NODES" 3>&-
}

# Node 3 and the others do not hear each other any more; at most 30 s.
cut_off()
{
	: >"$NODES/is_cut"
	printf 'drop peer=1 for=30s\ndrop peer=2 for=30s\nquit\n' |
		nc -U "$NODES/3/ring.sock" >/dev/null
	printf 'drop peer=3 for=30s\nquit\n' | nc -U "$NODES/1/ring.sock" >/dev/null
	printf 'drop peer=3 for=30s\nquit\n' | nc -U "$NODES/2/ring.sock" >/dev/null
}

# The ring takes one that comes and goes back later and later; not so one that
# starts anew.
heal()
{
	local node
	rm -f "$NODES/is_cut"
	for node in 1 2; do
		printf 'drop peer=3 for=0\nquit\n' |
			nc -U "$NODES/$node/ring.sock" >/dev/null
	done
	down_3
	up_3
}

# For its memberd; its quorumd may be stopped.
alone_3()
{
	watch-membership --raw --now --rundir="$NODES/3" |
		grep -q '^ready .* members=3 '
}

inc_of() # NODE
{
	watch-membership --now | sed -n "s/^exists node=$1 .* inc=\([0-9]*\) .*/\1/p"
}

@test "one node of three is the coordinator, all are quorate" {
	local node yes=0
	for node in 1 2 3; do
		on $node quorate all 'members>=3' member:n$node settled
		[ "$(on $node -o quorate,votes,needed,members)" = "yes 3 2 1,2,3" ]
		on $node coordinator || continue
		yes=$((yes + 1))
	done
	[ $yes = 1 ]
	on 1 --why | head -n 1 | grep -q '^majority: yes: '
}

@test "-q costs under 10 ms also with real daemons" {
	! grep -qE "__[at]san_init" "$(command -v check-quorum)" ||
		skip "a sanitizer takes its time"
	takes_10_ms check-quorum -q
}

@test "a crash is lost, a new life restarted, also when both are missed" {
	check-quorum --wait lost:n3 'members>=2' -t 60s --ignore-child -- \
		sh -c 'kill -9 "$@"' x "$(pid_of 3 quorumd)" \
		"$(pid_of 3 memberd)" "$(pid_of 3 ringd)"
	: >"$NODES/down"
	check-quorum quorate '!all' '!member:n3' '!fenced:n3'
	[ "$(check-quorum -o votes,members)" = "2 1,2" ]
	check-quorum --wait restarted:n3 -t 60s -- \
		ringkit sandbox --start=3 "$NODES"
	rm "$NODES/down"
	check-quorum member:n3 '!lost:n3'
}

@test "fenced counts for the life that was lost, and not for the next" {
	local inc
	inc=$(inc_of 3)
	background check-quorum --wait fenced:n3 -t 60s
	down_3
	check-quorum --wait lost:n3 -t 60s
	printf 'fenced node=3 inc=%s by=1 method=test\nquit\n' "$inc" |
		nc -U "$RINGKIT_RUNDIR/member.sock" | grep '^ok'
	ended 0
	check-quorum fenced:n3 lost:n3
	on 2 --wait fenced:n3 -t 60s
	up_3
	check-quorum --wait member:n3 -t 60s
	run -1 check-quorum fenced:n3
	down_3
	check-quorum --wait lost:n3 -t 60s
	run -1 check-quorum fenced:n3
	# The old confirmation is refused by now.
	printf 'fenced node=3 inc=%s by=1\nquit\n' "$inc" |
		nc -U "$RINGKIT_RUNDIR/member.sock" | grep '^no code=stale'
	run -1 check-quorum fenced:n3
	up_3
}

@test "the side that is cut off says no and ends what it held" {
	mkfifo life
	background on 3 --hold -- sh -c \
		'exec >life; trap "" TERM; echo up; while :; do tail -f /dev/null; done'
	exec 7<life
	read -r up <&7
	[ "$up" = up ]
	cut_off
	ended 122
	timeout 60 cat <&7
	on 3 '!quorate' || on 3 --wait '!quorate' -t 60s
	[ "$(on 3 -o quorate,members || :)" = "no 3" ]
	run -1 on 3 -q coordinator
	on 1 --wait quorate '!all' -t 60s
	[ "$(on 1 -o quorate,members)" = "yes 1,2" ]
	run -2 on 3 --nagios
	heal
	on 3 --wait quorate all -t 60s
}

@test "a stopped ringd is unknown within the lease, and a held command ends" {
	mkfifo life
	background on 3 --hold -- sh -c 'exec >life; echo up; exec tail -f /dev/null'
	exec 7<life
	read -r up <&7
	freeze "$(pid_of 3 ringd)"
	ended 122
	timeout 60 cat <&7
	run -69 on 3 -q
	run -69 on 3 member:n1
	run -1 on 3 daemon
	thaw "$(pid_of 3 ringd)"
	on 3 --wait quorate -t 60s
}

@test "a stopped quorumd is 69 by the deadline, and yes is not its first word" {
	local start=${EPOCHREALTIME/./} code=69
	kill -STOP "$(pid_of 3 quorumd)"
	RINGKIT_TIMEOUT=400ms run -69 on 3 -q
	((${EPOCHREALTIME/./} - start < 4500000))
	run -69 on 3 -t 400ms lost:n1
	cut_off
	await alone_3
	kill -CONT "$(pid_of 3 quorumd)"
	# Cut off meanwhile: whatever it says first, it is not yes.
	on 3 -q && code=0 || code=$?
	[ $code = 69 ] || [ $code = 1 ]
	on 3 --wait '!quorate' -t 60s
}

@test "--watch prints the verdict, and what changes it" {
	command -v watch-membership >/dev/null || skip "no watch-membership"
	check-quorum --watch | head -n 1 | grep -E '^ready .* quorate=yes '
	background on 3 --watch -j >watched
	await test -s watched
	cut_off
	await grep -q '"event":"view".*"quorate":"no"' watched
	kill "$WAITER"
	ended 143
	jq -se 'all(.[]; .event == "ready" or .event == "view" or
		.event == "quorum")' watched
}

@test "msgsend --require-quorum sends here, and not where there is none" {
	msgsend --require-quorum check yes
	cut_off
	on 3 --wait '!quorate' -t 60s
	run -75 msgsend --rundir="$NODES/3" --require-quorum check no
	[[ $output = *"not quorate"* ]]
	on 1 --wait '!member:n3' quorate -t 60s
	msgsend --require-quorum check yes
	heal
	on 3 --wait quorate all -t 60s
	msgsend --rundir="$NODES/3" --require-quorum check yes
	freeze "$(pid_of 3 ringd)"
	on 3 --wait '!daemon' -t 60s
	RINGKIT_TIMEOUT=2s run -69 msgsend --rundir="$NODES/3" --require-quorum \
		check no
}
