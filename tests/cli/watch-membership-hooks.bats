#!/usr/bin/env bats
# The hook runner of watch-membership, against a daemon that the test speaks
# for.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016 # quoted for the hook
load helpers
load watch_fake

# never: a hook that reads it hangs, whatever the machine.
setup()
{
	start_daemon
	mkfifo never
}
teardown()
{
	[ -z "${WATCHER-}" ] || kill -9 "$WATCHER" 2>/dev/null || :
	stop_daemon
}

# hook NAME <SCRIPT: an executable file; $D in it is the test's folder.
hook()
{
	{
		printf '#!/bin/sh\nD=%q\n' "$BATS_TEST_TMPDIR"
		cat
	} >"$1"
	chmod 755 "$1"
}

# A hook that writes its environment and input to run.1, run.2, ….
recorder()
{
	hook record <<-'X'
		n=$(($(cat "$D/runs" 2>/dev/null || echo 0) + 1))
		{ env | grep ^RINGKIT_ | sort; echo; cat; } >"$D/run.new"
		printf %s "$RINGKIT_VALUE" >"$D/value"
		mv "$D/run.new" "$D/run.$n"
		echo $n >"$D/runs"
	X
}

ran() { [ "$(cat runs 2>/dev/null)" = "$1" ]; }

# The variable of that run.
of() { sed -n "s/^RINGKIT_$2=//p" "run.$1"; }

# The events on its input.
input() { sed '1,/^$/d' "run.$1" | cut -d' ' -f1 | tr '\n' ' '; }

@test "wrong calls are 64, a command that is not there is 127" {
	local args
	for args in "-j -- true" "--every" "--state=x" "--settle=1s" \
		"--every --settle=1s -- true" "--hooks-dir=. -- true" \
		"--since=a:1 -- true" "--on-error=x -- true" \
		"--hooks-dir=nosuch" "-0 -- true" "--retries=1"; do
		eval "run -64 timeout 60 watch-membership $args"
	done
	run -127 watch-membership -- nosuch
	run -127 watch-membership -- ./nosuch
	run -126 watch-membership -- ./state
}

@test "the first run has the state, each change one run with all of it" {
	recorder
	watch out -n 4 -- ./record
	await ran 1
	[ "$(of 1 EVENT)/$(of 1 SNAPSHOT)/$(of 1 QUORATE)" = ready/yes/yes ]
	[ "$(of 1 MEMBERS)/$(of 1 MEMBER_NAMES)" = '1 2/alpha beta' ]
	[ "$(of 1 SELF_ID)/$(of 1 SELF_NAME)" = 1/alpha ]
	[ "$(of 1 IS_COORDINATOR)/$(of 1 COORDINATOR)" = yes/1 ]
	[ "$(input 1)" = 'exists exists exists ready ' ]
	beta_leaves
	await ran 2
	[ "$(of 2 EVENT)/$(of 2 SNAPSHOT)" = view/no ]
	[ "$(of 2 QUORATE)/$(of 2 PREV_QUORATE)" = no/yes ]
	[ "$(of 2 VIEW)/$(of 2 PREV_VIEW)" = 1.3/1.2 ]
	[ "$(of 2 LEFT)/$(of 2 JOINED)/$(of 2 COALESCED)" = 2//2 ]
	[ "$(of 2 IS_COORDINATOR)" = no ]
	[ "$(of 2 CURSOR)" = 5f3c9a01:2 ]
	[ "$(input 2)" = 'exists exists exists leave view ' ]
	grep -q '^exists node=2 name=beta .* state=lost ' run.2
	beta_joins
	ended 0
	ran 3
	[ "$(of 3 JOINED)/$(of 3 LEFT)" = 2/ ]
	grep -q '^exists node=2 name=beta .* state=member inc=5 ' run.3
	[ ! -s out ]
}

@test "facts of one record are in the environment" {
	recorder
	watch out -n 2 --every -e leave,update -- ./record
	beta_leaves
	say 'update node=3 key=tag.x old=a\0040b new=$(touch\0040bad)\n\0052'
	ended 0
	ran 3
	[ "$(of 2 EVENT)/$(of 2 NODE_ID)/$(of 2 NODE_NAME)" = leave/2/beta ]
	[ "$(of 2 NODE_INC)/$(of 2 REASON)/$(of 2 SEQ)" = 4/lost/1 ]
	[ "$(of 2 TS_EPOCH)" = "$(date -d "$(of 2 TS)" +%s)" ]
	[ "$(of 3 KEY)/$(of 3 NODE_NAME)/$(of 3 OLD_VALUE)" = 'tag.x/gamma/a b' ]
	printf '$(touch bad)\n*' | cmp - value
	[ ! -e bad ]
}

@test "a hook starts from nothing" {
	hook look <<-'X'
		{
			env | sed 's/=.*//' | grep -v ^RINGKIT_ | sort |
				tr '\n' ' '
			pwd
			umask
			ls /proc/self/fd | wc -l
			# Numbers 32 and 33 are libc's own: nobody can set them.
			grep -E '^Sig(Blk|Ign)' /proc/self/status |
				sed 's/000000018\(0000000\)$/000000000\1/'
			[ "$(ps -o pgid= $$)" -eq $$ ] && echo alone
			echo "$HOME $LC_ALL ${PATH%%:*} $RINGKIT_RUNDIR"
		} >"$D/seen"
	X
	SECRET=1 bash -c "umask 077; exec 7<state; trap '' USR1 PIPE
		exec watch-membership --now -- ./look"
	printf '%s\n' 'HOME LC_ALL PATH PWD /' 0022 4 \
		$'SigBlk:\t0000000000000000' $'SigIgn:\t0000000000000000' \
		alone "/ C /usr/local/sbin $RINGKIT_RUNDIR" | diff - seen
}

@test "operands reach the command as they are" {
	hook args <<-'X'
		printf '<%s>' "$@" >"$D/seen"
	X
	watch-membership --now -- ./args -v --help '' 'a b' '$x' --
	[ "$(cat seen)" = '<-v><--help><><a b><$x><-->' ]
}

@test "the last hook may end at any time: so does the watcher" {
	local i
	for i in {1..100}; do
		timeout 60 watch-membership --now -- true
	done
}

@test "output comes line by line on standard error, with a limit" {
	hook loud <<-'X'
		echo one
		echo two >&2
		printf 'no end'
	X
	run --separate-stderr -0 watch-membership --now -- ./loud
	[ -z "$output" ]
	[ "$stderr" = 'watch-membership: loud: one
watch-membership: loud: two
watch-membership: loud: no end' ]
	hook flood <<-'X'
		yes 0123456789 | head -c 300000
		echo last
	X
	watch-membership --now -- ./flood 2>err
	[ "$(grep -c 0123456789 err)" -le 5958 ]
	[ "$(tail -n 1 err)" = "watch-membership: flood: more output is dropped" ]
	run --separate-stderr -0 watch-membership -q --now -- ./loud
	[ -z "$stderr" ]
}

# $STORM_HOOK_S is how long the hook takes: 2 in the long form.
@test "a storm of 1,000 views: few runs, each record in one, the last is the state" {
	hook slow <<-'X'
		cat >>"$D/seen"
		echo "$RINGKIT_VIEW $RINGKIT_COALESCED" >>"$D/runs"
		sleep "${1}" # no event: it is slow
	X
	local pause=${STORM_HOOK_S:-0.2} i
	watch out -n 1000 -e view -- ./slow "$pause"
	for ((i = 1; i <= 1000; i++)); do
		echo "view view=1.$((i + 10)) prev=1.$((i + 9)) members=1,2 joined= left= coordinator=1 quorate=yes"
	done >storm
	for ((i = 1; i <= 1000; i += 100)); do
		sed -n "$i,$((i + 99))p" storm >&9
		sleep 0.05 # no event: it is a storm
	done
	ended 0
	grep '^view' seen | sed 's/^view view=1\.\([0-9]*\) .*/\1/' >got
	seq 11 1010 | cmp - got
	[ "$(tail -n 1 runs | cut -d' ' -f1)" = 1.1010 ]
	# Idle it is 5; on a busy machine the storm lasts longer.
	[ "$(wc -l <runs)" -le 50 ]
}

@test "more than 1,000 records: the newest, and a gap" {
	recorder
	mkfifo go
	hook slow <<-'X'
		[ "$RINGKIT_EVENT" = ready ] || exec "$D/record"
		: >"$D/began"
		exec cat "$D/go"
	X
	watch out -v -n 1200 -e view -- ./slow
	await test -e began
	for ((i = 1; i <= 1200; i++)); do
		echo "view view=1.$((i + 10)) prev=1.$((i + 9)) members=1,2 joined=$((i % 2 + 2)) left= coordinator=1 quorate=yes"
	done >&9
	await grep -q 'waiting for the hooks' out.err
	echo >go
	ended 0
	ran 1
	[ "$(input 1 | cut -d' ' -f1-4)" = 'gap exists exists exists' ]
	sed -n '/^gap/p' run.1 | grep -qx 'gap lost=200'
	[ "$(grep -c '^view' run.1)" = 1000 ]
	[ "$(of 1 COALESCED)/$(of 1 VIEW)/$(of 1 JOINED)" = '1200/1.1210/2 3' ]
}

@test "--every runs once for each, and tells what its queue could not hold" {
	hook count <<-'X'
		[ "$RINGKIT_EVENT" != ready ] || cat "$D/go"
		[ "$RINGKIT_EVENT" != gap ] || cat >"$D/gap"
		echo "$RINGKIT_EVENT" >>"$D/seen"
	X
	mkfifo go
	watch out -v -n 1100 -e update --every -- ./count
	for ((i = 1; i <= 1100; i++)); do
		echo "update node=3 key=tag.x old=$i new=$((i + 1))"
	done >&9
	await grep -q 'waiting for the hooks' out.err
	echo >go
	ended 0
	[ "$(grep -c update seen)" -ge 1000 ]
	[ "$(sed -n 's/gap lost=\([0-9]*\) *.*/\1/p' gap)" = \
		$((1100 - $(grep -c update seen))) ]
}

@test "--settle waits for quiet, --max-delay not for ever" {
	recorder
	watch out -n 4 -e view --settle=300ms -- ./record
	say "$({ beta_leaves; beta_joins; beta_leaves; beta_joins; } 9>&1)"
	ended 0
	# Losing quorum did not wait; the others went with what came next.
	[ "$(cat runs)" -le 4 ]
	rm -f runs run.*
	watch out -n 3 -e update --settle=60s --max-delay=200ms -- ./record
	say "update node=3 key=tag.x new=1" "update node=3 key=tag.x new=2"
	await ran 1
	[ "$(of 1 COALESCED)/$(of 1 EVENT)" = 3/update ]
	kill "$WATCHER"
}

@test "75 is tried again, for as long as --retries says" {
	hook again <<-'X'
		echo "$RINGKIT_ATTEMPT $RINGKIT_EVENT" >>"$D/seen"
		[ "$RINGKIT_ATTEMPT" = 2 ] || exit 75
	X
	watch-membership --now -- ./again
	[ "$(cat seen)" = $'1 ready\n2 ready' ]
	rm seen
	run -75 watch-membership --now --retries=0 --on-error=exit -- ./again
	[ "$(cat seen)" = '1 ready' ]
	run -0 watch-membership --now --retries=0 -- ./again
	# News do not wait for the next try.
	rm seen
	watch out -n 1 -e update -- ./again
	await test -s seen
	say "update node=3 key=tag.x new=1"
	ended 0
	[ "$(cat seen)" = $'1 ready\n1 update\n2 update' ]
}

@test "a failure is told, and does not end it, but with --on-error=exit" {
	hook bad <<-'X'
		exit 9
	X
	run -0 watch-membership --now -- ./bad
	[[ $output == "watch-membership: hook-end hook=bad status=failed code=9 ms="* ]]
	run -9 watch-membership --on-error=exit -- ./bad
	run -9 watch-membership --now --on-error=exit -- ./bad
	run -124 watch-membership --now --on-error=exit --hook-timeout=50ms \
		-- cat "$PWD/never"
	[[ $output == *"hook-end hook=cat status=timeout code=124 ms="* ]]
	run -0 watch-membership --now -v -- true
	[[ $output == *"hook-end hook=true status=ok code=0 ms="* ]]
}

@test "one that ignores TERM is gone after 5 s, with what left its session" {
	hook stubborn <<-'X'
		trap '' TERM
		setsid sh -c 'echo $$ >"$1/child"; exec cat "$1/never"' x "$D" &
		(setsid sh -c 'echo $$ >"$1/grand"; exec cat "$1/never"' x "$D" &)
		echo $$ >"$D/self"
		cat "$D/never"
	X
	local began=$SECONDS
	run -0 watch-membership --now --hook-timeout=300ms -- ./stubborn
	[[ $output == *"status=timeout"* ]]
	[ $((SECONDS - began)) -ge 5 ]
	[ $((SECONDS - began)) -le 10 ]
	for file in self child grand; do
		run ! kill -0 "$(cat $file)"
	done
}

@test "a lost quorum preempts the hook that runs, within 2 s" {
	hook slow <<-'X'
		echo "$RINGKIT_EVENT $RINGKIT_QUORATE" >>"$D/seen"
		[ "$RINGKIT_QUORATE" = yes ] || exit 0
		trap '' TERM
		cat "$D/never"
	X
	watch out -- ./slow
	await grep -q ready seen
	local began=$EPOCHREALTIME
	beta_leaves
	await grep -q 'view no' seen
	[ $((${EPOCHREALTIME/./} - ${began/./})) -lt 8000000 ]
	grep -q 'hook=slow status=preempted' out.err
	[ "$(wc -l <seen)" = 2 ]
	kill "$WATCHER"
}

@test "a daemon that goes preempts, too, and is the last that is told" {
	hook slow <<-'X'
		echo "$RINGKIT_EVENT $RINGKIT_QUORATE $RINGKIT_REASON" >>"$D/seen"
		[ "$RINGKIT_QUORATE" = yes ] || exit 0
		echo $$ >>"$D/pids"
		exec cat "$D/never"
	X
	watch out -- ./slow
	await grep -q ready seen
	kill -9 "$DAEMON"
	await grep -qx 'down unknown daemon-exit' seen
	stop_daemon
	start_daemon 0badcafe
	await grep -qx 'ready yes ' seen
	await has 2 '^ready' seen
	kill "$WATCHER"
	ended 143
	while read -r pid; do
		run ! kill -0 "$pid"
	done <pids
}

@test "what ends the watcher ends the hook first; KILL, too" {
	hook slow <<-'X'
		echo $$ >"$D/pid"
		exec cat "$D/never"
	X
	local signal
	for signal in TERM INT HUP KILL; do
		rm -f pid
		# A shell has its background jobs ignore INT.
		env --default-signal=INT watch-membership -- ./slow \
			3>&- 9>&- 2>err &
		WATCHER=$!
		await test -s pid
		kill -$signal "$WATCHER"
		ended $((128 + $(kill -l $signal)))
		await is_gone "$(cat pid)"
	done
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }

@test "a hook may ask the daemon, and watch" {
	hook nested <<-'X'
		watch-membership --now -e ready -o view,quorate >"$D/seen"
	X
	watch-membership --now -- ./nested
	[ "$(cat seen)" = '1.2 yes' ]
}

@test "--state: no run when nothing differs, exactly the differences else" {
	recorder
	watch-membership --now --state=st -- ./record
	ran 1
	grep -q '^now cursor=5f3c9a01:0 ' st
	watch-membership --now --state=st -- ./record
	ran 1
	# From the history.
	beta_leaves
	sed -i 's/node=2 name=beta \(.*\)state=member/node=2 name=beta \1state=lost/; s/^ready.*/ready view=1.3 members=1 coordinator=1 quorate=no/' state
	watch-membership --now --state=st -- ./record
	ran 2
	[ "$(input 2)" = 'exists exists exists leave view ' ]
	[ "$(of 2 LEFT)/$(of 2 QUORATE)" = 2/no ]
	watch-membership --now --state=st -- ./record
	ran 2
	# From the state, when the daemon is another one.
	stop_daemon
	sed -i 's/node=2 name=beta \(.*\)state=lost inc=4/node=2 name=beta \1state=member inc=5/; s/^ready.*/ready view=1.4 members=1,2 coordinator=1 quorate=yes/' state
	start_daemon 0badcafe
	watch-membership --now --state=st -- ./record
	ran 3
	[ "$(input 3)" = 'exists exists exists join ready ' ]
	[ "$(of 3 JOINED)/$(of 3 LEFT)/$(of 3 QUORATE)" = 2//yes ]
	[ "$(of 3 PREV_QUORATE)" = no ]
}

@test "--state: what failed is told again, with the next" {
	hook picky <<-'X'
		cut -d' ' -f1 | grep -v exists | tr '\n' ' ' >>"$D/seen"
		echo >>"$D/seen"
		[ ! -e "$D/fail" ]
	X
	watch out -n 2 -e update --state=st -- ./picky
	await test -s st
	touch fail
	say "update node=3 key=tag.x new=1"
	await has 2 '' seen
	await grep -q status=failed out.err
	grep -q 'cursor=5f3c9a01:0 ' st
	rm fail
	say "update node=3 key=tag.x new=2"
	ended 0
	[ "$(tail -n 1 seen)" = 'update update ' ]
	grep -q 'cursor=5f3c9a01:2 ' st
	[ ! -e st.new ]
}

@test "--state: a file of somebody else, and one that cannot be written" {
	echo something else >bad
	run -65 watch-membership --now --state=bad -- true
	[ "$(cat bad)" = "something else" ]
	run -66 watch-membership --now --state=. -- true
	run -0 watch-membership --now --state=none/st -- true
	[[ $output == *"none/st: No such file or directory" ]]
}

# ---- folders ----------------------------------------------------------------

# put FILE NAME: a hook in a folder that says NAME, event and reason.
put()
{
	mkdir -p "${1%/*}"
	hook "$1" <<-X
		echo "$2 \$RINGKIT_EVENT \$RINGKIT_REASON" >>"\$D/seen"
	X
}

@test "--hooks-dir runs the files of each event, in their order" {
	local event
	for event in join leave view quorum-gained quorum-lost fenced any; do
		put "dir/$event.d/20-b" "$event-b"
		put "dir/$event.d/10-a" "$event-a"
	done
	watch out -n 5 -e leave,view,join,fenced --hooks-dir=dir
	await grep -q any-b seen
	tr '\n' ' ' <seen >got
	[ "$(cat got)" = 'view-a view  view-b view  quorum-gained-a quorum-gained  quorum-gained-b quorum-gained  any-a any  any-b any  ' ]
	rm seen
	beta_leaves
	await grep -q any-b seen
	[ "$(cut -d' ' -f1 seen | tr '\n' ' ')" = 'quorum-lost-a quorum-lost-b leave-a leave-b view-a view-b any-a any-b ' ]
	grep -qx 'leave-a leave lost' seen
	rm seen
	beta_joins
	await grep -q any-b seen
	[ "$(cut -d' ' -f1 seen | tr '\n' ' ')" = 'join-a join-b view-a view-b quorum-gained-a quorum-gained-b any-a any-b ' ]
	rm seen
	say "fenced node=3 inc=9 by=1 method=manual"
	ended 0
	[ "$(cut -d' ' -f1 seen | tr '\n' ' ')" = 'fenced-a fenced-b any-a any-b ' ]
}

@test "a folder hides or masks what another one has" {
	put own/any.d/10-a own-a
	put usr/any.d/10-a usr-a
	put usr/any.d/15-m usr-m
	put usr/any.d/20-b usr-b
	ln -s /dev/null own/any.d/15-m
	watch-membership --now --hooks-dir=own:usr
	[ "$(cut -d' ' -f1 seen | tr '\n' ' ')" = 'own-a usr-b ' ]
}

@test "files that others could have written are not run" {
	put dir/any.d/10-good good
	put dir/any.d/20-written written
	put dir/any.d/30-plain plain
	put dir/any.d/40-suid suid
	put dir/any.d/50-old.bak old
	chmod g+w dir/any.d/20-written
	chmod a-x dir/any.d/30-plain
	chmod u+s dir/any.d/40-suid
	mkdir dir/any.d/60-folder
	mkfifo dir/any.d/70-fifo
	put dir/view.d/10-x never
	chmod o+w dir/view.d
	run -0 watch-membership --now --hooks-dir=dir
	[ "$(cut -d' ' -f1 seen)" = good ]
	[[ $output == *"20-written: others may write to it"* ]]
	[[ $output == *"30-plain: not executable"* ]]
	[[ $output == *"40-suid: set-uid or set-gid"* ]]
	[[ $output == *"60-folder: not a regular file"* ]]
	[[ $output == *"70-fifo: not a regular file"* ]]
	[[ $output == *"view.d: others may write to it"* ]]
	[[ $output != *50-old* ]]
	if [ "$(id -u)" = 0 ]; then
		chown 65534 dir/any.d/10-good
		rm seen
		run -0 watch-membership --now --hooks-dir=dir
		[[ $output == *"10-good: not owned by root or this user"* ]]
		[ ! -e seen ]
	fi
}

@test "one that fails does not keep the others from running" {
	put dir/any.d/20-b b
	mkdir -p dir/any.d
	hook dir/any.d/10-a <<-'X'
		exit 3
	X
	run -0 watch-membership --now --hooks-dir=dir
	[[ $output == *"hook=10-a status=failed code=3"* ]]
	[ "$(cut -d' ' -f1 seen)" = b ]
}

@test "only those that said 75 are tried again" {
	put dir/any.d/20-b b
	mkdir -p dir/any.d
	hook dir/any.d/10-a <<-'X'
		echo "a $RINGKIT_ATTEMPT" >>"$D/seen"
		[ "$RINGKIT_ATTEMPT" = 2 ] || exit 75
	X
	watch-membership --now --hooks-dir=dir
	[ "$(cut -d' ' -f1,2 seen)" = $'a 1\nb any\na 2' ]
}

@test "a daemon that stays away for 2 s is a lost quorum; for less it is not" {
	put dir/quorum-lost.d/10-a lost
	put dir/quorum-gained.d/10-a gained
	put dir/view.d/10-a view
	watch out --hooks-dir=dir
	await grep -q gained seen
	kill -9 "$DAEMON"
	stop_daemon
	start_daemon 0badcafe
	await has 2 '^view' seen
	[ "$(grep -v '^view' seen)" = 'gained quorum-gained ' ]
	kill -9 "$DAEMON"
	local began=$EPOCHREALTIME
	await grep -qx 'lost quorum-lost daemon-exit' seen
	[ $((${EPOCHREALTIME/./} - ${began/./})) -gt 1900000 ]
	[ $((${EPOCHREALTIME/./} - ${began/./})) -lt 10000000 ]
	stop_daemon
	start_daemon 0badcaff
	await has 2 gained seen
	kill "$WATCHER"
}

@test "a daemon that has nothing to tell is not taken for one that hangs" {
	recorder
	RINGKIT_TIMEOUT=3s watch out -- ./record
	await pinged 3
	has 1 '^watch' requests
	ran 1
	kill "$WATCHER"
}

pinged() { [ "$(grep -c '^#tick ping' requests)" -ge "$1" ]; }

@test "a daemon that is stopped is a lost quorum, too" {
	put dir/quorum-lost.d/10-a lost
	RINGKIT_TIMEOUT=3s watch out --hooks-dir=dir
	kill -STOP "$DAEMON"
	await grep -qx 'lost quorum-lost silent' seen
	kill "$WATCHER"
}

@test "a verdict that is lost while a view hook runs does not wait for it" {
	put dir/quorum-lost.d/10-a lost
	mkdir -p dir/view.d
	hook dir/view.d/10-slow <<-'X'
		echo "slow $RINGKIT_QUORATE" >>"$D/seen"
		echo $$ >>"$D/pids"
		[ "$RINGKIT_QUORATE" = no ] || exec cat "$D/never"
	X
	watch out --hooks-dir=dir
	await grep -q slow seen
	local began=$EPOCHREALTIME
	beta_leaves
	await grep -q lost seen
	[ $((${EPOCHREALTIME/./} - ${began/./})) -lt 10000000 ]
	await grep -q 'slow no' seen
	kill "$WATCHER"
	ended 143
	while read -r pid; do
		run ! kill -0 "$pid"
	done <pids
}

@test "the verdict is told to hooks whatever -e says" {
	put dir/quorum-lost.d/10-a lost
	put dir/any.d/10-a any
	watch out -e fenced --hooks-dir=dir
	await grep -q any seen
	beta_leaves
	await grep -qx 'lost quorum-lost timeout' seen
	has 1 any seen
	kill "$WATCHER"
}
