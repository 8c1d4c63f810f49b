#!/usr/bin/env bats
# ringkit members, tag, forget and fence-confirm, over real nodes.
# shellcheck disable=SC2154,SC2016 # what run leaves; values without meaning
load helpers

setup_file() { patient_nodes 3 --only=ringd,memberd; }
teardown_file() { stop_nodes; }
setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	await all_are_here
}

# Those whom a test has killed are started again.
teardown()
{
	local node
	for node in 1 2 3; do
		kill -0 "$(node_pid "$node")" 2>/dev/null ||
			ringkit sandbox --start="$node" "$NODES" >/dev/null
	done
}

all_are_here()
{
	local node
	for node in 1 2 3; do
		[ "$(ringkit members --rundir="$NODES/$node" -o state |
			sort | uniq -c | tr -s ' ')" = ' 3 member' ] || return 1
	done
}

# state NODE: what the first node says of another.
state() { ringkit members -o name,state | sed -n "s/^$1 //p"; }
is_state() { [ "$(state "$1")" = "$2" ]; }

@test "members: a line, an object, a record, or fields a node" {
	ringkit members >human
	[ "$(wc -l <human)" = 3 ]
	grep -qE '^2 +n2 +member +127\.[0-9.]+ +-$' human
	ringkit members -j | jq -s -e 'map(.name) == ["n1", "n2", "n3"] and
		.[0].local == "yes" and (.[1].inc | type) == "number" and
		all(.v == 1 and .kind == "node" and .state == "member")'
	ringkit members -l | grep -q '^node node=3 name=n3 addr=.* tags=$'
	diff <(ringkit members -o name,node,tags) - <<-'END'
		n1 1 -
		n2 2 -
		n3 3 -
	END
	run -64 ringkit members -j -l
	run -64 ringkit members -o name,nonsense
	run -74 sh -c 'ringkit members >/dev/full'
}

@test "tag: set anywhere, known everywhere, any bytes, taken away" {
	local value=' a=b,c:d *[x]\n$(id)'
	run -1 ringkit tag rack
	[ -z "$output" ]
	ringkit tag rack "$value"
	ringkit tag -N n1 --rundir="$NODES/2" zone ''
	tagged() { [ "$(ringkit tag --rundir="$NODES/3" -N 1 "$1")" = "$2" ]; }
	await tagged rack "$value"
	ringkit tag --rundir="$NODES/3" -N n1 zone | od -An -c | grep -x ' *\\n'
	ringkit tag -N 1 -u rack
	ringkit tag -u zone
	run -1 ringkit tag rack
	run -64 ringkit tag RACK x
	run -64 ringkit tag rack=x
	[[ $output == *'rack=x: expected a NAME'* ]]
	run -65 ringkit tag rack "$(head -c 256 /dev/zero | tr '\0' x)"
	run -65 ringkit tag -N n9 rack
	run --separate-stderr -65 ringkit tag -N n9 rack x
	[ "$stderr" = 'ringkit tag: n9: no such node' ]
}

@test "fence-confirm: only who is gone, until it is back" {
	run --separate-stderr -1 ringkit fence-confirm n3
	[ "$stderr" = 'ringkit fence-confirm: n3: it is a member' ]
	run -65 ringkit fence-confirm n9
	kill -KILL "$(node_pid 3)"
	await is_state n3 lost
	ringkit fence-confirm --method=plug 3
	is_state n3 fenced
	ringkit sandbox --start=3 "$NODES"
	await is_state n3 member
}

@test "forget: only who is gone" {
	run --separate-stderr -1 ringkit forget n2
	[ "$stderr" = 'ringkit forget: n2: it is a member' ]
	ringkit tag -N n2 rack a
	kill -KILL "$(node_pid 2)"
	await is_state n2 lost
	ringkit forget n2
	[ "$(ringkit members -o name,state,inc,tags | grep n2)" = 'n2 absent 0 -' ]
	run --separate-stderr -1 ringkit fence-confirm n2
	[ "$stderr" = 'ringkit fence-confirm: n2: it was never here' ]
	run --separate-stderr -65 ringkit forget n9
	[ "$stderr" = 'ringkit forget: n9: no such node' ]
	ringkit sandbox --start=2 "$NODES"
	await is_state n2 member
}

@test "without memberd they end with 69, and say who is expected where" {
	run -69 ringkit members --rundir=none
	[ "$output" = 'ringkit members: none: No such file or directory, expected the --rundir of a running memberd' ]
	mkdir empty
	run -69 ringkit members --rundir=empty
	[ "$output" = 'ringkit members: empty/member.sock: No such file or directory, expected a running memberd' ]
	run -69 ringkit tag --rundir=empty a b
	run -69 ringkit forget --rundir=empty n1
	run -69 ringkit fence-confirm --rundir=empty n1
}
