#!/usr/bin/env bats
# Three loaded ringds with two links, one of which is cut, made deaf in one
# direction, lossy, flapping, or without carrier: no view changes, nothing is
# lost or doubled, and messages take the other one.
# shellcheck disable=SC2034,SC2154 # variables are shared

load ../cli/ringd_nodes
load load
load nodes

setup()
{
	load trio
	nodes_need ethtool
	nodes_begin
	AS_NOBODY=()
	nodes_dir=$DIR
	{ nodes_up 3 && nodes_cut 1 2 && nodes_heal && nodes_second; } \
		2>nodes.err ||
		skip "no namespaces, or no nftables in bridges: $(head -n 1 nodes.err)"
	trio_count=3
	# So patient that a busy machine alone makes no reformation.
	links_config 'token = 3s' 'heartbeat = 200ms' "$@"
}

teardown()
{
	trio_down
}

# links_config LINE...: with two links, or LINKS=1.
links_config()
{
	local i second
	another_key
	{
		printf '[cluster]\nname = trio\nkey_file = key\n'
		printf '[ring]\nrt_priority = 0\nlink1_priority = 1\n'
		printf '%s\n' "$@"
		for i in 1 2 3; do
			second="link1 = ${nodes_addr2[i]}"
			[ "${LINKS:-2}" = 2 ] || second=
			printf '[node n%s]\nid = %s\nlink0 = %s\n%s\n' \
				"$i" "$i" "${nodes_addr[i]}" "$second"
		done
	} >ringkit.conf
}

# takes I PEER LINK: messages from I to PEER take that link alone.
takes()
{
	nodes_tells "$1" "kind=link node=$2 link=$3 .* active=yes "
	nodes_tells "$1" "kind=link node=$2 link=$((1 - $3)) .* active=no "
}

all_take() # LINK
{
	local i j
	for i in 1 2 3; do
		for j in 1 2 3; do
			[ "$i" = "$j" ] || takes "$i" "$j" "$1"
		done
	done
}

ring_begins()
{
	local i
	for i in 1 2 3; do
		trio_launch "$i" ringd
	done
	for i in 1 2 3; do
		first_started "$i"
	done
	for i in 1 2 3; do
		nodes_tells "$i" 'kind=ring state=operational .* members=1,2,3 '
	done
	[ "${LINKS:-2}" = 1 ] || all_take 0
	load_begins 150
}

# Its socket may not be there at once.
first_started() # I
{
	local end=$((SECONDS + 60))
	until [ -S "run$1/ring.sock" ]; do
		((SECONDS < end))
	done
}

@test "a link that is cut, deaf in one direction, or without carrier" {
	ring_begins
	nodes_cut 1,2,3 1,2,3
	all_take 1
	nodes_tells 1 'kind=link node=2 link=0 .* state=down '
	nodes_heal
	all_take 0
	load_undisturbed

	nodes_cut 1 2
	takes 1 2 1
	takes 2 1 1
	takes 1 3 0
	takes 3 2 0
	nodes_heal
	all_take 0
	load_undisturbed

	ip -n "$(nodes_netns bridge)" link set p3 down
	nodes_tells 3 'kind=link node=1 link=0 .* state=unusable '
	takes 3 1 1
	takes 1 3 1
	takes 1 2 0
	ip -n "$(nodes_netns bridge)" link set p3 up
	all_take 0
	load_undisturbed
	load_ends
}

@test "a link that loses a third, and one that flaps" {
	local i
	ring_begins
	nodes_loss 30
	all_take 1
	load_undisturbed
	nodes_loss 0
	all_take 0
	for ((i = 0; i < 5; i++)); do
		nodes_cut 1,2,3 1,2,3
		sleep 0.5 # no event: it is to be cut so long
		nodes_heal
		sleep 0.5 # no event: and to work so long
	done
	load_undisturbed
	load_ends
}

# stays LINK SECONDS: in that time DATA of nobody takes another one.
stays()
{
	local i lines=()
	for i in 1 2 3; do
		lines[i]=$(wc -l <"log$i.ringd")
	done
	sleep "$2" # no event: none is to come
	for i in 1 2 3; do
		! tail -n "+$((lines[i] + 1))" "log$i.ringd" |
			grep '^link-data ' || return
	done
	all_take "$1"
}

@test "a link on which everything is late, by up to 200 ms" {
	ring_begins
	nodes_wire 200
	all_take 1
	stays 1 5
	load_undisturbed
	nodes_unwire >carried
	cat carried
	all_take 0
	load_undisturbed
	load_ends
}

# passes I BYTES: such datagrams, and no longer ones, get through to the others.
passes()
{
	local j
	for j in 1 2 3; do
		[ "$1" = "$j" ] || nodes_tells "$1" "kind=link node=$j .* mtu=$2 "
	done
}

@test "an only link through which long datagrams no longer get" {
	local i last
	LINKS=1 links_config 'token = 3s' 'heartbeat = 100ms'
	LINKS=1 ring_begins
	for i in 1 2 3; do
		passes "$i" 1448
	done
	nodes_narrow 1300
	for i in 1 2 3; do
		passes "$i" 1232
		nodes_tells "$i" 'kind=ring .* frame_bytes=1184 '
	done
	# What is said now arrives: in frames that fit, or in pieces.
	"$RINGKIT_BUILD/tests/cli/publisher" -n 50 -w 8 -x 20000 -e run1 late \
		late 3>&- | grep -x '50 sent, 50 accepted'
	nodes_heal
	for i in 1 2 3; do
		passes "$i" 1448
		nodes_tells "$i" 'kind=ring .* frame_bytes=1400 '
	done
	load_undisturbed
	load_ends --accepted 1=late.accepted
}

@test "a node behind a black hole joins" {
	local i
	LINKS=1 links_config 'token = 3s' 'heartbeat = 100ms'
	for i in 1 2; do
		trio_launch "$i" ringd
	done
	for i in 1 2; do
		first_started "$i"
	done
	nodes_tells 1 'kind=ring state=operational .* members=1,2 '
	nodes_tells 1 'kind=ring .* frame_bytes=1400 '
	nodes_narrow 1300 3
	trio_launch 3 ringd
	first_started 3
	for i in 1 2 3; do
		nodes_tells "$i" 'kind=ring state=operational .* members=1,2,3 '
		nodes_tells "$i" 'kind=ring .* frame_bytes=1184 '
	done
	nodes_tells 1 "kind=link node=2 .* mtu=1448 "
	nodes_tells 1 "kind=link node=3 .* mtu=1232 "
	load_begins 150
	load_ends
}

# counts_more I NAME N: a counter of node I has grown by so much.
counts_more()
{
	local from now end=$((SECONDS + 60))
	from=$(stat_of "$1" "$2")
	until now=$(stat_of "$1" "$2") && ((now >= from + $3)); do
		((SECONDS < end)) || {
			echo "node $1: $2 $from, then $now"
			return 1
		}
	done
}

nobody_is_gone()
{
	! grep -h '^peer-gone ' log?.ringd
}

# So patient that nobody is missed meanwhile.
@test "what a firewall of one's own refuses proves nobody's death" {
	LINKS=1 links_config 'token = 30s' 'dead_after = 30s'
	LINKS=1 ring_begins
	nodes_refuse 3 1
	counts_more 3 udp_errors 30
	nodes_heal
	load_undisturbed
	load_ends
	nobody_is_gone
}
