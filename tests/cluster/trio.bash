# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared
# trio.bash: ringd, memberd, quorumd and a watcher on each of some nodes in
# namespaces; to be loaded after ../cli/ringd_nodes.bash and nodes.bash.
#
# What is done to nodes is written to the file deeds, as viewcheck reads it;
# what the watcher of node I prints is in watchI.  Each deed begins with mark:
# sees and tells look only at what was printed since.

declare -gA TRIO=() # pid, by node and program, as in TRIO[3.ringd]
TRIO_PROGRAMS=(ringd memberd quorumd)
MARK=()             # lines in each watcher's log
trio_count=0
trio_here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)

# trio_up N [LINE...]: the lines come before the sections of the nodes.
trio_up()
{
	local i
	nodes_need
	nodes_begin
	AS_NOBODY=()
	nodes_dir=$DIR
	{ nodes_up "$1" && nodes_cut 1 2 && nodes_heal; } 2>nodes.err ||
		skip "no namespaces, or no nftables in bridges: $(head -n 1 nodes.err)"
	trio_count=$1
	shift
	trio_config "$@"
	: >deeds
	for ((i = 1; i <= trio_count; i++)); do
		trio_start "$i"
		MARK[i]=0
	done
	for ((i = 1; i <= trio_count; i++)); do
		background "$RINGKIT_BIN/watch-membership" --json \
			--wait-daemon --rundir "run$i" >"watch$i"
	done
}

trio_down()
{
	trio_is_up || return 0
	nodes_end
	local code=$?
	nodes_down >/dev/null 2>&1
	return "$code"
}

trio_is_up() { [ "${DIR:-}" ] && [ "$trio_count" != 0 ]; }

trio_config() # LINE...
{
	local i
	another_key
	{
		printf '[cluster]\nname = trio\nkey_file = key\n'
		printf '[ring]\nrt_priority = 0\n'
		[ $# = 0 ] || printf '%s\n' "$@"
		for ((i = 1; i <= trio_count; i++)); do
			printf '[node n%s]\nid = %s\nlink0 = %s\n' \
				"$i" "$i" "${nodes_addr[i]}"
		done
	} >ringkit.conf
}

# trio_launch I PROGRAM
trio_launch()
{
	local i=$1 program=$2
	mkdir -p "run$i" "state$i"
	# In other namespaces the working directory is another.
	nodes_exec "$i" "$RINGKIT_BIN/$program" --config "$DIR/ringkit.conf" \
		--node "n$i" --rundir "$DIR/run$i" --statedir "$DIR/state$i" \
		2>>"log$i.$program" </dev/null 3>&- &
	TRIO[$i.$program]=$!
}

trio_start() # I: whatever does not run of it
{
	local program
	for program in "${TRIO_PROGRAMS[@]}"; do
		[ -n "${TRIO[$1.$program]:-}" ] || trio_launch "$1" "$program"
	done
}

# trio_gone I PROGRAM CODE: it ended with this code.
trio_gone()
{
	local code=0
	wait "${TRIO[$1.$2]}" 2>/dev/null || code=$?
	unset "TRIO[$1.$2]"
	[ "$code" = "$3" ] || {
		echo "$2 of node $1 ended with $code"
		return 1
	}
}

# ---- what is done to them --------------------------------------------------

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

mark()
{
	local i
	for ((i = 1; i <= trio_count; i++)); do
		MARK[i]=$(wc -l <"watch$i")
	done
}

deed() # KIND WHOM
{
	mark
	echo "$(now_ms) $*" >>deeds
}

slay_ring() # I
{
	deed kill "$1"
	kill -KILL "${TRIO[$1.ringd]}"
	trio_gone "$1" ringd 137
}

start_node() # I
{
	deed start "$1"
	trio_start "$1"
}

# Nothing tells the others that the port is closed for a moment.
restart_ring() # I
{
	nodes_mute "$1"
	deed restart "$1"
	kill -KILL "${TRIO[$1.ringd]}"
	trio_gone "$1" ringd 137
	trio_launch "$1" ringd
}

stop_node() # I
{
	local program
	deed stop "$1"
	for program in quorumd memberd ringd; do
		kill -TERM "${TRIO[$1.$program]}"
		trio_gone "$1" "$program" 0
	done
}

pids_of() # I
{
	echo "${TRIO[$1.ringd]} ${TRIO[$1.memberd]} ${TRIO[$1.quorumd]}"
}

pause_node() # I
{
	deed pause "$1"
	# shellcheck disable=SC2046 # a list
	freeze $(pids_of "$1")
}

resume_node() # I
{
	deed resume "$1"
	# shellcheck disable=SC2046 # a list
	thaw $(pids_of "$1")
}

part() # LIST LIST
{
	deed cut "$1|$2"
	nodes_cut "$1" "$2" both
}

part_oneway() # FROM TO
{
	deed oneway "$1>$2"
	nodes_cut "$1" "$2"
}

heal()
{
	deed heal
	nodes_heal
}

# ---- what they tell of it --------------------------------------------------

# tells I PATTERN [SECONDS]: the watcher of node I has printed it since.
tells()
{
	: >input
	first_match "$2" "${3:-60}" tail -n "+$((MARK[$1] + 1))" -F \
		"watch$1" >/dev/null || {
		echo "node $1; last: $(tail -n 1 "watch$1")"
		return 1
	}
}

# comes_to I MEMBERS QUORATE: the last that the watcher of node I has told of
# members and of a verdict is this, and something was told since.  (A node
# that comes and goes too often is kept out of the ring for up to 30 s.)
comes_to()
{
	local fd tail line members quorate number=0 code=1
	local end=$((SECONDS + 90))
	members="" quorate=""
	exec {fd}< <(exec tail -n +1 -F "watch$1" 2>/dev/null)
	tail=$!
	while read -r -t $((end > SECONDS ? end - SECONDS : 1)) -u "$fd" line; do
		number=$((number + 1))
		case $line in
		*'"event":"view"'* | *'"event":"ready"'*)
			members=${line#*\"members\":[}
			members=${members%%]*}
			;;
		*'"event":"down"'*) quorate=unknown ;;
		esac
		case $line in
		*'"quorate":"'*)
			quorate=${line#*\"quorate\":\"}
			quorate=${quorate%%\"*}
			;;
		esac
		[ "$number" -gt "${MARK[$1]}" ] || continue
		[[ $members =~ ^$2$ && $quorate = "$3" ]] || continue
		code=0
		break
	done
	kill "$tail"
	exec {fd}<&-
	[ "$code" = 0 ] || echo "node $1: members $members, quorate $quorate"
	return "$code"
}

# sees NODES MEMBERS QUORATE: each of the nodes comes to it.
sees()
{
	local i
	for i in ${1//,/ }; do
		comes_to "$i" "$2" "$3"
	done
}

# stalls: when a ringd found that the machine had kept it from running for so
# long that the ring may have suffered.
stalls()
{
	local i ms at
	for ((i = 1; i <= trio_count; i++)); do
		while read -r ms at; do
			[ "$ms" -lt 80 ] || echo "$((at - ms)) stall $i"
		done < <(paste -d' ' \
			<(sed -n 's/^paused ms=\([0-9]*\) .*/\1/p' "log$i.ringd") \
			<(sed -n 's/^paused ms=.* ts=//p' "log$i.ringd" |
				date -f - +%s%3N))
	done
}

# judge [OPTION...]: what all watchers have printed.
judge()
{
	local i logs=() votes=
	for ((i = 1; i <= trio_count; i++)); do
		logs+=("$i=watch$i")
		votes=$votes${votes:+,}$i:1
	done
	stalls | sort -n -k 1,1 - deeds >deeds.stalls
	"$trio_here/../check/viewcheck.py" --votes "$votes" \
		--deeds deeds.stalls "$@" "${logs[@]}"
}
