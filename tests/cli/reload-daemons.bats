#!/usr/bin/env bats
# What memberd, quorumd and cfgstored make of a configuration that is changed
# while they run.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # variables of the helpers

load cfgstored_nodes

setup()
{
	store_begin
	PATH=$RINGKIT_BIN:$PATH
}

teardown()
{
	nodes_end
}

# edit N [LINE...]: the file has N nodes now, and these lines before them.  The
# key stays.
edit()
{
	local n=$1 i
	shift
	{
		printf '[cluster]\nname = test\nkey_file = key\n'
		printf '[ring]\ntoken = 3s\nheartbeat = 200ms\n'
		printf '[quorum]\nlease = 10s\nsettle = 10s\n'
		[ $# = 0 ] || printf '%s\n' "$@"
		for ((i = 1; i <= n; i++)); do
			printf '[node n%s]\nid = %s\nlink0 = %s\n' \
				"$i" "$i" "$(address "$i")"
			[ "$i" != "${TAGGED:-0}" ] || echo 'tag.rack = seven'
		done
	} >ringkit.new
	mv ringkit.new ringkit.conf
}

reload() # I [OPTION...]
{
	local i=$1
	shift
	RINGKIT_TIMEOUT=60s ringkit reload --rundir="run$i" "$@"
}

m() # I REQUEST...: of memberd
{
	local i=$1
	shift
	printf '%s\n' "$@" quit | timeout 60 nc -U "run$i/member.sock" |
		sed '1d;$d'
}

# until_says PATTERN COMMAND...: until what it prints has that.
until_says()
{
	local end=$((SECONDS + 60)) pattern=$1
	shift
	until "$@" | grep -E "$pattern"; do
		[ $SECONDS -lt $end ] || {
			"$@"
			return 1
		}
		sleep 0.05 # no event: it is asked, not told
	done
}

alive() # PID...
{
	kill -0 "$@"
}

# Who leaves for good: its daemons first.
stop_all() # I
{
	kill -TERM "${Q[$1]}" "${M[$1]}"
	wait "${Q[$1]}" "${M[$1]}" || :
	leave "$1"
}

@test "a third node: counted at one place by all, told, and there when it comes" {
	local pos
	cluster 2 'two_node = yes'
	all_become 1,2 'quorate=yes votes=2 needed=1 expected=2 '
	watching 1 told
	watching 2 told2
	TAGGED=1 edit 3
	reload 1
	all_become 1,2 'quorate=yes votes=2 needed=2 expected=3 basis=majority'
	appears told '^ev 1 add node=3 name=n3 addr=.* state=absent inc=0 local=no '
	appears told '^ev 1 update node=1 key=tag.rack new=seven '
	appears told2 '^ev 1 update node=1 key=tag.rack new=seven '
	pos=$(appears told '^ev 1 quorum .* reason=reloaded ' | word pos)
	[ "$(appears told2 '^ev 1 quorum .* reason=reloaded ' | word pos)" = "$pos" ]
	for i in 1 2; do
		q "$i" status | grep 'kind=config state=current .*in_force=yes'
		until_says 'kind=config state=current' m "$i" status
	done
	[ "$(q 1 nodes | grep -c voter=yes)" = 3 ]
	# One of the two alone is not enough any more.
	start 3
	memberd_starts 3
	quorumd_starts 3
	all_become 1,2,3 'quorate=yes votes=3 needed=2 expected=3 '
	appears told '^ev 1 join node=3 name=n3 '
	# And back: it stops, and is in no file any more.
	stop_all 3
	all_become 1,2 'votes=2 needed=2 expected=3 '
	edit 2 'two_node = yes'
	reload 2
	all_become 1,2 'quorate=yes votes=2 needed=1 expected=2 '
	appears told '^ev 1 remove node=3 name=n3 '
	appears told '^ev 1 update node=1 key=tag.rack old=seven '
	[ "$(q 1 nodes | grep -c ^item)" = 2 ]
	[ "$(m 1 nodes | grep -c ^item)" = 2 ]
	# A start from the file finds what was agreed.
	gone "${Q[2]}"
	quorumd_starts 2
	all_become 1,2 'quorate=yes votes=2 needed=1 expected=2 '
}

# starts I: all daemons of a node that was stopped.
starts()
{
	start "$1"
	memberd_starts "$1"
	quorumd_starts "$1"
}

# heavy I: node I has three votes in the file.
heavy()
{
	sed -i "/^\[node n$1\]/a votes = 3" ringkit.conf
}

@test "a file that was never agreed on: the record counts, until they agree" {
	local i
	cluster 3
	all_become 1,2,3 'quorate=yes votes=3 needed=2 expected=3 '
	for i in 1 2 3; do
		stop_all "$i"
	done
	edit 3
	heavy 1
	starts 1
	becomes 1 'quorate=no votes=1 needed=2 expected=3 '
	q 1 why | grep '^item rule=reload .*never.*agreed.*the.*record'
	gone "${Q[1]}"
	quorumd_starts 1
	becomes 1 'quorate=no votes=1 needed=2 expected=3 '
	q 1 status | grep 'kind=config .*in_force=no'
	# Enough by the record, and by the file.
	starts 2
	all_become 1,2 'quorate=yes votes=4 needed=3 expected=5 '
	appears state1/quorumd.record ' config=.*/1:3,2:1,3:1/.* held=' >/dev/null
	stop_all 1
	stop_all 2
	# One is all that is left; an operator says so.
	edit 3
	heavy 2
	starts 2
	becomes 2 'quorate=no votes=1 needed=3 expected=5 '
	run reload 2
	[ "$status" = 75 ]
	reload 2 --force
	becomes 2 'quorate=yes votes=3 needed=3 expected=5 '
	q 2 status | grep 'kind=config .*in_force=yes'
	kill -TERM "${Q[2]}"
	wait "${Q[2]}"
	sed 's/^name = test$/name = other/' ringkit.conf >other.conf
	run timeout 60 "${AS_NOBODY[@]}" "$BIN/quorumd" -c other.conf \
		--node n2 --rundir run2 --statedir state2
	[ "$status" = 78 ]
	[[ $output == *state2/quorumd.record\ is\ of\ another\ cluster* ]]
	echo damaged >state2/quorumd.record
	run timeout 60 "${AS_NOBODY[@]}" "$BIN/quorumd" -c ringkit.conf \
		--node n2 --rundir run2 --statedir state2
	[ "$status" = 73 ]
	[[ $output == *state2/quorumd.record:\ damaged* ]]
}

@test "what would cost quorum, or needs a restart, changes nothing, anywhere" {
	local digest
	cluster 3
	all_become 1,2,3 'quorate=yes votes=3 '
	digest=$(q 1 status | grep kind=config | word digest)
	edit 3 'last_man_standing = yes' 'wait_for_all = yes'
	run reload 1
	[ "$status" != 0 ]
	grep 'needs a restart: .*last_man_standing' <<<"$output"
	# Mistakes, twice: nobody dies of it, and the next good file is taken.
	for _ in 1 2; do
		edit 3 'two_node = yes'
		run reload 1
		[ "$status" = 78 ]
	done
	gone "${Q[3]}"
	gone "${M[3]}"
	slay 3
	all_become 1,2 'quorate=yes votes=2 '
	edit 5
	run reload 1
	[ "$status" = 75 ]
	[ "$(q 1 would | grep -c '^no code=quorum msg=it.*2.of.5')" = 1 ] ||
		q 1 would
	[ "$(q 1 status | grep kind=config | word digest)" = "$digest" ]
	value 1 expected | grep '^3$'
	# Forced: the ring has it, quorum is not given away before that is said.
	reload 1 --force
	until_says 'kind=config state=current .*in_force=' q 2 status
	if q 1 status | grep 'in_force=no'; then
		until_says '^ok' q 1 'reload force=yes'
	fi
	all_become 1,2 'quorate=no votes=2 needed=3 expected=5 '
	alive "${Q[1]}" "${Q[2]}" "${M[1]}" "${M[2]}"
}

@test "a file that was changed once more is not taken, and status says so" {
	cluster 2
	all_become 1,2 'quorate=yes votes=2 '
	kill -STOP "${M[1]}" "${Q[1]}"
	edit 3
	# quorumd of node 1 has not read it, so nobody counts by it.
	status=0
	RINGKIT_TIMEOUT=10s ringkit reload --rundir=run2 >said 2>why || status=$?
	[ "$status" = 75 ]
	grep '^done ' said
	grep 'in force in the ring, not for quorum: do not start new nodes' why
	until_says 'kind=config state=current .*in_force=no' q 2 status
	value 2 expected | grep '^2$'
	q 2 why | grep 'rule=reload verdict=off text=.*not.read.by.n1' ||
		q 2 why | grep 'rule=reload'
	edit 4
	kill -CONT "${M[1]}" "${Q[1]}"
	until_says 'kind=config state=stale .*wanted=[0-9a-f]{16} why=.*changed' \
		q 1 status
	until_says 'kind=config state=stale ' m 1 status
	[ "$(m 1 nodes | grep -c ^item)" = 2 ]
	value 1 expected | grep '^2$'
	# The right one, and again: done only when all count by it.
	edit 3
	reload 2
	q 2 status | grep 'kind=config state=current .*in_force=yes'
	all_become 1,2 'quorate=yes votes=2 needed=2 expected=3 '
	until_says 'kind=config state=current ' m 1 status
	[ "$(m 1 nodes | grep -c ^item)" = 3 ]
}

@test "where quorum cannot be asked nothing is changed, unless forced" {
	local digest
	config 2 '[ring]' 'token = 3s' 'heartbeat = 200ms' \
		'[quorum]' 'lease = 10s' 'settle = 10s'
	# In a ring without quorumds a word about it is all.
	start 1 2
	together 1,2
	reload 2 2>why
	grep 'quorum.sock: .*quorum was not asked' why
	# It runs elsewhere.
	quorumd_starts 1
	until_says 'group=ringkit/quorum' ask 2 groups
	digest=$(ask 2 status | grep 'kind=config ' | word digest)
	edit 3
	run reload 2
	[ "$status" = 75 ]
	grep 'other nodes have a quorumd' <<<"$output"
	[ "$(ask 2 status | grep 'kind=config ' | word digest)" = "$digest" ]
	reload 2 --force
	[ "$(ask 2 status | grep 'kind=config ' | word digest)" != "$digest" ]
	# It runs here, and knows nothing without a ring.
	slay 1
	until_says 'code=away' q 1 would
	run reload 1
	[ "$status" = 69 ]
	grep 'no verdict.*nothing was changed' <<<"$output"
}

@test "cfgstored offers a new node, and its rights follow the file" {
	config 2 "${PATIENT[@]}" '[quorum]' 'lease = 10s' 'settle = 10s'
	start 1 2
	cfgstored_starts 1 2
	opens 1,2
	set_key 1 a one | grep '^ok'
	edit 3
	reload 1
	until_says 'electorate=1:1,2:1 .*permitted=yes offered=3:1 ' c 1 status
	until_says '^ok electorate=1:1,2:1 offered=3:1' c 2 electorate
	start 3
	cfgstored_starts 3
	opens 1,2,3
	# It has everything, and no vote, until it is given one.
	until_says 'node=3 name=n3 votes=0 member=yes complete=yes' c 1 nodes
	c 1 'electorate node=3 votes=1' | grep '^ok'
	until_says '^ok electorate=1:1,2:1,3:1$' c 2 electorate
	set_key 3 b two | grep '^ok'
	# What memory was taken for is refused by name.
	edit 3 '[store]' 'keys_max = 5000'
	run reload 1
	[ "$status" = 78 ]
	grep keys_max <<<"$output" | grep restart
	stored 1 'config=current'
}
