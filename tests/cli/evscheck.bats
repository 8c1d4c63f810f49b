#!/usr/bin/env bats
# The offline checker, on recordings written by hand.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2094 # good prints what it is asked for
# shellcheck disable=SC2028 # the escapes are the protocol's

setup()
{
	evscheck=${RINGKIT_BUILD:?}/tests/check/evscheck
	cd "$BATS_TEST_TMPDIR" || return
}

# ---- what `msgcat --json` prints ----

who() # NODE INC
{
	printf '{"v":1,"event":"exists","node":%s,"name":"n","state":"member","inc":%s,"local":true}\n' "$1" "$2"
}

ready() # VIEW MEMBERS INCS
{
	printf '{"v":1,"event":"ready","view":"%s","members":[%s],"inc":[%s]}\n' "$@"
}

msg() # NODE INC MID POS DATA [PHASE [SVC]]
{
	printf '{"v":1,"event":"msg","group":"g","node":%s,"inc":%s,"conn":3,"mid":%s,"svc":"%s","view":"%s","phase":"%s","pos":"%s","len":%s,"data":"%s"}\n' \
		"$1" "$2" "$3" "${7:-agreed}" "${4%:*}" "${6:-regular}" "$4" ${#5} "$5"
}

trans() # VIEW NEXT MEMBERS INCS LEFT
{
	printf '{"v":1,"event":"view","view":"%s","phase":"transitional","next":"%s","members":[%s],"inc":[%s],"joined":[],"left":[%s],"reason":"timeout","ms":3}\n' "$@"
}

reg() # VIEW MEMBERS INCS JOINED
{
	printf '{"v":1,"event":"view","view":"%s","phase":"regular","members":[%s],"inc":[%s],"joined":[%s],"left":[],"reason":"join","ms":3}\n' "$@"
}

# Two nodes, one ring, another ring, the same messages.
good() # NODE INC
{
	who "$1" "$2"
	ready 1.18 1,2 17,4
	msg 1 17 1 1.18:40.0 one
	msg 2 4 1 1.18:40.1 two
	trans 1.18 1.19 1,2 17,4 ''
	msg 1 17 2 1.18:41.0 three transitional
	reg 1.19 1,2 17,4 ''
	msg 2 4 2 1.19:3.0 four regular safe
}

@test "good recordings are counted" {
	good 1 17 >r1
	good 2 4 >r2
	run "$evscheck" --settled r1 r2
	[ "$status" = 0 ]
	[ "$output" = "evscheck: ok 8 messages 6 views" ]
}

@test "nothing recorded is no error" {
	: >r1
	run "$evscheck" --settled r1
	[ "$status" = 0 ]
	[ "$output" = "evscheck: ok 0 messages 0 views" ]
}

# FILE LINE PREDICATE is the verdict.
broken() # FILE:LINE PREDICATE -- ARGUMENTS...
{
	where=$1 predicate=$2
	shift 3
	run "$evscheck" "$@"
	echo "$output"
	[ "$status" = 1 ]
	[ "${output%%: *}" = "$where" ]
	[[ $output == "$where: $predicate: "* ]]
	[ "${#lines[@]}" = 1 ]
}

@test "P1: other bytes at another node" {
	good 1 17 >r1
	good 2 4 | sed 's/"two"/"TWO"/' >r2
	broken r2:4 P1 -- r1 r2
}

@test "P1: another group at another node" {
	good 1 17 >r1
	good 2 4 | sed '4s/"group":"g"/"group":"h"/' >r2
	broken r2:4 P1 -- r1 r2
}

@test "P1: from a node that is no member" {
	good 1 17 | sed '4s/"node":2/"node":3/' >r1
	broken r1:4 P1 -- r1
}

@test "P2: at another place at another node" {
	good 1 17 >r1
	good 2 4 | sed '4s/40\.1/40.2/' >r2
	broken r2:4 P2 -- r1 r2
}

@test "P2: twice" {
	good 1 17 | sed 4p >r1
	broken r1:5 P2 -- r1
}

@test "P3: a view that nothing announced" {
	good 1 17 | sed 5,6d >r1
	broken r1:5 P3 -- r1
}

@test "P3: an incarnation in a ring that its node had left behind" {
	good 1 17 >r1
	{ who 1 18; ready 1.19 1 18; } >r1b
	broken r1b:2 P3 -- r1 r1b
}

@test "P4: other members" {
	good 1 17 >r1
	good 2 4 | sed '2s/17,4/16,4/; 5,$d' >r2
	broken r2:2 P4 -- r1 r2
}

@test "P5: backwards" {
	good 1 17 | sed '3{h;d};4G' >r1
	broken r1:4 P5 -- r1
}

@test "P6: a gap" {
	{ good 1 17 | sed 4q; msg 1 17 2 1.18:41.0 three; } >r1
	sed 's/"node":1,"name"/"node":2,"name"/; 1s/17/4/; 4d' r1 >r2
	broken r2:4 P6 -- r1 r2
}

@test "P7: a member's message is passed over" {
	{
		who 3 9
		ready 1.18 1,2,3 17,4,9
		msg 3 9 1 1.18:39.0 zero
		msg 2 4 1 1.18:40.0 one
		msg 3 9 2 1.18:41.0 two
	} >r3
	{
		who 1 17
		ready 1.18 1,2,3 17,4,9
		msg 3 9 1 1.18:39.0 zero
		trans 1.18 1.19 1,2 17,4 '"3:timeout"'
		msg 3 9 2 1.18:41.0 two transitional
	} >r1
	broken r1:5 P7 -- r1 r3
}

@test "P8: the order at the sender is not kept" {
	{ who 1 17; ready 1.18 1,2 17,4; msg 1 17 2 1.18:1.0 b
	  msg 1 17 1 1.18:2.0 a; } >r3
	broken r3:4 P8 -- r3
}

@test "P10: one of two who go on together has a message less" {
	good 1 17 >r1
	good 2 4 | sed 6d >r2
	# The first view of a recording is excused: it may have begun late.
	for f in r1 r2; do
		{ cat $f; trans 1.19 1.20 1,2 17,4 ''; reg 1.20 1,2 17,4 ''; } >$f.all
	done
	sed -i '/four/d' r2.all
	broken r1.all:8 P10 -- r1.all r2.all
}

@test "P12: a safe message is missing where life goes on" {
	good 1 17 >r1
	{ good 2 4 | sed '$d'; trans 1.19 2.20 2 4 '"1:timeout"'; reg 2.20 2 4 ''; } >r2
	broken r1:8 P12 -- r1 r2
}

@test "P12: a safe message is missing in the end, if it was the end" {
	good 1 17 >r1
	good 2 4 | sed '$d' >r2
	run "$evscheck" r1 r2
	[ "$status" = 0 ]
	broken r1:8 P12 -- --settled r1 r2
}

@test "P13: a safe message of the transitional phase is missing" {
	{ good 1 17; trans 1.19 1.20 1,2 17,4 ''
	  msg 1 17 3 1.19:4.0 five transitional safe; } >r1
	{ good 2 4; trans 1.19 2.21 2 4 '"1:timeout"'; reg 2.21 2 4 ''; } >r2
	broken r1:10 P13 -- r1 r2
}

@test "P14: two rings in the end" {
	good 1 17 >r1
	good 2 4 | sed 5q >r2
	run "$evscheck" r1 r2
	[ "$status" = 0 ]
	broken r1:7 P14 -- --settled r1 r2
}

@test "P15: an agreed message is missing in the end" {
	{ good 1 17; msg 1 17 3 1.19:4.0 five; } >r1
	good 2 4 >r2
	run "$evscheck" r1 r2
	[ "$status" = 0 ]
	broken r1:9 P15 -- --settled r1 r2
}

# ---- lives ----

@test "a killed process leaves half a line, and its node is excused" {
	good 1 17 >r1
	good 2 4 | head -c -20 >r2
	run "$evscheck" --settled r1 r2
	[ "$status" = 1 ] # node 1 ends in a ring with the dead
	{ cat r1; trans 1.19 1.20 1 17 '"2:proof"'; reg 1.20 1 17 ''; } >r1b
	run "$evscheck" --settled r1b r2
	echo "$output"
	[ "$output" = "evscheck: ok 7 messages 8 views" ]
}

@test "lives are judged in their order, wherever they are" {
	{ who 2 9; ready 2.21 2 9; msg 2 9 1 2.21:1.0 nine; } >r2.10
	good 2 4 >r2.2
	run "$evscheck" r2.10 r2.2
	echo "$output"
	[ "$output" = "evscheck: ok 5 messages 4 views" ]
	cat r2.2 r2.10 >r2
	run "$evscheck" r2
	[ "$output" = "evscheck: ok 5 messages 4 views" ]
}

@test "a gap excuses what it hides and nothing else" {
	good 1 17 >r1
	{
		good 2 4 | sed 2q
		echo '{"event":"gap","lost":2,"view":"1.18"}'
		who 2 4
		ready 1.19 1,2 17,4
		msg 2 4 2 1.19:3.0 four regular safe
	} >r2
	run "$evscheck" --settled r1 r2
	echo "$output"
	[ "$output" = "evscheck: ok 5 messages 5 views" ]
	msg 1 17 3 1.19:4.0 five >>r1
	broken r1:9 P15 -- --settled r1 r2
}

@test "a node that nobody recorded excuses itself only" {
	good 1 17 >r1
	run "$evscheck" --settled r1
	[ "$output" = "evscheck: ok 4 messages 3 views" ]
}

# ---- ring.sock itself ----

@test "a recording of ring.sock is read, data and all" {
	{
		echo 'ringkit proto=1 min=1 daemon=ringd version=0.1.0 node=1 name=alpha inc=17 max_line=8192 max_data=1048576'
		echo 'ok id=1'
		echo 'ev 1 exists node=1 name=alpha state=member inc=17 local=yes'
		echo 'ev 1 exists node=2 name=beta state=member inc=4 local=no'
		echo 'ev 1 ready view=1.18 members=1,2 inc=17,4'
		echo 'ok id=2'
		echo 'ev 2 ready view=1.18'
		echo 'ev 2 msg group=g\0040h node=1 inc=17 conn=3 mid=1 svc=agreed view=1.18 phase=regular pos=1.18:40.0 len=7'
		printf 'a\nb\0c\nd\n'
		echo 'ev 1 tick view=1.18 state=operational token_age_ms=3'
		echo 'ev 2 msg group=g\0040h node=2 inc=4 conn=3 mid=1 svc=safe view=1.18 phase=regular pos=1.18:40.1 len=0'
		echo
		echo 'ev 1 view view=1.18 phase=transitional next=1.19 members=1 inc=17 joined= left=2:timeout reason=timeout ms=212'
		echo 'ev 1 view view=1.19 phase=regular members=1 inc=17 joined= left= reason=timeout ms=214'
	} >r1
	run "$evscheck" --settled r1
	echo "$output"
	[ "$output" = "evscheck: ok 2 messages 3 views" ]
	# The same life after a new connection, which lost a view.
	{
		cat r1
		sed -n 1,4p r1
		echo 'ev 1 ready view=1.21 members=1 inc=17'
		echo 'ev 1 view view=1.22 phase=regular members=1 inc=17 joined= left= reason=timeout ms=1'
	} >r1b
	broken r1b:22 P3 -- r1b
	sed '$d' r1b >r1c
	run "$evscheck" --settled r1c
	echo "$output"
	[ "$output" = "evscheck: ok 2 messages 4 views" ]
}

@test "the same bytes in JSON, base64 and ring.sock are the same" {
	{ who 1 17; ready 1.18 1,2,3 17,4,9
	  echo '{"event":"msg","group":"g","node":1,"inc":17,"conn":3,"mid":1,"svc":"agreed","view":"1.18","phase":"regular","pos":"1.18:40.0","len":6,"data":"\u00e9\n\ud83d"}' |
		sed 's/\\ud83d/\\u0007xy/'; } >r1
	{ who 2 4; ready 1.18 1,2,3 17,4,9
	  echo '{"event":"msg","group":"g","node":1,"inc":17,"conn":3,"mid":1,"svc":"agreed","view":"1.18","phase":"regular","pos":"1.18:40.0","len":6,"data_b64":"w6kKB3h5"}'; } >r2
	{ echo 'ringkit node=3 inc=9'
	  echo 'ev 1 ready view=1.18 members=1,2,3 inc=17,4,9'
	  echo 'ev 1 msg group=g node=1 inc=17 conn=3 mid=1 svc=agreed view=1.18 phase=regular pos=1.18:40.0 len=6'
	  printf '\303\251\n\007xy\n'; } >r3
	run "$evscheck" --settled r1 r2 r3
	echo "$output"
	[ "$output" = "evscheck: ok 3 messages 3 views" ]
}

# ---- what senders say ----

@test "what was sent and delivered in order is fine" {
	good 1 17 >r1
	good 2 4 >r2
	printf 'one\nthree\n' >sent1
	printf 'two\nfour\nnever\n' >sent2
	run "$evscheck" --settled --accepted 1=sent1 --submitted 2=sent2 r1 r2
	echo "$output"
	[ "$output" = "evscheck: ok 8 messages 6 views" ]
}

@test "P1: nobody sent it" {
	good 1 17 >r1
	printf 'one\nthree\n' >sent1
	printf 'four\n' >sent2
	broken r1:4 P1 -- --submitted 1=sent1 --submitted 2=sent2 r1
}

@test "P1: it was sent once and delivered twice" {
	good 1 17 | sed '6s/three/tow/; 6s/:5/:3/; 6s/tow/one/; 6s/"len":./"len":3/' >r1
	printf 'one\n' >sent1
	printf 'two\nfour\n' >sent2
	broken r1:6 P1 -- --submitted 1=sent1 --submitted 2=sent2 r1
}

@test "P8: lines change places" {
	good 1 17 >r1
	printf 'three\none\n' >sent1
	printf 'two\nfour\n' >sent2
	broken sent1:2 P8 -- --submitted 1=sent1 --submitted 2=sent2 r1
}

@test "P11: it was accepted and never came" {
	good 1 17 >r1
	good 2 4 >r2
	printf 'one\nlost\nthree\n' >sent1
	printf 'two\nfour\n' >sent2
	broken sent1:2 P11 -- --settled --accepted 1=sent1 --accepted 2=sent2 r1 r2
	run "$evscheck" --accepted 1=sent1 --accepted 2=sent2 r1 r2
	[ "$status" = 0 ]
	{ good 1 17; who 1 18; } >r1b
	run "$evscheck" --accepted 1=sent1 --accepted 2=sent2 r1b r2
	[ "$status" = 0 ]
}

# ---- bad input ----

bad() # STATUS ARGUMENTS...
{
	want=$1
	shift
	run "$evscheck" "$@"
	echo "$output"
	[ "$status" = "$want" ]
}

@test "bad usage exits 64, a missing file 66" {
	bad 64
	[[ $output == usage:* ]]
	bad 64 --nonsense r1
	: >r1
	bad 64 --submitted r1 r1
	bad 64 --submitted x=1 r1
	bad 66 missing
	bad 65 --submitted 1=missing r1
	run "$evscheck" --help
	[ "$status" = 0 ]
	[[ $output == usage:* ]]
}

@test "a group whose name is no UTF-8 is the same in JSON and ring.sock" {
	{ who 1 17; ready 1.18 1,2 17,4
	  msg 1 17 1 1.18:40.0 one | sed 's/"group":"g"/"group_b64":"\/wA="/'; } >r1
	{ echo 'ringkit node=2 inc=4'
	  echo 'ev 1 ready view=1.18 members=1,2 inc=17,4'
	  echo 'ev 1 msg group=\0377\0000 node=1 inc=17 conn=3 mid=1 svc=agreed view=1.18 phase=regular pos=1.18:40.0 len=3'
	  echo one; } >r2
	run "$evscheck" --settled r1 r2
	[ "$output" = "evscheck: ok 2 messages 2 views" ]
	sed -i 's/0377/0376/' r2
	broken r2:3 P1 -- --settled r1 r2
}

@test "a malformed record exits 65 and names its line" {
	good 1 17 >good1
	while read -r edit; do
		sed "$edit" good1 >r1
		cmp -s good1 r1 && return 1
		bad 65 r1
		[[ $output == "evscheck: r1:"[0-9]*": "* ]]
	done <<-'END'
		3s/"mid":1/"mid":"x"/
		3s/"inc":17/"inc":/
		3s/,"svc":"agreed"//
		3s/"svc":"agreed"/"svc":"fifo"/
		3s/,"pos":"1.18:40.0"//
		3s/40\.0/40/
		3s/"view":"1.18"/"view":"1.19"/
		3s/"phase":"regular"/"phase":"other"/
		3s/"len":3/"len":4/
		3s/"data":"one"/"data_b64":"b25"/
		3s/"data":"one"/"data":"one","data":"one"/
		3s/"group":"g"/"group_b64":"g"/
		3s/}$//
		3s/}$/}}/
		3s/"one"/"o\\qe"/
		2s/\[17,4\]/[17]/
		2s/\[1,2\]/[1,x]/
		2s/"view":"1.18"/"view":"118"/
		5s/"next":"1.19",//
		5s/transitional/strange/
		1d
	END
}

@test "a payload that was sent twice is refused" {
	good 1 17 >r1
	printf 'one\ntwo\none\n' >sent1
	bad 65 --submitted 1=sent1 r1
	[[ $output == "evscheck: sent1:3: "* ]]
}
