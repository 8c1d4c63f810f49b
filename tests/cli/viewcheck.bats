#!/usr/bin/env bats
# The checker of membership logs, on logs written by hand.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2016 # the $ is sed's

setup()
{
	viewcheck=$BATS_TEST_DIRNAME/../check/viewcheck.py
	cd "$BATS_TEST_TMPDIR" || return
}

# ---- what `watch-membership --json` prints ----

epoch=5f3c9a10

# ts SECONDS: on that day
ts()
{
	printf '2026-11-22T03:04:%06.3fZ' "$1"
}

unix_ms() # SECONDS
{
	awk -v s="$1" 'BEGIN { printf "%.0f", 1795316640000 + s * 1000 }'
}

exists() # NODE INC STATE LOCAL SEQ SECONDS
{
	printf '{"v":1,"event":"exists","node":%s,"name":"n%s","state":"%s","inc":%s,"local":"%s","tags":[],"seq":%s,"ts":"%s"}\n' \
		"$1" "$1" "$3" "$2" "$4" "$5" "$(ts "$6")"
}

ready() # VIEW MEMBERS SEQ SECONDS [QUORATE]
{
	printf '{"v":1,"event":"ready","view":"%s","members":[%s],"coordinator":1,"quorate":"%s","votes":3,"needed":2,"expected":3,"basis":"majority","cursor":"%s:%s","seq":%s,"ts":"%s"}\n' \
		"$1" "$2" "${5:-yes}" "$epoch" "$3" "$3" "$(ts "$4")"
}

leave() # NODE INC REASON SEQ SECONDS
{
	printf '{"v":1,"event":"leave","node":%s,"name":"n%s","inc":%s,"reason":"%s","why":"timeout","seq":%s,"ts":"%s"}\n' \
		"$1" "$1" "$2" "$3" "$4" "$(ts "$5")"
}

join() # NODE INC WAS SEQ SECONDS
{
	printf '{"v":1,"event":"join","node":%s,"name":"n%s","inc":%s,"was":"%s","seq":%s,"ts":"%s"}\n' \
		"$1" "$1" "$2" "$3" "$4" "$(ts "$5")"
}

view() # VIEW PREV MEMBERS JOINED LEFT REASONS SEQ SECONDS [QUORATE VOTES]
{
	printf '{"v":1,"event":"view","view":"%s","prev":"%s","members":[%s],"joined":[%s],"left":[%s],"reasons":[%s],"reason":"timeout","ms":212,"coordinator":%s,"quorate":"%s","votes":%s,"needed":2,"expected":3,"basis":"majority","seq":%s,"ts":"%s"}\n' \
		"$1" "$2" "$3" "$4" "$5" "$6" "${3%%,*}" "${9:-yes}" \
		"${10:-2}" "$7" "$(ts "$8")"
}

quorum() # QUORATE VOTES VIEW POS SEQ SECONDS
{
	printf '{"v":1,"event":"quorum","quorate":"%s","prev":"yes","votes":%s,"needed":2,"expected":3,"basis":"majority","view":"%s","pos":"%s","reason":"spoken","seq":%s,"ts":"%s"}\n' \
		"$1" "$2" "$3" "$4" "$5" "$(ts "$6")"
}

gap() # SEQ SECONDS
{
	printf '{"v":1,"event":"gap","lost":7,"seq":%s,"ts":"%s"}\n' \
		"$1" "$(ts "$2")"
}

down() # SECONDS
{
	printf '{"v":1,"event":"down","reason":"daemon-exit","ts":"%s"}\n' \
		"$(ts "$1")"
}

state() # NODE SEQ SECONDS [INC-OF-3]
{
	local i inc=(0 17 4 "${4:-9}")
	for i in 1 2 3; do
		exists "$i" "${inc[i]}" member \
			"$([ "$i" = "$1" ] && echo yes || echo no)" "$2" "$3"
	done
}

# Node 3 is lost at 10.2 and has restarted at 20; then 2 restarts so fast that
# it is one change.
good() # NODE
{
	state "$1" 5 1
	ready 1.18 1,2,3 5 1
	leave 3 9 lost 6 10.2
	view 1.19 1.18 1,2 '' 3 '"3:lost"' 7 10.2
	join 3 10 restarted 8 20
	view 1.20 1.19 1,2,3 3 '' '' 9 20
	quorum yes 3 1.20 1.20:4.0 10 20.1
	[ "$1" = 2 ] || {
		leave 2 4 restarted 11 30
		join 2 5 restarted 12 30
		view 1.21 1.20 1,2,3 2 2 '"2:restarted"' 13 30
	}
}

# What node 3 saw after its restart: the views from 1.20 on.
good_3()
{
	local epoch=77777777
	state 3 1 20 10
	ready 1.20 1,2,3 1 20
	leave 2 4 restarted 2 30
	join 2 5 restarted 3 30
	view 1.21 1.20 1,2,3 2 2 '"2:restarted"' 4 30
}

good_deeds()
{
	echo "$(unix_ms 10) kill 3"
	echo "$(unix_ms 19.5) start 3"
	echo "$(unix_ms 29.9) restart 2"
}

@test "good logs are counted" {
	good 1 >l1
	good 2 >l2
	good_3 >l3
	good_deeds >deeds
	run "$viewcheck" --votes 1:1,2:1,3:1 --deeds deeds 1=l1 2=l2 3=l3
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "viewcheck: ok 3 logs 6 changes 4 departures 11 verdicts" ]
}

@test "a last line without an end was cut off with its writer" {
	good 1 | head -c -20 >l1
	run "$viewcheck" 1=l1
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "viewcheck: ok 1 logs 2 changes 2 departures 4 verdicts" ]
}

# FILE:LINE: PREDICATE is the verdict, the first if there are several.
broken() # FILE:LINE PREDICATE -- ARGUMENTS...
{
	local want="$1: $2: "
	shift 3
	run "$viewcheck" "$@"
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == "$want"* ]]
}

# edited SED: the log of node 1, changed
edited()
{
	good 1 | sed "$1" >l1
}

# ---- each by itself ----

@test "seq: a number is left out" {
	edited '5,$s/"seq":\([0-9]*\)/"seq":1\1/'
	broken l1:5 seq -- 1=l1
}

@test "seq: a record twice" {
	edited 9p
	broken l1:10 seq -- 1=l1
}

@test "seq: a state that nothing announced" {
	{
		good 1
		state 1 13 31
		ready 1.21 1,2,3 13 31
	} >l1
	broken l1:13 seq -- 1=l1
}

@test "seq: a state that begins before what was told" {
	{
		good 1 | sed 10q
		gap 10 21
		state 1 9 21 10
		ready 1.20 1,2,3 9 21
	} >l1
	broken l1:15 seq -- 1=l1
}

@test "seq: a cursor that is another" {
	edited '4s/10:5/10:6/'
	broken l1:4 seq -- 1=l1
}

@test "a gap and a daemon that went excuse what they hide" {
	{
		good 1 | sed 4q
		gap 10 20.2
		state 1 10 20.2 10
		ready 1.20 1,2,3 10 20.2
		good 1 | sed '1,9d'
		down 40
		epoch=22222222
		state 1 1 41 12 | sed '2s/"inc":4/"inc":5/'
		ready 1.30 1,2,3 1 41
	} >l1
	run "$viewcheck" 1=l1
	echo "$output"
	[ "$status" = 0 ]
}

@test "change: a leave that the view does not have" {
	edited '6s/"left":\[3\],"reasons":\["3:lost"\]/"left":[],"reasons":[]/'
	broken l1:6 change -- 1=l1
}

@test "change: another reason in the view" {
	edited '6s/3:lost/3:left/'
	broken l1:6 change -- 1=l1
}

@test "change: a join that was not told before its view" {
	edited '7d; 8,$s/"seq":8/"seq":7/'
	broken l1:7 seq -- 1=l1
	[[ $output == *"l1:7: change: joined"* ]]
}

@test "change: a leave behind a join" {
	edited '10{s/"seq":11/"seq":12/;h;d};11{s/"seq":12/"seq":11/;G}'
	broken l1:11 change -- 1=l1
}

@test "change: an event that nobody knows" {
	edited '9s/quorum/quarrel/'
	broken l1:9 change -- 1=l1
}

@test "prev: another view than the one before" {
	edited '8s/"prev":"1.19"/"prev":"1.18"/'
	broken l1:8 prev -- 1=l1
}

@test "members: one too many" {
	edited '6s/"members":\[1,2\]/"members":[1,2,3]/'
	broken l1:6 members -- 1=l1
}

@test "members: not those that exist" {
	edited '2s/member/absent/'
	broken l1:4 members -- 1=l1
}

@test "members: the log of another node" {
	good 1 >l1
	broken l1:1 members -- 2=l1
}

@test "members: the coordinator is another" {
	edited '6s/"coordinator":1/"coordinator":2/'
	broken l1:6 members -- 1=l1
}

@test "order: a view that was before" {
	edited 's/1\.20/1.17/g'
	broken l1:8 order -- 1=l1
}

@test "inc: it was another" {
	edited '5s/"inc":9/"inc":8/'
	broken l1:5 inc -- 1=l1
}

@test "inc: an older one comes" {
	edited '7s/"inc":10/"inc":3/'
	broken l1:7 inc -- 1=l1
}

@test "inc: back in the same one, and said to have restarted" {
	edited '7s/"inc":10/"inc":9/'
	broken l1:7 inc -- 1=l1
	edited '7s/"inc":10/"inc":9/; 7s/restarted/partition/'
	run "$viewcheck" 1=l1
	[ "$status" = 0 ]
}

@test "inc: back in another one, and said to be a partition or new" {
	edited '7s/restarted/partition/'
	broken l1:7 inc -- 1=l1
	edited '7s/restarted/new/'
	broken l1:7 inc -- 1=l1
}

# ---- together ----

@test "agree: other members elsewhere" {
	good 1 >l1
	state 2 5 1 >l2
	{
		ready 1.18 1,2,3 5 1
		leave 1 17 lost 6 10
		leave 3 9 lost 7 10
		view 1.19 1.18 2 '' 1,3 '"1:lost","3:lost"' 8 10 no
	} >>l2
	broken l2:7 agree -- 1=l1 2=l2
}

@test "together: another reason elsewhere" {
	good 1 >l1
	good 2 | sed '5s/lost/left/; 6s/3:lost/3:left/' >l2
	broken l2:6 together -- 1=l1 2=l2
}

@test "together: who slept cannot tell a loss, but all else" {
	good 1 >l1
	slept partition
	run "$viewcheck" 1=l1 2=l2
	echo "$output"
	[ "$status" = 0 ]
	slept left
	broken l2:7 together -- 1=l1 2=l2
}

# The log l2 of node 2, which slept, with another reason.
slept() # REASON
{
	state 2 5 1 >l2
	{
		ready 1.18 1,2,3 5 1
		printf '{"v":1,"event":"pause","ms":1700,"seq":6,"ts":"%s"}\n' \
			"$(ts 9)"
		leave 3 9 "$1" 7 10.2
		view 1.19 1.18 1,2 '' 3 "\"3:$1\"" 8 10.2
	} >>l2
}

@test "together: who did not come along may tell another story" {
	good 1 | sed 4q >l1
	{
		leave 2 4 partition 6 9
		leave 3 9 partition 7 9
		join 2 4 paused 8 9
		join 3 9 paused 9 9
		view 1.25 1.18 1,2,3 2,3 2,3 '"2:partition","3:partition"' \
			10 9 no 1
	} >>l1
	good 2 | sed 4q >l2
	{
		leave 1 17 lost 6 9
		join 1 17 partition 7 9
		view 1.25 1.18 1,2,3 1 1 '"1:lost"' 8 9 yes 2
	} >>l2
	run "$viewcheck" 1=l1 2=l2
	echo "$output"
	[ "$status" = 0 ]
}

@test "verdict: another one in the same view" {
	good 1 >l1
	good 2 | sed '6s/"quorate":"yes"/"quorate":"no"/' >l2
	broken l2:6 verdict -- 1=l1 2=l2
}

@test "verdict: whoever does not know is right, too" {
	good 1 >l1
	good 2 | sed '6s/"quorate":"yes"/"quorate":"unknown"/' >l2
	run "$viewcheck" 1=l1 2=l2
	echo "$output"
	[ "$status" = 0 ]
}

@test "verdict: another one at the same place" {
	good 1 >l1
	good 2 | sed '9s/"votes":3/"votes":2/' >l2
	broken l2:9 verdict -- 1=l1 2=l2
}

@test "verdict: of a view that is not now" {
	edited '9s/"view":"1.20"/"view":"1.19"/'
	broken l1:9 verdict -- 1=l1
}

@test "verdict: a view ends with two" {
	good 1 >l1
	good_3 >l3
	sed -i '4s/"quorate":"yes"/"quorate":"no"/' l3
	broken l3:4 verdict -- 1=l1 3=l3
}

# Nodes 1 and 2 part from 3 at 10.2, which notices at $1.
parted() # SECONDS QUORATE
{
	good 1 | sed 6q >l1
	quorum yes 2 1.19 1.19:9.0 8 20 >>l1
	state 3 5 1 >l3
	{
		ready 1.18 1,2,3 5 1
		leave 1 17 lost 6 "$1"
		leave 2 4 lost 7 "$1"
		view 3.19 1.18 3 '' 1,2 '"1:lost","2:lost"' 8 "$1" "$2" 1
		quorum no 1 3.19 3.19:9.0 9 20
	} >>l3
}

@test "sides: two that say yes at one time" {
	parted 10.2 yes
	broken l3:7 sides -- --votes 1:1,2:1,3:1 1=l1 3=l3
	parted 10.2 yes
	run "$viewcheck" 1=l1 3=l3
	[ "$status" = 0 ]
	# and where less than half is enough
	broken l3:7 sides -- --votes 1:3,2:2,3:1 1=l1 3=l3
	[[ $output == *"beside"* ]]
	parted 10.2 no
	run "$viewcheck" --votes 1:1,2:1,3:1 1=l1 3=l3
	echo "$output"
	[ "$status" = 0 ]
}

@test "sides: a tie, and both are right" {
	parted 10.2 yes
	broken l3:7 sides -- --votes 1:1,2:0,3:1 1=l1 3=l3
	[[ $output != *"less than half"* ]]
}

# ---- what was done to them ----

# Node 1 is stopped at 10, goes on at 22.
paused()
{
	good 1 | sed 4q
	printf '{"v":1,"event":"pause","ms":12000,"seq":6,"ts":"%s"}\n' \
		"$(ts 22.1)"
	quorum "$1" 3 1.18 1.18:7.0 7 22.1
}

paused_deeds()
{
	echo "$(unix_ms 10) pause 1"
	echo "$(unix_ms 22) resume 1"
}

@test "wake: yes is what it says first" {
	paused yes >l1
	paused_deeds >deeds
	broken l1:6 wake -- --deeds deeds 1=l1
	paused unknown >l1
	run "$viewcheck" --deeds deeds 1=l1
	echo "$output"
	[ "$status" = 0 ]
}

@test "wake: nothing is what it says" {
	paused unknown | sed 5q >l1
	paused_deeds >deeds
	broken deeds:2 wake -- --deeds deeds 1=l1
}

@test "why: another reason" {
	good 1 | sed 6q >l1
	echo "$(unix_ms 10) stop 3" >deeds
	broken l1:5 why -- --deeds deeds 1=l1
	sed -i 's/lost/left/' l1
	run "$viewcheck" --deeds deeds 1=l1
	echo "$output"
	[ "$status" = 0 ]
}

@test "why: without a cause" {
	good 1 | sed 6q >l1
	echo "$(unix_ms 9) kill 2" >deeds
	broken l1:5 why -- --deeds deeds 1=l1
	echo "$(unix_ms 3) kill 3" >deeds
	broken l1:5 why -- --deeds deeds 1=l1
}

@test "why: a stall excuses whom the ring loses, and no more" {
	good 1 | sed 6q >l1
	echo "$(unix_ms 10) stall 2" >deeds
	run "$viewcheck" --deeds deeds 1=l1
	echo "$output"
	[ "$status" = 0 ]
	sed 's/lost/left/' l1 >l2
	broken l2:5 why -- --deeds deeds 1=l2
	echo "$(unix_ms 3) stall 3" >deeds
	broken l1:5 why -- --deeds deeds 1=l1
	# Nor does it keep a node from telling what was done.
	{ echo "$(unix_ms 10) stall 3" && good_deeds | head -n 1; } >deeds
	echo "$(unix_ms 15) kill 2" >>deeds
	echo "$(unix_ms 15) stall 1" >>deeds
	broken deeds:3 why -- --deeds deeds 1=l1
}

@test "why: one that nobody told" {
	good 1 | sed 6q >l1
	good_deeds | head -n 1 >deeds
	echo "$(unix_ms 15) kill 2" >>deeds
	broken deeds:2 why -- --deeds deeds 1=l1
	# Who is gone itself need not tell.
	echo "$(unix_ms 16) kill 1" >>deeds
	run "$viewcheck" --deeds deeds 1=l1
	echo "$output"
	[ "$status" = 0 ]
}

@test "why: one kill, told twice" {
	good_deeds | head -n 1 >deeds
	good 1 | sed 8q >l1
	leave 3 10 lost 10 12 >>l1
	view 1.21 1.20 1,2 '' 3 '"3:lost"' 11 12 >>l1
	sed -i 's/04:20.000/04:11.000/' l1
	broken l1:9 why -- --deeds deeds 1=l1
}

@test "why: a cut parts those whom it parts" {
	parted 10.2 no
	echo "$(unix_ms 10) cut 1,2|3" >deeds
	run "$viewcheck" --deeds deeds 1=l1 3=l3
	echo "$output"
	[ "$status" = 0 ]
	echo "$(unix_ms 10) cut 1|2,3" >deeds
	broken l3:6 why -- --deeds deeds 1=l1 3=l3
	[[ $output == *"deeds:1: why: "*"node 1 has not told that 2 departed"* ]]
}

@test "why: a cut in one direction that nobody notices" {
	good 1 | sed 6q >l1
	echo "$(unix_ms 10) oneway 3>1,2" >deeds
	run "$viewcheck" --deeds deeds 1=l1
	echo "$output"
	[ "$status" = 0 ]
	sed -i '5,$d' l1
	broken deeds:1 why -- --deeds deeds 1=l1
}

@test "why: a cut in one direction does not part those on one side of it" {
	good 1 | sed 6q >l1
	echo "$(unix_ms 10) oneway 1,3>2" >deeds
	broken l1:5 why -- --deeds deeds 1=l1
	echo "$(unix_ms 10) oneway 3>2" >deeds
	run "$viewcheck" --deeds deeds 1=l1
	echo "$output"
	[ "$status" = 0 ]
}

# ---- what cannot be judged ----

@test "bad usage, records and files" {
	good 1 >l1
	run "$viewcheck"
	[ "$status" = 64 ]
	run "$viewcheck" l1
	[ "$status" = 64 ]
	run "$viewcheck" --votes 1 1=l1
	[ "$status" = 64 ]
	run "$viewcheck" 1=absent
	[ "$status" = 66 ]
	echo nonsense >l2
	run "$viewcheck" 2=l2
	[ "$status" = 65 ]
	good 1 | sed '4s/"cursor"/"curse"/' >l2
	run "$viewcheck" 1=l2
	[ "$status" = 65 ]
	echo "5 fence 1" >deeds
	run "$viewcheck" --deeds deeds 1=l1
	[ "$status" = 65 ]
}
