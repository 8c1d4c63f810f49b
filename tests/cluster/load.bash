# shellcheck shell=bash
# load.bash: what three nodes order while something is done to them; to be
# loaded after ../cli/ringd_nodes.bash.  Node I's recorder writes recI.1, its
# publisher pI.accepted.

load_aids=$RINGKIT_BUILD/tests/cli
load_publishers=() load_recorders=() load_gathers=()

# load_begins RATE: each of nodes 1 to 3 records, and publishes so many messages
# a second; returns when node 3's have come to node 1.
load_begins()
{
	local i
	load_recorders=() load_publishers=()
	for i in 1 2 3; do
		background "$load_aids/recorder" -e end "run$i" "rec$i" \
			>"ready.$i"
		load_recorders+=($!)
	done
	for i in 1 2 3; do
		appears "ready.$i" ready
		background "$load_aids/publisher" -s "$i" -r "$1" -x 20000 \
			"run$i" "p$i" "p$i"
		load_publishers+=($!)
	done
	appears rec1.1 'msg .* node=3 '
	for i in 1 2 3; do
		load_gathers[i]=$(stat_of "$i" ring_gathers)
	done
}

# load_undisturbed: no node has left its ring since load_begins.
load_undisturbed()
{
	local i
	for i in 1 2 3; do
		[ "$(stat_of "$i" ring_gathers)" = "${load_gathers[i]}" ] || {
			echo "node $i has gathered"
			return 1
		}
	done
}

# load_all_end PID...: each with code 0.
load_all_end()
{
	local pid
	for pid; do
		wait "$pid"
	done
}

# load_stops: publishes no more, and waits until all is recorded.
load_stops()
{
	kill -TERM "${load_publishers[@]}"
	load_all_end "${load_publishers[@]}"
	ask 2 'pub group=end confirm=safe data=end' | grep '^ok pos='
	load_all_end "${load_recorders[@]}"
}

# load_ends [OPTION...]: stops, and has evscheck judge what was recorded.
load_ends()
{
	load_stops
	echo end >end
	"$RINGKIT_BUILD/tests/check/evscheck" --settled --accepted 2=end \
		--accepted 1=p1.accepted --accepted 2=p2.accepted \
		--accepted 3=p3.accepted "$@" rec?.1
}
