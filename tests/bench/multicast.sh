#!/bin/bash
# shellcheck disable=SC2034,SC2154 # variables are shared with the parts
# multicast.sh: what the messages of one sender cost it and all, when they go to
# each node by itself and when they go to a group.  Nodes in namespaces that a
# bridge joins; needs root.
#
#   RINGKIT_BIN      where the programs were built
#   MCAST_NODES      how many nodes: a list (3 8)
#   MCAST_MESSAGES   how many messages (20000)
#   MCAST_BYTES      of each (1000)
#   MCAST_REPS       runs of each kind, in turn; the median counts (3)
#
# A row of key=value words, tab separated, for each kind: microseconds of CPU
# that the sender's ringd and all ringds together took for a message, and
# datagrams and octets that left the sender's machine for it.
set -u
here=$(cd "${0%/*}" && pwd)
: "${RINGKIT_BIN:=${here%/tests/bench}/build/none}"
BATS_TEST_NUMBER=1 BATS_TEST_COMPLETED=1 # of the parts that tests use
for part in cli/ringd_nodes cluster/nodes cluster/trio; do
	# shellcheck source=/dev/null
	. "$here/../$part.bash"
done

skip()
{
	echo "# no multicast: $*"
	exit 0
}
trap trio_down EXIT
trap 'exit 1' INT TERM

messages=${MCAST_MESSAGES:-20000}

# says I PATTERN: a line of its status matches, within a minute.
says()
{
	local end=$((SECONDS + 60))
	until ask "$1" status 2>/dev/null | grep -q -- "$2"; do
		((SECONDS < end)) || skip "node $1 does not say $2"
	done
}

ring_begins() # TRANSPORT
{
	local i all
	trio_config "transport = $1" 'token = 3s' 'heartbeat = 100ms'
	all=$(seq -s, "$trio_count")
	for ((i = 1; i <= trio_count; i++)); do
		trio_launch "$i" ringd
	done
	for ((i = 1; i <= trio_count; i++)); do
		says "$i" "state=operational .* members=$all "
	done
	[ "$1" = unicast ] && return
	for ((i = 2; i <= trio_count; i++)); do
		says 1 "kind=link node=$i .* mcast_out=group "
	done
}

ring_ends()
{
	local i
	for ((i = 1; i <= trio_count; i++)); do
		kill -TERM "${TRIO[$i.ringd]}"
	done
	for ((i = 1; i <= trio_count; i++)); do
		trio_gone "$i" ringd 0
	done
	rm -rf run? run?? state? state??
}

counter() # I NAME
{
	ask "$1" stats | sed -n "s/.*name=$2 value=//p"
}

# spent: CPU of node 1 and of all, in us; packets and octets that node 1 sent.
spent()
{
	local i mine all=0 cpu
	for ((i = 1; i <= trio_count; i++)); do
		cpu=$(counter "$i" cpu_ns)
		cpu=$((cpu / 1000))
		[ "$i" != 1 ] || mine=$cpu
		all=$((all + cpu))
	done
	echo "$mine $all $(counter 1 'udp_sent_datagrams link=0')" \
		"$(counter 1 'udp_sent_bytes link=0')"
}

# One run: what was spent for a message.
run() # TRANSPORT
{
	local before after
	ring_begins "$1"
	before=$(spent)
	timeout 120 nc -U run1/ring.sock <requests | grep -q '^ok pos=' ||
		skip "not all was ordered"
	after=$(spent)
	ring_ends
	echo "$before $after" | awk -v n="$messages" '{
		printf "%.1f %.1f %.2f %.0f\n", ($5 - $1) / n, ($6 - $2) / n,
			($7 - $3) / n, ($8 - $4) / n }'
}

# medians FILE: of each column.
medians()
{
	local k
	for k in 1 2 3 4; do
		cut -d' ' -f$k "$1" | sort -n |
			awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
	done | paste -sd ' '
}

# As fast as they are taken; the last is answered when all have it.
write_requests()
{
	awk -v n="$messages" -v len="${MCAST_BYTES:-1000}" 'BEGIN {
		body = sprintf("%*s", len, "")
		for (; n > 1; n--)
			printf "pub group=load confirm=none len=%d\n%s\n",
				len, body
		print "pub group=load confirm=safe data=end"
		print "quit"
	}' >requests
}

rows() # NODES
{
	local kind rep mine all datagrams bytes
	nodes_begin
	AS_NOBODY=()
	nodes_dir=$DIR
	nodes_up "$1" 2>nodes.err || skip "$(head -n 1 nodes.err)"
	trio_count=$1
	write_requests
	for ((rep = 0; rep < ${MCAST_REPS:-3}; rep++)); do
		for kind in unicast multicast; do
			run "$kind" >>"samples.$kind"
		done
	done
	for kind in unicast multicast; do
		read -r mine all datagrams bytes < <(medians "samples.$kind")
		printf 'what=mcast\tn=%s\ttransport=%s\tbytes=%s\t' \
			"$1" "$kind" "${MCAST_BYTES:-1000}"
		printf 'sender_cpu_us=%s\tall_cpu_us=%s\t' "$mine" "$all"
		printf 'datagrams=%s\tsent_bytes=%s\n' "$datagrams" "$bytes"
	done
	trio_down
	trio_count=0
}

[ -n "$nodes_is_apart" ] || skip "needs root, for network namespaces"
for n in ${MCAST_NODES:-3 8}; do
	rows "$n"
done
