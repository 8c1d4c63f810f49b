#!/usr/bin/env bats
# Clients that do what no client should: neither the ring nor the others may
# notice.  A witness listens, lossless, at node 1 while it happens; a publisher
# goes on at node 2.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

load ringd_nodes

setup()
{
	nodes_begin
	aids=$RINGKIT_BUILD/tests/cli
	# So patient that a busy machine alone makes no reformation.
	config 2 '[ring]' token=3s heartbeat=200ms
	start 1 2
	together 1,2
	background "$aids/recorder" -l -g 'seen/**' -e seen/end run1 witness \
		>witness.ready
	witness=$!
	appears witness.ready ready
	# What floods the others is no load of the witness, who is no test of
	# the machine.
	background "$aids/publisher" -g seen -r 200 -x 3000 run2 p2 p2 >p2.count
	publisher=$!
	gathers=$(stat_of 1 ring_gathers)
}

teardown()
{
	nodes_end
}

# unnoticed: what the witness and the publisher say of it.
unnoticed()
{
	ask 1 ping | grep -x ok
	[ "$(stat_of 1 ring_gathers)" = "$gathers" ]
	kill -TERM "$publisher"
	wait "$publisher"
	ask 2 'pub group=seen/end data=end' | grep '^ok pos='
	wait "$witness"
	[ ! -e witness.2 ] # it had one connection all the time
	grep -a '^ev . gap' witness.1 && return 1
	grep -ao '^p2\.[0-9]*' witness.1 | sort -u | wc -l |
		grep -x "$(sed 's/ sent.*//' p2.count)"
	# Nothing that anybody asks holds up the others.
	[ "$(stat_of 1 loop_busy_ns_max)" -lt 10000000000 ]
}

# hold NAME: a connection to node 1; >&$held writes to it, NAME has what
# comes.
hold()
{
	mkfifo "$1.in"
	exec {held}<>"$1.in"
	background nc -U run1/ring.sock <&"$held" >"$1"
	holder=$!
	appears "$1" '^ringkit ' >/dev/null
}

# megabytes COUNT: so many messages of 1 MiB, sent at node 2.
megabytes()
{
	"$aids/publisher" -e -n "$1" -r 100000 -x 1048576 run2 m"$1" m"$1" \
		3>&- | grep -x "$1 sent, $1 accepted"
}

@test "a reader that is slow gets a gap, and what comes after it" {
	subscribed 1 slow 'listen group=load/**' 'listen group=after'
	local slow=${PIDS[-1]}
	kill -STOP "$slow"
	megabytes 16
	[ "$(ask 1 status | word lost | sort -n | tail -n 1)" -gt 0 ]
	kill -CONT "$slow"
	appears slow '^ev 1 gap lost=[1-9]'
	ask 2 'pub group=after data=again' | grep '^ok'
	appears slow '^again$'
	unnoticed
}

@test "a lossless reader that is slow is closed with a reason" {
	subscribed 1 slow 'listen group=load/** lossless=yes'
	local slow=${PIDS[-1]}
	kill -STOP "$slow"
	megabytes 16
	kill -CONT "$slow"
	appears slow '^err code=slow n=75'
	wait "$slow"
	unnoticed
}

@test "a reader that died leaves nothing" {
	subscribed 1 dead 'listen'
	kill -STOP "${PIDS[-1]}"
	megabytes 6
	kill -KILL "${PIDS[-1]}"
	until [ "$(ask 1 status | grep -c kind=client)" = 2 ]; do
		sleep 0.05 # no event: of a client's death
	done
	unnoticed
}

@test "half a line, and later the other half" {
	hold half
	printf '#x pub group=half da' >&"$held"
	ask 1 'pub group=half data=whole' | grep '^ok'
	printf 'ta=later\n' >&"$held"
	appears half '^#x ok pos='
	unnoticed
}

@test "half a message each from five clients: others get their turn" {
	local i
	for i in 1 2 3 4 5; do
		hold "half$i"
		printf 'pub group=half len=1000000\nonly this' >&"$held"
	done
	"$aids/publisher" -e -n 4 -r 1000 -x 1048576 run1 own own 3>&- |
		grep -x '4 sent, 4 accepted'
	grep -l '^err code=slow n=75' half?
	unnoticed
}

@test "a line of a million bytes" {
	head -c 1000000 /dev/zero | tr '\0' a |
		timeout 60 nc -N -U run1/ring.sock >said || :
	grep '^err code=toolong n=65' said
	# as a value, too
	{
		printf 'pub group=g data='
		head -c 1000000 /dev/zero | tr '\0' a
		echo
	} | timeout 60 nc -N -U run1/ring.sock >said || :
	grep '^err code=toolong n=65' said
	unnoticed
}

@test "more data than a message may have, or less than was said" {
	printf 'pub group=g len=99999999999\n' |
		timeout 60 nc -U run1/ring.sock | grep '^err code=toolong n=65'
	printf 'pub group=g len=3\nabcdef\nping\n' |
		timeout 60 nc -U run1/ring.sock >said
	tail -n 1 said | grep '^err code=usage n=64'
	unnoticed
}

@test "binary noise" {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		head -c 200000 /dev/urandom |
			timeout 60 nc -N -U run1/ring.sock >"said$i" || :
	done
	grep -a '^err code=\(usage\|unknown\|toolong\)' said1
	# lines of noise, that are not too long
	head -c 300000 /dev/urandom | tr '\0-\037' '\n' |
		timeout 60 nc -N -U run1/ring.sock >said || :
	[ "$(grep -ac '^err code=' said)" -gt 1000 ]
	unnoticed
}

@test "requests whose answers nobody reads" {
	hold deaf
	kill -STOP "$holder"
	yes stats | head -n 20000 >requests
	timeout 2 nc -U run1/ring.sock <requests >/dev/null 2>&1 &
	(cat requests >&"$held") 3>&- &
	PIDS+=($!)
	ask 1 status | grep 'kind=ring'
	megabytes 4
	[ "$(stat_of 1 queued_bytes)" -lt $((8 << 20)) ]
	unnoticed
}

@test "more clients than there is room for" {
	local i
	mkfifo open
	exec {held}<>open
	for ((i = 0; i < 70; i++)); do
		background nc -U run1/ring.sock >"said$i" <&"$held"
	done
	until [ "$(cat said* | wc -l)" -ge 70 ]; do
		sleep 0.05 # no event: each is told something
	done
	# 64 with the witness
	[ "$(cat said* | grep -c '^ringkit ')" = 63 ]
	[ "$(cat said* | grep -c '^err code=busy n=75')" = 7 ]
	for ((i = 0; i < 70; i++)); do
		kill "${PIDS[-1 - i]}" 2>/dev/null || :
	done
	until ask 1 ping | grep -x ok; do
		sleep 0.05 # no event: of there being room
	done
	unnoticed
}

@test "clients that come and go" {
	local i
	for ((i = 0; i < 150; i++)); do
		nc -N -U run1/ring.sock </dev/null >/dev/null 3>&- &
		[ $((i % 30)) != 29 ] || wait $!
	done
	unnoticed
}
