#!/bin/bash
# shellcheck disable=SC2034 # variables are shared with the part
# deaths.sh: how long it takes from the moment that a ringd is killed until the
# regular view without it is installed at all survivors, by their logs.  Nodes
# on loopback addresses.
#
#   RINGKIT_BIN      where the programs were built
#   DEATHS           how often, of each kind (100)
#   DEATHS_KINDS     crash: kill -9 of the ring, which its supervisor tells.
#                    both: of supervisor and ring, which the machine tells
#   DEATHS_NODES     how many nodes (3)
#
# A row of key=value words, tab separated, for each kind; one sample is the
# time of the slowest survivor.
set -u
here=$(cd "${0%/*}" && pwd)
: "${RINGKIT_BIN:=${here%/tests/bench}/build/none}"
BATS_TEST_NUMBER=1 BATS_TEST_COMPLETED=1 # of the part that tests use
# shellcheck source=/dev/null
. "$here/../cli/ringd_nodes.bash"

nodes=${DEATHS_NODES:-3}
trap nodes_end EXIT
trap 'exit 1' INT TERM

all=$(seq -s, "$nodes")
rest=$(seq -s, $((nodes - 1)))

# installed I: when node I's log said so, in us since 1970.
installed()
{
	local line
	line=$(appears "log$1" "view-installed .* members=$rest " 30) || return
	line=${line##* ts=}
	date -d "${line%% *}" +%s%6N
}

# sample KIND: one death of the last node, in us.
sample()
{
	local pid i at last=0 began
	case $1 in
	crash) pid=$(ring_of "${PID[$nodes]}") ;;
	both) pid=${PID[$nodes]} ;;
	esac
	for ((i = 1; i < nodes; i++)); do : >"log$i"; done
	# no event: at no particular moment of the ring's
	sleep "0.2$((RANDOM % 100 + 100))" # no event: see above
	began=${EPOCHREALTIME/./}
	kill -KILL "$pid"
	for ((i = 1; i < nodes; i++)); do
		at=$(installed "$i") || return 1
		[ "$at" -le "$last" ] || last=$at
	done
	echo $((last - began))
}

# renew: the last node, with a supervisor that remembers no death.
renew()
{
	kill -TERM "${PID[$nodes]}" 2>/dev/null || :
	wait "${PID[$nodes]}" 2>/dev/null || :
	start "$nodes" && together "$all"
}

nodes_begin
AS_NOBODY=()
config "$nodes"
[ "$(id -u)" != 0 ] || chown 0:0 key
# shellcheck disable=SC2046 # a list
start $(seq "$nodes") && together "$all" || exit 1
for kind in ${DEATHS_KINDS:-crash both}; do
	: >"times.$kind"
	for ((n = 0; n < ${DEATHS:-100}; n++)); do
		sample "$kind" >>"times.$kind" || exit 1
		renew || exit 1
	done 2>/dev/null
	sort -n "times.$kind" | awk -v kind="$kind" -v nodes="$nodes" '
	{ t[NR] = $1 / 1000 }
	function p(share) { i = int(NR * share + 0.999); return t[i < 1 ? 1 : i] }
	END { printf "what=death\tkind=%s\tnodes=%d\tn=%d\tp50_ms=%.1f\t" \
	    "p90_ms=%.1f\tp99_ms=%.1f\tmax_ms=%.1f\n",
	    kind, nodes, NR, p(0.5), p(0.9), p(0.99), t[NR] }'
done
