#!/usr/bin/env bats
# Five real ringds under load, while they are killed, stopped, cut off, made
# to leave, and started again; then evscheck judges what was recorded at every
# one of them.  CHAOS_S is how long, in seconds; CHAOS_SEED makes the same
# faults at the same times again; KEEP=1 leaves the recordings.

load ../cli/ringd_nodes

setup()
{
	nodes_begin
}

teardown()
{
	nodes_end
}

now_ms()
{
	echo $((${EPOCHREALTIME/./} / 1000))
}

# draw LEAST MOST: the next number of the seed, as $drawn.
draw()
{
	drawn=$(($1 + (RANDOM * 32768 + RANDOM) % ($2 - $1 + 1)))
}

# plan MS: the faults, "AT ACTION NODE SPAN" a line, all drawn beforehand so
# that they do not depend on how fast this machine is.
plan()
{
	local at=300 node action span busy=(0 0 0 0 0 0)
	while [ "$at" -lt "$1" ]; do
		draw 1 5
		node=$drawn
		draw 100 700
		at=$((at + drawn))
		[ "${busy[node]}" -le "$at" ] || continue
		draw 1 100
		case $((drawn <= 15 ? 0 : drawn <= 30 ? 1 : drawn <= 45 ? 2 :
			drawn <= 85 ? 3 : 4)) in
		0) action=crash ;;
		1) action=slay ;;
		2) action=leave ;;
		3) action=stop ;;
		4) action=sever ;;
		esac
		draw 1 10
		case $action,$drawn in
		stop,1) draw 2000 10000 ;;
		stop,* | sever,*) draw 100 1500 ;;
		*) draw 10 2500 ;;
		esac
		span=$drawn
		busy[node]=$((at + span + 300))
		echo "$at $action $node $span"
		[[ $action = @(sever|crash) ]] || echo "$((at + span)) back $node $action"
	done | sort -n
}

# Each fault, and the end of each.
do_slay()
{
	slay "$1"
}

do_crash() # its supervisor brings it back; there may be none just now
{
	crash "$1" || :
}

do_leave()
{
	leave "$1"
}

do_stop()
{
	freeze "${PID[$1]}"
}

do_sever() # NODE SPAN: from the next one
{
	local peer=$(($1 % 5 + 1))
	ask_soon "$1" "drop peer=$peer for=$2ms"
}

do_back() # NODE ACTION
{
	case $2 in
	stop) thaw "${PID[$1]}" ;;
	*) launch "$1" ;;
	esac
}

# A node that is stopped or being started answers later, or not at all.
ask_soon()
{
	background nc -U "run$1/ring.sock" <<<"$2"$'\nquit' >/dev/null 2>&1
}

# Carries the plan out; MS is the end of it, whatever is left.
carry_out()
{
	local began at action node what span
	began=$(now_ms)
	while read -r -u 9 at action node span; do
		[ "$at" -lt "$1" ] || break
		what="$at $action $node $span"
		while left=$((at - $(now_ms) + began)) && [ "$left" -gt 0 ]; do
			# no event: the plan says when
			read -r -t "$(printf '%d.%03d' $((left / 1000)) \
				$((left % 1000)))" -u "$never" || :
		done
		echo "$(($(now_ms) - began)): $what" >>carried
		"do_$action" "$node" "$span"
	done 9<faults
}

heal()
{
	local i
	for i in 1 2 3 4 5; do
		if [ -n "${PID[$i]:-}" ] && kill -0 "${PID[$i]}" 2>/dev/null
		then
			thaw "${PID[$i]}"
		else
			launch "$i"
		fi
	done
}

# Until everybody hears everybody: a cut may still be on, or not yet be noticed,
# while all are in one view.
settle()
{
	local i
	for i in 1 2 3 4 5; do
		ask "$i" "drop peer=$((i % 5 + 1)) for=0" >/dev/null
	done
	for i in 1 2 3 4 5; do
		hears_all "$i" || return
	done
}

hears_all() # NODE
{
	local end=$((SECONDS + 30))
	until [ "$(ask "$1" status | grep -c \
		'kind=node .* local=no .* silent_ms=[0-9]\{1,2\} ')" = 4 ]; do
		((SECONDS < end)) || {
			echo "node $1 does not hear all"
			return 1
		}
	done
}

record()
{
	local i aids=$RINGKIT_BUILD/tests/cli
	recorders=() publishers=()
	for i in 1 2 3 4 5; do
		mkdir -p "recorded/$i"
		background "$aids/recorder" -e end "run$i" "recorded/$i/r" \
			>"recorded/$i/ready"
		recorders+=($!)
	done
	for i in 1 2 3 4 5; do
		appears "recorded/$i/ready" ready
		background "$aids/publisher" -z -s "$((seed + i))" -r 80 \
			-w 32 -x 2000 "run$i" "a$i" "recorded/$i/a"
		publishers+=($!)
		background "$aids/publisher" -s "$((seed + 9 + i))" -r 8 \
			-w 4 -x 65536 "run$i" "b$i" "recorded/$i/b"
		publishers+=($!)
	done
}

# all_end PIDS: each with code 0.
all_end()
{
	local pid
	for pid; do
		wait "$pid" || {
			echo "process $pid ended with $?"
			return 1
		}
	done
}

judge()
{
	local i args=()
	for i in 1 2 3 4 5; do
		args+=(--submitted "$i=recorded/$i/a.submitted"
			--submitted "$i=recorded/$i/b.submitted"
			--accepted "$i=recorded/$i/a.accepted"
			--accepted "$i=recorded/$i/b.accepted")
	done
	echo end >recorded/end
	"$RINGKIT_BUILD/tests/check/evscheck" --settled "${args[@]}" \
		--accepted 1=recorded/end recorded/?/r.*
}

@test "chaos, and every promise is kept" {
	seed=${CHAOS_SEED:-$((${EPOCHREALTIME/./} % 1000000))}
	echo "CHAOS_SEED=$seed"
	RANDOM=$seed
	ms=$((${CHAOS_S:-15} * 1000))
	mkfifo never
	exec {never}<>never
	config 5
	plan "$ms" >faults
	start 1 2 3 4 5
	together 1,2,3,4,5
	record
	carry_out "$ms"
	heal
	together 1,2,3,4,5 30
	settle
	together 1,2,3,4,5 30
	kill -TERM "${publishers[@]}"
	all_end "${publishers[@]}"
	ask 1 'pub group=end confirm=safe data=end' | grep '^ok pos='
	all_end "${recorders[@]}"
	wc -l <carried
	judge
}
