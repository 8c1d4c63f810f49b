#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016,SC2028 # quoted for another shell, or the protocol
load helpers

setup_file() { patient_nodes 2 --only=ringd; }
teardown_file() { stop_nodes; }
setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	group=g$BATS_TEST_NUMBER
}

# sends COUNT ARG...: msgsend's input arrives in the file "out", framed, so
# that nothing is hidden; COUNT messages are awaited.
sends()
{
	listen out --framed -n "$1" -t 60s "$group"
	shift
	msgsend "$@" || return
	heard
}

framed() # MESSAGE...
{
	local m
	for m; do printf 'len=%d\n%s\n' "${#m}" "$m"; done
}

@test "help goes to stdout and ends with 0" {
	run --separate-stderr -0 msgsend --help
	[[ $output == "usage: msgsend [OPTION"* ]]
	[ -z "$stderr" ]
	run -0 msgsend -V
	[[ $output == "msgsend (ringkit) "*" proto=1 fmt=1" ]]
	run -74 sh -c 'msgsend --help >/dev/full'
}

@test "a wrong call ends with 64 and says why on stderr" {
	local args
	for args in "" "--nonsense g" "g a b" "g -a" "g a -- -b" "-w -0 g" "--confirm=x g" \
		"--rate=0 g" "-t x g" "-T '' g" "-0 -T x g" "--retry=x g"; do
		eval "run --separate-stderr -64 msgsend $args"
		[ -z "$output" ]
		[[ $stderr == "msgsend: "* ]]
	done
	run -64 msgsend "$(printf '%0129d' 0)" x
	run -64 msgsend "" x
}

@test "an operand is one message and standard input is left alone" {
	printf 'one\ntwo\nthree\n' >in
	listen out -n 3 "$group"
	while read -r line; do msgsend "$group" "$line"; done <in
	heard
	cmp in out
	sends 1 "$group" ""
	framed "" | cmp - out
	sends 2 -m -v -m - "$group"
	framed -v - | cmp - out
	sends 1 "$group" -- -v
	framed -v | cmp - out
	sends 1 "$group" --confirm=safe x
	framed x | cmp - out
}

@test "each line is a message, also blank, with CR, and the last without LF" {
	printf 'a\n\nb\r\nc c\nlast' | sends 5 "$group"
	framed a "" $'b\r' "c c" last | cmp - out
	printf 'a\n\nb\n' | sends 2 --skip-empty "$group"
	framed a b | cmp - out
}

@test "empty, closed and absent standard input send nothing and are good" {
	run -0 msgsend "$group" </dev/null
	[ -z "$output" ]
	run -0 sh -c 'exec msgsend "$0" <&-' "$group"
	[ -z "$output" ]
	run -0 setsid -w msgsend "$group" </dev/null
	run -0 sh -c 'exec msgsend --framed "$0" <&-' "$group"
	run -0 sh -c 'exec msgsend "$0" word <&- >&- 2>&-' "$group"
}

@test "a NUL in a line is refused with 65, and what came before was sent" {
	listen out -n 1 -t 60s "$group"
	run -65 msgsend "$group" < <(printf 'good\nb\0d\nnever\n')
	[[ $output == *"standard input:2: binary input"* ]]
	heard
	[ "$(cat out)" = good ]
}

@test "a line of 1 MiB is sent, a longer one is refused with 65" {
	head -c 1048576 /dev/zero | tr '\0' x >big
	sends 1 "$group" <big
	{ echo len=1048576; cat big; echo; } | cmp - out
	run -65 msgsend "$group" < <(cat big; echo x)
	[[ $output == *"too long"* ]]
	run -65 msgsend -w "$group" < <(cat big; echo x)
	run -65 msgsend -0 "$group" < <(cat big; echo x)
	run -65 msgsend --framed "$group" < <(echo len=1048577; cat big)
}

@test "-w sends all as one message and an empty input only if allowed" {
	head -c 100000 /dev/urandom >blob
	sends 1 -w "$group" <blob
	{ echo len=100000; cat blob; echo; } | cmp - out
	run -65 msgsend -w "$group" </dev/null
	sends 1 -w --allow-empty "$group" </dev/null
	framed "" | cmp - out
}

@test "-0 takes records that end in NUL" {
	printf 'a\nb\0c\0\0d' | sends 4 -0 "$group"
	framed $'a\nb' c "" d | cmp - out
}

@test "-T names another separator" {
	printf 'a--b-c--d' | sends 3 -T -- "$group"
	framed a b-c d | cmp - out
	printf 'a\n\nb\nc\n\n' | sends 2 -T '\n\n' "$group"
	framed a $'b\nc' | cmp - out
}

@test "--framed takes any bytes and refuses what is no frame with 65" {
	head -c 3000 /dev/urandom >noise
	{ printf 'len=3000\n'; cat noise; printf '\nlen=0\n\n'; } >in
	sends 2 --framed "$group" <in
	cmp in out
	local bad
	for bad in 'x\n' 'len=3\nab' 'len=3\nabcd\n' 'len=\n\n' 'len=-1\n\n' \
		'len=1 \nx\n' 'len=1'; do
		# shellcheck disable=SC2059 # these are formats
		run -65 msgsend --framed "$group" < <(printf "$bad")
	done
	run -0 msgsend --framed "$group" < <(printf 'gap lost=3 view=1.2\n')
}

@test "msgcat --framed into msgsend --framed is an identity, -j into --json too" {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		printf 'len=%d\n' $((i * 700))
		head -c $((i * 700)) /dev/urandom
		echo
	done >in
	printf 'len=13\n"quote" \\\n\001\xc3\xa4\n' >>in
	listen second --framed -n 9 -t 60s "$group/2"
	second=$LISTENER
	listen json -j -n 9 -t 60s "$group"
	json=$LISTENER
	listen out --framed -n 9 -t 60s "$group"
	msgsend --framed "$group" <in
	heard
	cmp in out
	msgsend --framed "$group/2" <out
	wait "$second"
	cmp in second
	wait "$json"
	listen third --framed -n 9 -t 60s "$group/3"
	msgsend --json "$group/3" <json
	heard
	cmp in third
}

@test "--json refuses what is no object with data with 65" {
	local bad
	for bad in x '{}' '{"data":1}' '{"data":"\ud800"}' '{"data":"a"' \
		'{"data_b64":"A"}' '[]'; do
		run -65 msgsend --json "$group" <<<"$bad"
		[[ $output == *"standard input:1: "* ]]
	done
	sends 2 --json "$group" <<<'{"x":[1,{"data":2}],"data":"a\u00e4"}
{"data_b64":"AP8="}'
	[ "$(head -c 9 out)" = $'len=3\na\xc3\xa4' ]
}

@test "a file is one message, or its lines with -l; a missing one is 66" {
	printf 'a\nb\n' >two
	sends 1 -f two "$group"
	framed $'a\nb\n' | cmp - out
	sends 3 -l -f two -m c "$group"
	framed a b c | cmp - out
	sends 1 -f - "$group" <two
	framed $'a\nb\n' | cmp - out
	sends 2 "$group" - <two
	framed a b | cmp - out
	listen out -n 1 "$group"
	run -66 msgsend -m never -f none "$group"
	[[ $output == "msgsend: none: No such file"* ]]
	run -66 msgsend -f . "$group"
	msgsend "$group" only
	heard
	[ "$(cat out)" = only ]
}

@test "a line is sent at once while the input stays open" {
	mkfifo in
	listen out -n 1 -t 60s "$group"
	msgsend "$group" <in 3>&- &
	exec 5>in
	echo first >&5
	heard
	[ "$(cat out)" = first ]
	exec 5>&-
	wait $!
}

@test "ten thousand lines arrive in order at both nodes, safe as well" {
	seq 10000 >in
	listen out -n 10000 -t 60s --lossless "$group"
	one=$LISTENER
	listen two -n 10000 -t 60s --lossless --rundir="$NODES/2" "$group"
	msgsend --confirm=safe "$group" <in
	heard
	wait "$one"
	cmp in out
	cmp in two
}

@test "--confirm none sends, too" {
	printf 'a\nb\n' | sends 2 --confirm none "$group"
	framed a b | cmp - out
}

@test "--tee copies what was confirmed, as it came" {
	printf 'a\n\nlast' >in
	msgsend --tee "$group" <in >copy
	cmp in copy
	printf 'a\0b\0' >in
	msgsend --tee -0 "$group" <in >copy
	cmp in copy
	echo '{ "data" : "\u0041" }' >in
	msgsend --tee --json "$group" <in >copy
	cmp in copy
}

@test "--tee into a full disk is 74, into a closed pipe a quiet 141" {
	run -74 sh -c 'echo a | msgsend --tee "$0" >/dev/full' "$group"
	[[ $output == "msgsend: standard output: "* ]]
	mkfifo in
	{
		{ rc=0; msgsend --tee "$group" <in || rc=$?; echo $rc >code; } |
			head -n 1 >first
	} 3>&- &
	exec 5>in
	echo one >&5
	await grep -q 141 code
	exec 5>&-
	[ "$(cat first)" = one ]
}

@test "--rate holds back, and not for longer than it must" {
	local start=$EPOCHREALTIME us
	seq 40 | msgsend --rate 100 "$group"
	us=$((${EPOCHREALTIME/./} - ${start/./}))
	[ $us -gt 350000 ]
	[ $us -lt 10000000 ]
}

@test "names and messages of any bytes round-trip in four shells" {
	local shell
	cat >script <<'EOF'
nl='
'
for name in 'a b' '$(id)' '"q"' "'" "x${nl}y" '*' '[a]?' 'k=v' '-n' '\n' \
	"$(printf '\377\200')" '#t' 'a,b'; do
	msgsend -- "$name" "$name" || exit
	printf '%s=%s\0' "$name" "$name" >>want
done
EOF
	for shell in dash bash mksh "busybox sh"; do
		command -v "${shell%% *}" >/dev/null || continue
		listen out -F '%t=%p' -0 -n 13 -t 60s
		$shell script
		heard
		cmp want out
		rm want
	done
}

@test "no daemon is 69 at once" {
	run -69 msgsend --rundir="$PWD" "$group" x
	[[ $output == "msgsend: $PWD/ring.sock: No such file or directory"* ]]
}

@test "a daemon of another protocol is 76, a full one 75, a silent one 69" {
	fake_daemon ring.sock < <(echo "ringkit proto=9 min=9")
	run -76 msgsend --rundir="$PWD" "$group" x
	wait "$FAKE" || :
	fake_daemon ring.sock < <(echo "SSH-2.0-OpenSSH")
	run -76 msgsend --rundir="$PWD" "$group" x
	wait "$FAKE" || :
	fake_daemon ring.sock < <(echo "err code=busy n=75 msg=full")
	run -75 msgsend --rundir="$PWD" "$group" x
	wait "$FAKE" || :
	mkfifo silence
	exec 5<>silence
	fake_daemon ring.sock <silence
	RINGKIT_TIMEOUT=200ms run -69 msgsend --rundir="$PWD" "$group" x
	kill "$FAKE" 2>/dev/null || :
}

@test "an error of the daemon becomes the exit code it names" {
	fake_daemon ring.sock < <(echo "ringkit proto=1 min=1 max_data=1000"
		echo "err code=denied n=77 msg=no\\0040pub\\0040here")
	run -77 msgsend --rundir="$PWD" "$group" x
	[[ $output == *"no pub here"* ]]
	fake_daemon ring.sock < <(echo "ringkit proto=1 min=1 max_data=1000"
		echo "err code=internal n=70 msg=bug")
	run -70 msgsend --rundir="$PWD" "$group" x
}

@test "a socket that may not be used is 77" {
	[ "$(id -u)" = 0 ] || skip "needs root, to be somebody else"
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" 2>/dev/null || :
	local dir=$NODES/1
	while [ "$dir" != / ]; do
		chmod a+x "$dir" 2>/dev/null || :
		dir=${dir%/*}
		dir=${dir:-/}
	done
	cp "$(command -v msgsend)" /tmp/msgsend.$$
	chmod 755 /tmp/msgsend.$$
	run setpriv --reuid=65534 --regid=65534 --clear-groups \
		/tmp/msgsend.$$ "$group" x
	rm -f /tmp/msgsend.$$
	[ "$status" = 77 ]
}

@test "--require-quorum without quorumd is 69 and says so" {
	run -69 msgsend --require-quorum "$group" x
	[[ $output == *"/quorum.sock: "*", expected a running quorumd: --require-quorum needs it" ]]
}

@test "--require-quorum sends in the view that has the quorum, else 75" {
	view=$(ringkit status -l | sed -n 's/^ring .* view=\([^ ]*\).*/\1/p')
	ln -s "$NODES/1/ring.sock" ring.sock
	greeting="ringkit proto=1 min=1 daemon=quorumd"
	fake_daemon quorum.sock < <(echo "$greeting"
		echo "ok quorate=yes view=$view")
	listen out -n 1 "$group"
	msgsend --rundir="$PWD" --require-quorum "$group" yes
	heard
	[ "$(cat out)" = yes ]
	fake_daemon quorum.sock < <(echo "$greeting"; echo "ok quorate=no")
	run -75 msgsend --rundir="$PWD" --require-quorum "$group" no
	fake_daemon quorum.sock < <(echo "$greeting"; echo "ok quorate=unknown")
	run -69 msgsend --rundir="$PWD" --require-quorum "$group" no
}

@test "--require-quorum asks again when its view is over" {
	view=$(ringkit status -l | sed -n 's/^ring .* view=\([^ ]*\).*/\1/p')
	ln -s "$NODES/1/ring.sock" ring.sock
	greeting="ringkit proto=1 min=1 daemon=quorumd"
	fake_daemon quorum.sock < <(echo "$greeting"
		echo "ok quorate=yes view=1.1")
	mkfifo in
	listen out -n 3 -t 60s "$group"
	msgsend --rundir="$PWD" --require-quorum "$group" <in 3>&- &
	sender=$!
	exec 5>in
	await sh -c '! kill -0 "$0" 2>/dev/null' "$FAKE"
	fake_daemon quorum.sock < <(echo "$greeting"
		echo "ok quorate=yes view=$view")
	printf 'a\nb\nc\n' >&5
	exec 5>&-
	wait "$sender"
	heard
	[ "$(cat out)" = $'a\nb\nc' ]
}

# stalls TIMEOUT PATIENCE: ringd stops while msgsend waits for an answer.
stalls()
{
	rm -f in
	mkfifo in
	listen out -n 1 -t 60s "$group"
	RINGKIT_TIMEOUT=$2 msgsend -t "$1" "$group" <in 2>err 3>&- &
	sender=$!
	exec 5>in
	echo a >&5
	heard
	freeze "$(node_pid 1)"
	echo b >&5
	code=0
	wait "$sender" || code=$?
	thaw "$(node_pid 1)"
	exec 5>&-
	await_ring
}

@test "a stopped daemon is 69 within five seconds, 124 with a shorter -t" {
	freeze "$(node_pid 1)"
	local start=$SECONDS
	run env RINGKIT_TIMEOUT=2s msgsend "$group" x
	one=$status
	thaw "$(node_pid 1)"
	await_ring
	[ "$one" = 69 ]
	[ $((SECONDS - start)) -le 20 ]

	stalls 300ms 10s
	[ $code = 124 ]
	grep -q "1 messages were not confirmed" err
	stalls inf 2s
	[ $code = 69 ]
	grep -q "1 messages were not confirmed" err
}

# ---- from here on node 1 is killed and started again ------------------------

bytes_read() { sed -n 's/^rchar: //p' "/proc/$1/io"; }
has_read_since() { [ "$(bytes_read "$1")" != "$2" ]; }

@test "a daemon that dies is 69, and the loss is counted" {
	mkfifo in
	msgsend "$group" <in 2>err 3>&- &
	sender=$!
	exec 5>in
	listen out -n 1 -t 60s --rundir="$NODES/2" "$group"
	echo a >&5
	heard
	freeze "$(node_pid 1)"
	before=$(bytes_read "$sender")
	echo b >&5
	await has_read_since "$sender" "$before"
	kill -KILL "$(node_pid 1)"
	code=0
	wait "$sender" || code=$?
	exec 5>&-
	[ $code = 69 ]
	grep -q "1 messages were not confirmed" err
	ringkit sandbox --start=1 "$NODES"
	await_ring
}

@test "--retry sends everything at least once over a kill -9" {
	seq 20000 >numbers
	listen out -t 60s -n 20000 --lossless -F '%I %p' \
		--rundir="$NODES/2" "$group"
	msgsend --retry 20s --rate 40000 "$group" <numbers 2>err 3>&- &
	sender=$!
	await test -s out
	kill -KILL "$(node_pid 1)"
	ringkit sandbox --start=1 "$NODES"
	wait "$sender"
	heard || :
	# By its id a repetition is known: the first of each are all, in order.
	awk '!seen[$1]++ { print $2 }' out >once
	head -n "$(wc -l <once)" numbers | cmp - once
	await_ring
}

@test "--retry gives up with 69 when its time is over" {
	run -69 msgsend --rundir="$PWD" --retry 300ms "$group" x
	[[ $output == *"1 messages were not confirmed"* ]] ||
		[[ $output == *"No such file"* ]]
}
