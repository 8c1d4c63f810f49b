# killer.bash: sourced by a bash that runs a script, kills it before the
# KILL_AT-th of the lines that it comes to, a line counted once; $KILLED is a
# file that then is there.  Lines of what the script sources do not count.
# shellcheck shell=bash
declare -A killer_seen=()
killer_tick() # LINE
{
	[ "${BASH_SOURCE[1]}" = "$0" ] && [ -z "${killer_seen[$1]-}" ] ||
		return 0
	killer_seen[$1]=seen
	[ ${#killer_seen[@]} = "$KILL_AT" ] || return 0
	: >"$KILLED"
	kill -KILL $$
}
set -T
trap 'killer_tick $LINENO' DEBUG
