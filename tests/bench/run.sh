#!/bin/bash
# shellcheck disable=SC2034,SC2154 # variables are shared with the parts
# run.sh: throughput and latency of ringd, beside Corosync where that is
# installed, on nodes of this machine.  Needs root for namespaces of their own,
# loss and Corosync; without, ringd runs on loopback addresses.
#
#   RINGKIT_BIN, RINGKIT_BUILD   where ringd and tests/bench were built
#   BENCH_QUICK=1  three nodes, all sending, in about three minutes
#   BENCH_KINDS    which daemons: "ring ring-rr peer peer-rr"
#   BENCH_SIZES, BENCH_NODES, BENCH_LOSSES, BENCH_REPS, BENCH_MS
#
# Prints one row of key=value words, tab separated, for each measurement; then
# a table of medians; then what deaths.sh, failover.sh, calm.sh (a minute of it),
# multicast.sh and store.sh measure.
# Kinds take turns, so that a noisy machine is as noisy for each of them; foreign
# is the share of the machine that others used.  ringd always encrypts; Corosync (udpu) does not
# here.
set -u
here=$(cd "${0%/*}" && pwd)
points_here=$here
: "${RINGKIT_BIN:=${here%/tests/bench}/build/none}"
: "${RINGKIT_BUILD:=$RINGKIT_BIN}"
for part in "$here"/../cluster/nodes.bash "$here"/{daemons,points}.bash; do
	# shellcheck source=/dev/null
	. "$part"
done
nodes_dir=$(mktemp -d) || exit 1
finish()
{
	daemons_down
	nodes_down
	rm -rf "$nodes_dir"
} 2>/dev/null
trap finish EXIT
trap 'exit 1' INT TERM
mkfifo "$nodes_dir/never" "$nodes_dir/go"

kinds="ring ring-rr"
if [ -z "$nodes_is_apart" ]; then
	echo "# not root: loopback addresses, no loss, no Corosync"
	kinds=ring
elif ! command -v corosync >/dev/null ||
	[ "$("$RINGKIT_BUILD/tests/bench/peer_cpg" 2>&1 | head -c 6)" != usage: ]; then
	echo "# no Corosync, or built without libcpg-dev: ringd alone"
else
	kinds="$kinds peer peer-rr"
fi
if [ -n "${BENCH_QUICK:-}" ]; then
	nodes=3 losses=1 reps=2 ms=2000 senders_of=all
else
	nodes='1 3 5' losses='1 5' reps=3 ms=2000 senders_of='all one'
fi
kinds=${BENCH_KINDS-$kinds}
nodes=${BENCH_NODES-$nodes}
losses=${BENCH_LOSSES-$losses}
reps=${BENCH_REPS-$reps}
ms=${BENCH_MS-$ms}
sizes=${BENCH_SIZES-64 1024 65536 1047552}
[ -n "$nodes_is_apart" ] || losses=

row() # LOSS FUNCTION ARGS...
{
	local loss=$1
	shift
	points_quiet
	printf 'impl=%s\trep=%s\tloss=%s\t%s\n' "$daemons_kind" "$rep" "$loss" \
		"$("$@")" | tee -a "$nodes_dir/results"
}

own_of() # SIZE: messages that a sender keeps undelivered
{
	case $1 in
	65536) echo 4 ;;
	1047552) echo 1 ;;
	*) echo 64 ;;
	esac
}

lossless() # N
{
	local size who count
	for size in $sizes; do
		for who in $senders_of; do
			count=$1
			[ "$who" = all ] || count=1
			[ "$who$1" != one1 ] || continue
			row 0 points_thr "$count" "$size" "$(own_of "$size")" "$ms"
		done
	done
	row 0 points_lat 1 1024 1000 0
	row 0 points_lat 1 1024 100 20000
	[ "$1" = 1 ] || row 0 points_lat "$1" 1024 1000 0
}

# What a lost token costs Corosync is most of a second: a longer window.
lossy() # N
{
	local percent
	[ "$1" = 3 ] || return 0
	for percent in $losses; do
		nodes_loss 0
		daemons_down
		daemons_up "$kind" && nodes_loss "$percent"
		row "$percent" points_thr 3 1024 64 \
			"$([ "$kind" = "${kind#peer}" ] && echo "$ms" || echo 5000)"
	done
	nodes_loss 0
}

for n in $nodes; do
	nodes_up "$n" || exit 1
	for ((rep = 1; rep <= reps; rep++)); do
		for kind in $kinds; do
			daemons_up "$kind" || exit 1
			lossless "$n"
			[ -n "${BENCH_QUICK:-}${kind%%peer*}" ] || lossy "$n"
			[ "$kind" != "${kind#peer}" ] || lossy "$n"
			daemons_down
		done
	done
	nodes_down
done
awk -f "$here/table.awk" "$nodes_dir/results"
DEATHS=${DEATHS:-${BENCH_QUICK:+10}} bash "$here/deaths.sh"
FAILOVER_KILLS=${FAILOVER_KILLS:-${BENCH_QUICK:+10}} bash "$here/failover.sh"
CALM_S=${CALM_S:-60} CALM_WARM_S=${CALM_WARM_S:-15} bash "$here/calm.sh"
MCAST_REPS=${MCAST_REPS:-${BENCH_QUICK:+1}} bash "$here/multicast.sh"
STORE_REPS=${STORE_REPS:-${BENCH_QUICK:+1}} bash "$here/store.sh"
