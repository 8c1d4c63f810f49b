#!/usr/bin/env bats
# The configuration of a cluster that runs is changed: on all nodes, or on none.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

load ../cli/ringd_nodes
load load

setup()
{
	nodes_begin
	PATH=$RINGKIT_BIN:$PATH
}

teardown()
{
	[ ! -e "$DIR/s/daemons" ] || ringkit sandbox --stop "$DIR/s" || :
	nodes_end
}

# Patient: a machine that is busy alone makes no reformation.
PATIENT=('[ring]' 'token = 3s' 'heartbeat = 200ms' 'rt_priority = 0')

# files N I...: the file in ringkit.conf is that of nodes I..., where N nodes are
# configured, with the lines in EXTRA.
files()
{
	local n=$1 i
	shift
	for i; do
		write "$n" >"ringkit$i.new"
		mv "ringkit$i.new" "ringkit$i.conf"
	done
}

write() # N
{
	local i
	printf '[cluster]\nname = test\nkey_file = key\n'
	printf '%s\n' "${EXTRA[@]}"
	for ((i = 1; i <= $1; i++)); do
		[[ " ${WITHOUT:-} " != *" $i "* ]] || continue
		printf '[node n%s]\nid = %s\nlink0 = %s\n' \
			"$i" "$i" "$(address "$i")"
		[ "$i" != "${TAGGED:-0}" ] || echo 'tag.rack = seven'
	done
}

# up N: N nodes, each with a file of its own, run and are together.
up()
{
	local i all=
	EXTRA=("${PATIENT[@]}")
	another_key
	for ((i = 1; i <= $1; i++)); do
		files "$1" "$i"
		begin "$i"
		all=$all${all:+,}$i
	done
	together "$all"
}

begin() # I...
{
	local i
	for i; do
		conf=ringkit$i.conf start "$i"
	done
}

reload() # I [OPTION...]
{
	local i=$1
	shift
	RINGKIT_TIMEOUT=60s ringkit reload --rundir="run$i" "$@"
}

config_of() # I
{
	ask "$1" status | grep 'kind=config ' | word digest
}

# alike I...: these nodes have the same configuration in force.
alike()
{
	local i
	for i; do
		[ "$(config_of "$i")" = "$(config_of "$1")" ]
	done
}

gathers() # I...
{
	local i
	for i; do
		stat_of "$i" ring_gathers
	done | xargs
}

detect() # I KEY
{
	ask "$1" status | grep 'kind=detect ' | word "$2"
}

@test "under load: timers, then a node more, then one less; nothing is lost" {
	local before
	up 3
	load_begins 300
	before=$(gathers 1 2 3)
	subscribed 2 told views
	# Timers, log, names of tags.
	EXTRA=('[ring]' 'preset = loaded-vm' 'heartbeat = 250ms' 'token = 4s'
		'rt_priority = 0' 'merge = 300ms' '[log]' 'level = info')
	TAGGED=2 files 3 1 2 3
	reload 1 -n -l >dry
	[ "$(grep -c '^reload change=try .* result=ok differences=[1-9]' dry)" = 3 ]
	[ "$(detect 1 preset)" = lan ]
	reload 1 -l >taken
	[ "$(grep -c '^reload change=reload .* result=ok ' taken)" = 3 ]
	grep '^done n=3 config=[0-9a-f]* absent=$' taken
	for i in 1 2 3; do
		[ "$(detect "$i" preset)" = loaded-vm ]
		[ "$(detect "$i" heartbeat_ms)" = 250 ]
		[ "$(detect "$i" token_ms)" -ge 4000 ]
		[ "$(ask "$i" log-level)" = 'ok level=info' ]
		appears "log$i" "reloaded by=1 config=$(config_of 1)"
	done
	alike 1 2 3
	appears told "^ev 1 config view=.* pos=.* by=1 digest=$(config_of 2) nodes=1,2,3"
	# Options that are gone are their defaults again.
	EXTRA=("${PATIENT[@]}")
	files 3 1 2 3
	reload 2
	[ "$(detect 3 preset)" = lan ]
	[ "$(detect 3 merge_ms)" = 200 ]
	[ "$(ask 1 log-level)" = 'ok level=notice' ]
	# A fourth node, which stands before none and behind all.
	files 4 1 2 3
	reload 3 -l | grep '^done n=3 .* absent=n4$'
	appears told "^ev 1 config .* by=3 .* nodes=1,2,3,4"
	load_ends
	[ "$(gathers 1 2 3)" = "$before" ]
	files 4 4
	begin 4
	together 1,2,3,4
	alike 1 2 3 4
	[ "$(ask 4 status | grep -c kind=warning)" = 0 ]
	# It goes again; while it is there it stays.
	files 3 1 2 3
	run reload 1
	[ "$status" = 78 ]
	grep 'n4 is still a member: stop it first' <<<"$output"
	leave 4
	together 1,2,3
	reload 1
	alike 1 2 3
	[ "$(ask 2 status | grep -c 'kind=node ')" = 3 ]
	# What is not configured is not heard.
	begin 4
	appears log1 'datagram-refused reason=node'
	ask 1 status | grep 'kind=ring .* members=1,2,3 '
}

@test "a node in the middle of the table is added, is used, and is removed" {
	WITHOUT='2 3'
	EXTRA=("${PATIENT[@]}")
	another_key
	for i in 1 4 5; do
		files 5 "$i"
		begin "$i"
	done
	together 1,4,5
	ask 4 'drop peer=5 dir=in for=1ms' | grep '^ok'
	WITHOUT=2 files 5 1 3 4 5
	reload 5
	begin 3
	together 1,3,4,5
	WITHOUT='' files 5 1 2 3 4 5
	reload 3
	begin 2
	together 1,2,3,4,5
	for i in 1 2 3 4 5; do
		ask "$i" 'pub group=g confirm=safe data=x' | grep '^ok pos='
	done
	leave 3
	together 1,2,4,5
	WITHOUT=3 files 5 1 2 4 5
	reload 4
	alike 1 2 4 5
	# The table also stands when the ring forms anew, and when its
	# supervisor starts one again.
	crash 2
	appears log2 'died .*' >/dev/null
	together 1,2,4,5
	alike 1 2 4 5
	[ "$(ask 2 status | grep -c 'kind=node ')" = 4 ]
}

@test "what would go wrong anywhere is refused everywhere, by name" {
	local before
	up 3
	before=$(config_of 1)
	# This node's own file.
	echo 'nonsense' >>ringkit1.conf
	run reload 1
	[ "$status" = 78 ]
	grep 'ringkit1.conf:[0-9]*: ' <<<"$output"
	# Another one's, which this one cannot see.
	EXTRA+=('merge = 300ms')
	files 3 1 3
	run reload 1
	[ "$status" = 78 ]
	grep "n2  no .*its file differs from n1's" <<<"$output"
	[[ $output == *'a node would not: nothing was changed'* ]]
	echo '[ring' >ringkit2.conf
	run reload 3
	[ "$status" = 78 ]
	grep 'n2  no .*ringkit2.conf:1: ' <<<"$output"
	rm ringkit2.conf
	run reload 3 -j
	[ "$status" = 78 ]
	grep '"name":"n2","result":"no",.*No such file' <<<"$output"
	# What a running daemon cannot change.
	for line in 'frame_bytes = 1300' 'message_bytes_max = 2MiB' \
		'window = 100'; do
		EXTRA=("${PATIENT[@]}" "$line")
		files 3 1 2 3
		run reload 2
		[ "$status" = 78 ]
		grep "\[ring\] ${line%% *}: needs a restart" <<<"$output"
	done
	EXTRA=("${PATIENT[@]}" '[ring]' 'port = 7000')
	files 3 1 2 3
	run reload 2
	[ "$status" = 78 ]
	EXTRA=("${PATIENT[@]}")
	WITHOUT=3 files 3 1 2 3
	run reload 2
	[ "$status" = 78 ]
	grep 'n3 is still a member' <<<"$output"
	WITHOUT=
	# Nothing has happened.
	for i in 1 2 3; do
		[ "$(config_of "$i")" = "$before" ]
	done
	# Twice in vain, and then not.
	EXTRA+=('merge = 300ms')
	files 3 1 2 3
	reload 2
	alike 1 2 3
	[ "$(config_of 1)" != "$before" ]
}

@test "HUP does it, too; a node that is down comes with its file" {
	up 3
	leave 3
	together 1,2
	EXTRA+=('merge = 300ms')
	files 3 1 2
	# To the supervisor; the ring's own process does as well.
	kill -HUP "${PID[1]}"
	appears log1 'reload-result outcome=committed'
	[ "$(detect 2 merge_ms)" = 300 ]
	EXTRA=("${PATIENT[@]}" 'merge = 400ms')
	files 3 1 2
	kill -HUP "$(ring_of "${PID[2]}")"
	appears log2 'reload-result outcome=committed'
	[ "$(detect 1 merge_ms)" = 400 ]
	# It comes back with the old file: it is told, and one run repairs it.
	begin 3
	together 1,2,3
	[ "$(config_of 3)" != "$(config_of 1)" ]
	run reload 1
	[ "$status" = 78 ]
	grep "n3  no .*its file differs" <<<"$output"
	files 3 3
	reload 1
	alike 1 2 3
	[ "$(detect 3 merge_ms)" = 400 ]
	# Nobody has asked for the quorum: that takes more than a signal.
	files 4 2
	kill -HUP "${PID[2]}"
	appears log2 'reload-refused msg=.*about.0040quorum:.0040use'
	alike 1 2 3
	# A mistake of the file is only logged.
	echo '[' >>ringkit2.conf
	kill -HUP "${PID[2]}"
	appears log2 'reload-refused msg=.*ringkit2.conf:'
	alike 1 2 3
}

@test "killed between its vote and the end: run again, it is whole" {
	local i k
	up 3
	for ((i = 0; i < 6; i++)); do
		EXTRA=("${PATIENT[@]}" "merge = $((300 + i))ms")
		files 3 1 2 3
		background reload 1
		# Anywhere in it.
		[ $((i % 2)) = 0 ] || appears "log2" "reload|started" >/dev/null
		crash 3
		wait $! || :
		together 1,2,3
		# Some may have it and the others not: all have it then.
		for ((k = 0; k < 5; k++)); do
			! reload 1 || break
			together 1,2,3
		done
		alike 1 2 3
		[ "$(detect 3 merge_ms)" = $((300 + i)) ]
	done
}

@test "who may publish changes with the file, for who is connected, too" {
	[ "$(id -u)" = 0 ] || skip "needs root to be somebody else"
	local fd
	up 2
	chmod 755 "$DIR" run1
	chmod 666 run1/ring.sock
	mkfifo in
	exec {fd}<>in
	background setpriv --reuid=12345 --regid=12345 --clear-groups -- \
		nc -U run1/ring.sock <&"$fd" >out
	echo '#a pub group=g data=x' >&"$fd"
	appears out '^#a ok'
	EXTRA+=('[acl]' 'pub ** = user:root')
	files 2 1 2
	reload 2
	echo '#b pub group=g data=x' >&"$fd"
	appears out '^#b err code=denied'
	echo '#c reload' >&"$fd"
	appears out '^#c err code=denied'
	exec {fd}>&-
}

@test "other rules, and a node gone for good: the others go on by force" {
	local s=$DIR/s
	# shellcheck disable=SC2154 # slot is of ringd_nodes
	ringkit sandbox --only=ringd,memberd,quorumd \
		--port=$((20000 + slot * 8 + BATS_TEST_NUMBER)) 3 "$s" >/dev/null
	ringkit sandbox --stop "$s"
	printf '[quorum]\nlast_man_standing = yes\n' >>"$s/ringkit.conf"
	ringkit sandbox --start=1 "$s"
	ringkit sandbox --start=2 "$s"
	echo watch >input
	first_match 'members=1,2( |$)' 60 nc -U "$s/1/member.sock"
	run ringkit reload --rundir "$s/1" --force
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *'not asked: n3'* ]]
	echo watch >input
	first_match 'quorate=yes.* votes=2 ' 60 nc -U "$s/1/quorum.sock"
	printf 'status\nquit\n' | timeout 60 nc -U "$s/1/quorum.sock" |
		grep 'kind=config state=current .*in_force=yes'
	ringkit sandbox --stop "$s"
}

@test "votes and nodes reach all daemons; what costs the quorum has to be forced" {
	local s=$DIR/s
	# shellcheck disable=SC2154 # slot is of ringd_nodes
	ringkit sandbox --only=ringd,memberd,quorumd \
		--port=$((20000 + slot * 8 + BATS_TEST_NUMBER)) 3 "$s" >/dev/null
	quorum_is() # TEXT
	{
		printf 'status\nquit\n' | timeout 60 nc -U "$s/1/quorum.sock" |
			grep "kind=quorum .*$1"
	}
	sed -i 's/^id = 3/&\nvotes = 3/' "$s/ringkit.conf"
	ringkit reload --rundir "$s/1" -l | grep '^done n=3 '
	# quorumd says what is in force as soon as all have read it.
	ringkit reload --rundir "$s/1" -f >/dev/null
	quorum_is 'quorate=yes votes=5 needed=3 expected=5'
	sed -i '/^votes/d' "$s/ringkit.conf"
	ringkit reload --rundir "$s/2" -f >/dev/null
	ringkit down --rundir "$s/3" --force
	echo watch >input
	first_match 'quorate=yes votes=2 ' 60 nc -U "$s/1/quorum.sock"
	printf '\n[node n4]\nid = 4\nlink0 = 127.0.0.4:4\n' >>"$s/ringkit.conf"
	run ringkit reload --rundir "$s/1"
	[ "$status" = 75 ]
	[[ $output == *'2 of 4 votes'*'nothing was changed'* ]]
	quorum_is 'quorate=yes votes=2 needed=2 expected=3'
	ringkit reload --rundir "$s/1" --force | grep 'not asked: n3,n4'
	quorum_is 'quorate=no votes=2 needed=3 expected=4'
	ringkit members --rundir "$s/1" | grep '^4 *n4'
	ringkit sandbox --stop "$s"
}
