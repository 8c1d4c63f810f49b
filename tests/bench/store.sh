#!/bin/bash
# shellcheck disable=SC2034 # variables are shared with the parts
# store.sh: the store, beside etcd where that is installed: three members on
# loopback addresses of this machine, their files on one disk.
#
#   RINGKIT_BIN, RINGKIT_BUILD   where the daemons and tests/bench were built
#   STORE_REPS   how often all is measured; the two take turns (5)
#   STORE_MS     how long each point is (1500)
#   STORE_DIR    a folder on the disk (/var/tmp)
#   STORE_KEYS   how many keys of 1 KiB a node has to fetch (100000)
#
# Prints a row of key=value words, tab separated, for each measurement; then
# a table of medians, and which targets are met.  A client waits for each of
# its answers.  Clients are spread over the members ("all"), or all are at one
# ("one"; of etcd, its leader); 64 that put have a connection each, or share
# one at each place ("shared").  Of the two stores alike the best way counts.
# etcd's clients speak its own protocol (gRPC over HTTP/2); nothing is
# encrypted on the way to either of the two, or between members of etcd.
set -u
here=$(cd "${0%/*}" && pwd)
: "${RINGKIT_BIN:=${here%/tests/bench}/build/none}"
: "${RINGKIT_BUILD:=$RINGKIT_BIN}"
load=$RINGKIT_BUILD/tests/bench/storeload
reps=${STORE_REPS:-5} ms=${STORE_MS:-1500} keys=${STORE_KEYS:-100000}
dir=$(mktemp -d "${STORE_DIR:-/var/tmp}/store.XXXXXX") || exit 1
declare -A pid=() places=() one=()
base=$((20000 + $$ % 20000))

finish()
{
	local name
	for name in "${!pid[@]}"; do
		kill "${pid[$name]}"
	done
	wait
	rm -rf "$dir"
} 2>/dev/null
trap finish EXIT
trap 'exit 1' INT TERM
[ -x "$load" ] || {
	echo "store.sh: no program $load: make tests" >&2
	exit 1
}
mkfifo "$dir/never"
exec {never}<>"$dir/never"

wait_ms() { read -r -t "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))" -u "$never" || :; }

die()
{
	echo "store.sh: $*" >&2
	tail -n 3 "$dir"/*.log >&2
	exit 1
}

# ---- ours ------------------------------------------------------------------

write_conf() # NODES
{
	local i
	printf '1 %s\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >"$dir/key"
	chmod 400 "$dir/key"
	printf '[cluster]\nname = bench\nkey_file = key\n[ring]\nrt_priority = 0\n'
	# Loopback takes 64 KiB at once, and etcd's TCP makes use of it.
	echo 'frame_bytes = 8960'
	for ((i = 1; i <= 3; i++)); do
		printf '[node n%d]\nid = %d\nlink0 = 127.%d.%d.%d\n' "$i" "$i" \
			$(($$ / 250 % 250 + 1)) $(($$ % 250)) "$i"
	done
}

cfg_start() # I
{
	local i=$1 program
	mkdir -p "$dir/run$i" "$dir/state$i"
	for program in ringd memberd quorumd cfgstored; do
		"$RINGKIT_BIN/$program" --config "$dir/ringkit.conf" \
			--node "n$i" --rundir "$dir/run$i" \
			--statedir "$dir/state$i" 2>>"$dir/$program$i.log" \
			</dev/null &
		pid[$program$i]=$!
	done
}

cfg_stop() # I
{
	local program
	for program in cfgstored quorumd memberd ringd; do
		kill "${pid[$program$1]}"
		wait "${pid[$program$1]}"
		unset "pid[$program$1]"
	done 2>/dev/null
}

cfg_ask() # I REQUEST
{
	printf '%s\nquit\n' "$2" | timeout 5 nc -U "$dir/run$1/cfg.sock" \
		2>/dev/null | sed '1d;$d'
}

# All that it took is on the disks.
cfg_is_durable() { [[ $(cfg_ask "$1" status) == *" tail_bytes=0 "* ]]; }

# Its store is open and has this revision at least.
cfg_has() # I [REV]
{
	local answer rev
	answer=$(cfg_ask "$1" status)
	[[ $answer == "ok state=open "* ]] || return
	rev=${answer#* rev=}
	[ "${rev%% *}" -ge "${2:-0}" ]
}

cfg_up()
{
	local i
	rm -rf "$dir"/run? "$dir"/state?
	[ -e "$dir/key" ] || write_conf >"$dir/ringkit.conf"
	for i in 1 2 3; do
		cfg_start "$i"
	done
	for i in 1 2 3; do
		await 30000 cfg_has "$i" || die "no store at node $i"
	done
	places[cfg]="$dir/run1/cfg.sock $dir/run2/cfg.sock $dir/run3/cfg.sock"
	one[cfg]=$dir/run1/cfg.sock
}

cfg_down()
{
	local i
	for i in 1 2 3; do
		cfg_stop "$i"
	done
}

# await MS COMMAND...: sets waited_ms
await()
{
	local from limit=$1
	shift
	from=$(date +%s%N)
	until "$@"; do
		waited_ms=$((($(date +%s%N) - from) / 1000000))
		[ "$waited_ms" -lt "$limit" ] || return
		wait_ms 10
	done
	waited_ms=$((($(date +%s%N) - from) / 1000000))
}

# ---- etcd ------------------------------------------------------------------

etcd_up()
{
	local i all='' client
	rm -rf "$dir"/etcd?
	for i in 1 2 3; do
		all=$all${all:+,}m$i=http://127.0.0.1:$((base + 10 + i))
	done
	for i in 1 2 3; do
		client=http://127.0.0.1:$((base + i))
		etcd --name "m$i" --data-dir "$dir/etcd$i" \
			--listen-client-urls "$client" \
			--advertise-client-urls "$client" \
			--listen-peer-urls "http://127.0.0.1:$((base + 10 + i))" \
			--initial-advertise-peer-urls "http://127.0.0.1:$((base + 10 + i))" \
			--initial-cluster "$all" --initial-cluster-state new \
			--log-level error >"$dir/etcd$i.log" 2>&1 &
		pid[etcd$i]=$!
	done
	places[etcd]="127.0.0.1:$((base + 1)) 127.0.0.1:$((base + 2)) 127.0.0.1:$((base + 3))"
	await 30000 etcd_has_leader || die "no etcd"
}

etcd_has_leader()
{
	one[etcd]=$(ETCDCTL_API=3 etcdctl --endpoints="${places[etcd]// /,}" \
		endpoint status 2>/dev/null |
		awk -F ', ' '$5 == "true" { print $1 }')
	[ -n "${one[etcd]}" ]
}

etcd_down()
{
	local i
	for i in 1 2 3; do
		kill "${pid[etcd$i]}"
		wait "${pid[etcd$i]}"
		unset "pid[etcd$i]"
	done 2>/dev/null
}

# ---- points ----------------------------------------------------------------

point() # WHERE VERB OPTIONS...
{
	local where=$1 verb=$2 to=${places[$impl]}
	shift 2
	case $where in one*) to=${one[$impl]} ;; esac
	case $where in *shared) set -- "$@" -n "$(wc -w <<<"$to")" ;; esac
	# shellcheck disable=SC2086 # a list of places
	printf 'rep=%s\twhere=%s\t%s\n' "$rep" "$where" \
		"$("$load" "$impl" "$verb" -w 200 -t "$ms" "$@" $to)" |
		tee -a "$dir/rows"
}

# Of all, one after the other, so that a noisy machine is as noisy for each.
points() # VERB CLIENTS WHERE...
{
	local verb=$1 clients=$2 where
	shift 2
	for where; do
		for impl in $impls; do
			# To one client all of ours are the same.
			[ "$impl $where $clients" = "cfg one 1" ] ||
				point "$where" "$verb" -c "$clients"
		done
	done
}

# What nobody waited for is not to be a burden of what is measured next.
memory()
{
	local impl=cfg where i
	for where; do
		point "$where" memory -c 64
		for i in 1 2 3; do
			await 30000 cfg_is_durable "$i" ||
				die "node $i does not write what it has"
		done
	done
}

# With 16 clients at the two nodes that stay.
p99_of() # MS
{
	"$load" cfg put -c 16 -w 0 -t "$1" "$dir/run1/cfg.sock" \
		"$dir/run2/cfg.sock" | tr '\t' '\n' | sed -n 's/^p99_us=//p'
}

# Node 3 is stopped, and its disk replaced.  To delete what was there is work
# for the disk, too, which is not what is measured: that comes later.
lose_disk()
{
	cfg_stop 3
	mv "$dir/state3" "$dir/lost$((lost += 1))"
	rm -rf "$dir/run3"
}

# A node comes back with an empty disk; then once more, under load.
join()
{
	local rev before during lost=0
	lose_disk
	rev=$(rev_of 1)
	cfg_start 3
	await 60000 cfg_has 3 "$rev" || die "node 3 does not come to have it all"
	printf 'bench=store-join\tkeys=%s\tms=%s\t%s\n' "$keys" "$waited_ms" \
		"$(verdict "$waited_ms" 5000)"
	before=$(p99_of 4000)
	lose_disk
	cfg_start 3
	during=$(p99_of 4000)
	printf 'bench=store-join-load\tp99_us=%s\tp99_before_us=%s\t%s\n' \
		"$during" "$before" "$(verdict "$during" $((3 * before)))"
	await 60000 cfg_has 3 "$(rev_of 1)" || die "node 3 is not current"
	rm -rf "$dir"/lost*
}

footprint()
{
	local i kib data=$((keys * 1033 / 1024))
	for i in 1 2 3; do
		kib=$(awk '$1 == "VmRSS:" { print $2 }' \
			"/proc/${pid[cfgstored$i]}/status")
		printf 'bench=store-memory\tkeys=%s\tnode=%s\trss_kib=%s\tdata_kib=%s\t%s\n' \
			"$keys" "$i" "$kib" "$data" \
			"$(verdict "$kib" $((data * 5 / 2)))"
	done
}

# From its own disk: until it answers with all that it had.
restart()
{
	local rev
	rev=$(rev_of 2)
	cfg_stop 2
	cfg_start 2
	await 30000 cfg_greets 2 || die "node 2 does not start"
	printf 'bench=store-start\tkeys=%s\tms=%s\t%s\n' "$keys" "$waited_ms" \
		"$(verdict "$waited_ms" 2000)"
	await 30000 cfg_has 2 "$rev" || die "node 2 is not current"
}

rev_of() # I
{
	local answer
	answer=$(cfg_ask "$1" status)
	answer=${answer#* rev=}
	echo "${answer%% *}"
}

big()
{
	cfg_up
	# shellcheck disable=SC2086 # a list of places
	"$load" cfg fill -k "$keys" -b 1024 -c 64 ${places[cfg]} |
		sed 's/^/rep=1\twhere=all\t/'
	await 30000 cfg_has 3 "$(rev_of 1)" || die "node 3 is not current"
	footprint
	restart
	join
	cfg_down
}

cfg_greets() { [ -n "$(cfg_ask "$1" ping)" ]; }

verdict() # VALUE MOST
{
	[ "$1" -le "$2" ] && echo "<= $2: met" || echo "<= $2: MISSED"
}

impls=cfg
if command -v etcd >/dev/null && command -v etcdctl >/dev/null; then
	impls="cfg etcd"
else
	echo "# no etcd: cfgstored alone"
fi
for impl in $impls; do
	"${impl}_up"
	# Whoever reads shall find something.
	# shellcheck disable=SC2086 # a list of places
	"$load" "$impl" fill -c 16 -k 1000 ${places[$impl]} >"$dir/filled"
done
for ((rep = 1; rep <= reps; rep++)); do
	points put 1 all one
	points put 16 all one
	points put 64 all one shared one-shared
	memory all one shared one-shared
	points get 16 all one
	points sync 16 all one
	points watch 4 all
done
for impl in $impls; do
	"${impl}_down"
done
awk -f "$here/store.awk" "$dir/rows"
big
