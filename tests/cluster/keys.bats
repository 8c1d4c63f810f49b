#!/usr/bin/env bats
# The keys of a ring that runs are replaced: on all nodes, or on none.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

load ../cli/ringd_nodes
load load

setup()
{
	nodes_begin
	FIRST=$(printf '%064d' 7)
	PATH=$RINGKIT_BIN:$PATH
}

teardown()
{
	nodes_end
}

# keyed N: a configuration and a key file of its own for each of N nodes, and
# all of them started and together.  So patient that a busy machine alone
# makes no reformation.
keyed()
{
	local i all=
	config "$1" '[ring]' 'token = 3s' 'heartbeat = 200ms'
	for ((i = 1; i <= $1; i++)); do
		mkdir "keys$i"
		printf '# node %s\n\n1 %s\n' "$i" "$FIRST" >"keys$i/key"
		chmod 400 "keys$i/key"
		[ ${#AS_NOBODY[@]} = 0 ] ||
			chown -R "$NOBODY:$NOBODY" "keys$i"
		sed "s|^key_file = .*|key_file = $DIR/keys$i/key|" \
			ringkit.conf >"ringkit$i.conf"
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

rotate() # I [OPTION...]
{
	local i=$1
	shift
	RINGKIT_TIMEOUT=60s ringkit rotate-key --rundir="run$i" "$@"
}

# holds I ID...: the key file of node I, and its ringd, have these, the last one
# active.
holds()
{
	local i=$1 ids=${*:2} active=${*: -1}
	[ "$(awk '/^[0-9]/ { printf "%s%s", n++ ? " " : "", $1 }' \
		"keys$i/key")" = "$ids" ]
	[ "$(ask "$i" status | grep 'kind=key ' | word id | xargs)" = "$ids" ]
	ask "$i" status | grep "kind=key id=$active active=yes"
}

@test "under load: nothing lost, nothing doubled, no view change, one new key" {
	local i
	keyed 3
	load_begins 300
	# Twice, from two nodes.
	rotate 1 -l >told
	[ "$(grep -c 'result=ok' told)" = 9 ]
	grep '^done id=2$' told
	for i in 1 2 3; do
		holds "$i" 2
	done
	rotate 3 | grep '^done  key 3 '
	load_ends
	load_undisturbed
	for i in 1 2 3; do
		holds "$i" 3
		# What is not a key is as it was.
		[ "$(head -n 1 "keys$i/key")" = "# node $i" ]
		[ "$(stat -c %a "keys$i/key")" = 400 ]
		cmp <(grep '^3 ' "keys$i/key") <(grep '^3 ' keys1/key)
		# No client, listener or log ever saw it.
		[ "$(cat "log$i" "rec$i.1" | grep -caF -e ringkit/change \
			-e "$(sed -n 's/^3 //p' keys1/key)")" = 0 ]
	done
	[ "$(cat keys?/key | grep -c "$FIRST")" = 0 ]
	[ -z "$(find . -name '*.new.*')" ]
}

@test "a node that cannot write its key file: 78, its name, nothing changed" {
	local i
	keyed 3
	[ "$(id -u)" != 0 ] || chown root: keys2
	chmod 555 keys2
	sha256sum keys?/key >sums
	run rotate 1
	[ "$status" = 78 ]
	grep -E '^install 2  n2  no  .*keys2/key: .*denied' <<<"$output"
	grep '^install 2  n1  ok$' <<<"$output"
	sha256sum -c sums
	for i in 1 2 3; do
		holds "$i" 1
	done
	[ -z "$(find keys? -name '*.new.*')" ]
	# Once it can be written, it goes.
	chmod 755 keys2
	[ ${#AS_NOBODY[@]} = 0 ] || chown "$NOBODY:$NOBODY" keys2
	rotate 1
	for i in 1 2 3; do
		holds "$i" 2
	done
}

@test "a node that is absent: 75, its name, nothing changed" {
	keyed 3
	leave 3
	together 1,2
	sha256sum keys?/key >sums
	run rotate 1
	[ "$status" = 75 ]
	[[ $output == *'n3 (node 3) is not in the ring'* ]]
	sha256sum -c sums
	holds 1 1
	begin 3
	together 1,2,3
	rotate 1
	holds 3 2
}

# stage I STAGE [ID]: one stage alone, as if the rest never came.
stage()
{
	ask "$1" "rotate-key stage=$2${3:+ id=$3}" | grep '^ok n=3$'
}

@test "cut short behind each stage, it goes on at another node" {
	local i
	keyed 3
	stage 1 install 2
	holds 1 2 1
	rotate 2 -n | grep '^next  switch 2$'
	rotate 2 -n -j | jq -s -e 'map(select(.kind == "rotate")) |
		length == 3 and all(.active == 1 and
			(.keys | map(.[:2]) | sort) == ["1:", "2:"])'
	# Whoever starts now has both.
	slay 3
	begin 3
	together 1,2,3
	holds 3 2 1
	rotate 2 --resume
	for i in 1 2 3; do
		holds "$i" 2
	done

	stage 3 install 3
	stage 3 switch 3
	holds 1 2 3
	slay 1
	begin 1
	together 1,2,3
	rotate 2 --resume -l | grep '^done id=3$'
	for i in 1 2 3; do
		holds "$i" 3
	done
	# Nothing is left to resume.
	[ "$(rotate 1 --resume -l)" = 'done id=3' ]
	holds 2 3
}

@test "a stage out of its turn, or of a key that is none, changes nothing" {
	keyed 3
	sha256sum keys?/key >sums
	ask 1 'rotate-key stage=switch id=9' | grep '^err code=refused n=78 '
	ask 1 'rotate-key stage=retire id=9' | grep '^err code=refused n=78 '
	ask 1 'rotate-key stage=install id=1' | grep '^err code=usage n=64 '
	ask 1 'rotate-key stage=install id=0' | grep '^err code=usage n=64 '
	ask 1 'rotate-key stage=nonsense id=1' | grep '^err code=usage n=64 '
	# A node whose file is not what it uses is named.
	printf '9 %s\n' "$FIRST" >>other
	cat keys2/key other >both
	chmod 400 both
	[ ${#AS_NOBODY[@]} = 0 ] || chown "$NOBODY:$NOBODY" both
	mv -f both keys2/key
	run rotate 3
	[ "$status" = 78 ]
	grep '^survey  n2 .* file differs$' <<<"$output"

	grep -v keys2 sums | sha256sum -c
}

@test "after a rotation: a crash of the ring, a start, and the old key" {
	keyed 3
	cp keys1/key old
	rotate 1
	# The supervisor lives on: under the new key its word is believed, and
	# so is the ring it starts.
	: >keys2/key.new.2 # as a crash within a rotation leaves it
	: >keys3/key.new.3
	crash 2
	appears log1 'view-transitional .* left=2 reason=proof'
	together 1,2,3
	holds 2 2
	[ ! -e keys2/key.new.2 ]
	slay 3
	begin 3
	together 1,2,3
	[ ! -e keys3/key.new.3 ]
	# Whoever comes with the old one is nobody.
	slay 3
	together 1,2
	chmod 600 old

	cp old keys3/key
	chmod 400 keys3/key
	[ ${#AS_NOBODY[@]} = 0 ] || chown "$NOBODY:$NOBODY" keys3/key
	begin 3
	appears log1 'datagram-refused reason=key-id'
	ask 1 status | grep 'kind=ring .* members=1,2 '
}

@test "who may not administer is told so" {
	[ "$(id -u)" = 0 ] || skip "needs root to be somebody else"
	keyed 1
	chmod 755 "$DIR" run1
	chmod 666 run1/ring.sock
	run setpriv --reuid=12345 --regid=12345 --clear-groups -- \
		bash -c 'printf "rotate-key stage=survey\nquit\n" |
			timeout 60 nc -U run1/ring.sock'
	[[ $output == *'err code=denied n=77'* ]]
	rotate 1
	holds 1 2
}
