#!/usr/bin/env bats
# The life of real nodes: they form a ring, leave, die, come back, are cut
# off, and refuse strangers.
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

# at FILE PATTERN: when the first line that matches was logged, in ms.
at()
{
	local ts
	ts=$(grep -m 1 -E -- "$2" "$1" | word ts)
	[ -n "$ts" ] || {
		echo "$1: no $2" >&2
		return 1
	}
	date -d "$ts" +%s%3N
}

now_ms()
{
	echo $((${EPOCHREALTIME/./} / 1000))
}

# three: nodes 1 to 3 in one ring, with fresh logs.
three()
{
	config 3 "$@"
	start 1 2 3
	together 1,2,3
	for log in log?; do : >"$log"; done
}

@test "SIGTERM: the others have the next view within 100 ms" {
	three
	subscribed 3 seen views
	local left rings
	# A busy machine may be slow, but not always.
	for _ in {1..20}; do
		leave 1
		together 2,3
		appears log3 'view-installed .* members=2,3 '
		left=$(($(at log3 'view-installed') - $(at log1 leaving)))
		# It is back in the first ring after its start.
		start 1
		together 1,2,3
		rings=$(grep -c 'view-installed' log1)
		echo "after $left ms; back in ring $rings"
		[ "$left" -gt 100 ] || [ "$rings" != 1 ] || break
		for log in log?; do : >"$log"; done
	done
	[ "$left" -le 100 ]
	[ "$rings" = 1 ]
	appears seen 'phase=transitional .* left=1:leave '
}

@test "all leave at once, and all come back" {
	three
	kill -TERM "${PID[1]}" "${PID[2]}" "${PID[3]}"
	ends 1
	ends 2
	ends 3
	start 3 2 1
	together 1,2,3
}

@test "kill -9: the others find out within the detector's time" {
	three
	local dead_after killed
	subscribed 2 seen views
	local found
	# A busy machine adds to it, but not always; twice is another mechanism.
	for _ in {1..20}; do
		dead_after=$(ask 2 status | grep 'node=3 .*dead_after' |
			word dead_after_ms)
		killed=$(now_ms)
		slay 3
		appears log2 'view-installed .* members=1,2 '
		found=$(($(at log2 'view-installed') - killed))
		echo "after $found ms of $dead_after"
		[ "$found" -gt $((2 * dead_after + 200)) ] || break
		start 3
		together 1,2,3
		for log in log?; do : >"$log"; done
	done
	[ "$found" -le $((2 * dead_after + 200)) ]
	appears seen 'left=3:(timeout|consensus|connectivity|proof)'
	together 1,2
}

@test "a restart that is faster than the detector is told as one" {
	three '[ring]' token=3s heartbeat=1s
	subscribed 1 seen views
	local inc
	inc=$(ask 3 status | grep local=yes | word inc)
	unnoticed 3
	slay 3
	start 3
	# On a busy machine it may be missed first.
	appears seen 'left=3:[a-z]'
	together 1,2,3
	[ "$(ask 3 status | grep local=yes | word inc)" -gt "$inc" ]
	[ "$(ask 1 status | grep 'kind=node node=3' | word inc)" -gt "$inc" ]
}

@test "a shell and nc are a client" {
	three
	run bash -c 'printf "status\nquit\n" | timeout 60 nc -U run2/ring.sock'
	[ "$status" = 0 ]
	[[ ${lines[0]} == "ringkit proto=1 min=1 daemon=ringd "* ]]
	[[ ${lines[1]} == "item kind=ring state=operational "* ]]
	[ "${lines[-1]}" = ok ]
	printf '#a pub group=x data=hello\nquit\n' | nc -U run1/ring.sock |
		grep '^#a ok pos=.* phase=regular$'
	# nc -N half-closes: what was asked is answered, then it ends.
	printf 'ping\n' | timeout 60 nc -N -U run3/ring.sock | grep -x ok
	ask 1 help | grep 'item'
	ask 1 'log-level level=debug' | grep -x 'ok level=debug'
	appears log1 level=debug
	kill -USR1 "${PID[2]}"
	appears log2 '^dump kind=ring'
}

@test "drop: a partition, its healing, and the messages of both sides" {
	three
	subscribed 3 seen 'listen group=g' views
	ask 3 'drop peer=1 for=60s' 'drop peer=n2 for=1m' | grep -c left_ms=60000 |
		grep -x 2
	ask 3 status | grep 'kind=drop node=1'
	together 1,2
	together 3
	ask 1 'pub group=g data=ours' | grep '^ok'
	ask 3 'pub group=g data=theirs' | grep '^ok'
	ask 3 'drop peer=1 for=0' 'drop peer=2 for=0' >/dev/null
	together 1,2,3
	ask 3 status | grep 'kind=drop' && false
	ask 2 'pub group=g data=all' | grep '^ok'
	appears seen '^all$'
	grep -E '^(ours|theirs|all)$' seen | tr '\n' ' ' | grep -x 'theirs all '
	grep -cE '^drop node=[12] dir=both ' log3 | grep -x 4
	ask 3 'drop peer=9 for=1s' | grep '^no code=notfound\|^err code=usage'
	ask 3 'drop peer=1 for=2h' | grep '^err code=usage'
}

@test "one direction alone: nobody stays with whom it cannot hear" {
	three
	ask 2 'drop peer=3 dir=in for=60s' | grep '^ok'
	# Two rings of those who hear each other, whichever they are.
	await 3 '(ready|phase=regular).* members=(1,3|3) '
	ask 2 'drop peer=3 dir=in for=0' >/dev/null
	together 1,2,3
}

@test "SIGSTOP for a second and a half, and on" {
	three
	local inc
	inc=$(ask 2 status | grep local=yes | word inc)
	freeze "${PID[2]}"
	together 1,3
	ask 1 'pub group=g confirm=safe data=without' | grep '^ok'
	sleep 1.2 # no event: it is to be stopped for so long
	thaw "${PID[2]}"
	appears log2 '^paused ms='
	together 1,2,3
	ask 2 status | grep local=yes | grep -w "inc=$inc"
	[ "$(grep -c '^paused' log2)" -le 20 ]
	ask 2 'pub group=g confirm=safe data=with' | grep '^ok'
}

gathers()
{
	echo "$(stat_of 1 ring_gathers) $(stat_of 2 ring_gathers)" \
		"$(stat_of 3 ring_gathers)"
}

# stops_shortly TIMES: for 50 ms each; false: a node has left its ring.
stops_shortly()
{
	local i before
	before=$(gathers)
	for ((i = 0; i < $1; i++)); do
		freeze "${PID[$((i % 3 + 1))]}"
		sleep 0.05 # no event: it is to be stopped for so long
		thaw "${PID[$((i % 3 + 1))]}"
		sleep 0.05 # no event: and to go on for so long
	done
	[ "$(gathers)" = "$before" ]
}

# A busy machine may stop them for longer, but not always.
@test "SIGSTOP for 50 ms, again and again: nothing comes of it" {
	local try
	three
	for try in 1 2 3 4 5; do
		! stops_shortly 10 || break
		together 1,2,3
		[ "$try" != 5 ]
	done
}

# ---- strangers ----

# refused REASON I: node 1 counts it and says so, once, with the address.
refused()
{
	appears log1 "^datagram-refused reason=$1 from=$(address "$2"):5410 "
	until [ "$(stat_of 1 net_refused "reason=$1 ")" -gt 3 ]; do
		sleep 0.1 # no event: of a counter
	done
	[ "$(grep -c "^datagram-refused reason=$1 " log1)" = 1 ]
	# and it makes no ring with it
	ask 1 status | grep 'kind=ring' | grep ' members=1 '
}

@test "another key: refused, counted, told once" {
	config 2
	sed s/key_file.*/key_file=key2/ ringkit.conf >ringkit2.conf
	mv key key2
	another_key
	start 1
	conf=ringkit2.conf start 2
	refused tag 2
}

@test "another key id: refused, counted, told once" {
	config 2
	sed s/key_file.*/key_file=key2/ ringkit.conf >ringkit2.conf
	sed 's/^1 /2 /' key >key2
	chmod 400 key2
	[ ${#AS_NOBODY[@]} = 0 ] || chown "$NOBODY" key2
	start 1
	conf=ringkit2.conf start 2
	refused key-id 2
}

@test "another cluster with the same key: refused, counted, told once" {
	config 2
	sed s/name.*=.*test/name=other/ ringkit.conf >ringkit2.conf
	start 1
	conf=ringkit2.conf start 2
	refused cluster 2
}

@test "another version: refused, counted, told once" {
	config 2
	start 1
	for _ in 1 2 3 4 5; do
		head -c 100 /dev/zero | tr '\0' '\2' | timeout 60 nc -u -q 0 \
			-s "$(address 2)" -p 5410 "$(address 1)" 5410
	done
	refused version 2
}

@test "a stranger's address: refused, counted, told once" {
	config 2
	sed "s/$(address 1)/$(address 1)/; s/$(address 2)/$(address 7)/" \
		ringkit.conf >ringkit2.conf
	start 1
	conf=ringkit2.conf start 2
	refused address 7
}

@test "other limits: not in the same ring, and told" {
	config 2
	sed '/^key_file/a [ring]\nmessage_bytes_max=2MiB' ringkit.conf \
		>ringkit2.conf
	start 1
	conf=ringkit2.conf start 2
	appears log1 '^configuration-differs node=2 '
	appears log2 '^configuration-differs node=1 '
	ask 1 status | grep 'kind=warning node=2 '
	local gathers=0
	while [ "$(stat_of 1 ring_gathers)" != "$gathers" ]; do
		gathers=$(stat_of 1 ring_gathers)
		sleep 0.7 # no event: nothing is to happen
	done
	echo "$gathers times"
	[ "$gathers" -le 30 ]
	ask 1 status | grep 'kind=ring' | grep ' members=1 '
	[ "$(grep -c configuration-differs log1)" = 1 ]
}

@test "other tables of nodes: one ring, and a warning on both" {
	config 2
	printf '[node n3]\nid = 3\nlink0 = %s\n' "$(address 3)" |
		cat ringkit.conf - >ringkit2.conf
	start 1
	conf=ringkit2.conf start 2
	together 1,2
	ask 1 status | grep 'kind=warning node=2'
	ask 2 status | grep 'kind=warning node=1'
}

# as UID REQUEST...: what ringd answers somebody else.
as()
{
	local uid=$1
	shift
	printf '%s\n' "$@" quit |
		setpriv --reuid="$uid" --regid="$NOBODY" --clear-groups -- \
			nc -U run1/ring.sock
}

@test "only who may administer speaks in the groups of the daemons" {
	[ "$(id -u)" = 0 ] || skip "needs root, to be somebody else"
	config 1 '[acl]' 'pub ** = *' 'admin = user:4002'
	start 1
	together 1
	as 4001 'pub group=chat data=x' | grep '^ok pos='
	as 4001 'pub group=ringkit/member data=x' |
		grep '^err code=denied n=77 '
	as 4001 'join group=ringkit/member' | grep '^err code=denied n=77 '
	as 4002 'pub group=ringkit/member data=x' | grep '^ok pos='
	as 0 'join group=ringkit/member' | grep '^ok'
}
