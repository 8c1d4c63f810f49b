#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2028,SC2238 # quoted for another shell, or the protocol
load helpers

setup_file() { patient_nodes 2 --only=ringd; }
teardown_file() { stop_nodes; }
setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	group=g$BATS_TEST_NUMBER
}

# prints MSGCAT-OPTION... -- MESSAGE...: one listener, one sender; "out".
prints()
{
	local options=() m
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	listen out -n $# -t 60s "${options[@]}" "$group"
	for m; do options+=(-m "$m"); done
	msgsend "${options[@]:${#options[@]}-$#*2}" "$group"
	heard
}

@test "help goes to stdout and ends with 0" {
	run --separate-stderr -0 msgcat --help
	[[ $output == "usage: msgcat [OPTION"* ]]
	[ -z "$stderr" ]
	run -0 msgcat --version
	[[ $output == "msgcat (ringkit) "*" proto=1 fmt=1" ]]
}

@test "a wrong call ends with 64 and says why on stderr" {
	local args
	for args in --nonsense "-l -j" "-0 -N" "-0 -l" "--members -0" \
		"--views --framed" "-F %x" "-F %" "-n x" "-t x" "'a\\q'" "''" \
		"g --" "-l g -- cat" "g -n" "g -n x" "g --nonsense" "--on-error=x" "--ready-fd=x"; do
		eval "run --separate-stderr -64 msgcat $args"
		[ -z "$output" ]
		[[ $stderr == "msgcat: "* ]]
	done
}

@test "options may stand behind groups, and a command keeps its own" {
	listen out "$group" -n 1 other -t 60s --no-newline
	msgsend "$group" x
	heard
	printf x | cmp - out
	listen out "$group" -n 1 -- sh -c 'cat; echo "$@"' -n 7 -t
	msgsend "$group" x
	heard
	printf 'x7 -t\n' | cmp - out
	listen out '\0055n' -n 1 -t 60s
	msgsend -- -n y
	heard
	echo y | cmp - out
}

@test "messages are printed with a line feed, with none, with a NUL" {
	prints -- a "" 'b c'
	printf 'a\n\nb c\n' | cmp - out
	prints -N -- a "" 'b c'
	printf 'ab c' | cmp - out
	prints -0 -- a "" 'b c'
	printf 'a\0\0b c\0' | cmp - out
}

@test "-l prints records that a shell can take apart" {
	listen out -l -n 1 -t 60s "$group"
	printf 'x *\\\n\001\377' | msgsend -w "$group"
	heard
	grep -qE "^msg group=$group node=1 inc=[0-9]+ conn=[0-9]+ mid=[0-9]+ svc=agreed view=1\.[0-9]+ phase=regular pos=1\.[0-9]+:[0-9]+\.[0-9]+ len=7 data=x\\\\0040\\\\0052\\\\\\\\\\\\n\\\\0001\\\\0377 seq=1 ts=20[0-9-]+T[0-9:]+\.[0-9]{6}Z\$" out
	data=$(sed 's/.* data=\([^ ]*\) .*/\1/' out)
	[ "$(printf '%b.' "$data")" = $'x *\\\n\001\377.' ]
}

@test "-j prints JSON, bytes that are no text in base64" {
	prints -j -- 'a "b"'
	[ "$(jq -r '[.v, .event, .group, .node, .svc, .phase, .len, .data, .seq] | join(",")' out)" = \
		"1,msg,$group,1,agreed,regular,5,a \"b\",1" ]
	jq -e '(.inc | type) == "number" and (.conn | type) == "number" and
		(.mid | type) == "number" and (.view | type) == "string" and
		(.pos | startswith("1."))' out
	prints -j -- $'\377x'
	[ "$(jq -r '.data_b64 | @base64d | explode | last' out)" = 120 ]
	jq -e 'has("data") | not' out
}

@test "-F prints what is asked for" {
	prints -F '%t %f %p %l %s %%%n' -- ab
	printf '%s 1 ab 2 agreed %%\n\n' "$group" | cmp - out
	prints -N -F '%p%0' -- ab cd
	printf 'ab\0cd\0' | cmp - out
	prints -F '%P %T %v %m %c %i' -- ab
	grep -qE '^1\.[0-9]+:[0-9.]+ 20[^ ]+Z 1\.[0-9]+ [0-9]+ [0-9]+ [0-9]+$' out
}

@test "groups are chosen by patterns, and a star can be meant" {
	listen out -F '%t' -n 4 -t 60s "$group/*" "$group/b/**"
	msgsend "$group/a" 1
	msgsend "$group/b/c" 1
	msgsend "$group/b/c/d" 1
	msgsend "$group/x/y" 1
	msgsend "$group" 1
	msgsend "$group/*" 1
	heard
	printf '%s\n' "$group/a" "$group/b/c" "$group/b/c/d" "$group/*" |
		cmp - out
	listen out -F '%t' -n 2 -t 60s "$group\\0052" "$group a,b"
	msgsend "${group}x" 1
	msgsend "${group}*" 1
	msgsend "$group a,b" 1
	heard
	printf '%s\n' "${group}*" "$group a,b" | cmp - out
}

@test "--from takes a node by id or name, an unknown one is 65" {
	listen by_id --from 2 -n 1 -t 60s "$group"
	first=$LISTENER
	listen by_name --from n2 -n 1 -t 60s "$group"
	msgsend "$group" from-1
	msgsend --rundir="$NODES/2" "$group" from-2
	wait "$first"
	heard
	[ "$(cat by_id by_name)" = $'from-2\nfrom-2' ]
	run -65 msgcat --from nobody -n 1 "$group"
	[[ $output == "msgcat: nobody: no such node" ]]
}

@test "-n ends with 0 also under pipefail, -n 0 once it listens" {
	mkfifo ready
	(
		set -o pipefail
		msgcat -n 2 -t 60s --ready-fd 4 "$group" 4>ready | cat >out
	) 3>&- &
	cat ready >/dev/null
	msgsend -m a -m b -m c "$group"
	wait $!
	[ "$(cat out)" = $'a\nb' ]
	run -0 msgcat -n 0 "$group"
	[ -z "$output" ]
}

@test "-t ends with 124 and what was printed stays, -i ends with 0" {
	listen out -n 5 -t 3s "$group"
	msgsend "$group" a
	code=0
	heard || code=$?
	[ $code = 124 ]
	[ "$(cat out)" = a ]
	listen out -i 2s "$group"
	msgsend -m a -m b "$group"
	heard
	[ "$(cat out)" = $'a\nb' ]
}

@test "-v says when it listens, -q says nothing" {
	run --separate-stderr -0 msgcat -v -n 0 "$group"
	[ "$stderr" = "msgcat: ready" ]
	run --separate-stderr -69 msgcat -q --rundir="$PWD" "$group"
	[ -z "$stderr$output" ]
}

@test "a message is printed at once through a pipe" {
	mkfifo pipe
	exec 5<>pipe
	listen pipe -n 2 -t 60s "$group"
	msgsend "$group" now
	read -r -t 60 line <&5
	[ "$line" = now ]
	msgsend "$group" later
	read -r -t 60 line <&5
	[ "$line" = later ]
	heard
	exec 5>&-
}

@test "it ends at once with 141 when its reader is gone, without a new message" {
	mkfifo ready
	{
		{
			code=0
			msgcat --ready-fd 4 "$group" 4>ready || code=$?
			echo $code >code
		} | head -n 1 >first
	} 2>err 3>&- &
	cat ready >/dev/null
	msgsend "$group" one
	start=$EPOCHREALTIME
	await grep -q . code
	[ $((${EPOCHREALTIME/./} - ${start/./})) -lt 5000000 ]
	[ "$(cat code)" = 141 ]
	[ ! -s err ]
	[ "$(cat first)" = one ]
}

@test "a parent that ignores SIGPIPE changes nothing" {
	mkfifo ready
	{
		(
			trap '' PIPE
			code=0
			msgcat --ready-fd 4 "$group" 4>ready || code=$?
			echo $code >code
		) | head -n 1 >first
	} 2>err 3>&- &
	cat ready >/dev/null
	msgsend "$group" one
	await grep -q 141 code
	[ ! -s err ]
}

@test "a full disk is 74" {
	listen /dev/null -n 1 -t 60s "$group"
	mkfifo ready2
	msgcat -n 1 -t 60s --ready-fd 4 "$group" >/dev/full 2>err 4>ready2 3>&- &
	full=$!
	cat ready2 >/dev/null
	msgsend "$group" x
	code=0
	wait $full || code=$?
	[ $code = 74 ]
	grep -q "standard output: No space left" err
	run -74 sh -c 'msgcat -n 0 --views -l >/dev/full'
	run -74 sh -c 'msgcat -n 0 --views -l >&-'
}

@test "standard input is never touched" {
	printf 'one\ntwo\n' >in
	while read -r line; do
		msgcat -n 0 "$group"
		echo "$line" >>seen
	done <in
	cmp in seen
	run -0 sh -c 'msgcat -n 0 "$0" <&-' "$group"
	run -0 setsid -w msgcat -n 0 "$group" </dev/null
}

@test "two writers to one file never tear a record" {
	listen ready1 -n 0 "$group"
	heard
	mkfifo r1 r2
	msgcat -l -n 2000 -t 60s --lossless --ready-fd 4 "$group" >>out 4>r1 3>&- &
	one=$!
	cat r1 >/dev/null
	msgcat -l -n 2000 -t 60s --lossless --ready-fd 4 "$group" >>out 4>r2 3>&- &
	two=$!
	cat r2 >/dev/null
	seq -f '%0200.0f' 2000 | msgsend "$group"
	wait $one
	wait $two
	[ "$(wc -l <out)" = 4000 ]
	run ! grep -qvE '^msg group=.* data=0{100}[0-9]{100} seq=[0-9]+ ts=[^ ]*Z$' out
}

@test "--members prints who comes and goes, in its place in the order" {
	mkfifo talk
	nc -U "$NODES/2/ring.sock" <talk >answers 3>&- &
	exec 5>talk
	listen out --members -n 2 -t 60s "$group"
	echo "join group=$group name=web" >&5
	await grep -q 'ok pos' answers
	msgsend "$group" between
	echo "leave group=$group" >&5
	await eval '[ "$(grep -c "ok pos" answers)" = 2 ]'
	msgsend "$group" after
	heard
	exec 5>&-
	awk '{ print $1 }' out | tr '\n' ' ' >order
	[ "$(cat order)" = "ready group msg group msg " ]
	grep -qE "^group group=$group .*joined=2\.[0-9]+:join:[0-9]+:[0-9]+:web left= seq=2 " out
	grep -qE "^group group=$group .*members= joined= left=2\.[0-9]+:leave:" out
	run -0 msgcat --members -j -n 0 "$group"
	jq -e '.event == "ready" and .seq == 1' <<<"$output"
}

@test "--members lists who is there before it is ready" {
	mkfifo talk
	nc -U "$RINGKIT_RUNDIR/ring.sock" <talk >answers 3>&- &
	exec 5>talk
	echo "join group=$group name=a\\0040b" >&5
	await grep -q 'ok pos' answers
	run -0 msgcat --members -j -n 0 "$group"
	exec 5>&-
	[ "$(jq -r .event <<<"$output" | tr '\n' ' ')" = "exists ready " ]
	[ "$(head -n 1 <<<"$output" | jq -r .name)" = "a b" ]
}

@test "--views prints the configurations with their members" {
	run -0 msgcat --views -j -n 0 "$group"
	head -n 1 <<<"$output" | jq -e '.event == "exists" and .node == 1 and
		.name == "n1" and .state == "member"'
	jq -es 'map(select(.event == "ready"))[0] | .members == [1, 2] and
		(.inc | length) == 2 and .inc[0] > 1' <<<"$output"
}

@test "a command gets each message on stdin, exactly, and its words" {
	cat >run <<'EOF'
#!/bin/sh
{
	printf '%s %s %s ' "$RINGKIT_MSG_GROUP" "$RINGKIT_MSG_FROM" \
		"$RINGKIT_MSG_LEN"
	cat
	echo .
} >>seen
EOF
	chmod +x run
	mkfifo ready
	msgcat -n 3 -t 60s --ready-fd 4 "$group" -- ./run --help -v 4>ready 3>&- &
	cat ready >/dev/null
	printf 'a\nb' | msgsend -w "$group"
	msgsend "$group" ''
	msgsend "$group" '$(id) *'
	wait $!
	printf '%s\n' "$group 1 3 a" "b." "$group 1 0 ." \
		"$group 1 7 \$(id) *." | cmp - seen
}

@test "a command that does not read its input holds nothing up" {
	head -c 500000 /dev/zero >blob
	mkfifo ready
	msgcat -n 2 -t 60s --ready-fd 4 "$group" -- true 4>ready 3>&- &
	cat ready >/dev/null
	msgsend -f blob -f blob "$group"
	wait $!
}

# with_command CODE OPTION... -- CMD...
with_command()
{
	local want=$1 code=0
	shift
	rm -f ready
	mkfifo ready
	msgcat -n 1 -t 60s --ready-fd 4 "$group" "$@" 2>err 4>ready 3>&- &
	cat ready >/dev/null
	msgsend "$group" x
	wait $! || code=$?
	[ $code = "$want" ]
}

@test "a command that fails is told of; with --on-error=exit its code counts" {
	with_command 0 -- sh -c 'exit 3'
	grep -q "sh: ended with 3" err
	with_command 127 -- ./none
	with_command 126 -- /dev/null
	group="--on-error=exit $group"
	# shellcheck disable=SC2086 # two words
	with_exit() {
		rm -f ready
		mkfifo ready
		msgcat -n 2 -t 60s --ready-fd 4 $group -- "$@" 4>ready 2>err 3>&- &
		cat ready >/dev/null
		msgsend "${group#* }" x
		code=0
		wait $! || code=$?
	}
	with_exit sh -c 'exit 3'
	[ $code = 3 ]
	with_exit sh -c 'kill -KILL $$'
	[ $code = 137 ]
}

@test "a command that is late is ended with what left its session" {
	mkfifo never ready
	msgcat -n 1 -t 60s --ready-fd 4 --hook-timeout 300ms "$group" -- \
		sh -c 'setsid sh -c "echo \$\$ >child; exec cat never" &
			cat never' 4>ready 2>err 3>&- &
	cat ready >/dev/null
	msgsend "$group" x
	wait $!
	[ -s child ]
	run ! kill -0 "$(cat child)"
	grep -q 'sh: ended with 124' err
}

@test "a command that hangs is ended with its whole group" {
	mkfifo ready hold
	msgcat -n 1 -t 60s --ready-fd 4 --hook-timeout 200ms "$group" -- \
		sh -c 'cat <hold & echo $! >pid; wait' 2>err 4>ready 3>&- &
	cat ready >/dev/null
	msgsend "$group" x
	wait $!
	grep -q "ended with 124" err
	await eval '! kill -0 "$(cat pid)" 2>/dev/null'
}

@test "a terminal gets no control bytes" {
	command -v script >/dev/null || skip "script is not installed"
	mkfifo ready
	script -qec "msgcat -n 2 -t 60s --ready-fd 4 $group" /dev/null \
		>out 4>ready </dev/null 3>&- &
	read -r _ <ready
	msgsend "$group" $'\033[31mred\302\2331m\303\244'
	msgsend "$group" $'\377'
	wait $!
	tr -d '\r' <out | head -n 1 | cmp - <(
		printf '^[[31mredM-^[1m\303\244\n')
	tr -d '\r' <out | sed -n 2p | cmp - <(printf 'M-^?\n')
}

@test "locale and time zone change nothing" {
	listen plain -F '%t %p %P' -n 1 -t 60s "$group"
	first=$LISTENER
	LC_ALL=de_DE.UTF-8 LANG=tr_TR TZ=Asia/Kolkata \
		listen other -F '%t %p %P' -n 1 -t 60s "$group"
	second=$LISTENER
	TZ=Asia/Kolkata listen stamp -F '%T' -n 1 -t 60s "$group"
	msgsend "$group" 'Iiİ,5'
	wait "$first" "$second"
	heard
	cmp plain other
	[ "$(cut -c1-13 stamp)" = "$(date -u +%Y-%m-%dT%H)" ] ||
		[ "$(date -u +%M)" = 00 ]
}

@test "signals that mean nothing are harmless" {
	listen out -n 2 -t 60s "$group"
	kill -WINCH "$LISTENER"
	kill -CHLD "$LISTENER"
	msgsend "$group" a
	kill -STOP "$LISTENER"
	kill -CONT "$LISTENER"
	msgsend "$group" b
	heard
	[ "$(cat out)" = $'a\nb' ]
}

# overrun OPTION...: a listener that does not read loses messages.
overrun()
{
	listen out -t 60s "$@" "$group"
	kill -STOP "$LISTENER"
	head -c 900000 /dev/zero | tr '\0' x >big
	msgsend -f big -f big -f big -f big -f big -f big -f big "$group"
	kill -CONT "$LISTENER"
}

# caught_up: it has been told; what is sent from now on arrives.
caught_up()
{
	await grep -aqE '^gap |messages were lost' out out.err
	msgsend "$group" end
}

@test "a slow reader is told of the gap, or ends with 75" {
	overrun -l -i 2s
	caught_up
	heard
	grep -qE '^gap lost=[1-9][0-9]* view=1\.[0-9]+ seq=[0-9]+ ts=' out
	grep -q ' data=end ' out
	overrun --framed -i 2s
	caught_up
	heard
	grep -aqE '^gap lost=[1-9][0-9]* view=' out
	overrun -i 2s
	caught_up
	code=0
	heard || code=$?
	[ $code = 75 ]
	grep -qE 'msgcat: [0-9]+ messages were lost' out.err
	[ "$(tail -n 1 out)" = end ]
	overrun --lossless
	code=0
	heard || code=$?
	[ $code = 75 ]
}

@test "no daemon is 69 at once, another protocol 76" {
	run -69 msgcat --rundir="$PWD" "$group"
	[[ $output == "msgcat: $PWD/ring.sock: No such file or directory, expected a running ringd" ]]
	fake_daemon ring.sock < <(echo "ringkit proto=9 min=9")
	run -76 msgcat --rundir="$PWD" "$group"
	fake_daemon ring.sock < <(echo "ringkit proto=1 min=1"; echo nonsense)
	run -76 msgcat --rundir="$PWD" "$group"
	fake_daemon ring.sock < <(echo "ringkit proto=1 min=1"
		echo "err code=denied n=77 msg=no")
	run -77 msgcat --rundir="$PWD" "$group"
}

@test "a stopped daemon is 69 in time" {
	freeze "$(node_pid 1)"
	start=$SECONDS
	run env RINGKIT_TIMEOUT=1s msgcat -n 1 "$group"
	thaw "$(node_pid 1)"
	await_ring
	[ "$status" = 69 ]
	[ $((SECONDS - start)) -le 20 ]
}

# ---- from here on node 1 is killed and started again ------------------------

@test "--no-reconnect ends with 69 when the daemon dies" {
	listen out --no-reconnect "$group"
	kill -KILL "$(node_pid 1)"
	code=0
	heard || code=$?
	[ $code = 69 ]
	grep -q "the daemon went away" out.err
	ringkit sandbox --start=1 "$NODES"
	await_ring
}

@test "a daemon that dies gives down at once, and up when it is back" {
	listen out -l -n 2 -t 60s "$group"
	msgsend "$group" before
	kill -KILL "$(node_pid 1)"
	start=$EPOCHREALTIME
	await grep -q '^down reason=daemon-exit seq=2 ts=' out
	[ $((${EPOCHREALTIME/./} - ${start/./})) -lt 5000000 ]
	ringkit sandbox --start=1 "$NODES"
	await grep -q '^up seq=3 ts=' out
	await_ring
	msgsend "$group" after
	heard
	[ "$(awk '{ print $1 }' out | tr '\n' ' ')" = "msg down up msg " ]
}

@test "in payload form a daemon that came back ends in 75" {
	listen out -n 2 -t 60s "$group"
	msgsend "$group" before
	kill -KILL "$(node_pid 1)"
	ringkit sandbox --start=1 "$NODES"
	await grep -q 'msgcat: up' out.err
	await_ring
	msgsend "$group" after
	code=0
	heard || code=$?
	[ $code = 75 ]
	[ "$(cat out)" = $'before\nafter' ]
}
