#!/usr/bin/env bats
# Rings of many: 16 and 32 ringds on loopback addresses form one ring in time,
# and when a third of them is killed in one step the others form one.
# MANY_MS is how long the first ring may take; MANY_SEED makes the same third
# die again.
# shellcheck disable=SC2034,SC2154 # variables are shared

load ../cli/ringd_nodes
load paused

setup()
{
	nodes_begin
	seed=${MANY_SEED:-$((${EPOCHREALTIME/./} % 1000000))}
	echo "MANY_SEED=$seed"
}

teardown()
{
	nodes_end
}

# formed SINCE_MS NODE...: each of the nodes comes to a view of just them; how
# long that took by their logs is in $took, and for how much of it one of them
# was kept from running for so long that it found out in $excused.
formed()
{
	local i at since=$1 members last=0 line logs=()
	shift
	members=$(printf '%s,' "$@")
	for i; do
		line=$(appears "log$i" \
			"^view-installed .* members=${members%,} ") || {
			echo "node $i: $(grep '^view-' "log$i" | tail -n 1)"
			return 1
		}
		at=$(date -d "$(word ts <<<"$line")" +%s%3N)
		[ "$at" -le "$last" ] || last=$at
		logs+=("log$i")
	done
	took=$((last - since))
	excused=$(paused_ms "$since" "$last" "${logs[@]}")
}

now_ms()
{
	echo $((${EPOCHREALTIME/./} / 1000))
}

# started_ms: when the last of all was.
started_ms()
{
	local i stamps=()
	for i; do
		stamps+=("$(appears "log$i" '^started ' | word ts)")
	done
	printf '%s\n' "${stamps[@]}" | date -f - +%s%3N | sort -n | tail -n 1
}

# begins N: so many come together in time.  The best of five times counts, less
# what is excused.
begins()
{
	local i try all
	mapfile -t all < <(seq "$1")
	config "$1"
	for try in 1 2 3 4 5; do
		start "${all[@]}"
		formed "$(started_ms "${all[@]}")" "${all[@]}"
		echo "# $1 ringds: one ring $took ms ($excused paused)" \
			"after the last start" >&3
		[ $((took - excused)) -ge "${MANY_MS:-2000}" ] || return 0
		kill -KILL "${PID[@]}"
		for i in "${all[@]}"; do
			ends "$i" 137
			: >"log$i"
		done
	done
	late_again
}

# lose N NODE...: of N these die in one step, and come back.
lose()
{
	local n=$1 i since pids=() others=() all
	shift
	mapfile -t all < <(seq "$n")
	for i in "${all[@]}"; do
		: >"log$i"
		case " $* " in
		*" $i "*) pids+=("${PID[$i]}") ;;
		*) others+=("$i") ;;
		esac
	done
	since=$(now_ms)
	kill -KILL "${pids[@]}"
	formed "$since" "${others[@]}"
	echo "# of $n ringds $# are killed: one ring after $took ms" >&3
	for i; do
		ends "$i" 137
	done
	start "$@"
	formed "$since" "${all[@]}"
}

# third N: of 1 to N, at random.
third()
{
	shuf -i "1-$1" -n $(($1 / 3)) --random-source=<(yes "$seed") |
		sort -n
}

# shellcheck disable=SC2046 # lists
@test "16 ringds, and any third of them dies" {
	begins 16
	lose 16 1 2 3 4 5
	lose 16 12 13 14 15 16
	lose 16 $(third 16)
}

# shellcheck disable=SC2046 # a list
@test "32 ringds, and any third of them dies" {
	begins 32
	lose 32 $(third 32)
}
