#!/usr/bin/env bash
# doctest.bash PAGE: runs the examples of a manual page, in the folder it is
# started in, and compares what they print with what the page shows.
#
# In .Sh EXAMPLES, in each .Bd -literal block, a line "$ COMMAND", continued by
# lines "> MORE", is run by this one shell, in order; the lines after it, up to
# the next "$ ", are what it prints on both outputs.  There,
#
#	...		stands for any text of that line,
#	... alone	stands for any number of lines,
#	\ at the end	and the blanks of the next line are not there: the page
#			is narrower than the record.
#
# "$ cat FILE" of a file that is not there makes it of the lines that follow.
# Output may come late, from a command that was sent to the background: there
# are DOCTEST_S seconds for it.  After a msgcat went to the background, what
# follows waits until it listens.
#
# 127.0.0. stands for $DOCTEST_NET and 6000 for $DOCTEST_PORT, so that tests
# may run side by side.
# Ends 0 when all is as shown, 1 when not, with what differs, 2 when there is
# nothing to run.

set -u
page=$1
limit_ds=$((${DOCTEST_S:-10} * 10))
net=${DOCTEST_NET:-127.0.0.} port=${DOCTEST_PORT:-6000}
out=.doctest.out
commands=() shown=()

# ---- reading ----------------------------------------------------------------

# The blocks as a reader sees them, an empty line after each.
blocks()
{
	awk '
	/^\.Sh / { is_examples = ($0 == ".Sh EXAMPLES") }
	!is_examples { next }
	/^\.Bd -literal/ { is_block = 1; next }
	/^\.Ed/ { is_block = 0; print "\001"; next }
	is_block' "$page" | sed \
		-e "s/\\\\(aq/'/g" -e 's/\\(dq/"/g' -e 's/\\(ti/~/g' \
		-e 's/\\(ha/^/g' -e 's/\\(ga/`/g' -e 's/\\-/-/g' \
		-e 's/\\&//g' -e 's/\\e/\\/g' -e "s/127\\.0\\.0\\./$net/g" \
		-e "s/\\<6000\\>/$port/g"
}

read_page()
{
	local line n=-1 is_command=no
	while IFS= read -r line; do
		case $line in
		$'\001') is_command=no n=${#commands[@]} ;;
		'$ '*)
			n=${#commands[@]}
			commands+=("${line#\$ }") shown+=('') is_command=yes
			;;
		'> '*)
			[ $is_command = yes ] || return 2
			commands[n]+=$'\n'${line#> }
			;;
		*)
			# Lines before the first command of a block are text.
			is_command=no
			if [ "$n" -ge 0 ] && [ "$n" -lt ${#commands[@]} ]; then
				shown[n]+=$line$'\n'
			fi
			;;
		esac
	done < <(blocks)
}

# ---- comparing --------------------------------------------------------------

literal() # TEXT: as an extended regular expression
{
	# shellcheck disable=SC2016 # these are no variables
	sed -e 's/[][\.*^$(){}?+|/]/\\&/g' <<<"$1"
}

# What is shown, as a regular expression.
pattern() # SHOWN
{
	local joined line any='[^'$'\n'']*' result='^'
	joined=$(sed -e ':again' -e '/\\$/{N;s/\\\n *//;b again' -e '}' \
		<<<"${1%$'\n'}")
	[ -n "$1" ] || { printf '^$'; return; }
	while IFS= read -r line; do
		if [ "$line" = ... ]; then
			result+='(.*'$'\n'')?'
			continue
		fi
		while [[ $line = *...* ]]; do
			result+=$(literal "${line%%...*}")$any
			line=${line#*...}
		done
		result+=$(literal "$line")$'\n'
	done <<<"$joined"
	printf '%s$' "$result"
}

# What was printed from byte $1 on is what is shown.
matches() # FROM PATTERN
{
	local got
	got=$(tail -c "+$(($1 + 1))" $out | tr '\0' '@'; echo .)
	[[ ${got%.} =~ $2 ]]
}

# ---- running ----------------------------------------------------------------

tick()
{
	sleep 0.1 # no event: output of a command in the background
}

# Every msgcat that this shell sent to the background listens, or has ended.
await_listeners()
{
	local i want
	for ((i = 0; i < limit_ds; i++)); do
		want=$(jobs -r | grep -c 'msgcat')
		[ "$(listeners)" -lt "$want" ] || return 0
		tick
	done
}

# How many subscriptions the ring's daemon has.
listeners()
{
	printf 'status\nquit\n' | nc -U "$RINGKIT_RUNDIR/ring.sock" |
		sed -n 's/^item kind=client .* subs=\([0-9]*\) .*/\1/p' |
		awk '{ n += $1 } END { print n + 0 }'
}

make_file() # COMMAND SHOWN: "cat FILE" of a file that is not there
{
	local name=${1#cat }
	[[ $1 = 'cat '* && $name != *[[:space:]]* && ! -e $name ]] || return 1
	printf '%s' "$2" >"$name"
}

# "cmd &" and no more in it
is_background()
{
	[[ $1 =~ [^\&]\&$ ]]
}

# What came since FROM is in time what is shown.
check() # NUMBER FROM
{
	local want i
	want=$(pattern "${shown[$1]}")
	for ((i = 0; i < limit_ds; i++)); do
		matches "$2" "$want" && return
		tick
	done
	complain "$1" "$2"
	return 1
}

complain() # NUMBER FROM
{
	printf '%s: the example\n%s\nshould print\n%s\nand printed\n' \
		"$page" "${commands[$1]}" "${shown[$1]:-nothing}"
	tail -c "+$(($2 + 1))" $out
}

# What still runs ends by itself, and what it prints was shown.
check_end() # FROM
{
	local i
	for ((i = 0; i < limit_ds; i++)); do
		[ -n "$(jobs -r)" ] || break
		tick
	done
	if [ -n "$(jobs -r)" ]; then
		echo "$page: still running after the last example:"
		jobs -r
		# shellcheck disable=SC2046 # one pid a word
		kill $(jobs -p)
		return 1
	fi
	[ "$(stat -c %s $out)" = "$1" ] && return
	echo "$page: after the last example came"
	tail -c "+$(($1 + 1))" $out
	return 1
}

read_page
if [ ${#commands[@]} = 0 ]; then
	echo "$page: no example to run"
	exit 2
fi
: >$out
doctest_failed=0
set +u
# Not in a function: an example may set "$@".
for doctest_number in "${!commands[@]}"; do
	make_file "${commands[doctest_number]}" "${shown[doctest_number]}" &&
		continue
	doctest_from=$(stat -c %s $out)
	eval "${commands[doctest_number]}" >>$out 2>&1 </dev/null
	if is_background "${commands[doctest_number]}"; then
		await_listeners
	fi
	check "$doctest_number" "$doctest_from" || doctest_failed=1
done
check_end "$(stat -c %s $out)" || doctest_failed=1
exit $doctest_failed
