#!/bin/bash
# shellcheck disable=SC2034,SC2154 # variables are shared with the parts
# calm.sh: how often a ring changes its view though all of it lives.  Rings of
# three ringds on loopback addresses, without privileges and hence without a
# realtime priority, all at the same time; beside them, in sessions of their own,
# twice as many busy loops of the same priority as there are processors.
#
#   RINGKIT_BIN      where the programs were built
#   CALM_S           how many seconds are looked at (1800)
#   CALM_WARM_S      seconds before that, which do not count (120)
#   CALM_LOOPS       how many busy loops (twice as many as processors)
#   CALM_RINGS       a list of (all):
#                      lan wan loaded-vm   a ring of that preset
#                      stopped             of preset lan; one of its nodes,
#                                          or just the ring of it without its
#                                          supervisor, is stopped for CALM_STOP
#   CALM_STOP        seconds (0.05)
#   CALM_EVERY       up to so many seconds lie between two stops (4)
#
# A row of key=value words, tab separated, for each ring: views that its nodes
# installed, by node; and for all its nodes together how often one found that it
# had not been run (pauses; of those that it told of, pause_max_ms was the
# longest), and what its detector counted.
set -u
here=$(cd "${0%/*}" && pwd)
: "${RINGKIT_BIN:=${here%/tests/bench}/build/none}"
# Its addresses are nobody's who tests meanwhile.
: "${RINGKIT_TEST_SLOT:=$((100 + $$ % 50))}"
BATS_TEST_NUMBER=0 BATS_TEST_COMPLETED=1 # of the parts that tests use
# shellcheck source=/dev/null
. "$here/../cli/ringd_nodes.bash"

rings=${CALM_RINGS:-lan wan loaded-vm stopped}
loops=${CALM_LOOPS:-$((2 * $(nproc)))}
counters=(pauses suspicions suspicions_refuted deaths cuts)
declare -A nodes=() # supervisors, by ring
declare -A mark=()  # lines of each log, and counters, when it began to count

finish()
{
	nodes_end
}
trap finish EXIT
trap 'exit 1' INT TERM

# passes SECONDS: so long nothing is done.
passes()
{
	sleep "$1" & # no event: time is what is measured
	wait $!
}

ring_begins() # RING
{
	local preset=$1
	[ "$1" != stopped ] || preset=lan
	BATS_TEST_NUMBER=$((BATS_TEST_NUMBER + 1))
	mkdir "$1" && cd "$1" || return
	config 3 '[ring]' "preset = $preset"
	start 1 2 3 && together 1,2,3 || return
	nodes[$1]="${PID[1]} ${PID[2]} ${PID[3]}"
	cd ..
}

# They never wait, as long as this shell is there to end them.
loops_begin()
{
	local i
	for ((i = 0; i < loops; i++)); do
		# shellcheck disable=SC2016
		setsid bash -c 'while [ -e "/proc/$0" ]; do
			for ((i = 0; i < 100000; i++)); do :; done
		done' $$ &
	done
}

# stops RING: of a node at random, again and again; writes how long each took,
# in us.
stops()
{
	local whom began
	read -ra whom <<<"${nodes[$1]}"
	exec 9<>"$1/never"
	# Or it would wait for its turn while somebody is stopped.
	chrt -r -p 30 "$BASHPID" 2>/dev/null
	while :; do
		read -rt $((RANDOM % CALM_EVERY)).$((RANDOM % 900 + 100)) -u 9
		set -- "${whom[RANDOM % 3]}"
		set -- $((RANDOM % 2 ? $1 : 0)) "$(ring_of "$1")"
		[ "$1" != 0 ] || shift
		began=${EPOCHREALTIME/./}
		kill -STOP "$@"
		read -rt "$CALM_STOP" -u 9
		kill -CONT "$@"
		echo $((${EPOCHREALTIME/./} - began))
	done
}

ring_marks() # RING
{
	local i name
	for i in 1 2 3; do
		mark[$1.$i]=$(wc -l <"$1/log$i")
	done
	for name in "${counters[@]}"; do
		mark[$1.$name]=$(counted "$1" "$name")
	done
}

since() # RING I: what node I has logged since
{
	tail -n "+$((mark[$1.$2] + 1))" "$1/log$2"
}

since_all() # RING
{
	local i
	for i in 1 2 3; do
		since "$1" "$i" | sed "s/^/node $i: /"
	done
}

counted() # RING NAME: of all nodes
{
	local i sum=0
	for i in 1 2 3; do
		sum=$((sum + $(cd "$1" && stat_of "$i" "ring_$2")))
	done
	echo "$sum"
}

# verdict RING VIEWS
verdict()
{
	local most=0
	case $1 in
	lan) most=2 ;;
	wan) return ;;
	esac
	if [ "$2" -le $most ]; then
		printf '\t<= %d: met' $most
	else
		printf '\t<= %d: MISSED' $most
	fi
}

# longest FILE [DIVISOR]: of numbers
longest()
{
	sort -n "$1" | tail -n 1 | awk -v by="${2:-1}" '
	{ most = $1 } END { printf "%.0f", most / by }'
}

ring_row() # RING
{
	local i views=() most=0 name
	for i in 1 2 3; do
		views[i]=$(since "$1" "$i" | grep -c '^view-installed ')
		[ "${views[i]}" -le "$most" ] || most=${views[i]}
	done
	since_all "$1" | grep ': paused ' | word ms >"$1/paused"
	printf 'bench=calm\tkind=%s\tsched=%s\ts=%d\tviews=%s\tper_hour=%.1f' \
		"$1" "$(cd "$1" && ask 1 status | grep kind=process | word sched)" \
		"$seconds" "${views[1]},${views[2]},${views[3]}" \
		"$(awk -v n="$most" -v s="$seconds" 'BEGIN { print 3600 * n / s }')"
	[ ! -s "$1/stops" ] || printf '\tstops=%d\tstop_max_ms=%d' \
		"$(wc -l <"$1/stops")" "$(longest "$1/stops" 1000)"
	printf '\tpause_max_ms=%d' "$(longest "$1/paused")"
	for name in "${counters[@]}"; do
		printf '\t%s=%d' "$name" \
			$(($(counted "$1" "$name") - mark[$1.$name]))
	done
	verdict "$1" "$most"
	echo
	[ "$most" = 0 ] || since_all "$1" | grep -v ': paused ' | sed 's/^/# /'
	(cd "$1" && together 1,2,3) || echo "# $1: it is not whole"
}

nodes_begin
seconds=${CALM_S:-1800}
: "${CALM_STOP:=0.05}" "${CALM_EVERY:=4}"
for ring in $rings; do
	ring_begins "$ring" || exit
done
loops_begin
case " $rings " in
*" stopped "*)
	mkfifo stopped/never
	stops stopped >>stopped/stops &
	;;
esac
passes "${CALM_WARM_S:-120}"
for ring in $rings; do
	ring_marks "$ring"
done
[ ! -e stopped/stops ] || : >stopped/stops
passes "$seconds"
echo "# $loops busy loops, $(nproc) processors, load $(cut -d' ' -f1-3 </proc/loadavg)"
for ring in $rings; do
	ring_row "$ring"
done
