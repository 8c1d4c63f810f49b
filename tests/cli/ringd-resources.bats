#!/usr/bin/env bats
# What ringd costs: memory, packets, processor time; and that none of it
# grows.  (An allocation after the start kills a ringd under test, see
# tests/seal, so every file of tests shows that there is none.)
# REFORMATIONS says how many the last test makes.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

load ringd_nodes

setup()
{
	nodes_begin
	aids=$RINGKIT_BUILD/tests/cli
}

teardown()
{
	nodes_end
}

# rss_kb I: resident memory of node I.
rss_kb()
{
	awk '/^VmRSS:/ { print $2 }' "/proc/$(ring_of "${PID[$1]}")/status"
}

fits() # I
{
	local kb
	kb=$(rss_kb "$1")
	echo "node $1: $kb kB"
	[ "$kb" -le 32768 ]
}

# publish I COUNT BYTES [OPTION...]: and wait until all are answered.
publish()
{
	local i=$1 count=$2 bytes=$3
	shift 3
	"$aids/publisher" -n "$count" -r 1000000 -w 64 -x "$bytes" "$@" \
		"run$i" "p$i.$bytes" "p$i.$bytes" 3>&- |
		grep -x "$count sent, $count accepted"
}

@test "32 MiB are enough, with long messages and readers that do not read" {
	config 3
	start 2 3
	# Where it may, ringd locks memory: the worst case is root's.
	[ "$(id -u)" != 0 ] || chown 0:0 key
	export AS_NOBODY=()
	start 1
	together 1,2,3
	local i
	for i in 1 2 3; do
		subscribed "$i" "seen$i" listen
		kill -STOP "${PIDS[-1]}"
	done
	for i in 1 2 3; do
		publish "$i" 2000 2000
		publish "$i" 12 1048576 -e
	done
	ask 1 status | grep 'kind=process'
	ask 1 status | grep 'subs=1'
	[ "$(ask 1 status | grep 'subs=1' | word lost)" -gt 0 ]
	for i in 1 2 3; do
		fits "$i"
	done
}

# is_idle: in 5 s no node sends more, or works longer, than it may.  Where the
# bare calls of a ring at rest take half of its 1 % themselves, that is twice
# what they take in the same 5 s.
is_idle()
{
	local i packets=() cpu=() began ms bare most code=0
	began=$EPOCHREALTIME
	for i in 1 2 3; do
		packets[i]=$(stat_of "$i" udp_sent_datagrams)
		cpu[i]=$(stat_of "$i" cpu_ns)
	done
	bare=$("$aids/barering" 5)
	echo "the bare calls: $bare ms"
	for i in 1 2 3; do
		packets[i]=$(($(stat_of "$i" udp_sent_datagrams) - packets[i]))
		cpu[i]=$((($(stat_of "$i" cpu_ns) - cpu[i]) / 1000000))
		ms=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
		echo "node $i: ${packets[i]} packets, ${cpu[i]} ms in $ms ms"
		[ "${packets[i]}" -le $((ms / 10)) ] || code=1
		most=$((ms / 100 > 2 * bare ? ms / 100 : 2 * bare))
		[ "${cpu[i]}" -le "$most" ] || code=1
	done
	return $code
}

# Others may be at work here, and make it send again, but not always.
becomes_idle()
{
	local round
	for round in {1..12}; do
		echo "round $round"
		! is_idle || return 0
	done
	return 1
}

@test "idle: at most 100 packets a second, and 1 % of a processor" {
	config 3
	start 1 2 3
	together 1,2,3
	becomes_idle
}

@test "many reformations leave nothing behind" {
	local i fds kb count=${REFORMATIONS:-60}
	config 3
	start 1 2 3
	together 1,2,3
	for i in 1 2; do
		publish "$i" 300 2000
	done
	for ((i = 0; i < count / 2; i++)); do
		leave 3
		start 3
		if [ "$i" = 4 ]; then
			together 1,2,3
			fds=$(find "/proc/$(ring_of "${PID[1]}")/fd" | wc -l)
			kb=$(rss_kb 1)
		fi
	done
	together 1,2,3
	publish 1 100 2000
	echo "views: $(stat_of 1 ring_views), $kb kB, now $(rss_kb 1)"
	[ "$(stat_of 1 ring_views)" -ge "$count" ]
	[ "$(find "/proc/$(ring_of "${PID[1]}")/fd" | wc -l)" -le "$fds" ]
	[ "$(rss_kb 1)" -le $((kb + 300)) ]
	[ "$(ask 1 status | grep -c kind=client)" = 1 ]
}
