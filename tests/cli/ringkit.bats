#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031 # each test is a process of its own
# shellcheck disable=SC2016 # quoted for another shell
load helpers

setup_file() { patient_nodes 3 --only=ringd; }
teardown_file() { stop_nodes; }
setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	port=$(($(test_port) + 1)) # of the sandboxes made here
}

# What a test that failed has left.
teardown()
{
	local dir
	for dir in "$BATS_TEST_TMPDIR"/box*; do
		[ ! -d "$dir" ] || ringkit sandbox --stop "$dir" || :
	done
	[ ! -d "$BATS_TEST_TMPDIR/run" ] ||
		ringkit down --rundir="$BATS_TEST_TMPDIR/run"
}

# gone PID...: none of them is a living process.
gone()
{
	local pid
	for pid; do
		grep -qsv '^State:.*Z' <(grep '^State:' "/proc/$pid/status" 2>&-) &&
			return 1
	done
	return 0
}

@test "help goes to stdout and ends with 0, also that of commands" {
	local command
	run --separate-stderr -0 ringkit --help
	[[ $output == "usage: ringkit [OPTION…] COMMAND"* ]]
	[ -z "$stderr" ]
	run -0 ringkit -V
	[[ $output == "ringkit (ringkit) "* ]]
	for command in check-config down fence-confirm forget keygen members \
		reload rotate-key sandbox status tag up; do
		run --separate-stderr -0 ringkit "$command" --help
		[[ $output == "usage: ringkit $command "* ]]
		[ -z "$stderr" ]
	done
}

@test "a wrong call ends with 64 and says why on stderr" {
	local args
	for args in "" --nonsense nonsense ../msgcat "status x" "status -j -l" \
		"rotate-key x" "rotate-key -j -l" "reload x" "reload -j -l" \
		"keygen x" "keygen --id=0" "keygen --id=256" "up x" "down x" \
		"check-config a b" tag "tag a b c" "tag -u a b" forget "forget a b" \
		fence-confirm "members x" "members -o nonsense" sandbox "sandbox 0" "sandbox 65" \
		"sandbox x" "sandbox 1 d e" "sandbox 1 --" "sandbox --stop" \
		"sandbox --port=0 1" "sandbox --start=1" \
		"sandbox --only= 1" "sandbox --only=memberd 1" \
		"sandbox --only=ringd,x 1"; do
		# shellcheck disable=SC2086 # these are words
		run --separate-stderr -64 ringkit $args
		[ -z "$output" ]
		[[ $stderr == "ringkit"*": "* ]]
	done
}

@test "any other name is a program of the toolkit, with its arguments" {
	run -0 ringkit msgcat --help
	[[ $output == "usage: msgcat "* ]]
	run -0 ringkit msgcat -n 0 g
	run -64 ringkit msgsend
	[[ $output == "msgsend: "* ]]
}

@test "an installed ringkit runs the programs it was installed with" {
	mkdir -p usr/bin usr/libexec/ringkit path
	cp "$(command -v ringkit)" usr/bin/
	ln -s ../../bin/ringkit usr/libexec/ringkit/ringkit
	printf '#!/bin/sh\necho ours "$@"\n' >usr/libexec/ringkit/msgcat
	printf '#!/bin/sh\necho gettext\n' >usr/bin/msgcat
	printf '#!/bin/sh\necho plugin "$@"\n' >path/ringkit-extra
	printf '#!/bin/sh\necho foreign\n' >path/foreign
	chmod +x usr/*/msgcat usr/libexec/ringkit/msgcat path/*
	PATH=$PWD/path:$PATH
	run -0 usr/bin/ringkit msgcat -x "a b"
	[ "$output" = "ours -x a b" ]
	run -0 usr/bin/ringkit extra 1
	[ "$output" = "plugin 1" ]
	run -64 usr/bin/ringkit foreign
}

# ---- keygen -----------------------------------------------------------------

@test "keygen makes a key that only its owner can read, and never replaces one" {
	ringkit keygen -o key
	[ "$(stat -c %a key)" = 400 ]
	grep -qE '^1 [0-9a-f]{64}$' key
	[ "$(wc -l <key)" = 1 ]
	cp key before
	run -73 ringkit keygen -o key
	[[ $output == *"key: is there already"* ]]
	cmp key before
	ringkit keygen --id 7 -o other
	grep -qE '^7 [0-9a-f]{64}$' other
	run ! cmp -s key other
	[ "$(echo *)" = "before key other" ]
	run -73 ringkit keygen -o none/key
	run -74 sh -c 'ringkit keygen -o - >/dev/full'
	run -0 ringkit keygen -o -
	[[ $output =~ ^1\ [0-9a-f]{64}$ ]]
}

# ---- check-config -----------------------------------------------------------

@test "check-config says all that is wrong at once and ends with 78" {
	run -0 ringkit check-config "$NODES/ringkit.conf"
	[ -z "$output" ]
	cat >bad.conf <<'EOF'
[cluster]
name =
[node a]
id = x
link0 = somewhere
[ring]
window = -1
EOF
	run --separate-stderr -78 ringkit check-config bad.conf
	[ -z "$output" ]
	grep -q '^bad.conf:2: ' <<<"$stderr"
	grep -q '^bad.conf:4: ' <<<"$stderr"
	grep -q '^bad.conf:5: ' <<<"$stderr"
	grep -q '^bad.conf:7: ' <<<"$stderr"
	run -66 ringkit check-config none.conf
}

# ---- status -----------------------------------------------------------------

@test "status answers in its first line, in 80 columns, and in JSON" {
	run -0 ringkit status
	[[ ${lines[0]} =~ ^operational\ \ 3/3\ members\ \ view\ [0-9]+\.[0-9]+\ \ 2/2\ links\ up$ ]]
	[ "$(wc -L <<<"${lines[0]}")" -le 80 ]
	run -0 ringkit status -j
	jq -es 'map(select(.kind == "node" and .state == "member")) |
		length == 3' <<<"$output"
	jq -es 'map(select(.kind == "ring"))[0].members == [1, 2, 3]' \
		<<<"$output"
	run -0 ringkit status -l --rundir="$NODES/2"
	grep -qE '^node node=2 name=n2 state=member local=yes ' <<<"$output"
	run -74 sh -c 'ringkit status >/dev/full'
}

@test "status of no daemon is 69, of a stopped one, too" {
	local command
	run -69 ringkit status --rundir="$PWD"
	[[ $output == "ringkit status: $PWD/ring.sock: No such file"* ]]
	for command in status reload rotate-key; do
		run -69 ringkit $command --rundir=none
		[[ $output == "ringkit $command: none: No such file or directory, expected the --rundir of a running ringd" ]]
	done
	freeze "$(node_pid 2)"
	run env RINGKIT_TIMEOUT=1s ringkit status --rundir="$NODES/2"
	thaw "$(node_pid 2)"
	[ "$status" = 69 ]
	await_ring
}

# first_lines N ANSWER: the first ones, when quorumd answers that.
first_lines()
{
	fake_daemon quorum.sock < <(
		echo "ringkit proto=1 min=1 daemon=quorumd"
		echo "$2"
	)
	ringkit status --rundir="$PWD" | head -n "$1"
}

@test "status begins with the verdict of quorumd where it answers" {
	local view yes
	view=$(ringkit status -l | sed -n 's/^ring .* view=\([^ ]*\).*/\1/p')
	ln -s "$NODES/1/ring.sock" ring.sock
	yes="ok quorate=yes view=$view members=1,2,3 coordinator=2"
	run -0 first_lines 2 "$yes"
	[[ ${lines[0]} =~ ^quorate\ \ 3/3\ members\ \ view\ $view\ for\ [0-9msh]+$ ]]
	[ "${#lines[0]}" -le 80 ]
	[ "${lines[1]}" = 'coordinator n2  2 links ok' ]
	run -0 first_lines 1 "ok quorate=no view=$view coordinator=1"
	[[ $output == "not quorate  3/3 members  view $view for "* ]]
	# Of another view than the ring's: its age is not known.
	run -0 first_lines 2 "ok quorate=unknown view=9.99 coordinator=1"
	[ "${lines[0]}" = 'unknown  3/3 members  view 9.99' ]
	[[ ${lines[1]} == 'coordinator n1  '* ]]
	run -0 first_lines 1 "err code=internal n=70 msg=bug"
	[[ $output == *"unknown  3/3 members  view $view "* ]]
	fake_daemon quorum.sock < <(
		echo "ringkit proto=1 min=1 daemon=quorumd"
		echo "$yes"
	)
	run -0 ringkit status --rundir="$PWD" -j
	jq -es 'map(select(.kind == "quorum"))[0].quorate == "yes"' <<<"$output"
}

# ---- sandbox ----------------------------------------------------------------

# suite DIR: a ringkit with a ringd, and with a memberd and a quorumd that say,
# in the file named order, when they begin and end.
suite()
{
	local bin daemon
	bin=$(dirname "$(command -v ringkit)")
	mkdir "$1"
	cp "$bin/ringkit" "$bin/ringd" "$1"
	for daemon in memberd quorumd; do
		cat >"$1/$daemon" <<END
#!/bin/bash
for option; do
	case \$option in
	--rundir=*) dir=\${option#*=} ;;
	esac
done
echo "$daemon \${dir##*/} starts" >>"$PWD/order"
trap 'echo "$daemon \${dir##*/} ends" >>"$PWD/order"; kill %1' TERM
"$bin/$daemon" "\$@" &
wait
wait
END
		chmod 755 "$1/$daemon"
	done
}

@test "a sandbox runs the other daemons, too, each behind those it uses" {
	suite bin
	PATH=$PWD/bin:$PATH
	ringkit sandbox -p "$port" 2 box 3>&-
	sort order | diff - <(printf '%s\n' 'memberd 1 starts' \
		'memberd 2 starts' 'quorumd 1 starts' 'quorumd 2 starts')
	[ "$(head -n 2 order | grep -c memberd)" = 2 ]
	kill -KILL "$(cut -d' ' -f1 box/2/ringd.pid)"
	ringkit sandbox --start=2 box 3>&-
	[ "$(wc -l <order)" = 4 ] # theirs went on
	: >order
	ringkit sandbox --stop box
	sort order | diff - <(printf '%s\n' 'memberd 1 ends' \
		'memberd 2 ends' 'quorumd 1 ends' 'quorumd 2 ends')
	[ "$(head -n 2 order | grep -c quorumd)" = 2 ]
}

# Asks the last node again, and nobody else has anything to say meanwhile.
@test "a sandbox asks again when a node had nothing to tell yet" {
	suite bin
	cat >bin/quorumd <<END
#!/bin/bash
for option; do
	case \$option in
	--rundir=*) socket=\${option#*=}/quorum.sock ;;
	--ready-fd=*) ready=\${option#*=} ;;
	esac
done
exec "${RINGKIT_BUILD:?}/tests/cli/fakequorum" "\$socket" "$PWD/state" \
	5f3c9a01 "\$ready" <"$PWD/control" >>"$PWD/requests"
END
	PATH=$PWD/bin:/usr/bin:/bin # without cfgstored, which asks, too
	mkfifo control
	exec 9<>control
	: >requests
	ringkit sandbox -p "$port" 1 box -- true 3>&- 9>&- &
	await has_asked_again
	echo 'ready view=1.2 members=1 quorate=yes' >state.new
	mv state.new state
	exits 0 $!
	exec 9>&-
}

has_asked_again() { [ "$(grep -c watch requests)" -ge 2 ]; }

@test "a sandbox with --only runs no others, also when it is used again" {
	suite bin
	PATH=$PWD/bin:$PATH
	ringkit sandbox -p "$port" --only=ringd 1 box -- true
	[ ! -e order ]
	ringkit sandbox -p "$port" 1 box -- true
	[ ! -e order ]
	ringkit sandbox -p "$port" --only=ringd,memberd 1 box -- true
	diff order <(printf '%s\n' 'memberd 1 starts' 'memberd 1 ends')
}

@test "a sandbox runs a command in a ring, gives its code and leaves nothing" {
	mkdir tmp
	export TMPDIR=$PWD/tmp
	run -0 ringkit sandbox -p "$port" 2 -- sh -c '
		ringkit status | head -n 1
		[ "$RINGKIT_RUNDIR" = "$RINGKIT_RUNDIR_1" ]
		[ "$RINGKIT_RUNDIR_2" = "$RINGKIT_SANDBOX/2" ]
		cut -d" " -f1 "$RINGKIT_SANDBOX"/?/ringd.pid >pids'
	[[ $output == *"2/2 members"* ]]
	[ "$(wc -l <pids)" = 2 ]
	# shellcheck disable=SC2046 # numbers
	gone $(cat pids)
	[ -z "$(ls tmp)" ]
	run -3 ringkit sandbox -p "$port" 1 -- sh -c 'exit 3'
	[ -n "$(ls tmp)" ] # the logs
	run -127 ringkit sandbox -p "$port" 1 -- ./none
	run -126 ringkit sandbox -p "$port" 1 -- /dev/null
	run -143 ringkit sandbox -p "$port" 1 -- sh -c 'kill -TERM $$'
}

@test "a sandbox takes its nodes with it, however it ends" {
	local signal
	mkfifo up hold
	exec 5<>up
	for signal in TERM KILL; do
		ringkit sandbox -p "$port" 2 "box$signal" -- \
			sh -c 'echo up >up && exec cat hold' 2>/dev/null 3>&- &
		read -r -t 60 _ <&5
		kill -"$signal" $!
		wait $! || :
		# shellcheck disable=SC2046 # numbers
		await gone $(cut -d' ' -f1 "box$signal"/?/ringd.pid)
	done
}

@test "a sandbox in the background stays until it is stopped" {
	run -0 ringkit sandbox -p "$port" 2 box 3>&-
	[[ ${lines[0]} =~ ^2\ nodes\ in\ view\ [0-9.]+,\ in\ $PWD/box$ ]]
	export RINGKIT_RUNDIR=$PWD/box/1
	msgsend g x
	run -75 ringkit sandbox -p "$port" 2 box 3>&-
	[[ $output == *"its ringd runs"* ]]
	run -75 ringkit sandbox --start=2 box
	kill -KILL "$(cut -d' ' -f1 box/2/ringd.pid)"
	ringkit sandbox --start=2 box 3>&-
	run -64 ringkit sandbox --start=3 box
	# shellcheck disable=SC2207 # numbers
	pids=($(cut -d' ' -f1 box/?/ringd.pid))
	ringkit sandbox --stop box
	gone "${pids[@]}"
	ringkit sandbox --stop box
	run -0 ringkit sandbox -p "$port" 2 box -- ringkit status
	[[ $output == *"2/2 members"* ]]
}

@test "a sandbox never ends a process that is not its own" {
	ringkit sandbox -p "$port" 1 box -- true
	# Its number was given to another process since.
	echo "$$ 1" >box/1/ringd.pid
	ringkit sandbox --stop box
	echo "$$ nonsense" >box/1/ringd.pid
	ringkit sandbox --stop box
	kill -0 $$
	run -66 ringkit sandbox --stop .
	run -73 ringkit sandbox 1 . -- true
	run -73 ringkit sandbox 2 box -- true
	[[ $output == *"something else"* ]]
}

@test "a sandbox says why a node does not start" {
	echo '[ring]
window = none' >extra
	run -78 ringkit sandbox -p "$port" -c extra 1 box -- true
	[[ $output == *"ringd: ended with 78: see $PWD/box/1/ringd.log"* ]]
	[[ $output == *"ringkit.conf:"*"window"* ]]
	# The address is taken.
	run ringkit sandbox -p "$(test_port)" 1 box2 -- true
	[ "$status" != 0 ]
	[[ $output == *"ringd: ended with"* ]]
}

# ---- up and down ------------------------------------------------------------

@test "up starts this node's daemons once, down ends them, and again is good" {
	ringkit keygen -o key
	cat >conf <<EOF
[cluster]
name = t
key_file = $PWD/key
[node solo]
id = 9
link0 = 127.0.0.9:$port
EOF
	export RINGKIT_RUNDIR=$PWD/run
	ringkit up -c conf --node solo --statedir="$PWD/state" 3>&-
	pid=$(cut -d' ' -f1 run/ringd.pid)
	run -0 ringkit status
	[[ $output == *"1/1 members"* ]]
	run -0 ringkit -v up
	ringkit up -c conf --node solo --statedir="$PWD/state" 3>&-
	[ "$(cut -d' ' -f1 run/ringd.pid)" = "$pid" ]
	ringkit down
	gone "$pid"
	run -69 ringkit status
	ringkit down
	run -78 ringkit up -c key --node solo --statedir="$PWD/state"
	[[ $output == *"see $PWD/run/ringd.log"* ]]
}

@test "down says so when the daemons are another user's" {
	[ "$(id -u)" = 0 ] || skip "needs root, to be two users"
	ringkit keygen -o key
	printf '[cluster]\nname = t\nkey_file = key\n[node solo]\nid = 9\nlink0 = 127.0.0.9:%s\n' \
		"$port" >conf
	ringkit up -c conf --statedir="$PWD/state" --rundir="$PWD/run" 3>&-
	# Where anybody can read it.
	seen=$(mktemp -d)
	cp run/ringd.pid "$seen"
	chmod -R a+rX "$seen"
	run -77 timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$RINGKIT_BIN/ringkit" down --force --rundir="$seen"
	rm -r "$seen"
	[[ $output == *"ringd: cannot be ended: Operation not permitted" ]]
	kill -0 "$(cut -d' ' -f1 run/ringd.pid)"
}

@test "up and down take the other daemons along" {
	suite bin
	PATH=$PWD/bin:$PATH
	ringkit keygen -o key
	printf '%s\n' '[cluster]' 'name = t' "key_file = $PWD/key" \
		'[node solo]' 'id = 9' "link0 = 127.0.0.9:$port" >conf
	export RINGKIT_RUNDIR=$PWD/run
	ringkit up -c conf --node solo --statedir="$PWD/state" 3>&-
	ringkit down
	diff order <(printf '%s\n' 'memberd run starts' 'quorumd run starts' \
		'quorumd run ends' 'memberd run ends')
	# One that does not start: the reason is said, and it is the code.
	printf '#!/bin/sh\necho no luck >&2; exit 71\n' >bin/quorumd
	run -71 ringkit up -c conf --node solo --statedir="$PWD/state" 3>&-
	[[ $output == *"quorumd: ended with 71: see $PWD/run/quorumd.log"* ]]
	[[ $output == *"no luck"* ]]
	ringkit down
}

# as_quorumd QUORUM VOTES: one that answers so, for a node with these votes.
as_quorumd()
{
	fake_daemon run/quorum.sock < <(
		printf '%s\n' "ringkit proto=1 min=1 daemon=quorumd" "ok $1" \
			"item node=1 votes=5" "item node=9 votes=$2" "ok n=2"
	)
}

@test "down does not cost the others their quorum unless it is forced" {
	mkdir run
	export RINGKIT_RUNDIR=$PWD/run
	as_quorumd "quorate=yes votes=3 needed=2 self=9" 2
	run -75 ringkit down
	[[ $output == *"would have 1 of 2 votes"*"--force"* ]]
	as_quorumd "quorate=yes votes=3 needed=2 self=9" 2
	ringkit down --force
	kill "$FAKE" # it still waits: nobody asked
	as_quorumd "quorate=yes votes=3 needed=2 self=9" 1
	ringkit down
	# The last one, and one that has no quorum anyway.
	as_quorumd "quorate=yes votes=1 needed=1 self=9" 1
	ringkit down
	as_quorumd "quorate=no votes=3 needed=4 self=9" 1
	ringkit down
}

# ---- all together -----------------------------------------------------------

@test "the demo ends in ok and leaves nothing behind" {
	mkdir tmp
	run -0 env TMPDIR="$PWD/tmp" DEMO_PORT="$port" \
		bash "$BATS_TEST_DIRNAME/../../examples/demo.sh"
	[ "${lines[-1]}" = "demo: ok" ]
	[ -z "$(ls tmp)" ]
	[ "$(grep -c 'printed [0-9a-f]\{64\}$' <<<"$output")" = 8 ]
}

@test "a demo that fails says so and where to look" {
	run -1 env PATH="$PATH" DEMO_PORT="$(test_port)" TMPDIR="$PWD" \
		bash "$BATS_TEST_DIRNAME/../../examples/demo.sh"
	[[ $output == *"demo: FAILED; see $PWD/ringkit-demo-"* ]]
}
