#!/usr/bin/env bats
# A loaded ring of three among datagrams that it must not believe: random ones
# and what becomes of real ones when they are changed, cut, spliced, repeated.
# HOSTILE_COUNT is how many, HOSTILE_SEED makes the same ones again.  And a
# ring with a member that holds the key and lies, for TRAITOR_S seconds.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

load ../cli/ringd_nodes
load load

setup()
{
	nodes_begin
	seed=${HOSTILE_SEED:-$((${EPOCHREALTIME/./} % 1000000))}
	echo "HOSTILE_SEED=$seed"
}

teardown()
{
	nodes_end
}

# Each node finds the others at addresses of the relay.
relayed_config() # OPTION...
{
	local i j prefix
	prefix=$(address 0)
	prefix=${prefix%.0}
	config 3 '[ring]' "$@"
	for i in 1 2 3; do
		cp ringkit.conf "ringkit$i.conf"
		for j in 1 2 3; do
			[ "$i" = "$j" ] ||
				sed -i "s/= $(address "$j")\$/= $prefix.$i$j/" \
					"ringkit$i.conf"
		done
	done
	background "$RINGKIT_BUILD/tests/cli/hostile" -s "$seed" \
		-n "${HOSTILE_COUNT:-100000}" "$prefix" >relay
	relay=$!
	appears relay ready
}

# adds_up I: every datagram was believed or refused, at node I.
adds_up()
{
	ask "$1" stats | awk -v node="$1" '
	{ value = $NF; sub("value=", "", value) }
	/ name=udp_received_datagrams / { received = value }
	/ name=net_refused / { refused += value }
	/ name=peer_received_packets / { believed += value }
	END {
		print node ": " received " = " believed " + " refused
		exit received != believed + refused
	}'
}

@test "hostile datagrams: no crash, no wrong delivery, no reformation" {
	local i node added drops refused=()
	# So patient that a busy machine alone makes no reformation.
	relayed_config token=3s heartbeat=200ms
	for i in 1 2 3; do
		conf=ringkit$i.conf start "$i"
	done
	together 1,2,3
	load_begins 150
	for i in 1 2 3; do
		refused[i]=$(stat_of "$i" net_refused)
	done
	kill -USR1 "$relay"
	appears relay '^done$' 100
	cat relay
	while read -r node added drops; do
		[[ $node == node=* ]] || continue
		i=${node#*=} added=${added#*=} drops=${drops#*=}
		adds_up "$i"
		refused[i]=$(($(stat_of "$i" net_refused) - refused[i]))
		echo "node $i: $added added, $drops dropped, ${refused[i]} refused"
		[ "${refused[i]}" -le "$added" ]
		[ "${refused[i]}" -ge $((added - drops)) ]
	done <relay
	load_undisturbed
	load_ends
}

@test "a member that lies: no crash, and a good ring as soon as it is gone" {
	local i traitor
	config 4
	cp "$RINGKIT_BUILD/tests/seal/traitor" traitor
	start 1 2 3
	together 1,2,3
	load_begins 150
	folders 4
	TRAITOR=$seed background "${AS_NOBODY[@]}" ./traitor -c ringkit.conf \
		--node n4 --rundir run4 --statedir state4 2>traitor.log
	traitor=$!
	appears log1 'view-installed .* members=1,2,3,4 '
	# It may die of its own lies.
	for ((i = 0; i < ${TRAITOR_S:-4}; i++)); do
		sleep 1 # no event: it is to have its time
		kill -0 "$traitor" 2>/dev/null && continue
		tail -n 3 traitor.log
		background "${AS_NOBODY[@]}" env TRAITOR=$((seed + i)) \
			./traitor -c ringkit.conf --node n4 --rundir run4 \
			--statedir state4 2>traitor.log
		traitor=$!
	done
	kill -KILL "$traitor"
	for i in 1 2 3; do
		kill -0 "${PID[$i]}"
	done
	together 1,2,3 40
	load_stops
	for i in 1 2 3; do
		ask "$i" stats | grep -E 'refused|malformed|unknown|gathers '
	done
}
