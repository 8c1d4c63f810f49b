# lockstorm.bash term|kill|stop ROUNDS: ringlocks in the current folder, and
# what happens to them at any moment.  8 and 9 are those of lock_start.
#
# shellcheck shell=bash disable=SC1091,SC2013,SC2016,SC2034,SC2153,SC2154
here=$(dirname "$0")
bats_require_minimum_version() { :; }
. "$here/helpers.bash"
. "$here/lockfake.bash"
. "$here/locktree.bash"
HOLDERS=()

# Without a descriptor of ours, so that it cannot be told from work.
alone() { flock -n alone true; }

storm_term()
{
	: >alone
	rm -f ran
	hold a -- sh -c 'exec 7>>alone; flock -n 7 || echo x >>two
		echo >>ran; exec tail -f /dev/null'
	sleep "0.0$((RANDOM % 30 + 10))" # no event: at any moment
	kill -TERM "$HOLDER"
	ended 143
	alone
	ringlock_ --try a -- true
}

# All processes below, and the one itself.
tree_of()
{
	local child
	echo "$1"
	for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		tree_of "$child"
	done
}

# next ...: waits already, at another node.
start_next()
{
	RINGKIT_RUNDIR=$PWD/store/2 hold a -- sh -c '
		flock -n alone true || echo "not alone" >>two'
}

storm_kill()
{
	local victims victim first
	start_tree --ttl 2s --grace 1s
	first=$HOLDER
	start_next
	mapfile -t victims < <(tree_of "$first")
	sleep "0.$((RANDOM % 9))" # no event: at any moment
	victim=${victims[RANDOM % ${#victims[@]}]}
	[ "$round" != 0 ] || victim=$first
	[ "$round" != 1 ] || victim=$GUARD
	echo "kill $victim of ${victims[*]}"
	kill -KILL "$victim" 2>/dev/null || :
	# One that only lost something of its tree goes on.
	[ "$victim" = "$first" ] || [ "$victim" = "$GUARD" ] ||
		kill -KILL "$first" 2>/dev/null || :
	ended 0
	wait "$first" || :
}

storm_stop()
{
	local first who=$((RANDOM % 3))
	start_tree --ttl 2s --grace 1s
	first=$HOLDER
	start_next
	sleep "0.$((RANDOM % 9))" # no event: at any moment
	echo "stop $who"
	case $who in
	0) kill -STOP "$first" ;;
	1) kill -STOP "$GUARD" && order deaf 1 ;;
	2) order deaf 1 ;;
	esac
	ended 0
	order hear 1
	kill -CONT "$first" "$GUARD" 2>/dev/null || :
	ended 122 "$first"
}

for ((round = 0; round < $2; round++)); do
	echo "round $round"
	"storm_$1"
	[ ! -e two ]
done
