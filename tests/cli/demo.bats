#!/usr/bin/env bats
# The demo shows what it is to show.
load helpers

@test "the demo tells of a crash, a return and both sides of a partition" {
	DEMO_PORT=$(test_port) \
		run bash "$BATS_TEST_DIRNAME/../../examples/demo.sh" 3>&-
	echo "$output"
	[ "$status" = 0 ]
	# In this order, with anything in between.
	local want from=0 line
	while read -r want; do
		line=$(tail -n +$((from + 1)) <<<"$output" |
			grep -nE -m 1 "$want")
		[ -n "$line" ]
		from=$((from + ${line%%:*}))
	done <<-'END'
		^demo: first: 10000 lines, sent by 3 nodes
		^demo: kill -9 of node 3: after [0-9]+ ms
		^demo:   leave node=3 name=n3 inc=[0-9]+ reason=(lost|partition)
		^demo:   view view=.* members=1,2 joined= left=3 reasons=3:(lost|partition) .* quorate=yes
		^demo: node 3 is back
		^demo:   join node=3 name=n3 .* was=(lost|restarted)
		^demo:   view view=.* members=1,2,3 joined=3 .* quorate=yes
		^demo: node 3 cut off
		^demo:   leave node=3 name=n3 inc=[0-9]+ reason=(lost|partition)
		^demo:   node 1: check-quorum ends with 0: quorate  2/3
		^demo:   node 3: check-quorum ends with 1: not quorate  1/3
		^demo: node 3 is let in
		^demo:   join node=3 name=n3 .* was=partition
		^demo:   node 3: check-quorum ends with 0: quorate  [23]/3
		^demo: ok
	END
}
