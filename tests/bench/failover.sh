#!/bin/bash
# shellcheck disable=SC2034 # variables are shared with the parts
# failover.sh: how long it takes from the moment that a ringd is killed, or
# asked to leave, until the hooks of all survivors have run:
#
#	watch-membership -e view -- CMD
#
# on nodes of this machine, each with ringd, memberd, quorumd.  Needs root.
#
#   RINGKIT_BIN      where the programs were built
#   FAILOVER_KILLS   how often, of each kind (100)
#   FAILOVER_KINDS   kill: kill -9 of ringd.  power: the same, and nothing
#                    tells the others that the port is closed.  leave: TERM
#   FAILOVER_NODES   how many nodes (3)
#
# A row of key=value words, tab separated, for each kind; one sample is the
# time of the slowest survivor.
set -u
here=$(cd "${0%/*}" && pwd)
: "${RINGKIT_BIN:=${here%/tests/bench}/build/none}"
BATS_TEST_NUMBER=1 # of the parts that tests use, too
for part in cli/ringd_nodes cluster/nodes cluster/trio; do
	# shellcheck source=/dev/null
	. "$here/../$part.bash"
done

skip()
{
	echo "# no failover: $*"
	exit 0
}
trap trio_down EXIT
trap 'exit 1' INT TERM

write_hook()
{
	cat >hook <<-'END'
		#!/bin/sh
		echo "$(date +%s%N) left= ${RINGKIT_LEFT-} joined= ${RINGKIT_JOINED-} " >>"$1"
	END
	chmod +x hook
}

mark_runs()
{
	local i
	for ((i = 1; i <= nodes; i++)); do
		runs[i]=$(wc -l <"ran$i")
	done
}

# ran I PATTERN: the run of node I's hook since then that was told so.
ran()
{
	: >input
	first_match "$2" 60 tail -n "+$((runs[$1] + 1))" -F "ran$1" || {
		echo "the hook of node $1 did not run" >&2
		return 1
	}
}

end_node() # KIND I: sets from_ns
{
	local signal=KILL code=137
	[ "$1" != leave ] || signal=TERM code=0
	[ "$1" != power ] || nodes_mute "$2"
	from_ns=$(date +%s%N)
	kill -"$signal" "${TRIO[$2.ringd]}"
	trio_gone "$2" ringd "$code"
}

# Until all are there again, and have said so to their hooks.
return_node() # I
{
	local i
	mark_runs
	mark
	nodes_heal
	trio_launch "$1" ringd
	for ((i = 1; i <= nodes; i++)); do
		[ "$i" = "$1" ] || ran "$i" " joined=.* $1 " >/dev/null || exit 1
	done
	comes_to "$1" "$all" yes || exit 1
}

sample() # KIND I: sets slowest_ms
{
	local i line at_ns slowest_ns=0
	mark_runs
	end_node "$1" "$2" || exit 1
	for ((i = 1; i <= nodes; i++)); do
		[ "$i" != "$2" ] || continue
		line=$(ran "$i" " left=.* $2 .*joined=") || exit 1
		at_ns=$((${line%% *} - from_ns))
		[ "$at_ns" -le "$slowest_ns" ] || slowest_ns=$at_ns
	done
	slowest_ms=$((slowest_ns / 1000000)).$((slowest_ns / 100000 % 10))
}

measure() # KIND
{
	local round victim
	: >"samples.$1"
	for ((round = 0; round < kills; round++)); do
		victim=$((round % nodes + 1))
		sample "$1" "$victim"
		echo "$slowest_ms" >>"samples.$1"
		return_node "$victim"
		sleep 0.3 # no event: what comes next finds all at rest
	done
	sort -n "samples.$1" | awk -v words="bench=failover kind=$1 n=$nodes" '
	function rank(p,   at) {
		at = int(NR * p / 100)
		return v[at < NR * p / 100 ? at + 1 : at]
	}
	{ v[NR] = $1 }
	END {
		gsub(" ", "\t", words)
		printf "%s\tcount=%d\tp50_ms=%s\tp90_ms=%s\tp99_ms=%s\tmax_ms=%s\n",
		    words, NR, rank(50), rank(90), rank(99), v[NR]
	}'
}

kills=${FAILOVER_KILLS:-100}
nodes=${FAILOVER_NODES:-3}
all=$(seq -s , "$nodes")
runs=()
trio_up "$nodes" || exit 1
write_hook
for ((i = 1; i <= nodes; i++)); do
	: >"ran$i"
	background "$RINGKIT_BIN/watch-membership" -e view --wait-daemon \
		--rundir "run$i" -- "$DIR/hook" "$DIR/ran$i" 2>"log$i.hooks"
done
for ((i = 1; i <= nodes; i++)); do
	sees "$i" "$all" yes || exit 1
done
for kind in ${FAILOVER_KINDS:-kill power leave}; do
	measure "$kind"
done
BATS_TEST_COMPLETED=1
