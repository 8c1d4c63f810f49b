#!/usr/bin/env bats
# cfgstore against a daemon that says what the test wants it to: what becomes
# of every kind of refusal, and of silence.
# shellcheck disable=SC2030,SC2031,SC2154 # a shell each; bats' own names

load helpers

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	export RINGKIT_RUNDIR=$PWD
}

teardown()
{
	[ -z "${FAKE-}" ] || kill -CONT "$FAKE" 2>/dev/null || :
	[ -z "${FAKE-}" ] || kill "$FAKE" 2>/dev/null || :
}

greeting='ringkit proto=1 min=1 daemon=cfgstored version=0.1.0 node=1 name=n1 epoch=5f3c9a01 max_line=8192 max_data=1310720'

# A daemon of one connection that greets, and answers so.
answers() # LINE...
{
	printf '%s\n' "$greeting" "$@" >said
	fake_daemon cfg.sock <said
}

# One that greets, and says nothing any more.
silent()
{
	[ -z "${FAKE-}" ] || kill "$FAKE" 2>/dev/null || :
	[ -p silence ] || mkfifo silence
	exec 9<>silence
	echo "$greeting" >&9
	fake_daemon cfg.sock <&9
	exec 9>&-
}

# COMMAND... ends with CODE and says WHAT, after that answer.
ends() # CODE WHAT ANSWER COMMAND...
{
	local code=$1 what=$2
	answers "$3"
	shift 3
	run "-$code" "$@"
	[[ $output = *"$what"* ]] || {
		echo "said: $output"
		return 1
	}
}

# ---- usage ------------------------------------------------------------------

@test "--help is on standard output and ends with 0, for every verb" {
	local verb
	cfgstore --help >help 2>err
	grep -q '^usage: cfgstore ' help
	[ ! -s err ]
	for verb in get list set cas del txn edit wait watch history revert \
		export import diff leader lease status nodes init electorate \
		limits compact; do
		grep -q "[ ,]$verb\\(,\\| \\)" help
		cfgstore "$verb" --help >out 2>err
		grep -q "^usage: cfgstore $verb " out
		[ ! -s err ]
	done
}

@test "what is wrong with the command line is 64, said even with -q" {
	local line
	run -64 cfgstore set -o rev,colour a b
	[ "${lines[0]}" = 'cfgstore set: --fields: colour: no such field, expected some of event,rev,n,lease,key,at,store_rev' ]
	while read -r line; do
		# shellcheck disable=SC2086 # words of a command line
		run -64 --separate-stderr cfgstore $line
		[ -z "$output" ]
		[[ $stderr = 'cfgstore'*': '*'usage: cfgstore '* ]] || {
			echo "$line: $stderr"
			return 1
		}
	done <<-'END'

		--no-such-option
		no-such-verb
		get
		get -q
		get a b
		get -j -o rev a
		get -O file -j a
		get -R x a
		get -d x -j a
		get -o REV a
		get -o rev,colour a
		list -o next
		set -o value a b
		del -o rev, a
		txn -o colour f
		wait -o colour k
		watch -o colour
		history -o colour k
		diff -o colour f
		leader -o colour
		limits keyz=1
		limits keys=0
		limits value=
		lease -o colour list
		list -l -k
		list [\0
		set a
		set a b c
		set --if-absent --if-rev 1 a b
		set --ttl 0 a b
		set --ttl inf a b
		set --ttl 1s --lease 3 a b
		set --lock=name a b
		set --lock a b
		set --if-value - a -
		set --durability tape a b
		cas a b
		cas a b c
		del
		del -p a b
		del --if-rev 1 a b
		del -p --if-rev 1 a
		txn a b
		edit
		wait
		wait --absent --is v k
		wait =v
		watch --now --no-snapshot
		watch --state f
		watch --every
		watch --
		watch -j -- true
		watch --every --settle 1s -- true
		watch --since 1 --no-snapshot
		history
		revert a
		revert a b
		import
		import --merge --replace f
		import -j f
		diff
		leader
		lease
		lease grant
		lease grant x
		lease renew x
		lease take 1
		init
		electorate a
		limits keys
		compact x
	END
}

@test "an empty prefix deletes nothing" {
	run -64 cfgstore del -p ''
	[[ $output = *'all of the store'* ]]
}

# ---- no daemon, none of ours, and silence -----------------------------------

@test "no daemon is 69 at once, for every verb" {
	local verb rest begun=$SECONDS
	echo 'put key=a value=b' >file
	while read -r verb rest; do
		# shellcheck disable=SC2086 # words of a command line
		run -69 cfgstore "$verb" $rest
		[[ $output = "cfgstore: $PWD/cfg.sock: "* ]]
		# shellcheck disable=SC2086
		run -69 cfgstore "$verb" -q $rest
		[ -z "$output" ]
	done <<-'END'
		get a
		list
		set a b
		cas a 1 b
		del a
		txn file
		edit a
		wait a
		watch
		history a
		revert a 1
		export
		import file
		diff file
		leader a
		lease list
		status
		nodes
		init --yes
		electorate
		limits
		compact 1
	END
	[ $((SECONDS - begun)) -lt 60 ]
}

@test "what listens there and is no daemon of ours is 76" {
	echo 'SSH-2.0-OpenSSH_9.2' | fake_daemon cfg.sock
	run -76 cfgstore get a
	echo 'ringkit proto=2 min=2 daemon=cfgstored' | fake_daemon cfg.sock
	run -76 cfgstore get a
	ends 76 'does not speak' 'what do you want' cfgstore get a
	ends 76 'does not speak' $'ok key=a rev=x len=1\nb' \
		cfgstore revert a 1
	ends 76 'does not speak' 'ok' cfgstore get a
	ends 76 'does not speak' 'ok n=1' cfgstore list
	ends 76 'does not speak' 'ok rev=1' cfgstore del a
	ends 76 'does not speak' 'no code=conflict key=b rev=1' cfgstore set a b
	ends 76 'does not speak' $'ev 1 put key=a rev=x len=0\n' cfgstore watch
}

@test "a daemon that is silent is 69 in time, or 124 when -t said so" {
	local verb rest limit
	while read -r verb rest; do
		silent
		# It is to have heard the greeting by then.
		limit=300ms
		[ "$verb" != set ] || limit=3s
		# shellcheck disable=SC2086 # words of a command line
		RINGKIT_TIMEOUT=$limit run -69 cfgstore "$verb" $rest
		[[ $output = *'does not answer'* ]]
		[[ $verb != set ]] || [[ $output = *'may have been done'* ]]
		case $verb in
		wait | watch) continue ;; # -t is for what they wait for
		esac
		silent
		# shellcheck disable=SC2086
		run -124 cfgstore "$verb" -t 200ms $rest
	done <<-'END'
		get a
		list
		set a b
		del a
		history a
		status
		leader a
		wait a
		watch
	END
}

@test "a daemon that takes no more bytes of a value does not hold set up" {
	head -c 3000000 /dev/zero >big
	silent
	kill -STOP "$FAKE"
	RINGKIT_TIMEOUT=500ms run -69 cfgstore set a @big
	kill -CONT "$FAKE"
}

# COMMAND... once it follows the daemon, which then is killed.
follows_to_the_end()
{
	answers 'ok id=1' 'ev 1 ready rev=1'
	[ -p ready ] || mkfifo ready
	"$@" --ready-fd 4 4>ready >out 2>&1 3>&- &
	FOLLOWER=$!
	timeout 60 cat ready
	kill "$FAKE"
	wait $FOLLOWER
}

@test "a daemon that goes away is 69" {
	printf '%s\n' "$greeting" >said
	fake_daemon cfg.sock <said
	RINGKIT_TIMEOUT=1s run -69 cfgstore set a b
	[[ $output = *'may have been done'* ]]
	run -69 follows_to_the_end cfgstore wait a
	run -69 follows_to_the_end cfgstore watch --no-reconnect
}

# A daemon of one connection that answers so once it was asked; then it goes.
answers_when_asked() # LINE...
{
	rm -f cfg.sock
	: >asked
	# shellcheck disable=SC2094 # it is only looked at
	{
		echo "$greeting"
		await test -s asked
		[ $# = 0 ] || printf '%s\n' "$@"
	} | nc -lU cfg.sock >asked 2>/dev/null 3>&- &
	FAKE=$!
	await test -s asked
}
goes()
{
	kill "$FAKE"
	wait "$FAKE" || :
}

@test "a change is told once, however often connections end within it" {
	local a b
	a=$'ev 1 put key=a rev=2 prev=0 by=1 more=yes len=1\nx'
	b=$'ev 1 put key=b rev=2 prev=0 by=1 more=yes len=1\ny'
	answers 'ok id=1' 'ev 1 ready rev=1' "$a"
	cfgstore watch -o event,key,rev >told 2>err 3>&- &
	FOLLOWER=$!
	await grep -q a told
	goes
	answers_when_asked 'err code=away n=69 msg=no' # of a daemon that begins
	wait "$FAKE" # the client went
	answers_when_asked 'ok id=1' "$a" "$b"
	await grep -q b told
	goes
	answers_when_asked 'ok id=1' # it ends before it says anything
	goes
	answers_when_asked 'ok id=1' "$a" "$b" \
		$'ev 1 put key=c rev=2 prev=0 by=1 len=1\nz' 'ev 1 ready rev=2' \
		$'ev 1 put key=a rev=3 prev=2 by=1 len=1\nz'
	await grep -q 3 told
	kill "$FOLLOWER"
	grep -q since=1 asked
	diff - <(grep put told | awk '{ print $1, $2, $3 }') <<-END
		put a 2
		put b 2
		put c 2
		put a 3
	END
}

# ---- refusals ---------------------------------------------------------------

@test "every refusal has its code and its words" {
	ends 75 'no view is open' \
		'err code=notquorate n=75 msg=no\0040view\0040is\0040open' \
		cfgstore set a b
	ends 75 full 'err code=full n=75 msg=full' cfgstore del a
	ends 75 busy 'err code=busy n=75 msg=busy' cfgstore cas a 1 b
	ends 75 'may have been done' 'no code=unknown n=75' cfgstore set a b
	ends 77 'not yours' 'err code=denied n=77 msg=not\0040yours' \
		cfgstore get a
	ends 65 long 'err code=toolong n=65 msg=long' cfgstore set a b
	ends 70 oops 'err code=internal n=70 msg=oops' cfgstore set a b
	ends 64 what 'err code=usage n=64 msg=what' cfgstore list
	ends 69 'does not know' \
		'err code=unavailable n=69 msg=does\0040not\0040know' \
		cfgstore get --sync a
	ends 75 later 'err code=notquorate n=75 msg=later' cfgstore wait a
	ends 1 'more than that is stored' 'no code=room' cfgstore limits keys=1
	RINGKIT_TIMEOUT=1s ends 69 closing \
		'err code=closing n=69 msg=closing' cfgstore get a
	echo 'err code=busy n=75 msg=full' | fake_daemon cfg.sock
	run -75 cfgstore get a
}

@test "a socket that may not be opened is 77" {
	answers 'ok'
	chmod 0 cfg.sock
	# Root may open every socket: then it is somebody else.
	if [ "$(id -u)" = 0 ]; then
		local place
		place=$(mktemp -d)
		chmod 755 "$place"
		cp "$RINGKIT_BIN/cfgstore" "$place"
		run -77 setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$place/cfgstore" get a
		rm -r "$place"
	else
		run -77 cfgstore get a
	fi
}

@test "a revision that is not kept is not known, not absent" {
	ends 69 'not kept' 'no code=compacted rev=9' cfgstore get -R 3 a
	ends 69 'not kept' 'no code=compacted rev=9' cfgstore get -R 3 -d x a
	answers 'ok key=a rev=5 created=1 by=1 store_rev=5 age_ms=0 len=1' b \
		'no code=compacted rev=9'
	run -69 cfgstore revert a 3
	ends 75 'changed too much' 'no code=compacted rev=9' cfgstore list
}

@test "what goes wrong when printing is 74, a reader that went 141" {
	answers 'ok key=a rev=1 created=1 by=1 store_rev=1 age_ms=0 len=1' b
	run -74 sh -c 'cfgstore get a >/dev/full'
	[[ $output = 'cfgstore: standard output: '* ]]
	answers 'ok id=1' 'ev 1 ready rev=1'
	mkfifo reader
	exec 7<>reader
	bash -c 'trap "" PIPE; exec cfgstore watch >reader 2>err' 7>&- 3>&- &
	read -r _ <&7
	exec 7>&-
	exits 141 $!
	[ ! -s err ]
}

@test "a file that is not there is 66, one that cannot be made 73" {
	run -66 cfgstore set a @none
	run -66 cfgstore set a @.
	run -66 cfgstore txn none
	run -66 cfgstore import none
	run -66 cfgstore diff none
	answers 'ok key=a rev=1 created=1 by=1 store_rev=1 age_ms=0 len=1' b
	run -73 cfgstore get -O none/file a
	answers 'ok key=a rev=1 created=1 by=1 store_rev=1 age_ms=0 len=1' b
	TMPDIR=$PWD/none run -73 cfgstore edit a
}

@test "a file that is malformed is 65, told with its line" {
	local line
	while read -r line; do
		printf 'put key=a value=1\n\n%s\n' "$line" >file
		run -65 cfgstore import file
		[[ $output = 'cfgstore: file:3: '* ]] || {
			echo "$line: $output"
			return 1
		}
	done <<-'END'
		puts key=b value=1
		put key=b
		put value=b
		put key= value=1
		put key=b value=\x
		put key=b value=1 value=2
		put key=a value=2
		del key=a
		put key=ringkit/x value=1
		#tag put key=b value=1
		put key=b value=1 and more
		if key=b rev=1
	END
	while read -r line; do
		printf 'put key=a value=1\n\n%s\n' "$line" >file
		run -65 cfgstore txn file
		[[ $output = 'cfgstore: file:3: '* ]]
		run -65 cfgstore txn -q - <file
	done <<-'END'
		if key=b
		if key=b rev=1 absent=yes
		if key=b rev=x
		if key=b absent=no
		if rev=1
		put key=b
		put key=b value=1 lease=x
		grant
		grant ttl=x
		del
		exists key=b
	END
	printf 'grant ttl=1s\ngrant ttl=2s\n' >file
	run -65 cfgstore txn file
	printf 'put key=b value=\001\n' >file
	run -65 cfgstore import file
	printf 'put key=x value=1\n' >file
	run -65 cfgstore import -g 'app/*' file
	run -65 cfgstore import --replace /dev/null
	[[ $output = *'delete everything'* ]]
}

@test "a key that is too long for a request is 65" {
	answers 'ok'
	run -65 cfgstore get "$(printf 'a%.0s' {1..9000})"
}
