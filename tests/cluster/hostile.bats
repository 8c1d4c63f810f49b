#!/usr/bin/env bats
# A loaded ring of three among datagrams that it must not believe: random ones
# and what becomes of real ones when they are changed, cut, spliced, repeated.
# HOSTILE_COUNT is how many, HOSTILE_SEED makes the same ones again.  And a
# ring with a member that holds the key and lies, for TRAITOR_S seconds.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

load ../cli/ringd_nodes

setup()
{
	nodes_begin
	aids=$RINGKIT_BUILD/tests/cli
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
	background "$aids/hostile" -n "${HOSTILE_COUNT:-100000}" -s "$seed" \
		"$prefix" >relay
	relay=$!
	appears relay ready
}

record()
{
	local i
	recorders=() publishers=()
	for i in 1 2 3; do
		background "$aids/recorder" -e end "run$i" "rec$i" >"ready.$i"
		recorders+=($!)
	done
	for i in 1 2 3; do
		appears "ready.$i" ready
		background "$aids/publisher" -s "$i" -r 150 -x 20000 "run$i" \
			"p$i" "p$i"
		publishers+=($!)
	done
}

# all_end PID...: each with code 0.
all_end()
{
	local pid
	for pid; do
		wait "$pid"
	done
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
	local i node added drops refused=() gathers=()
	# So patient that a busy machine alone makes no reformation.
	relayed_config token=3s heartbeat=200ms
	for i in 1 2 3; do
		conf=ringkit$i.conf start "$i"
	done
	together 1,2,3
	record
	appears rec1.1 'msg .* node=3 '
	for i in 1 2 3; do
		refused[i]=$(stat_of "$i" net_refused)
		gathers[i]=$(stat_of "$i" ring_gathers)
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
		[ "$(stat_of "$i" ring_gathers)" = "${gathers[i]}" ]
	done <relay
	kill -TERM "${publishers[@]}"
	all_end "${publishers[@]}"
	ask 2 'pub group=end confirm=safe data=end' | grep '^ok pos='
	all_end "${recorders[@]}"
	echo end >end
	"$RINGKIT_BUILD/tests/check/evscheck" --settled --accepted 2=end \
		--accepted 1=p1.accepted --accepted 2=p2.accepted \
		--accepted 3=p3.accepted rec?.1
}

@test "a member that lies: no crash, and a good ring as soon as it is gone" {
	local i traitor
	config 4
	cp "$RINGKIT_BUILD/tests/seal/traitor" traitor
	start 1 2 3
	together 1,2,3
	record
	folders 4
	TRAITOR=$seed background "${AS_NOBODY[@]}" ./traitor -c ringkit.conf \
		--node n4 --rundir run4 --statedir state4 2>traitor.log
	traitor=$!
	appears log1 'view-installed .* members=1,2,3,4 '
	# no event: it is to have its time; and it may die of its own lies
	for ((i = 0; i < ${TRAITOR_S:-4}; i++)); do
		sleep 1 # no event: see above
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
	kill -TERM "${publishers[@]}"
	all_end "${publishers[@]}"
	ask 2 'pub group=end confirm=safe data=end' | grep '^ok pos='
	all_end "${recorders[@]}"
	for i in 1 2 3; do
		ask "$i" stats | grep -E 'refused|malformed|unknown|gathers '
	done
}
