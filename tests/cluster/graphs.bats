#!/usr/bin/env bats
# Five ringds in network namespaces, between which datagrams get lost in one
# direction only: ten graphs of who hears whom.  However asymmetric they are,
# rings come to rest in time: each is of nodes that hear each other, no two
# could be one, and no view follows.
# GRAPH_MS is how long they may take, GRAPH_STAY_S how long they must stay.
# shellcheck disable=SC2034,SC2154 # variables are shared

load ../cli/ringd_nodes
load nodes
load paused

setup()
{
	load trio
	nodes_need
	nodes_begin
	AS_NOBODY=()
	nodes_dir=$DIR
	{ nodes_up 5 && nodes_graph '1>2' && nodes_graph; } 2>nodes.err ||
		skip "no namespaces, or no nftables in bridges: $(head -n 1 nodes.err)"
	trio_count=5
	trio_config
}

teardown()
{
	trio_down
}

# ---- the rings, by the logs of the nodes ------------------------------------

# ring_at I: what the last view of its ring is, as "VIEW MEMBERS".
ring_at()
{
	sed -n 's/^view-installed view=\([^ ]*\) members=\([^ ]*\) .*/\1 \2/p' \
		"log$1.ringd" | tail -n 1
}

views_of_all()
{
	cat log?.ringd | grep -c '^view-installed '
}

# linked I J WAY...: nothing is lost between them.
linked()
{
	local way i=$1 j=$2
	shift 2
	for way; do
		[ "$way" != "$i>$j" ] && [ "$way" != "$j>$i" ] || return 1
	done
}

# clique LIST WAY...: all of the list 1,2,3 hear each other.
clique()
{
	local i j list=${1//,/ }
	shift
	for i in $list; do
		for j in $list; do
			[ "$i" -ge "$j" ] || linked "$i" "$j" "$@" || return
		done
	done
}

# right WAY...: every ring is where it may stay; why not is in $wrong.
right()
{
	local i j rings=()
	for i in 1 2 3 4 5; do
		rings[i]=$(ring_at "$i")
	done
	wrong="${rings[*]}"
	for i in 1 2 3 4 5; do
		[ "${rings[i]}" ] || return
		clique "${rings[i]#* }" "$@" || return
		for j in 1 2 3 4 5; do
			case ,${rings[i]#* }, in
			*,$j,*) [ "${rings[i]}" = "${rings[j]}" ] || return ;;
			*) ! clique "${rings[i]#* },${rings[j]#* }" "$@" ||
				return ;;
			esac
		done
	done
}

# last_ms: when the last view of all was installed.
last_ms()
{
	cat log?.ringd | sed -n 's/^view-installed .* ts=//p' |
		date -f - +%s%3N | sort -n | tail -n 1
}

# started_ms: when the last of all was.
started_ms()
{
	cat log?.ringd | sed -n 's/^started .* ts=//p' |
		date -f - +%s%3N | sort -n | tail -n 1
}

# stays WAY...: every ring is where it may stay, and no view comes.
stays()
{
	local before
	right "$@" || return
	before=$(views_of_all)
	sleep "${GRAPH_STAY_S:-1.5}" # no event: no view is to come for so long
	right "$@" && [ "$(views_of_all)" = "$before" ]
}

# rests SINCE_MS WAY...: for good; and in time, or $late says so.  Where all are
# right, one may still gather for what comes to nothing: its view is the last.
rests()
{
	local since=$1 last took excused end=$((SECONDS + 60))
	shift
	until stays "$@"; do
		((SECONDS < end)) || {
			echo "no rest: $wrong"
			return 1
		}
	done
	last=$(last_ms)
	took=$((last - since))
	excused=$(paused_ms "$since" "$last" log?.ringd)
	echo "# lost ways $*: at rest after $took ms ($excused paused):" \
		"$wrong" >&3
	[ $((took - excused)) -lt "${GRAPH_MS:-2000}" ] || late=yes
}

# ---- lives ------------------------------------------------------------------

# starts WAY...: all of them begin a new life in this graph.
starts()
{
	local i
	for i in 1 2 3 4 5; do
		[ -z "${TRIO[$i.ringd]:-}" ] || {
			kill -KILL "${TRIO[$i.ringd]}"
			trio_gone "$i" ringd 137
		}
		: >"log$i.ringd"
	done
	nodes_graph "$@"
	for i in 1 2 3 4 5; do
		trio_launch "$i" ringd
	done
	for i in 1 2 3 4 5; do
		appears "log$i.ringd" '^started ' >/dev/null
	done
}

# begins WAY...: and come to rest in it.
begins()
{
	local since
	starts "$@"
	since=$(started_ms)
	rests "$since" "$@"
}

# whole: they begin a new life as one ring.
whole()
{
	local i
	starts
	for i in 1 2 3 4 5; do
		appears "log$i.ringd" \
			'^view-installed .* members=1,2,3,4,5 ' >/dev/null
	done
}

# becomes WAY...: the graph is this from now on.
becomes()
{
	local since
	since=$(now_ms)
	nodes_graph "$@"
	rests "$since" "$@"
}

# life FIRST NEXT...: graphs, each a list of ways, one after the other.  The
# best of five counts, less the time in which a ringd was kept from running for
# so long that it found out.
# shellcheck disable=SC2086 # lists
life()
{
	local try graph
	for try in 1 2 3 4 5; do
		late=no
		if [ "$1" ]; then
			begins $1
		else
			whole
		fi
		for graph in "${@:2}"; do
			becomes $graph
		done
		[ "$late" = yes ] || return 0
	done
	late_again
}

# ways FROM TO: of all FROM (1,2) to all TO (3,4), as words.
ways()
{
	local i j
	for i in ${1//,/ }; do
		for j in ${2//,/ }; do
			printf '%s>%s ' "$i" "$j"
		done
	done
}

@test "a whole ring loses ways, and keeps what is left" {
	life '' '1>5'
	life '' '1>2 2>3 3>4 4>5 5>1'
	life '' "$(ways 3 1,2,4,5)"
	life '' "$(ways 1,2 3,4,5)"
}

@test "nodes that start where ways are missing" {
	life "$(ways 1,2,4,5 3)"
	life "$(ways 2 3,4,5) $(ways 3 4,5) 4>5"
	life '1>2 3>2 3>4 5>4'
}

@test "ways that are lost, and others that come back" {
	life '' '2>4' '2>4 1>3 5>1'
	life '1>5' '1>2'
	life "$(ways 4,5 1,2,3)" ''
}
