#!/usr/bin/env bats
# memberd over real ringds: who comes, who goes and why, tags, fencing, and
# watchers that lose nothing.
# shellcheck disable=SC2030,SC2031,SC2153 # each test is a shell of its own

load ringd_nodes

setup()
{
	nodes_begin
	declare -gA MPID=() # of memberd, by node
	MEMBERD=${RINGKIT_BIN:?}/memberd
	if [ ${#AS_NOBODY[@]} != 0 ]; then
		cp "$MEMBERD" "$DIR/memberd"
		MEMBERD=$DIR/memberd
	fi
}

teardown()
{
	nodes_end
}

# member I [OPTION...]: starts the memberd of node I; its log is logmI.
member()
{
	local i=$1 ready
	shift
	[ -e "run$i" ] || folders "$i"
	[ -p "readym$i" ] || mkfifo "readym$i"
	exec {ready}<>"readym$i"
	"${AS_NOBODY[@]}" "$MEMBERD" -c ringkit.conf --node "n$i" \
		--rundir "run$i" --ready-fd 8 "$@" \
		2>>"logm$i" </dev/null 3>&- 8>&"$ready" &
	MPID[$i]=$!
	PIDS+=($!)
	read -r -t 60 -u "$ready"
	exec {ready}>&-
}

# mask I REQUEST...: what the memberd of node I answers.
mask()
{
	local i=$1
	shift
	printf '%s\n' "$@" quit | timeout 60 nc -U "run$i/member.sock" |
		sed '1d;$d'
}

# node I NODE KEY: what memberd I says of a node.
node()
{
	mask "$1" nodes | grep -F " name=$2 " | word "$3"
}

# until_true COMMAND...: it holds; for what no event tells.
until_true()
{
	local end=$((SECONDS + 60))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || {
			echo "never: $*"
			return 1
		}
		sleep 0.02 # no event: it is asked
	done
}

# knows I LIST: memberd I has these members.
knows()
{
	mask "$1" nodes | grep -q "^ok .* members=$2 "
}

says() # I NODE KEY VALUE
{
	[ "$(node "$1" "$2" "$3")" = "$4" ]
}

# watched I FILE [WORDS]: what memberd I tells goes to FILE.
watched()
{
	local i=$1 file=$2 fd
	mkfifo "$file.in"
	exec {fd}<>"$file.in"
	printf 'watch %s\n' "${3:-}" >&"$fd"
	background nc -U "run$i/member.sock" <&"$fd" >"$file"
	exec {fd}>&-
	appears "$file" '^ev 1 ready |^err ' >/dev/null
}

# three: three nodes with memberds that know each other.
three()
{
	local i
	# So patient that a busy machine alone makes no departures.
	config 3 '[ring]' token=3s "heartbeat=${heartbeat:-200ms}"
	start 1 2 3
	together 1,2,3
	for i in 1 2 3; do member "$i"; done
	for i in 1 2 3; do
		until_true knows "$i" 1,2,3
		until_true says "$i" n1 version 0.1.0
		until_true says "$i" n3 version 0.1.0
	done
}

# live FILE: the events behind the snapshot, without seq, ts and what varies.
live()
{
	sed '1,/ ready /d' "$1" | sed -E 's/^ev 1 //; s/ seq=[0-9]+ ts=[^ ]*//
		s/(view|prev)=[0-9.]+/\1=V/g; s/ (inc|ms)=[0-9]+/ \1=N/g
		s/addr=[0-9.]+/addr=A/; s/ reason=[a-z-]+ ms=/ reason=R ms=/'
}

# numbered FILE: its live events have the numbers behind that of ready.
numbered()
{
	sed -n '/ ready /,$p' "$1" | word seq |
		awk 'NR > 1 && $1 != last + 1 { exit 1 } { last = $1 }'
}

@test "a clean leave is left, and told last of all by a view" {
	three
	watched 1 seen
	leave 3
	appears seen ' view .*members=1,2 ' >/dev/null
	live seen >got
	cat >want <<-'END'
		leave node=3 name=n3 inc=N reason=left why=leave
		view view=V prev=V members=1,2 joined= left=3 reasons=3:left reason=R ms=N coordinator=1
	END
	diff want got
	numbered seen
	says 1 n3 state left
	says 2 n3 state left
}

@test "kill -9 is lost; the next incarnation comes back from that" {
	three
	watched 1 seen
	local inc
	inc=$(node 1 n3 inc)
	slay 3
	appears seen ' view .*members=1,2 ' >/dev/null
	start 3
	appears seen ' view .*members=1,2,3 ' >/dev/null
	live seen | grep -v '^update' >got
	cat >want <<-'END'
		leave node=3 name=n3 inc=N reason=lost why=timeout
		view view=V prev=V members=1,2 joined= left=3 reasons=3:lost reason=R ms=N coordinator=1
		join node=3 name=n3 addr=A inc=N was=lost
		view view=V prev=V members=1,2,3 joined=3 left= reasons= reason=R ms=N coordinator=1
	END
	sed -E -i 's/why=(proof|consensus)/why=timeout/' got
	diff want got
	[ "$(node 1 n3 inc)" -gt "$inc" ]
	# Its memberd found the new ringd, and says so.
	appears seen 'update node=3 key=version new=' >/dev/null
	until_true says 3 n3 state member
}

@test "a restart faster than the detection is a leave and a join at once" {
	heartbeat=1s three
	watched 1 seen
	unnoticed 3
	kill -KILL "${PID[3]}"
	start 3
	appears seen ' view .* joined=3 ' >/dev/null
	grep -m 1 ' view ' seen >first
	grep -E ' members=1,2,3 joined=3 left=3 reasons=3:restarted ' first || {
		# The machine was too slow for that: it was missed first.
		grep -E ' members=1,2 ' first
		skip "ringd took longer to start than to be missed"
	}
	live seen | head -n 2 >got
	sed -E -i 's/why=[a-z-]*/why=W/' got
	cat >want <<-'END'
		leave node=3 name=n3 inc=N reason=restarted why=W
		join node=3 name=n3 addr=A inc=N was=restarted
	END
	diff want got
}

@test "a stopped node tells its pause before all else, then the others know" {
	three
	watched 1 seen
	watched 3 slept
	freeze "${PID[3]}" "${MPID[3]}"
	appears seen ' view .*members=1,2 ' >/dev/null
	sleep 1.5 # no event: it is to sleep longer than a second
	thaw "${PID[3]}" "${MPID[3]}"
	appears seen 'update node=3 key=paused new=[0-9]' >/dev/null
	appears slept ' view .*members=1,2,3 ' >/dev/null
	live slept | head -n 1 | grep -x 'pause ms=N'
	[ "$(live slept | grep -c '^pause')" = 1 ]
	# Whom it lost sight of was not lost.
	[ "$(live slept | grep -c 'reason=lost ')" = 0 ]
	live seen | grep -x 'join node=3 name=n3 addr=A inc=N was=partition'
}

@test "ringd alone stopped is a pause, too" {
	three
	watched 3 slept
	freeze "${PID[3]}"
	until_true knows 1 1,2
	sleep 1.5 # no event: it is to sleep longer than a second
	thaw "${PID[3]}"
	appears slept ' view .*members=1,2,3 ' >/dev/null
	live slept | head -n 1 | grep -x 'pause ms=N'
	[ "$(live slept | grep -c 'reason=lost ')" = 0 ]
}

@test "both sides of a partition say so, and that nobody restarted" {
	three
	watched 1 one
	watched 3 three
	ask 3 "drop peer=1 for=1m" "drop peer=2 for=1m" >/dev/null
	appears one ' view .*members=1,2 ' >/dev/null
	appears three ' view .*members=3 ' >/dev/null
	ask 3 "drop peer=1 for=0" "drop peer=2 for=0" >/dev/null
	appears one ' view .*members=1,2,3 ' >/dev/null
	appears three ' view .*members=1,2,3 ' >/dev/null
	live one | grep -x 'join node=3 name=n3 addr=A inc=N was=partition'
	live three | grep -x 'join node=1 name=n1 addr=A inc=N was=partition'
	numbered one
	numbered three
	# The same views, in the same order, as far as both were there.
	[ "$(grep ' view ' one | tail -n 1 | word view)" = \
		"$(grep ' view ' three | tail -n 1 | word view)" ]
}

@test "tags: for all, with any bytes, configured and changed" {
	three
	watched 2 seen
	[ "$(mask 1 'tag name=rack value=a\0040b\0054\0133')" = ok ]
	[ "$(mask 1 'tag name=rack value=c node=n1')" = ok ]
	[ "$(mask 3 '#t tag name=rack unset=yes node=1')" = '#t ok' ]
	[ "$(mask 3 'tag name=zone value= node=1')" = ok ]
	appears seen 'key=tag.zone' >/dev/null
	live seen >got
	cat >want <<-'END'
		update node=1 key=tag.rack new=a\0040b,\0133
		update node=1 key=tag.rack old=a\0040b,\0133 new=c
		update node=1 key=tag.rack old=c
		update node=1 key=tag.zone new=
	END
	diff want got
	says 2 n1 tags zone:
	mask 1 'tag name=NO value=1' | grep 'err code=usage n=64'
	mask 1 'tag name=x' | grep 'err code=usage n=64'
	mask 1 'tag name=x value=1 unset=yes' | grep 'err code=usage n=64'
	mask 1 'tag name=x value=1 node=n9' | grep 'err code=usage n=64'
	# memberd restarted learns them again from the others.
	kill "${MPID[2]}"
	wait "${MPID[2]}" || :
	member 2
	until_true says 2 n1 tags zone:
}

@test "tags of the configuration are there from the start" {
	config 2
	sed -i '/^id = 1$/a tag.rack = left hand' ringkit.conf
	start 1 2
	together 1,2
	member 1
	member 2
	until_true knows 2 1,2
	says 2 n1 tags 'rack:left\0040hand'
}

@test "fenced: only the last incarnation of one that is gone" {
	three
	watched 2 seen
	local inc
	inc=$(node 1 n3 inc)
	[ "$(mask 1 "fenced node=n3 inc=$inc by=n1")" = 'no code=stale' ]
	slay 3
	until_true says 1 n3 state lost
	[ "$(mask 1 "fenced node=n3 inc=$((inc + 1)) by=n1")" = 'no code=stale' ]
	[ "$(mask 1 "fenced node=n3 inc=$((inc - 1)) by=n1")" = 'no code=stale' ]
	[ "$(mask 1 "fenced node=n3 inc=$inc by=n1 method=the\0040plug")" = ok ]
	appears seen ' fenced ' >/dev/null
	live seen | grep -Fx 'fenced node=3 inc=N by=1 method=the\0040plug'
	says 2 n3 state fenced
	start 3
	appears seen ' join .* was=fenced' >/dev/null
	says 1 n3 state member
}

@test "forget: not a member, and then as if it had never been" {
	three
	watched 2 seen
	[ "$(mask 1 'tag name=rack value=a node=n3')" = ok ]
	[ "$(mask 1 'forget node=n3')" = 'no code=member' ]
	leave 3
	until_true knows 1 1,2
	[ "$(mask 1 'forget node=n3')" = ok ]
	appears seen ' forget node=3 name=n3 ' >/dev/null
	says 2 n3 state absent
	says 2 n3 tags ''
	start 3
	appears seen ' join node=3 .* was=new' >/dev/null
}

@test "a cursor goes on where it stood; one that cannot says gap" {
	three
	local cursor
	cursor=$(mask 1 nodes | word cursor)
	mask 1 'tag name=a value=1' 'tag name=b value=2' >/dev/null
	watched 1 resumed "since=$cursor"
	sed -E 's/ seq=.*//' resumed | tail -n +2 >got
	cat >want <<-END
		ok id=1
		ev 1 update node=1 key=tag.a new=1
		ev 1 update node=1 key=tag.b new=2
		ev 1 ready view=$(mask 1 nodes | word view) members=1,2,3 coordinator=1 cursor=$(mask 1 nodes | word cursor)
	END
	diff want got
	watched 1 foreign "since=00000000:1"
	sed -n 3p foreign | grep -E '^ev 1 gap lost=unknown seq='
	[ "$(grep -c '^ev 1 exists ' foreign)" = 3 ]
	watched 1 bare 'snapshot=no'
	[ "$(grep -c '^ev 1 exists ' bare)" = 0 ]
	mask 1 'watch since=nonsense' | grep '^err code=usage n=64'
}

@test "memberd restarted knows who is there, and how the others had gone" {
	three
	leave 3
	until_true says 1 n3 state left
	local epoch
	epoch=$(mask 1 nodes | word cursor)
	kill "${MPID[1]}"
	wait "${MPID[1]}"
	member 1
	until_true knows 1 1,2
	until_true says 1 n3 state left
	[ "${epoch%:*}" != "$(mask 1 nodes | word cursor | sed 's/:.*//')" ]
}

@test "without ringd there is no membership, and watchers know at once" {
	config 1
	member 1
	mask 1 nodes watch 'tag name=x value=1' >got
	[ "$(grep -c '^err code=away n=69' got)" = 3 ]
	mask 1 status | grep ' kind=member ready=no away_ms='
	start 1
	until_true knows 1 1
	watched 1 seen
	local pid=${PIDS[-1]}
	slay 1
	timeout 60 tail -s 0.01 --pid="$pid" -f /dev/null
	tail -n 1 seen | grep '^err code=away n=69 '
	mask 1 nodes | grep '^err code=away n=69'
	# And back: the same history tells what became of it.
	local cursor
	cursor=$(mask 1 status | word cursor)
	start 1
	until_true knows 1 1
	watched 1 again "since=$cursor"
	grep -E 'leave node=1 .* reason=restarted why=unseen ' again
	grep -E 'join node=1 .* was=restarted ' again
	grep -E ' view .* joined=1 left=1 reasons=1:restarted reason=unseen ' again
}

@test "the ringd of another node is not believed" {
	config 2
	folders 2
	ln -s run2 run1
	mkdir -p state1
	start 2
	member 1
	appears logm1 'ring-foreign name=n2 expected=n1' >/dev/null
	mask 1 nodes | grep '^err code=away n=69'
}

@test "rights: who may read may not tag" {
	[ "$(id -u)" = 0 ] || skip "needs root, to be somebody else"
	local other=(setpriv --reuid=65533 --regid=65533 --clear-groups --)
	config 1
	start 1
	member 1
	until_true knows 1 1
	chmod 666 run1/member.sock
	printf '%s\n' 'tag name=x value=1' nodes quit |
		"${other[@]}" nc -U "$DIR/run1/member.sock" >got
	sed -n 2p got | grep '^err code=denied n=77'
	grep '^item node=1 ' got
}

@test "memberd ends cleanly, and tells its watchers" {
	config 1
	start 1
	member 1
	until_true knows 1 1
	watched 1 seen
	kill -TERM "${MPID[1]}"
	wait "${MPID[1]}"
	tail -n 1 seen | grep '^err code=leaving n=69 '
	[ ! -e run1/member.sock ]
	grep -c '^started node=1 ' logm1 | grep -x 1
	tail -n 1 logm1 | grep '^ended code=0 '
}
