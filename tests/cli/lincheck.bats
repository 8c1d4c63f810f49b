#!/usr/bin/env bats
# The checker of the store's histories, on some that were written by hand.
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

setup()
{
	lincheck=${RINGKIT_BUILD:?}/tests/check/lincheck
	cd "$BATS_TEST_TMPDIR" || return
}

good()
{
	cat <<-'END'
		# two clients, a watcher, two holders
		a 1.0 1.2 set key=x value=one if_absent=yes -> ok rev=1
		b 1.1 1.3 get key=x sync=yes -> absent store_rev=0
		a 1.4 1.5 txn if=x rev=1 put=y value=two del=x -> ok rev=2
		b 1.4 1.6 set key=x value=three if_rev=1 -> conflict rev=0 store_rev=2
		b 1.7 - set key=x value=four
		a 1.8 1.9 list prefix= sync=yes -> ok rev=3 key=x rev=3 value=four key=y rev=2 value=two
		a 2.0 2.1 del key=none -> absent
		a 2.2 2.3 set key=z value=five -> refused
		w 1.0 - watch prefix=
		w 1.0 - ready rev=0
		w 1.2 - put key=x rev=1 prev=0 value=one
		w 1.5 - del key=x rev=2 prev=1
		w 1.5 - put key=y rev=2 prev=0 value=two
		w 1.9 - put key=x rev=3 prev=0 value=four
		h1 3.0 3.5 hold lock=l/0 token=4
		h2 3.5 3.9 hold lock=l/0 token=7
		h2 3.6 3.7 set key=y value=six lock=l/0 token=7 -> ok rev=8
	END
}

@test "a good history is counted" {
	good >h
	run "$lincheck" h
	echo "$output"
	[ "$status" = 0 ]
	[ "$output" = "lincheck: ok 9 operations 1 unanswered 1 found 5 events 2 holds" ]
}

@test "it may be in several files, in any order" {
	good >h
	grep -v '^w' h >others
	grep '^w' h >watch
	run "$lincheck" watch others
	[ "$status" = 0 ]
}

@test "nothing recorded is no error, nor is half a line at the end" {
	: >h
	run "$lincheck" h
	[ "$output" = "lincheck: ok 0 operations 0 unanswered 0 found 0 events 0 holds" ]
	good | head -c -4 >h
	run "$lincheck" h
	[ "$status" = 0 ]
}

# broken LINE RULE WORDS SED: the good history, altered, is judged so.
broken()
{
	good | sed "$4" >h
	run "$lincheck" h
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == "h:$1: $2: "*"$3"* ]]
	[ "${#lines[@]}" = 1 ]
}

@test "a read that a write was told before does not see it" {
	broken 7 order "client a (put y=two, del x) at h:4 had been told revision 2" \
		'7s/.*/a 1.8 1.9 list prefix= sync=yes -> ok rev=1 key=x rev=1 value=one/'
}

@test "a write is older than one that was answered before" {
	broken 4 order "took place at revision 2 but began after client a (put x=one) at h:2 had been told revision 5" \
		'2s/rev=1/rev=5/'
}

@test "one revision twice" {
	broken 5 revision "client b (put x=three) made revision 2, and so did client a (put y=two, del x) at h:4" \
		'5s/-> .*/-> ok rev=2/'
}

@test "an acknowledged write is lost" {
	broken 7 value "says that at revision 3 y is absent, but client a (put y=two, del x) at h:4 had put it at revision 2" \
		'7s/ key=y.*//'
}

@test "another value than was written" {
	broken 7 value "says that revision 2 put y=TWO, but what client a (put y=two, del x) at h:4 did" \
		'7s/two/TWO/'
}

@test "what was refused is there" {
	broken 7 refused "client b (put x=four) at h:6 had been refused" \
		'6s/- set\(.*\)/1.75 set\1 -> refused/'
}

@test "what nobody wrote is there" {
	broken 7 phantom "which nobody asked for" '7s/four/for/'
	broken 6 phantom "which nobody asked for" 6d
}

@test "what was unanswered is there before it was asked" {
	broken 7 order "client b (put x=four) at h:6 began after client a (list) at h:7 had been told revision 3" \
		'6s/1.7/1.95/;/^w/d'
}

@test "a write is there twice" {
	broken 8 twice "client b (put x=four) at h:6 took place at revision 3" \
		'8s/.*/a 2.0 2.1 get key=x sync=yes -> ok rev=4 value=four store_rev=4/'
}

@test "a write against its condition" {
	broken 9 condition "at revision 3 x is absent, but client b (put x=four) at h:6 had put it at revision 3" \
		'9s/.*/a 2.2 2.3 set key=x value=five if_absent=yes -> ok rev=4/'
}

@test "a conflict where there was none" {
	broken 5 conflict "which held at revision 2: x is absent" \
		'5s/if_rev=1/if_absent=yes/'
}

@test "a watcher is not told of a change" {
	broken 15 watch "client w was told of revision 3 but never of 2, where client a (put y=two, del x) at h:4 changed y" \
		'14d;s/w 1.9/\n&/'
}

@test "a watcher is told twice, and of the old after the new" {
	broken 13 watch "revision 1 twice, or after a newer one" '12p'
	broken 13 watch "revision 1 twice, or after a newer one" '12{h;d};13G;14d'
}

@test "a watcher's snapshot lacks a key" {
	broken 11 watch "at revision 2 y is absent, but client a" \
		'10,11s/1.0/1.6/;11s/rev=0/rev=2/;12,14d'
}

@test "a watcher misses what was before: prev tells" {
	broken 15 watch "at revision 2 x is of revision 1" \
		'15s/prev=0/prev=1/'
}

@test "a lock is held twice at once" {
	broken 17 lock "client h2 (token 7) held l/0 while client h1 (token 4) at h:16 held it" \
		'17s/3.5/3.4/'
}

@test "a token that does not grow" {
	broken 17 token "client h2 (token 4) got no newer token of l/0" \
		's/token=7/token=4/'
}

@test "a write with an old token after a newer one" {
	broken 18 token "took place at revision 8 with token 4 of l/0, which had been granted anew as 7" \
		'18s/token=7/token=4/'
}

@test "the end of a lease is nobody's operation" {
	good | sed '9,$d' >h
	cat >>h <<-'END'
		w 1.0 - watch prefix=
		w 1.0 - ready rev=0
		w 1.2 - put key=x rev=1 prev=0 value=one
		w 1.5 - del key=x rev=2 prev=1
		w 1.5 - put key=y rev=2 prev=0 value=two
		w 1.9 - put key=x rev=3 prev=0 value=four
		w 2.5 - del key=x rev=4 prev=3 why=expired
		w 2.5 - del key=y rev=4 prev=2 why=expired
		a 2.6 2.7 list prefix= sync=yes -> ok rev=4
	END
	run "$lincheck" h
	echo "$output"
	[ "$status" = 0 ]
	sed -i 's/ why=expired//' h
	run "$lincheck" h
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == *": phantom: "*"revision 4 deleted x"* ]]
}

@test "a watch goes on where another ended" {
	good | sed '13,$d' >h
	good | sed -n '13,15p' | sed '1i w2 1.5 - watch prefix= since=1' |
		sed 's/^w /w2 /' >>h
	run "$lincheck" h
	echo "$output"
	[ "$status" = 0 ]
	sed -i '/del key=x rev=2/d' h
	run "$lincheck" h
	[ "$status" = 1 ]
	[[ $output == *": watch: "*"but never of 2"* ]]
}

@test "lies of a random store are found" {
	for lie in lost stale twice deaf shared late; do
		"$RINGKIT_BUILD/tests/check/linplay" 7 "$lie" >h 2>told
		! grep -q '^0 lies' told
		run "$lincheck" h
		[ "$status" = 1 ]
	done
	"$RINGKIT_BUILD/tests/check/linplay" 7 honest >h 2>told
	run "$lincheck" h
	[ "$status" = 0 ]
}

@test "what is no history is refused" {
	run "$lincheck"
	[ "$status" = 64 ]
	run "$lincheck" --no-such
	[ "$status" = 64 ]
	run "$lincheck" /nonexistent
	[ "$status" = 66 ]
	while read -r line; do
		echo "$line" >h
		run "$lincheck" h
		echo "$line: $output"
		[ "$status" = 65 ]
		[[ $output == "lincheck: h:1: "* ]]
	done <<-'END'
		a 1 2
		a 2 1 get key=x -> ok rev=1
		a x 1 get key=x -> ok rev=1
		a 1 2 get -> ok rev=1
		a 1 2 get key=x -> maybe
		a 1 2 get key=x -> ok rev=0 value=y
		a 1 2 set key=x value=y -> ok
		a 1 2 set key=x -> ok rev=1
		a 1 2 set key=x value=\y -> ok rev=1
		a 1 2 txn value=y -> ok rev=1
		a 1 2 jump key=x -> ok rev=1
		a 1 - put key=x rev=1 prev=0 value=y
		a 1 2 hold lock=l/0
		a 1 2 list -> ok
		a 1 2 set key=x value=y what -> ok rev=1
	END
}
