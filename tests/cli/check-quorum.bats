#!/usr/bin/env bats
# check-quorum against a quorumd that says what the test wants.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2154 # quoted for another shell; bats' own names
load helpers
load quorumfake

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	fake_start
}
teardown() { fake_stop; }

# background COMMAND...: without the descriptors of the test; $WAITER.
background()
{
	"$@" 3>&- 8>&- 9<&- &
	WAITER=$!
}

# ended CODE: waits for $WAITER, which ends so.
ended()
{
	local code=0
	wait "$WAITER" || code=$?
	[ "$code" = "$1" ] || {
		echo "ended with $code, expected $1"
		return 1
	}
}

# A FIFO that is open for reading as long as a process holds it.
life_begin() { mkfifo life; }
life_over() { timeout 60 cat life; }

# ---- asking once ------------------------------------------------------------

@test "help goes to stdout and ends with 0, a wrong call to stderr with 64" {
	run --separate-stderr -0 check-quorum --help
	[[ $output == "usage: check-quorum [OPTION"* ]]
	[ -z "$stderr" ]
	run -0 check-quorum --version
	[[ $output == "check-quorum (ringkit) "*" proto=1 fmt=1" ]]
	local args
	for args in --nonsense nonsense member member: 'members\>=x' \
		"-o nonsense" "-o quorate," "-j --nagios" "-o view --why" \
		"--for 1s" "--wait --hold" "--wait -j" "-- true" "--wait --" \
		"-t x" "--hold --ignore-child -- true" "--ignore-child --wait" \
		"--wait --fresh 1ms" "restarted:beta" "--nagios all"; do
		eval "run --separate-stderr -64 check-quorum $args"
		[ -z "$output" ]
		[[ $stderr == "check-quorum: "* ]]
		# Also with -q.
		eval "run --separate-stderr -64 check-quorum -q $args"
		[ -n "$stderr" ]
	done
}

@test "the summary is for people, -q prints nothing, conditions neither" {
	run --separate-stderr -0 check-quorum
	[ "$output" = 'quorate  3/3 votes, 2 needed  by majority
view 1.7  members 1,2,3  coordinator 1  this is 1 (alpha)' ]
	run -0 check-quorum -q
	[ -z "$output" ]
	run -0 check-quorum quorate
	[ -z "$output" ]
	fake_lose_quorum
	run --separate-stderr -1 check-quorum
	[ "$output" = 'not quorate  1/3 votes, 2 needed: missing: beta and gamma
view 1.8  members 1  coordinator 1  this is 1 (alpha)' ]
	run -1 check-quorum quorate
	[ -z "$output" ]
	fake answer 'ok quorate=unknown why=no\0040tick'
	run --separate-stderr -69 check-quorum
	[ "$output" = 'unknown: no tick' ]
	[ "$stderr" = 'check-quorum: quorate: unknown: no tick' ]
	run -69 check-quorum -q
	[ -z "$output" ]
}

@test "-j prints an object, -o the fields, one word each" {
	check-quorum -j | jq -e '.v == 1 and .event == "quorum" and
		.quorate == "yes" and .votes == 3 and .needed == 2 and
		.expected == 3 and .members == [1,2,3] and .self == 1 and
		.coordinator == 1 and .age_ms == 41 and .view == "1.7" and
		.why == "more than half"'
	run -0 check-quorum -o quorate,votes
	[ "$output" = "yes 3" ]
	# Also what is empty, or holds blanks, is one word.
	run -0 check-quorum -o waiting_for,why,members,name
	[ "$output" = '- more\0040than\0040half 1,2,3 alpha' ]
	fake_lose_quorum
	run -64 check-quorum -o quorate,colour,votes
	[ "${lines[0]}" = "check-quorum: --fields: colour: no such field, expected some of quorate,votes,needed,expected,basis,view,pos,members,self,name,coordinator,settled,age_ms,waiting_for,why" ]
	run -1 check-quorum --fields=quorate,waiting_for
	[ "$output" = "no beta,gamma" ]
	check-quorum -j | jq -e '.waiting_for == ["beta","gamma"]' >/dev/null
	# A condition decides the exit code of either.
	run -0 check-quorum -o quorate '!quorate'
	[ "$output" = no ]
}

@test "conditions are judged, ! negates, several are all of them" {
	local cond
	for cond in quorate coordinator all settled daemon 'members>=3' \
		member:beta member:3 '!alone' '!lost:beta' '!fenced:2' \
		'!members>=4'; do
		check-quorum "$cond"
		case $cond in
		!*) run -1 check-quorum "${cond#!}" ;;
		*) run -1 check-quorum "!$cond" ;;
		esac
		[ -z "$output" ]
	done
	check-quorum quorate all member:beta
	run -1 check-quorum quorate alone
	# Options may stand between them.
	run -1 check-quorum quorate -q alone -t 60s
	run -1 check-quorum -v quorate alone
	[ "$output" = "check-quorum: alone: no" ]
}

@test "a node that is not there is 65, before anything is printed" {
	run --separate-stderr -65 check-quorum -j member:delta
	[ -z "$output" ]
	[ "$stderr" = "check-quorum: delta: no such node" ]
	run -65 check-quorum --wait -t 60s lost:4
	run -65 check-quorum --hold '!member:delta'
}

@test "no daemon is 69, and false only for the condition about it" {
	fake_stop
	run --separate-stderr -69 check-quorum
	[ -z "$output" ]
	[[ $stderr = "check-quorum: $PWD/quorum.sock: "* ]]
	run -69 check-quorum -q alone
	[ -z "$output" ]
	run -69 check-quorum --wait quorate
	run -69 check-quorum --hold
	run -69 check-quorum --hold -- true
	run -1 check-quorum daemon
	run -0 check-quorum '!daemon'
	run -1 check-quorum daemon quorate
	run -69 check-quorum '!daemon' quorate
}

@test "a daemon that is stopped is 69 by its deadline" {
	local start=$EPOCHREALTIME
	fake answer "ok quorate=yes $MEMBERS_ALL"
	kill -STOP "$FAKE"
	RINGKIT_TIMEOUT=300ms run -69 check-quorum -q
	RINGKIT_TIMEOUT=300ms run -69 check-quorum member:beta
	run -69 check-quorum -t 300ms
	RINGKIT_TIMEOUT=300ms run -69 check-quorum --wait -t 8s
	RINGKIT_TIMEOUT=300ms run -69 check-quorum --hold
	RINGKIT_TIMEOUT=300ms run -3 check-quorum --nagios
	((${EPOCHREALTIME/./} - ${start/./} < 40000000))
}

@test "a daemon that lacks another one is waited for, and 69 at once" {
	fake answer 'err code=away n=69 msg=memberd\0040is\0040not\0040there'
	run -69 check-quorum
	run -69 check-quorum quorate
	run -124 check-quorum --wait quorate -t 500ms
	check-quorum --wait quorate all -t 60s &
	WAITER=$!
	fake clients
	fake answer "ok quorate=yes $MEMBERS_ALL waiting_for= why=x"
	wait "$WAITER"
	check-quorum --hold -t 60s -- sh -c 'exit 7' || [ $? = 7 ]
}

@test "a daemon that answers, but with an error, is not a verdict" {
	fake answer 'err code=denied n=77 msg=no'
	run -77 check-quorum
	[ "$output" = "check-quorum: quorumd: no" ]
	fake answer 'no code=whatever'
	run -69 check-quorum -q
	fake answer 'ok nonsense=1'
	run -76 check-quorum -q
	fake answer 'ev'
	run -76 check-quorum -q
}

@test "what is older than --fresh is unknown, and printed so" {
	run -0 check-quorum --fresh 41ms -o quorate
	run --separate-stderr -69 check-quorum --fresh 40ms -o quorate
	[ "$output" = unknown ]
	[[ $stderr = *"too old"* ]]
	run -69 check-quorum -q --fresh 40ms 'members>=1'
	fake answer "ok quorate=yes ${MEMBERS_ALL/age_ms=41/age_ms=4100}"
	run -69 check-quorum --wait -t 0 -q
	run -124 check-quorum --wait -t 300ms -q
	run -0 check-quorum --wait --fresh 9s -t 0 -q
	run -3 check-quorum --nagios --fresh 1ms
	check-quorum -j --fresh 1ms 2>/dev/null |
		jq -e '.quorate == "unknown" and .basis == "none"'
}

@test "--why prints the rules, the one that decided first" {
	fake why 'rule=wait_for_all verdict=no text=waiting\0040for\0040gamma'
	fake why 'rule=majority verdict=yes text=2\0040of\00403'
	fake answer "ok quorate=no $MEMBERS_ALL"
	run -1 check-quorum --why
	[ "$output" = 'wait_for_all: no: waiting for gamma
majority: yes: 2 of 3' ]
	check-quorum --why -j >out || [ $? = 1 ]
	head -n 1 out | jq -e '.event == "why" and .rule == "wait_for_all" and
		.text == "waiting for gamma"'
}

@test "--nagios is one line and 0, 1, 2 or 3" {
	run -0 check-quorum --nagios
	[ "$output" = "QUORUM OK - quorate  3/3 votes, 2 needed, members 1,2,3 | votes=3;3:;2: members=3" ]
	fake answer "ok quorate=yes votes=2 needed=2 expected=3 members=1,2 self=1"
	run -1 check-quorum --nagios
	[[ $output = "QUORUM WARNING - "* ]]
	fake_lose_quorum
	run -2 check-quorum --nagios
	[[ $output = "QUORUM CRITICAL - not quorate"*", 2 needed, members 1: missing: beta and gamma |"* ]]
	fake answer 'ok quorate=unknown'
	run -3 check-quorum --nagios
	[[ $output = "QUORUM UNKNOWN - "* ]]
	fake_stop
	run -3 check-quorum --nagios
	[[ $output = "QUORUM UNKNOWN - "* ]]
}

@test "output that cannot be written is 74, or 141 when its reader is gone" {
	run -74 sh -c 'check-quorum >/dev/full'
	# The reader has gone by then.
	run -141 bash -c 'exec 5> >(:); wait $!; check-quorum >&5'
	[ -z "$output" ]
	# Its parent ignored the signal.
	run -141 bash -c 'trap "" PIPE; exec 5> >(:); wait $!; check-quorum >&5'
	[ -z "$output" ]
}

@test "bytes are the same without input, terminal, or the C locale" {
	check-quorum -j >with
	check-quorum -j <&- >without
	cmp with without
	check-quorum -j </dev/null | cmp with -
	LC_ALL=de_DE.UTF-8 LANG=tr_TR.UTF-8 TZ=Asia/Kolkata check-quorum -j |
		cmp with -
	check-quorum >with
	run ! grep -q $'\033' with
}

@test "-q costs under 10 ms" {
	! grep -qE "__[at]san_init" "$(command -v check-quorum)" ||
		skip "a sanitizer takes its time"
	takes_10_ms check-quorum -q
}

# ---- waiting ----------------------------------------------------------------

@test "--wait ends at once when it is so, and when it becomes so" {
	run -0 check-quorum --wait quorate all -t 60s
	fake_lose_quorum
	background check-quorum --wait quorate all -t 60s
	fake clients
	fake_gain_quorum
	ended 0
}

@test "--wait ends with 124 in time, -t 0 is a check" {
	run -124 check-quorum --wait alone -t 300ms
	[ "$output" = "check-quorum: alone: timed out" ]
	run -124 check-quorum --wait quorate --for 5s -t 300ms
	run -1 check-quorum --wait alone -t 0
	run -0 check-quorum --wait quorate -t 0
	run -1 check-quorum --wait quorate --for 1s -t 0
	fake answer 'ok quorate=unknown'
	run -69 check-quorum --wait quorate -t 0
	# Not to know is no reason to stop waiting.
	run -124 check-quorum --wait quorate -t 300ms
}

@test "--for starts anew at every break, however short" {
	local start=${EPOCHREALTIME/./}
	background check-quorum --wait quorate --for 700ms -t 60s
	fake clients
	sleep 0.5 # no event: time must pass
	# Both in one write: the daemon's loop may be that fast.
	fake ev "quorum quorate=no prev=yes votes=1 needed=2 expected=3 view=1.7"
	fake ev "quorum quorate=yes prev=no votes=3 needed=2 expected=3 view=1.7"
	ended 0
	((${EPOCHREALTIME/./} - start >= 1200000))
}

@test "--wait restarted counts from when it was armed" {
	background check-quorum --wait restarted:beta -t 60s -- \
		sh -c 'echo armed >armed'
	fake clients
	await test -s armed
	fake_lose_quorum
	fake_gain_quorum 5
	ended 0
	# The same incarnation was only cut off.
	background check-quorum --wait restarted:beta -t 700ms
	fake clients
	fake_lose_quorum
	fake_gain_quorum 4
	ended 124
}

@test "--wait fenced is of the incarnation that was lost" {
	background check-quorum --wait fenced:beta -t 60s
	fake clients
	fake_lose_quorum
	fake ev "fenced node=2 inc=3 by=1 method=manual"
	# Time for a wrong end, not less than it needs.
	run -124 check-quorum --wait daemon '!daemon' -t 300ms
	kill -0 "$WAITER"
	fake ev "fenced node=2 inc=4 by=1 method=manual"
	ended 0
}

@test "--wait ends with 69 when the daemon goes, unless it is waited for" {
	background check-quorum --wait alone -t 60s
	fake clients
	fake part
	ended 69
	background check-quorum --wait '!daemon' -t 60s
	fake clients
	fake_stop
	ended 0
	background check-quorum --wait daemon quorate -t 60s
	rm orders confirmed
	fake_start
	ended 0
}

@test "--wait starts its command when armed, and needs it to succeed" {
	run -125 check-quorum --wait alone -t 60s -- false
	[[ $output = *"false: ended with 1"* ]]
	run -125 check-quorum --wait alone -t 60s -- ./no-such-program
	run -124 check-quorum --wait alone -t 500ms --ignore-child -- false
	run -0 check-quorum --wait quorate -t 60s -- sh -c 'echo ran >ran'
	[ -s ran ]
	# It holds already: the command is waited for all the same.
	run -125 check-quorum --wait quorate -t 60s -- sh -c 'exit 3'
	run -124 check-quorum --wait quorate -t 500ms -- tail -f /dev/null
	run -0 check-quorum --wait quorate --ignore-child -- sh -c 'exit 3'
	# Options and -- of the command are its own.
	run -0 check-quorum --wait -- sh -c 'echo "$*" >args' x -t 1 -- --help
	[ "$(cat args)" = "-t 1 -- --help" ]
}

@test "--wait that succeeds lets go what its command left behind" {
	mkfifo go
	life_begin
	check-quorum --wait quorate -- \
		sh -c '(read x <go; echo "$x" >life) </dev/null &' 3>&- 8>&- 9<&-
	timeout 60 sh -c 'echo lives >go'
	[ "$(life_over)" = lives ]
}

@test "--ignore-child lets the command go on" {
	mkfifo go
	life_begin
	check-quorum --wait quorate --ignore-child -- \
		sh -c 'read x <go; echo "$x" >life' 3>&- 8>&- 9<&-
	timeout 60 sh -c 'echo lives >go'
	[ "$(life_over)" = lives ]
}

# ---- holding ----------------------------------------------------------------

# The datagrams of sd_notify, one a line.
notify_begin()
{
	nc -lkuU "$PWD/notify" >notified 2>/dev/null 3>&- 8>&- 9<&- &
	NOTIFIED=$!
	await test -S notify
	export NOTIFY_SOCKET=$PWD/notify
}

@test "--hold says READY when it is so, and ends with 1 when not" {
	notify_begin
	fake_lose_quorum
	background check-quorum --hold
	fake clients
	[ ! -s notified ]
	fake_gain_quorum
	await grep -q READY=1 notified
	fake_lose_quorum
	ended 1
	kill "$NOTIFIED"
}

@test "--hold ends with 69 when nothing is known any more" {
	notify_begin
	background check-quorum --hold
	await grep -q READY=1 notified
	fake ev "quorum quorate=unknown prev=yes reason=stale view=1.7"
	ended 69
	background check-quorum --hold
	fake clients
	twice() { [ "$(grep -c READY=1 notified)" = 2 ]; }
	await twice
	fake part
	ended 69
	kill "$NOTIFIED"
}

@test "--hold ends with 69 soon after its daemon was stopped" {
	local start
	notify_begin
	background check-quorum --hold --fresh 1s
	await grep -q READY=1 notified
	start=${EPOCHREALTIME/./}
	kill -STOP "$FAKE"
	ended 69
	((${EPOCHREALTIME/./} - start < 10000000))
	kill "$NOTIFIED"
}

@test "--hold that was stopped itself does not go on when it wakes" {
	notify_begin
	background check-quorum --hold --fresh 1s
	await grep -q READY=1 notified
	kill -STOP "$WAITER"
	sleep 1.5 # no event: its answer is to become too old
	kill -CONT "$WAITER"
	ended 69
	kill "$NOTIFIED"
}

@test "--hold waits at most -t for the beginning, and not longer than that" {
	fake_lose_quorum
	run -124 check-quorum --hold -t 300ms
	run -1 check-quorum --hold -t 0
	fake_gain_quorum
	life_begin
	background check-quorum --hold -t 2s -- sh -c 'echo a >life'
	kill -0 "$WAITER" # the command waits for a reader
	sleep 2.3 # no event: -t is to pass
	[ "$(life_over)" = a ]
	ended 0
}

@test "--hold runs a command while it is so and ends its whole tree, 122" {
	life_begin
	background check-quorum --hold quorate --kill-after 300ms -- sh -c '
		exec >life
		trap "" TERM INT HUP
		setsid sh -c "trap \"\" TERM; (tail -f /dev/null) & tail -f /dev/null" &
		echo up
		while :; do tail -f /dev/null; done'
	exec 7<life
	read -r up <&7
	[ "$up" = up ]
	fake_lose_quorum
	ended 122
	# Nobody is left who could write: the end comes at once.
	timeout 60 cat <&7
}

@test "--hold ends its command also when the daemon is stopped or gone" {
	local how
	for how in stop part; do
		rm -f life
		life_begin
		background check-quorum --hold --fresh 1s -- \
			sh -c 'exec >life; echo up; exec tail -f /dev/null'
		exec 7<life
		read -r up <&7
		[ "$how" = part ] || kill -STOP "$FAKE"
		[ "$how" = stop ] || fake part
		ended 122
		timeout 60 cat <&7
		kill -CONT "$FAKE"
	done
}

@test "--hold does not start its command before it has been so for long" {
	fake_lose_quorum
	background check-quorum --hold --for 300ms -- sh -c 'echo ran >ran'
	fake clients
	[ ! -e ran ]
	fake_gain_quorum
	fake ev "quorum quorate=no prev=yes view=1.9"
	[ ! -e ran ]
	fake ev "quorum quorate=yes prev=no view=1.9"
	ended 0
	[ -s ran ]
}

@test "--hold passes the exit code of its command on" {
	run -9 check-quorum --hold -- sh -c 'exit 9'
	run -127 check-quorum --hold -- ./no-such-program
	mkdir folder
	run -126 check-quorum --hold -- ./folder
	run -143 check-quorum --hold -- sh -c 'kill -TERM $$'
	# What the command leaves behind is ended with it.
	life_begin
	background check-quorum --hold -- sh -c '
		exec >life
		tail -f /dev/null &
		exit 3'
	timeout 60 cat life
	ended 3
}

@test "a signal ends the command first, and then check-quorum by it" {
	local sig
	for sig in TERM INT HUP QUIT; do
		rm -f life
		life_begin
		background env --default-signal="$sig" check-quorum --hold -- \
			sh -c 'exec >life; echo up; exec tail -f /dev/null'
		exec 7<life
		read -r up <&7
		kill -"$sig" "$WAITER"
		ended "$((128 + $(kill -l "$sig")))"
		timeout 60 cat <&7
	done
}

@test "the command does not outlive a check-quorum that is killed" {
	life_begin
	background check-quorum --hold -- \
		sh -c 'exec >life; setsid tail -f /dev/null & echo up
			exec tail -f /dev/null'
	exec 7<life
	read -r up <&7
	kill -KILL "$WAITER"
	ended 137
	timeout 60 cat <&7
}

@test "signals that mean nothing do no harm" {
	fake_lose_quorum
	background check-quorum --wait quorate -t 60s
	fake clients
	kill -WINCH "$WAITER"
	kill -CHLD "$WAITER"
	kill -STOP "$WAITER"
	kill -CONT "$WAITER"
	fake_gain_quorum
	ended 0
}
