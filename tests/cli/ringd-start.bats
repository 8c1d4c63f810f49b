#!/usr/bin/env bats
# What ringd needs to start, and what it says when it cannot.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

load ringd_nodes

setup()
{
	nodes_begin
}

teardown()
{
	nodes_end
}

# dies CODE TEXT [OPTION...]: node 1 does not start, and says TEXT.
dies()
{
	local code=0 want=$1 text=$2
	shift 2
	launch 1 "$@"
	wait "${PID[1]}" || code=$?
	unset 'PID[1]'
	cat log1
	[ "$code" = "$want" ]
	grep -qF -- "$text" log1
	rm log1
}

@test "every mistake of the configuration, at once" {
	cat >ringkit.conf <<-'END'
		[cluster]
		name = t
		[node a]
		id = 70000
		link0 = nowhere
		[node b]
		id = 2
		link0 = 127.0.0.1
		link0 = 127.0.0.2
		[node b]
		[ring]
		window = many
		token = 5parsecs
		[rings]
		[acl]
		nonsense
		[log]
		level = loud
	END
	launch 1
	ends 1 78
	cut -d: -f1-2 log1 | sort -t: -k2n >got
	printf 'ringkit.conf:%s\n' 4 5 9 10 12 13 14 16 18 | diff - got
	[ "$(grep -c ', expected \|: expected ' log1)" = 9 ]
	grep -F 'ringkit.conf:13: token = 5parsecs: expected a duration' log1
	[ "$(wc -l <log1)" = 9 ]
}

@test "a configuration that is not there, or not for this machine" {
	conf=none.conf dies 78 'none.conf: No such file'
	config 2
	run "$RINGD" -c ringkit.conf --check --node n7
	[ "$status" = 78 ]
	[[ $output == *'no [node n7]'* ]]
	# Both are this machine's.
	run "$RINGD" -c ringkit.conf
	[ "$status" = 78 ]
	[[ $output == *'2 nodes have addresses of this machine'* ]]
	run "$RINGD" -c ringkit.conf --check --node 2
	[ "$status" = 0 ]
	[ -z "$output" ]
	run "$RINGD" --nonsense
	[ "$status" = 64 ]
	run "$RINGD" operand
	[ "$status" = 64 ]
}

@test "a key that is missing, readable by others, or none" {
	config 1
	chmod 644 key
	dies 78 'key: mode is too open, expected 0400 or 0440'
	chmod 600 key
	echo '1 zz' >key
	chmod 400 key
	dies 78 'key:1: bad key, expected 64 hex digits'
	rm key
	dies 78 'key: cannot open: No such file'
}

@test "a node that finds itself by its address" {
	config 1
	folders 1
	"${AS_NOBODY[@]}" "$RINGD" -c ringkit.conf --rundir run1 \
		--statedir state1 --ready-fd 8 8>ready 2>log1 3>&- &
	PID[1]=$!
	appears ready '^$'
	ask 1 status | grep 'name=n1 .*local=yes'
}

@test "without privileges" {
	config 1
	start 1
	local pid
	for pid in "${PID[1]}" "$(ring_of "${PID[1]}")"; do
		if [ "$(id -u)" = 0 ]; then
			grep "^Uid:	$NOBODY	$NOBODY	$NOBODY	$NOBODY" \
				"/proc/$pid/status"
		fi
		grep '^CapEff:	0*$' "/proc/$pid/status"
		grep '^NoNewPrivs:	1$' "/proc/$pid/status"
	done
	ask 1 status | grep -E 'kind=process .* sched=(other|nice|rr) mlock=(yes|no)'
}

@test "--user gives up root for good" {
	[ "$(id -u)" = 0 ] || skip "needs root to give up"
	config 1
	chown 0:0 key
	folders 1
	AS_NOBODY=()
	start_as_root() { launch 1 --user nobody --ready-fd 8 8>ready; }
	start_as_root
	appears ready '^$'
	local pid
	for pid in "${PID[1]}" "$(ring_of "${PID[1]}")"; do
		grep "^Uid:	$NOBODY	$NOBODY	$NOBODY	$NOBODY" \
			"/proc/$pid/status"
		grep '^CapEff:	0*$' "/proc/$pid/status"
	done
	leave 1
	AS_NOBODY=()
	dies 77 '--user nobody-at-all: ' --user nobody-at-all
}

@test "a service manager is told, and may hold the socket" {
	config 1
	folders 1
	background nc -klUu notify >told
	until [ -S notify ]; do sleep 0.01; done # no event: nc's
	chmod 777 notify
	NOTIFY_SOCKET=$DIR/notify "${AS_NOBODY[@]}" \
		"$RINGKIT_BUILD/tests/cli/listenfd" run1/ring.sock \
		"$RINGD" -c ringkit.conf --node n1 --rundir elsewhere \
		--statedir state1 2>log1 3>&- &
	PID[1]=$!
	appears told '^READY=1$'
	ask 1 status | grep 'state=operational'
	[ ! -e elsewhere ]
	leave 1
	# The socket was the manager's to make, and is its to remove.
	[ -S run1/ring.sock ]
}

@test "a folder, a socket or an address that another ringd uses" {
	config 2
	start 1
	folders 2
	mv log1 log1.first
	first=${PID[1]}
	dies 73 'run1/ring.sock: Address already in use' --statedir state2
	# Another port, for the addresses are looked at first.
	sed 's/^key_file.*/&\n[ring]\nport = 5409/' ringkit.conf >other.conf
	conf=other.conf dies 73 'state1: another ringd uses it' --rundir run2
	dies 71 "$(address 1):5410: Address already in use" \
		--rundir run2 --statedir state2
	PID[1]=$first
	ask 1 ping | grep -x ok
}

@test "a socket that a dead ringd left behind" {
	config 1
	start 1
	slay 1
	[ -S run1/ring.sock ]
	start 1
	ask 1 ping | grep -x ok
	leave 1
	[ ! -e run1/ring.sock ]
}

@test "a state folder that cannot be written" {
	config 1
	folders 1
	chmod 555 state1
	dies 73 'state1: Permission denied'
	rmdir state1
	touch state1
	dies 73 'state1: Not a directory'
}

# inc I: the incarnation of node I; seq I: the sequence of its view.
inc()
{
	ask "$1" status | grep 'local=yes' | word inc
}

seq_of()
{
	ask "$1" status | grep 'kind=ring' | word view | cut -d. -f2
}

@test "a state file that is damaged is not believed, and the start is safe" {
	local damage inc seq
	config 1
	start 1
	for damage in 'truncate -s 40 F' ': >F' 'echo garbage >F' \
		'head -c 300 /dev/urandom >F' 'sed -i s/incarnation=1/incarnation=9/ F' \
		'rm F' 'echo >>F' 'rm F; mkdir F'; do
		inc=$(inc 1)
		seq=$(seq_of 1)
		slay 1
		if [ -d state1/ringd.state ]; then
			rmdir state1/ringd.state
		fi
		eval "${damage//F/state1/ringd.state}"
		: >log1
		if [ -d state1/ringd.state ]; then
			dies 73 'state1: Is a directory'
			rmdir state1/ringd.state
			start 1
		else
			start 1
			echo "$damage"
			[[ $damage == rm* ]] || grep 'state-damaged' log1
		fi
		[ "$(inc 1)" -gt "$inc" ]
		[ "$(seq_of 1)" -gt "$seq" ]
	done
}

@test "a state that was set back gives a newer incarnation all the same" {
	config 1
	start 1
	cp -p state1/ringd.state old
	slay 1
	start 1
	local inc
	inc=$(inc 1)
	slay 1
	cp -p old state1/ringd.state
	start 1
	[ "$(inc 1)" -gt "$inc" ]
}

# plant_state INC: node 2 will start above that incarnation, as it would have
# with a clock that was far ahead.
plant_state()
{
	local text
	text=$(printf 'ringkit-state 1\nincarnation=%s\nring_seq=5\nsum=' "$1")
	printf '%s%s\n' "$text" "$(printf %s "$text" | b2sum -l 128 |
		cut -c 1-16)" >state2/ringd.state
}

@test "a node whose state is lost and whose clock was set back is let in" {
	config 2
	folders 2
	plant_state 9000000000000
	[ ${#AS_NOBODY[@]} = 0 ] || chown -R "$NOBODY:$NOBODY" state2
	start 1 2
	together 1,2
	grep 'incarnation=9000000000001' state2/ringd.state
	slay 2
	rm state2/ringd.state
	launch 2 --no-supervisor
	ends 2 75
	grep 'outlived inc=9000000000001 ' log2
	# A supervisor starts it again by itself.
	rm state2/ringd.state
	: >log2
	start 2
	together 1,2
	grep 'outlived inc=9000000000001 ' log2
	grep 'incarnation=9000000000002' state2/ringd.state
}
