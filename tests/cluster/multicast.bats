#!/usr/bin/env bats
# Three loaded ringds whose messages go to a group of the network: who does not
# hear it gets copies, no view changes, nothing is lost or doubled.
# shellcheck disable=SC2034,SC2154 # variables are shared

load ../cli/ringd_nodes
load load
load nodes

setup()
{
	local missing
	load trio
	[ -n "$nodes_is_apart" ] || skip "needs root, for network namespaces"
	for missing in nft setsid unshare nsenter ethtool; do
		command -v "$missing" >/dev/null || skip "needs $missing"
	done
	nodes_begin
	AS_NOBODY=()
	nodes_dir=$DIR
	{ nodes_up 3 && nodes_cut 1 2 && nodes_heal && nodes_second; } \
		2>nodes.err ||
		skip "no namespaces, or no nftables in bridges: $(head -n 1 nodes.err)"
	trio_count=3
}

teardown()
{
	trio_down
}

# group_config [LINE...]: multicast over links whose addresses are in the
# arrays named by LINKS; so patient that a busy machine alone makes no
# reformation.
group_config()
{
	local i link name
	another_key
	{
		printf '[cluster]\nname = trio\nkey_file = key\n'
		printf '[ring]\nrt_priority = 0\nlink1_priority = 1\n'
		printf 'transport = multicast\ntoken = 3s\n'
		printf '%s\n' 'heartbeat = 200ms' "$@"
		for i in 1 2 3; do
			printf '[node n%s]\nid = %s\n' "$i" "$i"
			link=0
			for name in ${LINKS:-nodes_addr}; do
				local -n addresses=$name
				echo "link$link = ${addresses[i]}"
				link=$((link + 1))
			done
		done
	} >ringkit.conf
}

# tells_of I PATTERN: a line of the status of node I matches, soon.
tells_of()
{
	local end=$((SECONDS + 60))
	until ask "$1" status | grep -q -- "$2"; do
		((SECONDS < end)) || {
			echo "node $1: no $2"
			ask "$1" status | grep -E 'kind=(link|local|ring)'
			return 1
		}
	done
}

# hears I LIST LINK HOW: nodes LIST get the messages of node I like that.
hears()
{
	local j
	for j in ${2//,/ }; do
		[ "$1" = "$j" ] || tells_of "$1" \
			"kind=link node=$j link=$3 .* mcast_out=$4 "
	done
}

all_hear() # LINK HOW
{
	local i
	for i in 1 2 3; do
		hears "$i" 1,2,3 "$1" "$2"
	done
}

ring_begins()
{
	local i end=$((SECONDS + 60))
	for i in 1 2 3; do
		trio_launch "$i" ringd
	done
	for i in 1 2 3; do
		until [ -S "run$i/ring.sock" ]; do
			((SECONDS < end))
		done
		tells_of "$i" 'kind=ring state=operational .* members=1,2,3 '
	done
	all_hear 0 group
	load_begins 150
}

# more I NAME WORDS: it counts a hundred more, soon.
more()
{
	local end=$((SECONDS + 60)) before
	before=$(stat_of "$@")
	until [ "$(stat_of "$@")" -gt $((before + 100)) ]; do
		((SECONDS < end)) || {
			echo "node $1 does not count on: $2 $3"
			return 1
		}
	done
}

sends_to_group() # I LINK
{
	more "$1" mcast_sent_packets "link=$2 "
}

@test "one does not hear the group, then nobody does, then all again" {
	group_config 'link0_mcast = 239.77.0.9:5499' 'link0_ttl = 3'
	ring_begins
	tells_of 2 'kind=local link=0 .* group=239.77.0.9:5499 joined=yes'
	sends_to_group 1 0
	load_undisturbed

	nodes_deaf 3
	hears 1 3 0 copies
	hears 2 3 0 copies
	hears 1 2 0 group
	hears 3 1,2 0 group
	"$RINGKIT_BIN/ringkit" status --rundir run1 >told || :
	grep '^link   node 3 .*does not hear the group' told
	grep '^local  .* group 239.77.0.9:5499' told
	sends_to_group 3 0
	load_undisturbed

	nodes_heal
	nodes_deaf 1,2,3
	all_hear 0 copies
	load_undisturbed

	nodes_heal
	all_hear 0 group
	sends_to_group 1 0
	load_undisturbed
	load_ends
	grep -q '^group-unheard node=3 link=0 ' log1.ringd
}

@test "a datagram of a group that comes twice is taken once" {
	group_config
	ring_begins
	nodes_echo 1 3 2>echo.err ||
		skip "no dup in nftables: $(head -n 1 echo.err)"
	more 3 net_refused reason=replay
	load_undisturbed
	load_ends
}

@test "the group goes with the link: cut, without carrier, without address" {
	local bridge
	bridge=$(nodes_netns bridge)
	LINKS='nodes_addr nodes_addr2' group_config
	ring_begins
	nodes_cut 1,2,3 1,2,3
	tells_of 1 'kind=link node=2 link=1 .* active=yes .* mcast_out=group '
	sends_to_group 1 1
	nodes_heal
	tells_of 1 'kind=link node=2 link=0 .* active=yes .* mcast_out=group '
	load_undisturbed

	ip -n "$bridge" link set p3 down
	tells_of 3 'kind=local link=0 .* state=no-carrier .* joined=no'
	hears 1 3 0 copies
	ip -n "$bridge" link set p3 up
	tells_of 3 'kind=local link=0 .* joined=yes'
	all_hear 0 group
	load_undisturbed

	ip -n "$(nodes_netns 3)" addr del "${nodes_addr[3]}/24" dev eth0
	tells_of 3 'kind=local link=0 .* state=no-address .* joined=no'
	hears 1 3 0 copies
	ip -n "$(nodes_netns 3)" addr add "${nodes_addr[3]}/24" brd + dev eth0
	tells_of 3 'kind=local link=0 .* joined=yes'
	all_hear 0 group
	sends_to_group 3 0
	load_undisturbed
	load_ends
}

@test "groups of IPv6" {
	nodes_v6 2>v6.err || skip "no IPv6: $(head -n 1 v6.err)"
	LINKS=nodes_addr6 group_config
	ring_begins
	tells_of 1 'kind=local link=0 .* group=\[ff15::[^ ]*\]:5410 joined=yes'
	sends_to_group 1 0
	nodes_deaf 2
	hears 1 2 0 copies
	hears 3 2 0 copies
	load_undisturbed
	nodes_heal
	all_hear 0 group
	load_undisturbed
	load_ends
}

# A ring where one node, or a whole cluster on its way there, has no groups.
@test "a node without multicast in a ring of others" {
	group_config
	sed 's/^transport = .*/transport = unicast/' ringkit.conf >unicast.conf
	mv ringkit.conf multicast.conf
	cp unicast.conf ringkit.conf
	trio_launch 2 ringd
	appears log2.ringd started
	cp multicast.conf ringkit.conf
	trio_launch 1 ringd
	trio_launch 3 ringd
	appears log1.ringd 'view-installed .* members=1,2,3 '
	hears 1 3 0 group
	hears 3 1 0 group
	hears 1 2 0 copies
	load_begins 150
	appears rec3.1 'msg .* node=2 '
	load_undisturbed
	load_ends
}
