#!/usr/bin/env bats
# A node loses its carrier or its address, and gets it back; or is started
# before it has one.  The kernel says so at once; nothing is bound elsewhere.
# shellcheck disable=SC2154 # variables are shared

load ../cli/ringd_nodes
load nodes

setup()
{
	load trio
}

teardown()
{
	trio_down
}

at() # I COMMAND...: in the namespace of node I
{
	local i=$1
	shift
	(nodes_exec "$i" "$@")
}

# since I: says looks at what is logged from now on.
since()
{
	SAID=$(wc -l <"log$1.ringd")
}

# says I STATE: since then ringd of node I has told this of its address, in
# its log and in its status.
says()
{
	: >input
	first_match "^local-address link=0 .*state=$2 " 60 \
		tail -n "+$((SAID + 1))" -F "log$1.ringd" >/dev/null || {
		cat "log$1.ringd"
		return 1
	}
	"$RINGKIT_BIN/ringkit" status --rundir "run$1" -l |
		grep "^local link=0 addr=${nodes_addr[$1]}:5410 state=$2 "
}

@test "the carrier goes and comes back" {
	trio_up 3 'heartbeat = 200ms'
	sees 1,2,3 1,2,3 yes
	SAID=0
	says 3 up
	mark
	since 3
	ip -n "$(nodes_netns bridge)" link set p3 down
	says 3 no-carrier
	sees 1,2 1,2 yes
	comes_to 3 3 no
	mark
	since 3
	ip -n "$(nodes_netns bridge)" link set p3 up
	sees 1,2,3 1,2,3 yes
	says 3 up
}

@test "the address goes and comes back" {
	trio_up 3 'heartbeat = 200ms'
	sees 1,2,3 1,2,3 yes
	mark
	since 3
	at 3 ip addr del "${nodes_addr[3]}/24" dev eth0
	says 3 no-address
	sees 1,2 1,2 yes
	comes_to 3 3 no
	# Its socket is where it was.
	at 3 ss -Hlnu "src ${nodes_addr[3]}:5410" >sockets
	grep -q "${nodes_addr[3]}:5410" sockets
	mark
	since 3
	at 3 ip addr add "${nodes_addr[3]}/24" brd + dev eth0
	sees 1,2,3 1,2,3 yes
	says 3 up
}

@test "a node that is started before its address is there" {
	trio_up 3 'heartbeat = 200ms'
	sees 1,2,3 1,2,3 yes
	stop_node 3
	sees 1,2 1,2 yes
	at 3 ip addr del "${nodes_addr[3]}/24" dev eth0
	since 3
	start_node 3
	says 3 no-address
	comes_to 3 3 no
	mark
	since 3
	at 3 ip addr add "${nodes_addr[3]}/24" brd + dev eth0
	sees 1,2,3 1,2,3 yes
	says 3 up
}
