#!/usr/bin/env bats
# Verdicts of real daemons: who has quorum, who says so, and who must not.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

bats_require_minimum_version 1.5.0
load quorumd_nodes

setup()
{
	quorum_begin
}

teardown()
{
	nodes_end
}

now_ms()
{
	echo $((${EPOCHREALTIME/./} / 1000))
}

# Events are numbered without a hole, from the snapshot's number on.
is_gapless() # FILE
{
	grep -E '^ev 1 ' "$1" | grep -vE '^ev 1 exists' | word seq |
		awk 'NR > 1 && $1 != last + 1 { exit 1 } { last = $1 }'
}

@test "three nodes: asked with nothing but nc" {
	cluster 3
	all_become 1,2,3 'quorate=yes votes=3 '
	run bash -c "printf 'quorum\nquit\n' | nc -U run2/quorum.sock"
	[ "$status" = 0 ]
	[ "${#lines[@]}" = 3 ]
	[[ ${lines[0]} =~ ^ringkit\ proto=1\ min=1\ daemon=quorumd\ .*node=2\ name=n2\ epoch=[0-9a-f]{8}\  ]]
	[[ ${lines[1]} =~ ^ok\ quorate=yes\ votes=3\ needed=2\ expected=3\ basis=majority\ view=1\.[0-9]+\ pos=1\.[0-9]+:[0-9]+\.[0-9]+\ members=1,2,3\ self=2\ name=n2\ coordinator=1\ settled=(yes|no)\ age_ms=[0-9]+\ waiting_for=\ why= ]]
	[ "${lines[2]}" = ok ]
}

@test "the snapshot of watch: nodes, then the view with its verdict" {
	cluster 3
	all_become 1,2,3 'quorate=yes votes=3 '
	watching 3 seen
	sed 1d seen >told
	grep -c '^ev 1 exists node=[123] name=n[123] addr=[0-9.]* state=member inc=[0-9]* local=' told |
		grep -x 3
	grep -c 'local=yes' told | grep -x 1
	grep -cE '^ev 1 ready view=1\.[0-9]+ members=1,2,3 coordinator=1 quorate=yes votes=3 needed=2 expected=3 basis=majority cursor=[0-9a-f]{8}:[0-9]+ seq=[0-9]+ ts=' told |
		grep -x 1
	[ "$(sed -n '1p;$p' told | cut -d' ' -f1-3 | tr '\n' ' ')" = \
		'ok id=1 ev 1 ready ' ]
}

@test "kill -9 of a node: its leave, then the view with the verdict" {
	cluster 3
	all_become 1,2,3 'quorate=yes votes=3 '
	watching 1 seen
	slay 3
	appears seen '^ev 1 view .*members=1,2 .*coordinator=1 quorate=yes votes=2 needed=2 expected=3 basis=majority'
	sed '1,/^ev 1 ready/d' seen >events
	[ "$(cut -d' ' -f3 events | tr '\n' ' ')" = 'leave view ' ]
	grep -q 'leave node=3 name=n3 .*reason=lost' events
	is_gapless seen

	watching 2 other
	kill -TERM "${PID[1]}"
	ends 1
	appears other '^ev 1 view .*members=2 .*quorate=no votes=1 needed=2 expected=3 basis=none'
	[ "$(value 2 quorate)" = no ]
	q 2 why | head -n 1 | grep -E 'verdict=no'
}

@test "a partition: one side has quorum, and after it both" {
	cluster 3
	all_become 1,2,3 'quorate=yes votes=3 '
	watching 1 seen1
	watching 3 seen3
	dropped 3 1
	dropped 3 2
	appears seen3 '^ev 1 view .*members=3 .*quorate=no votes=1 '
	appears seen1 '^ev 1 view .*members=1,2 .*quorate=yes votes=2 '
	[ "$(value 1 settled)$(value 3 settled)" != yesyes ]
	healed 3 1
	healed 3 2
	appears seen3 '^ev 1 (view|quorum) .*quorate=yes'
	all_become 1,3 'quorate=yes votes=3 '
	is_gapless seen1
	is_gapless seen3
	# In one view all that was told of it agrees.
	local view
	for view in $(grep -h '^ev 1 view' seen? | word view | sort | uniq -d); do
		grep -h "^ev 1 view view=$view " seen? | word members |
			sort -u | wc -l | grep -x 1
	done
}

@test "quorumd stopped while it loses quorum: unknown first, never yes" {
	cluster 3 'lease = 1s'
	all_become 1,2,3 'quorate=yes votes=3 '
	watching 3 seen
	subscribed 3 ticks 'views tick=yes'
	kill -STOP "${Q[3]}"
	slay 1
	slay 2
	appears ticks 'phase=regular .*members=3 '
	# So many ticks are longer than the lease.
	until [ "$(sed '1,/members=3 /d' ticks | grep -c tick)" -ge 15 ]; do
		sleep 0.05 # no event: the ticks are the clock
	done
	printf 'quorum\nquit\n' >question
	background nc -U run3/quorum.sock <question >answer
	kill -CONT "${Q[3]}"
	appears seen '^ev 1 .*quorate=no'
	sed '1,/^ev 1 ready/d' seen | grep quorate= >verdicts
	head -n 1 verdicts |
		grep -E '^ev 1 quorum quorate=unknown prev=yes .*reason=paused'
	run ! grep -q 'quorate=yes' verdicts
	appears answer '^ok quorate=(unknown|no) '
	grep -q '^paused ms=' log.quorumd3
	[ "$(value 3 quorate)" = no ]
}

@test "ringd stopped: unknown within the lease, then what is true" {
	cluster 3 'lease = 1500ms'
	all_become 1,2,3 'quorate=yes votes=3 '
	watching 1 seen
	local stopped
	stopped=$(now_ms)
	freeze "${PID[1]}"
	appears seen '^ev 1 quorum quorate=unknown prev=yes .*basis=none .*reason=stale'
	local after=$(($(now_ms) - stopped))
	echo "after $after ms"
	# What it said last is from before it was stopped.
	[ "$after" -ge 500 ] && [ "$after" -lt 20000 ]
	q 1 quorum | grep -E '^ok quorate=unknown .*settled=no age_ms=[0-9]+ .*why=what'
	thaw "${PID[1]}"
	appears seen '^ev 1 (quorum|view) .*quorate=yes'
	becomes 1 'quorate=yes votes=3 '
}

@test "ringd killed: unknown at once" {
	cluster 3
	all_become 1,2,3 'quorate=yes votes=3 '
	watching 1 seen
	slay 1
	appears seen '^ev 1 quorum quorate=unknown prev=yes '
	q 1 quorum | grep -E '^ok quorate=unknown .*why=ringd'
	q 1 why | grep -E '^item rule=lease verdict=unknown text=ringd'
	run ! grep -q 'quorate=yes' <(sed '1,/^ev 1 ready/d' seen)
	start 1
	all_become 1,2,3 'quorate=yes votes=3 '
}

@test "memberd killed: verdicts go on, watchers come again and miss nothing" {
	cluster 3
	all_become 1,2,3 'quorate=yes votes=3 '
	watching 1 seen
	gone "${M[1]}"
	appears seen '^err code=away n=69 '
	[ "$(value 1 quorate)" = yes ]
	run q 1 watch
	echo "$output"
	[[ $output == 'err code=away n=69 '* ]]
	slay 3
	await_votes 1 2
	memberd_starts 1
	until q 1 watch | grep -q '^ev 1 ready'; do
		sleep 0.05 # no event: who watches tries again
	done
	becomes 1 'quorate=yes votes=2 .*members=1,2 '
	# With its cursor a watcher learns what happened meanwhile.
	local cursor
	cursor=$(grep '^ev 1 ready' seen | word cursor)
	watching 1 again "watch since=$cursor"
	grep -q '^ev 1 gap lost=unknown' again
	grep -q '^ev 1 exists node=3 .*state=' again
	run ! grep 'node=3 .*state=member' again
}

# With join told, and its view not, nodes exist that are in no view yet.
@test "who comes to watch in the midst of a change waits for its end" {
	local fd in view
	cluster 2
	becomes 1 'quorate=yes'
	view=$(value 1 view)
	gone "${M[1]}"
	mkfifo says asks
	exec {fd}<>says {in}<>asks
	rm run1/member.sock
	background "${AS_NOBODY[@]}" nc -lU run1/member.sock <&"$fd" >asked
	{
		echo 'ringkit proto=1 min=1 daemon=memberd epoch=0badcafe'
		echo 'ok id=1'
		echo 'ev 1 gap lost=unknown seq=0'
		echo 'ev 1 exists node=1 name=n1 state=member inc=1 seq=0'
		echo "ev 1 ready view=$view members=1 coordinator=1 seq=0"
	} >&"$fd"
	appears asked '^watch '
	until q 1 watch | grep -q '^ev 1 ready'; do
		sleep 0.05 # no event: who watches tries again
	done
	watching 1 early
	echo 'ev 1 join node=2 name=n2 inc=2 was=new seq=1' >&"$fd"
	appears early '^ev 1 join node=2 '
	printf 'quorum\nwatch\n' >&"$in"
	background nc -U run1/quorum.sock <&"$in" >late
	appears late '^ok quorate='
	q 1 quorum | grep '^ok '
	run ! grep '^ev' late
	echo "ev 1 view view=$view members=1,2 coordinator=1 seq=2" >&"$fd"
	appears late '^ev 1 ready .*members=1,2 '
	grep '^ev 1 exists node=2 .*state=member' late
	run ! grep '^ev 1 join' late
	exec {fd}>&- {in}>&-
}

# Until quorumd of node I counts N votes.
await_votes() # I N
{
	local end=$((SECONDS + 60))
	until [ "$(value "$1" votes)" = "$2" ]; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05 # no event: memberd is gone
	done
}

@test "memberd stopped: it cannot hide that quorum is lost" {
	cluster 3 'lease = 1500ms'
	all_become 1,2,3 'quorate=yes votes=3 '
	watching 3 seen
	kill -STOP "${M[3]}"
	dropped 3 1
	dropped 3 2
	appears seen '^err code=away n=69 '
	run ! grep -q 'quorate=yes' <(sed '1,/^ev 1 ready/d' seen)
	[ "$(value 3 quorate)" = no ]
	kill -CONT "${M[3]}"
	becomes 3 'quorate=no .*members=3 '
}

@test "restarted quorumd: knows that all were here once; a restarted ringd not" {
	cluster 3 'wait_for_all = yes'
	all_become 1,2,3 'quorate=yes votes=3 '
	slay 3
	all_become 1,2 'quorate=yes votes=2 .*members=1,2 '
	gone "${Q[1]}"
	gone "${Q[2]}"
	quorumd_starts 1 2
	all_become 1,2 'quorate=yes votes=2 '
	[ "$(value 1 waiting_for)" = '' ]
	slay 1
	slay 2
	start 1 2
	all_become 1,2 'quorate=no votes=2 .*members=1,2 '
	[ "$(value 1 waiting_for)" = 3 ]
	q 1 why | head -n 1 | grep -E '^item rule=wait_for_all verdict=no text=.*n3'
	# Somebody who knows better may say so.
	watching 2 seen
	[ "$(q 1 cancel-wait)" = ok ]
	appears seen '^ev 1 quorum quorate=yes prev=no .*reason=wait-cancelled'
	[ "$(value 1 quorate)" = yes ]
}

@test "quorumd killed and restarted: the others take back its vote, and give it" {
	cluster 3
	all_become 1,2,3 'quorate=yes votes=3 '
	watching 1 seen
	gone "${Q[3]}"
	appears seen '^ev 1 quorum quorate=yes prev=yes votes=2 .*reason=spoken'
	q 1 nodes | grep -x 'item node=3 name=n3 votes=1 state=member spoken=no awaited=no voter=yes'
	quorumd_starts 3
	watching 3 early
	appears seen '^ev 1 quorum quorate=yes prev=yes votes=3 .*reason=spoken'
	appears early '^ev 1 (ready|quorum) .*quorate=yes'
	# Until it knew the others it said nothing, not no.
	run ! grep -q quorate=no early
	is_gapless seen
}

@test "allow_downscale: who leaves in order is expected no more, who dies is" {
	cluster 4 'allow_downscale = yes' 'wait_for_all = yes'
	all_become 1,2,3,4 'quorate=yes votes=4 needed=3 expected=4'
	watching 1 seen
	# The daemon tells the others before it ends, and they all agree.
	kill -TERM "${Q[4]}"
	wait "${Q[4]}"
	appears seen '^ev 1 quorum quorate=yes prev=yes votes=3 needed=2 expected=3 .*reason=downscale'
	all_become 1,2,3 'quorate=yes votes=3 needed=2 expected=3'
	q 1 nodes | grep -E '^item node=4 .* voter=no'
	leave 4
	all_become 1,2,3 'quorate=yes votes=3 needed=2 expected=3 .*members=1,2,3 '
	# One that is killed stays expected.
	slay 3
	all_become 1,2 'quorate=yes votes=2 needed=2 expected=3 .*members=1,2 '
	# Without that node the rest would not be enough: nothing is agreed.
	kill -TERM "${Q[2]}"
	wait "${Q[2]}"
	becomes 1 'quorate=no votes=1 needed=2 expected=3'
	quorumd_starts 2
	all_become 1,2 'quorate=yes votes=2 needed=2 expected=3'
	# Who comes back is a voter again.
	start 4
	quorumd_starts 4
	all_become 1,2,4 'quorate=yes votes=3 needed=3 expected=4 .*members=1,2,4 '
	is_gapless seen
}

@test "votes and expected votes change at run time, and are refused" {
	cluster 3
	all_become 1,2,3 'quorate=yes votes=3 '
	watching 3 seen
	[ "$(q 1 'set expected=5')" = ok ]
	appears seen '^ev 1 quorum quorate=yes prev=yes votes=3 needed=3 expected=5 .*reason=expected-changed'
	# In the answer it is so, wherever it is asked.
	[ "$(value 1 expected)" = 5 ]
	run q 1 'set expected=7'
	[[ $output == 'no code=quorum msg='* ]]
	[ "$(value 3 quorate)" = yes ]
	[ "$(q 1 '#x set expected=7 force=yes')" = '#x ok' ]
	appears seen '^ev 1 quorum quorate=no prev=yes votes=3 needed=4 expected=7 .*reason=expected-changed'
	[ "$(q 2 'set expected=3 force=yes')" = ok ]
	appears seen '^ev 1 quorum quorate=yes prev=no .*expected=3 '
	[ "$(q 2 'set node=n3 votes=2')" = ok ]
	appears seen '^ev 1 quorum quorate=yes .*votes=4 needed=3 expected=4 '
	grep 'reason=votes-changed' seen
	run q 2 'set expected=99' 'set' 'set node=n9 votes=1' \
		'set node=n1' 'set expected=x' 'set expected=3 force=maybe'
	[[ ${lines[0]} == 'no code=quorum '* ]]
	for i in 1 2 3 4 5; do
		[[ ${lines[i]} == 'err code=usage n=64 '* ]]
	done
}

@test "who may not administer is refused, a voter may vote" {
	[ "$(id -u)" = 0 ] || skip "needs root, to be somebody else"
	config 3 '[ring]' 'token = 3s' 'heartbeat = 200ms' \
		'[acl]' 'read = *' 'vote = user:sync' '[quorum]' \
		'device_votes = 1' 'lease = 10s' 'settle = 10s'
	start 1 2 3
	memberd_starts 1
	quorumd_starts 1 2 3
	becomes 1 'quorate=yes votes=3 '
	local view
	view=$(value 1 view)
	chmod 666 run1/quorum.sock
	run setpriv --reuid=games --regid=games --clear-groups -- bash -c \
		"printf '%s\n' quorum 'set expected=5' cancel-wait \
		'vote view=$view cast=yes' quit | nc -U run1/quorum.sock"
	[[ ${lines[1]} == 'ok quorate=yes '* ]]
	for i in 2 3 4; do
		[[ ${lines[i]} == 'err code=denied n=77 '* ]]
	done
	run setpriv --reuid=sync --regid=nogroup --clear-groups -- bash -c \
		"printf '%s\n' 'set expected=5' 'vote view=$view cast=yes' \
		quit | nc -U run1/quorum.sock"
	[[ ${lines[1]} == 'err code=denied n=77 '* ]]
	[ "${lines[2]}" = ok ]
}

# A third site, in seven lines of shell: votes for the view of one node.
voter() # I
{
	local view
	while :; do
		view=$(value "$1" view)
		q "$1" "vote view=$view cast=yes ttl=1s name=arbiter" >>votes
		sleep 0.2 # no event: the arbiter's own pace
	done
}

@test "an outside voter decides between two halves, until it stops" {
	cluster 2 'device_votes = 1'
	all_become 1,2 'votes=2 '
	dropped 1 2
	all_become 1,2 'quorate=no votes=1 '
	watching 1 seen
	background voter 1
	local voter=$!
	appears seen '^ev 1 quorum quorate=yes prev=no votes=2 needed=2 expected=3 basis=device .*reason=device'
	[ "$(value 2 quorate)" = no ]
	run q 1 'vote view=1.1 cast=yes'
	[[ $output == "no code=view view=$(value 1 view)"* ]]
	run q 1 'vote cast=yes' "vote view=$(value 1 view) cast=perhaps" \
		"vote view=$(value 1 view) cast=yes ttl=2h"
	for line in "${lines[@]}"; do
		[[ $line == 'err code=usage n=64 '* ]]
	done
	kill "$voter"
	wait "$voter" || :
	appears seen '^ev 1 quorum quorate=no prev=yes votes=1 .*reason=vote-expired'
	grep -qx ok votes
}

@test "expected votes that were tracked outlive everything" {
	cluster 3 'expected_votes_tracking = yes'
	all_become 1,2,3 'quorate=yes votes=3 '
	[ "$(q 1 'set expected=5')" = ok ]
	becomes 1 'expected=5'
	appears state1/quorumd.track '^expected=5$' >/dev/null
	appears state2/quorumd.track '^expected=5$' >/dev/null
	for i in 1 2 3; do
		kill -TERM "${Q[$i]}"
		wait "${Q[$i]}"
		slay "$i"
	done
	start 1 2
	quorumd_starts 1 2
	all_become 1,2 'quorate=no votes=2 needed=3 expected=5 .*members=1,2 '
	kill -TERM "${Q[1]}"
	wait "${Q[1]}"
	echo damaged >state1/quorumd.track
	run timeout 60 "${AS_NOBODY[@]}" "$BIN/quorumd" -c ringkit.conf \
		--node n1 --rundir run1 --statedir state1
	[ "$status" = 73 ]
	[[ $output == *state1/quorumd.track:\ damaged* ]]
}

@test "alone without ringd and memberd: it answers, and knows nothing" {
	config 3
	folders 1
	quorumd_starts 1
	q 1 quorum | grep -E '^ok quorate=unknown votes=0 .*members= self=1 name=n1 coordinator= settled=no age_ms= waiting_for= why=ringd'
	q 1 why | head -n 1 | grep '^item rule=lease verdict=unknown'
	[ "$(q 1 nodes)" = 'ok n=0' ]
	[[ $(q 1 'set expected=3') == 'err code=away n=69 '* ]]
	[[ $(q 1 'watch') == 'err code=away n=69 '* ]]
	[[ $(q 1 'nonsense') == 'err code=unknown n=64 '* ]]
	q 1 status | grep -c '^item kind=' | grep -x 5
	q 1 stats | grep '^item name=ring_opened value=0$'
	q 1 help | grep -c '^item verb=' | grep -xE '1[0-9]'
	kill -TERM "${Q[1]}"
	wait "${Q[1]}"
	[ ! -e run1/quorum.sock ]
}

@test "options and mistakes" {
	config 2 '[quorum]' 'two_node = yes' 'auto_tie_breaker = yes' \
		'device_votes = 1'
	run -0 "$BIN/quorumd" --help
	[[ $output == *--simulate* ]]
	run "$BIN/quorumd" --nonsense
	[ "$status" = 64 ]
	run "$BIN/quorumd" operand
	[ "$status" = 64 ]
	run "$BIN/quorumd" -c ringkit.conf --check
	[ "$status" = 78 ]
	[[ $output == *ringkit.conf:* ]]
	config 2
	run -0 "$BIN/quorumd" -c ringkit.conf --check
	[ -z "$output" ]
}
