#!/usr/bin/env bash
# demo.sh: three nodes on this machine order ten thousand lines, lose one of
# their number, go on, and take it back; then one is cut off from the others,
# and only one side may act.  Run it as `make demo`, or with the programs in
# PATH.  DEMO_PORT: the UDP port on 127.0.0.1-3.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
limit=20 # seconds, for any one step

say() { printf 'demo: %s\n' "$*"; }
die()
{
	say "FAILED: $*" >&2
	exit 1
}

# ---- outside: the sandbox, which ends with the script inside it ------------

outside()
{
	work=$(mktemp -d "${TMPDIR:-/tmp}/ringkit-demo-XXXXXX")
	if ! ringkit sandbox --port="${DEMO_PORT:-5510}" 3 "$work/nodes" -- \
		bash "$0" inside "$work"; then
		say "FAILED; see $work, the logs are nodes/*/*.log" >&2
		exit 1
	fi
	rm -rf "$work"
	say ok
}

# ---- inside -----------------------------------------------------------------

rundir() { echo "$RINGKIT_SANDBOX/$1"; }

# since TIME: milliseconds from then on, of $EPOCHREALTIME.
since()
{
	local now=$EPOCHREALTIME
	echo $(((${now/./} - ${1/./}) / 1000))
}

# listen NODE COUNT OUTPUT: prints COUNT messages into a file, in the
# background; returns when it listens.
listen()
{
	local ready=$work/ready.$1
	[[ -p $ready ]] || mkfifo "$ready"
	msgcat --rundir="$(rundir "$1")" --lossless -n "$2" -t "$limit" \
		--ready-fd=3 demo >"$3" 3>"$ready" &
	listeners+=($!)
	read -r _ <"$ready" || die "node $1: msgcat does not listen"
}

# round NAME FILE NODE...: the nodes share the lines of FILE out among them,
# send them all at once, and must print them in one order.
round()
{
	local name=$1 file=$2 count node nth=0 sum first='' from pid
	shift 2
	count=$(wc -l <"$file")
	listeners=() senders=()
	for node; do
		listen "$node" "$count" "$work/$name.out.$node"
		awk -v nth=$((nth++)) -v n=$# 'NR % n == nth' "$file" \
			>"$work/$name.in.$node"
	done
	from=$EPOCHREALTIME
	for node; do
		msgsend --rundir="$(rundir "$node")" -t "$limit" demo \
			<"$work/$name.in.$node" &
		senders+=($!)
	done
	for pid in "${senders[@]}"; do
		wait "$pid" || die "$name: msgsend ended with $?"
	done
	for pid in "${listeners[@]}"; do
		wait "$pid" || die "$name: msgcat ended with $?"
	done
	say "$name: $count lines, sent by $# nodes at once, in $(since "$from") ms"
	for node; do
		sum=$(sha256sum <"$work/$name.out.$node")
		sum=${sum%% *}
		say "  node $node printed $sum"
		[[ ${first:=$sum} == "$sum" ]] ||
			die "$name: the nodes do not agree"
	done
	cmp -s <(LC_ALL=C sort "$file") \
		<(LC_ALL=C sort "$work/$name.out.$1") ||
		die "$name: what came out is not what went in"
}

# watch NODE: what watch-membership tells there comes through descriptor 4.
watch()
{
	local event rest
	mkfifo "$work/changes"
	watch-membership --rundir="$(rundir "$1")" >"$work/changes" &
	watcher=$!
	exec 4<"$work/changes"
	while read -r -t "$limit" event rest <&4; do
		[[ $event != ready ]] || return 0
	done
	die "node $1: watch-membership does not tell the state"
}

# await_view MEMBERS: until the watcher tells of that view; prints what it
# tells on the way there.
await_view()
{
	local event rest
	told=()
	while read -r -t "$limit" event rest <&4; do
		told+=("$event ${rest% seq=*}")
		[[ $event == view && $rest == *" members=$1 "* ]] || continue
		view=${rest#view=}
		view=${view%% *}
		return 0
	done
	die "no view of the members $1"
}

show() { printf 'demo:   %s\n' "${told[@]}"; }

# cut_off NODE DURATION: that node and the others do not hear each other.
cut_off()
{
	local node
	for node in 1 2 3; do
		[[ $node != "$1" ]] || continue
		printf 'drop peer=%s for=%s\n' "$node" "$2"
	done | { cat && echo quit; } | nc -U "$(rundir "$1")/ring.sock" |
		grep -c '^ok' >/dev/null || die "node $1 is not to be cut off"
}

# verdict NODE WANTED CONDITION...: whether that node may act, once it is so.
verdict()
{
	local node=$1 wanted=$2 answer code=0
	shift 2
	# Its quorumd may not yet have found a ringd that was started again.
	check-quorum -q --rundir="$(rundir "$node")" --wait daemon "$@" \
		-t "$limit" || die "node $node: check-quorum --wait $*: ended with $?"
	answer=$(check-quorum --rundir="$(rundir "$node")") || code=$?
	say "  node $node: check-quorum ends with $code: ${answer%%$'\n'*}"
	[[ $code == "$wanted" ]] || die "node $node: it should be $wanted"
}

# Real lines: the pages and sources of the project itself.
gather()
{
	find "$here"/{man,bin,libcommon,tests} -type f \
		\( -name '*.[0-9ch]' -o -name '*.md' \) | LC_ALL=C sort |
		xargs cat >"$work/lines"
	sed -n '1,10000p' "$work/lines" >"$work/first"
	sed -n '10001,11000p' "$work/lines" >"$work/second"
	sed -n '11001,12000p' "$work/lines" >"$work/third"
	[[ $(wc -l <"$work/third") == 1000 ]] || die "too few lines to send"
}

inside()
{
	local pid rest at
	listeners=() senders=() told=() watcher=
	# shellcheck disable=SC2154,SC2064 # they are known when it runs
	trap 'kill ${watcher:-} $(jobs -p) 2>/dev/null || :' EXIT
	say "$(ringkit status | head -n 1)"
	gather
	round first "$work/first" 1 2 3
	watch 1

	read -r pid rest <"$(rundir 3)/ringd.pid"
	at=$EPOCHREALTIME
	kill -KILL "$pid"
	await_view 1,2
	say "kill -9 of node 3: after $(since "$at") ms view $view is nodes 1,2"
	show
	round second "$work/second" 1 2

	at=$EPOCHREALTIME
	ringkit sandbox --start=3 "$RINGKIT_SANDBOX"
	await_view 1,2,3
	say "node 3 is back: after $(since "$at") ms view $view is nodes 1,2,3"
	show
	round third "$work/third" 1 2 3

	at=$EPOCHREALTIME
	cut_off 3 5m
	await_view 1,2
	say "node 3 cut off: after $(since "$at") ms view $view is nodes 1,2"
	show
	verdict 1 0 quorate '!member:n3'
	verdict 3 1 '!quorate' alone
	at=$EPOCHREALTIME
	cut_off 3 0
	await_view 1,2,3
	say "node 3 is let in: after $(since "$at") ms view $view is nodes 1,2,3"
	show
	verdict 3 0 quorate all
}

case ${1-} in
inside)
	work=$2
	inside
	;;
*) outside ;;
esac
