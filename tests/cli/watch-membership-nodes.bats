#!/usr/bin/env bats
# watch-membership with the real daemons of three nodes.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016 # quoted for the hook
load helpers

setup_file() { patient_nodes 3; }
teardown_file() { stop_nodes; }

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	await quorate 1,2,3
}
teardown() { [ -z "${WATCHER-}" ] || kill -9 "$WATCHER" 2>/dev/null || :; }

quorate() # MEMBERS
{
	[ "$(watch-membership --now -e ready -o quorate,members)" = "yes $1" ]
}

# watch OUTPUT OPTION...: in the background, told the state when this returns.
watch()
{
	local output=$1
	shift
	[ -p ready ] || mkfifo ready
	watch-membership --ready-fd=4 "$@" >"$output" 2>"$output.err" \
		3>&- 4>ready &
	WATCHER=$!
	timeout 60 cat ready >/dev/null
}

drop_peer() # NODE PEER FOR
{
	printf 'drop peer=%s dir=both for=%s\nquit\n' "$2" "$3" |
		nc -U "$NODES/$1/ring.sock" | grep -q '^ok'
}

@test "a node that is cut off is told, why, and the hook runs" {
	watch out -- sh -c 'echo "$RINGKIT_EVENT left=$RINGKIT_LEFT joined=$RINGKIT_JOINED quorate=$RINGKIT_QUORATE names=$RINGKIT_MEMBER_NAMES"'
	await grep -q 'ready left= joined= quorate=yes names=n1 n2 n3' out.err
	local hooked=$WATCHER
	watch records -n 4 -e leave,join,view
	local began=$EPOCHREALTIME
	drop_peer 3 1 5m
	drop_peer 3 2 5m
	await grep -q 'view left=3 joined= quorate=yes names=n1 n2' out.err
	[ $((${EPOCHREALTIME/./} - ${began/./})) -lt 5000000 ]
	drop_peer 3 1 0
	drop_peer 3 2 0
	await grep -q 'joined=3 quorate=yes names=n1 n2 n3' out.err
	wait "$WATCHER"
	kill "$hooked"
	grep -qE '^leave node=3 name=n3 inc=[0-9]+ reason=lost ' records
	grep -qE '^view .* members=1,2 joined= left=3 .* quorate=yes ' records
	grep -qE '^join node=3 .* was=partition ' records
	[ "$(tail -n 1 records | cut -d' ' -f1)" = view ]
}

@test "the node that is cut off has lost quorum, and its hook runs at once" {
	mkdir -p dir/quorum-lost.d dir/quorum-gained.d
	local event
	for event in lost gained; do
		printf '#!/bin/sh\necho "$RINGKIT_EVENT $RINGKIT_QUORATE"\n' \
			>dir/quorum-$event.d/10-say
		chmod 755 dir/quorum-$event.d/10-say
	done
	watch out --rundir="$NODES/3" --hooks-dir=dir
	await grep -q 'quorum-gained yes' out.err
	drop_peer 3 1 5m
	drop_peer 3 2 5m
	await grep -q 'quorum-lost no' out.err
	drop_peer 3 1 0
	drop_peer 3 2 0
	await has_gained_again
	kill "$WATCHER"
}

has_gained_again() { [ "$(grep -c 'quorum-gained yes' out.err)" = 2 ]; }

@test "a tag is an update on every node, and the state has it" {
	watch out -n 1 -e update --rundir="$NODES/2"
	ringkit tag rack 'a b'
	wait "$WATCHER"
	grep -qE '^update node=1 key=tag\.rack new=a\\0040b seq=' out
	watch-membership --now -j | jq -se 'any(.[]; .event == "exists" and
		.node == 1 and .tags == ["rack:a b"])'
}

@test "a node that is started again at once is seen to be another" {
	watch out -n 2 -e join,leave -N n3
	kill -KILL "$(cut -d' ' -f1 "$NODES/3/ringd.pid")"
	ringkit sandbox --start=3 "$NODES" 3>&-
	wait "$WATCHER"
	# Restarted; or lost, where the machine was slower than the detection.
	grep -qE '^leave node=3 name=n3 inc=[0-9]+ reason=(restarted|lost) ' out
	grep -qE '^join node=3 name=n3 .* was=(restarted|lost) ' out
	local left came
	left=$(sed -n 's/^leave .* inc=\([0-9]*\) .*/\1/p' out)
	came=$(sed -n 's/^join .* inc=\([0-9]*\) .*/\1/p' out)
	[ "$came" -gt "$left" ]
}

@test "a hook that changes what it is run for comes to an end" {
	watch out -e update -- sh -c '
		n=$(sed -n "s/.* key=tag\.n .*new=\([0-9]\) .*/\1/p" |
			tail -n 1)
		[ "${n:-9}" -ge 4 ] || ringkit tag n $((n + 1))
		watch-membership --now -e exists -o tags'
	ringkit tag n 1
	await grep -q 'sh: n:4' out.err
	kill "$WATCHER"
}

@test "memberd and quorumd agree, record by record" {
	watch-membership --now --raw -e exists | sed 's/ since_ms.*//' >raw
	watch-membership --now -e exists | sed 's/ since_ms.*//' | cmp - raw
	run ! grep -q quorate <(watch-membership --now --raw)
}

@test "a quorumd that is killed is down; without one it is 69" {
	watch out -e down,up,ready
	kill -9 "$(cut -d' ' -f1 "$NODES/1/quorumd.pid")"
	await grep -q '^down reason=daemon-exit' out
	run -69 watch-membership --now
	kill "$WATCHER"
}
