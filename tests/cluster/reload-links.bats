#!/usr/bin/env bats
# Links are added, removed and moved while three loaded ringds run, each on a
# machine of its own with two networks.
# shellcheck disable=SC2004,SC2030,SC2031,SC2034,SC2154 # variables are shared

bats_require_minimum_version 1.5.0
load ../cli/ringd_nodes
load load
load nodes

setup()
{
	nodes_need
	nodes_begin
	AS_NOBODY=()
	nodes_dir=$DIR
	PATH=$RINGKIT_BIN:$PATH
	{ nodes_up 3 && nodes_cut 1 2 && nodes_heal && nodes_second; } \
		2>nodes.err ||
		skip "no namespaces, or no nftables in bridges: $(head -n 1 nodes.err)"
	# So patient that a busy machine alone makes no reformation.
	EXTRA=('[ring]' 'token = 3s' 'heartbeat = 200ms' 'rt_priority = 0'
		'link1_priority = 1')
	another_key
}

teardown()
{
	nodes_end
	local code=$?
	nodes_down >/dev/null 2>&1
	return "$code"
}

# first_links, second_links: the addresses of all nodes on two networks.
first_links() { FIRST=("" "${nodes_addr[@]:1}"); }
second_links() { SECOND=("" "${nodes_addr2[@]:1}"); }

# files I...: the file in ringkitI.conf gives the links in FIRST, and SECOND if
# there are any.
files()
{
	local i
	for i; do
		write >"ringkit$i.new"
		mv "ringkit$i.new" "ringkit$i.conf"
	done
}

write()
{
	local i
	printf '[cluster]\nname = test\nkey_file = key\n'
	printf '%s\n' "${EXTRA[@]}"
	for i in 1 2 3; do
		printf '[node n%s]\nid = %s\nlink0 = %s\n' "$i" "$i" \
			"${FIRST[i]}"
		[ -z "${SECOND[i]:-}" ] || echo "link1 = ${SECOND[i]}"
	done
}

begins()
{
	local i
	for i in 1 2 3; do
		mkdir -p "run$i" "state$i"
		nodes_exec "$i" "$RINGKIT_BIN/ringd" \
			--config "$DIR/ringkit$i.conf" --node "n$i" \
			--rundir "$DIR/run$i" --statedir "$DIR/state$i" \
			2>>"log$i" </dev/null 3>&- &
		PID[$i]=$!
	done
	for i in 1 2 3; do
		appears "log$i" '^started ' >/dev/null
	done
	together 1,2,3
}

reload() # I [OPTION...]
{
	local i=$1
	shift
	RINGKIT_TIMEOUT=60s ringkit reload --rundir="run$i" "$@"
}

# refused I TEXT: reload at node I changes nothing, for this reason.
refused()
{
	local before
	before=$(configs)
	run reload "$1"
	[ "$status" = 78 ] || {
		echo "ended with $status: $output"
		return 1
	}
	grep -e "$2" <<<"$output" || {
		echo "no $2 in $output"
		return 1
	}
	[ "$(configs)" = "$before" ]
}

configs()
{
	local i
	for i in 1 2 3; do
		ask "$i" status | grep 'kind=config ' | word digest
	done
}

# all_are LINK WORDS: the link between each two nodes is such.
all_are()
{
	local i j
	for i in 1 2 3; do
		for j in 1 2 3; do
			[ "$i" = "$j" ] ||
				nodes_tells "$i" "kind=link node=$j link=$1 .*$2"
		done
	done
}

# dies I: its ring does, node 1 is told, and it comes back.
dies()
{
	: >log1
	crash "$1"
	appears log1 "^peer-died node=$1 .* by=signal number=9" >/dev/null
	appears log1 "^view-installed .* members=1,2,3 " >/dev/null
	together 1,2,3
}

# settled COUNT I...: what was sent as links were before that many changes is
# taken no more.
settled()
{
	local i count=$1 end=$((SECONDS + 60))
	shift
	for i; do
		until [ "$(grep -c '^links-settled' "log$i")" = "$count" ]; do
			((SECONDS < end))
		done
	done
}

# cable2 I up|down: that of node I on the second network.
cable2()
{
	ip -n "$(nodes_netns bridge)" link set "q$1" "$2"
}

@test "a second link is added, carries all of the load, and goes again" {
	first_links
	SECOND=()
	files 1 2 3
	begins
	load_begins 300
	second_links
	files 1 2 3
	reload 1 -n -l >dry
	[ "$(grep -c '^reload change=try .* result=ok .*number' dry)" = 3 ]
	[ "$(ask 1 status | grep -c 'kind=link ')" = 2 ]
	reload 1
	all_are 1 'state=up active=no '
	[ "$(ask 1 status | grep -c 'kind=link ')" = 4 ]
	[ "$(ask 3 status | grep -c 'kind=local ')" = 2 ]
	load_undisturbed
	# It is the only one that works; and may not go then.
	nodes_cut 1,2,3 1,2,3
	all_are 1 'state=up active=yes '
	all_are 0 'state=down active=no '
	load_undisturbed
	SECOND=()
	files 1 2 3
	refused 2 'no link to n[13] that is up stays as it is'
	nodes_heal
	all_are 0 'state=up active=yes '
	reload 2
	[ "$(ask 3 status | grep -c 'kind=link ')" = 2 ]
	[ "$(ask 3 status | grep -c 'kind=local ')" = 1 ]
	load_undisturbed
	# And once more: its socket is still there.
	second_links
	files 1 2 3
	reload 3
	all_are 1 'state=up active=no '
	load_undisturbed
	load_ends
	[ "$(ask 1 status | grep -c kind=warning)" = 0 ]
}

@test "one of two links moves; who dies then is told of from there" {
	first_links
	second_links
	files 1 2 3
	begins
	all_are 0 'state=up active=yes '
	all_are 1 'state=up active=no '
	load_begins 300
	# Node 2 does not have the address; then it has.
	FIRST[2]=10.77.0.102
	files 1 2 3
	refused 1 'n2 .*link0 = 10.77.0.102:5410: this machine does not have'
	ip -n "$(nodes_netns 2)" addr add 10.77.0.102/24 dev eth0
	# One file is another one.
	FIRST[2]=10.77.0.103
	files 3
	refused 1 "n3 .*its file differs from n1's"
	FIRST[2]=10.77.0.102
	files 3
	reload 1 -n
	nodes_tells 1 'kind=link node=2 link=0 addr=10.77.0.2:5410 state=up '
	reload 1
	all_are 0 'state=up active=yes '
	nodes_tells 1 'kind=link node=2 link=0 addr=10.77.0.102:5410 state=up '
	nodes_tells 2 'kind=local .*10.77.0.102'
	load_undisturbed
	# All at once, to another port; a link's place is not another link's.
	FIRST=("" 10.77.0.1:5777 10.77.0.102:5777 10.77.0.3:5777)
	files 1 2 3
	reload 3
	all_are 0 'addr=10.77.0.[0-9]*:5777 state=up active=yes '
	load_undisturbed
	SECOND=("" 10.77.0.1:5777 10.77.0.102:5777 10.77.0.3:5777)
	FIRST=("" 10.78.0.1 10.78.0.2 10.78.0.3)
	files 1 2 3
	refused 2 'no link to n[13] that is up stays as it is'
	load_undisturbed
	load_ends
	settled 2 1 3
	# There is no other way to say it.
	FIRST=("${SECOND[@]}")
	second_links
	cable2 2 down
	nodes_tells 1 'kind=link node=2 link=1 .* state=down '
	nodes_tells 3 'kind=link node=2 link=1 .* state=down '
	crash 2
	appears log1 '^peer-died node=2 .* by=signal number=9'
	appears log3 '^peer-died node=2 .* by=signal number=9'
	together 1,2,3
	all_are 0 'addr=10.77.0.[0-9]*:5777 state=up active=yes '
	nodes_tells 2 'kind=local .*10.77.0.102:5777'
}

@test "an only link moves in three steps, and not in one" {
	first_links
	SECOND=()
	files 1 2 3
	begins
	load_begins 300
	FIRST[2]=10.77.0.2:5999
	files 1 2 3
	refused 3 'no link to n2 that is up stays as it is: add another'
	# Beside it, on the same network.
	first_links
	SECOND=("" "${FIRST[1]}:6000" "${FIRST[2]}:6000" "${FIRST[3]}:6000")
	files 1 2 3
	reload 1
	all_are 1 'state=up active=no '
	FIRST[2]=10.77.0.2:5999
	files 1 2 3
	reload 2
	nodes_tells 1 'kind=link node=2 link=0 addr=10.77.0.2:5999 state=up active=yes '
	nodes_tells 3 'kind=link node=2 link=0 addr=10.77.0.2:5999 state=up active=yes '
	all_are 0 'state=up active=yes '
	SECOND=()
	files 1 2 3
	reload 3
	load_undisturbed
	load_ends
	[ "$(ask 1 status | grep -c 'kind=link ')" = 2 ]
	# Two more, between two deaths: who is born then is where it should be.
	dies 2
	SECOND=("" "${FIRST[1]}:6000" 10.77.0.2:6000 "${FIRST[3]}:6000")
	files 1 2 3
	reload 1
	all_are 1 'state=up '
	FIRST[2]=10.77.0.2:5998
	files 1 2 3
	reload 1
	all_are 0 'state=up '
	dies 2
	all_are 0 'state=up '
	# A port that is somebody else's.
	SECOND=("" 10.77.0.1:6001 10.77.0.2:6001 10.77.0.3:6001)
	files 1 2 3
	(nodes_exec 3 nc -u -l 10.77.0.3 6001 </dev/null >/dev/null 3>&-) &
	PIDS+=($!)
	until (nodes_exec 3 grep -q '03004D0A:1771' /proc/net/udp); do :; done
	refused 1 'n3 .*link1 = 10.77.0.3:6001: Address already in use'
}

# writer_of I: the process of node I's ring that reads its file.
writer_of()
{
	pgrep -P "$(ring_of "${PID[$1]}")"
}

# Which links work was true when the others voted, and may not be so later.
@test "links do not change when a node takes its time to answer" {
	local writer
	first_links
	second_links
	files 1 2 3
	begins
	all_are 0 'state=up '
	all_are 1 'state=up '
	FIRST[2]=10.77.0.2:5999
	files 1 2 3
	writer=$(writer_of 3)
	kill -STOP "$writer"
	RINGKIT_TIMEOUT=30s run ringkit reload --rundir=run1
	kill -CONT "$writer"
	echo "$output"
	[ "$status" = 75 ]
	[[ $output == *"a node did not answer"* ]]
	grep -q '^reload-result outcome=cancelled ' log1
	run ! grep '^reloaded ' log?
	# Nothing of it is left over.
	reload 1
	all_are 0 'state=up '
	nodes_tells 3 'kind=link node=2 link=0 addr=10.77.0.2:5999 '
}

@test "with groups, links take a restart, by name" {
	first_links
	SECOND=()
	EXTRA+=('transport = multicast')
	files 1 2 3
	begins
	second_links
	files 1 2 3
	refused 1 'number of links: needs a restart'
	SECOND=()
	FIRST[2]=10.77.0.2:5999
	files 1 2 3
	refused 3 '\[node n2\] address: needs a restart with transport = multicast'
	# Who is not there may be elsewhere.
	kill -TERM "${PID[2]}"
	ends 2 0
	together 1,3
	reload 3
	nodes_tells 1 'kind=link node=2 link=0 addr=10.77.0.2:5999 '
	run ! grep -e '^died' log1 log3
}
