#!/usr/bin/env bats
# watch-membership as a printer of records, against a daemon that the test
# speaks for.
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2028,SC2238 # quoted for another shell
load helpers
load watch_fake

setup() { start_daemon; }
teardown() { stop_daemon; }

events() { cut -d' ' -f1 "$1" | tr '\n' ' '; }

@test "help goes to stdout and ends with 0, a wrong call with 64" {
	run --separate-stderr -0 watch-membership --help
	[[ $output == "usage: watch-membership [OPTION"* ]]
	[ -z "$stderr" ]
	run -0 watch-membership --version
	[[ $output == "watch-membership (ringkit) "*" proto=1 fmt=1" ]]
	local args
	for args in --nonsense "-e views" "-e ''" "-e view," "-o ''" "-o A" \
		"-o view,,event" "-o event,colour" "-j -o view" "--now --no-snapshot" "-n x" "-t x" \
		"--heartbeat=0" "--wait-daemon=x" "operand" "--" "-N ''"; do
		eval "run --separate-stderr -64 timeout 60 watch-membership $args"
		[ -z "$output" ]
		[[ $stderr == "watch-membership: "* ]]
	done
}

@test "an event that is none is told with all that are" {
	run --separate-stderr -64 timeout 60 watch-membership -e view,views
	[[ $stderr == *"--events: view,views: no such event, expected some of exists,"*,leave,join,view,*,tick$'\n'* ]]
}

@test "--now prints the state, whole, and ends with 0" {
	watch-membership --now >out
	[ "$(events out)" = 'exists exists exists ready ' ]
	grep -qE '^exists node=3 name=gamma addr=10\.0\.0\.3 state=lost inc=9 local=no .* seq=0 ts=20[^ ]+Z$' out
	grep -qE '^ready view=1\.2 members=1,2 coordinator=1 quorate=yes .* cursor=5f3c9a01:0 seq=0 ts=' out
}

@test "what happens follows the state, in order, and nothing twice" {
	watch out -n 4 -t 60s
	beta_leaves
	beta_joins
	ended 0
	[ "$(events out)" = \
		'exists exists exists ready leave view join view ' ]
	[ "$(grep -c 'reason=lost' out)" = 1 ]
}

@test "-n ends with 0 under pipefail, -1 after one, -n 0 with the state" {
	mkfifo go
	(
		set -o pipefail
		watch-membership -n 2 -t 60s --ready-fd=4 4>go 9>&- |
			cat >out
	) 3>&- &
	cat go >/dev/null
	beta_leaves
	beta_joins
	wait $!
	[ "$(events out)" = 'exists exists exists ready leave view ' ]
	watch one -1 --no-snapshot
	beta_leaves
	ended 0
	[ "$(events one)" = 'leave ' ]
	run -0 watch-membership -n 0
	[ ${#lines[@]} = 4 ]
}

@test "-t ends with 124, and what was printed stays" {
	run -124 watch-membership -t 100ms --no-snapshot
	[ -z "$output" ]
	run -124 watch-membership -t 0
	[ ${#lines[@]} = 4 ]
}

@test "-e and -N choose, an unknown node is 65 and prints nothing" {
	watch views -e view,quorum -n 1 -t 60s
	views=$WATCHER
	watch gamma -N gamma,9 -t 300ms || : # 65, before it is ready
	watch beta -N beta,3 -n 3 -t 60s
	beta_leaves
	say "fenced node=3 inc=9 by=1 method=manual" \
		"view view=1.9 prev=1.3 members=1 joined= left= coordinator=1 quorate=no" \
		"quorum quorate=no prev=yes votes=1 view=1.9"
	ended 0
	[ "$(events beta)" = 'exists exists ready leave view fenced ' ]
	WATCHER=$views
	ended 0
	[ "$(events views)" = 'view ' ]
	run --separate-stderr -65 watch-membership --now -N nobody,1
	[ -z "$output" ]
	[ "$stderr" = "watch-membership: nobody: no such node" ]
}

@test "-o prints the values that are asked for, - for none" {
	watch-membership --now -o event,node,name,quorate >out
	printf '%s\n' 'exists 1 alpha -' 'exists 2 beta -' \
		'exists 3 gamma -' 'ready - - yes' | cmp - out
	watch-membership --now -0 -e ready -o view,members | tr '\0' '@' >out
	printf '1.2 1,2@' | cmp - out
}

@test "-j prints JSON with numbers and lists" {
	watch-membership --now -j >out
	jq -se 'length == 4 and .[0].v == 1 and .[0].event == "exists" and
		.[0].node == 1 and .[0].name == "alpha" and .[0].tags == [] and
		.[3].members == [1,2] and .[3].coordinator == 1 and
		.[3].votes == 2 and .[3].seq == 0 and .[3].quorate == "yes" and
		.[3].view == "1.2" and .[3].cursor == "5f3c9a01:0"' out
}

@test "--since tells what was missed, or that it cannot" {
	beta_leaves
	beta_joins
	watch-membership --since 5f3c9a01:1 -n 2 >out
	[ "$(events out)" = 'view join ' ]
	watch-membership --since 5f3c9a01:1 --now >out
	[ "$(events out)" = 'view join view ready ' ]
	watch-membership --since 0badcafe:1 --now >out
	[ "$(events out)" = 'gap exists exists exists ready ' ]
	grep -q '^gap lost=unknown ' out
}

@test "a daemon that is killed is down at once, and up with the state" {
	watch out -t 60s -n 3 -e down,up,exists,ready,leave
	kill -9 "$DAEMON"
	local began=$EPOCHREALTIME
	await grep -q '^down reason=daemon-exit ts=' out
	[ $((${EPOCHREALTIME/./} - ${began/./})) -lt 5000000 ]
	stop_daemon
	start_daemon 0badcafe
	await has 2 '^ready' out
	[ "$(events out)" = 'exists exists exists ready down up exists exists exists ready ' ]
	grep -q 'cursor=0badcafe:0' out
	beta_leaves
	await grep -q '^leave' out
	kill "$WATCHER"
}

@test "a daemon that has nothing to tell yet is still down" {
	watch out -t 60s -e down,up,ready
	kill -9 "$DAEMON"
	await grep -q '^down reason=daemon-exit ts=' out
	stop_daemon
	mkfifo answers
	exec 8<>answers
	printf '%s\n' "ringkit proto=1 min=1 daemon=quorumd node=1" \
		"err code=unknown n=69 msg=the\\0040ring\\0040is\\0040away" >&8
	fake_daemon run/quorum.sock <&8 8>&- 9>&-
	wait "$FAKE"
	exec 8>&-
	start_daemon
	await has 2 '^ready' out
	[ "$(events out)" = 'ready down up ready ' ]
	kill "$WATCHER"
}

@test "--no-reconnect ends with 69 when the daemon goes" {
	watch out --no-reconnect
	kill -9 "$DAEMON"
	ended 69
	[ "$(cat out.err)" = "watch-membership: $RINGKIT_RUNDIR/quorum.sock: the daemon went away" ]
}

@test "a daemon that is not there is 69 at once, or waited for" {
	stop_daemon
	run --separate-stderr -69 watch-membership --now
	[ -z "$output" ]
	[[ $stderr == *"/quorum.sock: "* ]]
	run -69 watch-membership --now --wait-daemon=150ms
	watch-membership --now --wait-daemon >out 9>&- 3>&- &
	WATCHER=$!
	start_daemon
	ended 0
	[ "$(events out)" = 'exists exists exists ready ' ]
}

@test "a daemon that lacks another one says which" {
	stop_daemon
	mkfifo answers
	exec 8<>answers
	printf '%s\n' "ringkit proto=1 min=1 daemon=quorumd node=1" \
		"err code=away n=69 msg=memberd\\0040is\\0040not\\0040there" >&8
	fake_daemon run/quorum.sock <&8 8>&- 9>&-
	run --separate-stderr -69 watch-membership --now 8>&-
	exec 8>&-
	wait "$FAKE" || :
	[ "$stderr" = "watch-membership: $RINGKIT_RUNDIR/quorum.sock: memberd is not there" ]
}

@test "a stopped daemon is 69 within the time for requests" {
	kill -STOP "$DAEMON"
	RINGKIT_TIMEOUT=200ms run -69 watch-membership --now
	RINGKIT_TIMEOUT=200ms run -69 watch-membership --now -N alpha
}

@test "--heartbeat ticks, and tells a daemon that was stopped" {
	export RINGKIT_TIMEOUT=5s
	watch out --heartbeat=50ms
	await grep -q '^tick seq=0 ts=20' out
	kill -STOP "$DAEMON"
	await grep -q '^down reason=silent ts=' out
	kill -CONT "$DAEMON"
	await has 2 '^ready' out
	[ "$(grep -v '^tick' out | cut -d' ' -f1 | tr '\n' ' ')" = 'exists exists exists ready down up exists exists exists ready ' ]
	kill "$WATCHER"
}

@test "a reader that goes ends it at once, without an event" {
	local began=$EPOCHREALTIME
	watch-membership | head -n 1 >out
	[ "$(events out)" = 'exists ' ]
	[ $((${EPOCHREALTIME/./} - ${began/./})) -lt 5000000 ]
	# SIGPIPE ignored by the parent changes nothing.
	run -141 bash -c "trap '' PIPE; watch-membership | head -n 1
		exit \${PIPESTATUS[0]}"
	[ ${#lines[@]} = 1 ]
}

@test "standard input and the terminal change nothing" {
	watch-membership --now -o event,node >out </dev/null
	watch-membership --now -o event,node >closed <&-
	setsid -w watch-membership --now -o event,node >alone <&-
	printf 'quit\nx\n' | watch-membership --now -o event,node >fed
	cmp out closed
	cmp out alone
	cmp out fed
	script -qec "watch-membership --now -o event,node" /dev/null |
		tr -d '\r' >tty
	cmp out tty
	run ! grep -q $'\033' tty
}

@test "a full disk is 74, closed output is told" {
	run -74 bash -c 'watch-membership --now >/dev/full'
	[[ $output == "watch-membership: standard output: "* ]]
	run -74 bash -c 'watch-membership --now >&-'
}

@test "records of two writers to one file are never torn" {
	watch-membership -n 400 -t 60s --no-snapshot --ready-fd=4 >>out \
		4>ready1 9>&- 3>&- &
	local first=$!
	watch-membership -n 400 -t 60s --no-snapshot --ready-fd=4 >>out \
		4>ready2 9>&- 3>&- &
	local second=$!
	await test -s ready1
	await test -s ready2
	for ((i = 0; i < 100; i++)); do
		beta_leaves
		beta_joins
	done
	wait "$first"
	wait "$second"
	[ "$(wc -l <out)" = 800 ]
	run ! grep -vE '^(leave|join|view) .* ts=[^ ]+Z$' out
}

@test "values of any bytes come back in every shell" {
	local hostile='a $(touch bad) "q'\'' *?[x]=-\nb\tc\\ \0377\0001'
	local word shell
	word='\0040a\0040$(touch\0040bad)\0040"q'\''\0052\0077\0133x\0135=-\nb\tc\\\\\0377\0001'
	say "update node=2 key=tag.x old= new=$word" \
		"update node=2 key=tag.x old=$word"
	watch-membership --since 5f3c9a01:0 --now >out || :
	watch-membership --since 5f3c9a01:1 --now >out
	for shell in dash bash mksh 'busybox sh'; do
		command -v "${shell%% *}" >/dev/null || skip "no $shell"
		: "$hostile"
		LC_ALL=C $shell -c '
			set -f
			while read -r event rest; do
				[ "$event" = update ] || continue
				for word in $rest; do
					case $word in
					old=*) printf "%b" "${word#old=}" ;;
					new=*) echo "has new" ;;
					esac
				done
			done' <out >got
		printf '%b' "$word" | cmp - got
	done
	[ ! -e bad ]
	# Empty is not absent.
	say "update node=2 key=tag.x old= new=1"
	watch-membership --since 5f3c9a01:2 -n 1 -o old,new >out
	[ "$(cat out)" = ' 1' ]
	watch-membership --since 5f3c9a01:2 -n 1 | grep -q ' old= new=1 '
}

@test "a flush follows each change, and signals in between do no harm" {
	watch out -n 4 -t 60s
	kill -CONT "$WATCHER"
	kill -WINCH "$WATCHER"
	beta_leaves
	await grep -q '^view' out
	kill -STOP "$WATCHER"
	kill -CONT "$WATCHER"
	kill -WINCH "$WATCHER"
	beta_joins
	ended 0
	[ "$(wc -l <out)" = 8 ]
}

@test "locale and time zone change no byte" {
	watch-membership --now | sed 's/ts=[^ ]*//' >out
	LC_ALL=tr_TR.UTF-8 LANG=de_DE.UTF-8 TZ=Asia/Kolkata \
		watch-membership --now >other
	sed 's/ts=[^ ]*//' other | cmp - out
	[ "$(sed -n 's/.* ts=\(.*\)T.*/\1/p' other | tail -n 1)" = \
		"$(date -u +%F)" ]
}

@test "-q says nothing, -v says when it is ready" {
	run --separate-stderr -0 watch-membership -v --now
	[ "$stderr" = "watch-membership: ready" ]
	stop_daemon
	run --separate-stderr -69 watch-membership -q --now
	[ -z "$stderr$output" ]
}
