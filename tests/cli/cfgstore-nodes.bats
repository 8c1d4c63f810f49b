#!/usr/bin/env bats
# cfgstore where it takes several nodes: what another wrote, a daemon that
# dies, the loss of the majority.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2016,SC2034,SC2086,SC2154 # other shells; plain words

load helpers

setup_file()
{
	patient_nodes 3
	every_node_is_open
}

teardown_file()
{
	local restarted=$BATS_FILE_TMPDIR/restarted
	[ ! -e "$restarted" ] || kill "$(cat "$restarted")" || :
	stop_nodes
}

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	key=t$BATS_TEST_NUMBER
}

every_node_is_open()
{
	local node
	for node in 1 2 3; do
		RINGKIT_RUNDIR=$NODES/$node await cfgstore status -q --open
	done
}

# Its output is that.
prints() # TEXT COMMAND...
{
	local want=$1 got
	shift
	got=$("$@")
	[ "$got" = "$want" ] || {
		printf '%s\nprinted\n%s\nand not\n%s\n' "$*" "$got" "$want"
		return 1
	}
}

@test "what one node wrote another reads at once with --sync" {
	for node in 1 2 3; do
		RINGKIT_RUNDIR=$NODES/$node cfgstore set $key $node
		prints $node cfgstore get --sync $key --rundir="$NODES/2"
		prints "$key $node" cfgstore list --sync $key \
			--rundir="$NODES/3"
	done
}

@test "the daemon tells ringd who it is" {
	ringkit status -j | jq -s -e 'map(select(.kind == "client").name) |
		contains(["memberd"]) and contains(["quorumd"]) and
		contains(["cfgstored"])'
}

@test "who waits is woken by what another node writes" {
	mkfifo ready
	cfgstore wait $key=go -t 60s --ready-fd 4 4>ready 3>&- &
	timeout 60 cat ready
	RINGKIT_RUNDIR=$NODES/2 cfgstore set $key go
	wait $!
}

@test "of adders on all nodes none is lost" {
	local node
	cfgstore set $key 0
	for node in 1 2 3; do
		RINGKIT_RUNDIR=$NODES/$node bash -c '
			for n in 1 2 3 4 5; do
				until set -- $(cfgstore get --sync -o rev,value "$0") &&
					cfgstore cas -q "$0" "$1" $(($2 + 1)); do
					:
				done
			done' $key 3>&- &
	done
	wait
	prints 15 cfgstore get --sync $key
}

@test "a lock that is held here is not held on another node" {
	cfgstore set lock/$key/slot/0 n1:77
	prints n1:77 cfgstore leader --self $key
	RINGKIT_RUNDIR=$NODES/2 run -1 cfgstore leader --sync --self $key
	[ "$output" = n1:77 ]
	cfgstore del lock/$key/slot/0
}

@test "nodes and electorate tell of all" {
	prints '1
2
3' cfgstore nodes -o node
	prints '1:1,2:1,3:1' cfgstore electorate -o electorate
	prints 'open 3 2' cfgstore status -o state,votes,needed
}

watch() # OUTPUT OPTION...
{
	local output=$1
	shift
	[ -p ready ] || mkfifo ready
	cfgstore watch --ready-fd=4 "$@" >"$output" 2>"$output.err" \
		3>&- 4>ready &
	WATCHER=$!
	timeout 60 cat ready >/dev/null
}

@test "a daemon that was killed: watch says down and up, and misses nothing" {
	watch out $key
	cfgstore set $key 1
	restart_store 1
	await grep -q ^up out || {
		tail restarted.log
		return 1
	}
	RINGKIT_RUNDIR=$NODES/2 await cfgstore status -q --open
	RINGKIT_RUNDIR=$NODES/2 cfgstore set $key 2
	await grep -q ' value=2 ' out
	kill $WATCHER
	sed 's/ .*//' out | grep -vE '^(away|here)$' >events
	diff - events <<-END
		ready
		put
		down
		up
		ready
		put
	END
}

# Nobody but us starts it again, so we have to end it, too.
restart_store() # NODE
{
	local pid argv
	pid=$(cut -d' ' -f1 "$NODES/$1/cfgstored.pid")
	mapfile -d '' -t argv < <(grep -zv '^--ready-fd' "/proc/$pid/cmdline")
	kill -KILL "$pid"
	# Its writer may still be in an fsync.
	await flock -n "$NODES/$1/cfg.sock.lock" true
	"${argv[@]}" >restarted.log 2>&1 </dev/null 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/restarted"
}

@test "without a majority writes are 75, and reads go on" {
	cfgstore set $key 1
	for node in 2 3; do
		kill -KILL "$(node_pid $node)"
	done
	await is_closed || await is_closed
	run -75 cfgstore set $key 2
	[[ $output = *' 1 of 3 votes of the store are here, 2 needed' ]]
	ringkit status | grep '^store  closed  1 of 3 votes .* needed  rev'
	cfgstore status -q | grep '^past_bytes_max  *16777216$'
	run -75 cfgstore del $key
	run -75 cfgstore cas $key 1 2
	run -75 cfgstore get --sync $key
	run -75 cfgstore lease grant 1s
	prints 1 cfgstore get $key
	cfgstore watch --now $key
	# A new beginning is not for later, when there may be a quorum again.
	await prints no cfgstore status -o permitted
	run -75 cfgstore init --yes
	[[ $output = *'there is no quorum'* ]]
}

is_closed()
{
	local code=0
	cfgstore status -q --open || code=$?
	[ $code = 1 ]
}
