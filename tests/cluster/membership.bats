#!/usr/bin/env bats
# Five nodes, each with ringd, memberd, quorumd and a watcher, in network
# namespaces of their own, while they are cut off from each other, stopped,
# killed and made to leave; then viewcheck judges what the watchers printed.
# PAUSE_S is how long nodes are stopped; ROUNDS how often all is done again;
# KEEP=1 leaves what was printed.

load ../cli/ringd_nodes
load nodes

setup()
{
	load trio
	# So patient that a busy machine alone makes no departures.
	trio_up 5 'heartbeat = 200ms'
	sees 1,2,3,4,5 1,2,3,4,5 yes
}

teardown()
{
	trio_down
}

# answers I CODE: check-quorum at node I.  (On a busy machine no tick may have
# come for a while: then it does not know.)
answers()
{
	local code limit=30s end=$((SECONDS + 30))
	[ "$2" != 69 ] || limit=2s
	while
		code=0
		RINGKIT_TIMEOUT=$limit "$RINGKIT_BIN/check-quorum" -q \
			--rundir "run$1" || code=$?
		[ "$code" != "$2" ]
	do
		if [ "$code" != 69 ] || [ $SECONDS -ge $end ]; then
			echo "node $1 answers $code, not $2"
			return 1
		fi
	done
}

rounds()
{
	local round
	for ((round = 0; round < ${ROUNDS:-1}; round++)); do
		"$@"
	done
}

parted()
{
	part 1,2,3 4,5
	sees 1,2,3 1,2,3 yes
	sees 4,5 4,5 no
	answers 3 0
	answers 4 1
	heal
	sees 1,2,3,4,5 1,2,3,4,5 yes
	# Whoever nobody hears is out, and whoever two cannot both have.
	part_oneway 5 1,2,3,4
	sees 1,2,3,4 1,2,3,4 yes
	sees 5 5 no
	heal
	sees 1,2,3,4,5 1,2,3,4,5 yes
	# Whom two no longer hear is not lost to the others.
	part_oneway 1,2,3 4,5
	sees 1,2,3 1,2,3 yes
	sees 4,5 4,5 no
	heal
	sees 1,2,3,4,5 1,2,3,4,5 yes
	part_oneway 2 4
	sees 1,3,5 '[12345](,[12345]){3}' yes
	heal
	sees 1,2,3,4,5 1,2,3,4,5 yes
}

@test "partitions and cuts in one direction" {
	rounds parted
	judge
}

# asked I: what check-quorum answers to a question that lay there meanwhile.
asked()
{
	local code=0
	RINGKIT_TIMEOUT=$((${PAUSE_S:-3} + 10))s "$RINGKIT_BIN/check-quorum" \
		-o quorate,view --rundir "run$1" || code=$?
	echo "code $code"
}

paused() # NODE
{
	local others=1,2,3,4,5 before asking
	others=${others//$1,/}
	others=${others%,"$1"}
	# A busy machine may keep it from knowing for a moment.
	until before=$("$RINGKIT_BIN/check-quorum" -o view --rundir "run$1"); do
		sleep 0.1 # no event: of a moment that is over
	done
	pause_node "$1"
	sees "$others" "$others" yes
	answers "$1" 69
	background asked "$1" >"asked$1"
	asking=$!
	sleep "${PAUSE_S:-3}" # no event: it is to be stopped so long
	resume_node "$1"
	wait "$asking"
	cat "asked$1"
	! grep -F "yes $before" "asked$1"
	sees 1,2,3,4,5 1,2,3,4,5 yes
	tells "$1" '"event":"pause","ms":'
}

@test "a stopped node does not say yes when it wakes" {
	rounds paused 2
	rounds paused 1
	judge
}

slain()
{
	slay_ring 3
	sees 1,2,4,5 1,2,4,5 yes
	start_node 3
	sees 1,2,3,4,5 1,2,3,4,5 yes
	restart_ring 4
	sees 1,2,3,5 1,2,3,4,5 yes
	sees 4 1,2,3,4,5 yes
	heal
	stop_node 5
	sees 1,2,3,4 1,2,3,4 yes
	start_node 5
	sees 1,2,3,4,5 1,2,3,4,5 yes
	slay_ring 1
	sees 2,3,4,5 2,3,4,5 yes
	start_node 1
	sees 1,2,3,4,5 1,2,3,4,5 yes
}

@test "kills, fast restarts and clean leaves" {
	rounds slain
	judge
}
