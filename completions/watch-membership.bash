# shellcheck shell=bash disable=SC2154 # what _ringkit_parse leaves
# SPDX-License-Identifier: BSD-3-Clause
# Completion of watch-membership for bash.

if ! declare -F _ringkit_parse >/dev/null; then
	# shellcheck source=/dev/null
	. "${BASH_SOURCE[0]%/*}/ringkit${BASH_SOURCE[0]##*watch-membership}"
fi

_ringkit_watch-membership()
{
	local valued='-e --events -N --nodes --since -n --count -t --timeout
		-o --fields --heartbeat --ready-fd --settle --max-delay
		--hook-timeout --retries --on-error --state --rundir'
	local other='--now --no-snapshot -1 -j --json -0 --null --no-reconnect
		--wait-daemon --raw --hooks-dir --every'

	_ringkit_parse "$1" "$valued"
	if [ "$command" -ge 0 ]; then
		_ringkit_command
		return
	fi
	case $option:$cur in
	-e:* | --events:*)
		_ringkit_reply exists ready leave join view quorum fenced \
			update forget add remove pause gap down up tick
		;;
	-N:* | --nodes:*) _ringkit_nodes ;;
	-o:* | --fields:*)
		_ringkit_reply event node name addr state inc view members \
			quorate reason cursor seq ts
		;;
	--on-error:*) _ringkit_reply continue exit ;;
	--hooks-dir:* | --rundir:*) _ringkit_files -d ;;
	--state:*) _ringkit_files ;;
	-*:*) ;;
	:-*) _ringkit_options "$valued" "$other" ;;
	esac
}

_ringkit_alone_watch-membership() { _ringkit_alone _ringkit_watch-membership; }
complete -F _ringkit_alone_watch-membership watch-membership
