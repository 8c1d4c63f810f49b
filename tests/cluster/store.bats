#!/usr/bin/env bats
# Five real stores in network namespaces of their own, used by clients who
# write down everything, while daemons are killed or stopped, nodes are cut
# off, files are damaged and a disk is full; then lincheck judges the history.
# shellcheck disable=SC2034,SC2154,SC2209 # variables are shared, and words
# STORE_S is how long a storm lasts, in seconds; STORE_SEED makes the same
# faults at the same times again; STORE_KEEP names a folder for what was
# recorded, if it is bad.

load ../cli/ringd_nodes
load nodes
load store

setup()
{
	seed=${STORE_SEED:-$((${EPOCHREALTIME/./} % 1000000))}
	echo "STORE_SEED=$seed"
	RANDOM=$seed
	never=
}

teardown()
{
	trio_down
}

# draw LEAST MOST: the next number of the seed, as $drawn.
draw()
{
	drawn=$(($1 + (RANDOM * 32768 + RANDOM) % ($2 - $1 + 1)))
}

# ---- a storm ---------------------------------------------------------------

# plan MS LEAST MOST: "AT ACTION ARGUMENT SPAN" a line, and so long between
# them.  One cut at a time, and each node has one fault at a time.
plan()
{
	local at=500 node action span cut_until=0 busy=(0 0 0 0 0 0)
	while [ "$at" -lt "$1" ]; do
		draw "$2" "$3"
		at=$((at + drawn))
		draw 1 5
		node=$drawn
		draw 1 100
		case $((drawn <= 20 ? 1 : drawn <= 35 ? 2 : drawn <= 50 ? 3 :
			drawn <= 70 ? 4 : 5)) in
		1) action=cfgstored ;;
		2) action=ringd ;;
		3) action=node ;;
		4) action=pause ;;
		5) action=cut ;;
		esac
		draw 20 3000
		span=$drawn
		if [ "$action" = cut ]; then
			[ "$cut_until" -le "$at" ] || continue
			cut_until=$((at + span + 300))
			echo "$at cut $node $span"
			echo "$((at + span)) heal 0 0"
			continue
		fi
		[ "${busy[node]}" -le "$at" ] || continue
		busy[node]=$((at + span + 300))
		echo "$at $action $node $span"
		echo "$((at + span)) back_$action $node 0"
	done | sort -n
}

do_cfgstored() { slay_program "$1" cfgstored; }

do_ringd() { slay_program "$1" ringd; }

do_node()
{
	local program
	for program in cfgstored quorumd memberd ringd; do
		slay_program "$1" "$program"
	done
}

# Who wakes must not believe what it knew, nor say yes to anybody.
do_pause() # I SPAN: all of the node, or its store alone
{
	stopped[$1]=${TRIO[$1.cfgstored]}
	[ $(($2 % 2)) = 0 ] || stopped[$1]="$(pids_of "$1") ${stopped[$1]}"
	# shellcheck disable=SC2086 # a list
	freeze ${stopped[$1]}
}

do_back_pause()
{
	# shellcheck disable=SC2086 # a list
	[ -z "${stopped[$1]:-}" ] || thaw ${stopped[$1]}
	unset "stopped[$1]"
}

do_back_cfgstored() { trio_start "$1"; }

do_back_ringd() { trio_start "$1"; }

do_back_node() { trio_start "$1"; }

do_heal() { nodes_heal; }

# Node I and perhaps its neighbour from the others; some cuts are one way.
do_cut() # I SPAN
{
	local here=$1 there='' i
	[ $(($2 % 2)) = 0 ] || here=$here,$(($1 % 5 + 1))
	for i in 1 2 3 4 5; do
		[[ ,$here, == *,$i,* ]] || there=$there${there:+,}$i
	done
	if [ $(($2 % 5)) = 0 ]; then
		nodes_cut "$here" "$there"
	else
		nodes_cut "$here" "$there" both
	fi
}

carry_out() # MS
{
	local began at action node span left
	began=$(now_ms)
	while read -r -u 9 at action node span; do
		[ "$at" -lt "$1" ] || break
		left=$((at - $(now_ms) + began))
		[ "$left" -le 0 ] || wait_ms "$left"
		echo "$(($(now_ms) - began)): $action $node $span" >>carried
		"do_$action" "$node" "$span"
	done 9<faults
	left=$(($1 - $(now_ms) + began))
	[ "$left" -le 0 ] || wait_ms "$left"
}

@test "a storm of kills and cuts: what was told stays true" {
	local node ms=$((${STORE_S:-10} * 1000))
	stopped=()
	store_up 5
	plan "$ms" 100 900 >faults
	clients_up 3 40
	scripts_up 8
	carry_out "$ms"
	nodes_heal
	for node in "${!stopped[@]}"; do
		do_back_pause "$node"
	done
	start_all
	all_open 120
	judge_store
	[ "$(cat history.s* | grep -c -- '-> ok')" -ge 8 ]
}

# ---- locks -----------------------------------------------------------------

# A lease is over when the store was open for its time, so the daemons are left
# alone now and then.

# Whoever holds the lock, or waits for it, or its guard if it has one, is killed,
# or stopped for SPAN; not both of them.
do_holder() # K SPAN
{
	local pid guard
	pid=$(cat "ringlock.h$1" 2>/dev/null) || :
	[ -n "$pid" ] || return 0
	guard=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null) || :
	[ -z "$guard" ] || [ $(($2 / 2 % 2)) = 0 ] || pid=${guard%% *}
	if [ $(($2 % 2)) = 0 ]; then
		kill -KILL "$pid" 2>/dev/null || :
	else
		kill -STOP "$pid" 2>/dev/null || :
		held_up[$1]=$pid
	fi
}

do_back_holder()
{
	[ -z "${held_up[$1]:-}" ] || kill -CONT "${held_up[$1]}" 2>/dev/null || :
	unset "held_up[$1]"
}

plan_holders() # MS
{
	local at=1000 span
	while [ "$at" -lt "$1" ]; do
		draw 800 3000
		at=$((at + drawn))
		draw 1500 7000
		span=$drawn
		draw 1 4
		echo "$at holder $drawn $span"
		echo "$((at + span)) back_holder $drawn 0"
	done
}

@test "a lock in a storm: one holder, and no write with an old token" {
	local node ms=$((${STORE_S:-12} * 1000))
	[ -x "$RINGKIT_BIN/ringlock" ] || skip "there is no ringlock"
	stopped=() held_up=()
	store_up 5
	{ plan "$ms" 2500 6000 && plan_holders "$ms"; } | sort -n >faults
	clients_up 2 50
	holders_up 4
	carry_out "$ms"
	nodes_heal
	for node in "${!stopped[@]}"; do
		do_back_pause "$node"
	done
	for node in 1 2 3 4; do
		do_back_holder "$node"
	done
	start_all
	all_open 120
	# And it goes on: everybody who waits comes by some time.
	held=$(cat held.* | wc -l)
	SECONDS=0
	until [ "$(cat held.* | wc -l)" -gt $((held + 10)) ]; do
		[ "$SECONDS" -lt 60 ]
		wait_ms 200 # no event: none of them tells
	done
	clients_down
	write_holds
	judge_store
	[ "$(grep -c hold history.holds)" -ge 2 ]
	# It was tried, and no two were ever in it at once.
	[ -e alone ]
	[ ! -e two ] || {
		cat two
		return 1
	}
}

# ---- the end of all of them ------------------------------------------------

@test "kill -9 of all five at once, again and again" {
	local round
	store_up 5
	clients_up 8 10
	for ((round = 0; round < ${STORE_ROUNDS:-2}; round++)); do
		draw 700 1500
		wait_ms "$drawn"
		slay_all
		start_all
		all_open 120
	done
	judge_store
}

# ---- damaged files ---------------------------------------------------------

# damage I: a file of its store is cut off, overwritten, or gone.
damage()
{
	local files file size
	mapfile -t files < <(find "state$1/cfg" -type f -size +0 | sort)
	file=${files[RANDOM % ${#files[@]}]}
	size=$(stat -c %s "$file")
	draw 0 $((size - 1))
	case $((RANDOM % 3)) in
	0)
		echo "node $1: $file is cut off at $drawn"
		truncate -s "$drawn" "$file"
		;;
	1)
		# Where there is something.
		drawn=$((drawn % 20000))
		echo "node $1: $file is overwritten from $drawn on"
		dd if=/dev/urandom of="$file" bs=1 seek="$drawn" count=64 \
			conv=notrunc status=none
		;;
	2)
		echo "node $1: $file is gone"
		rm "$file"
		;;
	esac
}

@test "files of one node are damaged: it is filled again, nothing is lost" {
	local round victim
	store_up 5
	clients_up 8 10
	for ((round = 0; round < ${STORE_ROUNDS:-3}; round++)); do
		draw 500 1000
		wait_ms "$drawn"
		slay_all
		victim=$((RANDOM % 5 + 1))
		damage "$victim"
		start_all
		all_open 120
	done
	judge_store
}

# ---- a full disk -----------------------------------------------------------

@test "a full disk at one node: the others go on, and it says so" {
	local pid
	[ -n "$nodes_is_apart" ] || skip "needs root, for a small file system"
	store_up 5
	do_node 3
	# Its files fit, and little else.
	pid=${nodes_anchor[3]}
	cp -r state3 state3.copy
	nsenter -t "$pid" -m -- mount -t tmpfs -o size=52m tmpfs "$DIR/state3" ||
		skip "cannot mount a small file system"
	nsenter -t "$pid" -m -- cp -r "$DIR/state3.copy/." "$DIR/state3/"
	trio_start 3
	all_open 120
	clients_up 4 10
	nsenter -t "$pid" -m -- sh -c "dd if=/dev/zero of='$DIR/state3/fill' bs=64k" 2>/dev/null || :
	# Enough to need new files.
	"$RINGKIT_BUILD/tests/bench/storeload" cfg fill -k 3000 -b 16384 -c 8 \
		run1/cfg.sock
	# It holds what it was told, and takes no more writes.
	SECONDS=0
	until ask_store 3 status | grep 'disk_full=yes'; do
		[ "$SECONDS" -lt 60 ]
		wait_ms 200 # no event: it is seen in its status
	done
	ask_store 3 'get key=k00000001' | grep -a '^ok key=k00000001 '
	printf 'set key=z len=1\nz\nquit\n' | timeout 60 nc -U run3/cfg.sock |
		tee answer
	grep -E '^err code=full n=75' answer
	nsenter -t "$pid" -m -- rm "$DIR/state3/fill"
	all_open 120
	judge_store
}
