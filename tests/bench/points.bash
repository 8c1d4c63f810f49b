# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared
# points.bash: one measurement on the daemons that run, to be sourced.
#
#   points_quiet            waits for the rest of the machine; all these waits
#                           together take at most BENCH_QUIET_S seconds (60)
#   points_thr SENDERS SIZE OWN MS     a row of throughput
#   points_lat SENDERS SIZE COUNT GAP_US
#
# Rows are key=value words, tab separated, and a name in front.

points_hz=$(getconf CLK_TCK)
points_softirqd=$(pgrep '^ksoftirqd/' 2>/dev/null | tr '\n' ' ')

# Seconds that all processors were busy since the machine started.
points_busy()
{
	awk -v hz="$points_hz" '$1 == "cpu" {
		printf "%.2f", ($2 + $3 + $4 + $7 + $8) / hz
	}' /proc/stat
}

# Seconds that the daemons, and the kernel for everybody's packets, have used.
points_used()
{
	local pid files=()
	for pid in "${daemons_pid[@]}" $points_softirqd; do
		files+=("/proc/$pid/task"/*/schedstat)
	done
	awk '{ s += $1 } END { printf "%.3f", s / 1e9 }' "${files[@]}" 2>/dev/null
}

points_share() # BUSY_S WALL_NS: of all processors
{
	awk -v busy="$1" -v wall="$2" -v n="$(nproc)" 'BEGIN {
		share = busy / (wall / 1e9) / n
		printf "%.3f", share < 0 ? 0 : share
	}'
}

points_waits=$((${BENCH_QUIET_S:-60} * 2))

points_quiet()
{
	local busy from share
	while ((points_waits-- > 0)); do
		busy=$(points_busy) from=$(date +%s%N)
		read -r -t 0.45 _ <>"$nodes_dir/never"
		share=$(points_share "$(echo "$(points_busy) $busy" |
			awk '{ print $1 - $2 }')" $(($(date +%s%N) - from)))
		awk -v s="$share" 'BEGIN { exit !(s <= 0.10) }' && return
	done
}

# Runs one load a node; their last lines, in $nodes_dir/rows.
points_load() # SENDERS MODE OPTIONS...
{
	local i fd fds=() line senders=$1 mode=$2 role program place
	shift 2
	: >"$nodes_dir/rows"
	for ((i = 1; i <= nodes_count; i++)); do
		role=
		[ "$i" -gt "$senders" ] || role=-s
		[ "$i" != 1 ] || role="$role -c"
		program=$RINGKIT_BUILD/tests/bench/ringload place=$nodes_dir/$i
		[ "${daemons_kind%%-*}" = ring ] ||
			program=$RINGKIT_BUILD/tests/bench/peer_cpg
		# shellcheck disable=SC2086 # role is a list of options
		exec {fd}< <(nodes_exec "$i" timeout 90 "$program" "$mode" \
			"$place" $role -n "$nodes_count" \
			-d "${daemons_pid[i]}" "$@" <>"$nodes_dir/go")
		fds[i]=$fd
	done
	for ((i = 1; i <= nodes_count; i++)); do
		read -r -t 60 line <&"${fds[i]}" && [ "$line" = ready ] && continue
		echo "node $i of $daemons_kind is not ready" >&2
		daemons_log "$i" | tail -n 5 >&2
		break
	done
	points_from=$(date +%s%N) points_busy0=$(points_busy)
	points_used0=$(points_used)
	echo go 1<>"$nodes_dir/go"
	for fd in "${fds[@]}"; do
		cat <&"$fd" >>"$nodes_dir/rows"
		exec {fd}<&-
	done
}

# The rows of all nodes as one.
points_row() # WORDS...
{
	local wall=$(($(date +%s%N) - points_from))
	local busy used self foreign
	busy=$(points_busy) used=$(points_used)
	self=$(sed -n 's/.*self=\([0-9.]*\).*/\1/p' "$nodes_dir/rows" |
		awk '{ s += $1 } END { print s + 0 }')
	foreign=$(points_share "$(echo "$busy $points_busy0 $used $points_used0 $self" |
		awk '{ print $1 - $2 - ($3 - $4) - $5 }')" "$wall")
	awk -v n="$nodes_count" -v foreign="$foreign" -v words="$*" -f \
		"$points_here/row.awk" "$nodes_dir/rows"
}

points_thr() # SENDERS SIZE OWN MS
{
	points_load "$1" thr -b "$2" -o "$3" -t "$4" -w "${BENCH_WARM_MS:-400}"
	points_row "bench=thr n=$nodes_count senders=$1 size=$2 span_s=$(
		awk -v ms="$4" 'BEGIN { print ms / 1000 }')"
}

points_lat() # SENDERS SIZE COUNT GAP_US
{
	points_load "$1" lat -b "$2" -k "$3" -i "$4"
	points_row "bench=lat n=$nodes_count senders=$1 size=$2 gap_us=$4"
}
