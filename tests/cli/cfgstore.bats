#!/usr/bin/env bats
# cfgstore against a node that is its own majority: every verb, exact bytes,
# what is refused and how.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC1003,SC2016,SC2034,SC2086,SC2154 # plain words; other shells

load helpers

setup_file()
{
	patient_nodes 1
	await cfgstore status -q --open
}

teardown_file() { stop_nodes; }

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	key=t$BATS_TEST_NUMBER
}

# Its output is that; a line feed at the end is not looked at.
prints() # TEXT COMMAND...
{
	local want=$1 got
	shift
	got=$("$@")
	[ "$got" = "$want" ] || {
		printf '%s\nprinted\n%s\nand not\n%s\n' "$*" "$got" "$want"
		return 1
	}
}

values=('a b' '$(touch owned)' '`touch owned`' "'" '"' '"; touch owned; "'
	$'line\nfeed' $'ends\n\n' '*' '/*' '?[a-z]' 'a=b=c' -n '-e \n' '--' '\'
	'\\n' '\0101' '\c' '%s%n' $'\t' $'\r' '~' '$HOME' '' ' ' '!!'
	$'\xff\xfe' $'\xc3' 'zażółć' '#' ';' '&' 'a\' $'\x01\x7f' 'x  y' -
	'@x' 'key=k value=v')

each_shell() # COMMAND...: with $shell
{
	local found=0
	for shell in dash bash mksh 'busybox sh'; do
		command -v "${shell%% *}" >/dev/null || continue
		found=$((found + 1))
		"$@" || {
			echo "in $shell"
			return 1
		}
	done
	[ $found -ge 2 ]
}

# ---- get and set ------------------------------------------------------------

@test "get -O into a pipe or a device writes, and leaves it what it is" {
	cfgstore set pipe/x hello
	mkfifo pipe
	cat pipe >got &
	cfgstore get -O pipe pipe/x
	wait $!
	[ "$(cat got)" = hello ]
	[ -p pipe ]
	run -74 cfgstore get -O . pipe/x
}

@test "get prints the value and a line feed, -r its bytes, -O puts them in a file" {
	printf ' a b\n\0c' >bytes
	cfgstore set $key @bytes
	cfgstore get -r $key | cmp - bytes
	{
		cat bytes
		echo
	} >line
	cfgstore get $key | cmp - line
	echo old >out
	chmod 600 out
	cfgstore get -O out $key
	cmp out bytes
	[ "$(stat -c %a out)" = 600 ]
	# Nothing is left beside it.
	[ "$(echo out*)" = out ]
	cfgstore set $key - <bytes
	cfgstore get -r $key | cmp - bytes
}

@test "an absent key is 1 and silent, or the default" {
	run -1 --separate-stderr cfgstore get $key
	[ -z "$output$stderr" ]
	run -1 cfgstore get -r $key
	run -1 cfgstore get -j $key
	run -1 cfgstore get -O out $key
	[ ! -e out ]
	prints none cfgstore get -d none $key
	prints '' cfgstore get -d '' $key
	[ "$(cfgstore get -r -d x $key; echo .)" = x. ]
	cfgstore get -O out -d x $key
	[ "$(cat out)" = x ]
}

@test "an empty value is not an absent key, and set does not read its input" {
	echo input | { cfgstore set $key '' && cat; } >left
	[ "$(cat left)" = input ]
	prints '' cfgstore get $key
	prints '' cfgstore get -d none $key
	[ "$(cfgstore get -r $key | wc -c)" = 0 ]
	prints '0 ' cfgstore get -o len,value $key
	prints "$key " cfgstore list $key
	prints '' jq -r .value <(cfgstore get -j $key)
	run -1 cfgstore set --if-absent $key x
	cfgstore set --if-value '' $key x
	cfgstore del $key
	cfgstore set $key - </dev/null
	prints 0 cfgstore get -o len $key
	while read -r line; do cfgstore get -q $key; done <<<$'1\n2' >twice
	[ "$(wc -l <twice)" = 2 ]
}

@test "set prints nothing, with -v the revision, with -o and -j the outcome" {
	prints '' cfgstore set $key 1
	rev=$(cfgstore set -v $key 2)
	prints "$rev" cfgstore get -o rev $key
	rev=$(cfgstore set -o rev,n $key 3)
	prints "${rev% 1}" cfgstore get -o rev $key
	rev=$(cfgstore set -j $key 4 | jq -r 'select(.event == "done").rev')
	prints "$rev" cfgstore get -o rev $key
}

@test "set takes a leading dash, - and @FILE, with --literal not these" {
	cfgstore set $key -5
	prints -5 cfgstore get $key
	cfgstore set $key --help
	prints --help cfgstore get $key
	echo input | cfgstore set --literal $key -
	prints - cfgstore get $key
	cfgstore set --literal $key @none
	prints @none cfgstore get $key
	echo x | cfgstore set -c $key -
	[ "$(cfgstore get -r $key; echo .)" = x. ]
	printf 'x\n\n' | cfgstore set -c $key -
	[ "$(cfgstore get -r $key; echo .)" = $'x\n.' ]
	echo file >./-
	cfgstore set $key @-
	prints file cfgstore get $key
	cfgstore set -- -$key v
	prints v cfgstore get -- -$key
	cfgstore del -- -$key
}

@test "a condition that does not hold is 1, said with both revisions" {
	rev=$(cfgstore set -v $key 1)
	run -1 cfgstore set --if-rev 1000000 $key 2
	[ "$output" = "cfgstore: $key: rev is $rev, wanted 1000000" ]
	run -1 cfgstore cas $key 1000000 2
	[ "$output" = "cfgstore: $key: rev is $rev, wanted 1000000" ]
	run -1 cfgstore cas -q $key 1000000 2
	[ -z "$output" ]
	prints "$rev" cfgstore cas -q -o rev $key 1000000 2 || :
	[ "$(cfgstore cas -q -o rev $key 1000000 2 || :)" = "$rev" ]
	run -1 cfgstore cas $key 0 2
	[ "$output" = "cfgstore: $key: rev is $rev, wanted none" ]
	run -1 cfgstore cas no$key 7 2
	[ "$output" = "cfgstore: no$key: is absent, wanted 7" ]
	run -1 cfgstore set --if-absent $key 2
	[ "$output" = "cfgstore: $key: rev is $rev, wanted none" ]
	run -1 cfgstore set --if-exists no$key 2
	[ "$output" = "cfgstore: no$key: is absent" ]
	run -1 cfgstore set --if-value 2 $key 2
	[ "$output" = "cfgstore: $key: rev is $rev, the value is another" ]
	run -1 cfgstore del --if-rev 1000000 $key
	prints "1 $rev" cfgstore get -o value,rev $key
}

@test "a condition that holds lets it happen" {
	cfgstore set --if-absent $key 1
	rev=$(cfgstore get -o rev $key) && cfgstore set --if-rev "$rev" $key 2
	rev=$(cfgstore cas -v $key "$(cfgstore get -o rev $key)" 3)
	cfgstore set --if-value 3 $key 4
	echo 4 | cfgstore set --if-exists -c $key -
	cfgstore cas new$key 0 1
	cfgstore del --if-rev "$(cfgstore get -o rev new$key)" new$key
	run -1 cfgstore get new$key
	prints 4 cfgstore get $key
}

@test "of many who add one under a condition, none is lost" {
	local i
	cfgstore set $key 0
	for i in 1 2 3 4; do
		bash -c '
			for n in 1 2 3 4 5; do
				until set -- $(cfgstore get --sync -o rev,value "$0") &&
					cfgstore cas -q "$0" "$1" $(($2 + 1)); do
					:
				done
			done' $key 3>&- &
	done
	wait
	prints 20 cfgstore get --sync $key
}

@test "JSON has numbers as numbers, and bytes that are no text as base64" {
	printf '\377\0x' | cfgstore set $key -
	cfgstore get -j $key >json
	prints "exists $key" jq -r '.event + " " + .key' json
	jq -e '.v == 1 and (.rev | type) == "number" and
		(.age_ms | type) == "number" and has("value") == false' json
	jq -r .value_b64 json | base64 -d | cmp - <(printf '\377\0x')
	cfgstore set $key 010
	prints 010 jq -r .value <(cfgstore list -j $key)
}

@test "a key that goes with time, or with a lease" {
	cfgstore set --ttl 300ms $key 1
	cfgstore wait --absent $key -t 60s
	prints 'del put' echo "$(cfgstore history -o event $key | tr '\n' ' ' |
		sed 's/ $//')"
	lease=$(cfgstore lease grant 1h)
	cfgstore set --lease "$lease" $key 1
	cfgstore lease renew "$lease"
	prints "$lease 3600000 1" cfgstore lease list -o lease,ttl_ms,keys
	prints "$lease" cfgstore get -o lease $key
	cfgstore lease release "$lease"
	run -1 cfgstore get $key
	run -1 cfgstore lease renew "$lease"
	[ "$output" = "cfgstore: $lease: no such lease" ]
	run -1 cfgstore set --lease "$lease" $key 1
	[ "$output" = "cfgstore: there is no such lease" ]
}

@test "the past is read by its revision" {
	old=$(cfgstore set -v $key 1)
	cfgstore set $key 2
	cfgstore del $key
	prints 1 cfgstore get -R "$old" $key
	run -1 cfgstore get $key
	prints "$old" cfgstore get -R "$((old + 0))" -o rev $key
}

# ---- del and list -----------------------------------------------------------

@test "del takes keys, all at once, or a beginning" {
	cfgstore set $key/a 1
	cfgstore set $key/b 2
	cfgstore set $key/c 3
	run -1 cfgstore del $key/a $key/none
	[ "$output" = 'cfgstore: 1 of 2 were there' ]
	run -1 cfgstore del $key/a
	[ -z "$output" ]
	prints "$key/b
$key/c" cfgstore list -k "$key/*"
	cfgstore del -p $key/
	prints '' cfgstore list "$key/*"
	run -1 cfgstore del -p $key/
}

@test "list takes globs or beginnings, and has many forms" {
	cfgstore set $key/a 1
	cfgstore set $key/b/c 'two words'
	cfgstore set $key/* star
	cfgstore set "$key x" 4
	prints "$key/\\0052 star
$key/a 1" cfgstore list "$key/*"
	prints "$key/\\0052 star" cfgstore list "$key/\\0052"
	prints "$key/a 1
$key/b/c two\\0040words" cfgstore list "$key/a" "$key/b/*"
	prints "$key\\0040x
$key/\\0052
$key/a
$key/b/c" cfgstore list -k -p $key
	cfgstore list -k -0 "$key*" | cmp - <(printf '%s\0' "$key x")
	prints "$key/b/c two\\0040words" cfgstore list -o key,value -p $key/b
	cfgstore list -l "$key/a" |
		grep -qxE "exists key=$key/a rev=[0-9]+ created=[0-9]+ by=1 value=1"
	prints 4 jq -s length <(cfgstore list -j -p $key)
	prints '' cfgstore list "none$key"
	cfgstore list -k -0 -p $key | xargs -0 -n 1 cfgstore get >all
	[ "$(tr '\n' ' ' <all)" = '4 star 1 two words ' ]
}

@test "a list of many pages is one state" {
	for i in {1..400}; do
		printf 'put key=%s/%03d value=%0*d\n' $key "$i" 4000 1
	done >file
	cfgstore import --atomic file 2>/dev/null || cfgstore import -q file
	# One writer goes over them all, again and again.
	(
		n=1
		until [ -e stop ]; do
			n=$((n + 1))
			printf 'put key=%s/001 value=%d\nput key=%s/400 value=%d\n' \
				$key $n $key $n | cfgstore txn || exit
		done
	) 3>&- &
	for i in 1 2 3; do
		cfgstore list -p $key/ >listed
		[ "$(wc -l <listed)" = 400 ]
		[ "$(sed -n '1s/.* 0*//p' listed)" = "$(sed -n '400s/.* 0*//p' listed)" ]
	done
	touch stop
	wait $!
	cfgstore del -p $key/
}

# ---- txn, history, revert, edit ---------------------------------------------

@test "txn makes all or none, and says which line did not hold" {
	cfgstore set $key/a 1
	rev=$(cfgstore txn -v <<-END
		put key=$key/b value=2\\0040x
		if key=$key/a value=1
		put key=$key/c value= lease=new
		grant ttl=1h
		del key=$key/a
	END
	)
	prints "$key/b 2\\0040x
$key/c " cfgstore list -p $key
	prints "$rev" cfgstore get -o rev $key/c
	lease=$(cfgstore get -o lease $key/c)
	[ "$lease" = "$rev" ]
	cfgstore lease release "$lease"
	cat >file <<-END

		put key=$key/b value=3
		if key=$key/b exists=yes
		if key=$key/a rev=7
	END
	run -1 cfgstore txn file
	[ "$output" = "cfgstore: line 4: $key/a: is absent, wanted 7" ]
	prints '2 x' cfgstore get $key/b
	prints "0 $key/a" cfgstore txn -q -o rev,key file || :
	[ "$(cfgstore txn -q -o rev,key file || :)" = "0 $key/a" ]
	printf 'if key=%s absent=yes\ndel prefix=%s\n' $key/a $key/ |
		cfgstore txn -
	prints '' cfgstore list -p $key
	run -64 cfgstore txn <<<$'put key=a value=1\nput key=a value=2'
	[[ $output = *'changed twice'* ]]
	run -65 cfgstore txn <<<"del key=$key/a prefix=$key/"
	[[ $output = *'1: expected one of key= and prefix=' ]]
}

@test "history tells the newest first, revert brings it back" {
	one=$(cfgstore set -v $key one)
	cfgstore set $key two
	cfgstore del $key
	cfgstore set $key four
	prints 'put four
del -
put two
put one' cfgstore history -o event,value $key
	prints 'put four
del -' cfgstore history -n 2 $key -o event,value
	prints '' cfgstore history -n 0 $key || :
	cfgstore history -n 1 $key |
		grep -qxE "put key=$key rev=[0-9]+ by=1 value=four"
	prints four jq -r '.value' <(cfgstore history -j -n 1 $key)
	run -1 cfgstore history none$key
	cfgstore revert $key "$one"
	prints one cfgstore get $key
	# To what it is, it is no change.
	rev=$(cfgstore get -o rev $key)
	cfgstore revert $key "$rev"
	prints "$rev" cfgstore get -o rev $key
	cfgstore revert $key $((one - 1))
	run -1 cfgstore get $key
}

@test "edit writes what the editor left, if nobody else did" {
	cfgstore set $key 'some text'
	EDITOR='sed -i s/some/more/' cfgstore edit $key
	prints 'more text' cfgstore get $key
	VISUAL='sed -i s/more/most/' EDITOR=false cfgstore edit $key
	prints 'most text' cfgstore get $key
	EDITOR=true run -0 cfgstore edit $key
	[ "$output" = "cfgstore: $key: not changed" ]
	export TMPDIR=$PWD
	EDITOR="cfgstore set $key other; echo mine >" run -1 cfgstore edit $key
	[[ $output = *"$key: rev is "*'what was edited is in '* ]]
	[ "$(cat "${output##* }")" = mine ]
	prints other cfgstore get $key
	EDITOR=false run -125 cfgstore edit $key
	EDITOR=/none run -127 cfgstore edit $key
	EDITOR='echo new >' cfgstore edit new$key
	prints new cfgstore get new$key
	[ "$(cfgstore get -r new$key | wc -c)" = 4 ]
	EDITOR='sed -i s/new/old/' cfgstore edit -c new$key
	EDITOR='echo set >' cfgstore edit -c new$key
	[ "$(cfgstore get -r new$key; echo .)" = set. ]
	cfgstore del new$key
}

# ---- wait and watch ---------------------------------------------------------

@test "wait is over at once when it is so, and else when it becomes so" {
	run -1 cfgstore wait $key -t 0
	run -124 cfgstore wait $key -t 100ms
	cfgstore wait --absent $key
	cfgstore wait $key!=x
	mkfifo ready
	cfgstore wait $key=go -t 60s -o event,value --ready-fd 4 >out \
		4>ready 3>&- &
	timeout 60 cat ready
	cfgstore set $key stop
	cfgstore set $key go
	wait $!
	[ "$(cat out)" = 'put go' ]
	cfgstore wait $key
	cfgstore wait $key=go
	cfgstore wait --is go $key
	run -1 cfgstore wait $key!=go -t 0
	run -1 cfgstore wait --is-not go $key -t 0
	run -1 cfgstore wait --absent $key -t 0
	cfgstore set a=b=$key 'c=d'
	cfgstore wait --is c=d a=b=$key
	cfgstore wait --sync --is-not c a=b=$key
	prints 'exists c=d' cfgstore wait --is c=d a=b=$key -o event,value
	cfgstore del a=b=$key
}

# watch OUTPUT OPTION...: one in the background that was told the state when
# this returns; $WATCHER is its process.
watch()
{
	local output=$1
	shift
	[ -p ready ] || mkfifo ready
	cfgstore watch --ready-fd=4 "$@" >"$output" 2>"$output.err" \
		3>&- 4>ready &
	WATCHER=$!
	timeout 60 cat ready >/dev/null
}

@test "watch tells the state, ready, and then every change" {
	cfgstore set $key/a 1
	watch out -n 4 -t 60s "$key/**"
	cfgstore set $key/a 2
	cfgstore set other$key x
	printf 'put key=%s value=\ndel key=%s\n' $key/b $key/a | cfgstore txn
	cfgstore set --ttl 200ms $key/c x
	wait $WATCHER
	sed -E 's/ (rev|created|prev|seq|lease)=[0-9]+//g; s/ ts=[^ ]*Z$//' \
		out >got
	# A transaction's changes are told in no promised order.
	sort -s -k 1,1 got >sorted
	diff - sorted <<-END
		del key=$key/a by=1 why=del old=2
		exists key=$key/a by=1 value=1
		put key=$key/a by=1 value=2 old=1
		put key=$key/b by=1 value=
		put key=$key/c by=1 value=x
		ready
	END
	head -n 2 got | diff - <(echo "exists key=$key/a by=1 value=1"; echo ready)
	grep -qE "^put key=$key/a rev=[0-9]+ prev=[0-9]+ by=1 value=2 old=1 seq=3 ts=2[-0-9T:.]+Z\$" out
	grep -o ' seq=[0-9]*' out | sort -V | uniq -d | wc -l | grep -qx 0
}

@test "watch --now, --no-snapshot, -1, -j and -o" {
	cfgstore set $key 1
	prints "exists $key 1
ready - -" cfgstore watch --now -o event,key,value "$key*"
	watch out --no-snapshot -1 -o event,key,value,old -p $key
	cfgstore set $key 2
	wait $WATCHER
	[ "$(cat out)" = "put $key 2 1" ]
	watch out -j -n 1 $key
	printf '\377' | cfgstore set $key -
	wait $WATCHER
	prints '/w==' jq -r 'select(.event == "put").value_b64' out
	prints 2 jq -r 'select(.event == "put").old' out
	run -124 cfgstore watch -t 100ms $key
	[ "$(cfgstore watch -n 0 -0 $key | tr -cd '\0' | wc -c)" = 2 ]
}

@test "watch --since tells what was missed, and nothing twice" {
	first=$(cfgstore set -v $key 1)
	cfgstore set $key 2
	cfgstore set $key 3
	prints 'put 2
put 3
ready -' cfgstore watch --now --since "$first" -o event,value $key
	prints 'ready -' cfgstore watch --now -o event,value \
		--since "$(cfgstore get -o rev $key)" $key
}

@test "watch into a pipe tells each record at once, and ends with its reader" {
	mkfifo pipe
	cfgstore watch $key >pipe 2>err 3>&- &
	WATCHER=$!
	exec 7<pipe
	timeout 60 head -n 1 <&7 | grep -q '^ready '
	cfgstore set $key 1
	read -r -t 60 line <&7
	[[ $line = "put key=$key "* ]]
	exec 7<&-
	exits 141 $WATCHER
	[ ! -s err ]
}

@test "watch ends by a signal, and without a terminal or any input" {
	watch out $key <&-
	kill -TERM $WATCHER
	exits 143 $WATCHER
	prints 1 grep -c . out
	cfgstore watch --now $key </dev/null >a
	cfgstore watch --now $key <&- >b
	# The store's revision may move meanwhile: a lease ends.
	diff <(sed -E 's/ (ts|rev)=.*//' a) <(sed -E 's/ (ts|rev)=.*//' b)
}

# ---- watch -- CMD -----------------------------------------------------------

@test "watch runs a command for the state, then for changes, with all it needs" {
	cfgstore set $key/a 'one two'
	watch out -n 2 --every "$key/*" -- sh -c '
		{
			echo "$RINGKIT_EVENT $RINGKIT_OP $RINGKIT_SNAPSHOT"
			echo "key=$RINGKIT_KEY value=$RINGKIT_VALUE old=$RINGKIT_OLD_VALUE"
			sed "s/ rev=.*//"
		} >>"$0"; [ "$RINGKIT_REV" = "$RINGKIT_CURSOR" ]' "$PWD/log" -v --help
	cfgstore set $key/a 'three $(x)'
	cfgstore del $key/a
	wait $WATCHER
	diff - log <<-END
		ready ready yes
		key= value= old=
		exists key=$key/a
		ready
		put put no
		key=$key/a value=three \$(x) old=one two
		put key=$key/a
		del del no
		key=$key/a value= old=three \$(x)
		del key=$key/a
	END
	run ! grep . out.err
}

@test "watch --state runs a command for what it missed, and only that" {
	run_once() # OPTION...
	{
		timeout 60 cfgstore watch --state state "$@" $key -- sh -c \
			'echo "$RINGKIT_EVENT $RINGKIT_VALUE" >>"$0"' "$PWD/log"
	}
	cfgstore set $key 1
	run_once -n 0
	[ "$(cat log)" = 'ready ' ]
	run_once -n 0
	[ "$(cat log)" = 'ready ' ]
	cfgstore set $key 2
	cfgstore set $key 3
	run_once -n 2 --every
	[ "$(tail -n 2 log)" = 'put 2
put 3' ]
	run_once -n 0
	[ "$(wc -l <log)" = 3 ]
	local i # the command may end at any instant of the watch's own end
	for i in {1..100}; do
		rm state
		run_once -n 0
	done
	[ "$(grep -c ready log)" = 101 ]
	echo something else >state
	run -65 run_once -n 0
}

@test "a command that cannot be run is 126 or 127, one that fails can be the end" {
	run -127 cfgstore watch $key -- /none
	run -127 cfgstore watch $key -- no-such-command
	echo >file
	run -126 cfgstore watch $key -- ./file
	run -9 cfgstore watch --on-error=exit $key -- sh -c 'exit 9'
	run -124 cfgstore watch --on-error=exit --hook-timeout 100ms $key -- \
		sleep 60 # no event: it is to be late
}

@test "a value that is too long for an environment is in the store" {
	head -c 40000 /dev/zero | tr '\0' x | cfgstore set $key -
	watch out -1 $key -- sh -c '
		read -r record
		echo "${RINGKIT_VALUE-none} $RINGKIT_EVENT ${record%% seq=*}" >"$0"
		' "$PWD/log"
	head -c 50000 /dev/zero | tr '\0' y | cfgstore set $key -
	wait $WATCHER
	grep -qE "^none put put key=$key .* len=50000 old_len=40000\$" log
}

# ---- export, import, diff ---------------------------------------------------

@test "export is sorted, the same for the same keys and values" {
	cfgstore set $key/b 2
	cfgstore set $key/a 'one word'
	cfgstore set "$key/a b" $'line\nfeed'
	cfgstore set --ttl 1h $key/lease x
	cfgstore export "$key/*" >one
	diff - one <<-END
		put key=$key/a value=one\\0040word
		put key=$key/a\\0040b value=line\\nfeed
		put key=$key/b value=2
	END
	cfgstore set $key/b 3
	cfgstore set $key/b 2
	cfgstore export -p $key/ | diff one -
	cfgstore export --sync "$key/*" | cmp one -
}

@test "an export of several pages is of one revision while others write" {
	local i n pid
	head -c 700000 /dev/zero | tr '\0' v >large
	for i in 1 2 3 4; do
		cfgstore set "$key/m/$i" @large
	done
	printf 'put key=%s/%s value=0\n' "$key" a "$key" z | cfgstore txn
	(
		n=0
		while [ ! -e enough ]; do
			n=$((n + 1))
			printf 'put key=%s/%s value=%s\n' "$key" a $n "$key" z $n |
				cfgstore txn || exit 1
		done
	) 3>&- &
	pid=$!
	for i in 1 2 3 4 5 6; do
		cfgstore export -p "$key/" | sed -n 's/.*[az] value=\([0-9]*\)$/\1/p' >seen
		[ "$(wc -l <seen)" = 2 ]
		[ "$(sort -u seen | wc -l)" = 1 ]
	done
	: >enough
	wait "$pid"
	[ "$(cfgstore get "$key/z")" -gt 0 ]
	cfgstore del -p "$key/"
}

@test "import of an export is the identity, on random bytes" {
	local i
	# Any byte but NUL in keys, any in values; some are text.
	for i in {1..40}; do
		printf '%s/' $key
		head -c $((RANDOM % 40 + 1)) /dev/urandom | tr -d '\0'
		printf '\n\0'
		head -c $((RANDOM % 3 * RANDOM / 20)) /dev/urandom |
			base64 -w 0
		printf '\0'
	done >random
	while IFS= read -r -d '' name && IFS= read -r -d '' value; do
		base64 -d <<<"$value" | cfgstore set -- "$name" -
	done <random
	cfgstore export -p $key/ >one
	[ "$(wc -l <one)" -ge 30 ]
	cfgstore diff one
	cfgstore del -p $key/
	cfgstore import one
	cfgstore export -p $key/ | cmp one -
	while IFS= read -r -d '' name && IFS= read -r -d '' value; do
		cfgstore get -r -- "$name" | cmp - <(base64 -d <<<"$value")
	done <random
	# And what is there already is no change.
	rev=$(cfgstore status -o rev)
	cfgstore import one
	prints "$rev" cfgstore status -o rev
	cfgstore del -p $key/
}

@test "import merges or replaces, diff tells what it would do" {
	printf 'put key=%s/a value=1\nput key=%s/b value=2\n' $key $key >file
	run -1 cfgstore diff file
	[ "$output" = "put key=$key/a value=1
put key=$key/b value=2" ]
	cfgstore import file
	cfgstore diff file
	cfgstore set $key/c 3
	cfgstore set $key/a x
	cfgstore set --ttl 1h $key/lease x
	run -1 cfgstore diff file
	[ "$output" = "put key=$key/a value=1 old=x" ]
	run -1 cfgstore diff --replace -g "$key/*" file
	[ "$output" = "put key=$key/a value=1 old=x
del key=$key/c old=3" ]
	prints "put 1 x
del - 3" cfgstore import --replace -g "$key/*" -n -o event,value,old file
	prints x cfgstore get $key/a
	# What diff prints can be imported.
	cfgstore diff --replace -g "$key/*" file | cfgstore import -
	cfgstore diff --replace -g "$key/*" file
	prints "$key/a
$key/b
$key/lease" cfgstore list -k "$key/*"
	printf 'del key=%s/b\n' $key | cfgstore import -
	cfgstore import --replace -g "$key/*" --allow-empty /dev/null
	prints "$key/lease" cfgstore list -k "$key/*"
}

@test "import is all or none when it fits, and says when it does not" {
	local i
	for i in {1..900}; do
		echo "put key=$key/$i value=$i"
	done >file
	rev=$(cfgstore status -o rev)
	run -0 cfgstore import file
	[ -z "$output" ]
	prints $((rev + 1)) cfgstore status -o rev
	sed -i 's/value=/value=x/' file
	for i in {901..1500}; do
		echo "put key=$key/$i value=$i"
	done >>file
	rev=$(cfgstore status -o rev)
	run -65 cfgstore import --atomic file
	prints "$rev" cfgstore status -o rev
	run -0 cfgstore import file
	[[ $output = 'cfgstore: 1500 changes do not fit one transaction: '* ]]
	cfgstore diff file
	# Of many keys few changes are one transaction.
	sed -i 's/value=x77/value=y77/' file
	rev=$(cfgstore status -o rev)
	run -0 cfgstore import --atomic file
	prints $((rev + 1)) cfgstore status -o rev
	cfgstore diff file
	cfgstore del -p $key/
}

@test "import of large values is cut to what fits" {
	local i
	for i in 1 2 3; do
		printf 'put key=%s/%d value=' $key $i
		head -c 700000 /dev/urandom | base64 -w 0
		echo
	done >file
	run -0 cfgstore import file
	[[ $output = *'do not fit one transaction'* ]]
	cfgstore diff file
	cfgstore export -p $key/ | cmp file -
	cfgstore del -p $key/
	{
		printf 'put key=%s value=' $key
		head -c 2000000 /dev/zero | tr '\0' x
		echo
	} >file
	run -65 cfgstore import file
}

@test "a transaction that is longer than a message of the ring goes through" {
	local i
	# Longer than 1 MiB, shorter than what the store takes.
	for i in 1 2; do
		printf 'put key=%s/%d value=%0*d\n' $key $i 580000 7
	done >file
	for i in 1 2 3; do
		sed -i "s/7\$/7$i/" file
		cfgstore txn file
		cfgstore set $key/small $i
		cfgstore export "$key/?" | cmp file -
	done
	cfgstore del -p $key/
}

# ---- locks ------------------------------------------------------------------

@test "--lock writes only with the token of a lock that is held" {
	token=$(cfgstore set -v lock/$key/slot/1 "n1:$$")
	cfgstore set --lock=$key:$token $key 1
	printf 'put key=%s value=2\n' $key | cfgstore txn --lock=$key:$token
	printf 'put key=%s value=3\n' $key | cfgstore import --lock=$key:$token -
	export RINGKIT_LOCK_NAME=$key RINGKIT_LOCK_TOKEN=$token
	cfgstore cas --lock $key "$(cfgstore get -o rev $key)" 4
	run -1 cfgstore set --lock=$key:$((token + 1000000)) $key x
	[[ $output = "cfgstore: lock $key: is not held with token "* ]]
	# It was given on: the old token is refused everywhere.
	cfgstore set lock/$key/slot/1 n2:1
	run -1 cfgstore set --lock $key x
	run -1 cfgstore del --lock $key
	run -1 cfgstore cas --lock $key 0 x
	printf 'put key=%s value=x\n' $key >file
	run -1 cfgstore txn --lock file
	run -1 cfgstore import --lock file
	prints 4 cfgstore get $key
	cfgstore del lock/$key/slot/1
}

@test "a command of ringlock writes under its lock, and is its leader" {
	ringlock --value me $key -- sh -eu -c '
		[ "$(cfgstore leader "$RINGKIT_LOCK_NAME")" = me ]
		[ "$(cfgstore leader -o rev "$0")" = "$RINGKIT_LOCK_TOKEN" ]
		cfgstore set --lock "$0" 1
		echo "put key=$0 value=2" | cfgstore txn --lock
		echo "$RINGKIT_LOCK_TOKEN" >token' $key
	prints 2 cfgstore get $key
	await no_leader
	run -1 cfgstore set --lock=$key:"$(cat token)" $key 3
	prints 2 cfgstore get $key
}

no_leader() { ! cfgstore leader -q $key >/dev/null; }

@test "leader tells who holds a lock, or waits for one" {
	run -1 cfgstore leader $key
	[ -z "$output" ]
	run -124 cfgstore leader -w 100ms $key
	mkfifo began
	cfgstore leader -w 60s $key >out 3>&- &
	token=$(cfgstore set -v lock/$key/slot/0 'n1:77')
	wait $!
	[ "$(cat out)" = n1:77 ]
	prints n1:77 cfgstore leader $key
	prints "$token 1" cfgstore leader -o rev,by $key
	prints n1:77 cfgstore leader --self $key
	prints n1:77 jq -r .value <(cfgstore leader -j $key)
	cfgstore del lock/$key/slot/0
}

# ---- shells, places, clocks -------------------------------------------------

# Every value as a value, and every key that may be one as a key.
round_trip()
{
	local value n=0
	for value in "${values[@]}"; do
		n=$((n + 1))
		# shellcheck disable=SC2086 # busybox sh
		printf %s "$value" | $shell -eu -c '
			v=$(cat; echo .); v=${v%.}
			k=$1/${v:-x}
			cfgstore set --literal -- "$k" "$v"
			w=$(cfgstore get -r -- "$k"; echo .); w=${w%.}
			[ "$v" = "$w" ]
			cfgstore wait --is "$v" -t 0 -- "$k"
			cfgstore del -- "$k"' sh "$key" || {
			echo "value $n"
			return 1
		}
	done
}

@test "keys and values round-trip in every shell, whatever they are" {
	each_shell round_trip
	[ ! -e owned ]
}

@test "what list and watch print round-trips in every shell" {
	local i=100
	for value in "${values[@]}"; do
		i=$((i + 1))
		printf %s "$value" | cfgstore set $key/$i -
	done
	printf '%s|' "${values[@]}" >wanted
	RINGKIT_SH=$(cd "$BATS_TEST_DIRNAME/../../examples" && pwd)/ringkit.sh
	export RINGKIT_SH
	cfgstore watch --now -p $key/ | sed '$d' >records
	parses()
	{
		# shellcheck disable=SC2086 # busybox sh
		$shell -eu -c '. "$RINGKIT_SH"
			while IFS= read -r line; do
				rk_parse "$line"
				[ "$RK_EVENT" = exists ]
				printf "%s|" "$RK_value"
			done' <records >parsed
		cmp wanted parsed
	}
	each_shell parses
	[ ! -e owned ]
	cfgstore del -p $key/
}

@test "language, time zone and place change no byte" {
	cfgstore set $key 'ü'
	cfgstore list -l $key >one
	LC_ALL=de_DE.UTF-8 TZ=Asia/Kolkata cfgstore list -l $key | cmp one -
	LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8 cfgstore list -l $key | cmp one -
	(cd / && cfgstore list -l $key) | cmp one -
	cfgstore list -l $key <&- | cmp one -
	env -i "$(command -v cfgstore)" list -l $key \
		--rundir="$RINGKIT_RUNDIR" | cmp one -
	run ! grep -q $'\033' one
}

@test "a clock that leaps by days ends no request, no wait and no lease" {
	command -v cc >/dev/null || skip "no compiler for the leaping clock"
	cat >leap.c <<-'EOF'
	#define _GNU_SOURCE
	#include <sys/syscall.h>
	#include <time.h>
	#include <unistd.h>
	int clock_gettime(clockid_t id, struct timespec *ts)
	{
		static int n;
		int rc = (int)syscall(SYS_clock_gettime, id, ts);
		if (id == CLOCK_REALTIME)
			ts->tv_sec += n++ % 2 ? 86400 : -86400;
		return rc;
	}
	EOF
	cc -shared -fPIC -o leap.so leap.c
	LD_PRELOAD=$PWD/leap.so cfgstore --version >/dev/null ||
		skip "this build takes no other clock"
	leaping() { LD_PRELOAD=$PWD/leap.so cfgstore "$@"; }
	leaping set --ttl 1h $key 1
	prints 1 leaping get $key
	run -124 leaping wait $key=2 -t 100ms
	run -124 leaping watch -t 1s $key
	# It does leap, where a time is told.
	[ "$(grep -o ' ts=[-0-9]*' <<<"$output" | sort -u | wc -l)" = 2 ]
	leaping wait $key=2 -t 60s 3>&- &
	cfgstore set $key 2
	wait $!
}

# ---- a limit, the state, no majority ----------------------------------------

@test "what is longer than the limits is 65, and changed nothing" {
	head -c 1100000 /dev/zero >long
	run -65 cfgstore set $key @long
	head -c 17000000 /dev/zero >longer
	run -65 cfgstore set $key @longer
	run --separate-stderr -64 cfgstore set "$(printf 'k%.0s' {1..513})" x
	[ "${stderr_lines[0]}" = 'cfgstore set: a key of 513 bytes, expected 1 to 512' ]
	run --separate-stderr -64 cfgstore set '' x
	[ "${stderr_lines[0]}" = 'cfgstore set: a key of 0 bytes, expected 1 to 512' ]
	run --separate-stderr -64 cfgstore del $key ''
	[ "${stderr_lines[0]}" = 'cfgstore del: a key of 0 bytes, expected 1 to 512' ]
	run --separate-stderr -65 cfgstore txn <<<$'\nput key= value=1'
	[ "$stderr" = 'cfgstore: standard input:2: a key of 0 bytes, expected 1 to 512' ]
	run --separate-stderr -64 cfgstore set --ttl=99ms $key x
	[[ ${stderr_lines[0]} == 'cfgstore set: --ttl: 99ms: expected DUR: '*', 100ms to a year' ]]
	run -64 cfgstore lease grant 99ms
	run -1 cfgstore get $key
	cfgstore set "$(printf 'k%.0s' {1..512})" x
	cfgstore del -p kkkkkkkk
}

@test "status, nodes, electorate and limits tell of the store" {
	cfgstore status --open >out
	grep -qx 'state  *open' out
	prints 'open 1 1' cfgstore status -o state,votes,needed
	prints open jq -r .state <(cfgstore status -j)
	prints '1 yes' cfgstore nodes -o node,self
	prints '1:1' cfgstore electorate -o electorate
	cfgstore electorate --node=1 --votes=2
	prints '1:2 2' cfgstore status -o electorate,needed
	run -64 cfgstore electorate --node=1
	run -64 cfgstore electorate --node=1 --votes=2 --shrink
	cfgstore electorate --node=1 --votes=1
	cfgstore limits -o value | grep -qE '^[0-9]+$'
	old=$(cfgstore limits -o leases)
	cfgstore limits leases=100
	prints 100 cfgstore limits -o leases
	cfgstore limits "leases=$old"
}

@test "the shells' completions offer the keys that there are" {
	local tree=$BATS_TEST_DIRNAME/../../completions
	cfgstore set $key/one 1
	cfgstore set "$key/two words" 2
	bash "$BATS_TEST_DIRNAME/completes.bash" "$tree" \
		"cfgstore get $key" | grep -qx $key/one
	if command -v zsh >/dev/null; then
		timeout 60 zsh -f "$BATS_TEST_DIRNAME/completes.zsh" "$tree" \
			"ringkit cfgstore get $key" "$PWD/zcompdump" 3>&- |
			grep -qx $key/one
	fi
	if command -v fish >/dev/null; then
		XDG_CONFIG_HOME=$PWD XDG_DATA_HOME=$PWD fish -N -c '
			for file in $argv[1]/*.fish; source $file; end
			complete -C "$argv[2]"' "$tree" "cfgstore get $key" \
			3>&- | cut -f1 | grep -qx $key/one
	fi
}

@test "a stopped daemon is 69 in time, also for who waits" {
	local pid
	pid=$(cut -d' ' -f1 "$NODES/1/cfgstored.pid")
	kill -STOP "$pid"
	RINGKIT_TIMEOUT=500ms run -69 cfgstore get $key
	RINGKIT_TIMEOUT=500ms run -69 cfgstore wait $key
	run -124 cfgstore get -t 200ms $key
	kill -CONT "$pid"
	cfgstore status
}
