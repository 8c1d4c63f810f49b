#!/bin/sh
# run.sh [[--some] COUNT HASH | NAME...]: put bugs back, one at a time, and see
# that a test notices.  tests/mutants/list has one mutant a line:
#
#	NAME @@ FILE @@ OLD TEXT @@ NEW TEXT @@ KILLER
#
# OLD TEXT stands exactly once in FILE (\n and \t mean what they say).  KILLER
# is "random", the seeds of tests/sim/replay; or PROGRAM[:TEST], a test
# program below tests/.  The changed file is compiled beside the tree, nothing
# else is; the killer must fail within 60 seconds.  With COUNT, that many
# mutants, drawn by HASH, have 10 seconds each: what CI does for each commit.
set -u
cd "$(dirname "$0")/../.." || exit 1
list=tests/mutants/list
build=${BUILD:-build/none}
limit=${MUTANT_LIMIT_S:-60}
jobs=${JOBS:-2}
work=build/mutants

say_and_exit()
{
	echo "run.sh: $1" >&2
	exit 64
}

names()
{
	sed -n '/^#/d; s/ @@ .*//p' "$list"
}

# The COUNT names whose checksum with HASH is smallest.
draw()
{
	names | while read -r name; do
		printf '%s %s\n' "$(printf '%s%s' "$name" "$2" | cksum |
			cut -d' ' -f1)" "$name"
	done | sort -n | head -n "$1" | sed 's/^[0-9]* //'
}

field()
{
	awk -F ' @@ ' -v name="$1" -v nr="$2" \
		'$1 == name { print $nr; exit }' "$list"
}

# Prints FILE with OLD replaced by NEW; fails unless OLD stands there once.
mutate()
{
	OLD=$2 NEW=$3 awk '
	function plain(s) {
		gsub(/\\n/, "\n", s)
		gsub(/\\t/, "\t", s)
		return s
	}
	{ text = text $0 "\n" }
	END {
		old = plain(ENVIRON["OLD"])
		at = index(text, old)
		if (at == 0) exit 1
		rest = substr(text, at + length(old))
		if (index(rest, old) > 0) exit 1
		printf "%s%s%s", substr(text, 1, at - 1),
			plain(ENVIRON["NEW"]), rest
	}' "$1"
}

# Compiles the mutant and links the killer with it.
compile()
{
	name=$1 file=$2 program=$3
	libs=$(pkg-config --libs libmnl libsodium inih)
	# shellcheck disable=SC2086 # libs is a list of words
	eval "$(cat "$build/flags") -w -c -o '$work/$name/mutant.o' \
		'$work/$name/mutant.c'" >"$work/$name/log" 2>&1 &&
		cc -pie -o "$work/$name/killer" "$build/$program.o" \
			"$work/$name/mutant.o" "$build/modules.a" \
			$libs >>"$work/$name/log" 2>&1
}

# The killer's verdict as an exit code: 0 when it noticed nothing.
attack()
{
	name=$1 test=$2
	case $test in
	random)
		set -- --seeds 1000000 --first 1 --stop ;;
	?*)
		set -- "$test" ;;
	*)
		set -- ;;
	esac
	timeout -k 2 "$limit" "$work/$name/killer" "$@" \
		>"$work/$name/log" 2>&1 </dev/null
}

# One mutant, one line.
run()
{
	name=$1
	file=$(field "$name" 2)
	killer=$(field "$name" 5)
	program=tests/${killer%%:*}
	test=${killer#*:}
	[ "$test" != "$killer" ] || test=
	[ "$killer" != random ] || program=tests/sim/replay test=random
	rm -rf "${work:?}/$name"
	mkdir -p "$work/$name"
	if ! mutate "$file" "$(field "$name" 3)" "$(field "$name" 4)" \
		>"$work/$name/mutant.c"; then
		echo "$name FAILED: its text is not exactly once in $file"
		return
	fi
	if ! compile "$name" "$file" "$program"; then
		cat "$work/$name/log"
		echo "$name FAILED: it does not compile"
		return
	fi
	start=$(date +%s)
	attack "$name" "$test"
	code=$?
	took=$(($(date +%s) - start))
	if [ "$code" = 0 ] || [ "$code" = 64 ] || [ "$code" = 124 ] ||
		[ "$code" = 137 ]; then
		echo "$name SURVIVED $killer for ${took}s (code $code)"
	else
		echo "$name killed in ${took}s by $killer"
	fi
}

# Every jobs-th of the names on standard input, from the first-th on.
run_share()
{
	awk -v jobs="$jobs" -v first="$1" 'NR % jobs == first % jobs' \
		"$work/names" | while read -r name; do run "$name"; done
}

[ -r "$list" ] || say_and_exit "cannot read $list"
[ "${1-}" != --some ] || shift
mkdir -p "$work"
case ${1-} in
'')
	names >"$work/names" ;;
[0-9]*)
	[ $# = 2 ] || say_and_exit "expected COUNT HASH"
	limit=${MUTANT_LIMIT_S:-10}
	draw "$1" "$2" >"$work/names" ;;
*)
	printf '%s\n' "$@" >"$work/names" ;;
esac
make -s "-j$jobs" tests >"$work/make.log" 2>&1 ||
	{ cat "$work/make.log" && say_and_exit "the tree does not build"; }
i=1
while [ "$i" -le "$jobs" ]; do
	run_share "$i" >"$work/share.$i" 2>&1 &
	i=$((i + 1))
done
wait
cat "$work"/share.[0-9]*
killed=$(cat "$work"/share.[0-9]* | grep -c ' killed in ')
all=$(grep -c . "$work/names")
rm -f "$work"/share.[0-9]*
echo "$killed passed, $((all - killed)) failed"
[ "$killed" = "$all" ] && [ "$all" != 0 ]
