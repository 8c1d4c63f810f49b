#!/bin/bash
# shellcheck disable=SC2034,SC2154 # variables are shared with the parts
# deaths.sh: how long it takes from an event until the regular view that it
# makes is installed at all whom it concerns, by their logs.  Nodes in
# namespaces that a bridge joins; beside Corosync where that is installed.
# Needs root.
#
#   RINGKIT_BIN, RINGKIT_BUILD   where the programs were built
#   DEATHS           how often each event is made (100)
#   DEATHS_SLOW      the same for Corosync at its defaults (5)
#   DEATHS_CALM      seconds of calm before the event both (7): a kernel that
#                    has just told six times that a port is closed, as of a
#                    node that was started again, does so once a second
#   DEATHS_LOAD      with 1, the survivors send all the while, as fast as they
#                    can, and twice as many processes as there are processors
#                    never wait; a row says what 50 hops between two processes
#                    of the daemon's priority take then
#   DEATHS_NODES     how many nodes: a list (3)
#   DEATHS_KINDS     a list of what daemons.bash can start
#                    (ring-whole peer-fast peer-default)
#   DEATHS_EVENTS    a list of (all):
#                      crash  kill -9 of the ring, which its supervisor tells
#                      both   kill -9 of ring and supervisor; of Corosync
#                      cut    all links of the node are cut; then follows
#                             merge, from when they heal until all are one;
#                             each time with other daemons, as for those who
#                             saw it before it were a flap
#                      leave  the node is asked to stop
#
# A row of key=value words, tab separated, for each event; one sample is the
# time of the slowest survivor, and for merge of the slowest node.
set -u
here=$(cd "${0%/*}" && pwd)
: "${RINGKIT_BIN:=${here%/tests/bench}/build/none}"
: "${RINGKIT_BUILD:=$RINGKIT_BIN}"
BATS_TEST_NUMBER=1 BATS_TEST_COMPLETED=1 # of the parts that tests use
for part in cli/ringd_nodes cluster/nodes bench/daemons; do
	# shellcheck source=/dev/null
	. "$here/../$part.bash"
done

finish()
{
	load_ends
	daemons_down
	nodes_down 2>/dev/null
	nodes_end
}
trap 'exit 1' INT TERM

# installed MEMBERS NODE...: when the last of the nodes had a view of 1,2,3,
# by its log, in us since 1970.
installed()
{
	local members=$1 line last=0 at i
	local pattern="^view-installed .* members=$members "
	daemons_is_ring || pattern="\[QUORUM\] Members.*: ${members//,/ } *\$"
	shift
	for i; do
		line=$(appears "$(daemons_log_file "$i")" "$pattern" 60) || {
			echo "node $i: no view of $members" >&2
			return 1
		}
		if daemons_is_ring; then
			line=${line##* ts=}
			line=${line%% *}
		else
			line=${line%% \[*}
		fi
		at=$(date -d "$line" +%s%6N) || return
		[ "$at" -le "$last" ] || last=$at
	done
	echo "$last"
}

forget()
{
	local i
	for ((i = 1; i <= nodes_count; i++)); do
		: >"$(daemons_log_file "$i")"
	done
}

# sample EVENT: appends how long it took, in us, to the file times.EVENT.
sample()
{
	local began at members=$rest whom=$survivors calm=0
	local pid=${daemons_pid[$nodes_count]}
	forget
	[ "$1" != both ] || calm=${DEATHS_CALM:-7}
	# At no particular moment of the ring's.
	sleep "$calm.2$((RANDOM % 100 + 100))" # no event: chance
	[ "$1" != crash ] || pid=$(ring_of "$pid")
	chrt -r -p 30 $$ # or this shell would wait for its turn, too
	began=${EPOCHREALTIME/./}
	case $1 in
	crash | both) kill -KILL "$pid" ;;
	leave) kill -TERM "$pid" ;;
	cut) nodes_cut "$nodes_count" "$rest" both ;;
	merge)
		nodes_heal
		members=$all whom="$survivors $nodes_count"
		;;
	esac
	chrt -o -p 0 $$
	# shellcheck disable=SC2086 # a list
	at=$(installed "$members" $whom) || return
	echo $((at - began)) >>"times.$1"
}

# all_anew: other daemons, who know of no flap.
all_anew()
{
	daemons_down
	daemons_up "$daemons_kind" || return
	# shellcheck disable=SC2086 # a list
	installed "$all" $survivors "$nodes_count" >/dev/null
}

# renew: the last node, by another process.
renew()
{
	forget
	kill -TERM "${daemons_pid[$nodes_count]}" 2>/dev/null || :
	wait "${daemons_pid[$nodes_count]}" 2>/dev/null || :
	forget
	daemons_start "$nodes_count" || return
	# shellcheck disable=SC2086 # a list
	installed "$all" $survivors "$nodes_count" >/dev/null
}

row() # EVENT
{
	sort -n "times.$1" | awk -v event="$1" -v nodes="$nodes_count" \
		-v kind="$daemons_kind" '
	{ t[NR] = $1 / 1000 }
	function p(share) { i = int(NR * share + 0.999); return t[i < 1 ? 1 : i] }
	END { printf "bench=deaths\tkind=%s\tevent=%s\tnodes=%d\tn=%d\t" \
	    "p50_ms=%.1f\tp90_ms=%.1f\tp99_ms=%.1f\tmax_ms=%.1f\n",
	    kind, event, nodes, NR, p(0.5), p(0.9), p(0.99), t[NR] }'
	rm "times.$1"
}

# ---- load -------------------------------------------------------------------

load_pids=()

# load_begins: on the ring, and on the processors.
load_begins()
{
	local i
	for i in $survivors; do
		"$RINGKIT_BIN/msgsend" --retry=5m --rundir "$nodes_dir/$i" \
			load < <(exec yes "$(printf '%01023d' 0)") 2>/dev/null &
		load_pids+=($!)
	done
	for ((i = 0; i < 2 * $(nproc); i++)); do
		(while :; do :; done) &
		load_pids+=($!)
	done
}

load_ends()
{
	[ ${#load_pids[@]} != 0 ] || return 0
	kill "${load_pids[@]}"
	wait "${load_pids[@]}" 2>/dev/null
	load_pids=()
}

hops()
{
	local priority=()
	[ "$daemons_kind" = peer ] || priority=(chrt -r 20)
	printf 'kind=%s\tnodes=%s\t' "$daemons_kind" "$nodes_count"
	"${priority[@]}" "$RINGKIT_BUILD/tests/bench/bench_hops" 10
}

# ---- measurements -----------------------------------------------------------

# measure EVENT TIMES
measure()
{
	local n
	for ((n = 0; n < $2; n++)); do
		# Daemons that write too many lines hold some back.
		[ $((n % 25)) != 0 ] || all_anew || return
		sample "$1" || return
		case $1 in
		cut) sample merge && all_anew || return ;;
		*) renew || return ;;
		esac
	done 2>>noise
	row "$1"
	[ "$1" != cut ] || row merge
}

# measure_all KIND
measure_all()
{
	local event times=${DEATHS:-100}
	[ "$1" != peer-default ] || times=${DEATHS_SLOW:-5}
	daemons_kind=$1
	all_anew || return
	[ "${DEATHS_LOAD:-0}" = 0 ] || {
		load_begins
		hops
	}
	for event in ${DEATHS_EVENTS:-crash both cut leave}; do
		[ "$event" != crash ] || daemons_is_ring || continue
		measure "$event" "$times" || {
			tail -n 5 noise "$nodes_dir"/*/log
			return 1
		}
	done
	load_ends
	daemons_down
}

if [ -z "$nodes_is_apart" ] || ! command -v nft >/dev/null; then
	echo "# no deaths: needs root, for network namespaces, and nft"
	exit 0
fi
nodes_begin
nodes_dir=$DIR
trap finish EXIT
for nodes in ${DEATHS_NODES:-3}; do
	nodes_up "$nodes" || exit
	all=$(seq -s, "$nodes") rest=$(seq -s, $((nodes - 1)))
	survivors=${rest//,/ }
	for kind in ${DEATHS_KINDS:-ring-whole peer-fast peer-default}; do
		if [ "$kind" = ring-whole ] || command -v corosync >/dev/null; then
			measure_all "$kind" || exit 1
		else
			echo "# no $kind: corosync is not installed"
		fi
	done
	nodes_down
done
