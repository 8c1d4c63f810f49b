# shellcheck shell=bash
# paused.bash: how much of a span ringds were kept from running; to be sourced.

# paused_ms FROM_MS TO_MS LOG...: for how long of this span (ms since 1970) at
# least one of those who wrote the logs was not run, as each found out itself.
paused_ms()
{
	local from=$1 to=$2
	shift 2
	paste -d' ' <(cat "$@" | sed -n 's/^paused ms=\([0-9]*\) .*/\1/p') \
		<(cat "$@" | sed -n 's/^paused ms=.* ts=//p' |
			date -f - +%s%3N) |
		awk '{ print $2 - $1, $2 }' | sort -n |
		awk -v at="$from" -v to="$to" '{
			begin = $1 > at ? $1 : at
			end = $2 < to ? $2 : to
			if (end > begin) { sum += end - begin; at = end }
		} END { print sum + 0 }'
}

# late_again: what a test says when time and again it took too long.  Where so
# many wait for a processor that each wait is short, and there are many, that
# says nothing.
late_again()
{
	local load most=$((4 * $(nproc)))
	read -r load _ </proc/loadavg
	[ "${load%.*}" -lt "$most" ] ||
		skip "five times it was late, at a load of $load"
	echo "five times in a row it was late, at a load of $load"
	return 1
}
