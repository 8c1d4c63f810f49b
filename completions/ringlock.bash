# shellcheck shell=bash disable=SC2154 # what _ringkit_parse leaves
# SPDX-License-Identifier: BSD-3-Clause
# Completion of ringlock for bash.

if ! declare -F _ringkit_parse >/dev/null; then
	# shellcheck source=/dev/null
	. "${BASH_SOURCE[0]%/*}/ringkit${BASH_SOURCE[0]##*ringlock}"
fi

_ringkit_ringlock()
{
	local valued='-w --wait --slots --prio --value --ttl --grace
		--kill-on-loss --on-stuck --watchdog --for-pid --rundir'
	local other='--try --contain --holder --list -j --json'

	_ringkit_parse "$1" "$valued"
	if [ "$command" -ge 0 ]; then
		_ringkit_command
		return
	fi
	case $option:$cur in
	--kill-on-loss:*) _ringkit_reply yes no ;;
	--on-stuck:*) _ringkit_reply none watchdog reboot ;;
	--rundir:*) _ringkit_files -d ;;
	--watchdog:*) _ringkit_files ;;
	-*:*) ;;
	:-*) _ringkit_options "$valued" "$other" ;;
	esac
}

_ringkit_alone_ringlock() { _ringkit_alone _ringkit_ringlock; }
complete -F _ringkit_alone_ringlock ringlock
